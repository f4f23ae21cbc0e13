//! An answer on its way to become an HTTP response with an iLO's headers.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, DATE, ETAG, HeaderMap, HeaderName, HeaderValue, LINK};
use http::header::{X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS, X_XSS_PROTECTION};
use http::{Response, StatusCode};

use crate::etag::{Draft, Etag, Sealed};
use crate::json::Object;
use crate::moment::Stamp;
use crate::spec::Personality;

const ODATA_VERSION: HeaderName = HeaderName::from_static("odata-version");

/// Status, body and the headers that are not on every answer.
#[derive(Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    body: Vec<u8>,
    etag: Option<Etag>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Answer {
    /// A resource, with the `Link` to its schema.
    pub(crate) fn resource(draft: Draft, described_by: &'static str) -> Self {
        Self::sealed(StatusCode::OK, draft).with(LINK, HeaderValue::from_static(described_by))
    }

    /// A new resource.
    pub(crate) fn created(draft: Draft) -> Self {
        Self::sealed(StatusCode::CREATED, draft)
    }

    /// The versions of the protocol, which are no resource.
    pub(crate) fn versions(described_by: &'static str, fill: impl FnOnce(&mut Object<'_>)) -> Self {
        Self::unsealed(StatusCode::OK, fill).with(LINK, HeaderValue::from_static(described_by))
    }

    /// A message from a registry. Success too arrives in an object named `error` (HPE Redfish docs,
    /// "Disconnect a session").
    pub(crate) fn message(status: StatusCode, id: &str, args: &[&str]) -> Self {
        Self::unsealed(status, |body| {
            body.object("error", |error| {
                error.objects("@Message.ExtendedInfo", [id], |info, id| {
                    if !args.is_empty() {
                        info.texts("MessageArgs", args);
                    }
                    info.put("MessageId", id);
                });
                error.put("code", "iLO.0.10.ExtendedInfo");
                error.put("message", "See @Message.ExtendedInfo for more information.");
            });
        })
    }

    /// A message from the standard registry.
    pub(crate) fn base(status: StatusCode, like: Personality, message: &str, args: &[&str]) -> Self {
        Self::message(status, &format!("{}.{message}", like.base_registry()), args)
    }

    /// 405 with the methods that are allowed and an empty body, as an iLO was seen to answer
    /// (HewlettPackard/python-ilorest-library issue 45).
    pub(crate) fn not_allowed(allowed: &'static str) -> Self {
        Self { status: StatusCode::METHOD_NOT_ALLOWED, body: Vec::new(), etag: None, headers: Vec::new() }
            .with(ALLOW, HeaderValue::from_static(allowed))
    }

    fn sealed(status: StatusCode, draft: Draft) -> Self {
        let Sealed { json, etag } = draft.seal();
        Self { status, body: json, etag: Some(etag), headers: Vec::new() }
    }

    fn unsealed(status: StatusCode, fill: impl FnOnce(&mut Object<'_>)) -> Self {
        Self { status, body: Object::text(fill), etag: Some(Etag::MESSAGE), headers: Vec::new() }
    }

    /// This answer with one more header. A user's name stands in `Location` and may hold what no header can:
    /// then it goes without.
    pub(crate) fn with(mut self, name: HeaderName, value: impl TryInto<HeaderValue>) -> Self {
        if let Ok(value) = value.try_into() {
            self.headers.push((name, value));
        }
        self
    }

    /// The response, with the headers of the captures and the date of the iLO's own clock.
    pub(crate) fn into_response(self, clock: Stamp) -> Response<Bytes> {
        let Self { status, body, etag, headers } = self;
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = status;
        *response.headers_mut() = common_headers(clock);
        if let Some(Ok(etag)) = etag.map(|etag| HeaderValue::from_bytes(&etag.header())) {
            response.headers_mut().insert(ETAG, etag);
        }
        for (name, value) in headers {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

/// The headers of every answer, with room for those that only some have.
fn common_headers(clock: Stamp) -> HeaderMap {
    let constant = HeaderValue::from_static;
    let mut headers = HeaderMap::with_capacity(12);
    headers.insert(CACHE_CONTROL, constant("no-cache"));
    headers.insert(CONTENT_TYPE, constant("application/json; charset=utf-8"));
    if let Ok(date) = HeaderValue::try_from(clock.http_date()) {
        headers.insert(DATE, date);
    }
    headers.insert(ODATA_VERSION, constant("4.0"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, constant("nosniff"));
    headers.insert(X_FRAME_OPTIONS, constant("sameorigin"));
    headers.insert(X_XSS_PROTECTION, constant("1; mode=block"));
    headers
}
