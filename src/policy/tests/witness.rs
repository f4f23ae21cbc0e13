//! What was seen before, and what it delays.

use proptest::collection::vec;
use proptest::{bool, prop_assert};

use super::*;
use crate::law::holds;

const EVERY_S: u64 = 60;

/// Watches one session over polls a minute apart. `accesses` are the times of its uses, `end_s` that of the
/// last poll; all since its login. Tells whether a rule that asks for `idle_s` lets it go then.
fn goes(accesses: &[u64], end_s: u64, idle_s: u64, change: impl Fn(&mut Observation, u64)) -> bool {
    let login = NOW;
    let mut story = given([]).reap(rule("idle", idle(idle_s)));
    let mut now_s = 0;
    loop {
        let last = accesses.iter().copied().filter(|access| *access <= now_s).max().unwrap_or(0);
        let at = |after_s: u64| Timestamp::from_unix_s(login.unix_s() + i64::try_from(after_s).expect("seconds"));
        story.seen.clock = Clock::Sound(at(now_s));
        let On(mut session) = on("a");
        (session.login, session.access) = (Some(login), Some(at(last)));
        story.seen.sessions = vec![session];
        story.now = seconds(now_s);
        change(&mut story.seen, now_s);
        story.witness.watch(&story.seen, story.now);
        if now_s >= end_s {
            return story.went() == ["a"];
        }
        now_s = (now_s + EVERY_S).min(end_s);
    }
}

#[test]
fn whoever_paused_before_must_be_idle_for_more_than_three_times_as_long() {
    let nothing = |_: &mut Observation, _| {};
    // Used once in ten minutes, so nine minutes of standing still say nothing.
    let every_ten_minutes = [600, 1200, 1800];
    for (end_s, expected) in [(1860, false), (2700, false), (3600, false), (3601, true)] {
        assert_eq!(goes(&every_ten_minutes, end_s, 60, nothing), expected, "{end_s}");
    }
    // One long pause among short ones counts.
    for (end_s, expected) in [(3100 + 3 * 2800, false), (3100 + 3 * 2800 + 1, true)] {
        assert_eq!(goes(&[100, 200, 300, 3100], end_s, 60, nothing), expected, "{end_s}");
    }
    // Who was never seen to move has no gap, and the rule alone decides.
    for (end_s, expected) in [(599, false), (600, true)] {
        assert_eq!(goes(&[], end_s, 600, nothing), expected, "{end_s}");
    }
}

#[test]
fn whoever_a_table_leaves_out_for_a_while_has_paused_all_the_same() {
    let pauses = [600, 1200, 1800];
    let left_out = |from_s: u64, until_s: u64| {
        move |seen: &mut Observation, now_s: u64| {
            if now_s >= from_s && now_s < until_s {
                seen.sessions.clear();
            }
        }
    };
    for (end_s, expected) in [(2700, false), (3600, false), (3601, true)] {
        assert_eq!(goes(&pauses, end_s, 60, left_out(2000, 2500)), expected, "{end_s}");
    }
    // Who comes back after that long is somebody new, as far as we know.
    assert!(goes(&pauses, 2700, 60, left_out(1860, 2580)));
}

#[test]
fn where_the_clock_proves_nothing_only_standing_still_before_our_eyes_is_idle() {
    let contradictory = |seen: &mut Observation, _| seen.clock = Clock::Contradictory(String::from("it jumped"));
    for (end_s, expected) in [(599, false), (600, true)] {
        assert_eq!(goes(&[], end_s, 600, contradictory), expected, "{end_s}");
    }
    // Seen for the first time ten minutes ago, whatever it says of itself.
    let suspect = |seen: &mut Observation, _| {
        seen.suspects = vec![SessionId::read("a")];
        seen.sessions[0].access = Some(before(NOW, 90_000));
        seen.sessions[0].login = Some(before(NOW, 90_000));
    };
    for (end_s, expected) in [(599, false), (600, true)] {
        assert_eq!(goes(&[], end_s, 600, suspect), expected, "{end_s}");
    }
}

