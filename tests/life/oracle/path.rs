//! What a request is about, by its path.

use bytes::Bytes;
use http::Request;
use ilo_sim::SessionId;

use crate::script::On;

/// The id in the path, which is empty where the path names no session; `None` where the path is none of ours.
pub(super) fn told_path(request: &Request<Bytes>, on: On) -> Option<SessionId> {
    const SESSIONS: &str = "/redfish/v1/SessionService/Sessions/";
    const OLD_UPDATE_SERVICE: &str = "/redfish/v1/Managers/1/UpdateService/";
    let path = request.uri().path();
    let nobody = || SessionId::from("");
    match on {
        On::Root => (path == "/redfish/v1/").then(nobody),
        On::Login | On::Collection => (path == SESSIONS).then(nobody),
        On::Update => matches!(path, "/redfish/v1/UpdateService/" | OLD_UPDATE_SERVICE).then(nobody),
        _ => {
            let id = path.strip_prefix(SESSIONS)?.strip_suffix('/')?;
            let is_plain = !id.is_empty()
                && !id.starts_with('.')
                && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
            is_plain.then(|| SessionId::from(id))
        }
    }
}
