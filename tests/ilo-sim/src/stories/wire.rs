//! Bodies, links, headers and clocks: what a client reads.

use super::*;
use crate::UpdateState;

#[test]
fn links_copy_the_trailing_slash_of_the_request() {
    let mut world = World::plain();
    let login = world.login("admin", "secret123");
    let slashed = world.get(SESSIONS, By::Token(&login.token));
    assert_eq!(slashed.members()[0]["@odata.id"], format!("{SESSIONS}{}/", login.id));
    let bare = world.get(SESSIONS.trim_end_matches('/'), By::Token(&login.token));
    assert_eq!(bare.members()[0]["@odata.id"], format!("{SESSIONS}{}", login.id));
    assert_eq!(bare.body["@odata.id"], SESSIONS.trim_end_matches('/'));
    assert_eq!(world.get(ROOT, By::Nobody).body["Links"]["Sessions"]["@odata.id"], SESSIONS);
}

#[test]
fn expanded_members_are_the_members_themselves() {
    let mut world = World::plain();
    let login = world.login("admin", "secret123");
    world.login("op", "pw");
    let expanded = world.get(&format!("{SESSIONS}?$expand=*($levels=1)"), By::Token(&login.token));
    assert_eq!(expanded.body["Members@odata.count"], 2);
    for member in expanded.members() {
        let alone = world.get(member["@odata.id"].as_str().unwrap(), By::Token(&login.token));
        assert_eq!(alone.body, *member);
        assert_eq!(alone.header("ETag"), member["@odata.etag"]);
        let mine = member["Id"] == login.id.as_str();
        assert_eq!(member["Oem"]["Hpe"]["MySession"], mine);
        assert_eq!(member["Oem"]["Hpe"].get("Privileges").is_some(), mine, "only one's own are shown");
    }
}

#[test]
fn bodies_are_to_the_byte_what_a_json_library_writes_and_sealed_by_all_the_rest() {
    let odd = "o\"d\\d\u{1} größe";
    let mut world = World::new(|spec| {
        spec.name = odd.to_owned();
        spec.accounts.push(Account::administrator(odd, "pw"));
    });
    let login = world.login(odd, "pw");
    world.admit("plain");
    world.admit(odd);
    let services =
        ["SessionService", "SessionService/Sessions", "Managers", "Managers/1", "UpdateService", "AccountService"];
    for service in services.map(|name| format!("/{name}")).into_iter().chain([String::new()]) {
        for tail in ["", "/", "?$expand=.", "/?$expand=."] {
            let path = format!("/redfish/v1{service}{tail}");
            let answer = world.get(&path, By::Token(&login.token));
            assert_eq!(answer.text, answer.body.to_string(), "{path}");
            let mut rest = answer.body.clone();
            let etag = rest.as_object_mut().unwrap().remove("@odata.etag").unwrap();
            let fnv = |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
            assert_eq!(etag, format!("W/\"{:08X}\"", rest.to_string().bytes().fold(0x811c_9dc5, fnv)), "{path}");
            assert_eq!(etag, answer.header("ETag"), "{path}");
        }
    }
    for (path, by) in [("/redfish", By::Nobody), (SERVICE, By::Nobody), ("/rest/\"", By::Token(&login.token))] {
        let answer = world.get(path, by);
        assert_eq!(answer.text, answer.body.to_string(), "{path}");
        assert_eq!(answer.header("ETag"), "W/\"02C2D1BB\"", "{path}");
    }
}

#[test]
fn privileges_are_those_of_the_account() {
    let mut world = World::plain();
    let op = world.login("op", "pw");
    let privileges =
        &world.get(&format!("{SESSIONS}{}/", op.id), By::Token(&op.token)).body["Oem"]["Hpe"]["Privileges"];
    assert_eq!(privileges["UserConfigPriv"], false);
    assert_eq!(privileges["iLOConfigPriv"], true);
    assert_eq!(privileges.as_object().unwrap().len(), 10);
}

#[test]
fn access_time_moves_with_use_but_not_for_ssh() {
    let mut world = World::plain();
    let login = world.login("admin", "secret123");
    let ssh = world.ilo.admit(world.now, SessionSpec::ssh("op", PEER));
    world.pass(10);
    world.ilo.touch(&ssh, world.now);
    let times = |world: &mut World, id: &SessionId| {
        let body = world.get(&format!("{SESSIONS}{id}/"), By::Token(&login.token)).body;
        ["LoginTime", "AccessTime", "UserExpires"].map(|name| body["Oem"]["Hpe"][name].as_str().unwrap().to_owned())
    };
    let expected = ["2025-06-23T20:07:13Z", "2025-06-23T20:17:13Z", "2025-06-23T20:47:13Z"];
    assert_eq!(times(&mut world, &login.id), expected);
    assert_eq!(times(&mut world, &ssh), ["2025-06-23T20:07:13Z", "2025-06-23T20:07:13Z", "2025-06-23T20:37:13Z"]);
}

