use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use super::*;
use crate::law::holds;

const PATH: &str = "/redfish/v1/SessionService/Sessions";

/// An expanded collection as an iLO 6 writes it: our own session, a script's, a person's.
const EXPANDED: &str = r##"{"@odata.context":"/redfish/v1/$metadata#SessionCollection.SessionCollection","@odata.etag":"W/\"440AC418\"",
 "@odata.id":"/redfish/v1/SessionService/Sessions","@odata.type":"#SessionCollection.SessionCollection",
 "Description":"Manager User Sessions","Name":"Sessions",
 "Oem":{"Hpe":{"@odata.type":"#HpeiLOSessionsSummary.v2_0_0.HpeiLOSessionsSummary",
  "Links":{"MySession":{"@odata.id":"/redfish/v1/SessionService/Sessions/svc-ilo-reaper000000006859b3f1c51eb85"}}}},
 "Members":[
 {"@odata.id":"/redfish/v1/SessionService/Sessions/svc-ilo-reaper000000006859b3f1c51eb85","@odata.type":"#Session.v1_0_0.Session",
  "Id":"svc-ilo-reaper000000006859b3f1c51eb85","Description":"Manager User Session","Name":"User Session",
  "Oem":{"Hpe":{"@odata.type":"#HpeiLOSession.v2_1_0.HpeiLOSession",
   "AccessTime":"2025-06-23T20:08:14Z","LoginTime":"2025-06-23T20:07:13Z","MySession":true,
   "Privileges":{"LoginPriv":true,"UserConfigPriv":true},
   "UserExpires":"2025-06-23T20:38:14Z","UserIP":"192.0.2.53","UserTag":"REST","UserType":"Local"}},
  "UserName":"svc-ilo-reaper"},
 {"@odata.id":"/redfish/v1/SessionService/Sessions/svc_backup000000006859b2d30a1b2c3","@odata.type":"#Session.v1_0_0.Session",
  "Id":"svc_backup000000006859b2d30a1b2c3","Description":"Manager User Session","Name":"User Session",
  "Oem":{"Hpe":{"AccessTime":"2025-06-23T20:02:27Z","LoginTime":"2025-06-23T20:02:27Z","MySession":false,
   "UserExpires":"2025-06-23T20:32:27Z","UserIP":"2001:db8::10","UserTag":"REST","UserType":"Directory"}},
  "UserName":"svc_Backup"},
 {"@odata.id":"/redfish/v1/SessionService/Sessions/administrator000000006859a0000d3974f","@odata.type":"#Session.v1_0_0.Session",
  "Id":"administrator000000006859a0000d3974f","Description":"Manager User Session","Name":"User Session",
  "Oem":{"Hpe":{"AccessTime":"2025-06-23T18:45:20Z","LoginTime":"2025-06-23T18:45:20Z","MySession":false,
   "UserExpires":"2025-06-23T18:45:20Z","UserIP":"192.0.2.7","UserTag":"SSH","UserType":"Local"}},
  "UserName":"Administrator"}],
 "Members@odata.count":3}"##;

fn sessions(body: &str) -> Collection {
    collection(body.as_bytes(), PATH).expect("a collection")
}

/// A collection of these members, with the right count.
fn listing(members: &[String]) -> String {
    format!(r#"{{"Members":[{}],"Members@odata.count":{}}}"#, members.join(","), members.len())
}

fn why_cut(collection: &Collection) -> Option<&str> {
    match &collection.extent {
        Extent::Whole => None,
        Extent::Cut(why) => Some(why),
    }
}

/// One whole member, with some of its text replaced.
fn member_with(replaced: &str, by: &str) -> Session {
    let member = r#"{"@odata.id":"/redfish/v1/SessionService/Sessions/a1","Id":"a1","UserName":"bob","Oem":{"Hpe":{
        "AccessTime":"2025-06-23T20:08:14Z","LoginTime":"2025-06-23T20:07:13Z","MySession":false,
        "UserIP":"192.0.2.7","UserTag":"REST","UserType":"Local"}}}"#;
    assert!(member.contains(replaced), "{replaced}");
    session(member.replacen(replaced, by, 1).as_bytes(), PATH, &SessionId::read("a1")).expect("a session")
}

