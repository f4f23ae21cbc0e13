//! The session service, the collection of sessions, and each of them.

use super::{View, enabled, link, resource};
use crate::answer::Answer;
use crate::etag::Draft;
use crate::json::Object;
use crate::path::SESSIONS;
use crate::session::Session;
use crate::spec::{Privilege, Privileges};

impl View<'_> {
    /// The session service. Its time-out is in minutes, 0 to 120, although the schema says seconds: it is
    /// the number of the manager's `IdleConnectionTimeoutMinutes` in every capture.
    pub(crate) fn session_service(&self) -> Answer {
        let schema = self.schemas().session_service;
        let service = resource(schema, self.path("/redfish/v1/SessionService"), |service| {
            service.put("Description", "Session Service");
            service.put("Id", "SessionService");
            service.put("Name", "Session Service");
            service.put("ServiceEnabled", true);
            service.put("SessionTimeout", self.ilo.spec.session_timeout_min);
            link(service, "Sessions", self.path(SESSIONS));
            enabled(service);
        });
        Answer::resource(service, schema.described_by)
    }

    /// The Sessions collection, its members as links or whole.
    pub(crate) fn sessions(&self, expand: bool) -> Answer {
        let schema = self.schemas().sessions;
        let table = &self.ilo.table;
        let collection = resource(schema, self.path(SESSIONS), |collection| {
            collection.put("Description", "Manager User Sessions");
            if expand {
                collection.resources("Members", table.iter().map(|session| self.session(session)));
            } else {
                let paths = table.iter().map(|session| self.links.to_session(&session.id));
                collection.objects("Members", paths, |member, path| member.put("@odata.id", path));
            }
            collection.put("Members@odata.count", table.iter().count());
            collection.put("Name", "Sessions");
            self.oem(collection, |oem| self.sessions_oem(oem));
        });
        Answer::resource(collection, schema.described_by)
    }

    fn sessions_oem(&self, oem: &mut Object<'_>) {
        let schema = self.schemas().sessions_oem;
        oem.put("@odata.context", schema.context);
        oem.put("@odata.type", schema.kind);
        oem.object("Links", |links| {
            if let Some(me) = self.me {
                link(links, "MySession", self.links.to_session(me));
            }
        });
    }

    /// One member of the collection.
    pub(crate) fn member(&self, session: &Session) -> Answer {
        Answer::resource(self.session(session), self.schemas().session.described_by)
    }

    /// A session.
    pub(crate) fn session(&self, session: &Session) -> Draft {
        resource(self.schemas().session, self.links.to_session(&session.id), |member| {
            member.put("Description", "Manager User Session");
            member.put("Id", session.id.as_str());
            member.put("Name", "User Session");
            self.oem(member, |oem| self.session_oem(oem, session));
            member.put("UserName", &session.owner);
        })
    }

    /// Privileges are shown to the session itself only; with no idle time-out it expires, by its own words,
    /// at its last access (HPE iLO 5 capture v3.14).
    fn session_oem(&self, oem: &mut Object<'_>, session: &Session) {
        let schema = self.schemas().session_oem;
        let mine = self.me == Some(&session.id);
        oem.put("@odata.context", schema.context);
        oem.put("@odata.type", schema.kind);
        oem.put("AccessTime", session.access_shown);
        oem.put("LoginTime", session.login_shown);
        oem.put("MySession", mine);
        if mine {
            let held = self.ilo.account(&session.owner).map_or(Privileges::NONE, |account| account.privileges);
            oem.object("Privileges", |flags| {
                for privilege in Privilege::ALL {
                    flags.put(privilege.name(), held.has(privilege));
                }
            });
        }
        oem.put("UserExpires", session.access_shown.plus_minutes(self.ilo.spec.session_timeout_min));
        oem.put("UserIP", session.origin);
        oem.put("UserTag", &session.tag);
        oem.put("UserType", &session.user_type);
    }
}
