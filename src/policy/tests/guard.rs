//! The built-in protections and `protect`, each against the boldest rule that can be written.

use super::*;

/// The boldest rule, on top of one plain session that must go: a story that spares everybody proves nothing.
#[track_caller]
fn stays(session: On, why: &str) {
    let id = session.0.id.to_string();
    let story = given([on("plain"), session]).reap(rule("everything", everything()));
    story.went_and_stayed(&["plain"], &[&id]);
    assert_eq!(story.why(&id), why, "{id}");
}

#[track_caller]
fn goes(session: On) {
    let id = session.0.id.to_string();
    let story = given([session]).reap(rule("everything", everything()));
    assert_eq!(story.went(), [id], "{}", story.why(&story.seen.sessions[0].id.to_string()));
}

#[test]
fn our_own_stay_by_each_of_three_signs() {
    for name in ["svc-ilo-reaper", "SVC-iLO-Reaper"] {
        stays(on("account").owner(name), "our own account");
    }
    stays(on(HELD), "our own account");
    stays(on("mine").with(|session| session.mine = Mine::Yes), "our own account");
    stays(on(HELD).with(|session| session.owner = None), "our own account");
    goes(on("held2"));
    goes(on("other").owner("svc-ilo-reaper2"));
}

#[test]
fn every_name_of_our_account_is_ours() {
    let story = given([on("a").owner("LAB\\svc-ilo-reaper"), on("b")])
        .with(|seen| seen.own.accounts.push(Owner::new("lab\\svc-ilo-reaper")))
        .reap(rule("everything", everything()));
    story.went_and_stayed(&["b"], &["a"]);
}

#[test]
fn what_the_ilo_does_not_tell_stays() {
    stays(on("nobody").with(|session| session.owner = None), "owner unknown");
    stays(on("nowhere").with(|session| session.origin = None), "origin unknown");
    stays(on("timeless").with(|session| session.access = None), "last access unknown");
    stays(on("untagged").kind(""), "kind unknown");
    for tag in ["WSMgmt", "Telnet", "rest", "REST ", "Federation"] {
        stays(on("odd").kind(tag), "kind unknown");
    }
}

#[test]
fn user_types_beside_local_and_directory_stay_whatever_a_rule_says() {
    for user_type in SPARED_USER_TYPES {
        let shown = if user_type.is_empty() { "unknown" } else { user_type };
        stays(on("a").user_type(user_type), &format!("user type {shown} is never touched"));
    }
}

#[test]
fn accounts_of_managers_stay() {
    for name in ["_HPOneViewAdmin", "_hponeviewadmin", "AMS", "iLORest", "iSUT", "SUT", "SUM"] {
        stays(on("manager").owner(name), "account of a manager");
    }
    goes(on("a").owner("sum2"));
}

#[test]
fn an_id_that_is_no_plain_text_stays() {
    for id in ["", ".", "..", "a/b", "a b", "a%2e", "a\u{202e}b", "ä", &"a".repeat(129)] {
        let odd = on(id);
        let story = given([on("plain"), odd]).reap(rule("everything", everything()));
        assert_eq!(story.went(), ["plain"], "{id:?}");
        assert_eq!(story.plan().judged[1].verdict.to_string(), "its id is not plain text", "{id:?}");
    }
    goes(on(&"a".repeat(128)));
}

#[test]
fn of_a_cut_observation_everybody_stays() {
    let story = given([on("a"), on("b")]).reap(rule("everything", everything()));
    story.went_and_stayed(&["a", "b"], &[]);
    let story = story.with(|seen| seen.extent = Extent::Cut(String::from("pages")));
    story.went_and_stayed(&[], &["a", "b"]);
    assert_eq!(story.why("a"), "not all was seen: pages");
    assert_eq!(story.plan().held_back, [], "nor is anybody said to be held back");
}

