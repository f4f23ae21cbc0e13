//! The certificate of an iLO: that of the factory, or one that a site put in its place.

use std::fmt;
use std::io;
use std::sync::Arc;

use rcgen::{CertificateParams, DistinguishedName, DnType, Issuer, KeyPair, SerialNumber, date_time_ymd};
use ring::digest::{SHA256, digest};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// A certificate and its private key.
#[derive(Clone)]
pub struct Certificate {
    der: CertificateDer<'static>,
    key: Arc<KeyPair>,
}

impl Certificate {
    /// A new certificate of the kind that an iLO makes for itself: subject `ILO` and the serial number,
    /// issuer `Default Issuer (Do not trust)`, good for 15 years, with a serial number of 8 bytes (every
    /// HPE capture). The years are fixed, whatever the clock says.
    ///
    /// A real one has an RSA key of 2048 bits; this has an ECDSA key on P-256, which takes no time to make.
    /// Whether a real one names its host as a subject alternative name too is not known; this does.
    pub fn factory(serial: &str) -> io::Result<Self> {
        Self::generate(serial).map_err(|error| io::Error::other(format!("cannot make a certificate: {error}")))
    }

    fn generate(serial: &str) -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate()?;
        let host = format!("ILO{serial}");
        let mut params = CertificateParams::new([host.clone()])?;
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2035, 1, 1);
        params.distinguished_name = name(&host);
        params.serial_number = Some(serial_number(&key));
        let mut issuer = CertificateParams::default();
        issuer.distinguished_name = name("Default Issuer (Do not trust)");
        let der = params.signed_by(&key, &Issuer::from_params(&issuer, &key))?.der().clone();
        Ok(Self::of(der, key))
    }

    pub(super) fn of(der: CertificateDer<'static>, key: KeyPair) -> Self {
        Self { der, key: Arc::new(key) }
    }

    /// The certificate in DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The SHA-256 of the DER: `sha256:` and 64 hexadecimal digits in lower case.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.der)
    }

    /// TLS 1.2 and 1.3: what an iLO 5 and rustls have in common.
    pub(crate) fn server_config(&self) -> io::Result<ServerConfig> {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(vec![self.der.clone()], key))
            .map_err(io::Error::other)
    }
}

/// `sha256:` and the hash of a certificate's DER in lower-case hexadecimal.
pub(super) fn fingerprint(der: &[u8]) -> String {
    digest(&SHA256, der).as_ref().iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

/// The fingerprint only: the key is nobody's business, not even in a simulation.
impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificate").field(&self.fingerprint()).finish()
    }
}

fn name(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    let parts = [
        (DnType::CountryName, "US"),
        (DnType::StateOrProvinceName, "Texas"),
        (DnType::LocalityName, "Houston"),
        (DnType::OrganizationName, "Hewlett Packard Enterprise"),
        (DnType::OrganizationalUnitName, "ISS"),
        (DnType::CommonName, common),
    ];
    for (kind, value) in parts {
        name.push(kind, value);
    }
    name
}

/// Eight bytes out of the key: two keys under one issuer must not share a number, or clients complain.
pub(super) fn serial_number(key: &KeyPair) -> SerialNumber {
    let hash = digest(&SHA256, key.public_key_raw());
    let mut number: Vec<u8> = hash.as_ref().iter().copied().take(8).collect();
    // The first bit would make it negative, and a leading zero byte would make it shorter.
    number[0] = number[0] & 0x7f | 0x40;
    SerialNumber::from_slice(&number)
}
