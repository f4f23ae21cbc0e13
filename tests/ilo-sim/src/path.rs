//! From the URL of a request to the resource that is meant, and to links in the client's style.

use std::borrow::Cow;

use http::Uri;

use crate::json::{Json, escape};
use crate::personality::Traits;
use crate::personality::traits::{RestDoor, Slash, Updates};
use crate::session::SessionId;

/// What a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) resource: Resource,
    pub(crate) links: Links,
    pub(crate) door: Door,
    /// Whether the members of a collection are to be whole objects.
    pub(crate) expand: bool,
    /// Where this firmware has it: the client is sent there.
    pub(crate) moved_to: Option<String>,
}

/// The tree that a request came in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// `/redfish/v1`
    Redfish,
    /// `/rest/v1` of iLO 4: the same resources, as they were before Redfish.
    Rest,
}

/// The resources that the simulated iLO has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    /// `/redfish`
    Versions,
    /// `/redfish/v1`
    Root,
    /// `/redfish/v1/odata`
    ServiceDocument,
    /// `/redfish/v1/$metadata`
    Metadata,
    SessionService,
    Sessions,
    Session(String),
    Managers,
    Manager,
    UpdateService,
    AccountService,
    /// The roles that accounts have.
    Roles,
    Role(String),
    /// The accounts of host applications.
    AppAccounts,
    AppAccount(String),
    /// The standard registry.
    Registry,
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
    pub(crate) fn to_session(self, id: &SessionId) -> Path<'_> {
        self.to_member(SESSIONS, id.as_str())
    }

    /// A link to a member of the collection at `path`.
    pub(crate) const fn to_member<'a>(self, path: &'static str, member: &'a str) -> Path<'a> {
        Path { base: path, member: Some(member), links: self }
    }
}

/// A path of this iLO, on its way into an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path<'a> {
    base: &'static str,
    member: Option<&'a str>,
    links: Links,
}

impl Json for Path<'_> {
    fn write(self, out: &mut Vec<u8>) {
        out.push(b'"');
        out.extend_from_slice(self.base.as_bytes());
        if let Some(member) = self.member {
            out.push(b'/');
            escape(member, out);
        }
        if self.links == Links::Slashed {
            out.push(b'/');
        }
        out.push(b'"');
    }
}

/// The path of the Sessions collection, without the trailing slash.
pub(crate) const SESSIONS: &str = "/redfish/v1/SessionService/Sessions";
/// The same among the resources before Redfish.
pub(crate) const REST_SESSIONS: &str = "/rest/v1/Sessions";
/// The roles of accounts (captures of iLO 5, 6 and 7).
pub(crate) const ROLES: &str = "/redfish/v1/AccountService/Roles";
/// The accounts of host applications on iLO 7 (HPE Redfish docs, "Managing iLO users").
pub(crate) const APP_ACCOUNTS: &str = "/redfish/v1/AccountService/Oem/Hpe/AppAccounts";

impl Target {
    pub(crate) fn of(uri: &Uri, like: &Traits) -> Self {
        let path = decode(uri.path());
        let slashed = path.ends_with('/');
        let links = match like.wire.slash {
            Slash::Copied if !slashed => Links::Bare,
            Slash::Copied | Slash::Redirected => Links::Slashed,
            Slash::Bare => Links::Bare,
        };
        let (resource, door) = Resource::at(path.trim_end_matches('/'), like);
        let expand = expands(uri.query().unwrap_or(""));
        let moved_to = moved_to(uri, slashed, door, like);
        Self { resource, links, door, expand, moved_to }
    }
}

/// Where a request is sent on to: to the path with a slash, or out of the old tree. Whether the query comes along
/// is a guess, and so is that `Location` has no host.
fn moved_to(uri: &Uri, slashed: bool, door: Door, like: &Traits) -> Option<String> {
    let path = uri.path();
    let old = path.strip_prefix("/rest/v1").filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let new = match (old, like.wire.rest_door, like.wire.slash) {
        (Some(rest), RestDoor::Redirected, _) => format!("/redfish/v1{}/", rest.trim_end_matches('/')),
        (None, _, Slash::Redirected) if !slashed && door == Door::Redfish && path.starts_with("/redfish") => {
            format!("{path}/")
        }
        _ => return None,
    };
    Some(uri.query().map_or_else(|| new.clone(), |query| format!("{new}?{query}")))
}

impl Resource {
    fn at(path: &str, like: &Traits) -> (Self, Door) {
        let old = path.strip_prefix("/rest/v1").filter(|rest| rest.is_empty() || rest.starts_with('/'));
        match old {
            Some(rest) if like.wire.rest_door == RestDoor::Open => {
                let service = if rest.starts_with("/Sessions") { "/SessionService" } else { "" };
                (Self::in_redfish(&format!("/redfish/v1{service}{rest}"), like), Door::Rest)
            }
            _ => (Self::in_redfish(path, like), Door::Redfish),
        }
    }

