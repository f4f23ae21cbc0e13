//! How many go: `keep_latest`, `down_to`, the caps, and the order in which the longest idle go first.

use super::super::Cap;
use super::*;
use crate::settings::Room;

fn keeping(latest: usize, conditions: Conditions) -> Rule {
    Rule { keep_latest: Some(latest), ..rule("keeping", conditions) }
}

fn room(room: Room, conditions: Conditions) -> Rule {
    Rule { down_to: Some(room), ..rule("room", conditions) }
}

/// `s1` was used one minute ago, `s2` two, and so on.
fn row(count: i64) -> Vec<On> {
    (1..=count).map(|number| on(&format!("s{number}")).used(60 * number)).collect()
}

#[test]
fn keep_latest_counts_all_of_a_client_matching_or_not() {
    // s1 and s2 do not match, and are two of the three that stay.
    given(row(5)).reap(keeping(3, idle(180))).went_and_stayed(&["s5", "s4"], &["s1", "s2", "s3"]);
    given(row(5)).reap(keeping(5, idle(180))).went_and_stayed(&[], &["s1", "s2", "s3", "s4", "s5"]);
    given(row(2)).reap(keeping(0, idle(60))).went_and_stayed(&["s2", "s1"], &[]);
}

#[test]
fn keep_latest_counts_each_owner_origin_and_kind_apart() {
    let client = |name: &str, change: fn(On) -> On| -> Vec<On> {
        (1..=2).map(|number| change(on(&format!("{name}{number}")).used(600 * number))).collect()
    };
    let sessions = [
        client("plain", |session| session),
        client("owner", |session| session.owner("svc-other")),
        client("origin", |session| session.from("2001:db8::1")),
        client("kind", |session| session.kind("Web UI")),
    ];
    let kinds = Conditions { kinds: vec![Kind::Rest, Kind::Web], ..idle(60) };
    given(sessions.into_iter().flatten())
        .reap(keeping(1, kinds))
        .went_and_stayed(&["kind2", "origin2", "owner2", "plain2"], &["kind1", "origin1", "owner1", "plain1"]);
}

/// An SSH session's access time stands still while it is used.
#[test]
fn which_ssh_session_is_the_latest_nobody_knows() {
    let row = ["a", "b"].map(|id| on(id).kind("SSH").used(600));
    let ssh = Conditions { kinds: vec![Kind::Ssh], ..tokens() };
    given(row).reap(keeping(1, ssh)).went_and_stayed(&[], &["a", "b"]);
}

#[test]
fn of_one_second_keep_latest_keeps_as_many_as_it_says() {
    let twins = ["a", "b", "c"].map(|id| on(id).used(600));
    given(twins).reap(keeping(1, idle(60))).went_and_stayed(&["a", "b"], &["c"]);
}

#[test]
fn one_whose_access_is_unknown_or_contradictory_takes_no_other_ones_place() {
    let unknown = on("unknown").with(|session| session.access = None);
    let future = on("future").used(-60);
    let before_login = on("before").login(60).used(7000);
    let story = given(row(2).into_iter().chain([unknown, future, before_login]));
    story.reap(keeping(1, tokens())).went_and_stayed(&["s2"], &["s1", "unknown", "future", "before"]);
}

#[test]
fn down_to_deletes_only_as_many_as_needed_longest_idle_first() {
    for (free, went) in
        [(0, &[][..]), (1, &[]), (2, &["s5"]), (4, &["s5", "s4", "s3"]), (9, &["s5", "s4", "s3", "s2", "s1"])]
    {
        let story = given(row(5)).limit(6).reap(room(Room::Free(free), idle(60)));
        assert_eq!(story.went(), went, "{free} free of 6");
    }
    // Half of 7 in use at most: rounded so that more is free, which is 4.
    assert_eq!(given(row(5)).limit(7).reap(room(Room::UsedPercent(50), idle(60))).went(), ["s5", "s4"]);
    assert_eq!(given(row(5)).limit(3).reap(room(Room::Free(1), idle(60))).went(), ["s5", "s4", "s3"], "over its limit");
}

#[test]
fn down_to_is_not_armed_without_a_configured_limit_and_then_a_later_rule_decides() {
    let story = given(row(3)).reap(room(Room::Free(9), idle(60)));
    story.went_and_stayed(&[], &["s1", "s2", "s3"]);
    assert_eq!(story.why("s1"), "no rule matches");
    let story = story.reap(rule("later", idle(120)));
    story.went_and_stayed(&["s3", "s2"], &["s1"]);
}

