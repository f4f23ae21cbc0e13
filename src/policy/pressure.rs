//! How full a table is.

use crate::session::Observation;
use crate::settings::{Pressure, PressureSettings, Room};

/// One iLO's table at one observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// Entries of the kinds that share the table, ours among them.
    pub used: usize,
    /// Its places, where that is configured. What is only assumed arms no rule, and so is not here.
    pub limit: Option<usize>,
    /// How full that is; `None` without a limit.
    pub level: Option<Pressure>,
}

impl Table {
    /// Counts an observation.
    pub fn of(seen: &Observation, settings: &PressureSettings) -> Self {
        let used = seen.sessions.iter().filter(|session| settings.counts.contains(&session.kind)).count();
        let level = settings.limit.map(|limit| level(used, limit, settings));
        Self { used, limit: settings.limit, level }
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
