//! What must hold for any table and any policy: thousands of random ones, each from a seed that a failure names.

use std::collections::BTreeSet;

use super::super::Doomed;
use super::*;
use crate::settings::Room;

/// Random tables and policies for each law.
const ROUNDS: u64 = 4000;

/// splitmix64: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.roll() % u64::try_from(bound).expect("small")).expect("small")
    }

    fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }

    fn perhaps<T>(&mut self, chances: usize, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.one_in(chances).then(|| make(self))
    }

    fn shuffle<T>(&mut self, things: &mut [T]) {
        for place in (1..things.len()).rev() {
            things.swap(place, self.below(place + 1));
        }
    }
}

fn a_session(dice: &mut Dice, number: usize) -> On {
    let id = match dice.below(40) {
        0 => format!("odd/{number}"),
        1 => format!("{HELD}{}", if dice.one_in(2) { "" } else { "2" }),
        _ => format!("s{number}"),
    };
    let since = |dice: &mut Dice| match dice.below(20) {
        0 => -60,
        1 => 0,
        _ => 60 * i64::try_from(dice.below(12)).expect("small"),
    };
    let (login, used) = (since(dice), since(dice));
    let session = on(&id)
        .owner(dice.of(&["svc-a", "svc-a", "svc-a", "SVC-A", "svc-b", "bob", OUR_ACCOUNT, "AMS"]))
        .from(dice.of(&[
            "192.0.2.1",
            "192.0.2.1",
            "192.0.2.1",
            "192.0.2.2",
            "2001:db8::1",
            "127.0.0.1",
            "16.1.15.2",
            "::1",
        ]))
        .kind(dice.of(&["REST", "REST", "REST", "REST", "Web UI", "SSH", "Remote Console", "WSMgmt", ""]))
        .user_type(dice.of(&["Local", "Local", "Local", "Local", "Local", "Directory", "System", ""]));
    let session = if dice.one_in(4) { session.never_used(login) } else { session.login(login.max(used)).used(used) };
    let odd = dice.below(40);
    session.with(|session| match odd {
        0 => session.owner = None,
        1 => session.origin = None,
        2 => session.login = None,
        3 => session.access = None,
        4 => session.mine = true,
        5 => session.login = session.access.map(|access| access.plus(seconds(60))),
        6 => session.origin = Some("::ffff:192.0.2.1".parse().expect("an address")),
        _ => (),
    })
}

fn some_conditions(dice: &mut Dice) -> Conditions {
    let a_net = |dice: &mut Dice| {
        nets(&[dice.of(&[
            "192.0.2.0/24",
            "192.0.2.1/32",
            "0.0.0.0/0",
            "::/0",
            "127.0.0.1/32",
            "16.1.15.0/24",
            "::1/128",
        ])])
    };
    Conditions {
        owner: dice.perhaps(4, |dice| globs(&[dice.of(&["svc-*", "svc-a", "*", "b?b", "SVC-B"])])).flatten(),
        origin: dice.perhaps(4, a_net).flatten(),
        kinds: dice.of(&[
            vec![Kind::Rest],
            vec![Kind::Rest, Kind::Web],
            vec![Kind::Ssh, Kind::Console, Kind::Rest],
            everything().kinds,
        ]),
        user_types: dice.of(&[
            vec![UserType::Local],
            vec![UserType::Local, UserType::Directory],
            everything().user_types,
        ]),
        age: dice.perhaps(4, |dice| seconds(60 * dice.below(8) as u64)),
        idle: dice.perhaps(2, |dice| seconds(60 * dice.below(8) as u64)),
        superseded: dice.one_in(4),
        never_used: dice.one_in(8),
        when: dice.perhaps(6, |dice| dice.of(&[Pressure::Calm, Pressure::Near, Pressure::Critical])),
    }
}

fn a_protection(dice: &mut Dice, number: usize) -> Protection {
    let any =
        Conditions { kinds: Vec::new(), user_types: Vec::new(), owner: globs(&["svc-b"]), ..Conditions::default() };
    let conditions = if dice.one_in(2) { some_conditions(dice) } else { any };
    let until = dice.perhaps(3, |dice| dice.of(&[before(HOST_NOW, 1), HOST_NOW, before(HOST_NOW, -1)]));
    Protection { until, ..protection(&format!("p{number}"), conditions) }
}

