//! When each iLO is visited. PURE: times are monotonic, since the start of the loop.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crate::settings::{IloName, Poll};

/// The longest that an iLO is left alone because its visits fail, unless the poll interval is longer.
const BACKOFF_MAX: Duration = Duration::from_secs(600);

/// Between two tries to get a place in a full table, and up to half as much again.
const IN_LINE: Duration = Duration::from_secs(20);

/// When each iLO is visited, and how many at once. iLOs whose last visit failed share a quarter of the
/// places and come after the others, so the sick delay nobody; but they do come.
#[derive(Clone, Debug)]
pub struct Schedule {
    entries: BTreeMap<IloName, Entry>,
    healthy: BTreeSet<(Duration, IloName)>,
    sick: BTreeSet<(Duration, IloName)>,
    in_flight: usize,
    sick_in_flight: usize,
    every: Duration,
    fastest: Duration,
    places: usize,
    turns: Turns,
}

/// Who gives turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turns {
    /// Each iLO has its own place in the interval; and whoever is asked for comes at once.
    Own,
    /// Only whoever is asked for.
    Asked,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    due: Duration,
    /// Its own turn, where somebody asked for a visit before it.
    own: Option<Duration>,
    failures: u32,
    again: bool,
    /// In flight, and whether on a place of the sick.
    flying: Option<bool>,
    /// Taken out of the fleet while in flight.
    leaving: bool,
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Visit this one.
    Due(IloName),
    /// Nothing before that, or nothing before a visit ends.
    Wait(Option<Duration>),
}

/// How a visit ended, as far as the schedule cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It saw who is on; the next look is due within this, where the table fills.
    Good(Option<Duration>),
    /// The table is full, and we wait for a place.
    InLine,
    /// It failed; the iLO may have asked to be left alone for a while.
    Failed(Option<Duration>),
    /// It is to be made once more at once; a second time in a row it counts as failed.
    Again,
    /// It could not be made now, and is to be tried at this time.
    Postponed(Duration),
}

impl Schedule {
    /// No iLOs yet.
    pub fn new(poll: &Poll, turns: Turns) -> Self {
        Self {
            entries: BTreeMap::new(),
            healthy: BTreeSet::new(),
            sick: BTreeSet::new(),
            in_flight: 0,
            sick_in_flight: 0,
            every: poll.every,
            fastest: poll.fastest,
            places: poll.visits_at_once,
            turns,
        }
    }