#[test]
fn an_expanded_collection_tells_all() {
    let read = sessions(EXPANDED);
    assert_eq!(why_cut(&read), None);
    let [Member::Whole(own), Member::Whole(backup), Member::Whole(person)] = &read.members[..] else {
        panic!("three whole members: {read:?}")
    };
    let at = |text| Timestamp::parse_rfc3339(text);
    assert_eq!([own.mine, backup.mine, person.mine], [Mine::Yes, Mine::No, Mine::No]);
    assert_eq!(own.owner, Some(Owner::new("svc-ilo-reaper")));
    assert_eq!((own.login, own.access), (at("2025-06-23T20:07:13Z"), at("2025-06-23T20:08:14Z")));
    assert_eq!(own.id.segment(), Some("svc-ilo-reaper000000006859b3f1c51eb85"));
    assert_eq!(backup.owner.as_ref().map(ToString::to_string).as_deref(), Some("svc_Backup"));
    assert_eq!(backup.origin, Some("2001:db8::10".parse().expect("an address")));
    assert_eq!((&backup.kind, &backup.user_type), (&Kind::Rest, &UserType::Directory));
    assert_eq!((&person.kind, &person.user_type), (&Kind::Ssh, &UserType::Local));
    assert_eq!(person.proven_access(), None, "an SSH session's access time proves nothing");
}

