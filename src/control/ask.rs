//! The side of the commands: one request to the daemon that runs.

use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::{CONFIG, ROUND_PATIENCE};

/// The longest answer. A fleet of 10,000 iLOs with all its sessions has some tens of megabytes.
const ANSWER_BYTES_MAX: usize = 256 << 20;
/// The longest that an answer is waited for: a reload of large lists from a slow disk, a state that is slow.
const PATIENCE: Duration = Duration::from_secs(120);

/// Why the daemon did not do what it was asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Failed {
    /// None answers there.
    NoDaemon(PathBuf, String),
    /// This user may not ask.
    NotAllowed(PathBuf),
    /// It refused, with this status and its answer.
    Refused(StatusCode, Value),
    /// Its answer did not come, or makes no sense.
    Lost(String),
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDaemon(path, why) => write!(
                f,
                "no ilo-reaper answers at {} ({why}): start it with `systemctl start ilo-reaper`",
                path.display()
            ),
            Self::NotAllowed(path) => {
                write!(f, "{} is closed to you: ask as root, or as the user of the service", path.display())
            }
            Self::Refused(_, answer) => {
                f.write_str(answer["error"].as_str().unwrap_or("it refused, and said not why"))?;
                let mistakes: Vec<&str> =
                    answer["mistakes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                f.write_str(if mistakes.is_empty() { "" } else { ":" })?;
                mistakes.iter().try_for_each(|mistake| write!(f, "\n  {mistake}"))
            }
            Self::Lost(why) => write!(f, "the daemon's answer is lost ({why}): ask it again, or see its log"),
        }
    }
}

impl std::error::Error for Failed {}

/// The daemon whose socket is at `socket`, and the configuration that it is taken to run on, where somebody named one.
#[derive(Clone, Copy, Debug)]
pub struct Whom<'a> {
    /// Its socket.
    pub socket: &'a Path,
    /// Else it is not asked: whoever names another configuration means another fleet.
    pub config: Option<&'a Path>,
}

/// Asks a daemon: with a body it is told something, without one it is to show something.
pub async fn ask(whom: Whom<'_>, path: &str, body: Option<Value>) -> Result<Value, Failed> {
    let socket = whom.socket;
    let stream = UnixStream::connect(socket).await.map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => Failed::NotAllowed(socket.to_owned()),
        _ => Failed::NoDaemon(socket.to_owned(), error.to_string()),
    })?;
    let lost = |error: &dyn fmt::Display| Failed::Lost(error.to_string());
    let patience = if path == super::path::VISITS { ROUND_PATIENCE } else { PATIENCE };
    let answered = timeout(patience, exchange(stream, whom.config, path, body)).await.map_err(|error| lost(&error))?;
    let (status, body) = answered.map_err(|why| lost(&why))?;
    let value = serde_json::from_slice(&body);
    match value {
        Ok(value) if status.is_success() => Ok(value),
        Ok(value) => Err(Failed::Refused(status, value)),
        Err(error) if status.is_success() => Err(lost(&error)),
        // What the server itself refuses, it does in plain text.
        Err(_) => {
            Err(Failed::Refused(status, json!({ "error": format!("the daemon refused the question: {status}") })))
        }
    }
}

async fn exchange(
    stream: UnixStream,
    config: Option<&Path>,
    path: &str,
    body: Option<Value>,
) -> Result<(StatusCode, Bytes), String> {
    let told = |error: hyper::Error| error.to_string();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(told)?;
    let driven = tokio::spawn(connection);
    let method = if body.is_some() { Method::POST } else { Method::GET };
    let body = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
    let mut request = Request::builder().method(method).uri(path).header(header::HOST, "ilo-reaper");
    if let Some(config) = config {
        request = request.header(CONFIG, config.as_os_str().as_bytes());
    }
    let request = request.header(header::CONTENT_TYPE, "application/json").body(Full::new(body));
    let response = sender.send_request(request.map_err(|error| error.to_string())?).await.map_err(told)?;
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
    driven.abort();
    Ok((status, body.map_err(|error| error.to_string())?.to_bytes()))
}