    /// Makes `names` the fleet. Who stays keeps its turn; a new iLO gets its own place in the interval.
    pub fn replace<'a>(&mut self, names: impl Iterator<Item = &'a IloName>, poll: &Poll, now: Duration) {
        (self.every, self.fastest, self.places) = (poll.every, poll.fastest, poll.visits_at_once);
        let names: BTreeSet<&IloName> = names.collect();
        let gone: Vec<IloName> = self.entries.keys().filter(|name| !names.contains(name)).cloned().collect();
        for name in gone {
            self.remove(&name);
        }
        for name in names {
            if let Some(entry) = self.entries.get_mut(name) {
                entry.leaving = false;
                continue;
            }
            let entry =
                Entry { due: Duration::MAX, own: None, failures: 0, again: false, flying: None, leaving: false };
            self.entries.insert(name.clone(), entry);
            if self.turns == Turns::Own {
                self.queue(name, now + self.phase(name));
            }
        }
        // A shorter interval must not wait for the end of a longer one.
        let latest = now + self.every;
        let overdue: Vec<_> = self.healthy.iter().filter(|(due, _)| *due > latest).cloned().collect();
        for (due, name) in overdue {
            self.healthy.remove(&(due, name.clone()));
            self.queue(&name, now + self.phase(&name));
        }
    }

    /// What is known of an iLO's failures is about settings that are no more: it takes its turn like the healthy.
    pub fn afresh(&mut self, name: &IloName, now: Duration) {
        let due = now + self.phase(name);
        let Some(entry) = self.entries.get_mut(name) else { return };
        entry.failures = 0;
        if entry.flying.is_some() || self.turns == Turns::Asked {
            return;
        }
        let old = (entry.due, name.clone());
        self.healthy.remove(&old);
        self.sick.remove(&old);
        self.queue(name, old.0.min(due));
    }

    /// Somebody asks for a visit: its turn is now, and its own turn comes all the same. One in flight is left to end, and is
    /// to be asked for again then.
    pub fn hurry(&mut self, name: &IloName, now: Duration) {
        let Some(entry) = self.entries.get_mut(name).filter(|entry| entry.flying.is_none()) else { return };
        let old = (entry.due, name.clone());
        entry.own.get_or_insert(entry.due);
        self.healthy.remove(&old);
        self.sick.remove(&old);
        self.queue(name, old.0.min(now));
    }

    fn remove(&mut self, name: &IloName) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        if entry.flying.is_some() {
            entry.leaving = true;
            return;
        }
        let key = (entry.due, name.clone());
        self.healthy.remove(&key);
        self.sick.remove(&key);
        self.entries.remove(name);
    }

    /// The next visit to make. It counts as in flight from here on, until [`done`](Self::done).
    pub fn next(&mut self, now: Duration) -> Next {
        if self.in_flight >= self.places {
            return Next::Wait(None);
        }
        let sick_may = self.sick_in_flight < (self.places / 4).max(1);
        let due = |queue: &BTreeSet<(Duration, IloName)>| queue.first().filter(|(due, _)| *due <= now).cloned();
        let (healthy, sick) = (due(&self.healthy), due(&self.sick).filter(|_| sick_may));
        // Where there are too few places for all, somebody healthy is always due. The sick wait for them, but not
        // for those whose turn is an interval after theirs.
        let picked = match (healthy, sick) {
            (Some(healthy), Some(sick)) if sick.0 + self.every < healthy.0 => Some((sick, true)),
            (Some(healthy), _) => Some((healthy, false)),
            (None, sick) => sick.map(|sick| (sick, true)),
        };
        let Some((key, is_sick)) = picked else {
            let later = |queue: &BTreeSet<(Duration, IloName)>| queue.first().map(|(due, _)| *due);
            let sick = later(&self.sick).filter(|_| sick_may);
            return Next::Wait([later(&self.healthy), sick].into_iter().flatten().min());
        };
        if is_sick { &mut self.sick } else { &mut self.healthy }.remove(&key);
        self.in_flight += 1;
        self.sick_in_flight += usize::from(is_sick);
        if let Some(entry) = self.entries.get_mut(&key.1) {
            entry.flying = Some(is_sick);
        }
        Next::Due(key.1)
    }

    /// How long ago it was the turn of an iLO whose visit begins now.
    pub fn lag(&self, name: &IloName, now: Duration) -> Duration {
        self.entries.get(name).map_or(Duration::ZERO, |entry| now.saturating_sub(entry.due))
    }

    /// A visit ended.
    pub fn done(&mut self, name: &IloName, outcome: Outcome, now: Duration) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        let Some(was_sick) = entry.flying.take() else { return };
        self.in_flight -= 1;
        self.sick_in_flight -= usize::from(was_sick);
        if entry.leaving {
            self.entries.remove(name);
            return;
        }
        let outcome = match outcome {
            Outcome::Again if entry.again => Outcome::Failed(None),
            other => other,
        };
        entry.again = outcome == Outcome::Again;
        match outcome {
            Outcome::Good(_) | Outcome::InLine => entry.failures = 0,
            Outcome::Failed(_) => entry.failures = entry.failures.saturating_add(1),
            Outcome::Again | Outcome::Postponed(_) => {}
        }
        let own = if entry.again { entry.own } else { entry.own.take() };
        let failures = entry.failures;
        if self.turns == Turns::Asked && !matches!(outcome, Outcome::Again | Outcome::Postponed(_)) {
            entry.due = Duration::MAX;
            return;
        }
        let due = match outcome {
            Outcome::Good(within) => {
                let next = self.next_turn(name, now);
                let sooner = within.map_or(next, |within| now + within.max(self.fastest));
                // A visit that only looked takes nobody's turn away.
                let own = own.map_or(next, |own| own.max(now + self.fastest));
                next.min(sooner).min(own)
            }
            Outcome::InLine => now + in_line(name, now),
            Outcome::Failed(wait) => now + self.backoff(name, failures).max(wait.unwrap_or_default().min(BACKOFF_MAX)),
            Outcome::Again => now,
            Outcome::Postponed(until) => until,
        };
        self.queue(name, due);
    }

    /// iLOs whose visit is overdue by more than an interval.
    pub fn late(&self, now: Duration) -> usize {
        self.entries
            .values()
            .filter(|entry| entry.flying.is_none() && entry.due.saturating_add(self.every) < now)
            .count()
    }

    fn queue(&mut self, name: &IloName, due: Duration) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        entry.due = due;
        if entry.failures == 0 { &mut self.healthy } else { &mut self.sick }.insert((due, name.clone()));
    }

    /// An iLO's own place in the interval: a hash of its name, so that a fleet spreads by itself, and the
    /// same way after each start.
    fn phase(&self, name: &IloName) -> Duration {
        let every_ms = u64::try_from(self.every.as_millis()).unwrap_or(u64::MAX).max(1);
        Duration::from_millis(hash(name, 0) % every_ms)
    }

    /// The next moment of an iLO's own, at least half an interval away.
    fn next_turn(&self, name: &IloName, now: Duration) -> Duration {
        let every_ms = self.every.as_millis().max(1);
        let phase_ms = self.phase(name).as_millis();
        let earliest_ms = now.as_millis() + every_ms / 2;
        let rounds = earliest_ms.saturating_sub(phase_ms).div_ceil(every_ms);
        Duration::from_millis(u64::try_from(phase_ms + rounds * every_ms).unwrap_or(u64::MAX))
    }

    /// Twice as long after each failure, and up to an eighth more by the name, so that iLOs behind one
    /// broken switch do not come back in step.
    fn backoff(&self, name: &IloName, failures: u32) -> Duration {
        let doubled = self.every.saturating_mul(1 << failures.saturating_sub(1).min(16));
        let wait = doubled.min(BACKOFF_MAX.max(self.every));
        let eighth_ms = u64::try_from(wait.as_millis() / 8).unwrap_or(u64::MAX).max(1);
        wait + Duration::from_millis(hash(name, failures) % eighth_ms)
    }
}

