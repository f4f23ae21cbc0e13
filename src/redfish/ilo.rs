//! What we ask an iLO.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use serde::Serialize;
use tokio::time::Instant;
use tracing::debug;
use zeroize::Zeroizing;

use super::answer::{
    X_AUTH_TOKEN, code, collection_path, date, ended, login, login_refusal, refusal, unpacked, unpacked_if_so,
};
use super::transport::{ExchangeError, Patience, Peer, Transport};
use super::wire::{self, Collection, Flashing};
use crate::event::Cause;
use crate::secret::Secret;
use crate::session::{Session, SessionId, Uuid};
use crate::settings::{Credential, Fingerprint};
use crate::time::Timestamp;

const ODATA_VERSION: HeaderName = HeaderName::from_static("odata-version");

/// Every path of ours ends in a slash: all generations answer it without a redirect (HPE iLO 5 changelog,
/// "Trailing Slashes on URIs").
const ROOT: &str = "/redfish/v1/";
pub(super) const SESSIONS: &str = "/redfish/v1/SessionService/Sessions/";
/// Where firmware is on its way in: on iLO 5 to 7, and on iLO 4, which has it below its manager (public scripts that
/// post `HpiLOFirmwareUpdate.InstallFromURI`).
const UPDATE_SERVICES: [&str; 2] = ["/redfish/v1/UpdateService/", "/redfish/v1/Managers/1/UpdateService/"];

/// One iLO during one visit.
pub struct Ilo<'a, T> {
    transport: &'a T,
    peer: Peer,
    patience: Patience,
    deadline: Instant,
    /// Requests that were sent.
    exchanges: Arc<Mutex<BTreeMap<&'static str, u64>>>,
}

/// What the service root tells without a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// The iLO's now (its `Date`, whole seconds).
    pub now: Option<Timestamp>,
    /// Which iLO it is.
    pub uuid: Option<Uuid>,
    /// How long a login is made to wait after wrong passwords.
    pub login_delay: Duration,
}

/// A new session of ours.
pub struct Login {
    /// Its id.
    pub session: SessionId,
    /// `Location` and the body both tell that id; on some iLOs the body is a message, or nothing.
    pub is_told_twice: bool,
    /// Its token.
    pub token: Secret,
}

/// The collection, as one answer showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The iLO's now (`Date`).
    pub now: Option<Timestamp>,
    /// Who is on.
    pub collection: Collection,
}

/// How the end of a session was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It is done.
    Done,
    /// There was no such session any more.
    AlreadyGone,
    /// Our account may not do that, by this status.
    Forbidden(u16),
    /// Refused with this status, and perhaps a reason.
    Refused(u16, Option<String>),
    /// Our own session is not valid, so nothing was done.
    NotOurs,
    /// No answer that tells came; it may be done or not.
    Unknown(String),
}

/// Why an iLO told us nothing of use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IloError {
    /// No answer, and the kind of reason.
    Unreachable(Cause, String),
    /// The certificate is not the pinned one; nothing was sent.
    CertificateChanged {
        /// The pin.
        expected: Fingerprint,
        /// What was shown.
        found: Fingerprint,
    },
    /// Our token belongs to no session.
    NoValidSession,
    /// It asks to be left alone for so long.
    Busy(Option<Duration>),
    /// A status that we can't use.
    Status(u16, Option<String>),
    /// An answer that makes no sense.
    Nonsense(String),
}

impl fmt::Display for IloError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(_, detail) => f.write_str(detail),
            Self::CertificateChanged { expected, found } => {
                write!(f, "the certificate is {found}, not the pinned {expected}")
            }
            Self::NoValidSession => f.write_str("our session is not valid any more"),
            Self::Busy(Some(wait)) => write!(f, "it is busy for {} s", wait.as_secs()),
            Self::Busy(None) => f.write_str("it is busy"),
            Self::Status(status, None) => write!(f, "it answered {status}"),
            Self::Status(status, Some(message)) => write!(f, "it answered {status} {message}"),
            Self::Nonsense(detail) => write!(f, "its answer makes no sense: {detail}"),
        }
    }
}

impl std::error::Error for IloError {}

