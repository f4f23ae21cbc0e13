//! What we ask an iLO, and what its answers mean.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use http::{Method, Request, Response, StatusCode};
use serde_json::json;
use tokio::time::Instant;
use tracing::debug;

use super::transport::{ExchangeError, Patience, Peer, Transport};
use super::wire::{self, Collection, Flashing};
use crate::event::Cause;
use crate::secret::Secret;
use crate::session::{Session, SessionId};
use crate::settings::{Credential, Fingerprint};
use crate::time::Timestamp;

const X_AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");
const ODATA_VERSION: HeaderName = HeaderName::from_static("odata-version");

/// Every path of ours ends in a slash: all generations answer it without a redirect (HPE iLO 5 changelog,
/// "Trailing Slashes on URIs").
const ROOT: &str = "/redfish/v1/";
const SESSIONS: &str = "/redfish/v1/SessionService/Sessions/";
const UPDATE_SERVICE: &str = "/redfish/v1/UpdateService/";

/// The longest token that is believed. Captures show 32 characters.
const TOKEN_BYTES_MAX: usize = 1024;

/// One iLO during one visit.
pub struct Ilo<'a, T> {
    transport: &'a T,
    peer: Peer,
    patience: Patience,
    deadline: Instant,
}

/// What the service root tells without a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Root {
    /// The iLO's now (its `Date`, whole seconds).
    pub now: Option<Timestamp>,
    /// How long a login is made to wait after wrong passwords.
    pub login_delay: Duration,
}

/// A new session of ours.
pub struct Login {
    /// Its id.
    pub session: SessionId,
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
    /// Our account may not do that.
    Forbidden,
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
        Self { transport, peer, patience, deadline }
    }

    /// The same iLO, with less patience for connections.
    #[must_use]
    pub fn swift(&self, connect: Duration) -> Ilo<'a, T> {
        let patience = Patience { connect: connect.min(self.patience.connect), ..self.patience };
        Ilo { transport: self.transport, peer: self.peer.clone(), patience, deadline: self.deadline }
    }

    /// Asks for the service root, which needs no login.
    pub async fn root(&self) -> Result<Root, IloError> {
        let answer = self.get(ROOT, None).await?;
        let delay_s = wire::login_delay_s(answer.body()).unwrap_or(0);
        Ok(Root { now: date(&answer), login_delay: Duration::from_secs(delay_s) })
    }

    /// Whether an exchange that the iLO delays by so much can still end well.
    pub fn has_time_for(&self, delay: Duration) -> bool {
        Instant::now() + delay + self.patience.total <= self.deadline
    }

    /// Logs in, once. The iLO may delay its answer by `delay` beyond what it needs.
    pub async fn log_in(&self, credential: &Credential, delay: Duration) -> Result<Login, LoginError> {
        let body = json!({ "UserName": credential.username, "Password": credential.password.reveal() }).to_string();
        let mut request = Request::new(Bytes::from(body));
        *request.method_mut() = Method::POST;
        let patience = Patience { total: self.patience.total + delay, ..self.patience };
        let patient = Ilo { transport: self.transport, peer: self.peer.clone(), patience, deadline: self.deadline };
        let answer = patient.send(request, SESSIONS, None).await;
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
        match self.get(UPDATE_SERVICE, Some(token)).await {
            Ok(answer) => Ok(wire::flashing(answer.body())),
            Err(IloError::Status(..)) => Ok(Flashing::Perhaps(String::from("unknown"))),
            Err(error) => Err(error),
        }
    }

    /// Ends a session, once.
    pub async fn end(&self, token: &Secret, id: &SessionId) -> Ended {
        let Some(path) = member_path(id) else { return Ended::Refused(0, Some(String::from("its id is not plain"))) };
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = Method::DELETE;
        match self.send(request, &path, Some(token)).await {
            Ok(answer) => ended(&answer),
            Err(error) => Ended::Unknown(error.to_string()),
        }
    }

    async fn get(&self, path: &str, token: Option<&Secret>) -> Result<Response<Bytes>, IloError> {
        let answer = self.send(Request::new(Bytes::new()), path, token).await?;
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
        match &answer {
            Ok(answer) => debug!(ilo = %self.peer.authority, %method, path, status = answer.status().as_u16(), took_ms),
            Err(error) => debug!(ilo = %self.peer.authority, %method, path, %error, took_ms),
        }
        answer
    }
}

/// The collection's path as members carry it.
fn collection_path() -> &'static str {
    SESSIONS.trim_end_matches('/')
}

/// The path of a session, built by us; `None` where its id is not plain text.
fn member_path(id: &SessionId) -> Option<String> {
    id.segment().map(|id| format!("{SESSIONS}{id}/"))
}