/// One random story.
fn a_story(dice: &mut Dice) -> Story {
    let count = 4 + dice.below(16);
    let mut known = BTreeSet::new();
    let sessions: Vec<On> = (0..count).map(|number| a_session(dice, number)).collect();
    let mut story = given(sessions.into_iter().filter(|session| known.insert(session.0.id.clone())));
    for number in 0..dice.below(3) {
        story = story.protect(a_protection(dice, number));
    }
    for number in 0..=dice.below(3) {
        let rule = Rule {
            keep_latest: dice.perhaps(4, |dice| dice.below(4)),
            down_to: dice.perhaps(4, |dice| Room::Free(dice.below(10))),
            ..rule(&format!("r{number}"), some_conditions(dice))
        };
        story = story.reap(rule);
    }
    story.pressure.limit = dice.perhaps(2, |dice| 4 + dice.below(12));
    story.caps =
        Caps { per_visit: dice.below(12), share_of_seen_percent: dice.of(&[0, 20, 50, 100]), ..Caps::default() };
    if dice.one_in(20) {
        story.seen.clock = Clock::Contradictory(String::from("it jumped"));
    }
    if dice.one_in(40) {
        story.seen.extent = Extent::Cut(String::from("pages"));
    }
    story
}

/// Tells a law's check every story, and proves that enough of them had victims.
fn for_any_story(law: u64, check: impl Fn(&mut Dice, &Story, &str)) {
    let mut with_victims = 0;
    for round in 0..ROUNDS {
        let mut dice = Dice(law * 1_000_000 + round);
        let story = a_story(&mut dice);
        with_victims += u64::from(!story.plan().doomed().is_empty());
        check(&mut dice, &story, &format!("seed {}", law * 1_000_000 + round));
    }
    assert!(with_victims > ROUNDS / 4, "only {with_victims} of {ROUNDS} stories have victims");
}

/// Whom the rules let go, caps aside.
fn let_go(plan: &Plan) -> BTreeSet<SessionId> {
    let all = plan.judged.iter().filter(|judged| plan.lets_go(&judged.session.id));
    all.map(|judged| judged.session.id.clone()).collect()
}

#[test]
fn a_plan_is_deterministic_and_blind_to_the_order_of_members() {
    for_any_story(1, |dice, story, seed| {
        let plan = story.plan();
        assert_eq!(story.plan(), plan, "{seed}");
        let mut shuffled = story.clone();
        dice.shuffle(&mut shuffled.seen.sessions);
        let other = shuffled.plan();
        assert_eq!(other.doomed(), plan.doomed(), "{seed}");
        assert_eq!(other.held_back, plan.held_back, "{seed}");
        let sorted = |plan: &Plan| {
            let mut judged = plan.judged.clone();
            judged.sort_by(|one, other| one.session.id.cmp(&other.session.id));
            judged
        };
        assert_eq!(sorted(&other), sorted(&plan), "{seed}");
    });
}

#[test]
fn one_protection_more_never_adds_a_victim() {
    for_any_story(2, |dice, story, seed| {
        let protected = story.clone().protect(a_protection(dice, 9));
        let (plan, less) = (story.plan(), protected.plan());
        let gone = |plan: &Plan| plan.doomed().len() + plan.held_back.len();
        assert!(gone(&less) <= gone(&plan), "{seed}: not more in number");
        // `down_to` looks for as many elsewhere; without it they are also the same ones.
        if story.policy.reap.iter().all(|rule| rule.down_to.is_none()) {
            assert!(let_go(&less).is_subset(&let_go(&plan)), "{seed}");
        }
    });
}

#[test]
fn lower_caps_let_a_prefix_of_the_same_go() {
    for_any_story(3, |dice, story, seed| {
        let mut lower = story.clone();
        lower.caps.per_visit = dice.below(story.caps.per_visit + 1);
        lower.caps.share_of_seen_percent =
            dice.of(&[0, story.caps.share_of_seen_percent / 2, story.caps.share_of_seen_percent]);
        let (plan, less) = (story.plan(), lower.plan());
        assert!(plan.doomed().starts_with(less.doomed()), "{seed}");
        let all = |plan: &Plan| {
            let held = plan.held_back.iter().map(|held| held.case.clone());
            plan.doomed().iter().map(|doomed| doomed.case().clone()).chain(held).collect::<Vec<_>>()
        };
        assert_eq!(all(&plan), all(&less), "{seed}: the others are held back, in order");
        assert!(less.doomed().len() <= lower.caps.per_visit, "{seed}");
    });
}