impl From<ExchangeError> for IloError {
    fn from(error: ExchangeError) -> Self {
        match error {
            ExchangeError::Failed(Cause::Nonsense, detail) => Self::Nonsense(detail),
            ExchangeError::Failed(cause, detail) => Self::Unreachable(cause, detail),
            ExchangeError::CertificateChanged { expected, found } => Self::CertificateChanged { expected, found },
        }
    }
}

/// Why a login gave no session that we hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginError {
    /// The iLO does not accept our account or password, and its word for that.
    Rejected(String),
    /// The table is full.
    TableFull(String),
    /// The iLO did not log us in, for another reason.
    Refused(IloError),
    /// The answer was lost or makes no sense: there may be a session.
    Unknown(IloError),
}

impl<'a, T: Transport> Ilo<'a, T> {
    /// Prepares to ask `peer`. No exchange outlasts `deadline`.
    pub fn new(transport: &'a T, peer: Peer, patience: Patience, deadline: Instant) -> Self {
        Self { transport, peer, patience, deadline, exchanges: Arc::default() }
    }

    /// The same iLO, with less patience for connections.
    #[must_use]
    pub fn swift(&self, connect: Duration) -> Ilo<'a, T> {
        let patience = Patience { connect: connect.min(self.patience.connect), ..self.patience };
        self.with(patience)
    }

    fn with(&self, patience: Patience) -> Ilo<'a, T> {
        let exchanges = Arc::clone(&self.exchanges);
        Ilo { transport: self.transport, peer: self.peer.clone(), patience, deadline: self.deadline, exchanges }
    }

    /// Requests that were sent, by the status of the answer or the cause that there is none.
    pub fn exchanges(&self) -> BTreeMap<&'static str, u64> {
        self.exchanges.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks for the service root, which needs no login.
    pub async fn root(&self) -> Result<Root, IloError> {
        // Who asks without a session has none that could be dead.
        let answer = self.get(ROOT, None).await.map_err(|error| match error {
            IloError::NoValidSession => IloError::Status(401, None),
            error => error,
        })?;
        let (delay_s, uuid) = wire::root(answer.body()).map_err(IloError::Nonsense)?;
        Ok(Root { now: date(&answer), uuid, login_delay: Duration::from_secs(delay_s) })
    }

    /// Whether an exchange that the iLO delays by so much can still end well.
    pub fn has_time_for(&self, delay: Duration) -> bool {
        Instant::now() + delay + self.patience.total <= self.deadline
    }

    /// Allows so much more time for all of it.
    pub fn allow(&mut self, more: Duration) {
        self.deadline += more;
    }

    /// Logs in, once. The iLO may delay its answer by `delay` beyond what it needs.
    pub async fn log_in(&self, credential: &Credential, delay: Duration) -> Result<Login, LoginError> {
        let mut request = Request::new(login_body(credential));
        *request.method_mut() = Method::POST;
        let patience = Patience { total: self.patience.total + delay, ..self.patience };
        let answer = self.with(patience).send(request, SESSIONS, None).await.map(unpacked_if_so);
        let answer = answer.map_err(|error| match IloError::from(error) {
            error @ IloError::CertificateChanged { .. } => LoginError::Refused(error),
            error => LoginError::Unknown(error),
        })?;
        if answer.status().is_success() {
            // A refusal may come with a status of success (HPE's own client looks at the message alone).
            let token = answer.headers().contains_key(X_AUTH_TOKEN);
            return login(&answer).map_err(|why| match login_refusal(&answer) {
                refusal @ (LoginError::Rejected(_) | LoginError::TableFull(_)) if !token => refusal,
                _ => LoginError::Unknown(IloError::Nonsense(why)),
            });
        }
        Err(login_refusal(&answer))
    }

    /// Who is on. With `expand`, members come whole where the iLO can do that (`$expand=.`, iLO 5 on).
    pub async fn sessions(&self, token: &Secret, expand: bool) -> Result<Seen, IloError> {
        let path = if expand { format!("{SESSIONS}?$expand=.") } else { SESSIONS.to_owned() };
        let answer = self.get(&path, Some(token)).await?;
        let collection = wire::collection(answer.body(), collection_path()).map_err(IloError::Nonsense)?;
        Ok(Seen { now: date(&answer), collection })
    }

    /// One session; `None` where it is gone.
    pub async fn session(&self, token: &Secret, id: &SessionId) -> Result<Option<Session>, IloError> {
        let path = member_path(id).ok_or_else(|| IloError::Nonsense(format!("the id {id} is not plain text")))?;
        match self.get(&path, Some(token)).await {
            Ok(answer) => wire::session(answer.body(), collection_path(), id).map(Some).map_err(IloError::Nonsense),
            Err(IloError::Status(404 | 410, _)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether firmware may be on its way into the iLO.
    pub async fn flashing(&self, token: &Secret) -> Result<Flashing, IloError> {
        for path in UPDATE_SERVICES {
            match self.get(path, Some(token)).await {
                Ok(answer) => return Ok(wire::flashing(answer.body())),
                Err(IloError::Status(404, _)) => {}
                Err(IloError::Status(..)) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(Flashing::Perhaps(String::from("unknown")))
    }

    /// Ends a session, once.
    pub async fn end(&self, token: &Secret, id: &SessionId) -> Ended {
        let Some(path) = member_path(id) else { return Ended::Refused(0, Some(String::from("its id is not plain"))) };
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = Method::DELETE;
        match self.send(request, &path, Some(token)).await {
            Ok(answer) => ended(&unpacked_if_so(answer)),
            Err(error) => Ended::Unknown(error.to_string()),
        }
    }

    async fn get(&self, path: &str, token: Option<&Secret>) -> Result<Response<Bytes>, IloError> {
        let answer = unpacked(self.send(Request::new(Bytes::new()), path, token).await?)?;
        if answer.status() != StatusCode::OK {
            return Err(refusal(&answer));
        }
        let json = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !json.is_some_and(|value| value.to_ascii_lowercase().contains("json")) {
            let what = crate::session::clean(json.unwrap_or("nothing"), 64);
            return Err(IloError::Nonsense(format!("expected JSON, got {what}")));
        }
        Ok(answer)
    }

    async fn send(
        &self,
        mut request: Request<Bytes>,
        path: &str,
        token: Option<&Secret>,
    ) -> Result<Response<Bytes>, ExchangeError> {
        let bad = |what: &str| ExchangeError::Failed(Cause::Nonsense, what.to_owned());
        *request.uri_mut() = path.parse().map_err(|_| bad("the path is no path"))?;
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(ODATA_VERSION, HeaderValue::from_static("4.0"));
        if let Some(token) = token {
            let mut value = HeaderValue::from_str(token.reveal()).map_err(|_| bad("the token is no header"))?;
            value.set_sensitive(true);
            headers.insert(X_AUTH_TOKEN, value);
        }
        if *request.method() == Method::POST {
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let method = request.method().clone();
        let patience = Patience {
            total: self.patience.total.min(self.deadline.saturating_duration_since(Instant::now())),
            ..self.patience
        };
        let sent = Instant::now();
        let answer = self.transport.exchange(&self.peer, request, patience).await;
        let took_ms = sent.elapsed().as_millis();
        let code = code(&answer);
        *self.exchanges.lock().unwrap_or_else(PoisonError::into_inner).entry(code).or_default() += 1;
        match &answer {
            Ok(answer) => debug!(ilo = %self.peer.authority, %method, path, status = answer.status().as_u16(), took_ms),
            Err(error) => debug!(ilo = %self.peer.authority, %method, path, %error, took_ms),
        }
        answer
    }
}

/// The body of a login.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Credentials<'a> {
    user_name: &'a str,
    password: &'a str,
}

/// A login's body, wiped when the last copy of it goes. There is room for all of it from the start, so that it
/// never moves and leaves nothing behind.
fn login_body(credential: &Credential) -> Bytes {
    let (user_name, password) = (credential.username.as_str(), credential.password.reveal());
    // Every byte may need to be written as six.
    let mut body = Zeroizing::new(Vec::with_capacity(6 * (user_name.len() + password.len()) + 64));
    // Writing text into memory does not fail; an empty body would be refused by the iLO.
    let _written = serde_json::to_writer(&mut *body, &Credentials { user_name, password });
    Bytes::from_owner(body)
}

/// The path of a session, built by us; `None` where its id is not plain text.
fn member_path(id: &SessionId) -> Option<String> {
    id.segment().map(|id| format!("{SESSIONS}{id}/"))
}

#[cfg(test)]
#[path = "ilo_tests.rs"]
mod tests;
