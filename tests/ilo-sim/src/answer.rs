//! An answer on its way to become an HTTP response with its firmware's headers.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, DATE, ETAG, LINK, SERVER};
use http::header::{HeaderMap, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS, X_XSS_PROTECTION};
use http::{Response, StatusCode};

use crate::etag::{Draft, Etag, Sealed};
use crate::gzip;
use crate::json::Object;
use crate::moment::Stamp;
use crate::personality::Traits;
use crate::personality::traits::{Gzip, MessageForm};
use crate::registry;

const ODATA_VERSION: HeaderName = HeaderName::from_static("odata-version");
const SERVICE_VERSION: HeaderName = HeaderName::from_static("x_hp-chrp-service-version");

/// Status, body and the headers that are not on every answer.
#[derive(Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    body: Vec<u8>,
    etag: Option<Etag>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Too large to be sent as it is, by a firmware that thinks so.
    large: bool,
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
    pub(crate) fn versions(like: &Traits, described_by: &'static str, fill: impl FnOnce(&mut Object<'_>)) -> Self {
        Self::unsealed(StatusCode::OK, like, fill).with(LINK, HeaderValue::from_static(described_by))
    }

    /// Something that is no resource and has no schema.
    pub(crate) fn plain(like: &Traits, fill: impl FnOnce(&mut Object<'_>)) -> Self {
        Self::unsealed(StatusCode::OK, like, fill)
    }

    /// A file, such as a registry.
    pub(crate) fn large_file(like: &Traits, fill: impl FnOnce(&mut Object<'_>)) -> Self {
        Self { large: true, ..Self::unsealed(StatusCode::OK, like, fill) }
    }

    /// A status, and nothing to say about it.
    pub(crate) const fn empty(status: StatusCode) -> Self {
        Self { status, body: Vec::new(), etag: None, headers: Vec::new(), large: false }
    }

    /// A message from the maker's registry.
    pub(crate) fn vendor(status: StatusCode, like: &Traits, message: &str) -> Self {
        Self::message(status, like, like.messages.vendor, message, &[])
    }

    /// A message from the standard registry.
    pub(crate) fn base(status: StatusCode, like: &Traits, message: &str, args: &[&str]) -> Self {
        Self::message(status, like, like.messages.base, message, args)
    }

    /// Success too arrives in an object named `error` (HPE Redfish docs, "Disconnect a session").
    fn message(status: StatusCode, like: &Traits, registry: &str, message: &str, args: &[&str]) -> Self {
        let id = &format!("{registry}.{message}");
        match like.messages.form {
            MessageForm::Hpe => Self::unsealed(status, like, |body| hpe_error(body, "MessageId", id, args)),
            MessageForm::Hp => Self::unsealed(status, like, |body| {
                body.objects("Messages", [()], |info, ()| reference(info, "MessageID", id, args));
                body.put("Type", "ExtendedError.1.0.0");
                hpe_error(body, "MessageID", id, args);
            }),
            MessageForm::Standard => Self::unsealed(status, like, |body| standard_error(body, id, message, args)),
            MessageForm::Nothing => Self::empty(status),
        }
    }

    /// 405 with the methods that are allowed and an empty body, as an iLO was seen to answer
    /// (HewlettPackard/python-ilorest-library issue 45).
    pub(crate) fn not_allowed(allowed: &'static str) -> Self {
        Self::empty(StatusCode::METHOD_NOT_ALLOWED).with(ALLOW, HeaderValue::from_static(allowed))
    }

    fn sealed(status: StatusCode, draft: Draft) -> Self {
        let Sealed { json, etag } = draft.seal();
        Self { status, body: json, etag, headers: Vec::new(), large: false }
    }

    fn unsealed(status: StatusCode, like: &Traits, fill: impl FnOnce(&mut Object<'_>)) -> Self {
        let etag = like.wire.etag.map(Etag::of_message);
        Self { status, body: Object::text(fill), etag, headers: Vec::new(), large: false }
    }

    /// This answer with one more header. A user's name stands in `Location` and may hold what no header can:
    /// then it goes without.
    pub(crate) fn with(mut self, name: HeaderName, value: impl TryInto<HeaderValue>) -> Self {
        if let Ok(value) = value.try_into() {
            self.headers.push((name, value));
        }
        self
    }

    /// This answer with something else as its text.
    pub(crate) fn rewritten(self, rewrite: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Self {
        Self { body: rewrite(self.body), ..self }
    }

    /// The response, with the headers of this firmware and the date of its own clock. `accepts_gzip`: the client
    /// does.
    pub(crate) fn into_response(self, like: &Traits, clock: Stamp, accepts_gzip: bool) -> Response<Bytes> {
        let Self { status, mut body, etag, headers, large } = self;
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = status;
        *response.headers_mut() = common_headers(like, clock);
        if let Some(etag) = etag.and_then(Etag::header) {
            response.headers_mut().insert(ETAG, etag);
        }
        for (name, value) in headers {
            response.headers_mut().insert(name, value);
        }
        let zipped = match like.wire.gzip {
            Gzip::Never => false,
            Gzip::Registries => large,
            Gzip::Asked => accepts_gzip && !body.is_empty(),
        };
        if zipped {
            body = gzip::compressed(&body);
            response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        if like.wire.tells_length && status != StatusCode::NO_CONTENT {
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        *response.body_mut() = Bytes::from(body);
        response
    }
}

/// The object named `error` as HPE fills it; iLO 4 spells `MessageID`, later ones `MessageId`.
fn hpe_error(body: &mut Object<'_>, key: &'static str, id: &str, args: &[&str]) {
    body.object("error", |error| {
        error.objects("@Message.ExtendedInfo", [()], |info, ()| reference(info, key, id, args));
        error.put("code", "iLO.0.10.ExtendedInfo");
        error.put("message", "See @Message.ExtendedInfo for more information.");
    });
}

fn reference(info: &mut Object<'_>, key: &'static str, id: &str, args: &[&str]) {
    if !args.is_empty() {
        info.texts("MessageArgs", args);
    }
    info.put(key, id);
}

/// The same as the standard asks for it.
fn standard_error(body: &mut Object<'_>, id: &str, message: &str, args: &[&str]) {
    let meaning = registry::meaning_of(message);
    let text = &registry::text_of(meaning, args);
    body.object("error", |error| {
        error.objects("@Message.ExtendedInfo", [()], |info, ()| {
            info.put("@odata.type", "#Message.v1_1_1.Message");
            info.put("Message", text);
            info.texts("MessageArgs", args);
            info.put("MessageId", id);
            info.put("MessageSeverity", meaning.severity);
            info.put("Resolution", meaning.resolution);
        });
        error.put("code", id);
        error.put("message", text);
    });
}

/// The headers of every answer, with room for those that only some have.
fn common_headers(like: &Traits, clock: Stamp) -> HeaderMap {
    let constant = HeaderValue::from_static;
    let mut headers = HeaderMap::with_capacity(12);
    headers.insert(CACHE_CONTROL, constant("no-cache"));
    headers.insert(CONTENT_TYPE, constant(like.wire.content_type));
    if let Ok(date) = HeaderValue::try_from(clock.http_date()) {
        headers.insert(DATE, date);
    }
    headers.insert(ODATA_VERSION, constant("4.0"));
    if like.wire.shields {
        headers.insert(X_CONTENT_TYPE_OPTIONS, constant("nosniff"));
    }
    headers.insert(X_FRAME_OPTIONS, constant("sameorigin"));
    if like.wire.shields {
        headers.insert(X_XSS_PROTECTION, constant("1; mode=block"));
    }
    if let Some(server) = like.wire.server {
        headers.insert(SERVER, constant(server));
    }
    if like.wire.service_version {
        headers.insert(SERVICE_VERSION, constant("1.0.3"));
    }
    headers
}
