//! What tells one firmware of an iLO 5, 6 or 7 from another.

use super::*;

/// Every iLO but those of generation 4.
const ALL: [&str; 9] = [
    "ilo5-1.39",
    "ilo5-2.33",
    "ilo5-2.46",
    "ilo5-3.11",
    "ilo6-1.10",
    "ilo6-1.40",
    "ilo6-1.66",
    "ilo7-1.14",
    "ilo7-1.17",
];
const ADMIN: By<'static> = By::Basic("admin", "secret123");

/// Those firmwares, of all, of which something is true.
fn those(fact: impl Fn(&mut World) -> bool) -> Vec<&'static str> {
    ALL.into_iter().filter(|name| fact(&mut World::like(name))).collect()
}

#[test]
fn a_session_is_the_same_on_every_generation_since_the_fifth() {
    for name in ALL {
        let mut world = World::like(name);
        let login = world.login("admin", "secret123");
        let own = world.get(&format!("{SESSIONS}{}/", login.id), By::Token(&login.token)).body;
        assert_eq!(own["@odata.type"], "#Session.v1_0_0.Session", "{name}");
        assert_eq!(own["Oem"]["Hpe"]["@odata.type"], "#HpeiLOSession.v2_1_0.HpeiLOSession");
        assert_eq!((&own["Oem"]["Hpe"]["UserTag"], own.get("Type")), (&json!("REST"), None));
        assert_eq!(own["Oem"]["Hpe"]["Privileges"].as_object().unwrap().len(), 10);
        let expanded = world.get(&format!("{SESSIONS}?$expand=."), By::Token(&login.token));
        assert_eq!(expanded.members(), [own]);
        assert_eq!(expanded.text, expanded.body.to_string(), "sorted like every body");
        assert_eq!(expanded.header("Content-Length"), "", "chunked");
    }
}

#[test]
fn an_id_ends_in_eight_digits_of_chance_on_old_firmware_and_in_seven_on_new() {
    let digits = |world: &mut World| {
        let id = world.login("Admin", "secret123").id;
        let tail = id.as_str().strip_prefix("admin000000006859b3f1").map(str::len);
        tail.unwrap_or_else(|| panic!("{id}"))
    };
    assert_eq!(those(|world| digits(world) == 8), ["ilo5-1.39", "ilo5-2.33", "ilo5-2.46", "ilo6-1.10"]);
    assert_eq!(those(|world| digits(world) == 7).len(), 5);
}

#[test]
fn the_time_out_is_told_since_ilo_5_2_90_and_ilo_6_1_40_and_in_minutes() {
    for minutes in [0, 30, 120] {
        let told = |name: &&str| {
            let mut world = World::like_with(name, |spec| spec.session_timeout_min = minutes);
            let told = world.get(SERVICE, ADMIN).body.get("SessionTimeout").cloned();
            assert!(told.is_none() || told == Some(json!(minutes)), "{name}: {told:?}");
            let manager = world.get("/redfish/v1/Managers/1/", ADMIN).body;
            assert_eq!(manager["Oem"]["Hpe"]["IdleConnectionTimeoutMinutes"], minutes);
            told.is_none()
        };
        let untold: Vec<_> = ALL.into_iter().filter(|name| told(name)).collect();
        assert_eq!(untold, ["ilo5-1.39", "ilo5-2.33", "ilo5-2.46", "ilo6-1.10"]);
    }
}

#[test]
fn sessions_end_in_time_whether_the_time_out_is_told_or_not() {
    for name in ALL {
        let mut world = World::like(name);
        world.login("admin", "secret123");
        world.pass(29);
        assert_eq!(world.sessions(), 1, "{name}");
        world.pass(1);
        assert_eq!(world.sessions(), 0, "{name}");
    }
}

#[test]
fn ilo_5_before_1_40_sends_a_post_to_the_slash_and_all_later_ones_take_it() {
    let bare = SESSIONS.trim_end_matches('/');
    let login = json!({ "UserName": "admin", "Password": "secret123" }).to_string();
    let mut old = World::like("ilo5-1.39");
    let moved = old.ask(&Method::POST, bare, By::Nobody, &login);
    assert_eq!((moved.status.as_u16(), moved.header("Location")), (308, SESSIONS));
    assert_eq!((moved.text.len(), old.sessions()), (0, 0));
    assert_eq!(those(|world| world.ask(&Method::POST, bare, By::Nobody, &login).status == 308), ["ilo5-1.39"]);
    assert_eq!(those(|world| world.get("/redfish/v1", By::Nobody).status == 200).len(), ALL.len() - 1);
}

