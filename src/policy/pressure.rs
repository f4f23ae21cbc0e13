//! How full a table is.

use crate::session::Observation;
use crate::settings::{Pressure, PressureSettings, Room};

/// The places that an iLO's table is taken to have where nothing better is known. No source tells the limit;
/// "10" is one user's word (HewlettPackard/PowerShell-ProLiant-SDK issue 22).
const ASSUMED_LIMIT: usize = 10;

/// What was learned about the size of one iLO's table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Learned {
    /// The entries there were when the iLO itself named its limit by refusing a login.
    pub limit_seen: Option<usize>,
    /// The most entries that were ever seen.
    pub most_used: usize,
}

/// One iLO's table at one observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// Entries of the kinds that share the table, ours among them.
    pub used: usize,
    /// Its places, where that is configured or was seen. What is only assumed arms no rule, and so is not here.
    pub limit: Option<usize>,
    /// How full that is; `None` without a limit.
    pub level: Option<Pressure>,
}

impl Table {
    /// Counts an observation.
    pub fn of(seen: &Observation, settings: &PressureSettings, learned: Learned) -> Self {
        let used = used(seen, settings);
        let limit = settings.limit.or(learned.limit_seen.map(|limit| limit.max(learned.most_used)));
        Self { used, limit, level: limit.map(|limit| level(used, limit, settings)) }
    }

    /// Free places; `None` without a limit.
    pub fn free(&self) -> Option<usize> {
        self.limit.map(|limit| limit.saturating_sub(self.used))
    }

    /// How many must go, beside `gone`, until there is `room`; `None` without a limit.
    pub(super) fn short_of(&self, room: Room, gone: usize) -> Option<usize> {
        let limit = self.limit?;
        let used = self.used.saturating_sub(gone);
        Some((used + room.free_places(limit)).saturating_sub(limit))
    }
}

/// Entries of the kinds that share the table.
pub fn used(seen: &Observation, settings: &PressureSettings) -> usize {
    seen.sessions.iter().filter(|session| settings.counts.contains(&session.kind)).count()
}

/// Where a limit is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitFrom {
    /// The configuration.
    Configured,
    /// The iLO refused a login.
    Seen,
    /// Nowhere.
    Assumed,
}

impl LimitFrom {
    /// Its name in fields.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Configured => "configured",
            Self::Seen => "seen",
            Self::Assumed => "assumed",
        }
    }
}

/// How full a table looks to people: with a limit that may only be assumed. It warns; it deletes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gauge {
    /// Entries in use.
    pub used: usize,
    /// Places.
    pub limit: usize,
    /// Where that is known from.
    pub limit_from: LimitFrom,
}

impl Gauge {
    /// The gauge of a table in which `used` places are in use.
    pub fn of(used: usize, settings: &PressureSettings, learned: Learned) -> Self {
        let (limit, limit_from) = match (settings.limit, learned.limit_seen) {
            (Some(limit), _) => (limit, LimitFrom::Configured),
            (None, Some(limit)) => (limit.max(learned.most_used), LimitFrom::Seen),
            (None, None) => (ASSUMED_LIMIT.max(learned.most_used), LimitFrom::Assumed),
        };
        Self { used, limit, limit_from }
    }

    /// Free places.
    pub fn free(&self) -> usize {
        self.limit.saturating_sub(self.used)
    }

    /// How full it is, if it was at `before`: a level is left only when one place more than that is free, so that
    /// a session that comes and goes is no news each time. An assumed limit can't be full.
    pub fn level(&self, settings: &PressureSettings, before: Pressure) -> Pressure {
        let at = |used: usize| {
            let level = level(used, self.limit, settings);
            if self.limit_from == LimitFrom::Assumed { level.min(Pressure::Critical) } else { level }
        };
        at(self.used).max(at(self.used + 1).min(before))
    }
}

fn level(used: usize, limit: usize, settings: &PressureSettings) -> Pressure {
    let free = limit.saturating_sub(used);
    if free == 0 {
        Pressure::Full
    } else if free <= settings.critical.free_places(limit) {
        Pressure::Critical
    } else if free <= settings.near.free_places(limit) {
        Pressure::Near
    } else {
        Pressure::Calm
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_rises_at_once_and_falls_with_one_place_to_spare() {
        let settings = PressureSettings { limit: Some(10), ..PressureSettings::default() };
        let mut level = Pressure::Calm;
        let mut levels = Vec::new();
        for used in [6, 7, 6, 5, 9, 8, 7, 6, 10, 9, 8, 7, 5] {
            level = Gauge::of(used, &settings, Learned::default()).level(&settings, level);
            levels.push((used, level.to_string()));
        }
        let names: Vec<String> = levels.iter().map(|(used, level)| format!("{used} {level}")).collect();
        assert_eq!(
            names,
            [
                "6 calm",
                "7 near",
                "6 near",
                "5 calm",
                "9 critical",
                "8 critical",
                "7 near",
                "6 near",
                "10 full",
                "9 full",
                "8 critical",
                "7 near",
                "5 calm"
            ]
        );
    }

    #[test]
    fn a_limit_is_configured_or_seen_or_assumed_and_grows_with_what_is_seen() {
        let learn = PressureSettings::default();
        let configured = PressureSettings { limit: Some(8), ..learn.clone() };
        let learned = |limit_seen, most_used| Learned { limit_seen, most_used };
        for (settings, learned, limit, from) in [
            (&configured, learned(Some(12), 12), 8, LimitFrom::Configured),
            (&learn, learned(Some(9), 6), 9, LimitFrom::Seen),
            (&learn, learned(Some(9), 11), 11, LimitFrom::Seen),
            (&learn, learned(None, 6), 10, LimitFrom::Assumed),
            (&learn, learned(None, 14), 14, LimitFrom::Assumed),
        ] {
            let gauge = Gauge::of(4, settings, learned);
            assert_eq!((gauge.limit, gauge.limit_from), (limit, from), "{learned:?}");
        }
    }

    #[test]
    fn an_assumed_limit_is_critical_at_most() {
        let settings = PressureSettings::default();
        let gauge = Gauge::of(10, &settings, Learned::default());
        assert_eq!((gauge.free(), gauge.level(&settings, Pressure::Calm)), (0, Pressure::Critical));
    }
}
