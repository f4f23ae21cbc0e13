//! An iLO 4: Redfish as it was when it was new, and the interface before it.

use super::*;

const ALL: [&str; 3] = ["ilo4-2.30", "ilo4-2.55", "ilo4-2.78"];
/// How a Redfish client asks, so that an iLO 4 hides what is older.
const ODATA: (&str, &str) = ("OData-Version", "4.0");

fn token(login: &Login) -> (&str, &str) {
    ("X-Auth-Token", &login.token)
}

#[test]
fn an_ilo_4_names_itself_in_its_root_and_its_manager() {
    for (name, version) in ALL.into_iter().zip(["2.30", "2.55", "2.78"]) {
        let mut world = World::like(name);
        let root = world.get(ROOT, By::Nobody).body;
        assert_eq!(root["@odata.type"], "#ServiceRoot.1.0.0.ServiceRoot");
        assert_eq!((&root["Id"], &root["Name"]), (&json!("v1"), &json!("HP RESTful Root Service")));
        assert_eq!(root["Oem"]["Hp"]["Manager"][0]["ManagerType"], "iLO 4");
        assert_eq!(root["Oem"]["Hp"]["Manager"][0]["ManagerFirmwareVersion"], version);
        assert_eq!(root["Oem"]["Hp"]["Sessions"]["LoginFailureDelay"], 0);
        assert_eq!(root["Oem"].get("Hpe"), None);
        assert_eq!(root["Time"], "2025-06-23T20:07:13Z", "at the top, not below Oem");
        for newer in ["ProtocolFeaturesSupported", "Product", "Vendor", "UpdateService", "@odata.etag"] {
            assert_eq!(root.get(newer), None, "{newer}");
        }
        let manager = world.get("/redfish/v1/Managers/1/", By::Basic("admin", "secret123")).body;
        assert_eq!(manager["FirmwareVersion"], format!("iLO 4 v{version}"));
        assert_eq!(manager.get("DateTime"), None);
    }
}

#[test]
fn an_ilo_4_welcomes_with_a_message_and_an_id_of_eight_and_eight_digits() {
    for name in ALL {
        let mut world = World::like(name);
        let answer = world.try_login("Admin", "secret123");
        assert_eq!(answer.status, 201);
        let body = json!({
            "Messages": [{ "MessageID": "Base.0.10.Created" }],
            "Type": "ExtendedError.1.0.0",
            "error": {
                "@Message.ExtendedInfo": [{ "MessageID": "Base.0.10.Created" }],
                "code": "iLO.0.10.ExtendedInfo",
                "message": "See @Message.ExtendedInfo for more information.",
            },
        });
        assert_eq!(answer.body, body);
        let id = answer.new_session();
        let (head, chance) = id.as_str().split_at("admin".len() + 8);
        assert_eq!((head, chance.len()), ("admin6859b3f1", 8));
        assert_eq!(answer.header("Location"), format!("https://192.0.2.10{SESSIONS}{id}/"));
        assert_eq!(answer.header("Link"), format!("<{SESSIONS}{id}/>; rel=self"));
        assert_eq!(answer.header("X-Auth-Token").len(), 32);
    }
}

#[test]
fn an_ilo_4_spells_message_id_with_a_big_d_also_when_it_refuses() {
    let mut world = World::like("ilo4-2.55");
    let refused = world.try_login("admin", "wrong").body;
    assert_eq!(refused["Messages"][0]["MessageID"], "iLO.0.10.UnauthorizedLoginAttempt");
    let refused = world.get(SESSIONS, By::Nobody);
    assert_eq!((refused.status.as_u16(), refused.message()), (401, "Base.0.10.NoValidSession"));
    let info = &refused.body["error"]["@Message.ExtendedInfo"][0];
    assert_eq!((info.get("MessageId"), refused.header("WWW-Authenticate")), (None, ""));
    let missing = world.get(&format!("{SESSIONS}nobody/"), By::Basic("admin", "secret123"));
    let args = &missing.body["Messages"][0]["MessageArgs"][0];
    assert_eq!((missing.status.as_u16(), args), (404, &json!(format!("{SESSIONS}nobody/"))));
}

