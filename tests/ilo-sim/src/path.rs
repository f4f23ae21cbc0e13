//! From the URL of a request to the resource that is meant, and to links in the client's style.

use std::borrow::Cow;

use http::Uri;

use crate::json::{Json, escape};
use crate::session::SessionId;

/// What a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) resource: Resource,
    pub(crate) links: Links,
    /// Whether the members of a collection are to be whole objects.
    pub(crate) expand: bool,
}

/// The resources that the simulated iLO has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    /// `/redfish`
    Versions,
    /// `/redfish/v1`
    Root,
    SessionService,
    Sessions,
    Session(String),
    Managers,
    Manager,
    UpdateService,
    AccountService,
    /// Below `/redfish` or `/rest`, but not here.
    Missing,
    /// Outside the REST service: the tree of the web pages.
    Foreign,
}

/// How links are written: as the client wrote its own.
///
/// "Both forms are served, and the links in the answer copy the style of the request" (HPE iLO 5
/// changelog, 1.40, "Trailing Slashes on URIs").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Links {
    Bare,
    Slashed,
}

impl Links {
    /// A link to `path`, which is given without a trailing slash.
    pub(crate) const fn to(self, path: &'static str) -> Path<'static> {
        Path { base: path, member: None, links: self }
    }

    /// A link to a session.
    pub(crate) const fn to_session(self, id: &SessionId) -> Path<'_> {
        Path { base: SESSIONS, member: Some(id), links: self }
    }
}

/// A path of this iLO, on its way into an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path<'a> {
    base: &'static str,
    member: Option<&'a SessionId>,
    links: Links,
}

impl Json for Path<'_> {
    fn write(self, out: &mut Vec<u8>) {
        out.push(b'"');
        out.extend_from_slice(self.base.as_bytes());
        if let Some(member) = self.member {
            out.push(b'/');
            escape(member.as_str(), out);
        }
        if self.links == Links::Slashed {
            out.push(b'/');
        }
        out.push(b'"');
    }
}

/// The path of the Sessions collection, without the trailing slash.
pub(crate) const SESSIONS: &str = "/redfish/v1/SessionService/Sessions";

impl Target {
    pub(crate) fn of(uri: &Uri) -> Self {
        let path = decode(uri.path());
        let links = if path.ends_with('/') { Links::Slashed } else { Links::Bare };
        Self { resource: Resource::at(path.trim_end_matches('/')), links, expand: expands(uri.query().unwrap_or("")) }
    }
}

impl Resource {
    fn at(path: &str) -> Self {
        match path {
            "/redfish" => Self::Versions,
            "/redfish/v1" => Self::Root,
            "/redfish/v1/SessionService" => Self::SessionService,
            // The short form is what HPE's two-factor guide posts to.
            SESSIONS | "/redfish/v1/Sessions" => Self::Sessions,
            "/redfish/v1/Managers" => Self::Managers,
            "/redfish/v1/Managers/1" => Self::Manager,
            "/redfish/v1/UpdateService" => Self::UpdateService,
            "/redfish/v1/AccountService" => Self::AccountService,
            _ => match path.strip_prefix(SESSIONS).and_then(|rest| rest.strip_prefix('/')) {
                Some(id) if !id.contains('/') => Self::Session(id.to_owned()),
                _ if path.starts_with("/redfish/") || path == "/rest" || path.starts_with("/rest/") => Self::Missing,
                _ => Self::Foreign,
            },
        }
    }
}

/// Whether a query asks for one level of expansion. `.` and `*` and `($levels=n)` mean the same to an
/// iLO, and it never goes deeper than one level (HPE Redfish docs, "iLO 5 $expand").
fn expands(query: &str) -> bool {
    query.split('&').any(|option| {
        let option = decode(option);
        let Some(value) = option.strip_prefix("$expand=") else { return false };
        let levels = value.trim_start_matches(['.', '*']);
        match levels.strip_prefix("($levels=").and_then(|rest| rest.strip_suffix(')')) {
            Some(levels) => levels.parse().is_ok_and(|levels: u32| levels > 0),
            None => matches!(value, "." | "*"),
        }
    })
}

/// Undoes percent-encoding; what is not valid stays as it is.
fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return text.into();
    }
    let mut bytes = text.as_bytes().iter();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(&byte) = bytes.next() {
        let escaped = (byte == b'%').then(|| bytes.as_slice().get(..2)).flatten();
        match escaped.and_then(|hex| u8::from_str_radix(str::from_utf8(hex).ok()?, 16).ok()) {
            Some(escaped) => {
                decoded.push(escaped);
                bytes.nth(1);
            }
            None => decoded.push(byte),
        }
    }
    String::from_utf8_lossy(&decoded).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(uri: &str) -> Target {
        Target::of(&uri.parse().unwrap())
    }

    #[test]
    fn both_forms_of_a_path_mean_the_same_and_set_the_style() {
        for (uri, links) in [("/redfish/v1", Links::Bare), ("/redfish/v1/", Links::Slashed)] {
            assert_eq!(target(uri), Target { resource: Resource::Root, links, expand: false });
        }
        assert_eq!(target("/redfish/v1/Sessions/").resource, Resource::Sessions);
    }

    #[test]
    fn members_are_one_segment_deep_and_may_be_encoded() {
        let member = |id: &str| target(&format!("{SESSIONS}/{id}")).resource;
        assert_eq!(member("first%20last00"), Resource::Session("first last00".to_owned()));
        assert_eq!(member("100%zz"), Resource::Session("100%zz".to_owned()));
        assert_eq!(member("a/b"), Resource::Missing);
        assert_eq!(target("/rest/v1").resource, Resource::Missing);
        assert_eq!(target("/html/login_cert.html").resource, Resource::Foreign);
    }

    #[test]
    fn every_documented_expansion_is_one_level_and_nothing_else_is() {
        for yes in ["$expand=.", "$expand=*", "$expand=.($levels=1)", "$expand=($levels=7)", "a=b&%24expand=%2E"] {
            assert!(expands(yes), "{yes}");
        }
        for no in ["", "$expand=", "$expand=~", "$expand=.($levels=0)", "$select=Id", "expand=."] {
            assert!(!expands(no), "{no}");
        }
    }
}