#[test]
fn all_times_moved_together_change_nothing() {
    for_any_story(4, |dice, story, seed| {
        let by = dice.of(&[1, 60, 86_400, -1, -1_000_000_000, 10_000_000_000]);
        let moved = |time: Timestamp| Timestamp::from_unix_s(time.unix_s() + by);
        let mut later = story.clone();
        if let Clock::Sound(now) = &mut later.seen.clock {
            *now = moved(*now);
        }
        for session in &mut later.seen.sessions {
            session.login = session.login.map(moved);
            session.access = session.access.map(moved);
        }
        let verdicts = |plan: &Plan| -> Vec<_> {
            plan.judged.iter().map(|judged| (judged.age, judged.idle, judged.verdict.clone())).collect()
        };
        let (plan, moved) = (story.plan(), later.plan());
        assert_eq!(verdicts(&moved), verdicts(&plan), "{seed} by {by} s");
        assert_eq!(ids(&moved), ids(&plan), "{seed} by {by} s");
    });
}

#[test]
fn nobody_goes_whom_a_second_reading_protects() {
    for_any_story(5, |_, story, seed| {
        let plan = story.plan();
        let held_back = plan.held_back.iter().map(|held| &held.case);
        for case in plan.doomed().iter().map(Doomed::case).chain(held_back) {
            let session = &case.session;
            let why = oracle::protected(&story.policy, &story.seen, session);
            assert_eq!(why, None, "{seed}: {session:?}");
            let rule = story.policy.reap.iter().find(|rule| rule.id == case.rule).expect("a rule of the policy");
            assert_eq!(
                oracle::proven(rule, &story.seen, session, &plan.table),
                Ok(()),
                "{seed}: {session:?} by {rule:?}"
            );
        }
        assert!(
            plan.doomed().windows(2).all(|pair| pair[0].case().idle >= pair[1].case().idle),
            "{seed}: longest idle first"
        );
    });
}

#[test]
fn nobody_stays_by_no_rule_whom_a_second_reading_finds_abandoned() {
    for_any_story(6, |_, story, seed| {
        let plan = story.plan();
        for judged in &plan.judged {
            let session = &judged.session;
            if oracle::protected(&story.policy, &story.seen, session).is_some() || plan.lets_go(&session.id) {
                continue;
            }
            // What is not protected stays for a reason that a person can read: no rule, its own place, or doubt.
            let reason = judged.verdict.to_string();
            let named = |rule: &Rule| oracle::protected(&only(&story.policy, rule), &story.seen, session).is_none();
            let proven = |rule: &&Rule| named(rule) && oracle::proven(rule, &story.seen, session, &plan.table).is_ok();
            match story.policy.reap.iter().find(proven) {
                None => assert!(reason == "no rule matches" || reason.starts_with("protected"), "{seed}: {reason}"),
                Some(rule) => assert!(reason.contains(&rule.id) || reason.starts_with("protected"), "{seed}: {reason}"),
            }
        }
    });
}

/// The policy with one of its rules alone.
fn only(policy: &Policy, rule: &Rule) -> Policy {
    Policy { reap: vec![rule.clone()], ..policy.clone() }
}

#[test]
fn a_longer_idle_never_adds_a_victim() {
    for_any_story(7, |dice, story, seed| {
        let mut story = story.clone();
        for rule in &mut story.policy.reap {
            (rule.keep_latest, rule.down_to) = (None, None);
        }
        let mut longer = story.clone();
        let rule = dice.below(longer.policy.reap.len());
        let idle = &mut longer.policy.reap[rule].conditions.idle;
        *idle = Some(idle.unwrap_or_default() + seconds(60 * dice.below(6) as u64));
        let (plan, less) = (story.plan(), longer.plan());
        assert!(let_go(&less).is_subset(&let_go(&plan)), "{seed}");
        assert!(less.doomed().len() <= plan.doomed().len(), "{seed}: nor does it with caps");
    });
}
