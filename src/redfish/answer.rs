//! What an iLO's answers mean: status, headers and messages. PURE.

use std::io::Read;
use std::time::Duration;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::header::{CONTENT_ENCODING, DATE, HeaderMap, HeaderName, LOCATION, RETRY_AFTER};
use http::{Response, StatusCode};

use super::ilo::{Ended, IloError, Login, LoginError, SESSIONS};
use super::transport::{BODY_BYTES_MAX, ExchangeError};
use super::wire;
use crate::event::Cause;
use crate::secret::Secret;
use crate::session::SessionId;
use crate::time::Timestamp;

/// The header of a token.
pub(super) const X_AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");

/// The longest token that is believed. Captures show 32 characters.
pub(super) const TOKEN_BYTES_MAX: usize = 1024;

/// The collection's path as members carry it.
pub(super) fn collection_path() -> &'static str {
    SESSIONS.trim_end_matches('/')
}

/// Statuses that mean something here, and how metrics write them. An iLO chooses its status, so there are no others.
const CODES: [(u16, &str); 19] = [
    (200, "200"),
    (201, "201"),
    (204, "204"),
    (304, "304"),
    (307, "307"),
    (308, "308"),
    (400, "400"),
    (401, "401"),
    (403, "403"),
    (404, "404"),
    (405, "405"),
    (410, "410"),
    (412, "412"),
    (429, "429"),
    (500, "500"),
    (501, "501"),
    (502, "502"),
    (503, "503"),
    (504, "504"),
];

/// What an exchange counts as in metrics: its status, or the class of an odd one, or the cause that there is none.
pub(super) fn code(answer: &Result<Response<Bytes>, ExchangeError>) -> &'static str {
    match answer {
        Ok(answer) => {
            let status = answer.status().as_u16();
            let named = CODES.iter().find(|(code, _)| *code == status).map(|(_, name)| *name);
            named.unwrap_or(match status / 100 {
                1 => "1xx",
                2 => "2xx",
                3 => "3xx",
                4 => "4xx",
                5 => "5xx",
                _ => "other",
            })
        }
        Err(ExchangeError::Failed(cause, _)) => cause.name(),
        Err(ExchangeError::CertificateChanged { .. }) => "certificate_changed",
    }
}

pub(super) fn date(answer: &Response<Bytes>) -> Option<Timestamp> {
    header(answer.headers(), &DATE).and_then(Timestamp::parse_http_date)
}

/// The answer with its body as it was before it was packed. iLO 4 and 5 pack some resources though nobody asked (HPE
/// Redfish docs, "navigating the data model"). What it unpacks to is bounded like any other body.
pub(super) fn unpacked(mut answer: Response<Bytes>) -> Result<Response<Bytes>, ExchangeError> {
    let Some(encoding) = answer.headers().get(CONTENT_ENCODING) else { return Ok(answer) };
    let is = |name: &str| encoding.as_bytes().eq_ignore_ascii_case(name.as_bytes());
    let nonsense = |why: String| Err(ExchangeError::Failed(Cause::Nonsense, why));
    if is("identity") || answer.body().is_empty() {
        return Ok(answer);
    }
    if !is("gzip") && !is("x-gzip") {
        return nonsense(String::from("the answer is packed in a way that nobody asked for"));
    }
    let mut body = Vec::new();
    let most = u64::try_from(BODY_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    if let Err(error) = MultiGzDecoder::new(answer.body().as_ref()).take(most).read_to_end(&mut body) {
        return nonsense(format!("the answer can't be unpacked: {error}"));
    }
    if body.len() > BODY_BYTES_MAX {
        return nonsense(format!("the answer unpacks to more than {BODY_BYTES_MAX} bytes"));
    }
    *answer.body_mut() = Bytes::from(body);
    Ok(answer)
}

/// The same where the body only explains what status and headers say: an odd one loses us no login.
pub(super) fn unpacked_if_so(answer: Response<Bytes>) -> Response<Bytes> {
    unpacked(answer.clone()).unwrap_or(answer)
}

fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Reads the answer to a login. Only the path of `Location` counts: iLOs leave the port out of the rest,
/// and whose session it is the body does not yet tell (HPE Redfish docs, two-factor authentication).
pub(super) fn login(answer: &Response<Bytes>) -> Result<Login, String> {
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
    // The id is what a log-out ends: where two are told, one of them is somebody else's.
    let told = wire::new_session(answer.body(), collection_path());
    if told.as_ref().is_some_and(|told| *told != session) {
        return Err(String::from("a login was answered with the location of another session"));
    }
    Ok(Login { session, is_told_twice: told.is_some(), token: Secret::new(token.to_owned()) })
}

/// What a refused login means. The status of a wrong password is not documented, so the message decides.
pub(super) fn login_refusal(answer: &Response<Bytes>) -> LoginError {
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
pub(super) fn refusal(answer: &Response<Bytes>) -> IloError {
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
pub(super) fn ended(answer: &Response<Bytes>) -> Ended {
    let ids = wire::message_ids(answer.body());
    let told = |name: &str| ids.iter().any(|id| id.contains(name));
    let status = answer.status();
    if told("InsufficientPrivilege") || status == StatusCode::FORBIDDEN {
        return Ended::Forbidden(status.as_u16());
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