#[test]
fn an_ilo_4_sends_clients_to_the_slash_before_it_asks_who_they_are() {
    for name in ALL {
        let mut world = World::like(name);
        for path in ["/redfish/v1", "/redfish/v1/SessionService/Sessions", "/redfish/v1/nonsense"] {
            for method in [Method::GET, Method::POST, Method::DELETE] {
                let answer = world.ask(&method, path, By::Nobody, "{}");
                let to = (answer.status.as_u16(), answer.header("Location").to_owned());
                assert_eq!(to, (308, format!("{path}/")), "{method}");
            }
        }
        assert_eq!(world.sessions(), 0);
        assert_eq!(world.try_login("admin", "secret123").status, 201, "the POST again, at the slash");
    }
}

#[test]
fn an_ilo_4_ignores_the_wish_to_expand() {
    let mut world = World::like("ilo4-2.55");
    let login = world.login("admin", "secret123");
    for query in ["", "?$expand=.", "?$expand=*($levels=1)"] {
        let list = world.send(&Method::GET, &format!("{SESSIONS}{query}"), &[token(&login), ODATA], "");
        assert_eq!(list.status, 200);
        assert_eq!(list.members(), [json!({ "@odata.id": format!("{SESSIONS}{}/", login.id) })]);
    }
    let managers = world.get("/redfish/v1/Managers/?$expand=.", By::Token(&login.token));
    assert_eq!(managers.members()[0].as_object().unwrap().len(), 1);
}

#[test]
fn a_session_of_an_ilo_4_has_its_block_below_hp_with_six_privileges() {
    let mut world = World::like("ilo4-2.55");
    let login = world.login("admin", "secret123");
    let own = world.send(&Method::GET, &format!("{SESSIONS}{}/", login.id), &[token(&login), ODATA], "").body;
    let oem = &own["Oem"]["Hp"];
    assert_eq!(own["UserName"], "admin");
    assert_eq!(oem["LoginTime"], "2025-06-23T20:07:13Z");
    assert_eq!(oem["UserExpires"], "2025-06-23T20:37:13Z");
    assert_eq!((&oem["UserIP"], &oem["UserType"]), (&json!(PEER.to_string()), &json!("Local")));
    assert_eq!((&oem["MySession"], &oem["UserTag"]), (&json!(true), &json!("Unknown")));
    let privileges: Vec<_> = oem["Privileges"].as_object().unwrap().keys().collect();
    let six = [
        "LoginPriv",
        "RemoteConsolePriv",
        "UserConfigPriv",
        "VirtualMediaPriv",
        "VirtualPowerAndResetPriv",
        "iLOConfigPriv",
    ];
    assert_eq!(privileges, six);
    let mut tagged = World::like_with("ilo4-2.55", |spec| spec.rest_tag = Some("Web UI".to_owned()));
    let login = tagged.login("admin", "secret123");
    let own = tagged.get(&format!("{SESSIONS}{}/", login.id), By::Token(&login.token)).body;
    assert_eq!(own["Oem"]["Hp"]["UserTag"], "Web UI");
}

#[test]
fn an_ilo_4_counts_its_time_out_in_seconds() {
    for (minutes, seconds) in [(30, 1800), (0, 0)] {
        let mut world = World::like_with("ilo4-2.55", |spec| spec.session_timeout_min = minutes);
        let service = world.get(SERVICE, By::Basic("admin", "secret123")).body;
        assert_eq!(service["SessionTimeout"], seconds);
    }
}

#[test]
fn an_ilo_4_shows_what_is_older_than_redfish_unless_asked_for_odata() {
    let mut world = World::like("ilo4-2.55");
    let login = world.login("admin", "secret123");
    let member = format!("{SESSIONS}{}/", login.id);
    for path in [ROOT, SERVICE, SESSIONS, "/redfish/v1/Managers/", "/redfish/v1/Managers/1/", &member] {
        let old = world.send(&Method::GET, path, &[token(&login)], "");
        assert_eq!(old.text, old.body.to_string(), "sorted like every body");
        assert_eq!(old.body["links"]["self"]["href"], path);
        assert!(old.body["Type"].is_string(), "{path}");
        let new = world.send(&Method::GET, path, &[token(&login), ODATA], "").body;
        assert_eq!((new.get("links"), new.get("Type")), (None, None), "{path}");
        assert_eq!(new["@odata.id"], path);
    }
    let root = world.get(ROOT, By::Nobody).body;
    assert_eq!(root["Type"], "ServiceRoot.1.0.0");
    assert_eq!(root["links"]["Sessions"]["href"], SESSIONS);
}

