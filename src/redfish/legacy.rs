//! HTTPS to one old iLO by hyper on openssl: TLS 1.0 and 1.1, CBC, RSA key exchange, 1024 bits, SHA-1, X.509 v1.
//!
//! What may be spoken is wide; who may answer is not. The certificate is judged inside the handshake like that of any
//! iLO, and once more before the first request. No TLS session is resumed: openssl does so only if asked.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, HeaderValue, USER_AGENT};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{Connection, SendRequest, handshake};
use hyper_util::rt::TokioIo;
use openssl::error::ErrorStack;
use openssl::ssl::{Ssl, SslContext, SslContextBuilder, SslMethod, SslOptions, SslVerifyMode, SslVersion};
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::X509VerifyFlags;
use openssl::x509::{X509, X509VerifyResult};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout};
use tokio_openssl::SslStream;

use super::failure::{Failure, chain, hung_up};
use super::https::{Body, IDLE_CONNECTION, OVER, Over, USER_AGENT as OURS};
use super::remedy::Fault;
use super::transport::{ExchangeError, Peer};
use crate::event::Cause;
use crate::settings::{Fingerprint, Roots, Trust};

/// Every cipher that openssl has, but those without a certificate and those without encryption. Level 0 is no floor:
/// SHA-1 in signatures and keys of 1024 bits are below every other (`SSL_CTX_set_security_level(3)`).
const CIPHERS: &str = "DEFAULT:!aNULL:!eNULL:@SECLEVEL=0";

// openssl's numbers, by its own names (x509_vfy.h).
const X509_V_OK: i32 = 0;
const X509_V_ERR_CERT_NOT_YET_VALID: i32 = 9;
const X509_V_ERR_CERT_HAS_EXPIRED: i32 = 10;
const X509_V_ERR_HOSTNAME_MISMATCH: i32 = 62;
const X509_V_ERR_IP_ADDRESS_MISMATCH: i32 = 64;

/// What the lines to all old iLOs share.
#[derive(Default)]
pub(super) struct Old {
    /// The settings of openssl without any roots.
    bare: Mutex<Option<SslContext>>,
    /// Those with some, each as long as somebody uses it.
    by_roots: Mutex<Vec<(Fingerprint, Weak<SslContext>)>>,
}

/// A line to one iLO.
#[derive(Clone)]
pub(super) struct Legacy {
    context: Arc<SslContext>,
    /// The connection that is open, between two exchanges.
    kept: Arc<Mutex<Option<Kept>>>,
}

struct Kept {
    sender: SendRequest<Full<Bytes>>,
    since: Instant,
}

impl Old {
    /// No connection yet.
    pub(super) fn way(&self, peer: &Peer) -> Result<Legacy, Failure> {
        let context = match &peer.trust {
            Trust::Roots(roots) => self.by_roots(roots),
            _ => self.bare().map(Arc::new),
        };
        Ok(Legacy { context: context.map_err(|error| broken(&error))?, kept: Arc::default() })
    }

    /// The certificate that is shown, by a handshake alone.
    pub(super) async fn glimpse(&self, peer: &Peer, connect: Duration) -> Result<Fingerprint, Failure> {
        let context = self.bare().map_err(|error| broken(&error))?;
        let anybody = Peer { trust: Trust::Insecure, ..peer.clone() };
        let shaken = async { shake_hands(&context, &anybody, reach(peer, connect).await?).await };
        shown(in_time(connect, shaken).await?.ssl())
    }

    fn bare(&self) -> Result<SslContext, ErrorStack> {
        let mut bare = self.bare.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(context) = &*bare {
            return Ok(context.clone());
        }
        let context = settings()?.build();
        *bare = Some(context.clone());
        Ok(context)
    }

    fn by_roots(&self, roots: &Roots) -> Result<Arc<SslContext>, ErrorStack> {
        let mut by_roots = self.by_roots.lock().unwrap_or_else(PoisonError::into_inner);
        by_roots.retain(|(_, context)| context.strong_count() > 0);
        let known = by_roots.iter().find(|(digest, _)| *digest == roots.digest);
        if let Some(context) = known.and_then(|(_, context)| context.upgrade()) {
            return Ok(context);
        }
        let mut store = X509StoreBuilder::new()?;
        for der in &roots.certificates {
            // As with rustls, what can't be read vouches for nobody.
            if let Ok(certificate) = X509::from_der(der) {
                store.add_cert(certificate)?;
            }
        }
        let mut settings = settings()?;
        // As with rustls, whoever stands in the file is trusted, and not only whoever signed itself.
        settings.verify_param_mut().set_flags(X509VerifyFlags::PARTIAL_CHAIN)?;
        settings.set_cert_store(store.build());
        let context = Arc::new(settings.build());
        by_roots.push((roots.digest, Arc::downgrade(&context)));
        Ok(context)
    }
}

