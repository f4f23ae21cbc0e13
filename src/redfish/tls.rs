//! How rustls judges a certificate: inside the handshake, before a byte of ours is sent.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme};

use super::transport::ExchangeError;
use crate::settings::{Fingerprint, Roots, Trust};

/// Sessions that are kept for resumption: those of one iLO, at one port. rustls rounds up to one server.
const SESSIONS_OF_ONE: usize = 1;

/// What the TLS settings of all iLOs share.
pub(super) struct Mint {
    provider: Arc<CryptoProvider>,
    /// Judges by roots, each as long as somebody uses it: those of a system are hundreds.
    by_roots: Mutex<Vec<(Fingerprint, Weak<WebPkiServerVerifier>)>>,
}

impl Default for Mint {
    fn default() -> Self {
        Self { provider: Arc::new(ring::default_provider()), by_roots: Mutex::default() }
    }
}

impl Mint {
    /// The TLS settings for one iLO: 3 kB, with a store of its own for sessions, so that none is resumed at another
    /// port or under another trust. There are none for an unknown iLO.
    pub(super) fn config(&self, trust: &Trust) -> Result<ClientConfig, Error> {
        let judge = match trust {
            Trust::Roots(roots) => return self.by_roots(roots),
            Trust::Insecure => Judge::Nobody,
            Trust::Pin(pin) | Trust::Known(pin, _) => Judge::Pin(*pin),
            Trust::Unknown => return Err(Error::General(String::from("whom to trust is not known"))),
        };
        self.with_judge(judge)
    }

    /// Settings under which no handshake is ever completed. It fails with a [`Glimpse`] where all is well.
    pub(super) fn glimpse(&self) -> Result<ClientConfig, Error> {
        self.with_judge(Judge::Glimpse)
    }

    fn with_judge(&self, judge: Judge) -> Result<ClientConfig, Error> {
        let judge = Arc::new(Court { judge, provider: Arc::clone(&self.provider) });
        let config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(judge)
            .with_no_client_auth();
        Ok(of_one(config))
    }

    fn by_roots(&self, roots: &Roots) -> Result<ClientConfig, Error> {
        let config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?
            .with_webpki_verifier(self.verifier(roots)?)
            .with_no_client_auth();
        Ok(of_one(config))
    }

    fn verifier(&self, roots: &Roots) -> Result<Arc<WebPkiServerVerifier>, Error> {
        let mut by_roots = self.by_roots.lock().unwrap_or_else(PoisonError::into_inner);
        by_roots.retain(|(_, verifier)| verifier.strong_count() > 0);
        let known = by_roots.iter().find(|(digest, _)| *digest == roots.digest);
        if let Some(verifier) = known.and_then(|(_, verifier)| verifier.upgrade()) {
            return Ok(verifier);
        }
        let mut store = RootCertStore::empty();
        // What can't be read as an authority was told when the configuration was read.
        store.add_parsable_certificates(roots.certificates.iter().map(|der| CertificateDer::from(der.as_slice())));
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(&self.provider))
            .build()
            .map_err(|error| Error::General(error.to_string()))?;
        by_roots.push((roots.digest, Arc::downgrade(&verifier)));
        Ok(verifier)
    }
}

fn of_one(mut config: ClientConfig) -> ClientConfig {
    config.resumption = Resumption::in_memory_sessions(SESSIONS_OF_ONE);
    config
}

/// Who judges the certificate of whoever answers.
#[derive(Debug)]
enum Judge {
    /// Nobody.
    Nobody,
    /// The pin. Names and dates are ignored, as an iLO's own certificate has neither right; the proof that the peer
    /// has the key is not.
    Pin(Fingerprint),
    /// A look is all that is wanted.
    Glimpse,
}

#[derive(Debug)]
struct Court {
    judge: Judge,
    provider: Arc<CryptoProvider>,
}

/// The fingerprint of a certificate whose key the peer has proven to have.
#[derive(Debug)]
pub(super) struct Glimpse(pub(super) Fingerprint);

impl std::fmt::Display for Glimpse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the certificate is {}", self.0)
    }
}

impl std::error::Error for Glimpse {}

impl Court {
    /// The proof that the peer has the certificate's key. Who trusts anybody asks for none: old iLOs show
    /// certificates that this library can't read.
    fn proven(
        &self,
        certificate: &CertificateDer<'_>,
        verified: impl FnOnce() -> Result<HandshakeSignatureValid, Error>,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self.judge {
            Judge::Nobody => Ok(HandshakeSignatureValid::assertion()),
            Judge::Pin(_) => verified(),
            Judge::Glimpse => {
                verified()?;
                Err(Error::Other(OtherError(Arc::new(Glimpse(Fingerprint::of(certificate))))))
            }
        }
    }
}

impl ServerCertVerifier for Court {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Judge::Pin(expected) = self.judge else { return Ok(ServerCertVerified::assertion()) };
        let found = Fingerprint::of(end_entity);
        if found == expected {
            return Ok(ServerCertVerified::assertion());
        }
        Err(Error::Other(OtherError(Arc::new(ExchangeError::CertificateChanged { expected, found }))))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        self.proven(certificate, || verify_tls12_signature(message, certificate, signature, algorithms))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        self.proven(certificate, || verify_tls13_signature(message, certificate, signature, algorithms))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
