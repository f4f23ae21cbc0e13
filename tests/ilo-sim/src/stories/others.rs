//! Services that are no iLO, and what a client of iLOs may have taken for granted.

use super::*;

const BARE: &str = "/redfish/v1/SessionService/Sessions";
const JSON: (&str, &str) = ("Content-Type", "application/json");
const LOGIN: &str = r#"{"UserName":"admin","Password":"secret123"}"#;

/// A login that bmcweb takes.
fn json_login(world: &mut World, user: &str, password: &str) -> Login {
    let body = json!({ "UserName": user, "Password": password }).to_string();
    let answer = world.send(&Method::POST, BARE, &[JSON], &body);
    assert_eq!(answer.status, 201, "{}", answer.body);
    Login { id: answer.new_session(), token: answer.header("X-Auth-Token").to_owned() }
}

#[test]
fn a_generic_session_has_a_creation_time_with_offset_and_no_vendor_block() {
    let mut world = World::like_with("generic", |spec| spec.utc_offset_min = -300);
    let answer = world.try_login("admin", "secret123");
    let id = answer.new_session();
    assert_eq!((answer.status.as_u16(), answer.header("Location")), (201, format!("{BARE}/{id}").as_str()));
    let token = answer.header("X-Auth-Token").to_owned();
    world.ilo.admit(world.now, SessionSpec::ssh("op", PEER));
    world.ilo.admit(world.now, SessionSpec::tagged("op", PEER, "Host Application"));
    let list = world.get(&format!("{BARE}?$expand=."), By::Token(&token));
    assert_eq!(list.body.get("Oem"), None);
    let own = json!({
        "@odata.id": format!("{BARE}/{id}"),
        "@odata.type": "#Session.v1_7_0.Session",
        "ClientOriginIPAddress": PEER.to_string(),
        "CreatedTime": "2025-06-23T15:07:13-05:00",
        "Description": "User Session",
        "Id": id.as_str(),
        "Name": "User Session",
        "Password": null,
        "SessionType": "Redfish",
        "UserName": "admin",
    });
    assert_eq!(list.members()[0], own);
    let kinds: Vec<_> = list.members().iter().map(|member| member["SessionType"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["Redfish", "ManagerConsole", "OEM"]);
    assert_eq!(world.get(ROOT, By::Nobody).body.get("Oem"), None);
    let manager = world.get("/redfish/v1/Managers/1", By::Token(&token)).body;
    assert_eq!(manager["DateTime"], "2025-06-23T15:07:13-05:00");
}

#[test]
fn a_generic_service_compresses_where_that_is_accepted() {
    let mut world = World::like("generic");
    let plain = world.get(ROOT, By::Nobody);
    assert_eq!(plain.header("Content-Encoding"), "");
    let zipped = world.send(&Method::GET, ROOT, &[("Accept-Encoding", "deflate, gzip")], "");
    assert_eq!(zipped.header("Content-Encoding"), "gzip");
    let mut text = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&*zipped.text), &mut text).unwrap();
    assert_eq!(text, plain.text);
    assert_eq!(zipped.header("ETag"), plain.header("ETag"));
}

#[test]
fn a_generic_service_says_more_when_it_refuses_and_nothing_when_it_is_done() {
    let mut world = World::like("generic");
    let refused = world.try_login("admin", "wrong");
    assert_eq!((refused.status.as_u16(), refused.message()), (401, "Base.1.18.ResourceAtUriUnauthorized"));
    let info = &refused.body["error"]["@Message.ExtendedInfo"][0];
    assert!(info["Message"].as_str().unwrap().contains(BARE), "{info}");
    assert_eq!((&info["MessageSeverity"], info["Resolution"].is_string()), (&json!("Critical"), true));
    let login = world.login("admin", "secret123");
    assert!(login.id.as_str().len() == 6 && login.id.as_str().parse::<u32>().is_ok(), "{}", login.id);
    let other = world.admit("script");
    let done = world.delete(&other, By::Token(&login.token));
    assert_eq!((done.status.as_u16(), done.text.len()), (204, 0));
    let gone = world.delete(&other, By::Token(&login.token));
    assert_eq!((gone.status.as_u16(), gone.message()), (404, "Base.1.18.ResourceMissingAtURI"));
}

