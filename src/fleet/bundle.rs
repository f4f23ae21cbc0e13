//! One event where one cause hits many iLOs at once: a switch is down, a script runs against a whole row.
//! PURE: times are monotonic.
//!
//! The first few of a kind are told as they come, so that a single iLO is told at once. Who follows within a
//! minute waits for its end, and is told in one event with the count and some names.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::event::{Event, Priority};
use crate::settings::IloName;

/// So many of a kind are told one by one ...
const TOLD_SINGLY: usize = 5;
/// ... in so long.
const WINDOW: Duration = Duration::from_secs(60);

/// Events of the last minute, by their name.
#[derive(Clone, Debug, Default)]
pub(super) struct Bundle {
    kinds: BTreeMap<&'static str, Kind>,
}

#[derive(Clone, Debug)]
struct Kind {
    since: Duration,
    priority: Priority,
    told: usize,
    held: Vec<IloName>,
}

impl Bundle {
    /// Takes an event in. It comes back if it is to be told as it is.
    pub(super) fn pass(&mut self, event: Event, now: Duration) -> Option<Event> {
        let hits_many = matches!(
            event,
            Event::IloUnreachable { .. }
                | Event::IloReachable { .. }
                | Event::IloNearLimit { .. }
                | Event::IloRelieved { .. }
                | Event::CertificateChanged { .. }
                | Event::IloDuplicate { .. }
                | Event::ClockWrong { .. }
        );
        let Some(ilo) = event.place().map(|at| at.ilo.clone()).filter(|_| hits_many) else { return Some(event) };
        let new = Kind { since: now, priority: event.priority(), told: 0, held: Vec::new() };
        let kind = self.kinds.entry(event.name()).or_insert(new);
        if kind.told < TOLD_SINGLY {
            kind.told += 1;
            return Some(event);
        }
        kind.held.push(ilo);
        None
    }

    /// When the next minute is over.
    pub(super) fn due(&self) -> Option<Duration> {
        self.kinds.values().map(|kind| kind.since + WINDOW).min()
    }

    /// The events of minutes that are over.
    pub(super) fn over(&mut self, now: Duration) -> Vec<Event> {
        let over = |kind: &Kind| now.saturating_sub(kind.since) >= WINDOW;
        let names: Vec<&'static str> =
            self.kinds.iter().filter(|(_, kind)| over(kind)).map(|(name, _)| *name).collect();
        names.into_iter().filter_map(|name| self.close(name)).collect()
    }

    /// All events that still wait.
    pub(super) fn rest(&mut self) -> Vec<Event> {
        let names: Vec<&'static str> = self.kinds.keys().copied().collect();
        names.into_iter().filter_map(|name| self.close(name)).collect()
    }

    fn close(&mut self, name: &'static str) -> Option<Event> {
        let kind = self.kinds.remove(name)?;
        let (priority, names) = (kind.priority, kind.held);
        (!names.is_empty()).then_some(Event::Many { like: name, priority, ilos: names.len(), names })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Place;

    fn reachable(number: usize) -> Event {
        let at = Place { ilo: IloName::new(&format!("r{number}")), group: String::from("rack") };
        Event::IloReachable { at, since: Duration::ZERO }
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
        assert_eq!(bundle.over(WINDOW.saturating_sub(Duration::from_secs(1))), []);
        let over = bundle.over(WINDOW);
        assert!(matches!(over.as_slice(), [Event::Many { like: "ilo.reachable", ilos: 395, .. }]), "{over:?}");
        assert_eq!((bundle.due(), bundle.over(WINDOW * 9)), (None, Vec::new()));
        assert!(bundle.pass(reachable(7), WINDOW).is_some(), "a new minute");
        assert_eq!(bundle.rest(), [], "nothing waits");
    }

    #[test]
    fn what_a_person_must_act_on_is_never_held_back() {
        let mut bundle = Bundle::default();
        for number in 0..50 {
            let at = Place { ilo: IloName::new(&format!("r{number}")), group: String::from("rack") };
            let event = Event::IloRefusedUs { at, detail: String::new() };
            assert!(bundle.pass(event, Duration::ZERO).is_some());
        }
    }
}
