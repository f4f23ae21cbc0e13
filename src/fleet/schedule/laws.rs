//! What must hold for any delays and any outcomes, while iLOs come, go and change.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::*;
use crate::law::holds;

const HOUR: Duration = Duration::from_secs(3600);

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn a_poll() -> impl Strategy<Value = Poll> {
    (1..120u64, 1..120u64, 1..10usize).prop_map(|(every_s, fastest_s, visits_at_once)| Poll {
        every: Duration::from_secs(every_s),
        fastest: Duration::from_secs(fastest_s.min(every_s)),
        visits_at_once,
        ..Poll::default()
    })
}

fn an_outcome() -> impl Strategy<Value = Outcome> {
    let wait = || option::of((0..1000u64).prop_map(Duration::from_secs));
    prop_oneof![
        4 => Just(Outcome::Good(None)),
        1 => wait().prop_map(Outcome::Good),
        1 => Just(Outcome::InLine),
        2 => wait().prop_map(Outcome::Failed),
        1 => Just(Outcome::Again),
        // So long after the visit ended; the run adds its clock.
        1 => (0..600u64).prop_map(|after_s| Outcome::Postponed(Duration::from_secs(after_s))),
    ]
}

/// A visit: how many milliseconds it takes, and how it ends.
#[derive(Clone, Debug)]
struct Planned {
    takes: Duration,
    outcome: Outcome,
}

fn visits() -> impl Strategy<Value = Vec<Planned>> {
    let takes = prop_oneof![Just(0), 0..20_000u64, 0..120_000u64].prop_map(ms);
    vec((takes, an_outcome()).prop_map(|(takes, outcome)| Planned { takes, outcome }), 1..120)
}

/// A hand on the schedule before one of the visits.
#[derive(Clone, Debug)]
enum Touch {
    Nothing,
    /// The fleet is those whose bit is set.
    Replace(u16, Poll),
    Afresh(usize),
    Hurry(usize),
}

fn a_touch() -> impl Strategy<Value = Touch> {
    prop_oneof![
        12 => Just(Touch::Nothing),
        1 => (any::<u16>(), a_poll()).prop_map(|(members, poll)| Touch::Replace(members, poll)),
        1 => (0..12usize).prop_map(Touch::Afresh),
        1 => (0..12usize).prop_map(Touch::Hurry),
    ]
}

/// A schedule in use, with all that is known of it from outside.
struct Run {
    names: Vec<IloName>,
    schedule: Schedule,
    poll: Poll,
    members: BTreeSet<IloName>,
    /// Visits under way: when each ends and how, and whether it went on a place of the sick.
    flying: BTreeMap<IloName, (Duration, Outcome, bool)>,
    /// iLOs whose last visit failed.
    sick: BTreeSet<IloName>,
    /// iLOs whose last visit is to be made once more.
    again: BTreeSet<IloName>,
    now: Duration,
}

impl Run {
    fn new(count: usize, poll: Poll) -> Self {
        let names: Vec<IloName> = (0..count).map(|number| IloName::new(&format!("ilo-{number}"))).collect();
        let mut schedule = Schedule::new(&poll, Turns::Own);
        schedule.replace(names.iter(), &poll, Duration::ZERO);
        let (members, now) = (names.iter().cloned().collect(), Duration::ZERO);
        let (flying, sick, again) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        Self { names, schedule, poll, members, flying, sick, again, now }
    }

    fn touch(&mut self, touch: Touch) {
        match touch {
            Touch::Nothing => {}
            Touch::Replace(bits, poll) => {
                let is_in = |number: &usize| bits >> number & 1 == 1;
                self.members = (0..self.names.len()).filter(is_in).map(|number| self.names[number].clone()).collect();
                self.schedule.replace(self.members.iter(), &poll, self.now);
                // Who is gone and not under way is forgotten.
                self.sick.retain(|name| self.members.contains(name) || self.flying.contains_key(name));
                self.again.retain(|name| self.members.contains(name) || self.flying.contains_key(name));
                self.poll = poll;
            }
            Touch::Afresh(number) => {
                let name = &self.names[number % self.names.len()];
                self.schedule.afresh(name, self.now);
                self.sick.remove(name);
            }
            Touch::Hurry(number) => self.schedule.hurry(&self.names[number % self.names.len()], self.now),
        }
    }