#[test]
fn whoever_is_no_ilo_tells_no_state_of_updates_and_counts_seconds() {
    for name in ["generic", "openbmc"] {
        let mut world = World::like(name);
        world.ilo.set_update_state(crate::UpdateState::Writing);
        let by = By::Basic("admin", "secret123");
        let updates = world.get("/redfish/v1/UpdateService", by);
        assert_eq!((updates.status.as_u16(), updates.body.get("Oem")), (200, None), "{name}");
        assert_eq!(world.get("/redfish/v1/SessionService", by).body["SessionTimeout"], 1800, "{name}");
        world.admit("script");
        world.pass(30);
        assert_eq!(world.sessions(), 0, "{name}");
    }
}

#[test]
fn openbmc_takes_a_login_as_json_only_and_answers_with_a_path() {
    let mut world = World::like("openbmc");
    for headers in [&[][..], &[("Content-Type", "text/plain")]] {
        let refused = world.send(&Method::POST, BARE, headers, LOGIN);
        assert_eq!((refused.status.as_u16(), refused.message()), (400, "Base.1.19.UnrecognizedRequestBody"));
    }
    assert_eq!(world.sessions(), 0);
    let charset = ("Content-Type", "application/json; charset=utf-8");
    let answer = world.send(&Method::POST, SESSIONS, &[charset], LOGIN);
    assert_eq!(answer.status, 201);
    let id = answer.new_session();
    assert_eq!(answer.header("Location"), format!("{BARE}/{id}"));
    assert_eq!((id.as_str().len(), answer.header("X-Auth-Token").len()), (10, 20));
    assert!(!id.as_str().contains("admin"));
    let body = &answer.body;
    assert_eq!((&body["@odata.type"], &body["Roles"][0]), (&json!("#Session.v1_7_0.Session"), &json!("Administrator")));
    assert_eq!(body["ClientOriginIPAddress"], PEER.to_string());
    assert_eq!((body.get("Oem"), body.get("CreatedTime")), (None, None));
    let other = json_login(&mut world, "admin", "secret123").id;
    assert_ne!(id, other);
}

#[test]
fn openbmc_refuses_to_expand_and_has_no_slash_in_its_links() {
    let mut world = World::like("openbmc");
    let login = json_login(&mut world, "admin", "secret123");
    let by = By::Token(&login.token);
    let refused = world.get(&format!("{BARE}?$expand=."), by);
    assert_eq!((refused.status.as_u16(), refused.message()), (501, "Base.1.19.QueryParameterValueFormatError"));
    for path in [BARE, SESSIONS] {
        let list = world.get(path, by);
        assert_eq!(list.members(), [json!({ "@odata.id": format!("{BARE}/{}", login.id) })]);
        assert_eq!(list.header("Content-Length"), list.text.len().to_string());
    }
    assert_eq!(world.get("/redfish/v1/Managers/bmc", by).status, 200);
    assert_eq!(world.get("/redfish/v1/Managers/1", by).status, 404);
}

