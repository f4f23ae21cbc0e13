//! An answer on its way to become an HTTP response with an iLO's headers.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, DATE, ETAG, HeaderName, HeaderValue, LINK};
use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::moment::Stamp;
use crate::spec::Personality;

/// The `ETag` of bodies that only carry messages: the same in a capture of a login from 2018 and in one
/// of a refusal from 2023 (HPE Redfish docs).
const MESSAGE_ETAG: &str = "W/\"02C2D1BB\"";

/// Status, body and the headers that are not on every answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    body: Option<Value>,
    headers: Vec<(HeaderName, String)>,
}

impl Answer {
    /// A sealed resource, described by the schema of this name.
    pub(crate) fn resource(body: Value, schema: &str) -> Self {
        let described = format!("</redfish/v1/SchemaStore/en/{schema}.json/>; rel=describedby");
        Self { status: StatusCode::OK, body: Some(body), headers: vec![(LINK, described)] }
    }

    /// A new resource.
    pub(crate) fn created(body: Value) -> Self {
        Self { status: StatusCode::CREATED, body: Some(body), headers: Vec::new() }
    }

    /// A message from a registry. Success too arrives in an object named `error` (HPE Redfish docs,
    /// "Disconnect a session").
    pub(crate) fn message(status: StatusCode, id: &str, args: &[&str]) -> Self {
        let mut info = json!({ "MessageId": id });
        if !args.is_empty() {
            info["MessageArgs"] = json!(args);
        }
        let body = json!({ "error": {
            "code": "iLO.0.10.ExtendedInfo",
            "message": "See @Message.ExtendedInfo for more information.",
            "@Message.ExtendedInfo": [info],
        }});
        Self { status, body: Some(body), headers: Vec::new() }
    }

    /// A message from the standard registry.
    pub(crate) fn base(status: StatusCode, like: Personality, message: &str, args: &[&str]) -> Self {
        Self::message(status, &format!("{}.{message}", like.base_registry()), args)
    }

    /// 405 with the methods that are allowed and an empty body, as an iLO was seen to answer
    /// (HewlettPackard/python-ilorest-library issue 45).
    pub(crate) fn not_allowed(allowed: &'static str) -> Self {
        Self { status: StatusCode::METHOD_NOT_ALLOWED, body: None, headers: Vec::new() }.with(ALLOW, allowed)
    }

    /// This answer with one more header.
    pub(crate) fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The response, with the headers of the captures and the date of the iLO's own clock.
    pub(crate) fn into_response(self, clock: Stamp) -> Response<Bytes> {
        let etag = self.body.as_ref().map(|body| body["@odata.etag"].as_str().unwrap_or(MESSAGE_ETAG).to_owned());
        let body = self.body.map_or_else(Bytes::new, |body| body.to_string().into());
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let common = [
            (CACHE_CONTROL, "no-cache".to_owned()),
            (CONTENT_TYPE, "application/json; charset=utf-8".to_owned()),
            (DATE, clock.http_date()),
            (HeaderName::from_static("odata-version"), "4.0".to_owned()),
            (HeaderName::from_static("x-content-type-options"), "nosniff".to_owned()),
            (HeaderName::from_static("x-frame-options"), "sameorigin".to_owned()),
            (HeaderName::from_static("x-xss-protection"), "1; mode=block".to_owned()),
        ];
        let headers = common.into_iter().chain(etag.map(|etag| (ETAG, etag))).chain(self.headers);
        for (name, value) in headers {
            // A user's name stands in Location and may hold what no header can: then it goes without.
            if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// Puts an `@odata.etag` of eight hexadecimal digits into a resource, made from its content (FNV-1a), so
/// that it changes exactly when the resource does.
pub(crate) fn sealed(mut resource: Value) -> Value {
    let hash = resource
        .to_string()
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    resource["@odata.etag"] = json!(format!("W/\"{hash:08X}\""));
    resource
}
