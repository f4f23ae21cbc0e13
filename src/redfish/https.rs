//! The real transport: reqwest on rustls.

use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};

use super::tls;
use super::transport::{BODY_BYTES_MAX, ExchangeError, Patience, Peer, Transport};
use crate::event::Cause;
use crate::session::clean;
use crate::settings::Trust;

/// How long an idle connection is kept: more than the default poll interval, so that a calm iLO is
/// not asked for a TLS handshake each minute.
const IDLE_CONNECTION: Duration = Duration::from_secs(75);

/// HTTPS to iLOs. Copies share connections.
#[derive(Clone, Default)]
pub struct Https {
    // A client per trust, so that no kept connection and no resumed TLS session outlives the pin that it
    // was made under.
    clients: Arc<Mutex<BTreeMap<(Trust, Duration), reqwest::Client>>>,
}

impl Https {
    /// No connections yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn client(&self, trust: Trust, connect: Duration) -> Result<reqwest::Client, ExchangeError> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&(trust, connect)) {
            return Ok(client.clone());
        }
        let client = build(trust, connect)?;
        clients.insert((trust, connect), client.clone());
        Ok(client)
    }
}

fn build(trust: Trust, connect: Duration) -> Result<reqwest::Client, ExchangeError> {
    let failed = |error: &dyn Error| ExchangeError::Failed(Cause::Tls, chain(error));
    let tls = tls::config(trust).map_err(|error| failed(&error))?;
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        // A login or a DELETE must not be sent twice.
        .retry(reqwest::retry::never())
        .no_proxy()
        .referer(false)
        .http1_only()
        .connect_timeout(connect)
        .pool_idle_timeout(IDLE_CONNECTION)
        .pool_max_idle_per_host(1)
        .user_agent(concat!("ilo-reaper/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| failed(&error))
}

impl Transport for Https {
    async fn exchange(
        &self,
        peer: &Peer,
        request: Request<Bytes>,
        patience: Patience,
    ) -> Result<Response<Bytes>, ExchangeError> {
        let client = self.client(peer.trust, patience.connect)?;
        let (head, body) = request.into_parts();
        let url = format!("https://{}{}", peer.authority, head.uri);
        let exchange = async {
            let sent = client.request(head.method, url).headers(head.headers).body(body).send();
            let mut answer = sent.await.map_err(|error| failure(&error))?;
            let mut whole = BytesMut::new();
            while let Some(chunk) = answer.chunk().await.map_err(|error| failure(&error))? {
                if whole.len() + chunk.len() > BODY_BYTES_MAX {
                    let detail = format!("the answer is longer than {BODY_BYTES_MAX} bytes");
                    return Err(ExchangeError::Failed(Cause::Nonsense, detail));
                }
                whole.extend_from_slice(&chunk);
            }
            let mut response = Response::new(whole.freeze());
            *response.status_mut() = answer.status();
            *response.headers_mut() = std::mem::take(answer.headers_mut());
            Ok(response)
        };
        tokio::time::timeout(patience.total, exchange).await.unwrap_or_else(|_| {
            let detail = format!("no whole answer within {} s", patience.total.as_secs_f32());
            Err(ExchangeError::Failed(Cause::Timeout, detail))
        })
    }
}

/// What a failure of the library means here. The text has no URL: the iLO's name is told beside it.
fn failure(error: &reqwest::Error) -> ExchangeError {
    let mut cause = if error.is_timeout() { Cause::Timeout } else { Cause::Refused };
    let mut next: Option<&dyn Error> = error.source();
    while let Some(error) = next {
        if let Some(changed) = changed_certificate(error) {
            return changed;
        }
        cause = judge(error).unwrap_or(cause);
        next = error.source().or_else(|| inner(error));
    }
    let detail = error.source().map_or_else(|| error.to_string(), chain);
    ExchangeError::Failed(cause, detail)
}

fn judge(error: &(dyn Error + 'static)) -> Option<Cause> {
    if error.is::<rustls::Error>() || inner(error).is_some_and(<dyn Error>::is::<rustls::Error>) {
        return Some(Cause::Tls);
    }
    // hyper-util's resolver gives its errors no type that can be named.
    if error.to_string() == "dns error" {
        return Some(Cause::Dns);
    }
    match error.downcast_ref::<io::Error>()?.kind() {
        io::ErrorKind::TimedOut => Some(Cause::Timeout),
        _ => None,
    }
}

fn inner<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let inner = error.downcast_ref::<io::Error>()?.get_ref()?;
    Some(inner)
}

fn changed_certificate(error: &(dyn Error + 'static)) -> Option<ExchangeError> {
    let error = inner(error).unwrap_or(error);
    let Some(rustls::Error::Other(other)) = error.downcast_ref::<rustls::Error>() else { return None };
    other.0.downcast_ref::<ExchangeError>().cloned()
}

/// An error and its causes in one line.
fn chain(error: &dyn Error) -> String {
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
    clean(&text, 300)
}
