//! The HTTPS front: one simulated iLO behind a real socket.
//!
//! Here time passes and bytes travel; what they mean is decided in the core. An iLO 5 answers with
//! chunked bodies over kept-alive HTTP/1.1 connections (HPE Redfish docs, "iLO 5 adaptation"), so this
//! does too, but where the answer tells its length: that of an iLO 4.

mod authority;
mod body;
mod certificate;

use std::collections::BTreeMap;
use std::fmt;
use std::future::pending;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue};
use http::{Method, Request, Response, Version};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::ilo::Ilo;
use crate::log::Logged;
use crate::moment::Moment;
use crate::reply::{Delivery, Reply};
pub use authority::Authority;
use body::Body;
pub use certificate::Certificate;

/// The longest request body that is read; a longer one closes the connection.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// How long a front that cannot accept (out of file descriptors, say) waits before it tries again.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// What a front needs of the world it stands in. Fronts that share one live in the same world.
#[derive(Clone)]
pub struct World {
    clock: Arc<dyn Fn() -> Moment + Send + Sync>,
    observer: Option<Arc<Observer>>,
    seen_as: BTreeMap<IpAddr, IpAddr>,
}

type Observer = dyn Fn(&str, &Logged) + Send + Sync;

impl World {
    /// A world whose true time `clock` tells.
    pub fn new(clock: impl Fn() -> Moment + Send + Sync + 'static) -> Self {
        Self { clock: Arc::new(clock), observer: None, seen_as: BTreeMap::new() }
    }

    /// Shows clients that connect from `from` as `shown`, so that clients on one machine have addresses
    /// of their own.
    #[must_use]
    pub fn seen_as(mut self, from: IpAddr, shown: IpAddr) -> Self {
        self.seen_as.insert(from, shown);
        self
    }

    /// Hands every request to `observer`, with the name of its iLO, instead of keeping it in the iLO's log.
    /// The iLO is locked meanwhile: the observer sees requests in the order in which they took effect.
    #[must_use]
    pub fn observed_by(mut self, observer: impl Fn(&str, &Logged) + Send + Sync + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("seen_as", &self.seen_as).finish_non_exhaustive()
    }
}

/// A simulated iLO on the network. It leaves, and drops its connections, when this is dropped.
#[derive(Debug)]
pub struct Front {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    ilo: Arc<Mutex<Ilo>>,
    world: World,
    identity: Mutex<Identity>,
}

/// A certificate, and the TLS settings made of it.
#[derive(Debug)]
struct Identity {
    certificate: Certificate,
    tls: Arc<ServerConfig>,
}

impl Identity {
    fn new(certificate: Certificate) -> io::Result<Self> {
        let tls = Arc::new(certificate.server_config()?);
        Ok(Self { certificate, tls })
    }
}

impl Front {
    /// Puts `ilo` behind `listener`, with a fresh certificate of the factory's kind. To be called inside a
    /// tokio runtime with time and I/O; one thread is enough.
    ///
    /// Fails where the listener has no address or no certificate can be made.
    pub fn serve(listener: TcpListener, ilo: Arc<Mutex<Ilo>>, world: World) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let serial = lock(&ilo).serial().to_owned();
        let identity = Mutex::new(Identity::new(Certificate::factory(&serial)?)?);
        let shared = Arc::new(Shared { ilo, world, identity });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, accepting })
    }

    /// The address and port it listens on.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The iLO behind it.
    pub fn ilo(&self) -> &Arc<Mutex<Ilo>> {
        &self.shared.ilo
    }

    /// The certificate that new connections are shown.
    pub fn certificate(&self) -> Certificate {
        lock(&self.shared.identity).certificate.clone()
    }

    /// The fingerprint of [`certificate`](Self::certificate): `sha256:` and 64 hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        self.certificate().fingerprint()
    }

    /// Shows new connections another certificate, as after a factory reset or a change of name. TLS
    /// sessions begun under the old one cannot be resumed; connections that are open stay.
    pub fn replace_certificate(&self, certificate: Certificate) -> io::Result<()> {
        *lock(&self.shared.identity) = Identity::new(certificate)?;
        Ok(())
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // The connections belong to this task: when it is aborted, they are too.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(converse(stream, peer.ip().to_canonical(), Arc::clone(&shared)));
                }
                Err(_) => tokio::time::sleep(ACCEPT_AGAIN_AFTER).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// One connection, from its handshake to its end. However it ends, nobody needs to know: clients open
/// TLS connections only to drop them (HPE's `ilorest` does), and a lost reply is meant to look like this.
async fn converse(stream: TcpStream, peer: IpAddr, shared: Arc<Shared>) {
    let tls = Arc::clone(&lock(&shared.identity).tls);
    let Ok(stream) = TlsAcceptor::from(tls).accept(stream).await else { return };
    let peer = shared.world.seen_as.get(&peer).copied().unwrap_or(peer);
    let service = service_fn(move |request| exchange(Arc::clone(&shared), peer, request));
    let _ended = hyper::server::conn::http1::Builder::new()
        .title_case_headers(true)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// Why a connection closes without an answer.
#[derive(Debug)]
enum Closed {
    /// The request's body broke off or was too long.
    Request,
    /// The reply is lost on purpose.
    ReplyLost,
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Request => "the request cannot be read",
            Self::ReplyLost => "the reply is lost",
        })
    }
}

impl std::error::Error for Closed {}

async fn exchange(shared: Arc<Shared>, peer: IpAddr, request: Request<Incoming>) -> Result<Response<Body>, Closed> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, BODY_BYTES_MAX).collect().await.map_err(|_| Closed::Request)?.to_bytes();
    let request = Request::from_parts(head, body);
    let Reply { response, after, delivery } = shared.handle(peer, &request);
    if !after.is_zero() {
        tokio::time::sleep(after).await;
    }
    match delivery {
        Delivery::Whole => Ok(dressed(&request, response)),
        Delivery::Lost => Err(Closed::ReplyLost),
        Delivery::Never => pending().await,
    }
}

impl Shared {
    fn handle(&self, peer: IpAddr, request: &Request<Bytes>) -> Reply {
        let now = (self.world.clock)();
        let mut ilo = lock(&self.ilo);
        let reply = ilo.handle(now, peer, request);
        if let Some(observer) = &self.world.observer {
            for logged in ilo.take_log() {
                observer(&ilo.spec().name, &logged);
            }
        }
        reply
    }
}

/// The response as hyper sends it: chunked, and saying that the connection stays, as captures show.
fn dressed(request: &Request<Bytes>, response: Response<Bytes>) -> Response<Body> {
    let (mut head, bytes) = response.into_parts();
    let leaves = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"close");
    if request.version() == Version::HTTP_11 && !request.headers().get_all(CONNECTION).iter().any(leaves) {
        head.headers.entry(CONNECTION).or_insert(HeaderValue::from_static("keep-alive"));
    }
    Response::from_parts(head, Body::new(bytes, request.method() == Method::HEAD))
}

/// The guard, also where another holder panicked: what a test broke, it may still look at.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
