//! Why there is no answer, before it is told.

use std::error::Error;
use std::io;

use super::remedy::Fault;
use super::tls::Glimpse;
use super::transport::{ExchangeError, Peer};
use crate::event::Cause;
use crate::session::clean;
use crate::settings::Fingerprint;

/// Bytes of a library's own words that are told.
const DETAIL_MAX: usize = 300;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// A reason, its kind, and what can be done about it.
    Plain { cause: Cause, fault: Option<Fault>, detail: String },
    /// Another certificate than the pinned one.
    Changed(ExchangeError),
    /// The certificate that was to be looked at.
    Glimpse(Fingerprint),
}

impl Failure {
    /// A reason that nothing is known to help against.
    pub(super) fn new(cause: Cause, detail: impl Into<String>) -> Self {
        Self::Plain { cause, fault: None, detail: detail.into() }
    }

    /// A handshake that failed.
    pub(super) fn of_handshake(fault: Option<Fault>, detail: &str) -> Self {
        Self::Plain { cause: Cause::Tls, fault, detail: clean(detail, DETAIL_MAX) }
    }

    /// What a failure of a library means. `connecting`: no request was on its way yet.
    pub(super) fn of(error: &(dyn Error + 'static), otherwise: Cause, connecting: bool) -> Self {
        let (mut cause, mut fault) = (otherwise, None);
        let mut next = Some(error);
        while let Some(error) = next {
            let inner = inner(error);
            if let Some(tls) = inner.unwrap_or(error).downcast_ref::<rustls::Error>() {
                if let Some(word) = own_word(tls) {
                    return word;
                }
                (cause, fault) = (Cause::Tls, Fault::of(tls));
            } else if error.to_string() == "dns error" {
                // hyper-util's resolver gives its errors no type that can be named.
                cause = Cause::Dns;
            } else if let Some(error) = error.downcast_ref::<io::Error>() {
                match error.kind() {
                    io::ErrorKind::TimedOut => cause = Cause::Timeout,
                    // Nobody who refuses a connection took it first.
                    kind if connecting && hung_up(kind) => (cause, fault) = (Cause::Tls, Some(Fault::HungUp)),
                    _ => {}
                }
            }
            next = error.source().or(inner);
        }
        Self::Plain { cause, fault, detail: chain(error) }
    }

    /// Whether old TLS could be the way.
    pub(super) fn is_old(&self) -> bool {
        matches!(self, Self::Plain { fault: Some(fault), .. } if fault.is_old())
    }

    /// What is told: the failure, and what helps.
    pub(super) fn told(self, peer: &Peer) -> ExchangeError {
        match self {
            Self::Changed(error) => error,
            Self::Plain { cause, fault, detail } => {
                let remedy = fault.and_then(|fault| fault.remedy(peer));
                ExchangeError::Failed(cause, remedy.map_or(detail.clone(), |remedy| format!("{detail}; {remedy}")))
            }
            Self::Glimpse(found) => ExchangeError::Failed(Cause::Tls, format!("the certificate is {found}")),
        }
    }
}

/// What our own judges said in a handshake.
fn own_word(error: &rustls::Error) -> Option<Failure> {
    let rustls::Error::Other(other) = error else { return None };
    if let Some(Glimpse(found)) = other.0.downcast_ref() {
        return Some(Failure::Glimpse(*found));
    }
    other.0.downcast_ref::<ExchangeError>().cloned().map(Failure::Changed)
}

/// Whether the other side ended a connection.
pub(super) fn hung_up(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

fn inner<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let inner = error.downcast_ref::<io::Error>()?.get_ref()?;
    Some(inner)
}

/// An error and its causes in one line.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        next = error.source();
    }
    clean(&text, DETAIL_MAX)
}