#[test]
fn links_copy_the_style_of_the_request_but_where_only_one_is_served() {
    for name in ALL {
        let mut world = World::like(name);
        let slashed = world.get(ROOT, By::Nobody).body;
        assert_eq!(slashed["Links"]["Sessions"]["@odata.id"], SESSIONS);
        let bare = world.get("/redfish/v1", By::Nobody);
        assert!(bare.status == 308 || bare.body["Links"]["Sessions"]["@odata.id"] == SESSIONS.trim_end_matches('/'));
    }
}

#[test]
fn the_tree_before_redfish_is_sent_on_by_all_but_the_default() {
    let on = |world: &mut World| {
        let answer = world.get("/rest/v1/Sessions?a=b", By::Nobody);
        answer.status == 308 && answer.header("Location") == "/redfish/v1/Sessions/?a=b"
    };
    let sent_on = those(on);
    assert_eq!(sent_on.len(), ALL.len() - 1);
    assert!(!sent_on.contains(&"ilo5-3.11"));
}

#[test]
fn generation_and_firmware_are_in_the_root_but_on_ilo_5_2_3x() {
    let told = |world: &mut World| {
        let root = world.get(ROOT, By::Nobody).body;
        let (oem, generation) = (&root["Oem"]["Hpe"], world.ilo.spec().traits().generation);
        assert_eq!(oem["Moniker"]["PRODGEN"], generation);
        assert_eq!(oem["Time"], "2025-06-23T20:07:13Z");
        assert_eq!(root.get("Time"), None);
        oem["Manager"][0]["ManagerType"] == generation && oem["Manager"][0]["ManagerFirmwareVersion"].is_string()
    };
    let silent: Vec<_> = ALL.into_iter().filter(|name| !told(&mut World::like(name))).collect();
    assert_eq!(silent, ["ilo5-2.33"]);
}

#[test]
fn the_first_ilo_5_does_not_tell_what_it_understands_and_each_tells_its_version_of_redfish() {
    let silent = |world: &mut World| world.get(ROOT, By::Nobody).body.get("ProtocolFeaturesSupported").is_none();
    assert_eq!(those(silent), ["ilo5-1.39"]);
    let speaks = |world: &mut World| world.get(ROOT, By::Nobody).body["RedfishVersion"] == "1.20.0";
    assert_eq!(those(speaks), ["ilo6-1.40", "ilo6-1.66", "ilo7-1.14", "ilo7-1.17"]);
}

#[test]
fn the_manager_tells_its_firmware_in_the_form_of_its_generation() {
    let firmware = |name| World::like(name).get("/redfish/v1/Managers/1/", ADMIN).body["FirmwareVersion"].clone();
    assert_eq!(firmware("ilo5-2.46"), "iLO 5 v2.46");
    assert_eq!(firmware("ilo6-1.66"), "iLO 6 v1.66");
    let seven = firmware("ilo7-1.17");
    assert!(seven.as_str().unwrap().starts_with("1.17.00 "), "{seven}");
    assert!(firmware("ilo7-1.14").as_str().unwrap().starts_with("1.14.00 "));
    let root = World::like("ilo7-1.17").get(ROOT, By::Nobody).body;
    assert_eq!(root["Oem"]["Hpe"]["Manager"][0]["ManagerFirmwareVersion"], "1.17.00");
    assert_eq!(root["Oem"]["Hpe"]["Manager"][0]["Languages"][0]["Version"], "1.17");
}

#[test]
fn the_manager_tells_the_time_since_ilo_5_2_10_and_shows_as_many_consoles_as_it_has() {
    let manager = |world: &mut World| world.get("/redfish/v1/Managers/1/", ADMIN).body;
    assert_eq!(those(|world| manager(world).get("DateTime").is_none()), ["ilo5-1.39"]);
    let screens = |world: &mut World| manager(world)["GraphicalConsole"]["MaxConcurrentSessions"] == 24;
    assert_eq!(those(screens), ["ilo7-1.14", "ilo7-1.17"]);
    let mut away = World::like_with("ilo6-1.66", |spec| spec.utc_offset_min = -720);
    let manager = manager(&mut away);
    assert_eq!(manager["DateTime"], "2025-06-23T20:07:13Z", "UTC, wherever it is");
    assert_eq!(manager["DateTimeLocalOffset"], "-12:00");
}

#[test]
fn messages_are_of_the_registry_that_the_firmware_ships() {
    let registries: Vec<_> = ALL
        .into_iter()
        .map(|name| {
            let answer = World::like(name).get(SERVICE, By::Nobody);
            assert_eq!((answer.status.as_u16(), answer.header("WWW-Authenticate")), (401, ""));
            answer.message().trim_end_matches(".NoValidSession").to_owned()
        })
        .collect();
    let expected = ["1.0", "1.4", "1.4", "1.18", "1.4", "1.17", "1.18", "1.18", "1.18"];
    assert_eq!(registries, expected.map(|version| format!("Base.{version}")));
}