#[test]
fn down_to_counts_the_victims_of_earlier_rules() {
    let story = given(row(5)).limit(6).reap(rule("first", idle(240))).reap(room(Room::Free(4), idle(60)));
    story.went_and_stayed(&["s5", "s4", "s3"], &["s1", "s2"]);
    let story = given(row(5)).limit(6).reap(rule("first", idle(120))).reap(room(Room::Free(4), idle(60)));
    story.went_and_stayed(&["s5", "s4", "s3", "s2"], &["s1"]);
}

#[test]
fn keep_latest_spares_before_down_to_counts() {
    let both = Rule { keep_latest: Some(3), ..room(Room::Free(6), idle(60)) };
    let story = given(row(5)).limit(6).reap(both);
    story.went_and_stayed(&["s5", "s4"], &["s1", "s2", "s3"]);
}

#[test]
fn the_longest_idle_go_first_whatever_their_rule() {
    let ssh = on("ssh").kind("SSH");
    let tie = on("s2x").used(120);
    let story = given(row(3).into_iter().chain([ssh, tie]))
        .reap(rule("young", Conditions { origin: nets(&["192.0.2.0/24"]), kinds: vec![Kind::Ssh], ..tokens() }));
    let story = story.reap(rule("one", idle(180))).reap(rule("others", tokens()));
    story.went_and_stayed(&["s3", "s2", "s2x", "s1", "ssh"], &[]);
}

#[test]
fn a_cap_lets_a_prefix_go_and_tells_of_the_others() {
    for (per_visit, share, went, cap) in [
        (2, 100, 2, Cap::Visit),
        (0, 100, 0, Cap::Visit),
        (10, 50, 5, Cap::Share),
        (5, 50, 5, Cap::Visit),
        (10, 59, 5, Cap::Share),
        (10, 9, 1, Cap::Share),
        (10, 0, 1, Cap::Share),
    ] {
        let mut story = given(row(10)).reap(rule("all", idle(60)));
        let all = story.went();
        story.caps = Caps { per_visit, share_of_seen_percent: share, ..Caps::default() };
        let plan = story.plan();
        assert_eq!(ids(&plan), all[..went], "{per_visit} a visit, {share}%");
        let held: Vec<_> = plan.held_back.iter().map(|held| held.case.session.id.to_string()).collect();
        assert_eq!(held, all[went..], "{per_visit} a visit, {share}%");
        assert!(plan.held_back.iter().all(|held| held.cap == cap), "{per_visit} a visit, {share}%: {cap:?}");
        assert!(all.iter().all(|id| plan.lets_go(&SessionId::read(id))), "a cap is no verdict");
    }
}

#[test]
fn the_share_is_one_of_the_sessions_that_are_not_ours() {
    let ours = (0..6).map(|number| on(&format!("own{number}")).owner(OUR_ACCOUNT));
    let mut story = given(row(3).into_iter().chain(ours)).reap(rule("all", idle(60)));
    story.caps = Caps { share_of_seen_percent: 50, ..Caps::default() };
    assert_eq!(story.went(), ["s3"], "half of three, rounded down");
    let mut story = given(row(1)).reap(rule("all", idle(60)));
    story.caps = Caps { share_of_seen_percent: 1, ..Caps::default() };
    assert_eq!(story.went(), ["s1"], "at least one");
}

/// An iLO that leaves the owner out of some sessions may leave it out of ours.
#[test]
fn whoever_is_told_without_an_owner_does_not_make_the_share_larger() {
    let nobody = (0..6).map(|number| on(&format!("nobody{number}")).with(|session| session.owner = None));
    let mut story = given(row(3).into_iter().chain(nobody)).reap(rule("all", idle(60)));
    story.caps = Caps { share_of_seen_percent: 50, ..Caps::default() };
    assert_eq!(story.went(), ["s3"], "half of three, rounded down");
}

#[test]
fn a_case_tells_the_numbers_that_were_compared() {
    let story = given([on("a"), on("b").used(0)]).limit(8).reap(rule("slow", idle(600)));
    let plan = story.plan();
    let case = plan.doomed()[0].case();
    assert_eq!(case.session, story.seen.sessions[0]);
    assert_eq!((case.age, case.idle), (Some(seconds(7200)), Some(seconds(3600))));
    assert_eq!((case.rule.as_str(), case.why.as_str()), ("slow", "slow (idle 3600 s >= 600 s)"));
    assert_eq!((case.used, case.limit), (2, Some(8)));
    assert!(plan.lets_go(&SessionId::read("a")) && !plan.lets_go(&SessionId::read("b")));
    assert!(!plan.lets_go(&SessionId::read("nobody")));
    assert_eq!(plan.judged.iter().map(|judged| judged.session.clone()).collect::<Vec<_>>(), story.seen.sessions);
}

#[test]
fn an_empty_table_is_no_trouble() {
    let story = given([]).limit(0).reap(rule("all", everything())).reap(room(Room::Free(9), tokens()));
    story.went_and_stayed(&[], &[]);
}