/// Old TLS, whatever this system's own configuration of openssl says. Loads no roots.
fn settings() -> Result<SslContextBuilder, ErrorStack> {
    let mut settings = SslContext::builder(SslMethod::tls_client())?;
    settings.set_options(SslOptions::NO_COMPRESSION | SslOptions::NO_RENEGOTIATION);
    settings.set_min_proto_version(Some(SslVersion::TLS1))?;
    settings.set_cipher_list(CIPHERS)?;
    settings.set_security_level(0);
    Ok(settings)
}

impl Legacy {
    /// Sends a request, once, and reads the whole answer.
    pub(super) async fn exchange(
        &self,
        peer: &Peer,
        request: Request<Bytes>,
        bounds: (Duration, &Over),
    ) -> Result<Response<Bytes>, Failure> {
        let request = addressed(request, peer)?;
        let (mut sender, request) = match self.take() {
            Some(sender) => (sender, request),
            None => (self.connect(peer, bounds).await?, request),
        };
        // A connection that ended while it was kept gives the request back, as long as it took none of it.
        let answer = match send(&mut sender, request).await {
            Ok(answer) => answer,
            Err((_, Some(unsent))) => {
                sender = self.connect(peer, bounds).await?;
                send(&mut sender, unsent).await.map_err(|(error, _)| lost(&error))?
            }
            Err((error, None)) => return Err(lost(&error)),
        };
        let (head, mut pieces) = answer.into_parts();
        let mut body = Body::default();
        while let Some(frame) = pieces.frame().await {
            let frame = frame.map_err(|error| lost(&error))?;
            if let Some(piece) = frame.data_ref() {
                body.take(piece)?;
            }
        }
        self.keep(sender);
        Ok(Response::from_parts(head, body.whole()))
    }

    fn take(&self) -> Option<SendRequest<Full<Bytes>>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let is_good = kept.since.elapsed() < IDLE_CONNECTION && !kept.sender.is_closed();
        is_good.then_some(kept.sender)
    }

    fn keep(&self, sender: SendRequest<Full<Bytes>>) {
        let kept = Kept { sender, since: Instant::now() };
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
    }

    async fn connect(
        &self,
        peer: &Peer,
        (patience, over): (Duration, &Over),
    ) -> Result<SendRequest<Full<Bytes>>, Failure> {
        let connected = async {
            let stream = shake_hands(&self.context, peer, reach(peer, patience).await?).await?;
            handshake(TokioIo::new(stream)).await.map_err(|error| lost(&error))
        };
        let (sender, connection) = in_time(patience, connected).await?;
        if over.is_set() {
            return Err(Failure::new(Cause::Tls, OVER));
        }
        tokio::spawn(carry(connection, Arc::downgrade(&self.kept)));
        Ok(sender)
    }
}

type Carried = Connection<TokioIo<SslStream<TcpStream>>, Full<Bytes>>;

/// Carries what is sent, until the connection ends, nobody holds its other end, or it was idle for too long.
async fn carry(connection: Carried, kept: Weak<Mutex<Option<Kept>>>) {
    let mut connection = std::pin::pin!(connection);
    while timeout(IDLE_CONNECTION, &mut connection).await.is_err() {
        let Some(kept) = kept.upgrade() else { continue };
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        // Without its sender the connection ends.
        *kept = kept.take().filter(|kept| kept.since.elapsed() < IDLE_CONNECTION);
    }
}

/// The request, and who asks whom.
fn addressed(request: Request<Bytes>, peer: &Peer) -> Result<Request<Full<Bytes>>, Failure> {
    let host = HeaderValue::from_str(&peer.authority.without_zone().to_string());
    let host = host.map_err(|_| Failure::new(Cause::Nonsense, "its name is no header"))?;
    let mut request = request.map(Full::new);
    request.headers_mut().insert(HOST, host);
    request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(OURS));
    Ok(request)
}