#[test]
fn a_suspects_times_prove_nothing_else() {
    let mut story = given([on("a").login(7200).used(7200), on("b").login(100).used(100)])
        .reap(rule("never", Conditions { never_used: true, ..tokens() }))
        .reap(rule("old", Conditions { age: Some(seconds(60)), ..tokens() }))
        .reap(rule("superseded", superseded()));
    assert_eq!(story.went(), ["a", "b"]);
    story.seen.suspects = vec![SessionId::read("a"), SessionId::read("b")];
    assert_eq!(story.went(), [""; 0]);
    story.seen.suspects = vec![SessionId::read("b")];
    story.policy.reap.retain(|rule| rule.id == "superseded");
    assert_eq!(story.went(), [""; 0], "a suspect supersedes nobody");
}

/// Whoever was on when a clock jumped, and stands still since, has left when the same client logs in again.
#[test]
fn a_suspect_is_superseded_by_whoever_logged_in_since_it_stands_still() {
    let went = |newer: On, change: fn(&mut Story)| {
        let mut story = given([on("a").login(-90_000).used(-80_000), newer]).reap(rule("superseded", superseded()));
        story.seen.suspects = vec![SessionId::read("a")];
        story.witness.watch(&story.seen, seconds(10));
        story.now = seconds(310);
        change(&mut story);
        story.went()
    };
    for (login_s, expected) in [(0, &["a"][..]), (296, &["a"]), (297, &[]), (600, &[])] {
        assert_eq!(went(on("b").login(login_s).used(0), |_| ()), *expected, "{login_s}");
    }
    let newer = || on("b").login(100).used(0);
    assert_eq!(went(newer().from("192.0.2.11"), |_| ()), [""; 0], "another client");
    assert_eq!(went(on("b").login(-1).used(-1), |_| ()), [""; 0], "one from the future");
    assert_eq!(went(newer(), |story| story.seen.suspects.push(SessionId::read("b"))), [""; 0], "another suspect");
    assert_eq!(went(newer(), |story| story.seen.clock = Clock::Contradictory(String::from("it jumped"))), [""; 0]);
    assert_eq!(went(newer(), |story| story.seen.sessions[0].access = None), [""; 0], "nobody knows whether it is used");
    let moves = |story: &mut Story| {
        story.seen.sessions[0].access = Some(before(NOW, -80_001));
        story.witness.watch(&story.seen, seconds(215));
    };
    assert_eq!(went(newer(), moves), [""; 0], "used since");
}

#[test]
fn ssh_stands_still_while_it_is_used() {
    let ssh = rule("ssh", Conditions { kinds: vec![Kind::Ssh], ..idle(60) });
    let mut story = given([on("a").kind("SSH")]).reap(ssh);
    story.seen.clock = Clock::Contradictory(String::from("it jumped"));
    story.witness.watch(&story.seen, Duration::ZERO);
    story.now = seconds(90_000);
    assert_eq!(story.went(), [""; 0]);
}

#[test]
fn who_is_gone_is_forgotten_unless_not_all_was_seen() {
    let mut story = given([on("a")]);
    let id = SessionId::read("a");
    story.witness.watch(&story.seen, seconds(10));
    let all = std::mem::take(&mut story.seen.sessions);
    story.seen.extent = Extent::Cut(String::from("a page is missing"));
    story.witness.watch(&story.seen, seconds(20));
    assert_eq!(story.witness.stands_still(&id, seconds(30)), Some(seconds(20)));
    story.seen.extent = Extent::Whole;
    story.witness.watch(&story.seen, seconds(40));
    story.witness.watch(&story.seen, seconds(639));
    assert_eq!(story.witness.stands_still(&id, seconds(639)), Some(seconds(629)), "a table may leave one out");
    story.witness.watch(&story.seen, seconds(640));
    assert_eq!(story.witness.stands_still(&id, seconds(640)), None);
    story.seen.sessions = all;
    story.witness.watch(&story.seen, seconds(660));
    assert_eq!(story.witness.stands_still(&id, seconds(670)), Some(seconds(10)));
}

