//! What must hold for any table, any policy and any past.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy};
use proptest::sample::select;
use proptest::{prop_assert, prop_assert_eq, prop_oneof};

use super::super::{Doomed, Judged, Spared};
use super::*;
use crate::event::Case;
use crate::law::holds;

/// Stories for each law.
const CASES: u32 = 500;

/// Whom the rules let go, caps aside.
fn let_go(plan: &Plan) -> BTreeSet<SessionId> {
    let all = plan.judged.iter().filter(|judged| matches!(judged.verdict, Verdict::Reap(_)));
    all.map(|judged| judged.session.id.clone()).collect()
}

/// Whether anybody goes: only then a law about victims says something.
fn has_victims(plan: &Plan) -> bool {
    !plan.doomed().is_empty()
}

/// `down_to` looks for as many elsewhere, whoever is spared: only in number there are never more.
fn has_down_to(story: &Story) -> bool {
    story.policy.reap.iter().any(|rule| rule.down_to.is_some())
}

#[test]
fn a_plan_is_deterministic_and_blind_to_the_order_of_members() {
    let keys = vec(0..100u8, any::SESSIONS_MAX);
    holds(CASES, &(any::story(), keys), |(story, keys)| {
        let plan = story.plan();
        prop_assert_eq!(&story.plan(), &plan);
        let mut shuffled = story.clone();
        let mut keyed: Vec<_> = shuffled.seen.sessions.drain(..).zip(keys).collect();
        keyed.sort_by_key(|(_, key)| *key);
        shuffled.seen.sessions = keyed.into_iter().map(|(session, _)| session).collect();
        let other = shuffled.plan();
        prop_assert_eq!(other.doomed(), plan.doomed());
        prop_assert_eq!(&other.held_back, &plan.held_back);
        let sorted = |plan: &Plan| {
            let mut judged = plan.judged.clone();
            judged.sort_by(|one, other| one.session.id.cmp(&other.session.id));
            judged
        };
        prop_assert_eq!(sorted(&other), sorted(&plan));
        Ok(has_victims(&plan))
    });
}

#[test]
fn one_protection_more_never_adds_a_victim() {
    holds(CASES, &(any::story(), any::a_protection()), |(story, protection)| {
        let (plan, less) = (story.plan(), story.clone().protect(protection).plan());
        prop_assert!(let_go(&less).len() <= let_go(&plan).len());
        prop_assert!(less.doomed().len() <= plan.doomed().len());
        if !has_down_to(&story) {
            prop_assert!(let_go(&less).is_subset(&let_go(&plan)));
        }
        Ok(has_victims(&plan))
    });
}

#[test]
fn lower_caps_let_a_prefix_of_the_same_go() {
    holds(CASES, &(any::story(), 0..12usize, 0..=100u8), |(story, fewer, percent)| {
        let mut lower = story.clone();
        lower.caps.per_visit = story.caps.per_visit.saturating_sub(fewer);
        lower.caps.share_of_seen_percent = story.caps.share_of_seen_percent.min(percent);
        let (plan, less) = (story.plan(), lower.plan());
        prop_assert!(plan.doomed().starts_with(less.doomed()));
        let all = |plan: &Plan| {
            let held = plan.held_back.iter().map(|held| held.case.clone());
            plan.doomed().iter().map(|doomed| doomed.case().clone()).chain(held).collect::<Vec<Case>>()
        };
        prop_assert_eq!(all(&plan), all(&less), "the others are held back, in order");
        prop_assert!(less.doomed().len() <= lower.caps.per_visit);
        Ok(has_victims(&plan))
    });
}

