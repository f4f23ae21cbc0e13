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

/// The most sessions that are watched. An iLO that shows more, part by part, makes them up; who is not watched never stood
/// still.
const WATCHED_MAX: usize = 1024;

/// The longest pause that is believed where times are of two clocks. A host may sleep for a weekend, and an iLO that lost
/// its time is years behind.
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// The sessions of one iLO, as they were seen. Times are monotonic, since any fixed moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Witness {
    watched: BTreeMap<SessionId, Watched>,
    /// The iLO's now at the last look at the whole table.
    looked_at: Option<Timestamp>,
    /// When that was, sound or not.
    last_look: Option<Duration>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Watched {
    login: Option<Timestamp>,
    access: Option<Timestamp>,
    /// When we first saw its access time at this value.
    since: Duration,
    /// The look before that: it was used no earlier.
    before: Duration,
    /// When we last saw it at this value.
    seen_at: Duration,
    longest_gap: Option<Duration>,
    /// Since when whole tables leave it out.
    left_out: Option<Duration>,
    /// When it was first seen, its times were those of the clock.
    was_sound: bool,
    /// The iLO's now at the last look that told it, at the least.
    told_at: Option<Timestamp>,
}

impl Witness {
    /// Who is not told for so long is forgotten: a table may leave one out for a few looks.
    pub const LINGERS: Duration = Duration::from_secs(600);

    /// Takes one observation in. Whoever whole ones leave out for ten minutes is forgotten.
    pub fn watch(&mut self, seen: &Observation, now: Duration) {
        if seen.extent == Extent::Whole {
            self.watched.retain(|id, watched| {
                let is_told = seen.sessions.iter().any(|session| session.id == *id);
                is_told || now.saturating_sub(*watched.left_out.get_or_insert(now)) < Self::LINGERS
            });
            self.looked_at = seen.clock.now().or(self.looked_at);
        }
        for session in &seen.sessions {
            let (login, access, before) = (session.login, session.access, self.last_look.unwrap_or(now));
            let sound = seen.clock.now().is_some() && !seen.suspects.contains(&session.id);
            let new = || Watched {
                login,
                access,
                since: now,
                before,
                seen_at: now,
                longest_gap: None,
                left_out: None,
                was_sound: sound,
                told_at: None,
            };
            if self.watched.len() >= WATCHED_MAX && !self.watched.contains_key(&session.id) {
                continue;
            }
            let watched = self.watched.entry(session.id.clone()).or_insert_with(new);
            watched.left_out = None;
            // An id that is given again tells of somebody else.
            if session.login.is_some() && watched.login.is_some() && watched.login != session.login {
                *watched = new();
                continue;
            }
            // What is not told today has not moved, for all that we know; it is told again, and then we see.
            if session.access.is_none() {
                continue;
            }
            if watched.access == session.access {
                watched.seen_at = now;
                continue;
            }
            if watched.access.is_none() {
                *watched = Watched { before: watched.before, ..new() };
                continue;
            }
            // There may have been more accesses between these two, so the iLO's reading is no shorter than any
            // gap in between. Where its clock proves nothing, ours must do, from the look before; but a pause may have
            // begun before we first looked, and whatever the iLO's clock makes of that in reason can only delay.
            let theirs = session.access.zip(watched.access).and_then(|(access, before)| access.since(before));
            let ours = now.saturating_sub(watched.before);
            let gap = match theirs {
                Some(theirs) if sound => theirs,
                Some(theirs) if theirs <= WEEK => theirs.max(ours),
                _ => ours,
            };
            watched.longest_gap = watched.longest_gap.max(Some(gap));
            (watched.before, watched.since, watched.seen_at) = (watched.seen_at, now, now);
            watched.access = session.access;
        }
        if seen.extent == Extent::Whole {
            self.last_look = Some(now);
        }
    }

    /// The clock jumped, at `at` on ours. From here on it shows other times, so that one which is shown again proves
    /// no standing still; and where the whole table was told, `now` is its now.
    pub fn clock_jumped(&mut self, at: Duration, now: Option<Timestamp>) {
        self.looked_at = now.or(self.looked_at);
        self.watched.values_mut().for_each(|watched| watched.since = at);
    }

    /// All these were told by a look for which the iLO's clock showed `at` or more.
    pub fn told(&mut self, sessions: &[Session], at: Timestamp) {
        for session in sessions {
            if let Some(watched) = self.watched.get_mut(&session.id) {
                watched.told_at = Some(at);
            }
        }
    }

    /// Whether a session was used since it was last told, and says that this was before then: by another clock. `slack`
    /// is what two readings may differ by.
    pub fn was_used_by_another_clock(&self, session: &Session, slack: Duration) -> bool {
        let Some(watched) = self.watched.get(&session.id).filter(|_| self.knows(session)) else { return false };
        let is_used = session.access.is_some() && session.access != watched.access;
        let is_before = |(access, told_at): (Timestamp, Timestamp)| access.plus(slack) < told_at;
        is_used && session.access.zip(watched.told_at).is_some_and(is_before)
    }

    /// The iLO's now at the last look at the whole table.
    pub fn looked_at(&self) -> Option<Timestamp> {
        self.looked_at
    }

    /// Whether a session was there then, and it was told how old that one is. Where its login was not told, a sound
    /// access does: whoever logged in before that is the same.
    pub fn knows(&self, session: &Session) -> bool {
        let is_told = |watched: &Watched| match (session.login, watched.login) {
            (None, login) => login.is_some() || watched.access.is_some(),
            (Some(login), None) => watched.was_sound && watched.access.is_some_and(|access| login <= access),
            (login, before) => login == before,
        };
        self.watched.get(&session.id).is_some_and(is_told)
    }

    /// When the whole table was told last, sound or not, by our monotonic clock.
    pub fn last_look(&self) -> Option<Duration> {
        self.last_look
    }

    /// Whether it was told when a session was used.
    pub fn tells_use(&self, id: &SessionId) -> bool {
        self.watched.get(id).is_some_and(|watched| watched.access.is_some())
    }

    /// Who was on lately, and may be on now though the last table left it out; and its login, where that was told.
    pub fn watched(&self) -> impl Iterator<Item = (&SessionId, Option<Timestamp>)> {
        self.watched.iter().map(|(id, watched)| (id, watched.login))
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
