//! The authority of a site, whose certificates its people put on their iLOs.

use std::io;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};

use super::certificate::{Certificate, serial_number};

/// Issues certificates that clients can check, where that of the factory proves nothing: its issuer is
/// `Default Issuer (Do not trust)`.
pub struct Authority {
    itself: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// A new one, good for 15 years whatever the clock says.
    pub fn new() -> io::Result<Self> {
        Self::generate().map_err(|error| failed(&error))
    }

    fn generate() -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = lasting(&key, "Simulated Site Authority")?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Ok(Self { itself: CertifiedIssuer::self_signed(params, key)? })
    }

    /// Its own certificate, as clients want it that are to trust it.
    pub fn pem(&self) -> String {
        let text = BASE64.encode(self.itself.der());
        let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
    }

    /// A certificate for the iLO at this address, which stands in it as it does where an iLO 7's signing request has
    /// `IncludeIP` (HPE captures, `HttpsCert`).
    pub fn issue(&self, address: IpAddr) -> io::Result<Certificate> {
        self.sign(address).map_err(|error| failed(&error))
    }

    fn sign(&self, address: IpAddr) -> Result<Certificate, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = lasting(&key, &address.to_string())?;
        params.subject_alt_names = vec![SanType::IpAddress(address)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let der = params.signed_by(&key, &self.itself)?.der().clone();
        Ok(Certificate::of(der, key))
    }
}

fn lasting(key: &KeyPair, common: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2035, 1, 1);
    params.serial_number = Some(serial_number(key));
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common);
    Ok(params)
}

fn failed(error: &rcgen::Error) -> io::Error {
    io::Error::other(format!("cannot make a certificate: {error}"))
}