#[test]
fn all_times_moved_together_change_nothing() {
    let by_s = prop_oneof![
        Just(1),
        Just(60),
        Just(86_400),
        Just(604_800),
        Just(-1),
        Just(-1_000_000_000),
        Just(10_000_000_000)
    ];
    holds(CASES, &(any::story(), by_s), |(story, by_s)| {
        let moved = |time: Timestamp| Timestamp::from_unix_s(time.unix_s() + by_s);
        let move_all = |seen: &mut Observation| {
            if let Clock::Sound(now) = &mut seen.clock {
                *now = moved(*now);
            }
            for session in &mut seen.sessions {
                session.login = session.login.map(moved);
                session.access = session.access.map(moved);
            }
        };
        let mut later = story.clone();
        move_all(&mut later.seen);
        let mut looks = story.looks.clone();
        for (_, seen) in &mut looks {
            move_all(seen);
        }
        let later = later.witnessed(looks);
        let verdicts = |plan: &Plan| -> Vec<_> {
            plan.judged.iter().map(|judged| (judged.age, judged.idle, judged.verdict.clone())).collect()
        };
        let (plan, moved) = (story.plan(), later.plan());
        prop_assert_eq!(verdicts(&moved), verdicts(&plan));
        prop_assert_eq!(ids(&moved), ids(&plan));
        Ok(has_victims(&plan))
    });
}

#[test]
fn nobody_goes_whom_a_second_reading_protects() {
    holds(CASES, &any::story(), |story| {
        let plan = story.plan();
        let held_back = plan.held_back.iter().map(|held| &held.case);
        for case in plan.doomed().iter().map(Doomed::case).chain(held_back) {
            let session = &case.session;
            prop_assert_eq!(oracle::protected(&story, session), None, "{:?}", session);
            let rule = story.policy.reap.iter().find(|rule| rule.id == case.rule).expect("a rule of the policy");
            let proven = oracle::proven(rule, &story, session, &plan.table);
            prop_assert_eq!(proven, Ok(()), "{:?} by {:?}", session, rule);
        }
        let in_order = plan.doomed().windows(2).all(|pair| pair[0].case().idle >= pair[1].case().idle);
        prop_assert!(in_order, "longest idle first");
        Ok(has_victims(&plan))
    });
}

#[test]
fn nobody_stays_by_no_rule_whom_a_second_reading_finds_abandoned() {
    holds(CASES, &any::story(), |story| {
        let plan = story.plan();
        let mut stayed = false;
        for judged in &plan.judged {
            let session = &judged.session;
            if oracle::protected(&story, session).is_some() || plan.lets_go(&session.id) {
                continue;
            }
            stayed = true;
            // What is not protected stays for a reason that a person can read: no rule, its own place, or doubt.
            let reason = judged.verdict.to_string();
            let proven = |rule: &&Rule| {
                oracle::protected(&only(&story, rule), session).is_none()
                    && oracle::proven(rule, &story, session, &plan.table).is_ok()
            };
            let expected = story.policy.reap.iter().find(proven).map_or("no rule matches", |rule| &rule.id);
            let is_told = reason.contains(expected) || reason.starts_with("protected");
            prop_assert!(is_told, "{:?} stays: {}, not {}", session, reason, expected);
        }
        Ok(stayed)
    });
}

/// Where times contradict each other it is all that counts, and there it may end a session.
#[test]
fn where_times_are_sound_a_witness_only_delays() {
    let sound = any::story().prop_map(|mut story| {
        story.seen.clock = Clock::Sound(NOW);
        story.seen.suspects.clear();
        story
    });
    holds(CASES, &sound, |story| {
        let (plan, alone) = (story.plan(), story.clone().witnessed(Vec::new()).plan());
        prop_assert!(let_go(&plan).len() <= let_go(&alone).len());
        if !has_down_to(&story) {
            prop_assert!(let_go(&plan).is_subset(&let_go(&alone)));
        }
        let pauses = |judged: &Judged| matches!(judged.verdict, Verdict::Keep(Spared::Pauses(_)));
        Ok(plan.judged.iter().any(pauses))
    });
}

