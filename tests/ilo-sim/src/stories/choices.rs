//! What can be chosen: limits, doors that are shut, owners, and sessions that are not what they seem.

use super::*;
use crate::{BasicAuth, Effect, Refusal, UpdateState};

#[test]
fn a_limit_of_one_kind_refuses_logins_of_that_kind_alone() {
    let mut world = World::new(|spec| {
        spec.limit = 100;
        spec.kind_limits = vec![("REST".to_owned(), 2), ("SSH".to_owned(), 0)];
    });
    world.ilo.admit(world.now, SessionSpec::web("op", PEER));
    world.login("admin", "secret123");
    let last = world.login("op", "pw");
    let refused = world.try_login("op", "pw");
    assert_eq!((refused.status.as_u16(), refused.message()), (503, "Base.1.18.SessionLimitExceeded"));
    world.delete(&last.id, By::Token(&last.token));
    assert_eq!(world.try_login("op", "pw").status, 201);
}

#[test]
fn basic_authentication_can_be_turned_off_where_the_firmware_knows_that() {
    let basic = By::Basic("admin", "secret123");
    for (name, status) in [("ilo5-3.11", 401), ("ilo6-1.66", 401), ("ilo7-1.17", 401), ("ilo5-2.46", 200)] {
        let mut world = World::like_with(name, |spec| spec.basic_auth = BasicAuth::Disabled);
        assert_eq!(world.get(SERVICE, basic).status, status, "{name}");
        let login = world.login("admin", "secret123");
        let accounts = world.get("/redfish/v1/AccountService/", By::Token(&login.token)).body;
        let told = accounts.get("HTTPBasicAuth").and_then(Value::as_str);
        assert_eq!(told, (status == 401).then_some("Disabled"), "{name}");
    }
}

#[test]
fn basic_authentication_is_offered_only_where_it_is_advertised() {
    for (how, offer) in [(BasicAuth::Unadvertised, ""), (BasicAuth::Enabled, "Basic realm=\"Redfish\"")] {
        let mut world = World::new(|spec| spec.basic_auth = how);
        let refused = world.get(SERVICE, By::Nobody);
        assert_eq!((refused.status.as_u16(), refused.header("WWW-Authenticate")), (401, offer));
        assert_eq!(world.get(SERVICE, By::Basic("admin", "secret123")).status, 200);
    }
}

/// A world with two factors, and a user of the directory.
fn two_factors(name: &str) -> World {
    World::like_with(name, |spec| {
        spec.two_factor = Some("123456".to_owned());
        spec.accounts.push(Account { directory: true, ..Account::administrator("dora", "pw") });
    })
}

