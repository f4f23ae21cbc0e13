//! HTTPS to one iLO by reqwest on rustls.

use std::error::Error;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, HeaderValue};
use http::{Request, Response};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tower_layer::Layer;
use tower_service::Service;

use super::failure::Failure;
use super::https::{Body, IDLE_CONNECTION, OVER, Over, USER_AGENT};
use super::tls::Mint;
use super::transport::Peer;
use crate::event::Cause;
use crate::settings::{Authority, Fingerprint};

/// A client for one iLO: its one kept connection, and its own TLS settings.
#[derive(Clone)]
pub(super) struct Modern(reqwest::Client);

impl Modern {
    /// No connection yet.
    pub(super) fn new(mint: &Mint, peer: &Peer) -> Result<Self, Failure> {
        let tls = mint.config(&peer.trust).map_err(|error| Failure::of_handshake(None, &error.to_string()))?;
        Self::with(tls, peer)
    }

    fn with(tls: rustls::ClientConfig, peer: &Peer) -> Result<Self, Failure> {
        let turn = Turn::default();
        let client = reqwest::Client::builder()
            .dns_resolver(Arc::new(Finder { host: peer.authority.host.clone(), turn: turn.clone() }))
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            // A login or a DELETE must not be sent twice. Beneath this, hyper takes another connection only for a request
            // of which it has written nothing.
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .http1_only()
            .connector_layer(Bounded(turn))
            .pool_idle_timeout(IDLE_CONNECTION)
            .pool_max_idle_per_host(1)
            .user_agent(USER_AGENT)
            .build()
            .map_err(|error| Failure::of(&error, Cause::Tls, true))?;
        Ok(Self(client))
    }

    /// Sends a request, once, and reads the whole answer.
    pub(super) async fn exchange(
        &self,
        peer: &Peer,
        request: Request<Bytes>,
        bounds: (Duration, Over),
    ) -> Result<Response<Bytes>, Failure> {
        let (mut head, body) = request.into_parts();
        let authority = if peer.authority.host.contains('%') {
            let told = HeaderValue::from_str(&peer.authority.without_zone().to_string());
            head.headers.insert(HOST, told.map_err(|_| Failure::new(Cause::Nonsense, "its name is no header"))?);
            Authority { host: ZONED.to_owned(), port: peer.authority.port }.to_string()
        } else {
            peer.authority.to_string()
        };
        let url = format!("https://{authority}{}", head.uri);
        let sent = self.0.request(head.method, url).headers(head.headers).body(body).send();
        let mut answer = CONNECT.scope(bounds, sent).await.map_err(|error| failure(&error))?;
        let mut body = Body::default();
        while let Some(piece) = answer.chunk().await.map_err(|error| failure(&error))? {
            body.take(&piece)?;
        }
        let mut response = Response::new(body.whole());
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    }

    /// The certificate that is shown. The handshake is ended before a byte of ours could be sent in it.
    pub(super) async fn glimpse(mint: &Mint, peer: &Peer, connect: Duration) -> Result<Fingerprint, Failure> {
        let tls = mint.glimpse().map_err(|error| Failure::of_handshake(None, &error.to_string()))?;
        let root = Request::get("/").body(Bytes::new());
        let root = root.map_err(|error| Failure::new(Cause::Nonsense, error.to_string()))?;
        match Self::with(tls, peer)?.exchange(peer, root, (connect, Over::default())).await {
            Err(Failure::Glimpse(found)) => Ok(found),
            Err(failure) => Err(failure),
            Ok(_) => Err(Failure::new(Cause::Tls, "a handshake that must fail did not")),
        }
    }
}

/// What a failure of the library means here. The text has no URL: the iLO's name is told beside it.
fn failure(error: &reqwest::Error) -> Failure {
    let otherwise = if error.is_timeout() { Cause::Timeout } else { Cause::Refused };
    match error.source() {
        Some(source) => Failure::of(source, otherwise, error.is_connect()),
        None => Failure::of(error, otherwise, error.is_connect()),
    }
}

/// Stands in URLs for an address with a zone, which no URL can hold.
const ZONED: &str = "zoned.invalid";

/// Which address of a name is tried first. One that says nothing uses up all the time that there is: the next visit
/// begins with another.
#[derive(Clone, Default)]
struct Turn(Arc<AtomicUsize>);

impl Turn {
    fn next(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Finds the host of a line, whatever the URL says.
struct Finder {
    host: String,
    turn: Turn,
}

impl Resolve for Finder {
    fn resolve(&self, _: Name) -> Resolving {
        let (host, turn) = (self.host.clone(), self.turn.0.load(Ordering::Relaxed));
        Box::pin(async move {
            let mut found: Vec<_> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            let first = turn % found.len().max(1);
            found.rotate_left(first);
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

tokio::task_local! {
    /// How long the exchange of this task may connect, and whether its trust is over: one client, and each exchange its
    /// own bounds.
    static CONNECT: (Duration, Over);
}

/// The bound of a connection that its exchange does not wait for any more.
const CONNECT_UNWATCHED: Duration = Duration::from_secs(5);

/// Bounds how long TCP and TLS may take.
#[derive(Clone)]
struct Bounded(Turn);

impl<S> Layer<S> for Bounded {
    type Service = Bound<S>;

    fn layer(&self, connector: S) -> Bound<S> {
        Bound { connector, turn: self.0.clone() }
    }
}

#[derive(Clone)]
struct Bound<S> {
    connector: S,
    turn: Turn,
}

type AnyError = Box<dyn Error + Send + Sync>;

impl<S, R> Service<R> for Bound<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
    S::Error: Into<AnyError>,
{
    type Response = S::Response;
    type Error = AnyError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, AnyError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), AnyError>> {
        self.connector.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, to: R) -> Self::Future {
        let (connecting, turn) = (self.connector.call(to), self.turn.clone());
        let bounds = CONNECT.try_with(Clone::clone);
        let (patience, over) = bounds.unwrap_or_else(|_| (CONNECT_UNWATCHED, Over::default()));
        Box::pin(async move {
            let Ok(connected) = tokio::time::timeout(patience, connecting).await else {
                turn.next();
                let detail = format!("no connection within {} s", patience.as_secs_f32());
                return Err(io::Error::new(io::ErrorKind::TimedOut, detail).into());
            };
            // Nothing of the request is written yet.
            if over.is_set() {
                return Err(io::Error::other(OVER).into());
            }
            connected.map_err(Into::into)
        })
    }
}