fn date(answer: &Response<Bytes>) -> Option<Timestamp> {
    header(answer.headers(), &DATE).and_then(Timestamp::parse_http_date)
}

fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Reads the answer to a login. Only the path of `Location` counts: iLOs leave the port out of the rest,
/// and whose session it is the body does not yet tell (HPE Redfish docs, two-factor authentication).
fn login(answer: &Response<Bytes>) -> Result<Login, String> {
    let token = header(answer.headers(), &X_AUTH_TOKEN).ok_or("a login was answered without a token")?;
    let plain =
        !token.is_empty() && token.len() <= TOKEN_BYTES_MAX && token.bytes().all(|byte| byte.is_ascii_graphic());
    if !plain {
        return Err(String::from("a login was answered with a token that is no plain text"));
    }
    let location = header(answer.headers(), &LOCATION).ok_or("a login was answered without a location")?;
    let path = match location.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("", |slash| &rest[slash..]),
        None => location,
    };
    let (head, id) = path.trim_end_matches('/').rsplit_once('/').ok_or("a login was answered with an odd location")?;
    if !head.eq_ignore_ascii_case(collection_path()) {
        return Err(String::from("a login was answered with a location that is not in the collection"));
    }
    let session = SessionId::read(id);
    if session.segment().is_none() {
        return Err(String::from("a login was answered with an id that is not plain text"));
    }
    Ok(Login { session, token: Secret::new(token.to_owned()) })
}

/// What a refused login means. The status of a wrong password is not documented, so the message decides.
fn login_refusal(answer: &Response<Bytes>) -> LoginError {
    let ids = wire::message_ids(answer.body());
    let told = |name: &str| ids.iter().find(|id| id.contains(name)).cloned();
    if let Some(id) = told("SessionLimitExceeded") {
        return LoginError::TableFull(id);
    }
    if told("LoginAttemptDelayed").is_some() {
        return LoginError::Refused(IloError::Busy(retry_after(answer)));
    }
    let rejections = ["UnauthorizedLogin", "OneTimePasscode", "PasswordChangeRequired", "InsufficientPrivilege"];
    if let Some(id) = rejections.iter().find_map(|name| told(name)) {
        return LoginError::Rejected(id);
    }
    match answer.status() {
        // Firmware is not agreed on the status of a wrong password. One that is not told apart must not be tried
        // again at every visit.
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            LoginError::Rejected(ids.into_iter().next().unwrap_or_else(|| answer.status().as_u16().to_string()))
        }
        status if status.is_server_error() => LoginError::Unknown(refusal(answer)),
        _ => LoginError::Refused(refusal(answer)),
    }
}

/// What an answer other than 200 to a question means.
fn refusal(answer: &Response<Bytes>) -> IloError {
    let message = wire::message_ids(answer.body()).into_iter().next();
    match answer.status() {
        StatusCode::UNAUTHORIZED => IloError::NoValidSession,
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => IloError::Busy(retry_after(answer)),
        status => IloError::Status(status.as_u16(), message),
    }
}

fn retry_after(answer: &Response<Bytes>) -> Option<Duration> {
    let wait_s: u64 = header(answer.headers(), &RETRY_AFTER)?.parse().ok()?;
    Some(Duration::from_secs(wait_s.min(wire::WAIT_MAX_S)))
}

/// What the answer to a DELETE means. Success is 200 with a message in an object named `error`, or no body
/// (HPE Redfish docs, "Disconnect a session"); how a lack of privilege is told no source says, so both the
/// status and the message count.
fn ended(answer: &Response<Bytes>) -> Ended {
    let ids = wire::message_ids(answer.body());
    let told = |name: &str| ids.iter().any(|id| id.contains(name));
    let status = answer.status();
    if told("InsufficientPrivilege") || status == StatusCode::FORBIDDEN {
        return Ended::Forbidden;
    }
    if matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE) {
        return Ended::AlreadyGone;
    }
    if status == StatusCode::UNAUTHORIZED {
        return Ended::NotOurs;
    }
    if status == StatusCode::NO_CONTENT || (status == StatusCode::OK && answer.body().is_empty()) {
        return Ended::Done;
    }
    if status == StatusCode::OK {
        let good = told("Success") || told("SessionTerminated");
        return if good { Ended::Done } else { Ended::Unknown(String::from("200, but no word of success")) };
    }
    if status.is_server_error() || status.is_success() {
        return Ended::Unknown(format!("it answered {}", status.as_u16()));
    }
    Ended::Refused(status.as_u16(), ids.into_iter().next())
}

#[cfg(test)]
#[path = "ilo_tests.rs"]
mod tests;