    /// Starts the visit that is due, if one is. `None` where there is nothing to start now.
    fn start(&mut self, planned: &Planned) -> Result<Option<IloName>, TestCaseError> {
        let places = self.poll.visits_at_once;
        match self.schedule.next(self.now) {
            Next::Wait(until) => {
                prop_assert!(until.is_none_or(|until| until > self.now), "a wait for {:?}", until);
                let some_rest = self.members.iter().any(|name| !self.flying.contains_key(name));
                let full = self.flying.len() >= places || self.sick_flying() >= (places / 4).max(1);
                prop_assert!(until.is_some() || full || !some_rest, "it waits for nothing");
                Ok(None)
            }
            Next::Due(name) => {
                prop_assert!(self.members.contains(&name), "{} is in the fleet no more", name);
                prop_assert!(!self.flying.contains_key(&name), "{} twice at once", name);
                prop_assert!(self.flying.len() < places, "{} places", places);
                let sick = self.sick.contains(&name);
                prop_assert!(!sick || self.sick_flying() < (places / 4).max(1), "{} places, sick {}", places, name);
                let outcome = match planned.outcome {
                    Outcome::Postponed(after) => Outcome::Postponed(self.now + planned.takes + after),
                    other => other,
                };
                self.flying.insert(name.clone(), (self.now + planned.takes, outcome, sick));
                Ok(Some(name))
            }
        }
    }

    fn sick_flying(&self) -> usize {
        self.flying.values().filter(|(.., sick)| *sick).count()
    }

    /// Ends the visits that are over.
    fn end_those_over(&mut self) {
        let is_over =
            |(name, (end, ..)): (&IloName, &(Duration, Outcome, bool))| (*end <= self.now).then(|| name.clone());
        let over: Vec<IloName> = self.flying.iter().filter_map(is_over).collect();
        for name in over {
            let Some((_, outcome, _)) = self.flying.remove(&name) else { continue };
            self.schedule.done(&name, outcome, self.now);
            let second_time = self.again.remove(&name) && outcome == Outcome::Again;
            if !self.members.contains(&name) {
                self.sick.remove(&name);
                continue;
            }
            match outcome {
                Outcome::Good(_) | Outcome::InLine => drop(self.sick.remove(&name)),
                Outcome::Failed(_) => drop(self.sick.insert(name)),
                Outcome::Again if second_time => drop(self.sick.insert(name)),
                Outcome::Again => drop(self.again.insert(name)),
                Outcome::Postponed(_) => {}
            }
        }
    }

    /// Lets time pass until something can happen, and `late` beyond. Whether anything ever can.
    fn pass(&mut self, late: Duration) -> bool {
        let end = self.flying.values().map(|(end, ..)| *end).min();
        // Asked of a copy: it would count as started.
        let due = match self.schedule.clone().next(self.now) {
            Next::Wait(until) => until,
            Next::Due(_) => Some(self.now),
        };
        let Some(next) = [end, due].into_iter().flatten().min() else { return false };
        self.now = self.now.max(next) + late;
        true
    }

    /// Makes all of these visits, each at the moment that the schedule says, but for a loop that wakes late.
    fn make(
        &mut self,
        visits: &[Planned],
        lates: &[Duration],
        touches: Vec<Touch>,
        mut started: impl FnMut(&Self, &IloName) -> Result<(), TestCaseError>,
    ) -> Result<(), TestCaseError> {
        let mut touches = touches.into_iter();
        let mut lates = lates.iter().cycle();
        for planned in visits {
            self.touch(touches.next().unwrap_or(Touch::Nothing));
            loop {
                if let Some(name) = self.start(planned)? {
                    started(self, &name)?;
                    break;
                }
                if !self.pass(lates.next().copied().unwrap_or_default()) {
                    break;
                }
                self.end_those_over();
            }
        }
        Ok(())
    }
}

fn lates() -> impl Strategy<Value = Vec<Duration>> {
    vec(prop_oneof![Just(0), 0..5000u64].prop_map(ms), 1..20)
}

#[test]
fn no_ilo_is_visited_twice_at_once_nor_more_than_there_are_places_nor_more_sick_ones_than_a_quarter() {
    let fleet = (1..12usize, a_poll());
    holds(200, &(fleet, visits(), lates(), vec(a_touch(), 1..40)), |((count, poll), visits, lates, touches)| {
        let mut run = Run::new(count, poll);
        let mut was_full = false;
        run.make(&visits, &lates, touches, |run, _| {
            was_full |= run.flying.len() >= run.poll.visits_at_once;
            Ok(())
        })?;
        // And nothing is lost: whoever is in the fleet is visited once more, and nobody else.
        run.now += HOUR;
        run.end_those_over();
        run.now += 24 * HOUR;
        let good = Planned { takes: Duration::ZERO, outcome: Outcome::Good(None) };
        let mut visited = BTreeSet::new();
        while let Some(name) = run.start(&good)? {
            run.end_those_over();
            prop_assert!(visited.insert(name), "again at once");
        }
        prop_assert_eq!(visited, run.members);
        Ok(was_full)
    });
}

