//! `report.listen`: metrics and status over HTTP, for whoever may reach the address. It shows, and changes nothing.
//!
//! Each answer is rendered from a survey of its own, beside the loop: the loop copies, and waits for nobody.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::event::Survey;
use crate::fleet::Command;
use crate::report::{Exposition, metrics, status_json, status_page};
use crate::serve::{Bounds, plain, serve};

/// How long the loop may take to answer before it counts as stuck.
const SURVEY_WAIT: Duration = Duration::from_secs(5);

const BOUNDS: Bounds = Bounds {
    connections: 32,
    read: Duration::from_secs(5),
    body_bytes: 0,
    whole: Duration::from_secs(30),
    end: Duration::from_secs(2),
};

/// The address can't be listened on.
#[derive(Debug)]
pub struct ListenError {
    address: SocketAddr,
    /// Where we listen ourselves on that port.
    ours: Option<SocketAddr>,
    error: io::Error,
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, ours, error } = self;
        write!(f, "cannot listen on {address}: {error}; ")?;
        match error.kind() {
            io::ErrorKind::AddrInUse if ours.is_some() => {
                write!(f, "ilo-reaper itself listens on that port: restart the service to move it, or choose another")
            }
            io::ErrorKind::AddrInUse => {
                write!(f, "choose another port for `report.listen`, or stop who has it (`ss -ltnp` tells)")
            }
            io::ErrorKind::AddrNotAvailable => write!(f, "`report.listen` must be an address of this host"),
            io::ErrorKind::PermissionDenied => write!(f, "choose a port above 1023 for `report.listen`"),
            _ => write!(f, "mend `report.listen`, or set it to `none`"),
        }
    }
}

impl std::error::Error for ListenError {}

/// What listens now, if anything does.
pub struct Listener {
    commands: mpsc::Sender<Command>,
    open: Option<Open>,
}

struct Open {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

/// An address that is ours, and not served yet.
pub enum Bound {
    /// What listens now may stay.
    Same,
    /// Nothing is to listen.
    Nothing,
    /// This one is.
    At(SocketAddr, TcpListener),
}

impl Listener {
    /// Nothing listens yet. Surveys are asked for by `commands`.
    pub fn new(commands: mpsc::Sender<Command>) -> Self {
        Self { commands, open: None }
    }

    /// Makes the address of a configuration ours, where it is another than now. What listens goes on until
    /// [`put`](Self::put).
    pub async fn bind(&self, wanted: Option<SocketAddr>) -> Result<Bound, ListenError> {
        match wanted {
            None => Ok(Bound::Nothing),
            Some(address) if self.open.as_ref().is_some_and(|open| open.address == address) => Ok(Bound::Same),
            Some(address) => {
                let ours = self.open.as_ref().map(|open| open.address).filter(|ours| ours.port() == address.port());
                let refused = |error| ListenError { address, ours, error };
                let listener = TcpListener::bind(address).await.map_err(refused)?;
                Ok(Bound::At(address, listener))
            }
        }
    }

    /// Serves there from now on, and no longer where it did.
    pub async fn put(&mut self, bound: Bound) {
        let (address, listener) = match bound {
            Bound::Same => return,
            Bound::Nothing => return self.close().await,
            Bound::At(address, listener) => (address, listener),
        };
        self.close().await;
        let (stop, stopped) = oneshot::channel::<()>();
        let commands = self.commands.clone();
        let answer = move |_peer: SocketAddr, request| answer(commands.clone(), request);
        let running = tokio::spawn(async move {
            serve(listener, BOUNDS, answer, async { drop(stopped.await) }).await;
        });
        self.open = Some(Open { address, stop, running });
    }

    /// Serves no more. Answers under way have a moment.
    pub async fn close(&mut self) {
        if let Some(Open { stop, running, .. }) = self.open.take() {
            drop(stop);
            // It fails only if it panicked, and then it is over, too.
            let _over = running.await;
        }
    }
}

/// One request.
async fn answer(commands: mpsc::Sender<Command>, request: Request<Bytes>) -> Response<Bytes> {
    let known = ["/", "/metrics", "/healthz", "/readyz", "/status.json"];
    let path = request.uri().path();
    if !known.contains(&path) {
        return plain(StatusCode::NOT_FOUND);
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refused = plain(StatusCode::METHOD_NOT_ALLOWED);
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    let Some(survey) = survey(&commands).await else { return plain(StatusCode::SERVICE_UNAVAILABLE) };
    // Whoever asks only for this must not wait behind a resolver that hangs.
    if matches!(path, "/healthz" | "/readyz") {
        return page(String::from("ok\n"), "text/plain; charset=utf-8");
    }
    let accept = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok());
    let exposition = Exposition::accepted(accept);
    let path = path.to_owned();
    let rendered = tokio::task::spawn_blocking(move || match path.as_str() {
        "/metrics" => (metrics(&survey, exposition), exposition.content_type()),
        "/status.json" => (format!("{}\n", status_json(&survey)), "application/json"),
        _ => (status_page(&survey), "text/html; charset=utf-8"),
    });
    match rendered.await {
        Ok((body, content_type)) => page(body, content_type),
        Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// The fleet as it is now; `None` where the loop does not answer, or is on its way out.
async fn survey(commands: &mpsc::Sender<Command>) -> Option<Survey> {
    let asked = async {
        let (sender, receiver) = oneshot::channel();
        commands.send(Command::Survey(sender)).await.ok()?;
        receiver.await.ok()
    };
    timeout(SURVEY_WAIT, asked).await.ok().flatten()
}

fn page(body: String, content_type: &'static str) -> Response<Bytes> {
    const HEADERS: [(HeaderName, &str); 3] = [
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
        (http::header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let mut response = Response::new(Bytes::from(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn status(commands: &mpsc::Sender<Command>, path: &str) -> StatusCode {
        let request = Request::builder().uri(path).body(Bytes::new()).expect("a request");
        answer(commands.clone(), request).await.status()
    }

    /// A loop that is stuck takes what is asked and answers nothing; one that is gone takes nothing.
    #[tokio::test(start_paused = true)]
    async fn a_loop_that_does_not_answer_is_not_healthy() {
        for path in ["/healthz", "/readyz", "/metrics", "/"] {
            let (commands, stuck) = mpsc::channel(1);
            let began = tokio::time::Instant::now();
            assert_eq!(status(&commands, path).await, StatusCode::SERVICE_UNAVAILABLE, "{path}");
            assert_eq!(began.elapsed(), SURVEY_WAIT);
            drop(stuck);
            assert_eq!(status(&commands, path).await, StatusCode::SERVICE_UNAVAILABLE, "{path}");
            assert_eq!(began.elapsed(), SURVEY_WAIT, "there is nothing to wait for");
        }
        let (commands, _stuck) = mpsc::channel(1);
        assert_eq!(status(&commands, "/secrets").await, StatusCode::NOT_FOUND);
    }
}
