//! How fast a table fills. PURE: times are monotonic.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use crate::session::{Observation, SessionId};

/// How far back a table's growth is looked at.
const WINDOW: Duration = Duration::from_secs(300);
/// An iLO is looked at so many times before its table can be full.
const LOOKS_BEFORE_FULL: u32 = 4;

/// What the last observations of one table tell.
#[derive(Clone, Debug, Default)]
pub(super) struct Growth {
    known: BTreeSet<SessionId>,
    /// When, the entries in use then, and how many of them had not been there before.
    looks: VecDeque<(Duration, usize, usize)>,
}

impl Growth {
    /// Takes one whole observation in, of a table with `used` entries.
    pub(super) fn see(&mut self, seen: &Observation, used: usize, now: Duration) {
        let ids: BTreeSet<SessionId> = seen.sessions.iter().map(|session| session.id.clone()).collect();
        let arrivals = if self.looks.is_empty() { 0 } else { ids.difference(&self.known).count() };
        self.known = ids;
        self.looks.push_back((now, used, arrivals));
        // The look before the window stays: what arrived since is in it.
        while self.looks.get(1).is_some_and(|(at, ..)| now.saturating_sub(*at) > WINDOW) {
            self.looks.pop_front();
        }
    }

    /// When the table is full, if it goes on as it did; `None` where it does not grow. What left it counts.
    pub(super) fn full_in(&self, free: usize) -> Option<Duration> {
        let ((then, before, _), (now, used, _)) = (self.looks.front()?, self.looks.back()?);
        time_for(free, used.checked_sub(*before)?, now.saturating_sub(*then))
    }

    /// How soon the table must be looked at again, by what arrives and whatever may have left: it could be
    /// full in four times that. The faster of the last look's pace and the window's.
    pub(super) fn look_within(&self, free: usize) -> Option<Duration> {
        let (last, ..) = self.looks.back()?;
        let pace = |looks: usize| {
            let from = self.looks.len().checked_sub(looks + 1)?;
            let arrivals = self.looks.iter().skip(from + 1).map(|(.., arrivals)| arrivals).sum();
            time_for(free, arrivals, last.saturating_sub(self.looks[from].0))
        };
        let full_in = [pace(1), pace(self.looks.len().saturating_sub(1))].into_iter().flatten().min()?;
        Some(full_in / LOOKS_BEFORE_FULL)
    }
}

fn time_for(places: usize, arrivals: usize, took: Duration) -> Option<Duration> {
    let (places, arrivals) = (u32::try_from(places).ok()?, u32::try_from(arrivals).ok()?);
    took.saturating_mul(places).checked_div(arrivals)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{Clock, Extent, Kind, Mine, Own, Session, UserType};
    use crate::time::Timestamp;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn see(growth: &mut Growth, ids: std::ops::Range<usize>, at_s: u64) {
        let session = |number: usize| Session {
            id: SessionId::read(&format!("s{number}")),
            owner: None,
            origin: None,
            kind: Kind::Rest,
            user_type: UserType::Local,
            login: None,
            access: None,
            mine: Mine::No,
        };
        let seen = Observation {
            clock: Clock::Sound(Timestamp::from_unix_s(0)),
            extent: Extent::Whole,
            own: Own { held: SessionId::read("held"), accounts: Vec::new() },
            sessions: ids.clone().map(session).collect(),
            suspects: Vec::new(),
        };
        growth.see(&seen, ids.len(), seconds(at_s));
    }

    #[test]
    fn a_table_at_rest_is_never_full() {
        let mut growth = Growth::default();
        for at_s in [0, 60, 120] {
            see(&mut growth, 0..5, at_s);
            assert_eq!((growth.full_in(5), growth.look_within(5)), (None, None));
        }
    }

    #[test]
    fn a_table_that_fills_is_full_when_the_free_places_are_gone() {
        let mut growth = Growth::default();
        see(&mut growth, 0..2, 0);
        see(&mut growth, 0..4, 60);
        assert_eq!(growth.full_in(6), Some(seconds(180)));
        assert_eq!(growth.look_within(6), Some(seconds(45)));
        see(&mut growth, 0..6, 90);
        assert_eq!(growth.look_within(4), Some(seconds(15)), "the last look's pace is faster");
        assert_eq!(growth.look_within(0), Some(Duration::ZERO));
    }

    #[test]
    fn who_came_counts_for_the_next_look_although_as_many_went() {
        let mut growth = Growth::default();
        see(&mut growth, 0..4, 0);
        see(&mut growth, 2..6, 60);
        assert_eq!(growth.full_in(6), None);
        assert_eq!(growth.look_within(6), Some(seconds(45)));
    }

    #[test]
    fn what_was_long_ago_says_nothing() {
        let mut growth = Growth::default();
        see(&mut growth, 0..4, 0);
        see(&mut growth, 0..8, 60);
        for minute in 2..8 {
            see(&mut growth, 0..8, minute * 60);
        }
        assert_eq!((growth.full_in(2), growth.look_within(2)), (None, None));
    }
}