/// Whoever is due comes before all that are due later; the sick after the healthy, but not for longer than an
/// interval. So the wait for a place is bounded by what one round takes, however long all of it goes on.
#[test]
fn nobody_starves_also_where_there_are_too_few_places() {
    let few_places = a_poll().prop_map(|poll| Poll {
        every: poll.every / 4,
        fastest: poll.fastest / 4,
        visits_at_once: 1 + poll.visits_at_once / 4,
        ..poll
    });
    let mostly_good = prop_oneof![20 => Just(Outcome::Good(None)), 1 => an_outcome()];
    let slow = vec((1000..60_000u64, mostly_good), 100..300).prop_map(|visits| {
        let planned = |(takes_ms, outcome)| Planned { takes: ms(takes_ms), outcome };
        visits.into_iter().map(planned).collect::<Vec<_>>()
    });
    holds(100, &(2..7usize, few_places, slow, lates()), |(count, poll, visits, lates)| {
        let longest = visits.iter().map(|planned| planned.takes).max().unwrap_or_default();
        let late = lates.iter().max().copied().unwrap_or_default();
        // Each of the others may be made twice, once more at once, and so may each that is sick or healthy meanwhile.
        let round = (longest + late) * u32::try_from(2 * count).unwrap_or(u32::MAX);
        let bound = poll.every + 2 * round + late;
        let mut run = Run::new(count, poll);
        let mut sick_ones = false;
        run.make(&visits, &lates, Vec::new(), |run, name| {
            let waited = run.now.saturating_sub(run.schedule.entries[name].due);
            sick_ones |= run.sick.contains(name);
            prop_assert!(waited <= bound, "{} waited {:?}, sick {}", name, waited, run.sick.contains(name));
            Ok(())
        })?;
        // Those that never came to their turn waited until now.
        for (name, entry) in &run.schedule.entries {
            let waited = run.now.saturating_sub(entry.due);
            prop_assert!(entry.flying.is_some() || waited <= bound, "{} waits since {:?}", name, waited);
        }
        Ok(sick_ones)
    });
}

/// The gap that each outcome leaves, at least and at most, after so many failures in a row. All from the end of
/// the visit: an iLO that answers slowly is not asked more often for it.
fn gap(poll: &Poll, outcome: Outcome, failures: u32) -> (Duration, Duration) {
    let (half, one_and_a_half) = (poll.every / 2, poll.every + poll.every / 2);
    match outcome {
        Outcome::Good(None) => (half, one_and_a_half),
        Outcome::Good(Some(within)) => {
            let within = within.max(poll.fastest);
            (half.min(within), one_and_a_half.min(within))
        }
        Outcome::InLine => (Duration::from_secs(20), Duration::from_secs(30)),
        Outcome::Failed(asked) => {
            let longest = poll.every.max(Duration::from_secs(600));
            let doubled = (poll.every * 2_u32.pow(failures.min(12) - 1)).min(longest);
            let asked = asked.unwrap_or_default().min(Duration::from_secs(600));
            (doubled.max(asked), (doubled * 9 / 8).max(asked))
        }
        Outcome::Again => (Duration::ZERO, Duration::ZERO),
        Outcome::Postponed(after) => (after, after),
    }
}

#[test]
fn each_outcome_leaves_its_gap_and_who_answers_within_half_an_interval_keeps_its_turn() {
    // So late were the start and the end of each visit.
    let visits = vec((an_outcome(), 0..3000u64, prop_oneof![0..3000u64, 0..120_000u64]), 1..30);
    holds(300, &(a_poll(), visits), |(poll, visits)| {
        let name = IloName::new("ilo-1.example.net");
        let mut schedule = Schedule::new(&poll, Turns::Own);
        schedule.replace([&name].into_iter(), &poll, Duration::ZERO);
        let Next::Wait(Some(mut turn)) = schedule.next(Duration::ZERO) else { return Ok(false) };
        prop_assert!(turn < poll.every);
        let (mut failures, mut again, mut own_turn, mut kept) = (0, false, true, 0);
        for (outcome, late_ms, takes_ms) in visits {
            let begin = turn + ms(late_ms);
            prop_assert_eq!(schedule.next(begin), Next::Due(name.clone()));
            prop_assert_eq!(schedule.next(begin), Next::Wait(None));
            let end = begin + ms(takes_ms);
            let told = match outcome {
                Outcome::Postponed(after) => Outcome::Postponed(end + after),
                other => other,
            };
            schedule.done(&name, told, end);
            let counts_as = if outcome == Outcome::Again && again { Outcome::Failed(None) } else { outcome };
            again = counts_as == Outcome::Again;
            match counts_as {
                Outcome::Failed(_) => failures += 1,
                Outcome::Good(_) | Outcome::InLine => failures = 0,
                Outcome::Again | Outcome::Postponed(_) => {}
            }
            let (least, most) = gap(&poll, counts_as, failures);
            let next = schedule.entries[&name].due;
            let found = next.saturating_sub(end);
            // In whole milliseconds.
            prop_assert!(found + ms(1) >= least && found <= most + ms(1), "{:?} leaves {:?}", counts_as, found);
            if counts_as == Outcome::Good(None) {
                if own_turn && end <= turn + poll.every / 2 {
                    prop_assert_eq!(next, turn + poll.every);
                    kept += 1;
                }
                own_turn = true;
            } else {
                own_turn = false;
            }
            turn = next;
        }
        Ok(kept > 0)
    });
}
