//! What we saw of each session over several visits. It is the only memory that a verdict may use.
//!
//! It knows two things of a session: the longest time between two moves of its `AccessTime`, since whoever
//! pauses for long will do so again; and for how long it stands still by our own monotonic clock, which is
//! all that counts where an iLO's times prove nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::session::{Extent, Observation, Session, SessionId};
use crate::time::Timestamp;

/// How many of its longest gaps a session must be idle for before it may go.
pub(super) const GAPS: u32 = 3;

/// The sessions of one iLO, as they were seen. Times are monotonic, since any fixed moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Witness {
    watched: BTreeMap<SessionId, Watched>,
    /// The iLO's now at the last look at the whole table.
    looked_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Watched {
    login: Option<Timestamp>,
    access: Option<Timestamp>,
    /// When we first saw its access time at this value.
    since: Duration,
    longest_gap: Option<Duration>,
}

impl Witness {
    /// Takes one observation in. Who is not in a whole one is forgotten.
    pub fn watch(&mut self, seen: &Observation, now: Duration) {
        if seen.extent == Extent::Whole {
            self.watched.retain(|id, _| seen.sessions.iter().any(|session| session.id == *id));
            self.looked_at = seen.clock.now().or(self.looked_at);
        }
        for session in &seen.sessions {
            let new = || Watched { login: session.login, access: session.access, since: now, longest_gap: None };
            let watched = self.watched.entry(session.id.clone()).or_insert_with(new);
            // An id that is given again tells of somebody else.
            if session.login.is_some() && watched.login.is_some() && watched.login != session.login {
                *watched = new();
                continue;
            }
            // What is not told today has not moved, for all that we know; it is told again, and then we see.
            if watched.access == session.access || session.access.is_none() {
                continue;
            }
            if watched.access.is_none() {
                *watched = new();
                continue;
            }
            // There may have been more accesses between these two, so the iLO's reading is no shorter than any
            // gap in between. Where its clock proves nothing, ours must do.
            let sound = seen.clock.now().is_some() && !seen.suspects.contains(&session.id);
            let theirs = session.access.zip(watched.access).and_then(|(access, before)| access.since(before));
            let gap = theirs.filter(|_| sound).unwrap_or(now.saturating_sub(watched.since));
            watched.longest_gap = watched.longest_gap.max(Some(gap));
            (watched.access, watched.since) = (session.access, now);
        }
    }

    /// The clock jumped: from here on it shows other times, and this is its now.
    pub fn clock_jumped_to(&mut self, now: Timestamp) {
        self.looked_at = Some(now);
    }

    /// The iLO's now at the last look at the whole table.
    pub fn looked_at(&self) -> Option<Timestamp> {
        self.looked_at
    }

    /// Whether a session was there then.
    pub fn knows(&self, session: &Session) -> bool {
        let same = |watched: &Watched| watched.login.is_none() || watched.login == session.login;
        self.watched.get(&session.id).is_some_and(same)
    }

    /// The longest time between two moves of a session's access time that we saw.
    pub fn longest_gap(&self, id: &SessionId) -> Option<Duration> {
        self.watched.get(id)?.longest_gap
    }

    /// For how long we have seen a session's access time stand still.
    pub fn stands_still(&self, id: &SessionId, now: Duration) -> Option<Duration> {
        let watched = self.watched.get(id)?;
        Some(now.saturating_sub(watched.since))
    }
}
