//! What can be set: the configuration once it is proven good. `config/` makes these values,
//! everyone else only reads them.

mod orders;
mod policy;
mod trust;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::secret::Secret;
use crate::session::Kind;

pub use orders::{Order, Orders, Shield};
pub use policy::{Conditions, Glob, Policy, Protection, Rule};
pub use trust::{Fingerprint, Roots, Trust};

/// One whole configuration.
#[derive(Clone)]
pub struct Settings {
    /// How often and how patiently iLOs are visited.
    pub poll: Poll,
    /// How full a table is, and what counts.
    pub pressure: PressureSettings,
    /// Bounds on destruction.
    pub caps: Caps,
    /// Every iLO of the fleet, by name.
    pub targets: BTreeMap<IloName, Arc<Target>>,
    /// What is told, where and how often.
    pub report: Report,
    /// What becomes of our held sessions at a clean stop.
    pub on_stop: OnStop,
}

/// The name of one iLO, as the configuration writes it. Cheap to copy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IloName(Arc<str>);

impl IloName {
    /// Takes a name over; `config/` has checked it.
    pub fn new(name: &str) -> Self {
        Self(Arc::from(name))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IloName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where an iLO answers: a host name or address, and a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Authority {
    /// A DNS name, an IPv4 address, or an IPv6 address without brackets.
    pub host: String,
    /// TCP port, 443 unless configured.
    pub port: u16,
}

impl Authority {
    /// As it is told to the iLO, which knows nothing of this host's networks (RFC 6874).
    #[must_use]
    pub fn without_zone(&self) -> Self {
        let host = self.host.split_once('%').map_or(self.host.as_str(), |(address, _)| address);
        Self { host: host.to_owned(), port: self.port }
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.host.contains(':'), self.port) {
            (true, 443) => write!(f, "[{}]", self.host),
            (true, port) => write!(f, "[{}]:{port}", self.host),
            (false, 443) => f.write_str(&self.host),
            (false, port) => write!(f, "{}:{port}", self.host),
        }
    }
}

/// Everything that one visit needs to know about its iLO.
#[derive(Clone, PartialEq)]
pub struct Target {
    /// Its name, unique in the fleet.
    pub name: IloName,
    /// The group of the configuration that it came from.
    pub group: String,
    /// Where it answers.
    pub authority: Authority,
    /// Who we are there.
    pub credential: Arc<Credential>,
    /// How its certificate is judged.
    pub trust: Trust,
    /// Whether it is spoken to in old TLS too, as iLO 4 and older need it (`legacy: true`).
    pub legacy: bool,
    /// Who may go.
    pub policy: Arc<Policy>,
    /// Whether they do.
    pub mode: Mode,
}

/// An account that several iLOs may share.
#[derive(Clone, PartialEq)]
pub struct Credential {
    /// Its name in events: the account and where the password comes from.
    pub id: CredentialId,
    /// The account.
    pub username: String,
    /// Its password.
    pub password: Secret,
}

/// Names one credential: `svc-ilo-reaper (/etc/ilo-reaper/secrets/rack-1)`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CredentialId(pub String);

impl fmt::Display for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether what the policy finds is deleted or only told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// Tell what would go, delete nothing.
    #[default]
    Observe,
    /// Delete.
    Enforce,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Observe => "observe",
            Self::Enforce => "enforce",
        })
    }
}

/// How often and how patiently iLOs are visited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poll {
    /// From one visit of a calm iLO to the next.
    pub every: Duration,
    /// An iLO that fills up is looked at sooner, never more often than this.
    pub fastest: Duration,
    /// Visits in flight at most; iLOs whose last visit failed share a quarter of them.
    pub visits_at_once: usize,
    /// TCP and TLS.
    pub connect_timeout: Duration,
    /// One request, to the last byte of its answer.
    pub exchange_timeout: Duration,
    /// One whole visit.
    pub visit_timeout: Duration,
}

