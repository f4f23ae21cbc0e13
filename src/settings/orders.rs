//! What people order while the daemon runs: the brake, and protections. It outlives a restart, and no
//! configuration changes it.

use std::fmt;

use super::{IloName, Protection};
use crate::session::SessionId;
use crate::time::Timestamp;

/// All orders that stand.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Orders {
    /// The brake: no session of others is ended, on any iLO.
    pub pause: Option<Order>,
    /// Who stays, beside those whom the policies protect.
    pub shields: Vec<Shield>,
}

/// Who ordered something, why and for how long. Times are the host's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Who, as the system tells.
    pub by: String,
    /// Why, in their words.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// It ends then; `None` where somebody must end it.
    pub until: Option<Timestamp>,
}

/// A protection that somebody ordered.
#[derive(Clone, Debug, PartialEq)]
pub struct Shield {
    /// Its id, its conditions, its end.
    pub protection: Protection,
    /// On this iLO alone.
    pub ilo: Option<IloName>,
    /// This session alone. An id may be given again, and then it spares that one too.
    pub session: Option<SessionId>,
    /// Whose it is.
    pub order: Order,
}

impl Orders {
    /// The pause, if it is not over.
    pub fn paused(&self, host_now: Timestamp) -> Option<&Order> {
        self.pause.as_ref().filter(|pause| !pause.is_over(host_now))
    }

    /// The protections on one iLO.
    pub fn shields_on(&self, ilo: &IloName) -> Vec<Shield> {
        let here = |shield: &&Shield| shield.ilo.as_ref().is_none_or(|only| only == ilo);
        self.shields.iter().filter(here).cloned().collect()
    }

    /// When the first of them ends.
    pub fn first_end(&self) -> Option<Timestamp> {
        self.pause.iter().chain(self.shields.iter().map(|shield| &shield.order)).filter_map(|order| order.until).min()
    }
}

impl Order {
    /// Whether its time is over.
    pub fn is_over(&self, host_now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= host_now)
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.by, self.reason)
    }
}

/// What it is about, in the words of the command line.
impl fmt::Display for Shield {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let conditions = &self.protection.conditions;
        let owners = conditions.owner.iter().flatten().map(|glob| format!("owner {glob}"));
        let origins = conditions.origin.iter().flatten().map(|net| format!("origin {net}"));
        let ilo = self.ilo.iter().map(|ilo| format!("ilo {ilo}"));
        let session = self.session.iter().map(|session| format!("session {session}"));
        let all: Vec<String> = owners.chain(origins).chain(ilo).chain(session).collect();
        f.write_str(&all.join(", "))
    }
}
