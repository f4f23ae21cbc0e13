//! One rule and one session: whether all conditions hold, and the numbers that were compared.

use std::fmt;
use std::time::Duration;

use super::guard;
use super::plan::Circumstances;
use crate::session::{Observation, Session};
use crate::settings::{Conditions, Rule};
use crate::time::Timestamp;

/// What two readings of clocks in whole seconds may differ by, ours and an iLO's.
const READINGS: Duration = Duration::from_secs(3);

/// Why a session may go: the rule, and what was compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The id of the rule.
    pub rule: String,
    /// Each condition as it held: `idle 900 s >= 600 s`.
    pub compared: Vec<String>,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.rule, self.compared.join(", "))
    }
}

/// What a rule is asked about.
pub(super) struct Question<'a> {
    pub(super) seen: &'a Observation,
    pub(super) session: &'a Session,
    pub(super) around: &'a Circumstances<'a>,
}

impl Question<'_> {
    /// Time since login, on the iLO's clock.
    pub(super) fn age(&self) -> Option<Duration> {
        self.since(self.session.login)
    }

    /// Time since the last access that proves anything: on the iLO's clock, or, where that proves nothing, as
    /// long as we saw it stand still.
    pub(super) fn idle(&self) -> Option<Duration> {
        let access = self.session.proven_access()?;
        if self.seen.clock.now().is_some() && !self.seen.suspects.contains(&self.session.id) {
            return self.since(Some(access));
        }
        self.around.witness.stands_still(&self.session.id, self.around.now)
    }

    fn since(&self, time: Option<Timestamp>) -> Option<Duration> {
        sound_now(self.seen, self.session)?.since(time?)
    }

    /// The reason, if every condition of `rule` is proven.
    pub(super) fn answer(&self, rule: &Rule) -> Option<Reason> {
        let mut compared = Vec::new();
        self.who(&rule.conditions, &mut compared)?;
        self.when(&rule.conditions, &mut compared)?;
        Some(Reason { rule: rule.id.clone(), compared })
    }

    fn who(&self, asked: &Conditions, compared: &mut Vec<String>) -> Option<()> {
        let session = self.session;
        if !asked.kinds.contains(&session.kind) || !asked.user_types.contains(&session.user_type) {
            return None;
        }
        if let Some(globs) = &asked.owner {
            let glob = globs.iter().find(|glob| session.owner.as_ref().is_some_and(|owner| glob.matches(owner)))?;
            compared.push(format!("owner fits {glob}"));
        }
        let origin = session.origin?;
        let inside = guard::is_inside(origin);
        let mut nets = asked.origin.iter().flatten().filter(|net| guard::contains(net, origin));
        let named = nets.find(|net| !inside || guard::names_inside(net));
        if inside || asked.origin.is_some() {
            compared.push(format!("origin in {}", named?));
        }
        Some(())
    }

    fn when(&self, asked: &Conditions, compared: &mut Vec<String>) -> Option<()> {
        if asked.superseded {
            compared.push(format!("superseded by {}", self.successor()?.id));
        }
        if asked.never_used {
            let (login, access) = (self.session.login?, self.session.proven_access()?);
            sound_now(self.seen, self.session)?;
            compared.push((login == access).then(|| String::from("never used"))?);
        }
        if let Some(asked) = asked.idle {
            compared.push(at_least("idle", self.idle()?, asked)?);
        }
        if let Some(asked) = asked.age {
            compared.push(at_least("age", self.age()?, asked)?);
        }
        if let Some(asked) = asked.when {
            let level = self.around.table.level.filter(|level| *level >= asked)?;
            let (used, limit) = (self.around.table.used, self.around.table.limit?);
            compared.push(format!("{level} >= {asked} with {used} of {limit} used"));
        }
        Some(())
    }

    /// A session that took this one's place: of the same owner, origin and kind, logged in after this one
    /// was last used. An access in the second of that login may have come after it. Of several, the latest.
    fn successor(&self) -> Option<&Session> {
        let Self { seen, session, around } = *self;
        let access = session.proven_access()?;
        let others = seen
            .sessions
            .iter()
            .filter(|other| !seen.suspects.contains(&other.id) && same_client(other, session) && !seen.is_own(other));
        // Where a session's own times prove nothing, we saw it stand still since before the other one logged in.
        if seen.suspects.contains(&session.id) {
            let stands_still = around.witness.stands_still(&session.id, around.now)?;
            let age = |other: &Session| sound_now(seen, other)?.since(other.login?);
            let newer = others.filter(|other| age(other).is_some_and(|age| age + READINGS < stands_still));
            return newer.max_by_key(|other| (other.login, &other.id));
        }
        let (now, login) = (sound_now(seen, session)?, session.login?);
        let is_newer = |other: Timestamp| other > login && other > access && other <= now;
        others.filter(|other| other.login.is_some_and(is_newer)).max_by_key(|other| (other.login, &other.id))
    }
}

/// The iLO's now, where it and the session's times can be true together: its login, its last access, now.
pub(super) fn sound_now(seen: &Observation, session: &Session) -> Option<Timestamp> {
    let now = seen.clock.now().filter(|_| !seen.suspects.contains(&session.id))?;
    [session.login, session.access, Some(now)].into_iter().flatten().is_sorted().then_some(now)
}

/// Whether two sessions are of the same owner, origin and kind, all known.
pub(super) fn same_client(one: &Session, other: &Session) -> bool {
    one.owner.is_some()
        && one.owner == other.owner
        && one.origin.is_some()
        && one.origin == other.origin
        && one.kind == other.kind
}

fn at_least(what: &str, found: Duration, asked: Duration) -> Option<String> {
    (found >= asked).then(|| format!("{what} {} s >= {} s", found.as_secs(), asked.as_secs()))
}