impl Default for Poll {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(60),
            fastest: Duration::from_secs(5),
            visits_at_once: 64,
            connect_timeout: Duration::from_secs(5),
            exchange_timeout: Duration::from_secs(15),
            visit_timeout: Duration::from_secs(120),
        }
    }
}

/// How full a table is, and what counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PressureSettings {
    /// Places in the table; `None` is `learn`.
    pub limit: Option<usize>,
    /// The kinds that share the table.
    pub counts: Vec<Kind>,
    /// From here on a table is near its limit.
    pub near: Room,
    /// From here on it is critical.
    pub critical: Room,
}

impl Default for PressureSettings {
    fn default() -> Self {
        Self { limit: None, counts: vec![Kind::Rest, Kind::Web], near: Room::Free(3), critical: Room::Free(1) }
    }
}

/// How full a table is, in four steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pressure {
    /// Room enough.
    Calm,
    /// At most `near` places are free.
    Near,
    /// At most `critical` places are free.
    Critical,
    /// None is free.
    Full,
}

impl fmt::Display for Pressure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Calm => "calm",
            Self::Near => "near",
            Self::Critical => "critical",
            Self::Full => "full",
        })
    }
}

/// Room in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// So many free places.
    Free(usize),
    /// At most this share in use, in percent.
    UsedPercent(u8),
}

impl Room {
    /// The free places that this means in a table of `limit`; a share is rounded so that more is free.
    pub fn free_places(self, limit: usize) -> usize {
        match self {
            Self::Free(places) => places,
            Self::UsedPercent(percent) => limit - limit * usize::from(percent.min(100)) / 100,
        }
    }
}

/// Past a cap nothing more is deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Deletions in one visit.
    pub per_visit: usize,
    /// Deletions on one iLO in any minute.
    pub per_ilo_minute: usize,
    /// Percent of the sessions in one observation that are not ours, but at least one.
    pub share_of_seen_percent: u8,
    /// Deletions in the whole fleet in any minute.
    pub per_minute: usize,
}

impl Default for Caps {
    fn default() -> Self {
        Self { per_visit: 5, per_ilo_minute: 12, share_of_seen_percent: 50, per_minute: 200 }
    }
}

/// What is told, where and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The form of the log.
    pub log: LogFormat,
    /// How often a lasting near-limit is said again.
    pub remind: Duration,
    /// How often the heartbeat comes.
    pub summary: Duration,
    /// Where metrics and status are served.
    pub listen: Option<SocketAddr>,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            log: LogFormat::Auto,
            remind: Duration::from_secs(3600),
            summary: Duration::from_secs(300),
            listen: None,
        }
    }
}

/// The form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// To journald when systemd started us, text on a terminal, JSON otherwise.
    Auto,
    /// To journald, with fields.
    Journald,
    /// A sentence with its fields behind it.
    Text,
    /// One object a line.
    Json,
}

/// What becomes of our held sessions at a clean stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnStop {
    /// They are ended.
    #[default]
    Logout,
    /// They wait in the state for the next start.
    Keep,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_rounded_so_that_more_is_free() {
        assert_eq!(Room::Free(3).free_places(10), 3);
        for (percent, limit, free) in [(70, 10, 3), (70, 8, 3), (75, 10, 3), (100, 10, 0), (0, 10, 10), (99, 1, 1)] {
            assert_eq!(Room::UsedPercent(percent).free_places(limit), free, "{percent}% of {limit}");
        }
    }

    #[test]
    fn an_authority_is_written_as_a_url_needs_it() {
        for (host, port, expected) in [
            ("192.0.2.7", 443, "192.0.2.7"),
            ("192.0.2.7", 8443, "192.0.2.7:8443"),
            ("2001:db8::7", 443, "[2001:db8::7]"),
            ("2001:db8::7", 8443, "[2001:db8::7]:8443"),
        ] {
            assert_eq!(Authority { host: host.into(), port }.to_string(), expected);
        }
    }
}
