//! Each condition on both sides of its threshold, and which rule decides.

use super::*;
use crate::settings::Room;

/// Checks a rule of one condition against one session.
#[track_caller]
fn decides(conditions: Conditions, session: On, goes: bool) {
    let id = session.0.id.to_string();
    let story = given([session]).reap(rule("asked", conditions));
    assert_eq!(!story.went().is_empty(), goes, "{}", story.why(&id));
}

#[test]
fn idle_and_age_count_to_the_second() {
    for (since_s, goes) in [(599, false), (600, true), (601, true), (0, false), (-1, false)] {
        decides(idle(600), on("a").login(7200).used(since_s), goes);
        let age = Conditions { age: Some(seconds(600)), ..tokens() };
        decides(age, on("a").login(since_s).used(0), goes);
    }
    decides(idle(0), on("a").used(0), true);
}

#[test]
fn a_time_that_is_missing_or_contradictory_matches_no_rule_that_asks() {
    let asked = [("idle", idle(1)), ("superseded", superseded()), ("never used", never_used())];
    let age = Conditions { age: Some(seconds(1)), ..tokens() };
    let without = |change: fn(&mut Session)| on("a").never_used(3600).with(change);
    for (name, conditions) in asked.into_iter().chain([("age", age)]) {
        let newer = || on("newer").login(60).used(0);
        let story = |session| given([session, newer()]).reap(rule(name, conditions.clone()));
        let went = |session| story(session).went().contains(&String::from("a"));
        assert!(went(on("a").never_used(3600)), "{name}: it goes when all is known");
        assert_eq!(went(without(|session| session.login = None)), name == "idle", "{name}, no login");
        assert!(!went(without(|session| session.access = None)), "{name}, no access");
        assert!(!went(on("a").never_used(-3600)), "{name}, both in the future");
        assert!(!went(on("a").login(60).used(3600)), "{name}, used before it logged in");
        assert!(!went(on("a").login(-60).used(3600)), "{name}, logged in in the future");
        assert!(!went(on("a").login(3600).used(-60)), "{name}, used in the future");
        let contradictory = story(on("a").never_used(3600));
        let contradictory = contradictory.with(|seen| seen.clock = Clock::Contradictory(String::from("it jumped")));
        contradictory.went_and_stayed(&[], &["a", "newer"]);
        assert!(contradictory.plan().judged.iter().all(|judged| judged.age.is_none() && judged.idle.is_none()));
    }
}

#[test]
fn a_rule_that_asks_no_time_needs_no_clock() {
    let story = given([on("a")]).with(|seen| seen.clock = Clock::Contradictory(String::from("it jumped")));
    story.reap(rule("tokens", tokens())).went_and_stayed(&["a"], &[]);
}

#[test]
fn ssh_and_console_access_times_prove_nothing() {
    for (tag, kind, goes) in [
        ("SSH", Kind::Ssh, false),
        ("Remote Console", Kind::Console, false),
        ("Web UI", Kind::Web, true),
        ("IPMI/RMCP", Kind::Ipmi, true),
        ("RESTHost", Kind::Host, true),
    ] {
        for asked in [idle(600), superseded(), never_used()] {
            let session = |id: &str| on(id).kind(tag);
            let asked = Conditions { kinds: vec![kind.clone()], ..asked };
            let story = given([session("a").never_used(7200), session("newer").login(10).used(0)]);
            assert_eq!(story.reap(rule("asked", asked)).went() == ["a"], goes, "{tag}");
        }
        let age = Conditions { kinds: vec![kind], age: Some(seconds(7200)), ..tokens() };
        decides(age, on("a").kind(tag).never_used(7200), true);
    }
}