#[test]
fn etags_are_decimal_on_ilo_7_and_hexadecimal_before() {
    let decimal = |world: &mut World| {
        let answer = world.get(ROOT, By::Nobody);
        assert_eq!(answer.header("ETag"), answer.body["@odata.etag"]);
        let tag = answer.header("ETag").trim_start_matches("W/\"").trim_end_matches('"').to_owned();
        assert!(u32::from_str_radix(&tag, 16).is_ok() || tag.parse::<u32>().is_ok(), "{tag}");
        world.get(SERVICE, By::Nobody).header("ETag") == "W/\"46322107\""
    };
    assert_eq!(those(decimal), ["ilo7-1.14", "ilo7-1.17"]);
    let hex = |world: &mut World| world.get(SERVICE, By::Nobody).header("ETag") == "W/\"02C2D1BB\"";
    assert_eq!(those(hex).len(), ALL.len() - 2);
    let long = |world: &mut World| world.get(ROOT, By::Nobody).header("ETag").len() > "W/\"01234567\"".len();
    assert_ne!(those(long), [""; 0], "some tag of an iLO 7 has more than eight digits");
}

#[test]
fn ilo_7_describes_its_sessions_as_those_of_applications_too() {
    let apps =
        |world: &mut World| world.get(SESSIONS, ADMIN).body["Description"] == "Manager User and Application Sessions";
    assert_eq!(those(apps), ["ilo7-1.14", "ilo7-1.17"]);
}

#[test]
fn on_ilo_7_a_session_of_basic_authentication_seems_to_come_from_inside() {
    let origin = |world: &mut World| {
        let list = world.get(&format!("{SESSIONS}?$expand=."), ADMIN).body;
        let [member] = list["Members"].as_array().unwrap().as_slice() else { panic!("the phantom alone: {list}") };
        assert_eq!((&member["Oem"]["Hpe"]["UserTag"], world.sessions()), (&json!("REST"), 0));
        member["Oem"]["Hpe"]["UserIP"].clone()
    };
    assert_eq!(those(|world| origin(world) == "127.0.0.1"), ["ilo7-1.14", "ilo7-1.17"]);
    assert_eq!(those(|world| origin(world) == PEER.to_string()).len(), ALL.len() - 2);
    let mut world = World::like("ilo7-1.17");
    let login = world.login("admin", "secret123");
    let own = world.get(&format!("{SESSIONS}{}/", login.id), By::Token(&login.token)).body;
    assert_eq!(own["Oem"]["Hpe"]["UserIP"], PEER.to_string(), "with a token the true address");
}

#[test]
fn only_early_firmware_sends_the_service_version_and_fewer_shields() {
    let early = |world: &mut World| {
        let answer = world.get(ROOT, By::Nobody);
        assert_eq!(answer.header("Server"), "");
        answer.header("X_HP-CHRP-Service-Version") == "1.0.3" && answer.header("X-Content-Type-Options").is_empty()
    };
    assert_eq!(those(early), ["ilo5-1.39"]);
}

#[test]
fn what_the_account_service_tells_grew_with_the_firmware() {
    let account_service = |world: &mut World| world.get("/redfish/v1/AccountService/", ADMIN).body;
    let tells_basic = those(|world| account_service(world)["HTTPBasicAuth"] == "Unadvertised");
    assert_eq!(tells_basic, ["ilo5-3.11", "ilo6-1.66", "ilo7-1.14", "ilo7-1.17"]);
    let tells_two = those(|world| account_service(world)["Oem"]["Hpe"]["TwoFactorAuth"] == "Disabled");
    assert_eq!(tells_two, tells_basic);
}

#[test]
fn a_registry_comes_compressed_though_nobody_asked_and_sessions_do_not() {
    for name in ALL.into_iter().chain(["ilo4-2.55"]) {
        let mut world = World::like(name);
        let path = format!("{}/", world.ilo.spec().traits().services.registry_path.unwrap());
        let file = world.get(&path, ADMIN);
        assert_eq!((file.status.as_u16(), file.header("Content-Encoding")), (200, "gzip"), "{name}");
        let mut text = String::new();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&*file.text), &mut text).unwrap();
        let registry: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(registry.to_string(), text);
        let unknown = world.get(SERVICE, By::Nobody);
        assert_eq!(unknown.message(), format!("{}.NoValidSession", registry["Id"].as_str().unwrap()));
        assert!(registry["Messages"]["SessionLimitExceeded"]["Message"].is_string());
        let headers = [("Accept-Encoding", "gzip"), ("Authorization", "Basic YWRtaW46c2VjcmV0MTIz")];
        let list = world.send(&Method::GET, SESSIONS, &headers, "");
        assert_eq!((list.status.as_u16(), list.header("Content-Encoding")), (200, ""), "{name}");
    }
}
