//! One event where one cause hits many iLOs at once: a switch is down, a script runs against a whole row.
//! PURE: times are monotonic.
//!
//! The first few of a kind are told as they come, so that a single iLO is told at once. Who follows within a
//! minute waits for its end, and is told in one event with the count and some names. After a minute with many who waited
//! nobody is told one by one in the next; so while an outage lasts, each minute is one event and nothing besides.
//!
//! Whose trouble was told by itself, its end is told by itself: alerts live from the one to the other.
//!
//! A DELETE is never bundled: what became of it is told each time, and the caps bound how many there are.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::event::{Event, Label, Priority};
use crate::settings::IloName;

/// So many of a kind are told one by one in a minute ...
const TOLD_SINGLY: usize = 5;
/// ... and so many of a kind that wakes people, or that tells of one session.
const TOLD_SINGLY_OF_WEIGHT: usize = 50;
/// A minute.
const WINDOW: Duration = Duration::from_secs(60);

/// Events of the last minute, by their name.
#[derive(Clone, Debug, Default)]
pub(super) struct Bundle {
    kinds: BTreeMap<&'static str, Kind>,
    /// What was told of an iLO by itself, and has not ended.
    troubled: BTreeSet<(IloName, Trouble)>,
}

/// What begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Trouble {
    Table,
    Reach,
}

#[derive(Clone, Debug)]
struct Kind {
    since: Duration,
    label: Label,
    priority: Priority,
    /// How many are told one by one in a minute ...
    singly: usize,
    /// ... and how many more in this one.
    singly_left: usize,
    held: BTreeSet<IloName>,
}

impl Bundle {
    /// Takes an event in. It comes back if it is to be told as it is.
    pub(super) fn pass(&mut self, event: Event, now: Duration) -> Option<Event> {
        let Some((ilo, singly)) = event.place().map(|at| at.ilo.clone()).zip(told_singly(&event)) else {
            return Some(event);
        };
        if ends(&event).is_some_and(|trouble| self.troubled.remove(&(ilo.clone(), trouble))) {
            return Some(event);
        }
        let kind = self.kinds.entry(event.name()).or_insert_with(|| Kind {
            since: now,
            label: event.label(),
            priority: event.priority(),
            singly,
            singly_left: singly,
            held: BTreeSet::new(),
        });
        if let Some(left) = kind.singly_left.checked_sub(1) {
            kind.singly_left = left;
            self.troubled.extend(begins(&event).map(|trouble| (ilo, trouble)));
            return Some(event);
        }
        kind.held.insert(ilo);
        None
    }

    /// When the next minute is over.
    pub(super) fn due(&self) -> Option<Duration> {
        self.kinds.values().map(|kind| kind.since + WINDOW).min()
    }

    /// The events of minutes that are over.
    pub(super) fn over(&mut self, now: Duration) -> Vec<Event> {
        let mut told = Vec::new();
        self.kinds.retain(|_, kind| {
            if now.saturating_sub(kind.since) < WINDOW {
                return true;
            }
            kind.since = now;
            let lasts = !kind.held.is_empty();
            kind.singly_left = if kind.held.len() > kind.singly { 0 } else { kind.singly };
            told.extend(kind.take());
            lasts
        });
        told
    }

    /// All events that still wait.
    pub(super) fn rest(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.kinds).into_values().filter_map(|mut kind| kind.take()).collect()
    }
}

impl Kind {
    /// Those who wait, as one event.
    fn take(&mut self) -> Option<Event> {
        let names: Vec<IloName> = std::mem::take(&mut self.held).into_iter().collect();
        let (like, priority) = (self.label, self.priority);
        (!names.is_empty()).then_some(Event::Many { like, priority, ilos: names.len(), names })
    }
}

/// How many of its kind are told one by one in a minute; `None` where all are.
const fn told_singly(event: &Event) -> Option<usize> {
    match event {
        Event::SessionReaped { .. } | Event::ReapFailed { .. } => None,
        Event::SessionWouldReap { .. }
        | Event::SessionSpared { .. }
        | Event::SessionCameBack { .. }
        | Event::StrayEnded { .. }
        | Event::IloCritical { .. }
        | Event::IloRefusedUs { .. }
        | Event::IloFull { .. }
        | Event::IloBlocked { .. } => Some(TOLD_SINGLY_OF_WEIGHT),
        _ => Some(TOLD_SINGLY),
    }
}

/// What begins with an event.
const fn begins(event: &Event) -> Option<Trouble> {
    match event {
        Event::IloNearLimit { .. }
        | Event::IloCritical { .. }
        | Event::IloRefusedUs { .. }
        | Event::IloFull { .. }
        | Event::IloBlocked { .. } => Some(Trouble::Table),
        Event::IloUnreachable { .. } => Some(Trouble::Reach),
        _ => None,
    }
}