#[test]
fn an_id_that_is_given_again_is_somebody_else() {
    let mut story = given([on("a").login(900).used(600)]);
    story.witness.watch(&story.seen, seconds(10));
    assert!(story.witness.knows(&story.seen.sessions[0]));
    story.seen.sessions[0].login = Some(before(NOW, 50));
    story.seen.sessions[0].access = Some(before(NOW, 50));
    assert!(!story.witness.knows(&story.seen.sessions[0]));
    story.witness.watch(&story.seen, seconds(70));
    let id = SessionId::read("a");
    assert_eq!(
        (story.witness.longest_gap(&id), story.witness.stands_still(&id, seconds(80))),
        (None, Some(seconds(10)))
    );
}

#[test]
fn a_time_that_is_not_told_for_a_while_hides_no_pause() {
    let mut story = given([on("a").used(600)]);
    let id = SessionId::read("a");
    story.witness.watch(&story.seen, seconds(10));
    let told = story.seen.sessions[0].access.take();
    story.witness.watch(&story.seen, seconds(70));
    story.seen.sessions[0].access = told;
    story.witness.watch(&story.seen, seconds(130));
    assert_eq!(story.witness.longest_gap(&id), None, "nothing moved");
    assert_eq!(story.witness.stands_still(&id, seconds(140)), Some(seconds(130)));
    story.seen.sessions[0].access = None;
    story.witness.watch(&story.seen, seconds(190));
    story.seen.sessions[0].access = Some(NOW);
    story.witness.watch(&story.seen, seconds(250));
    assert_eq!(story.witness.longest_gap(&id), Some(seconds(600)), "from what was told before to what is told now");
}

/// A client that pauses as it likes, and looks at its session whenever: whatever lies between two of its accesses
/// that we saw, the witness takes it for no less, and never takes it to stand still for longer than it does.
#[test]
fn no_pause_before_our_eyes_is_taken_for_a_shorter_one() {
    let accesses = vec(1..1000i64, 1..12);
    let looks = vec((1..200i64, 0..4u8), 1..40);
    holds(500, &(accesses, looks, bool::ANY), |(pauses_s, intervals, all_sound)| {
        let summed = |total: &mut i64, more: i64| {
            *total += more;
            Some(*total)
        };
        let accesses: Vec<i64> = pauses_s.into_iter().scan(0, |total, pause_s| summed(total, pause_s)).collect();
        let longest_interval = intervals.iter().map(|(interval_s, _)| *interval_s).max().unwrap_or_default();
        let (mut witness, mut at_s) = (Witness::default(), 0);
        let (mut first_look_s, mut seen_s) = (None, Vec::new());
        let clock_at = |after_s: i64| Timestamp::from_unix_s(NOW.unix_s() + after_s);
        let monotonic = |after_s: i64| seconds(after_s.unsigned_abs());
        for (interval_s, number) in intervals {
            at_s += interval_s;
            let last_s = accesses.iter().copied().filter(|access_s| *access_s <= at_s).max().unwrap_or(0);
            let Story { mut seen, .. } = given([on("a").with(|session| session.access = Some(clock_at(last_s)))]);
            let sound = all_sound || number < 3;
            seen.clock = if sound { Clock::Sound(clock_at(at_s)) } else { Clock::Contradictory("so".into()) };
            witness.watch(&seen, monotonic(at_s));
            first_look_s.get_or_insert(at_s);
            seen_s.push(last_s);
        }
        let [first_s, .., last_s] = seen_s[..] else { return Ok(false) };
        let between = [0].into_iter().chain(accesses).filter(|access_s| (first_s..=last_s).contains(access_s));
        let between: Vec<i64> = between.collect();
        let gap = witness.longest_gap(&SessionId::read("a"));
        for pair in between.windows(2) {
            let after_first_look_s = pair[1] - pair[0].max(first_look_s.unwrap_or_default());
            let pause_s = if all_sound { pair[1] - pair[0] } else { after_first_look_s - longest_interval };
            prop_assert!(gap >= Some(monotonic(pause_s.max(0))), "{:?} is less than {} s", gap, pause_s);
        }
        let stands = witness.stands_still(&SessionId::read("a"), monotonic(at_s));
        prop_assert!(stands <= Some(monotonic(at_s - last_s)), "{:?} since {} s", stands, last_s);
        Ok(between.len() > 2)
    });
}