#[test]
fn two_factors_ask_users_of_the_directory_for_a_passcode_and_local_ones_never() {
    let mut world = two_factors("ilo6-1.66");
    let mut login = |more: Value| {
        let mut body = json!({ "UserName": "dora", "Password": "pw" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = world.ask(&Method::POST, SESSIONS, By::Nobody, &body.to_string());
        (answer.status.as_u16(), answer.message().to_owned(), answer.body["Oem"]["Hpe"]["UserType"].clone())
    };
    let sent = login(json!({}));
    assert_eq!((sent.0, sent.1.as_str()), (400, "Base.1.18.OneTimePasscodeSent"));
    assert_eq!(login(json!({ "Token": "000000" })).1, "iLO.2.27.UnauthorizedLoginAttempt");
    assert_eq!(login(json!({ "Token": "123456" })), (201, String::new(), json!("Directory")));
    assert_eq!(world.get(SERVICE, By::Basic("dora", "pw")).message(), "Base.1.18.NoValidSession");
    assert_eq!(world.try_login("admin", "secret123").status, 201);
    assert_eq!(world.get(SERVICE, By::Basic("admin", "secret123")).status, 200);
    let effects: Vec<_> = world.ilo.log().iter().filter_map(|logged| logged.effect.clone()).collect();
    assert_eq!(effects[0], Effect::Refused(Refusal::PasscodeSent));
    let accounts = world.get("/redfish/v1/AccountService/", By::Basic("admin", "secret123")).body;
    assert_eq!(accounts["Oem"]["Hpe"]["TwoFactorAuth"], "Enabled");
}

#[test]
fn firmware_from_before_two_factors_asks_for_one() {
    let mut world = two_factors("ilo6-1.40");
    assert_eq!(world.try_login("dora", "pw").status, 201);
}

#[test]
fn the_status_of_a_missing_passcode_is_a_choice() {
    let mut world = two_factors("ilo7-1.17");
    world.ilo.spec.passcode_status = StatusCode::UNAUTHORIZED;
    assert_eq!(world.try_login("dora", "pw").status, 401);
}

#[test]
fn whoever_must_change_the_password_gets_a_session_that_can_only_be_ended() {
    let change = |spec: &mut Spec| spec.accounts[0].must_change_password = true;
    let mut world = World::new(change);
    let answer = world.try_login("admin", "secret123");
    assert_eq!(answer.status, 201);
    let notice = &answer.body["@Message.ExtendedInfo"][0];
    assert_eq!(notice["MessageId"], "Base.1.18.PasswordChangeRequired");
    assert_eq!(notice["MessageArgs"][0], "/redfish/v1/AccountService/Accounts/1/");
    assert_eq!((answer.text.clone(), &answer.body["UserName"]), (answer.body.to_string().into(), &json!("admin")));
    let (id, token) = (answer.new_session(), answer.header("X-Auth-Token").to_owned());
    let other = world.admit("script");
    for refused in [
        world.get(SESSIONS, By::Token(&token)),
        world.get(&format!("{SESSIONS}{id}/"), By::Token(&token)),
        world.get(SESSIONS, By::Basic("admin", "secret123")),
        world.delete(&other, By::Token(&token)),
    ] {
        assert_eq!((refused.status.as_u16(), refused.message()), (403, "Base.1.18.PasswordChangeRequired"));
    }
    assert_eq!(world.delete(&id, By::Token(&token)).status, 200);
    assert!(world.ilo.set_password("admin", "better"));
    let changed = world.login("admin", "better");
    assert_eq!(world.get(SESSIONS, By::Token(&changed.token)).status, 200);
    let mut old = World::like_with("ilo5-1.39", change);
    let login = old.login("admin", "secret123");
    assert_eq!(old.get(SESSIONS, By::Token(&login.token)).status, 200, "firmware from before that");
}

#[test]
fn an_ilo_that_one_view_owns_says_so_to_anybody() {
    for name in ["ilo4-2.55", "ilo5-3.11", "ilo7-1.17"] {
        let mut world = World::like_with(name, |spec| spec.managed_by = Some("https://oneview.example.net".to_owned()));
        let vendor = world.ilo.spec().traits().vendor.unwrap();
        let root = world.get(ROOT, By::Nobody).body;
        let owner = &root["Oem"][vendor]["Manager"][0]["IPManager"];
        assert_eq!((&owner["ManagerType"], &owner["iLOManaged"]), (&json!("OneView"), &json!(true)), "{name}");
        assert_eq!(owner["ManagerUrl"]["xref"], "https://oneview.example.net");
        let free = World::like(name).get(ROOT, By::Nobody).body;
        assert_eq!(free["Oem"][vendor]["Manager"][0].get("IPManager"), None);
    }
}

#[test]
fn host_applications_have_accounts_on_ilo_7_and_sessions_from_inside() {
    let path = "/redfish/v1/AccountService/Oem/Hpe/AppAccounts/";
    let apps = |spec: &mut Spec| spec.app_accounts = vec!["AMS".to_owned(), "iLORest".to_owned()];
    let mut world = World::like_with("ilo7-1.17", apps);
    let login = world.login("admin", "secret123");
    let by = By::Token(&login.token);
    let service = world.get("/redfish/v1/AccountService/", by).body;
    assert_eq!(service["Oem"]["Hpe"]["AppAccounts"]["@odata.id"], path);
    let list = world.get(path, by);
    assert_eq!(list.members()[1], json!({ "@odata.id": format!("{path}iLORest/") }));
    assert_eq!(world.get(&format!("{path}AMS/"), by).body["HostAppName"], "AMS");
    assert_eq!(world.get(&format!("{path}?$expand=."), by).members()[0]["HostAppName"], "AMS");
    assert_eq!(world.get(&format!("{path}SUM/"), by).status, 404);
    let ams = world.ilo.admit(world.now, SessionSpec::host_application("AMS"));
    let ams = world.get(&format!("{SESSIONS}{ams}/"), by).body;
    assert_eq!((&ams["UserName"], &ams["Oem"]["Hpe"]["UserIP"]), (&json!("AMS"), &json!("16.1.15.2")));
    assert_eq!(ams["Oem"]["Hpe"]["UserTag"], "Host Application");
    let mut older = World::like_with("ilo6-1.66", apps);
    assert_eq!(older.get(path, By::Basic("admin", "secret123")).status, 404);
}

#[test]
fn a_dangling_member_is_listed_and_can_neither_be_read_nor_ended() {
    for name in ["ilo4-2.55", "ilo5-3.11", "ilo7-1.17"] {
        let mut world = World::like(name);
        let login = world.login("admin", "secret123");
        let by = By::Token(&login.token);
        let spec = SessionSpec { dangling: true, ..SessionSpec::rest("script", PEER) };
        let dangling = world.ilo.admit(world.now, spec);
        let path = format!("{SESSIONS}{dangling}/");
        for query in ["", "?$expand=."] {
            let list = world.get(&format!("{SESSIONS}{query}"), by);
            assert_eq!(list.body["Members@odata.count"], 2, "{name}");
            assert_eq!(list.members()[1], json!({ "@odata.id": path }), "{name}");
        }
        for method in [Method::GET, Method::DELETE] {
            let gone = world.ask(&method, &path, by, "");
            let missing = gone.message().ends_with(".ResourceMissingAtURI");
            assert_eq!((gone.status.as_u16(), missing), (404, true), "{name}");
        }
        assert_eq!(world.sessions(), 2, "its place is taken all the same");
    }
}

#[test]
fn while_firmware_is_written_only_the_update_service_answers_if_one_likes() {
    for (busy, status) in [(true, 503), (false, 200)] {
        let mut world = World::new(|spec| spec.busy_while_flashing = busy);
        let login = world.login("admin", "secret123");
        let by = By::Token(&login.token);
        world.ilo.set_update_state(UpdateState::Writing);
        assert_eq!(world.get(SESSIONS, by).status, status);
        assert_eq!(world.delete(&login.id, By::Token("wrong")).status, 401);
        let updates = world.get("/redfish/v1/UpdateService/", by);
        assert_eq!((updates.status.as_u16(), &updates.body["Oem"]["Hpe"]["State"]), (200, &json!("Writing")));
        world.ilo.set_update_state(UpdateState::Complete);
        assert_eq!(world.get(SESSIONS, by).status, 200);
    }
    let mut world = World::new(|spec| spec.busy_while_flashing = true);
    world.ilo.set_update_state(UpdateState::Updating);
    let busy = world.get(SESSIONS, By::Basic("admin", "secret123"));
    assert_eq!(busy.message(), "iLO.2.27.ResourceTemporarilyUnavailable");
    let mut plain = World::like_with("generic", |spec| spec.busy_while_flashing = true);
    plain.ilo.set_update_state(UpdateState::Updating);
    let busy = plain.get(SESSIONS, By::Basic("admin", "secret123"));
    assert_eq!((busy.status.as_u16(), busy.message()), (503, "Base.1.18.ServiceTemporarilyUnavailable"));
}

#[test]
fn a_tag_that_no_schema_knows_is_shown_as_it_is() {
    let mut world = World::new(|spec| spec.rest_tag = Some("Quantum Link".to_owned()));
    let login = world.login("admin", "secret123");
    let own = world.get(&format!("{SESSIONS}{}/", login.id), By::Token(&login.token)).body;
    assert_eq!(own["Oem"]["Hpe"]["UserTag"], "Quantum Link");
    let other = world.ilo.admit(world.now, SessionSpec::tagged("op", PEER, "Carrier Pigeon"));
    let other = world.get(&format!("{SESSIONS}{other}/"), By::Token(&login.token)).body;
    assert_eq!(other["Oem"]["Hpe"]["UserTag"], "Carrier Pigeon");
}

#[test]
fn ssh_stands_still_and_a_console_with_media_stays_on_every_ilo() {
    for personality in crate::Personality::ALL {
        let traits = personality.traits();
        let Some(vendor) = traits.vendor else { continue };
        let mut world = World::like(personality.name());
        let ssh = world.ilo.admit(world.now, SessionSpec::ssh("op", PEER));
        let media = SessionSpec { virtual_media: true, ..SessionSpec::console("op", PEER) };
        let console = world.ilo.admit(world.now, media);
        world.pass(20);
        world.ilo.touch(&ssh, world.now);
        world.pass(20);
        let shown = world.get(&format!("{SESSIONS}{ssh}/"), By::Basic("admin", "secret123")).body;
        let oem = &shown["Oem"][vendor];
        assert_eq!(oem["AccessTime"], oem["LoginTime"], "{personality}: used after twenty minutes, and alive");
        world.pass(300);
        assert!(world.ilo.session(&console, world.now).is_some() && world.sessions() == 1, "{personality}");
    }
}