    fn in_redfish(path: &str, like: &Traits) -> Self {
        match path {
            "/redfish" => Self::Versions,
            "/redfish/v1" => Self::Root,
            "/redfish/v1/SessionService" => Self::SessionService,
            // The short form is what HPE's two-factor guide posts to.
            SESSIONS | "/redfish/v1/Sessions" => Self::Sessions,
            "/redfish/v1/Managers" => Self::Managers,
            "/redfish/v1/AccountService" => Self::AccountService,
            "/redfish/v1/odata" if like.services.odata_documents => Self::ServiceDocument,
            "/redfish/v1/$metadata" if like.services.odata_documents => Self::Metadata,
            ROLES if like.services.roles => Self::Roles,
            _ if path == like.manager.path => Self::Manager,
            _ if path == like.services.updates.path() => Self::UpdateService,
            APP_ACCOUNTS if like.services.app_accounts => Self::AppAccounts,
            _ if Some(path) == like.services.registry_path => Self::Registry,
            _ => Self::member_of(path, like),
        }
    }

    fn member_of(path: &str, like: &Traits) -> Self {
        let below = |collection: &str| path.strip_prefix(collection).and_then(|rest| rest.strip_prefix('/'));
        let member = |collection: &str| below(collection).filter(|id| !id.contains('/')).map(ToOwned::to_owned);
        let has = like.services;
        if let Some(id) = member(SESSIONS) {
            Self::Session(id)
        } else if let Some(id) = member(APP_ACCOUNTS).filter(|_| has.app_accounts) {
            Self::AppAccount(id)
        } else if let Some(id) = member(ROLES).filter(|_| has.roles) {
            Self::Role(id)
        } else if path.starts_with("/redfish/") || path == "/rest" || path.starts_with("/rest/") {
            Self::Missing
        } else {
            Self::Foreign
        }
    }
}

impl Updates {
    /// Where the update service is, without the trailing slash.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::BelowManager => "/redfish/v1/Managers/1/UpdateService",
            Self::Vendor | Self::Untold => "/redfish/v1/UpdateService",
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
    use crate::Personality;

    fn target_of(uri: &str, personality: Personality) -> Target {
        Target::of(&uri.parse().unwrap(), personality.traits())
    }

    fn target(uri: &str) -> Target {
        target_of(uri, Personality::default())
    }

    #[test]
    fn both_forms_of_a_path_mean_the_same_and_set_the_style() {
        for (uri, links) in [("/redfish/v1", Links::Bare), ("/redfish/v1/", Links::Slashed)] {
            let (resource, door) = (Resource::Root, Door::Redfish);
            assert_eq!(target(uri), Target { resource, links, door, expand: false, moved_to: None });
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
    fn a_client_is_sent_on_with_its_query() {
        let moved = |uri, personality| target_of(uri, personality).moved_to;
        let slashed = |uri| moved(uri, Personality::Ilo5V139);
        assert_eq!(slashed("/redfish/v1").unwrap(), "/redfish/v1/");
        assert_eq!(slashed("/redfish/v1/Managers?$expand=.").unwrap(), "/redfish/v1/Managers/?$expand=.");
        assert_eq!(slashed("/redfish/v1/Managers/?$expand=."), None);
        assert_eq!(slashed("/html/login_cert.html"), None);
        assert_eq!(slashed("/rest/v1/Sessions?a=b").unwrap(), "/redfish/v1/Sessions/?a=b");
        assert_eq!(slashed("/rest/v1/").unwrap(), "/redfish/v1/");
        assert_eq!(slashed("/rest/v11"), None);
        assert_eq!(moved("/rest/v1", Personality::Ilo4V255), None, "it has this door");
        assert_eq!(moved("/redfish/v1", Personality::Ilo4V255).unwrap(), "/redfish/v1/");
        assert_eq!(moved("/redfish/v1", Personality::Ilo7V117), None);
    }

    #[test]
    fn an_old_door_leads_to_the_same_resources() {
        let at = |uri| {
            let target = target_of(uri, Personality::Ilo4V255);
            (target.resource, target.door)
        };
        assert_eq!(at("/rest/v1"), (Resource::Root, Door::Rest));
        assert_eq!(at("/rest/v1/Sessions"), (Resource::Sessions, Door::Rest));
        assert_eq!(at("/rest/v1/Sessions/a"), (Resource::Session("a".to_owned()), Door::Rest));
        assert_eq!(at("/redfish/v1/Sessions/"), (Resource::Sessions, Door::Redfish));
        assert_eq!(at("/rest/v2").0, Resource::Missing);
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
