//! Certificates of authorities, from a file or from this system.

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::settings::{Fingerprint, Roots};

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const CERTIFICATE: &str = "CERTIFICATE-----";

/// What is wrong in a file of certificates: the line, from 1, where it is one, and why.
pub type Unrooted = (Option<usize>, String);

/// Reads certificates in PEM. Text between them is left alone, as `openssl x509 -text` writes some.
pub fn roots_of_pem(from: &str, text: &str) -> Result<Roots, Vec<Unrooted>> {
    let mut certificates = Vec::new();
    let mut wrong = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(what) = line.trim().strip_prefix(BEGIN) {
            if what != CERTIFICATE {
                let what = what.trim_end_matches('-');
                wrong.push((Some(number), format!("this is a {what}; only certificates belong here")));
            } else if let Some((began, _)) = open.replace((number, String::new())) {
                wrong.push((Some(began), String::from("this certificate has no end")));
            }
        }
        let Some((began, block)) = &mut open else { continue };
        block.push_str(line.trim());
        block.push('\n');
        if line.trim().starts_with(END) {
            match authority(block) {
                Ok(der) => certificates.push(der),
                Err(why) => wrong.push((Some(*began), why)),
            }
            open = None;
        }
    }
    if let Some((began, _)) = open {
        wrong.push((Some(began), String::from("this certificate has no end")));
    }
    if certificates.is_empty() && wrong.is_empty() {
        wrong.push((None, String::from("holds no certificate (`-----BEGIN CERTIFICATE-----`)")));
    }
    if wrong.is_empty() { Ok(roots(from, certificates)) } else { Err(wrong) }
}

fn authority(block: &str) -> Result<Vec<u8>, String> {
    let der = CertificateDer::from_pem_slice(block.as_bytes()).map_err(|error| format!("this is no PEM: {error}"))?;
    let judged = RootCertStore::empty().add(der.clone());
    judged.map_err(|error| format!("this is no certificate of an authority: {error}"))?;
    Ok(der.to_vec())
}

/// The authorities that this system trusts. Those that can't be read are left out, unless all are.
pub fn roots_of_system() -> Result<Roots, String> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let why = found.errors.first().map_or_else(String::new, |error| format!(": {error}"));
        return Err(format!("this system names no authorities that it trusts (package ca-certificates){why}"));
    }
    Ok(roots("this system", found.certs.iter().map(|der| der.to_vec()).collect()))
}

fn roots(from: &str, mut certificates: Vec<Vec<u8>>) -> Roots {
    certificates.sort();
    certificates.dedup();
    let digest = Fingerprint::of(&certificates.concat());
    Roots { from: from.to_owned(), certificates, digest }
}