/// A place in a full table goes to whoever asks first, so we ask often, but not in step with others.
fn in_line(name: &IloName, now: Duration) -> Duration {
    let salt = u32::try_from(now.as_secs() % u64::from(u32::MAX)).unwrap_or_default();
    IN_LINE + Duration::from_millis(hash(name, salt) % 10_000)
}

fn hash(name: &IloName, salt: u32) -> u64 {
    let mut hasher = DefaultHasher::new();
    (name.as_str(), salt).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod laws;

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<IloName> {
        (0..count).map(|number| IloName::new(&format!("ilo-{number}.example.net"))).collect()
    }

    fn schedule(names: &[IloName], places: usize) -> Schedule {
        let poll = Poll { visits_at_once: places, ..Poll::default() };
        let mut schedule = Schedule::new(&poll, Turns::Own);
        schedule.replace(names.iter(), &poll, Duration::ZERO);
        schedule
    }

    /// Runs visits that take no time, until `end`; each visit and when it was made.
    fn run(
        schedule: &mut Schedule,
        end: Duration,
        mut outcome: impl FnMut(&IloName) -> Outcome,
    ) -> Vec<(Duration, IloName)> {
        let (mut now, mut made) = (Duration::ZERO, Vec::new());
        loop {
            match schedule.next(now) {
                Next::Due(name) => {
                    let outcome = outcome(&name);
                    schedule.done(&name, outcome, now);
                    made.push((now, name));
                }
                Next::Wait(Some(until)) if until <= end => now = until,
                Next::Wait(_) => return made,
            }
        }
    }

    #[test]
    fn the_first_round_spreads_over_the_interval_and_each_keeps_its_turn() {
        let names = names(600);
        let mut schedule = schedule(&names, 64);
        let made = run(&mut schedule, Duration::from_secs(600), |_| Outcome::Good(None));
        assert_eq!(made.len(), 6000);
        for second in 0..60 {
            let here = made.iter().filter(|(at, _)| at.as_secs() == second).count();
            assert!(here < 30, "{here} visits in second {second}");
        }
        let turns: Vec<_> = made.iter().filter(|(_, name)| *name == names[7]).map(|(at, _)| *at).collect();
        assert!(turns.windows(2).all(|pair| pair[1].saturating_sub(pair[0]) == Duration::from_secs(60)), "{turns:?}");
    }

    #[test]
    fn a_visit_in_flight_is_not_made_twice_and_places_are_bounded() {
        let names = names(10);
        let mut schedule = schedule(&names, 3);
        let now = Duration::from_secs(60);
        let first: Vec<_> = (0..3).map(|_| schedule.next(now)).collect();
        assert!(first.iter().all(|next| matches!(next, Next::Due(_))), "{first:?}");
        assert_eq!(schedule.next(now), Next::Wait(None));
        let Next::Due(done) = &first[0] else { panic!("not due") };
        schedule.done(done, Outcome::Good(None), now);
        let mut seen = first.clone();
        while let Next::Due(name) = schedule.next(now) {
            assert!(!seen.contains(&Next::Due(name.clone())), "{name} twice");
            seen.push(Next::Due(name.clone()));
            schedule.done(&name, Outcome::Good(None), now);
        }
        assert_eq!(seen.len(), 10);
    }

    #[test]
    fn the_sick_share_a_quarter_of_the_places_and_delay_nobody() {
        let names = names(40);
        let mut schedule = schedule(&names, 8);
        run(&mut schedule, Duration::from_secs(60), |name| {
            if name.as_str() < "ilo-2" { Outcome::Failed(None) } else { Outcome::Good(None) }
        });
        let now = Duration::from_secs(1000);
        let mut sick = 0;
        let mut due = Vec::new();
        while let Next::Due(name) = schedule.next(now) {
            sick += usize::from(name.as_str() < "ilo-2");
            due.push(name);
        }
        assert_eq!((due.len(), sick), (8, 0), "the healthy come first");
        for name in due {
            schedule.done(&name, Outcome::Good(None), now);
        }
        let mut hanging = 0;
        while let Next::Due(name) = schedule.next(now) {
            if name.as_str() < "ilo-2" {
                hanging += 1;
            } else {
                schedule.done(&name, Outcome::Good(None), now);
            }
        }
        assert_eq!(hanging, 2, "a quarter of 8");
    }

    #[test]
    fn who_failed_once_is_visited_again_also_where_the_healthy_take_every_place() {
        let names = names(8);
        let mut schedule = schedule(&names, 1);
        let (mut now, mut visits) = (Duration::from_secs(60), BTreeMap::new());
        // Half a minute each: eight of them don't fit into a minute.
        while now < Duration::from_secs(7200) {
            let Next::Due(name) = schedule.next(now) else { panic!("nobody is due") };
            now += Duration::from_secs(30);
            let outcome = if name == names[3] { Outcome::Failed(None) } else { Outcome::Good(None) };
            schedule.done(&name, outcome, now);
            *visits.entry(name).or_insert(0) += 1;
        }
        // Left alone for ten minutes each time, and then it waits for a place.
        assert!(visits[&names[3]] >= 9, "{visits:?}");
    }

    #[test]
    fn failures_stretch_the_interval_up_to_ten_minutes_and_a_success_resets_it() {
        let names = names(1);
        let mut schedule = schedule(&names, 1);
        let made = run(&mut schedule, Duration::from_secs(7200), |_| Outcome::Failed(None));
        let gaps: Vec<u64> = made.windows(2).map(|pair| pair[1].0.saturating_sub(pair[0].0).as_secs()).collect();
        for (gap, expected) in gaps.iter().zip([60, 120, 240, 480, 600, 600, 600]) {
            assert!(*gap >= expected && *gap <= expected * 9 / 8, "{gaps:?}");
        }
        let Next::Wait(Some(at)) = schedule.next(Duration::from_secs(7200)) else { panic!("due") };
        assert_eq!(schedule.next(at), Next::Due(names[0].clone()));
        schedule.done(&names[0], Outcome::Good(None), at);
        let Next::Wait(Some(next)) = schedule.next(at) else { panic!("due") };
        assert!((30..=90).contains(&next.saturating_sub(at).as_secs()));
    }

    #[test]
    fn an_ilo_that_asks_for_time_gets_it_within_reason() {
        let names = names(1);
        for (asked_s, least_s, most_s) in [(300, 300, 301), (1, 60, 68), (86_400, 600, 601)] {
            let mut schedule = schedule(&names, 1);
            let now = Duration::from_secs(60);
            assert!(matches!(schedule.next(now), Next::Due(_)));
            schedule.done(&names[0], Outcome::Failed(Some(Duration::from_secs(asked_s))), now);
            let Next::Wait(Some(until)) = schedule.next(now) else { panic!("due") };
            let gap_s = until.saturating_sub(now).as_secs();
            assert!((least_s..=most_s).contains(&gap_s), "{gap_s}");
        }
    }

    #[test]
    fn who_is_asked_for_comes_at_once_and_keeps_its_turn_and_its_place_of_the_sick() {
        let names = names(8);
        let mut schedule = schedule(&names, 8);
        run(&mut schedule, Duration::from_secs(60), |name| {
            if *name == names[3] { Outcome::Failed(None) } else { Outcome::Good(None) }
        });
        let now = Duration::from_millis(60_001);
        while let Next::Due(name) = schedule.next(now) {
            schedule.done(&name, Outcome::Good(None), now);
        }
        let turn = schedule.entries[&names[2]].due;
        for name in &names[2..4] {
            schedule.hurry(name, now);
        }
        assert_eq!(schedule.next(now), Next::Due(names[2].clone()), "the healthy first");
        assert_eq!(schedule.next(now), Next::Due(names[3].clone()));
        assert_eq!(schedule.sick_in_flight, 1);
        schedule.hurry(&names[2], now);
        assert!(matches!(schedule.next(now), Next::Wait(_)), "one in flight is not made twice");
        schedule.done(&names[2], Outcome::Good(None), now);
        let next = schedule.entries[&names[2]].due;
        assert_eq!(next.as_millis() % 60_000, turn.as_millis() % 60_000);
    }

    /// Somebody looks every 20 s, for an hour. A look ends nobody, so the visits that do must come all the same.
    #[test]
    fn looks_take_nobody_s_turn_away() {
        let names = names(1);
        let mut schedule = schedule(&names, 8);
        let mut own = 0;
        for second in 0..3600 {
            let now = Duration::from_secs(second);
            let is_asked = second % 20 == 0;
            if is_asked {
                schedule.hurry(&names[0], now);
            }
            while let Next::Due(name) = schedule.next(now) {
                own += u32::from(!is_asked);
                schedule.done(&name, Outcome::Good(None), now);
            }
        }
        assert!((55..=65).contains(&own), "{own} of its own in an hour");
    }

    #[test]
    fn where_turns_are_asked_for_nobody_else_has_one() {
        let names = names(3);
        let poll = Poll { visits_at_once: 8, ..Poll::default() };
        let mut schedule = Schedule::new(&poll, Turns::Asked);
        schedule.replace(names.iter(), &poll, Duration::ZERO);
        let hour = Duration::from_secs(3600);
        assert_eq!((schedule.next(hour), schedule.late(hour)), (Next::Wait(None), 0));
        for outcome in [Outcome::Good(None), Outcome::Failed(None), Outcome::InLine] {
            schedule.hurry(&names[1], hour);
            assert_eq!(schedule.next(hour), Next::Due(names[1].clone()));
            schedule.done(&names[1], outcome, hour);
            assert_eq!(schedule.next(24 * hour), Next::Wait(None), "{outcome:?}");
        }
        schedule.hurry(&names[1], hour);
        assert_eq!(schedule.next(hour), Next::Due(names[1].clone()));
        schedule.done(&names[1], Outcome::Again, hour);
        assert_eq!(schedule.next(hour), Next::Due(names[1].clone()), "once more, where a session of ours was lost");
    }

    #[test]
    fn an_ilo_whose_settings_changed_does_not_wait_for_what_was_wrong_before() {
        let names = names(1);
        let mut schedule = schedule(&names, 1);
        let now = Duration::from_secs(60);
        for outcome in [Outcome::Failed(None), Outcome::Postponed(Duration::from_secs(9999))] {
            let Next::Wait(Some(due)) = schedule.next(Duration::ZERO) else { panic!("due at once") };
            assert!(matches!(schedule.next(due), Next::Due(_)));
            schedule.done(&names[0], outcome, due);
        }
        schedule.afresh(&names[0], now);
        let Next::Wait(Some(until)) = schedule.next(now) else { panic!("due at once") };
        assert!(until <= now + Duration::from_secs(60), "{until:?}");
        assert!(matches!(schedule.next(until), Next::Due(_)));
        schedule.done(&names[0], Outcome::Failed(None), until);
        let Next::Wait(Some(again)) = schedule.next(until) else { panic!("due at once") };
        assert!(again < until + Duration::from_secs(70), "a first failure: {again:?}");
    }

    #[test]
    fn again_is_at_once_and_once_only() {
        let names = names(1);
        let mut schedule = schedule(&names, 1);
        let now = Duration::from_secs(60);
        assert!(matches!(schedule.next(now), Next::Due(_)));
        schedule.done(&names[0], Outcome::Again, now);
        assert!(matches!(schedule.next(now), Next::Due(_)));
        schedule.done(&names[0], Outcome::Again, now);
        assert!(matches!(schedule.next(now), Next::Wait(Some(_))));
    }

    #[test]
    fn who_leaves_is_visited_no_more_and_who_stays_keeps_its_turn() {
        let all = names(20);
        let mut schedule = schedule(&all, 8);
        let now = Duration::from_secs(30);
        let Next::Due(flying) = schedule.next(now) else { panic!("nothing due") };
        let stay: Vec<IloName> = all.iter().filter(|name| **name != flying).take(5).cloned().collect();
        let before: Vec<_> = stay.iter().map(|name| schedule.entries[name].due).collect();
        schedule.replace(stay.iter(), &Poll::default(), now);
        schedule.done(&flying, Outcome::Good(None), now);
        assert_eq!(schedule.entries.keys().cloned().collect::<BTreeSet<_>>(), stay.iter().cloned().collect());
        assert_eq!(before, stay.iter().map(|name| schedule.entries[name].due).collect::<Vec<_>>());
        assert_eq!((schedule.in_flight, schedule.healthy.len()), (0, 5));
    }
}
