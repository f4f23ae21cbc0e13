//! What can be told: one event per fact. This is the one list of names, priorities and fields;
//! `report/` renders it, and nothing else writes to the log. And [`Survey`]: all that is so at one moment.
//!
//! Foreign text in a field (owners, ids, reasons) was cleaned when it came in.

mod facts;
mod survey;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::session::{Owner, Session, SessionId};
use crate::settings::{CredentialId, Fingerprint, IloName, Mode, Target};
use crate::time::Timestamp;

pub use facts::{Label, Topic};
pub use survey::{Counts, Failing, Fill, Histogram, Reload, Standing, Survey, TABLE_FULL, VERSION};

/// Where an event goes. Telling never waits: what can't be taken is counted by the taker.
pub trait Tell: Send + Sync {
    /// Takes one event.
    fn tell(&self, event: Event);

    /// How many events could not be taken since the start.
    fn lost(&self) -> u64 {
        0
    }
}

/// A shared way to tell.
pub type Teller = Arc<dyn Tell>;

/// How urgent an event is: syslog's scale, without debug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// A person should look now.
    Crit,
    /// A ticket now.
    Err,
    /// Look today.
    Warning,
    /// An audit record.
    Notice,
    /// Good to know.
    Info,
}

impl Priority {
    /// Its name in JSON and text.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crit => "crit",
            Self::Err => "err",
            Self::Warning => "warning",
            Self::Notice => "notice",
            Self::Info => "info",
        }
    }

    /// Its number in syslog.
    pub const fn syslog(self) -> u8 {
        match self {
            Self::Crit => 2,
            Self::Err => 3,
            Self::Warning => 4,
            Self::Notice => 5,
            Self::Info => 6,
        }
    }
}

/// The iLO that an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its name.
    pub ilo: IloName,
    /// Its group.
    pub group: String,
}

impl From<&Target> for Place {
    fn from(target: &Target) -> Self {
        Self { ilo: target.name.clone(), group: target.group.clone() }
    }
}

/// A session that goes, would go, or was held back, and the numbers that decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The session, as it was seen.
    pub session: Session,
    /// Since its login, on the iLO's clock.
    pub age: Option<Duration>,
    /// Since its last access, on the iLO's clock.
    pub idle: Option<Duration>,
    /// The rule that found it, and the numbers compared: `superseded (idle 900 s >= 600 s)`.
    pub why: String,
    /// The id of that rule.
    pub rule: String,
    /// Entries in the table when it was seen.
    pub used: usize,
    /// Places in the table, where that is known.
    pub limit: Option<usize>,
}

/// What became of a session that was to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// Our DELETE ended it.
    Ended,
    /// It had ended by itself when our DELETE came.
    AlreadyGone,
}

impl Gone {
    /// Its name in fields and records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::AlreadyGone => "already_gone",
        }
    }
}

/// How full a table is, and who fills it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Squeeze {
    /// Entries in use.
    pub used: usize,
    /// Places.
    pub limit: usize,
    /// Where that is known from: configured, seen, assumed.
    pub limit_from: &'static str,
    /// Sessions that the rules would let go.
    pub reapable: usize,
    /// Sessions that something protects from the rules.
    pub protected: usize,
    /// When it is full, if it goes on like that.
    pub full_in: Option<Duration>,
    /// Who holds the most entries ...
    pub top_owner: Option<Owner>,
    /// ... from where ...
    pub top_origin: Option<IpAddr>,
    /// ... and how many.
    pub top: usize,
}

impl Squeeze {
    /// Free places.
    pub fn free(&self) -> usize {
        self.limit.saturating_sub(self.used)
    }
}

/// Why an iLO can't be visited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Its name has no address.
    Dns,
    /// It refused the connection.
    Refused,
    /// It did not answer in time.
    Timeout,
    /// No TLS connection could be made.
    Tls,
    /// It answered with a status that we can't use.
    Http,
    /// It answered something that makes no sense.
    Nonsense,
}

impl Cause {
    /// Its name in fields.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Refused => "refused",
            Self::Timeout => "timeout",
            Self::Tls => "tls",
            Self::Http => "http",
            Self::Nonsense => "nonsense",
        }
    }
}