#[test]
fn kinds_go_only_when_a_rule_names_them() {
    for (name, kind) in Kind::NAMES {
        let tagged = |id: &str| on(id).with(|session| session.kind = kind.clone());
        let others = Kind::NAMES.into_iter().map(|(_, kind)| kind).filter(|other| *other != kind).collect();
        let story = given([tagged(name)]);
        story.clone().reap(rule("others", Conditions { kinds: others, ..tokens() })).went_and_stayed(&[], &[name]);
        story.clone().reap(rule("none", Conditions { kinds: Vec::new(), ..tokens() })).went_and_stayed(&[], &[name]);
        story.reap(rule("it", Conditions { kinds: vec![kind.clone()], ..tokens() })).went_and_stayed(&[name], &[]);
    }
}

#[test]
fn directory_users_go_only_when_a_rule_names_them() {
    let story = given([on("local"), on("directory").user_type("Directory")]);
    story.clone().reap(rule("tokens", tokens())).went_and_stayed(&["local"], &["directory"]);
    let directory = Conditions { user_types: vec![UserType::Directory], ..tokens() };
    story.clone().reap(rule("directory", directory)).went_and_stayed(&["directory"], &["local"]);
    let nobody = Conditions { user_types: Vec::new(), ..tokens() };
    story.reap(rule("nobody", nobody)).went_and_stayed(&[], &["local", "directory"]);
}

/// Addresses inside the server, and a network that names each.
const INSIDE: [(&str, &str); 9] = [
    ("16.1.15.1", "16.1.15.0/24"),
    ("16.1.15.2", "16.1.15.2/32"),
    ("16.1.15.255", "16.1.15.0/24"),
    ("127.0.0.1", "127.0.0.1/32"),
    ("127.255.0.9", "127.0.0.0/8"),
    ("::1", "::1/128"),
    ("::ffff:127.0.0.1", "127.0.0.0/8"),
    ("::ffff:16.1.15.2", "16.1.15.0/30"),
    ("127.0.0.1", "::ffff:127.0.0.1/128"),
];

#[test]
fn addresses_inside_the_server_go_only_when_a_rule_names_them() {
    for (address, named) in INSIDE {
        let story = given([on("plain"), on("inside").from(address)]);
        let from = |written: &[&str]| rule("from", Conditions { origin: nets(written), ..everything() });
        story.clone().reap(rule("all", everything())).went_and_stayed(&["plain"], &["inside"]);
        for wide in
            [["0.0.0.0/0", "::/0"], ["0.0.0.0/1", "192.0.2.0/24"], ["16.0.0.0/8", "::/1"], ["126.0.0.0/7", "::/127"]]
        {
            let story = story.clone().reap(from(&wide));
            assert!(!story.went().contains(&String::from("inside")), "{address} by {wide:?}");
        }
        assert_eq!(story.clone().reap(from(&[named])).went(), ["inside"], "{address} by {named}");
        assert_eq!(
            story.reap(from(&["0.0.0.0/0", named])).went(),
            ["inside", "plain"],
            "{address} by 0.0.0.0/0 and {named}"
        );
    }
    for outside in ["16.1.14.255", "16.1.16.0", "126.255.255.255", "128.0.0.0", "::2", "::ffff:192.0.2.1"] {
        goes(on("outside").from(outside));
    }
}