#[test]
fn a_plain_collection_tells_where_to_look() {
    for (name, prefix, suffix) in [
        ("iLO 5", PATH, ""),
        ("asked with a slash", PATH, "/"),
        ("iLO 4", "/redfish/v1/sessionservice/sessions", ""),
        ("iLO 4 with a slash", "/redfish/v1/sessionservice/sessions", "/"),
    ] {
        let links = ["root000000006258535599fb3292", "root57a6a93cd0e56041"];
        let members = links.map(|id| format!(r#"{{"@odata.id":"{prefix}/{id}{suffix}"}}"#));
        let read = sessions(&listing(&members));
        assert_eq!(read.members, links.map(|id| Member::Link(SessionId::read(id))), "{name}");
        assert_eq!(why_cut(&read), None, "{name}");
    }
    assert_eq!(sessions(r#"{"Members":[],"Members@odata.count":0}"#).members, []);
}

#[test]
fn an_ilo_4_keeps_its_facts_under_hp() {
    let member = r#"{"@odata.id":"/redfish/v1/sessionservice/sessions/bob57a6a93cd0e56041/","Id":"bob57a6a93cd0e56041","UserName":"bob",
        "Oem":{"Hp":{"AccessTime":"2016-08-07T03:25:00Z","LoginTime":"2016-08-07T03:21:32Z","MySession":false,
        "UserIP":"192.0.2.9","UserTag":"Web UI","UserType":"Local"}}}"#;
    let read = session(member.as_bytes(), PATH, &SessionId::read("bob57a6a93cd0e56041")).expect("a session");
    assert_eq!((read.kind, read.user_type), (Kind::Web, UserType::Local));
    assert_eq!(read.login, Timestamp::parse_rfc3339("2016-08-07T03:21:32Z"));
}

#[test]
fn without_an_oem_block_all_is_unknown() {
    for oem in [
        "",
        r#","Oem":{}"#,
        r#","Oem":null"#,
        r#","Oem":[]"#,
        r#","Oem":{"Hpe":7}"#,
        r#","Oem":{"Acme":{"UserTag":"REST"}}"#,
    ] {
        let body = format!(r#"{{"Id":"0123456789abcdef0123456789abcdef","UserName":"bob"{oem}}}"#);
        let asked = SessionId::read("0123456789abcdef0123456789abcdef");
        let read = session(body.as_bytes(), PATH, &asked).expect("a session");
        assert_eq!(read.owner, Some(Owner::new("bob")));
        assert_eq!((read.origin, read.login, read.access, read.mine), (None, None, None, Mine::Untold), "{oem}");
        assert_eq!((read.kind, read.user_type), (Kind::Unknown, UserType::Unknown), "{oem}");
    }
}

#[test]
fn what_the_maker_tells_counts_before_the_standard() {
    let standard =
        r#""SessionType":"WebUI","CreatedTime":"2001-01-01T00:00:00Z","ClientOriginIPAddress":"192.0.2.1","Id""#;
    let both = member_with("\"Id\"", standard);
    assert_eq!(both, member_with("bob", "bob"));
}

#[test]
fn a_field_of_another_type_is_unknown() {
    let whole = member_with("bob", "bob");
    assert!(whole.owner.is_some() && whole.origin.is_some() && whole.login.is_some() && whole.access.is_some());
    for wrong in ["null", "7", "true", "[]", "{}", r#""""#, r#"["REST"]"#, r#"{"Local":1}"#] {
        assert_eq!(member_with(r#""bob""#, wrong).owner, None, "{wrong}");
        assert_eq!(member_with(r#""192.0.2.7""#, wrong).origin, None, "{wrong}");
        assert_eq!(member_with(r#""REST""#, wrong).kind, Kind::Unknown, "{wrong}");
        assert_eq!(member_with(r#""Local""#, wrong).user_type, UserType::Unknown, "{wrong}");
        assert_eq!(member_with(r#""2025-06-23T20:07:13Z""#, wrong).login, None, "{wrong}");
        assert_eq!(member_with(r#""2025-06-23T20:08:14Z""#, wrong).access, None, "{wrong}");
    }
    for time in
        ["2025-06-23T20:07:13", "2025-06-23", "1750709233", "Mon, 23 Jun 2025 20:07:13 GMT", "2025-06-31T00:00:00Z"]
    {
        assert_eq!(member_with("2025-06-23T20:07:13Z", time).login, None, "{time}");
    }
}

#[test]
fn my_session_proves_by_yes_and_spares_unless_it_says_no() {
    let told = |word| member_with(r#""MySession":false"#, &format!(r#""MySession":{word}"#)).mine;
    assert_eq!(["false", "null", "true"].map(told), [Mine::No, Mine::Untold, Mine::Yes]);
    assert_eq!([r#""true""#, r#""false""#, "1", "{}"].map(told), [Mine::Odd; 4]);
    assert!(Mine::Odd.may_be() && Mine::Yes.may_be() && !Mine::No.may_be() && !Mine::Untold.may_be());
}

#[test]
fn an_address_is_one_whichever_way_it_is_written() {
    for (written, expected) in [
        ("::ffff:192.0.2.7", Some("192.0.2.7")),
        ("::FFFF:C000:0207", Some("192.0.2.7")),
        ("fe80::1%eth0", Some("fe80::1")),
        ("[2001:DB8:0::1]", Some("2001:db8::1")),
        ("::ffff:127.0.0.1", Some("127.0.0.1")),
        // The unspecified address is nobody's: it tells no origin.
        ("0.0.0.0", None),
        ("::", None),
        ("::ffff:0.0.0.0", None),
        ("192.0.2.7:443", None),
        ("192.0.2.007", None),
        (" 192.0.2.7", None),
        ("host.example.net", None),
        ("Local", None),
    ] {
        let expected = expected.map(|text| text.parse().expect("an address"));
        assert_eq!(member_with("192.0.2.7", written).origin, expected, "{written}");
    }
}

#[test]
fn a_name_too_long_to_be_kept_whole_is_unknown() {
    let longest = "a".repeat(FOREIGN_TEXT_MAX);
    assert_eq!(member_with("bob", &longest).owner, Some(Owner::new(&longest)));
    assert_eq!(member_with("bob", &format!("{longest}b")).owner, None);
    assert_eq!(member_with("bob", &"\\u202e".repeat(40)).owner, None, "cleaned it is longer");
}

#[test]
fn what_is_no_collection_is_an_error() {
    let deep = format!(r#"{{"Members":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    for body in [
        "",
        "null",
        "[]",
        "7",
        "{}",
        r#"{"Members":null}"#,
        r#"{"Members":{}}"#,
        r#"{"Members":7}"#,
        "<html>Login</html>",
        r#"{"error":{"code":"iLO.0.10.ExtendedInfo"}}"#,
        r#"{"Members":[]"#,
        r#"{"Members":[]}x"#,
        r#"{"Members":[NaN]}"#,
        r#"{"Members":[],"Members":[]}"#,
        "\u{feff}{\"Members\":[]}",
        &deep,
    ] {
        assert!(collection(body.as_bytes(), PATH).is_err(), "{body:.60}");
    }
    let utf_16: Vec<u8> = r#"{"Members":[]}"#.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(collection(&utf_16, PATH).is_err());
    assert!(collection(b"{\"Members\":[{\"Id\":\"\xff\"}]}", PATH).is_err(), "not UTF-8");
}

#[test]
fn an_object_that_names_a_key_twice_is_an_error() {
    for (key, twice) in [
        ("owner", r#"{"Id":"a","UserName":"bob","UserName":"svc"}"#),
        ("id", r#"{"Id":"a","Id":"a"}"#),
        ("facts", r#"{"Id":"a","Oem":{"Hpe":{"UserTag":"SSH"},"Hpe":{"UserTag":"REST"}}}"#),
        ("tag", r#"{"Id":"a","Oem":{"Hpe":{"UserTag":"SSH","UserTag":"REST"}}}"#),
        ("in a list", r#"{"Id":"a","Other":[{"x":1,"x":2}]}"#),
    ] {
        assert!(collection(listing(&[twice.to_owned()]).as_bytes(), PATH).is_err(), "{key}");
        assert!(session(twice.as_bytes(), PATH, &SessionId::read("a")).is_err(), "{key}");
    }
}

#[test]
fn an_error_repeats_little_of_what_an_ilo_said_and_that_harmlessly() {
    let long = "x\u{1b}]0;\u{202e}".repeat(100_000);
    let quoted = serde_json::to_string(&long).expect("JSON");
    for body in
        [format!(r#"{{"Members":{quoted}}}"#), quoted.clone(), listing(&[format!(r#"{{"Id":{quoted},"Id":7}}"#)])]
    {
        let why = collection(body.as_bytes(), PATH).expect_err("no collection");
        assert!(why.len() <= 300 && !why.contains(['\u{1b}', '\u{202e}', '\n']), "{}", why.len());
        let why = session(body.as_bytes(), PATH, &SessionId::read("a")).expect_err("no session");
        assert!(why.len() <= 300 && !why.contains(['\u{1b}', '\u{202e}', '\n']), "{}", why.len());
    }
    let elsewhere =
        listing(&[format!(r#"{{"@odata.id":{quoted}}}"#), format!(r#"{{"@odata.id":"/a/b","Id":{quoted}}}"#)]);
    let why = sessions(&elsewhere);
    assert!(why_cut(&why).is_some_and(|why| why.len() <= 320 && !why.contains(['\u{1b}', '\u{202e}'])), "{why:?}");
}

#[test]
fn a_collection_that_is_not_whole_is_cut() {
    for (name, from, to, cut) in [
        ("as it is", "\"Name\":\"Sessions\"", "\"Name\":\"Sessions\"", false),
        ("no count", ",\n \"Members@odata.count\":3", "", false),
        ("a count of null", "count\":3", "count\":null", false),
        ("one less told", "count\":3", "count\":2", true),
        ("one more told", "count\":3", "count\":4", true),
        ("a negative count", "count\":3", "count\":-3", true),
        ("a count in words", "count\":3", "count\":\"3\"", true),
        ("half a member", "count\":3", "count\":3.5", true),
        (
            "pages",
            "count\":3",
            "count\":3,\"Members@odata.nextLink\":\"/redfish/v1/SessionService/Sessions?$skip=3\"",
            true,
        ),
        ("pages, old style", "count\":3", "count\":3,\"@odata.nextLink\":\"?$skip=3\"", true),
        ("pages elsewhere", "count\":3", "count\":3,\"Members@odata.nextLink\":{\"@odata.id\":\"//evil\"}", true),
        ("no next page", "count\":3", "count\":3,\"Members@odata.nextLink\":null", false),
    ] {
        assert!(EXPANDED.contains(from), "{name}");
        let read = sessions(&EXPANDED.replacen(from, to, 1));
        assert_eq!(read.extent != Extent::Whole, cut, "{name}: {:?}", read.extent);
        assert_eq!(read.members.len(), 3, "{name}");
    }
}

#[test]
fn ten_thousand_members_are_cut() {
    let members =
        |count: usize| -> Vec<String> { (0..count).map(|number| format!(r#"{{"Id":"s{number}"}}"#)).collect() };
    assert_eq!(why_cut(&sessions(&listing(&members(MEMBERS_MAX)))), None);
    for count in [MEMBERS_MAX + 1, 10_000] {
        let read = sessions(&listing(&members(count)));
        assert_eq!(read.members.len(), MEMBERS_MAX);
        assert_eq!(why_cut(&read), Some("more than 512 members"));
    }
}

#[test]
fn members_that_contradict_each_other_cut_it() {
    let link = |id: &str| format!(r#"{{"@odata.id":"{PATH}/{id}"}}"#);
    for (name, odd) in [
        ("the same again", link("a")),
        ("the same, whole", format!(r#"{{"@odata.id":"{PATH}/a/","Id":"a","UserName":"bob"}}"#)),
        ("the same by its id", String::from(r#"{"Id":"a","UserName":"bob"}"#)),
        ("two ids", format!(r#"{{"@odata.id":"{PATH}/c","Id":"a"}}"#)),
        ("another collection", String::from(r#"{"@odata.id":"/redfish/v1/Systems/1"}"#)),
        ("an account", String::from(r#"{"@odata.id":"/redfish/v1/AccountService/Accounts/1","Id":"1"}"#)),
        ("the collection itself", format!(r#"{{"@odata.id":"{PATH}"}}"#)),
        ("below a session", format!(r#"{{"@odata.id":"{PATH}/a/b"}}"#)),
        ("no id", String::from(r#"{"UserName":"bob"}"#)),
        ("nothing", String::from("{}")),
        ("a link of another type", String::from(r#"{"@odata.id":7,"Id":"c"}"#)),
        ("an id of another type", format!(r#"{{"@odata.id":"{PATH}/c","Id":7}}"#)),
    ] {
        let read = sessions(&listing(&[link("a"), odd, link("b")]));
        let ids: Vec<_> = read.members.iter().map(|member| member.id().to_string()).collect();
        assert_eq!(ids, ["a", "b"], "{name}: each once, and nothing else");
        assert!(why_cut(&read).is_some(), "{name}");
    }
    assert_eq!(why_cut(&sessions(&listing(&[link("a"), link("b")]))), None);
}

#[test]
fn the_answer_about_one_session_must_be_about_that_one() {
    let asked = SessionId::read("a");
    for (good, body) in [
        (true, r#"{"Id":"a"}"#),
        (true, r#"{"@odata.id":"/redfish/v1/SessionService/Sessions/a/","Id":"a"}"#),
        (false, r#"{"Id":"b"}"#),
        (false, r#"{"Id":"A"}"#),
        (false, r#"{"@odata.id":"/redfish/v1/SessionService/Sessions/b","Id":"a"}"#),
        (false, r#"{"@odata.id":"/redfish/v1/Systems/a","Id":"a"}"#),
        (false, r#"{"UserName":"bob"}"#),
        (false, "[]"),
        (false, ""),
        (false, r#"{"error":{"@Message.ExtendedInfo":[{"MessageId":"Base.1.4.ResourceMissingAtURI"}]}}"#),
    ] {
        assert_eq!(session(body.as_bytes(), PATH, &asked).is_ok(), good, "{body}");
    }
}

/// Any session that an iLO can have, all of it told, and how an iLO 5 writes it.
fn a_session() -> impl Strategy<Value = (Session, String)> {
    let who = ("[a-zA-Z0-9_.-]{1,40}", "[ -~äß漢]{1,40}", any::<bool>());
    let address = prop_oneof![
        (1..255u8, any::<[u8; 3]>()).prop_map(|(first, [a, b, c])| IpAddr::from([first, a, b, c])),
        (1..255u8, any::<[u8; 15]>()).prop_map(|(first, rest)| {
            let mut octets = [first; 16];
            octets[1..].copy_from_slice(&rest);
            IpAddr::from(octets)
        }),
    ];
    let tag = select(vec!["REST", "Web UI", "SSH", "Remote Console", "IPMI/RMCP", "RESTHost", "WSMgmt", ""]);
    let user_type = select(vec!["Local", "Directory", "Single Sign On", "System", ""]);
    // From the year 1 to 9999.
    let time = || (-62_000_000_000..253_000_000_000i64).prop_map(Timestamp::from_unix_s);
    (who, address, tag, user_type, time(), time()).prop_map(|(who, origin, tag, user_type, login, access)| {
        let (id, owner, mine) = who;
        let oem = json!({ "AccessTime": access.to_string(), "LoginTime": login.to_string(), "MySession": mine,
            "UserIP": origin.to_string(), "UserTag": tag, "UserType": user_type });
        let member = json!({ "@odata.id": format!("{PATH}/{id}"), "Id": id, "UserName": owner, "Oem": { "Hpe": oem } });
        let session = Session {
            id: SessionId::read(&id),
            owner: Some(Owner::new(&owner)),
            origin: Some(origin),
            kind: Kind::read(tag),
            user_type: UserType::read(user_type),
            login: Some(login),
            access: Some(access),
            mine: if mine { Mine::Yes } else { Mine::No },
        };
        (session, member.to_string())
    })
}

#[test]
fn any_table_reads_as_the_ilo_wrote_it() {
    holds(150, &vec(a_session(), 0..12), |mut table| {
        let mut known = BTreeSet::new();
        table.retain(|(session, _)| known.insert(session.id.clone()));
        let written: Vec<String> = table.iter().map(|(_, member)| member.clone()).collect();
        let read = sessions(&listing(&written));
        let members: Vec<Member> = table.iter().map(|(session, _)| Member::Whole(Box::new(session.clone()))).collect();
        prop_assert_eq!(read, Collection { members, extent: Extent::Whole });
        for (expected, member) in &table {
            prop_assert_eq!(&session(member.as_bytes(), PATH, &expected.id), &Ok(expected.clone()));
        }
        Ok(table.len() > 1)
    });
}

/// The `Date` of an answer and the times in its body are of one clock.
#[test]
fn a_second_reads_the_same_in_a_header_and_in_a_body() {
    // From 1900 to 9999, as HTTP dates go.
    holds(200, &(-2_208_988_800..253_000_000_000i64), |unix_s| {
        let time = Timestamp::from_unix_s(unix_s);
        let date =
            jiff::Timestamp::from_second(unix_s).map(|time| time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string());
        prop_assert_eq!(Timestamp::parse_http_date(&date.unwrap_or_default()), Some(time));
        prop_assert_eq!(Timestamp::parse_rfc3339(&time.to_string()), Some(time));
        Ok(true)
    });
}
