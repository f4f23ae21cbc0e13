//! How an iLO's certificate is judged.

use std::fmt;
use std::sync::Arc;

use crate::time::Timestamp;

/// How an iLO's certificate is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Not at all: whoever answers gets our password. Warned of at every start.
    Insecure,
    /// By the SHA-256 of the certificate, compared inside the handshake.
    Pin(Fingerprint),
    /// The same, by the line of this iLO in `known_ilos`, and when that was written where it says so.
    Known(Fingerprint, Option<Timestamp>),
    /// `known_ilos` has no line for this iLO: nothing is sent to it.
    Unknown,
    /// By who signed it, its names and its dates.
    Roots(Arc<Roots>),
}

impl Trust {
    /// Whether the same certificates are taken, wherever that is written and since when.
    pub fn takes_the_same(&self, other: &Self) -> bool {
        match (self.pin(), other.pin()) {
            (Some(one), Some(other)) => one == other,
            _ => self == other,
        }
    }

    /// The one certificate that is taken, where it is one.
    pub const fn pin(&self) -> Option<Fingerprint> {
        match self {
            Self::Pin(fingerprint) | Self::Known(fingerprint, _) => Some(*fingerprint),
            Self::Insecure | Self::Unknown | Self::Roots(_) => None,
        }
    }
}

/// Certificates that may sign those of iLOs. Two are the same where they hold the same.
pub struct Roots {
    /// Where they come from, for people: a file, or this system.
    pub from: String,
    /// The certificates in DER.
    pub certificates: Vec<Vec<u8>>,
    /// The SHA-256 of all of them. Large fleets are compared at each reload, iLO by iLO.
    pub digest: Fingerprint,
}

impl PartialEq for Roots {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for Roots {}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.certificates.len(), self.from)
    }
}

/// The SHA-256 of a certificate in DER.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// The fingerprint of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(digest.as_ref());
        Self(fingerprint)
    }

    /// Reads `sha256:` and 64 hex digits, with or without colons between them.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: Vec<u8> = text.strip_prefix("sha256:")?.bytes().filter(|byte| *byte != b':').collect();
        let mut fingerprint = [0; 32];
        if digits.len() != 64 {
            return None;
        }
        for (byte, pair) in fingerprint.iter_mut().zip(digits.chunks_exact(2)) {
            let high = char::from(pair[0]).to_digit(16)?;
            let low = char::from(pair[1]).to_digit(16)?;
            *byte = u8::try_from(high * 16 + low).ok()?;
        }
        Some(Self(fingerprint))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::any;
    use proptest::prop_assert_eq;

    use super::*;
    use crate::law::holds;

    #[test]
    fn a_fingerprint_reads_back_as_written() {
        let written = format!("sha256:{}", "0aF9".repeat(16));
        let fingerprint = Fingerprint::parse(&written).expect("64 digits");
        assert_eq!(fingerprint.to_string(), written.to_lowercase());
        let colons = format!("sha256:{}", ["0A"; 32].join(":"));
        assert!(Fingerprint::parse(&colons).is_some());
        for bad in ["", "sha256:", "sha1:00", &written[..70], &format!("{written}0"), &written.replace('F', "g")] {
            assert_eq!(Fingerprint::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn any_fingerprint_reads_back_in_each_spelling() {
        holds(200, &any::<[u8; 32]>(), |digest| {
            let shown = Fingerprint(digest).to_string();
            prop_assert_eq!(Fingerprint::parse(&shown), Some(Fingerprint(digest)));
            let pairs: Vec<String> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
            let colons = format!("sha256:{}", pairs.join(":"));
            prop_assert_eq!(Fingerprint::parse(&colons), Some(Fingerprint(digest)));
            Ok(true)
        });
    }
}