#[test]
fn openbmc_meets_a_stranger_with_an_empty_401_that_offers_basic() {
    let mut world = World::like("openbmc");
    let login = json_login(&mut world, "admin", "secret123");
    let done = world.delete(&login.id, By::Token(&login.token));
    assert_eq!((done.status.as_u16(), done.message()), (200, "Base.1.19.Success"));
    for by in [By::Token(&login.token), By::Nobody, By::Basic("admin", "wrong")] {
        let answer = world.get(BARE, by);
        assert_eq!((answer.status.as_u16(), answer.text.len()), (401, 0));
        assert_eq!(answer.header("WWW-Authenticate"), "Basic");
    }
    let wrong = world.send(&Method::POST, BARE, &[JSON], r#"{"UserName":"admin","Password":"x"}"#);
    assert_eq!((wrong.status.as_u16(), wrong.message()), (401, "Base.1.19.ResourceAtUriUnauthorized"));
}

#[test]
fn openbmc_lets_an_operator_end_only_sessions_of_its_own() {
    let mut world = World::like("openbmc");
    let (admin, op) = (json_login(&mut world, "admin", "secret123"), json_login(&mut world, "op", "pw"));
    let refused = world.delete(&admin.id, By::Token(&op.token));
    assert_eq!((refused.status.as_u16(), refused.message()), (403, "Base.1.19.InsufficientPrivilege"));
    let own = world.get(&format!("{BARE}/{}", op.id), By::Token(&op.token)).body;
    assert_eq!(own["Roles"], json!(["Operator"]));
    assert_eq!(world.delete(&op.id, By::Token(&op.token)).status, 200);
    let gone = world.get(&format!("{BARE}/{}", op.id), By::Token(&admin.token));
    assert_eq!((gone.status.as_u16(), gone.message()), (404, "Base.1.19.ResourceNotFound"));
    assert_eq!(gone.body["error"]["@Message.ExtendedInfo"][0]["MessageArgs"], json!(["Session", op.id.as_str()]));
}

#[test]
fn a_mockup_lets_anybody_in_with_the_same_token_and_says_nothing() {
    let mut world = World::like_with("mockup", |spec| {
        spec.limit = 1;
        spec.accounts[0].must_change_password = true;
    });
    let mut tokens = Vec::new();
    for (body, place) in [(LOGIN, 1), (r#"{"UserName":"nobody","Password":""}"#, 2), ("{}", 3)] {
        let answer = world.ask(&Method::POST, SESSIONS, By::Nobody, body);
        assert_eq!((answer.status.as_u16(), answer.text.len()), (204, 0));
        assert_eq!(answer.header("Location"), format!("{BARE}/Member{place}"));
        assert_eq!(answer.header("Content-Length"), "");
        tokens.push(answer.header("X-Auth-Token").to_owned());
    }
    tokens.dedup();
    assert_eq!((tokens.len(), world.sessions()), (1, 3));
    assert_eq!(world.ask(&Method::POST, SESSIONS, By::Nobody, "no JSON").status, 400);
}

#[test]
fn a_mockup_asks_nobody_who_they_are_and_forgets_nothing_by_itself() {
    let mut world = World::like("mockup");
    world.login("admin", "secret123");
    world.pass(60 * 24);
    let list = world.get(&format!("{BARE}?$expand=."), By::Nobody);
    assert_eq!(list.members(), [json!({ "@odata.id": format!("{BARE}/Member1") })], "a wish to expand is ignored");
    let member = world.get(&format!("{BARE}/Member1"), By::Token("wrong")).body;
    let posted = json!({
        "@odata.id": format!("{BARE}/Member1"),
        "@odata.type": "#Session.v1_7_0.Session",
        "Id": "Member1",
        "UserName": "admin",
    });
    assert_eq!(member, posted, "without any time");
    assert_eq!(list.header("ETag"), "");
    assert_eq!(world.get("/redfish/v1/SessionService", By::Nobody).body.get("SessionTimeout"), None);
    let done = world.ask(&Method::DELETE, &format!("{BARE}/Member1"), By::Nobody, "");
    assert_eq!((done.status.as_u16(), done.text.len()), (204, 0));
    let gone = world.ask(&Method::DELETE, &format!("{BARE}/Member1"), By::Nobody, "");
    assert_eq!((gone.status.as_u16(), gone.text.len(), world.sessions()), (404, 0, 0));
}

#[test]
fn every_body_of_every_personality_is_valid_and_sorted_json() {
    for personality in crate::Personality::ALL.iter().copied() {
        let mut world = World::like(personality.name());
        world.admit("script");
        let member = format!("SessionService/Sessions/{}/", world.admit("o\"dd"));
        let manager = world.ilo.spec().traits().manager.path.trim_start_matches(ROOT).to_owned();
        let services = ["", "SessionService/", "SessionService/Sessions/", "Managers/", "AccountService/"];
        for path in services.into_iter().chain([manager.as_str(), "UpdateService/", "nonsense/", &member]) {
            for by in [By::Nobody, By::Basic("admin", "secret123")] {
                let answer = world.get(&format!("{ROOT}{path}"), by);
                let text = if answer.body.is_null() { String::new() } else { answer.body.to_string() };
                assert_eq!(answer.text, text, "{personality} {path}");
                assert!(answer.status != 500 && (answer.status != 200 || !text.is_empty()), "{personality} {path}");
            }
        }
    }
}
