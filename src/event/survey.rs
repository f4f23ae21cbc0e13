//! The whole fleet at one moment: what metrics, the status page, its JSON and the command `status` are rendered from.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Place;
use crate::settings::{CredentialId, Mode, Pressure};
use crate::time::Timestamp;

/// This program's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The outcome of a visit that found the table full and held no session: a word of [`Failing::outcome`].
pub const TABLE_FULL: &str = "table_full";

/// The whole fleet at one moment. The loop makes one when it is asked; nobody's password is in it, and no owner.
#[derive(Clone, Debug)]
pub struct Survey {
    /// When, by the host's clock.
    pub at: Timestamp,
    /// When the loop was made, by the host's clock.
    pub started: Timestamp,
    /// Every iLO of the configuration, by name.
    pub ilos: Vec<Standing>,
    /// iLOs whose visit is overdue.
    pub late: usize,
    /// What was counted since the start.
    pub counts: Counts,
    /// Credentials that no new login is made with.
    pub credentials_suspended: Vec<CredentialId>,
    /// Nothing is deleted, whatever the mode, and why.
    pub paused: Option<String>,
    /// Whether what must outlive us could be written the last time.
    pub state_writable: bool,
    /// Events that the log did not take since the start.
    pub events_lost: u64,
    /// How the configuration came in.
    pub reload: Reload,
}

/// How the configuration came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reload {
    /// Whether the last one that was offered is in force.
    pub is_good: bool,
    /// When the one in force came in, by the host's clock.
    pub last_good: Timestamp,
}

/// One iLO, as it was last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its name and group.
    pub at: Place,
    /// Whether its group deletes.
    pub mode: Mode,
    /// Its table; `None` until it was seen whole.
    pub table: Option<Fill>,
    /// When the last visit ended, whatever came of it, by the host's clock.
    pub last_visit: Option<Timestamp>,
    /// What is wrong, if the last visit failed.
    pub failing: Option<Failing>,
}

impl Standing {
    /// How full the table is; `None` until that is known. One that refuses our login is full.
    pub fn pressure(&self) -> Option<Pressure> {
        let refused = self.failing.as_ref().is_some_and(|failing| failing.outcome == TABLE_FULL);
        if refused { Some(Pressure::Full) } else { self.table.as_ref().map(|table| table.pressure) }
    }

    /// Whether the last visit went well; `None` before the first.
    pub fn is_up(&self) -> Option<bool> {
        self.last_visit.map(|_| self.failing.is_none())
    }
}

/// Why the visits of an iLO fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    /// The first visit that failed in a row, by the host's clock.
    pub since: Timestamp,
    /// The last one's outcome, by its name in `visits_total`.
    pub outcome: &'static str,
    /// The same for people.
    pub why: String,
}

/// How full one table is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fill {
    /// Sessions of each kind, by the words of the configuration, `other` and `unknown`; kinds that share the table also
    /// where there is none.
    pub sessions: BTreeMap<&'static str, usize>,
    /// Entries of the kinds that share the table, ours among them.
    pub used: usize,
    /// Places.
    pub limit: usize,
    /// Where that is known from: configured, seen, assumed.
    pub limit_from: &'static str,
    /// How full that was.
    pub pressure: Pressure,
    /// It fills, and the policy lets nothing go.
    pub is_blocked: bool,
    /// When it is full if it goes on as it did in the last minutes; `None` where it does not grow.
    pub full_in: Option<Duration>,
}

/// What was counted since the start. Labels are bounded: names of the configuration, and words of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Sessions ended, by group and rule.
    pub reaped: BTreeMap<(String, String), u64>,
    /// Mode observe: sessions that would have gone, by group and rule.
    pub would_reap: BTreeMap<(String, String), u64>,
    /// Mode observe: those of them that were used again, by group and rule.
    pub came_back: BTreeMap<(String, String), u64>,
    /// Sessions that were to go and stayed, by group and reason.
    pub spared: BTreeMap<(String, &'static str), u64>,
    /// How often a client was found that leaves many sessions behind.
    pub leakers_found: u64,
    /// Deletions held back, by cap; one that lasts counts at each visit.
    pub capped: BTreeMap<&'static str, u64>,
    /// Visits, by group and outcome.
    pub visits: BTreeMap<(String, &'static str), u64>,
    /// Requests to iLOs, by the status of the answer or the cause that there is none.
    pub exchanges: BTreeMap<&'static str, u64>,
    /// Logins sent, by outcome.
    pub logins: BTreeMap<&'static str, u64>,
    /// How long visits took.
    pub visit_duration: Histogram,
    /// How long after their turn visits began.
    pub visit_lag: Histogram,
}

/// How often a duration was how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    bounds: &'static [Duration],
    /// For each bound, and for what is above all; each duration counts in one.
    buckets: Vec<u64>,
    sum: Duration,
}

impl Histogram {
    /// An empty one with these upper bounds, which rise.
    pub fn new(bounds: &'static [Duration]) -> Self {
        Self { bounds, buckets: vec![0; bounds.len() + 1], sum: Duration::ZERO }
    }

    /// Counts one duration.
    pub fn observe(&mut self, took: Duration) {
        let bucket = self.bounds.partition_point(|bound| *bound < took);
        if let Some(bucket) = self.buckets.get_mut(bucket) {
            *bucket += 1;
        }
        self.sum = self.sum.saturating_add(took);
    }

    /// For each bound, how many were no longer than that; last without a bound, how many there were.
    pub fn cumulative(&self) -> impl Iterator<Item = (Option<Duration>, u64)> {
        let bounds = self.bounds.iter().copied().map(Some).chain([None]);
        bounds.zip(self.buckets.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        }))
    }

    /// All of them together.
    pub fn sum(&self) -> Duration {
        self.sum
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_counts_up_to_its_bound_and_in_all_above() {
        const BOUNDS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];
        let mut histogram = Histogram::new(&BOUNDS);
        for took_ms in [0, 1000, 1001, 5000, 60_000] {
            histogram.observe(Duration::from_millis(took_ms));
        }
        let cumulative: Vec<_> = histogram.cumulative().collect();
        assert_eq!(cumulative, [(Some(BOUNDS[0]), 2), (Some(BOUNDS[1]), 4), (None, 5)]);
        assert_eq!((histogram.sum(), histogram.count()), (Duration::from_millis(67_001), 5));
    }
}