#[test]
fn an_ilo_4_has_another_door_to_the_same_list() {
    for name in ALL {
        let mut world = World::like(name);
        let root = world.get("/rest/v1", By::Nobody);
        assert_eq!((root.status.as_u16(), &root.body["Type"]), (200, &json!("ServiceRoot.1.0.0")));
        assert_eq!(root.body["Oem"]["Hp"]["Manager"][0]["ManagerType"], "iLO 4");
        for (link, href) in [("Sessions", "/rest/v1/Sessions"), ("self", "/rest/v1")] {
            assert_eq!(root.body["links"][link]["href"], href);
        }
        for link in ["Managers", "Registries", "Schemas", "Systems"] {
            assert_eq!(root.body["links"][link]["href"], format!("/rest/v1/{link}"));
        }
        let body = r#"{"UserName":"admin","Password":"secret123"}"#;
        let login = world.ask(&Method::POST, "/rest/v1/Sessions", By::Nobody, body);
        assert_eq!(login.status, 201);
        let (id, token) = (login.new_session(), login.header("X-Auth-Token").to_owned());
        assert_eq!(login.header("Location"), format!("https://192.0.2.10{SESSIONS}{id}/"), "of the new tree");
        assert_eq!(world.get("/rest/v1/Sessions", By::Nobody).status, 401);
        let list = world.get("/rest/v1/Sessions", By::Token(&token)).body;
        assert_eq!(list["links"]["Member"][0]["href"], format!("/rest/v1/Sessions/{id}"));
        assert_eq!((&list["Total"], &list["Type"]), (&json!(1), &json!("Collection.1.0.0")));
        let member = world.get(&format!("/rest/v1/Sessions/{id}"), By::Token(&token));
        assert_eq!((member.status.as_u16(), &member.body["UserName"]), (200, &json!("admin")));
        assert_eq!(world.delete(&id, By::Token(&token)).status, 200);
        assert_eq!(world.sessions(), 0);
    }
}

#[test]
fn an_ilo_4_tells_the_length_of_a_body_and_which_server_it_is() {
    for name in ALL {
        let mut world = World::like(name);
        let answer = world.get(ROOT, By::Nobody);
        assert_eq!(answer.header("Server"), "HPE-iLO-Server/1.30");
        assert_eq!(answer.header("X_HP-CHRP-Service-Version"), "1.0.3");
        assert_eq!(answer.header("Content-Length"), answer.text.len().to_string());
        assert_eq!((answer.header("X-Frame-Options"), answer.header("X-XSS-Protection")), ("sameorigin", ""));
        assert!(answer.header("ETag").starts_with("W/\""));
        let head = world.ask(&Method::HEAD, ROOT, By::Nobody, "");
        assert_eq!(head.headers, answer.headers);
    }
}

#[test]
fn the_update_service_of_an_ilo_4_is_below_its_manager() {
    let mut world = World::like("ilo4-2.55");
    let login = world.login("admin", "secret123");
    let by = By::Token(&login.token);
    assert_eq!(world.get("/redfish/v1/UpdateService/", by).status, 404);
    for (state, shown) in [(crate::UpdateState::Idle, "IDLE"), (crate::UpdateState::Writing, "PROGRESSING")] {
        world.ilo.set_update_state(state);
        let service = world.get("/redfish/v1/Managers/1/UpdateService/", by).body;
        assert_eq!((&service["State"], service.get("Oem")), (&json!(shown), None));
        assert_eq!(service["@odata.type"], "#HpiLOFirmwareUpdate.1.0.0.HpiLOFirmwareUpdate");
    }
}

#[test]
fn an_ilo_4_ends_sessions_of_others_and_says_so_its_way() {
    let mut world = World::like("ilo4-2.55");
    let (admin, op) = (world.login("admin", "secret123"), world.login("op", "pw"));
    let refused = world.delete(&admin.id, By::Token(&op.token));
    assert_eq!((refused.status.as_u16(), refused.message()), (403, "Base.0.10.InsufficientPrivilege"));
    let done = world.delete(&op.id, By::Token(&admin.token));
    assert_eq!((done.status.as_u16(), &done.body["Messages"][0]["MessageID"]), (200, &json!("Base.0.10.Success")));
}