#[test]
fn every_time_is_the_ilos_own_and_a_clock_that_jumps_leaves_old_sessions_behind() {
    let mut world = World::new(|spec| spec.clock_offset_s = -3600);
    let old = world.login("admin", "secret123");
    assert!(old.id.as_str().contains("6859a5e1"), "an hour behind: {}", old.id);
    world.ilo.set_clock_offset(3600);
    let root = world.get(ROOT, By::Nobody);
    assert_eq!(root.body["Oem"]["Hpe"]["Time"], "2025-06-23T21:07:13Z");
    assert_eq!(root.header("Date"), "Mon, 23 Jun 2025 21:07:13 GMT");
    let manager = world.get("/redfish/v1/Managers/1/", By::Token(&old.token));
    assert_eq!(manager.body["DateTime"], "2025-06-23T21:07:13Z");
    let session = world.get(&format!("{SESSIONS}{}/", old.id), By::Token(&old.token));
    assert_eq!(session.body["Oem"]["Hpe"]["LoginTime"], "2025-06-23T19:07:13Z");
    assert_eq!(session.body["Oem"]["Hpe"]["AccessTime"], "2025-06-23T21:07:13Z");
    assert_eq!(world.sessions(), 1, "a clock that was set ends nothing");
}

#[test]
fn generation_and_firmware_are_told_without_a_login() {
    let root = World::plain().get(ROOT, By::Nobody).body;
    let oem = &root["Oem"]["Hpe"];
    assert_eq!(oem["Manager"][0]["ManagerType"], "iLO 5");
    assert_eq!(oem["Manager"][0]["ManagerFirmwareVersion"], "3.11");
    assert_eq!(oem["Moniker"]["PRODGEN"], "iLO 5");
    assert_eq!(oem["Sessions"]["LocalLoginEnabled"], true);
    assert_eq!(root["ProtocolFeaturesSupported"]["ExpandQuery"]["ExpandAll"], false);
    assert_eq!(root["UUID"].as_str().unwrap().len(), 36);
}

#[test]
fn the_other_services_are_there_for_those_who_logged_in() {
    let mut world = World::plain();
    let login = world.login("viewer", "pw");
    let by = By::Token(&login.token);
    assert_eq!(world.get("/redfish/v1/Managers/1", by).body["FirmwareVersion"], "iLO 5 v3.11");
    assert_eq!(world.get("/redfish/v1/Managers?$expand=.", by).members()[0]["Id"], "1");
    assert_eq!(world.get("/redfish/v1/AccountService/", by).body["Oem"]["Hpe"]["AuthFailuresBeforeDelay"], 1);
    assert_eq!(world.get("/redfish/v1/UpdateService/", by).body["Oem"]["Hpe"]["State"], "Idle");
    world.ilo.set_update_state(UpdateState::Writing);
    assert_eq!(world.get("/redfish/v1/UpdateService/", by).body["Oem"]["Hpe"]["State"], "Writing");
    for path in [SERVICE, "/redfish/v1/UpdateService/", "/redfish/v1/nonsense/", "/rest/v1"] {
        assert_eq!(world.get(path, By::Nobody).status, 401, "{path}");
    }
    for path in ["/redfish/v1/nonsense/", "/rest/v1"] {
        let answer = world.get(path, by);
        assert_eq!((answer.status.as_u16(), answer.message()), (404, "Base.1.18.ResourceMissingAtURI"));
        assert_eq!(answer.body["error"]["@Message.ExtendedInfo"][0]["MessageArgs"][0], path);
        assert_eq!(answer.body["error"]["code"], "iLO.0.10.ExtendedInfo");
    }
}

#[test]
fn other_methods_are_answered_with_those_allowed() {
    let mut world = World::plain();
    let login = world.login("admin", "secret123");
    let by = By::Token(&login.token);
    let member = format!("{SESSIONS}{}/", login.id);
    let cases = [
        (Method::PUT, SESSIONS, "GET, HEAD, POST"),
        (Method::POST, member.as_str(), "GET, HEAD, DELETE"),
        (Method::DELETE, ROOT, "GET, HEAD"),
        (Method::DELETE, "/https:/192.0.2.10/redfish/v1/", "GET"),
    ];
    for (method, path, allowed) in cases {
        let answer = world.ask(&method, path, by, "");
        assert_eq!((answer.status.as_u16(), answer.header("Allow")), (405, allowed), "{method} {path}");
        assert_eq!(answer.body, Value::Null);
    }
}

#[test]
fn head_is_get_without_the_body() {
    let mut world = World::plain();
    let get = world.get(ROOT, By::Nobody);
    let head = world.ask(&Method::HEAD, ROOT, By::Nobody, "");
    assert_eq!(head.headers, get.headers);
    assert_eq!(head.body, Value::Null);
}

#[test]
fn headers_are_those_of_the_captures() {
    let mut world = World::plain();
    let answer = world.get(ROOT, By::Nobody);
    assert_eq!(answer.header("Cache-Control"), "no-cache");
    assert_eq!(answer.header("Content-Type"), "application/json; charset=utf-8");
    assert_eq!(answer.header("OData-Version"), "4.0");
    assert_eq!(answer.header("X-Frame-Options"), "sameorigin");
    assert_eq!(answer.header("Allow"), "GET, HEAD");
    let etag = answer.header("ETag").strip_prefix("W/\"").and_then(|tag| tag.strip_suffix('"')).unwrap();
    assert_eq!(etag.len(), 8);
    assert_eq!(world.get(SERVICE, By::Nobody).header("ETag"), "W/\"02C2D1BB\"");
}

#[test]
fn what_no_header_can_hold_is_left_out_of_it() {
    let mut world = World::new(|spec| spec.accounts.push(Account::administrator("a\nb", "pw")));
    let answer = world.try_login("a\nb", "pw");
    assert_eq!(answer.status, 201);
    assert_eq!(answer.header("Location"), "");
}