/// What ends with an event.
const fn ends(event: &Event) -> Option<Trouble> {
    match event {
        Event::IloRelieved { .. } => Some(Trouble::Table),
        Event::IloReachable { .. } => Some(Trouble::Reach),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Cause, Place};
    use crate::session::SessionId;

    fn reachable(number: usize) -> Event {
        let at = Place { ilo: IloName::new(&format!("r{number}")), group: String::from("rack") };
        Event::IloReachable { at, since: Duration::ZERO }
    }

    fn secs(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn ilos(events: &[Event]) -> Vec<usize> {
        let ilos = |event: &Event| if let Event::Many { ilos, .. } = event { *ilos } else { panic!("{event:?}") };
        events.iter().map(ilos).collect()
    }

    #[test]
    fn a_few_are_told_as_they_come_and_the_others_together() {
        let mut bundle = Bundle::default();
        let told = |number: usize| number < TOLD_SINGLY;
        for number in 0..400 {
            let now = Duration::from_millis(u64::try_from(number).expect("small") * 100);
            assert_eq!(bundle.pass(reachable(number), now).is_some(), told(number), "{number}");
        }
        assert_eq!(bundle.due(), Some(WINDOW));
        assert_eq!(bundle.over(WINDOW.saturating_sub(secs(1))), []);
        let over = bundle.over(WINDOW);
        let [Event::Many { like, priority, ilos: 395, names }] = over.as_slice() else { panic!("{over:?}") };
        assert_eq!((like.name, *priority, names.len()), ("ilo.reachable", Priority::Info, 395));
        assert_eq!(bundle.over(WINDOW * 2), [], "a minute without any");
        assert_eq!((bundle.due(), bundle.over(WINDOW * 9)), (None, Vec::new()));
        assert!(bundle.pass(reachable(7), WINDOW * 9).is_some(), "it begins anew");
        assert_eq!(bundle.rest(), [], "nothing waits");
    }

    #[test]
    fn while_it_lasts_each_minute_is_one_event() {
        let mut bundle = Bundle::default();
        let mut told = Vec::new();
        for second in 0..600 {
            let number = usize::try_from(second).expect("small");
            told.extend((0..9).filter_map(|part| bundle.pass(reachable(number * 9 + part), secs(second))));
            told.extend(bundle.over(secs(second)));
        }
        told.extend(bundle.rest());
        let together = ilos(&told[TOLD_SINGLY..]);
        assert_eq!((together.len(), together.iter().sum::<usize>()), (10, 5400 - TOLD_SINGLY));
    }

    /// A few a minute, for hours: who is told in one event with others is not the same ones each time.
    #[test]
    fn a_trickle_is_told_one_by_one_for_the_most_part() {
        let mut bundle = Bundle::default();
        let mut told = Vec::new();
        for second in 0..3600_u64 {
            let passes = [10, 20, 30, 31, 32, 33, 34].contains(&(second % 60));
            let number = usize::try_from(second).expect("small");
            told.extend(passes.then(|| bundle.pass(reachable(number), secs(second))).flatten());
            told.extend(bundle.over(secs(second)));
        }
        told.extend(bundle.rest());
        let singly = told.iter().filter(|event| matches!(event, Event::IloReachable { .. })).count();
        assert_eq!((singly, told.len()), (60 * TOLD_SINGLY, 60 * (TOLD_SINGLY + 1)));
    }

    /// A switch fails with many iLOs, and works again.
    #[test]
    fn whose_trouble_was_told_by_itself_its_end_is_too() {
        let mut bundle = Bundle::default();
        let unreachable = |number: usize| {
            let at = Place { ilo: IloName::new(&format!("r{number}")), group: String::from("rack") };
            Event::IloUnreachable { at, cause: Cause::Timeout, since: Duration::ZERO, detail: String::new() }
        };
        let number = |event: Event| event.place().map(|at| at.ilo.clone());
        let gone: BTreeSet<_> =
            (0..40).filter_map(|ilo| bundle.pass(unreachable(ilo), Duration::ZERO)).map(number).collect();
        assert_eq!((gone.len(), ilos(&bundle.over(WINDOW))), (TOLD_SINGLY, vec![40 - TOLD_SINGLY]));
        let back: BTreeSet<_> =
            (0..40).rev().filter_map(|ilo| bundle.pass(reachable(ilo), WINDOW)).map(number).collect();
        assert!(back.is_superset(&gone) && back.len() == 2 * TOLD_SINGLY, "{back:?}");
        assert_eq!(ilos(&bundle.rest()), [40 - 2 * TOLD_SINGLY]);
    }

    #[test]
    fn an_ilo_counts_once_and_each_kind_by_itself() {
        let mut bundle = Bundle::default();
        for number in 0..20 {
            bundle.pass(reachable(number % 8), Duration::ZERO);
            let at = Place { ilo: IloName::new("r1"), group: String::from("rack") };
            bundle.pass(Event::VisitBroken { at, detail: String::new() }, Duration::ZERO);
        }
        assert_eq!(ilos(&bundle.over(WINDOW)), [8, 1]);
    }

    #[test]
    fn what_a_person_must_act_on_is_held_back_late_and_deletions_never() {
        let mut bundle = Bundle::default();
        let at = |number: usize| Place { ilo: IloName::new(&format!("r{number}")), group: String::from("rack") };
        let refused = |number| Event::IloRefusedUs { at: at(number), detail: String::new() };
        let failed = |number| Event::ReapFailed {
            at: at(number),
            session: SessionId::read("s1"),
            status: None,
            message_id: None,
        };
        for number in 0..500 {
            assert_eq!(bundle.pass(refused(number), Duration::ZERO).is_some(), number < TOLD_SINGLY_OF_WEIGHT);
            assert!(bundle.pass(failed(number), Duration::ZERO).is_some());
        }
        assert_eq!(ilos(&bundle.rest()), [450]);
    }
}