/// Sends a request. Where it comes back, no byte of it was written.
async fn send(
    sender: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<Response<hyper::body::Incoming>, (hyper::Error, Option<Request<Full<Bytes>>>)> {
    if let Err(error) = sender.ready().await {
        return Err((error, Some(request)));
    }
    sender.try_send_request(request).await.map_err(|mut error| {
        let unsent = error.take_message();
        (error.into_error(), unsent)
    })
}

async fn in_time<T>(patience: Duration, connected: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    timeout(patience, connected).await.unwrap_or_else(|_| {
        let detail = format!("no connection within {} s", patience.as_secs_f32());
        Err(Failure::new(Cause::Timeout, detail))
    })
}

/// The first of its addresses that answers. Each gets an equal part of the time: one that says nothing leaves some to
/// the next.
async fn reach(peer: &Peer, patience: Duration) -> Result<TcpStream, Failure> {
    let there = (peer.authority.host.as_str(), peer.authority.port);
    let addresses = lookup_host(there).await.map_err(|error| Failure::of(&error, Cause::Dns, false))?;
    let addresses: Vec<_> = addresses.collect();
    let each = patience / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
    let mut failure = Failure::new(Cause::Dns, "its name has no address");
    for address in addresses {
        let connected = async {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true).map(|()| stream)
        };
        let connected = async { connected.await.map_err(|error| Failure::of(&error, Cause::Refused, false)) };
        match in_time(each, connected).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// A handshake in which the peer proves whom we trust there.
async fn shake_hands(context: &SslContext, peer: &Peer, stream: TcpStream) -> Result<SslStream<TcpStream>, Failure> {
    let seen = Arc::new(Mutex::new(None));
    let ssl = judging(context, peer, &seen).map_err(|error| broken(&error))?;
    let mut stream = SslStream::new(ssl, stream).map_err(|error| broken(&error))?;
    let shaken = Pin::new(&mut stream).connect().await;
    let seen = *seen.lock().unwrap_or_else(PoisonError::into_inner);
    if let (Some(expected), Some(found)) = (peer.trust.pin(), seen)
        && found != expected
    {
        return Err(Failure::Changed(ExchangeError::CertificateChanged { expected, found }));
    }
    shaken.map_err(|error| {
        // Where openssl is not the judge, what it has against the certificate is not why.
        let is_judge = matches!(peer.trust, Trust::Roots(_));
        let judged = if is_judge { stream.ssl().verify_result() } else { X509VerifyResult::OK };
        of_handshake(&error, judged)
    })?;
    // A pin that nobody looked at is none: no certificate was shown then.
    match peer.trust.pin() {
        Some(expected) if shown(stream.ssl())? != expected => {
            Err(Failure::of_handshake(None, "the certificate was not looked at"))
        }
        _ => Ok(stream),
    }
}

/// One end of a connection, and who judges the certificate of the other. What a judge by pin saw, it writes down.
fn judging(context: &SslContext, peer: &Peer, seen: &Arc<Mutex<Option<Fingerprint>>>) -> Result<Ssl, ErrorStack> {
    let mut ssl = Ssl::new(context)?;
    let host = peer.authority.without_zone().host;
    let address: Option<IpAddr> = host.parse().ok();
    if address.is_none() {
        ssl.set_hostname(&host)?;
    }
    match &peer.trust {
        Trust::Insecure => ssl.set_verify(SslVerifyMode::NONE),
        Trust::Roots(_) => {
            match address {
                Some(address) => ssl.param_mut().set_ip(address)?,
                None => ssl.param_mut().set_host(&host)?,
            }
            ssl.set_verify(SslVerifyMode::PEER);
        }
        trust @ (Trust::Pin(_) | Trust::Known(..) | Trust::Unknown) => {
            let (pin, seen) = (trust.pin(), Arc::clone(seen));
            ssl.set_verify_callback(SslVerifyMode::PEER, move |_, chain| {
                // What openssl has against the certificate is not asked, as with any pin.
                if chain.error_depth() > 0 {
                    return true;
                }
                let der = chain.current_cert().and_then(|certificate| certificate.to_der().ok());
                let found = der.map(|der| Fingerprint::of(&der));
                *seen.lock().unwrap_or_else(PoisonError::into_inner) = found;
                let is_pinned = found.is_some() && found == pin;
                if !is_pinned {
                    chain.set_error(X509VerifyResult::APPLICATION_VERIFICATION);
                }
                is_pinned
            });
        }
    }
    Ok(ssl)
}

fn shown(ssl: &openssl::ssl::SslRef) -> Result<Fingerprint, Failure> {
    let certificate = ssl.peer_certificate();
    let certificate = certificate.ok_or_else(|| Failure::of_handshake(None, "it showed no certificate"))?;
    certificate.to_der().map(|der| Fingerprint::of(&der)).map_err(|error| broken(&error))
}

fn of_handshake(error: &openssl::ssl::Error, judged: X509VerifyResult) -> Failure {
    if let Some(error) = error.io_error() {
        let fault = hung_up(error.kind()).then_some(Fault::HungUp);
        return Failure::of_handshake(fault, &format!("the connection ended in the handshake: {error}"));
    }
    let fault = match judged.as_raw() {
        X509_V_OK => None,
        X509_V_ERR_CERT_NOT_YET_VALID | X509_V_ERR_CERT_HAS_EXPIRED => Some(Fault::Dates),
        X509_V_ERR_HOSTNAME_MISMATCH | X509_V_ERR_IP_ADDRESS_MISMATCH => Some(Fault::OtherName),
        _ => Some(Fault::Unsigned),
    };
    let why = if fault.is_some() { format!(" ({})", judged.error_string()) } else { String::new() };
    let first = error.ssl_error().and_then(|stack| stack.errors().first().and_then(openssl::error::Error::reason));
    Failure::of_handshake(fault, &format!("{}{why}", first.unwrap_or("the connection ended in the handshake")))
}

fn broken(error: &ErrorStack) -> Failure {
    Failure::of_handshake(None, &format!("openssl: {error}"))
}

fn lost(error: &hyper::Error) -> Failure {
    Failure::new(Cause::Refused, chain(error))
}