#[test]
fn superseded_if_and_only_if_a_newer_one_took_its_place() {
    let old = || on("old").login(7200).used(3600);
    let newer = |logged_in_s: i64| on("newer").login(logged_in_s).used(0);
    for (name, other, goes) in [
        ("a second after its last use", newer(3599), true),
        ("in the second of its last use", newer(3600), false),
        ("before its last use", newer(3601), false),
        ("now", newer(0), true),
        ("in the future", newer(-1), false),
        ("another owner", newer(60).owner("svc-other"), false),
        ("the same owner, other case", newer(60).owner("SVC-Backup"), true),
        ("another origin", newer(60).from("192.0.2.11"), false),
        ("another kind", newer(60).kind("Web UI"), false),
        ("owner unknown", newer(60).with(|newer| newer.owner = None), false),
        ("origin unknown", newer(60).with(|newer| newer.origin = None), false),
        ("login unknown", newer(60).with(|newer| newer.login = None), false),
        ("access unknown", newer(60).with(|newer| newer.access = None), true),
        ("ours by its own word", newer(60).with(|newer| newer.mine = Mine::Yes), false),
        ("ours by its id", newer(60).with(|newer| newer.id = SessionId::read(HELD)), false),
    ] {
        let story = given([old(), other]).reap(rule("superseded", superseded()));
        assert_eq!(story.went().contains(&String::from("old")), goes, "{name}");
    }
    given([old()]).reap(rule("superseded", superseded())).went_and_stayed(&[], &["old"]);
}

#[test]
fn two_of_one_second_do_not_supersede_each_other() {
    let twin = |id: &str| on(id).never_used(3600);
    given([twin("a"), twin("b")]).reap(rule("superseded", superseded())).went_and_stayed(&[], &["a", "b"]);
    let story = given([twin("a"), on("b").never_used(3599)]).reap(rule("superseded", superseded()));
    story.went_and_stayed(&["a"], &["b"]);
    assert_eq!(story.why("a"), "superseded (superseded by b)");
}

#[test]
fn of_a_chain_only_the_latest_and_the_used_stay() {
    let story = given([
        on("first").never_used(3600),
        on("used").login(3000).used(5),
        on("third").never_used(2000),
        on("last").login(1000).used(900),
    ]);
    story.reap(rule("superseded", superseded())).went_and_stayed(&["first", "third"], &["used", "last"]);
}

#[test]
fn never_used_means_access_in_the_second_of_login() {
    for (login_s, used_s, goes) in [(900, 900, true), (900, 899, false), (900, 0, false), (0, 0, true)] {
        decides(never_used(), on("a").login(login_s).used(used_s), goes);
    }
}

#[test]
fn owner_and_origin_conditions() {
    for (patterns, goes) in [
        (&["svc-backup"][..], true),
        (&["SVC-*"], true),
        (&["nobody", "*backup"], true),
        (&["svc-backu?"], true),
        (&["svc-backup?"], false),
        (&["backup"], false),
        (&[""], false),
        (&[], false),
    ] {
        decides(Conditions { owner: globs(patterns), ..tokens() }, on("a").owner("Svc-Backup"), goes);
    }
    for (written, goes) in [
        (&["192.0.2.10/32"][..], true),
        (&["198.51.100.0/24", "192.0.2.8/29"], true),
        (&["192.0.2.0/29"], false),
        (&["::/0"], false),
        (&["::ffff:192.0.2.8/125"], true),
        (&[], false),
    ] {
        decides(Conditions { origin: nets(written), ..tokens() }, on("a"), goes);
    }
    let v6 = Conditions { origin: nets(&["2001:db8::/64"]), ..tokens() };
    decides(v6.clone(), on("a").from("2001:db8::7"), true);
    decides(v6, on("a").from("2001:db8:0:1::7"), false);
}

