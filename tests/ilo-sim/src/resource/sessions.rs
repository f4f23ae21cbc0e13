//! The session service, the collection of sessions, and each of them.

use super::{View, enabled, href, link, oem_head};
use crate::answer::Answer;
use crate::etag::Draft;
use crate::json::Object;
use crate::path::{Door, Links, Path, REST_SESSIONS, SESSIONS};
use crate::personality::traits::{Member, Timeout};
use crate::session::Session;
use crate::spec::{Privilege, Privileges};

impl View<'_> {
    /// The session service.
    pub(crate) fn session_service(&self) -> Answer {
        let schema = self.schemas().session_service;
        let here = self.path("/redfish/v1/SessionService");
        let service = self.resource(schema, here, |service| {
            service.put("Description", "Session Service");
            service.put("Id", "SessionService");
            service.put("Name", "Session Service");
            service.put("ServiceEnabled", true);
            let minutes = self.ilo.spec.session_timeout_min;
            match self.like.sessions.timeout {
                Timeout::Absent => {}
                Timeout::Minutes => service.put("SessionTimeout", minutes),
                Timeout::Seconds => service.put("SessionTimeout", minutes.saturating_mul(60)),
            }
            link(service, "Sessions", self.path(SESSIONS));
            enabled(service);
            self.old_type(service, schema);
            self.old_links(service, here);
        });
        Answer::resource(service, schema.described_by)
    }

    /// The Sessions collection, its members as links or whole. One that dangles stays a link.
    pub(crate) fn sessions(&self, expand: bool) -> Answer {
        let (schema, like) = (self.schemas().sessions, &self.like.sessions);
        let table = &self.ilo.table;
        let collection = self.resource(schema, self.path(SESSIONS), |collection| {
            collection.put("Description", like.description);
            if expand {
                let members = table.iter().map(|session| {
                    if session.dangling { Err(self.links.to_session(&session.id)) } else { Ok(self.session(session)) }
                });
                collection.resources_or_links("Members", members);
            } else {
                let paths = table.iter().map(|session| self.links.to_session(&session.id));
                collection.objects("Members", paths, |member, path| member.put("@odata.id", path));
            }
            collection.put("Members@odata.count", table.iter().count());
            collection.put("Name", like.name);
            self.oem(collection, |oem| self.sessions_oem(oem));
            if self.old {
                collection.put("Total", table.iter().count());
                self.old_type(collection, schema);
                collection.object("links", |links| self.old_members(links));
            }
        });
        Answer::resource(collection, schema.described_by)
    }

    /// The members as a collection had them before Redfish; the shape is that of the old resources in HPE's iLO 4 REST
    /// API docs.
    fn old_members(&self, links: &mut Object<'_>) {
        let paths = self.ilo.table.iter().map(|session| self.old_path(session));
        links.objects("Member", paths, |member, path| member.put("href", path));
        href(links, "self", if self.door == Door::Rest { Links::Bare.to(REST_SESSIONS) } else { self.path(SESSIONS) });
    }

    fn old_path<'a>(&self, session: &'a Session) -> Path<'a> {
        match self.door {
            Door::Rest => Links::Bare.to_member(REST_SESSIONS, session.id.as_str()),
            Door::Redfish => self.links.to_session(&session.id),
        }
    }

    fn sessions_oem(&self, oem: &mut Object<'_>) {
        let schema = self.schemas().sessions_oem;
        oem_head(oem, schema);
        oem.object("Links", |links| {
            if let Some(me) = self.me {
                link(links, "MySession", self.links.to_session(me));
            }
        });
        self.old_type(oem, schema);
    }

    /// One member of the collection.
    pub(crate) fn member(&self, session: &Session) -> Answer {
        Answer::resource(self.session(session), self.schemas().session.described_by)
    }

    /// A session.
    pub(crate) fn session(&self, session: &Session) -> Draft {
        let (schema, here) = (self.schemas().session, self.links.to_session(&session.id));
        self.resource(schema, here, |member| match self.like.sessions.member {
            Member::Vendor => {
                member.put("Description", "Manager User Session");
                member.put("Id", session.id.as_str());
                member.put("Name", "User Session");
                self.oem(member, |oem| self.session_oem(oem, session));
                self.old_type(member, schema);
                member.put("UserName", &session.owner);
                self.old_links(member, self.old_path(session));
            }
            Member::Standard { created, roles } => self.standard_session(member, session, created, roles),
            Member::Posted => {
                member.put("Id", session.id.as_str());
                member.put("UserName", &session.owner);
            }
        })
    }

    /// Privileges are shown to the session itself only; with no idle time-out it expires, by its own words,
    /// at its last access (HPE iLO 5 capture v3.14).
    fn session_oem(&self, oem: &mut Object<'_>, session: &Session) {
        let schema = self.schemas().session_oem;
        let mine = self.me == Some(&session.id);
        oem_head(oem, schema);
        oem.put("AccessTime", session.access_shown);
        oem.put("LoginTime", session.login_shown);
        oem.put("MySession", mine);
        if mine {
            let held = self.held_by(session);
            oem.object("Privileges", |flags| {
                for privilege in self.like.sessions.privileges {
                    flags.put(privilege.name(), held.has(*privilege));
                }
            });
        }
        self.old_type(oem, schema);
        oem.put("UserExpires", session.access_shown.plus_minutes(self.ilo.spec.session_timeout_min));
        oem.put("UserIP", session.origin);
        oem.put("UserTag", &session.tag);
        oem.put("UserType", &session.user_type);
    }

    /// A session in the words of DMTF's schema: it has no last access. That the password is there and null is asked
    /// for by the standard.
    fn standard_session(&self, member: &mut Object<'_>, session: &Session, created: bool, roles: bool) {
        member.put("ClientOriginIPAddress", session.origin);
        if created {
            let offset = self.ilo.spec.utc_offset_min;
            member.put("CreatedTime", &session.login_shown.with_offset(offset));
        }
        member.put("Description", "User Session");
        member.put("Id", session.id.as_str());
        member.put("Name", "User Session");
        if created {
            member.put("Password", ());
        }
        if roles {
            member.texts("Roles", &[role(self.held_by(session))]);
        }
        if created {
            member.put("SessionType", session_type(&session.tag));
        }
        member.put("UserName", &session.owner);
    }

    fn held_by(&self, session: &Session) -> Privileges {
        self.ilo.account(&session.owner).map_or(Privileges::NONE, |account| account.privileges)
    }
}

/// The standard role that has such privileges.
fn role(held: Privileges) -> &'static str {
    if held.has(Privilege::UserConfig) {
        "Administrator"
    } else if held.has(Privilege::VirtualPowerAndReset) {
        "Operator"
    } else {
        "ReadOnly"
    }
}

/// What DMTF's schema calls a session of such a `UserTag`.
fn session_type(tag: &str) -> &'static str {
    match tag {
        "REST" => "Redfish",
        "Web UI" => "WebUI",
        "Remote Console" => "KVMIP",
        "SSH" => "ManagerConsole",
        "IPMI/RMCP" => "IPMI",
        _ => "OEM",
    }
}
