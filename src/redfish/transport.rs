//! The seam: one HTTP exchange.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};

use crate::event::Cause;
use crate::settings::{Authority, Fingerprint, IloName, Target, Trust};

/// The longest body that is read from an iLO. A table of 10 sessions is 10 kB; and what is read may become a hundred
/// times as much in memory, where it is made for that.
pub const BODY_BYTES_MAX: usize = 512 * 1024;

/// Whom a request goes to, and how that one proves who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// What people call it.
    pub name: IloName,
    /// Where it answers.
    pub authority: Authority,
    /// How its certificate is judged.
    pub trust: Trust,
    /// Whether old TLS may be spoken.
    pub legacy: bool,
}

impl From<&Target> for Peer {
    fn from(target: &Target) -> Self {
        let Target { name, authority, trust, legacy, .. } = target;
        Self { name: name.clone(), authority: authority.clone(), trust: trust.clone(), legacy: *legacy }
    }
}

/// How long an exchange may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// TCP and TLS, where no connection is open.
    pub connect: Duration,
    /// All of it, to the last byte of the answer.
    pub total: Duration,
}

/// One HTTP exchange. The request's URI is a path of ours with its query; it is sent at most once.
pub trait Transport: Clone + Send + Sync + 'static {
    /// Sends a request and reads the whole answer, [`BODY_BYTES_MAX`] of it at most.
    fn exchange(
        &self,
        peer: &Peer,
        request: Request<Bytes>,
        patience: Patience,
    ) -> impl Future<Output = Result<Response<Bytes>, ExchangeError>> + Send;

    /// These are all iLOs from now on, and how each proves who it is. What was opened under another trust is
    /// closed, and not opened again.
    fn settle(&self, _peers: Vec<Peer>) {}
}

/// Why there is no answer. Whether the iLO did what was asked is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExchangeError {
    /// No answer, and the kind of reason.
    Failed(Cause, String),
    /// The certificate is not the pinned one. Nothing was sent.
    CertificateChanged {
        /// The pin.
        expected: Fingerprint,
        /// What was shown.
        found: Fingerprint,
    },
}

impl fmt::Display for ExchangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(cause, detail) => write!(f, "{}: {detail}", cause.name()),
            Self::CertificateChanged { expected, found } => {
                write!(f, "the certificate is {found}, not the pinned {expected}")
            }
        }
    }
}

impl std::error::Error for ExchangeError {}