#[test]
fn where_times_are_not_sound_nobody_goes_for_being_idle_who_did_not_stand_still_for_so_long() {
    let jumped = any::story().prop_map(|mut story| {
        story.seen.clock = Clock::Contradictory(String::from("it jumped"));
        for rule in &mut story.policy.reap {
            let asked = rule.conditions.idle.unwrap_or(seconds(60));
            rule.conditions = Conditions { idle: Some(asked), ..tokens() };
            (rule.keep_latest, rule.down_to) = (None, None);
        }
        story
    });
    holds(CASES, &jumped, |story| {
        let plan = story.plan();
        let last_look = |id: &SessionId| {
            let find = |seen: &Observation| seen.sessions.iter().find(|session| session.id == *id).cloned();
            let access = find(&story.seen).expect("seen").access;
            let looks = oracle::since_forgotten(&story, id).iter().rev();
            let told = looks.filter_map(|(at, seen)| find(seen).map(|session| (at, session.access)));
            told.take_while(|(_, then)| *then == access).last().map(|(at, _)| story.now.saturating_sub(*at))
        };
        for id in let_go(&plan) {
            let least = story.policy.reap.iter().filter_map(|rule| rule.conditions.idle).min();
            prop_assert!(last_look(&id) >= least, "{}: {:?}", id, last_look(&id));
        }
        Ok(!let_go(&plan).is_empty())
    });
}

/// The story with one of its rules alone.
fn only(story: &Story, rule: &Rule) -> Story {
    let mut story = story.clone();
    story.policy.reap = vec![rule.clone()];
    story
}

/// One more thing that a rule asks for, or spares.
#[derive(Clone, Debug)]
enum More {
    Age(Duration),
    Idle(Duration),
    Superseded,
    NeverUsed,
    When(Pressure),
    Owner(Vec<Glob>),
    Origin(Vec<ipnet::IpNet>),
    Kept(usize),
}

fn more() -> impl Strategy<Value = More> {
    let nets = select(nets(&["192.0.2.0/24", "192.0.2.1/32", "0.0.0.0/0", "2001:db8::/64"]).unwrap_or_default());
    let longer = || (0..6u64).prop_map(|minutes| seconds(60 * minutes));
    prop_oneof![
        longer().prop_map(More::Age),
        longer().prop_map(More::Idle),
        Just(More::Superseded),
        Just(More::NeverUsed),
        Just(More::When(Pressure::Near)),
        Just(More::When(Pressure::Full)),
        any::owner_globs().prop_map(More::Owner),
        // A network inside the server is no condition alone, it also permits.
        nets.prop_map(|net| More::Origin(vec![net])),
        (1..3usize).prop_map(More::Kept),
    ]
}

impl More {
    fn of(self, rule: &mut Rule) {
        let asked = &mut rule.conditions;
        match self {
            Self::Age(longer) => asked.age = Some(asked.age.unwrap_or_default() + longer),
            Self::Idle(longer) => asked.idle = Some(asked.idle.unwrap_or_default() + longer),
            Self::Superseded => asked.superseded = true,
            Self::NeverUsed => asked.never_used = true,
            Self::When(level) => asked.when = asked.when.max(Some(level)),
            Self::Owner(globs) => asked.owner = asked.owner.take().or(Some(globs)),
            Self::Origin(nets) => asked.origin = asked.origin.take().or(Some(nets)),
            Self::Kept(more) => rule.keep_latest = Some(rule.keep_latest.unwrap_or(0) + more),
        }
    }
}

#[test]
fn a_rule_that_asks_for_more_never_adds_a_victim() {
    holds(CASES, &(any::story(), more(), 0..3usize), |(mut story, more, place)| {
        let place = place % story.policy.reap.len();
        // What a rule spares no later rule is asked about: one that spares must go on to match whom it matched.
        if !matches!(more, More::Kept(_)) {
            story.policy.reap[place].keep_latest = None;
        }
        // Nor one that looks for as many as the rules before it left.
        for rule in &mut story.policy.reap[place..] {
            rule.down_to = None;
        }
        let mut asks_more = story.clone();
        more.of(&mut asks_more.policy.reap[place]);
        let (plan, less) = (story.plan(), asks_more.plan());
        prop_assert!(let_go(&less).is_subset(&let_go(&plan)));
        prop_assert!(less.doomed().len() <= plan.doomed().len());
        Ok(has_victims(&plan))
    });
}