#[test]
fn protect_beats_reap() {
    for (name, covers) in [
        ("owner", Conditions { owner: globs(&["nobody", "SVC-b*"]), ..Conditions::default() }),
        ("origin", Conditions { origin: nets(&["198.51.100.0/24", "192.0.2.8/30"]), ..Conditions::default() }),
        ("mapped", Conditions { origin: nets(&["::ffff:192.0.2.10/128"]), ..Conditions::default() }),
        ("kind", Conditions { kinds: vec![Kind::Web, Kind::Rest], ..Conditions::default() }),
        ("user type", Conditions { user_types: vec![UserType::Local], ..Conditions::default() }),
        ("age", Conditions { age: Some(seconds(7200)), ..Conditions::default() }),
        ("idle", Conditions { idle: Some(seconds(3600)), ..Conditions::default() }),
        ("all", Conditions { owner: globs(&["svc-backup"]), idle: Some(seconds(1)), ..tokens() }),
        ("everybody", Conditions::default()),
    ] {
        let story = given([on("a")]).reap(rule("everything", everything()));
        story.went_and_stayed(&["a"], &[]);
        let story = story.protect(protection("other", never())).protect(protection(name, covers));
        story.went_and_stayed(&[], &["a"]);
        assert_eq!(story.why("a"), format!("protected by {name}"));
    }
}

fn never() -> Conditions {
    Conditions { owner: globs(&["somebody-else"]), ..Conditions::default() }
}

#[test]
fn protect_covers_no_more_than_it_says() {
    for (name, misses) in [
        ("owner", Conditions { owner: globs(&["backup", "svc-", "svc-backup?"]), ..Conditions::default() }),
        ("no owner", Conditions { owner: globs(&[]), ..Conditions::default() }),
        ("origin", Conditions { origin: nets(&["192.0.2.11/32", "192.0.2.0/29"]), ..Conditions::default() }),
        ("kind", Conditions { kinds: vec![Kind::Web], ..Conditions::default() }),
        ("user type", Conditions { user_types: vec![UserType::Directory], ..Conditions::default() }),
        ("age", Conditions { age: Some(seconds(7201)), ..Conditions::default() }),
        ("idle", Conditions { idle: Some(seconds(3601)), ..Conditions::default() }),
        ("one of two", Conditions { owner: globs(&["svc-backup"]), origin: nets(&["192.0.2.11/32"]), ..tokens() }),
    ] {
        let story = given([on("a")]).reap(rule("everything", everything())).protect(protection(name, misses));
        assert_eq!(story.went(), ["a"], "{name}");
    }
}

#[test]
fn a_protection_spares_where_the_ilo_does_not_tell_what_it_asks() {
    let unsure = on("a").kind("SSH");
    for asked in [
        Conditions { idle: Some(seconds(1_000_000)), ..Conditions::default() },
        Conditions { idle: Some(seconds(1_000_000)), kinds: vec![Kind::Ssh], ..Conditions::default() },
    ] {
        let story = given([unsure.clone()]).reap(rule("everything", everything()));
        story.went_and_stayed(&["a"], &[]);
        story.protect(protection("old", asked)).went_and_stayed(&[], &["a"]);
    }
    let asked = Conditions { age: Some(seconds(1_000_000)), ..Conditions::default() };
    let story = given([on("a")]).reap(rule("everything", everything())).protect(protection("old", asked));
    story.went_and_stayed(&["a"], &[]);
    story
        .clone()
        .with(|seen| seen.clock = Clock::Contradictory(String::from("it jumped")))
        .went_and_stayed(&[], &["a"]);
    story.with(|seen| seen.sessions[0].login = None).went_and_stayed(&[], &["a"]);
}

#[test]
fn a_protection_ends_at_its_second_of_the_hosts_clock() {
    let story = given([on("a")]).reap(rule("everything", everything()));
    for (ends_in_s, stays) in [(3600, true), (1, true), (0, false), (-1, false), (-3600, false)] {
        let until = Some(before(HOST_NOW, -ends_in_s));
        let story = story.clone().protect(Protection { until, ..protection("change", Conditions::default()) });
        assert_eq!(story.went().is_empty(), stays, "ends in {ends_in_s} s");
    }
}

#[test]
fn an_earlier_sign_names_the_reason() {
    let session = on("a").owner(OUR_ACCOUNT).with(|session| session.origin = None);
    let story = given([session]).protect(protection("everybody", Conditions::default()));
    assert_eq!(story.why("a"), "our own account");
}
