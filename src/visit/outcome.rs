//! How a visit, a login and the end of a session come out, each with its name in metrics.

use std::fmt;
use std::time::Duration;

use crate::event::{Cause, Gone, TABLE_FULL};
use crate::redfish::IloError;
use crate::settings::{Fingerprint, IloName};

/// What became of a session that was to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is gone.
    Gone(Gone),
    /// It stays, and why.
    Spared(Stay),
    /// Our account may not end it, by this status.
    Forbidden(u16),
    /// The iLO refused, with this status and perhaps a reason.
    Refused(u16, Option<String>),
    /// The answer was lost. The next visit tells.
    Unknown(String),
}

/// Why a session that was to go stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stay {
    /// Firmware may be on its way into the iLO: what its update service says.
    Flashing(String),
    /// It was gone before we came.
    Gone,
    /// It could not be looked at again, and why.
    Unseen(String),
    /// It was used since it was seen.
    Used,
    /// Something else about it changed.
    Changed,
    /// Deleting is not in force any more, and why.
    NotInForce(String),
    /// The policy in force now keeps it.
    Policy,
    /// The look was too old.
    TooLate,
}

impl Stay {
    /// Its name in metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Flashing(_) => "flashing",
            Self::Gone => "gone",
            Self::Unseen(_) => "unseen",
            Self::Used => "used",
            Self::Changed => "changed",
            Self::NotInForce(_) => "not_in_force",
            Self::Policy => "policy",
            Self::TooLate => "too_late",
        }
    }
}

impl fmt::Display for Stay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flashing(state) => {
                return write!(f, "firmware may be on its way into this iLO (update service: {state})");
            }
            Self::Unseen(why) => return write!(f, "it could not be looked at again: {why}"),
            Self::NotInForce(why) => return write!(f, "deleting is not in force any more: {why}"),
            Self::Gone => "it was gone before we came",
            Self::Used => "it was used since",
            Self::Changed => "it changed since",
            Self::Policy => "the policy in force now keeps it",
            Self::TooLate => "too much time had passed since it was looked at",
        })
    }
}

/// What a login came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginOutcome {
    /// The password was accepted.
    Accepted,
    /// The password or account was not accepted, and the iLO's word for it.
    Rejected(String),
    /// Nobody knows.
    Unknown,
}

/// Why a visit saw nothing, or went no further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VisitError {
    /// No answer, and the kind of reason.
    Unreachable(Cause, String),
    /// The certificate is not the pinned one; nothing was sent.
    CertificateChanged(Fingerprint, Fingerprint),
    /// Another name of the configuration has this iLO already.
    Duplicate(IloName),
    /// It asks to be left alone for so long.
    Busy(Option<Duration>, String),
    /// An answer that makes no sense.
    Nonsense(String),
    /// Our password or account is not accepted, and the iLO's word for it.
    Denied(String),
    /// The table is full, and we hold no session.
    TableFull(String),
    /// We hold no session, and none may be made now.
    NoLoginNow,
    /// The session that we held is not valid any more. The next visit logs in.
    DoorLost,
    /// The replies to our last logins were lost. No further one is sent before some of those can have ended.
    LoginsLost,
    /// The intent to log in could not be written, so none was sent.
    Unwritable(String),
}

impl LoginOutcome {
    /// Its name in metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected(_) => "rejected",
            Self::Unknown => "unknown",
        }
    }
}

impl VisitError {
    /// All names.
    pub const NAMES: [&str; 15] = [
        "dns",
        "refused",
        "timeout",
        "tls",
        "http",
        "nonsense",
        "certificate_changed",
        "duplicate",
        "busy",
        "denied",
        TABLE_FULL,
        "no_login_now",
        "door_lost",
        "logins_lost",
        "unwritable",
    ];

    /// Its name in metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Unreachable(cause, _) => cause.name(),
            Self::CertificateChanged(..) => "certificate_changed",
            Self::Duplicate(_) => "duplicate",
            Self::Busy(..) => "busy",
            Self::Nonsense(_) => "nonsense",
            Self::Denied(_) => "denied",
            Self::TableFull(_) => TABLE_FULL,
            Self::NoLoginNow => "no_login_now",
            Self::DoorLost => "door_lost",
            Self::LoginsLost => "logins_lost",
            Self::Unwritable(_) => "unwritable",
        }
    }
}

impl fmt::Display for VisitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(_, detail) | Self::Busy(_, detail) => f.write_str(detail),
            Self::CertificateChanged(expected, found) => {
                write!(f, "the certificate is {found}, not the pinned {expected}")
            }
            Self::Duplicate(other) => write!(f, "it is the same iLO as {other}"),
            Self::Nonsense(detail) => write!(f, "its answer makes no sense: {detail}"),
            Self::Denied(word) => write!(f, "it does not accept our account or password ({word})"),
            Self::TableFull(word) => write!(f, "its session table is full, so we can't log in ({word})"),
            Self::NoLoginNow => f.write_str("no login is made with this password now"),
            Self::DoorLost => f.write_str("the session that we held is not valid any more"),
            Self::LoginsLost => f.write_str("the replies to the last logins were lost, so none is sent for a while"),
            Self::Unwritable(why) => write!(f, "no login is sent that can't be recorded: {why}"),
        }
    }
}

impl std::error::Error for VisitError {}

impl From<IloError> for VisitError {
    fn from(error: IloError) -> Self {
        let detail = error.to_string();
        match error {
            IloError::Unreachable(cause, detail) => Self::Unreachable(cause, detail),
            IloError::CertificateChanged { expected, found } => Self::CertificateChanged(expected, found),
            IloError::NoValidSession => Self::DoorLost,
            IloError::Busy(wait) => Self::Busy(wait, detail),
            IloError::Status(..) => Self::Unreachable(Cause::Http, detail),
            IloError::Nonsense(detail) => Self::Nonsense(detail),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_failures_are_all_there() {
        let text = String::new;
        let causes = [Cause::Dns, Cause::Refused, Cause::Timeout, Cause::Tls, Cause::Http, Cause::Nonsense];
        let print = Fingerprint::of(b"certificate");
        let others = [
            VisitError::CertificateChanged(print, print),
            VisitError::Duplicate(IloName::new("r1")),
            VisitError::Busy(None, text()),
            VisitError::Nonsense(text()),
            VisitError::Denied(text()),
            VisitError::TableFull(text()),
            VisitError::NoLoginNow,
            VisitError::DoorLost,
            VisitError::LoginsLost,
            VisitError::Unwritable(text()),
        ];
        let all = causes.map(|cause| VisitError::Unreachable(cause, text())).into_iter().chain(others);
        let mut names: Vec<&str> = all.map(|error| error.name()).collect();
        names.sort_unstable();
        names.dedup();
        let mut known = VisitError::NAMES.to_vec();
        known.sort_unstable();
        assert_eq!(names, known);
    }
}