/// One fact, told once.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields of a variant are those of the log, by the same names")]
pub enum Event {
    /// The configuration is good, the state is ours, the loop runs.
    DaemonReady { version: &'static str, ilos: usize, mode: Mode },
    /// A clean stop began.
    DaemonStopping { version: &'static str, ilos: usize, mode: Mode },
    /// The heartbeat: the fleet in one line.
    FleetSummary(Summary),
    /// A new configuration is in force.
    ConfigReloaded { added: usize, removed: usize, changed: usize, bolder: Vec<String> },
    /// A new configuration was refused, the old one stays in force; one event per mistake.
    ConfigRejected { file: String, line: Option<usize>, column: Option<usize>, mistake: String },
    /// A group's passwords go to whoever answers (`tls: insecure`).
    TlsInsecure { group: String, ilos: usize },
    /// A DELETE was answered as done, or the session was gone.
    SessionReaped { at: Place, case: Case, gone: Gone },
    /// This session would go, were it not for the mode, a pause or a state that was lost: which, says `because`.
    SessionWouldReap { at: Place, case: Case, because: String },
    /// A session that was to go stays: it changed, or something forbade it.
    SessionSpared { at: Place, session: SessionId, owner: Option<Owner>, why: String },
    /// A DELETE was refused, or its answer lost.
    ReapFailed { at: Place, session: SessionId, status: Option<u16>, message_id: Option<String> },
    /// A cap held deletions back.
    ReapCapped { at: Place, cap: &'static str, wanted: usize, done: usize },
    /// A table came near its limit, or lasts there.
    IloNearLimit { at: Place, squeeze: Squeeze },
    /// A table is all but full, or lasts so.
    IloCritical { at: Place, squeeze: Squeeze },
    /// A login of ours was refused because the table is full.
    IloRefusedUs { at: Place, detail: String },
    /// A table is full, by a limit that is configured or was seen.
    IloFull { at: Place, squeeze: Squeeze },
    /// A table is near its limit, and the policy lets nothing go: how many for each reason.
    IloBlocked { at: Place, squeeze: Squeeze, why: Vec<String> },
    /// A table has room again.
    IloRelieved { at: Place, used: usize, limit: usize, lasted: Duration },
    /// Mode observe: a session that would have gone was used again, so that verdict was wrong.
    SessionCameBack {
        at: Place,
        session: SessionId,
        owner: Option<Owner>,
        origin: Option<IpAddr>,
        rule: String,
        idle: Option<Duration>,
    },
    /// One account and address left many orphans in a day.
    LeakerFound { owner: Owner, origin: IpAddr, orphans: usize, ilos: usize },
    /// Several visits failed in a row.
    IloUnreachable { at: Place, cause: Cause, since: Duration, detail: String },
    /// The first good visit after that.
    IloReachable { at: Place, since: Duration },
    /// The iLO did not accept our password.
    LoginRejected { at: Place, username: String, retry_in: Duration },
    /// Our account may not end the sessions of others.
    DeleteForbidden { at: Place, username: String },
    /// The certificate is not the pinned one; where the pin is of `known_ilos`, and since when if it says so.
    CertificateChanged {
        at: Place,
        expected: Fingerprint,
        found: Fingerprint,
        is_known: bool,
        known_since: Option<Timestamp>,
    },
    /// Another name of the configuration has the same iLO, and this one is not visited.
    IloDuplicate { at: Place, other: IloName },
    /// The iLO's times can't be true together, or its clock jumped: no age is known.
    ClockWrong { at: Place, skew_s: Option<i64>, why: String },
    /// A session of our own account that no one holds any more was ended.
    StrayEnded { at: Place, session: SessionId, why: String },
    /// No new login is made with this credential until one works.
    CredentialSuspended { credential: CredentialId, rejected_by: Vec<IloName>, retry_in: Duration },
    /// It works again.
    CredentialRestored { credential: CredentialId, accepted_by: IloName },
    /// The state can't be written; nothing is deleted meanwhile.
    StateUnwritable { path: String, cause: String },
    /// It can be written again.
    StateWritable { path: String },
    /// The state was unreadable and set aside; nothing is deleted until a person says so.
    StateReset { path: String, cause: String },
    /// The same happened to many iLOs within a minute: how many more than were told one by one, and who. It has the
    /// label and priority of what it stands for.
    Many { like: Label, priority: Priority, ilos: usize, names: Vec<IloName> },
    /// The brake is on: nobody else's session is ended until then, or until somebody resumes.
    DaemonPaused { by: String, until: Option<Timestamp>, reason: String },
    /// It is off again: who did that, and what the brake was for.
    DaemonResumed { by: String, until: Option<Timestamp>, reason: String },
    /// Somebody protects sessions.
    ProtectionAdded { id: String, what: String, by: String, until: Option<Timestamp>, reason: String },
    /// They are not protected any more: who ended it, and what it was for.
    ProtectionEnded { id: String, what: String, by: String, until: Option<Timestamp>, reason: String },
    /// So many events could not be written.
    EventsLost { count: u64 },
    /// Our own code failed while visiting this iLO; it is left alone until a restart.
    VisitBroken { at: Place, detail: String },
}

/// What the heartbeat tells.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Summary {
    /// iLOs configured.
    pub ilos: usize,
    /// Visits that ended well since the last summary.
    pub visited: usize,
    /// iLOs whose visit is overdue.
    pub late: usize,
    /// iLOs near their limit now.
    pub near: usize,
    /// iLOs all but full now.
    pub critical: usize,
    /// iLOs that are full now.
    pub full: usize,
    /// Sessions ended since the last summary.
    pub reaped: usize,
    /// Sessions that would have gone, since the last summary.
    pub would_reap: usize,
    /// iLOs that can't be visited now.
    pub unreachable: usize,
    /// All but one in a hundred visits since the last summary took no longer than this.
    pub visit_p99: Duration,
}