#[test]
fn all_conditions_must_hold_and_are_told() {
    let asked = Conditions {
        owner: globs(&["svc-*"]),
        origin: nets(&["192.0.2.0/24"]),
        age: Some(seconds(7200)),
        idle: Some(seconds(600)),
        superseded: true,
        when: Some(Pressure::Near),
        ..tokens()
    };
    let story = given([on("old"), on("new").login(5).used(1)]).limit(5).reap(rule("all", asked));
    story.went_and_stayed(&["old"], &["new"]);
    assert_eq!(
        story.why("old"),
        "all (owner fits svc-*, origin in 192.0.2.0/24, superseded by new, idle 3600 s >= 600 s, \
         age 7200 s >= 7200 s, near >= near with 2 of 5 used)"
    );
    let misses: [fn(&mut Conditions); 6] = [
        |asked| asked.owner = globs(&["x"]),
        |asked| asked.origin = nets(&["198.51.100.0/24"]),
        |asked| asked.age = Some(seconds(7201)),
        |asked| asked.idle = Some(seconds(3601)),
        |asked| asked.never_used = true,
        |asked| asked.when = Some(Pressure::Critical),
    ];
    for (number, miss) in misses.into_iter().enumerate() {
        let mut story = story.clone();
        miss(&mut story.policy.reap[0].conditions);
        assert_eq!(story.went(), [""; 0], "condition {number}");
    }
}

#[test]
fn the_first_rule_that_matches_decides() {
    let story =
        given([on("a").used(3000), on("b").used(300)]).reap(rule("slow", idle(3000))).reap(rule("fast", idle(300)));
    story.went_and_stayed(&["a", "b"], &[]);
    assert_eq!(story.why("a"), "slow (idle 3000 s >= 3000 s)");
    assert_eq!(story.why("b"), "fast (idle 300 s >= 300 s)");
    given([on("a")]).went_and_stayed(&[], &["a"]);
    assert_eq!(given([on("a")]).reap(rule("slow", idle(9999))).why("a"), "no rule matches");
}

#[test]
fn what_keep_latest_spares_falls_through_to_no_later_rule() {
    let kept = Rule { keep_latest: Some(1), ..rule("kept", idle(300)) };
    let story = given([on("a").used(900), on("b").used(600)]).reap(kept).reap(rule("all", tokens()));
    story.went_and_stayed(&["a"], &["b"]);
    assert_eq!(story.why("b"), "among the latest that kept keeps");
}

#[test]
fn what_down_to_spares_falls_through_to_no_later_rule() {
    let story = given([on("a").used(900), on("b").used(600)])
        .limit(4)
        .reap(Rule { down_to: Some(Room::Free(3)), ..rule("room", idle(300)) })
        .reap(rule("all", tokens()));
    story.went_and_stayed(&["a"], &["b"]);
    assert_eq!(story.why("b"), "room has room enough");
}

#[test]
fn when_is_armed_only_by_a_configured_limit() {
    let story = given((0..8).map(|number| on(&format!("s{number}"))));
    for pressure in [Pressure::Calm, Pressure::Near, Pressure::Critical, Pressure::Full] {
        let story = story.clone().reap(rule("when", when(pressure)));
        assert_eq!(story.went().len(), 0, "{pressure}: no limit");
        for (places, level) in [
            (12, Pressure::Calm),
            (11, Pressure::Near),
            (10, Pressure::Near),
            (9, Pressure::Critical),
            (8, Pressure::Full),
            (7, Pressure::Full),
        ] {
            let goes = level >= pressure;
            assert_eq!(story.clone().limit(places).went().len(), if goes { 8 } else { 0 }, "{pressure} of {places}");
        }
    }
}

#[test]
fn only_kinds_that_share_the_table_fill_it() {
    let story =
        given([on("a"), on("b").kind("Web UI"), on("c").kind("SSH"), on("d").kind("WSMgmt"), on(HELD)]).limit(4);
    assert_eq!(story.plan().table, Table { used: 3, limit: Some(4), level: Some(Pressure::Critical) });
    assert_eq!(story.plan().table.free(), Some(1));
    let story = given([on("a"), on("b")]).limit(1);
    assert_eq!((story.plan().table.free(), story.plan().table.level), (Some(0), Some(Pressure::Full)));
    assert_eq!(given([on("a")]).plan().table, Table { used: 1, limit: None, level: None });
}
