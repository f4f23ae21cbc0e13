//! What a handshake failed for, and what helps. PURE.

use rustls::{AlertDescription, CertificateError, Error};

use super::transport::Peer;
use crate::settings::Trust;

/// Why a handshake failed, as far as something can be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// There is no version, key exchange or cipher that both sides speak.
    OldTls,
    /// It hung up in the middle, as old TLS does before what it does not know.
    HungUp,
    /// The certificate has a form that rustls does not read: X.509 v1, most likely.
    OldCertificate,
    /// The proof that it has the certificate's key does not hold, or is of a kind that rustls does not take:
    /// 1024 bits, most likely.
    NoProof,
    /// None of the roots signed the certificate.
    Unsigned,
    /// The certificate is one of an authority, and signed itself.
    Authority,
    /// The certificate is for other names.
    OtherName,
    /// The certificate is not good today.
    Dates,
}

impl Fault {
    /// What rustls complains of.
    pub(super) fn of(error: &Error) -> Option<Self> {
        match error {
            Error::AlertReceived(
                AlertDescription::HandshakeFailure
                | AlertDescription::ProtocolVersion
                | AlertDescription::InsufficientSecurity,
            )
            | Error::PeerIncompatible(_) => Some(Self::OldTls),
            Error::InvalidCertificate(error) => Self::of_certificate(error),
            _ => None,
        }
    }

    fn of_certificate(error: &CertificateError) -> Option<Self> {
        match error {
            CertificateError::BadSignature => Some(Self::NoProof),
            CertificateError::UnknownIssuer => Some(Self::Unsigned),
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Some(Self::OtherName)
            }
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => Some(Self::Dates),
            // The types of webpki's own errors can't be named here.
            other => match format!("{other:?}") {
                text if text.contains("UnsupportedCertVersion") => Some(Self::OldCertificate),
                text if text.contains("CaUsedAsEndEntity") => Some(Self::Authority),
                text if text.contains("UnsupportedSignatureAlgorithm") => Some(Self::NoProof),
                _ => None,
            },
        }
    }

    /// Whether old TLS could be the way.
    pub(super) const fn is_old(self) -> bool {
        matches!(self, Self::OldTls | Self::HungUp | Self::OldCertificate | Self::NoProof)
    }

    /// What helps, as a sentence without its end.
    pub(super) fn remedy(self, peer: &Peer) -> Option<String> {
        let pin = || {
            format!(
                "pin its certificate: `tls: known`, and `ilo-reaper trust {} --write` once you compared it",
                peer.name
            )
        };
        let what = match self {
            Self::NoProof if matches!(peer.trust, Trust::Roots(_)) => {
                "an authority of that name signed its certificate with another key; name that one \
                 (`tls: { ca: FILE }`), or, where a key is of 1024 bits, add `legacy: true`, or"
                    .to_owned()
            }
            fault if fault.is_old() => return (!peer.legacy).then(|| fault.old(peer)),
            Self::Unsigned => "none of the trusted authorities signed its certificate; name the one that did \
                               (`tls: { ca: FILE }`), or"
                .to_owned(),
            Self::Authority => "its certificate signed itself as an authority, which proves nothing here;".to_owned(),
            Self::OtherName => {
                format!("its certificate is for other names than {}; use one of those, or", peer.authority.host)
            }
            _ => "its certificate is not good today; renew it, set this host's clock, or".to_owned(),
        };
        Some(format!("{what} {}", pin()))
    }

    fn old(self, peer: &Peer) -> String {
        let what = match self {
            Self::OldTls => "this iLO seems to speak only old TLS (1.0, 1.1, CBC or RSA key exchange)",
            Self::HungUp => "old iLOs hang up on new TLS; if this is one",
            Self::OldCertificate => "this iLO shows an X.509 v1 certificate",
            _ => {
                "it did not prove that it has the certificate's key. If that is of 1024 bits, as old ones are, it can \
                 prove that only with"
            }
        };
        let separator = if self == Self::NoProof { "" } else { ":" };
        let trust = match peer.trust {
            Trust::Pin(_) => "pin: …",
            Trust::Known(..) | Trust::Unknown => "trust: known",
            Trust::Insecure => "trust: insecure",
            Trust::Roots(_) => "ca: …",
        };
        let build = if cfg!(feature = "legacy-tls") { "" } else { ", in a build with the feature legacy-tls" };
        format!("{what}{separator} `tls: {{ {trust}, legacy: true }}`{build}")
    }
}

/// What is said instead of asking an iLO that `known_ilos` does not know.
pub(super) fn unknown(peer: &Peer) -> String {
    format!(
        "known_ilos has no line for this iLO, so nothing is sent to it: `ilo-reaper trust {} --write` takes one down",
        peer.name
    )
}
