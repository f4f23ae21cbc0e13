//! The service root, which anyone may read.

use super::{View, href, link, oem_head};
use crate::answer::Answer;
use crate::json::Object;
use crate::path::{Door, Links, REST_SESSIONS, SESSIONS};
use crate::personality::Traits;
use crate::personality::traits::RootTime;

impl View<'_> {
    /// `/redfish`: which versions of the protocol there are.
    pub(crate) fn versions(&self) -> Answer {
        let described_by = "</redfish/v1/SchemaStore/en/redfish.json/>; rel=describedby";
        Answer::versions(self.like, described_by, |versions| versions.put("v1", "/redfish/v1/"))
    }

    /// The service root. It tells generation, firmware, the iLO's time, and how long a login waits.
    pub(crate) fn root(&self) -> Answer {
        let (schema, like) = (self.schemas().root, self.like);
        let root = self.resource(schema, self.path("/redfish/v1"), |root| {
            link(root, "AccountService", self.path("/redfish/v1/AccountService"));
            root.put("Id", like.root.id);
            link(root, "JsonSchemas", self.path(like.root.schemas_path));
            root.object("Links", |links| link(links, "Sessions", self.path(SESSIONS)));
            link(root, "Managers", self.path("/redfish/v1/Managers"));
            root.put("Name", like.root.name);
            self.oem(root, |oem| self.root_oem(oem));
            if like.root.names_maker {
                root.put("Product", &format!("{} ({})", like.product, self.ilo.serial));
            }
            if like.root.features {
                root.object("ProtocolFeaturesSupported", features);
            }
            root.put("RedfishVersion", like.root.redfish_version);
            link(root, "Registries", self.path("/redfish/v1/Registries"));
            link(root, "SessionService", self.path("/redfish/v1/SessionService"));
            link(root, "Systems", self.path("/redfish/v1/Systems"));
            if like.root.time == RootTime::Top {
                root.put("Time", self.clock());
            }
            self.old_type(root, schema);
            root.put("UUID", &self.ilo.uuid);
            if like.root.links_updates {
                link(root, "UpdateService", self.path(like.services.updates.path()));
            }
            if like.root.names_maker {
                root.put("Vendor", "HPE");
            }
            self.old_root_links(root);
        });
        Answer::resource(root, schema.described_by)
    }

    /// What a client from before Redfish goes by: HPE's `ilorest` 5 reads these and then logs in at `Sessions`. Behind
    /// the old door they stay there; in the root of an iLO 4 2.54 that bmc-toolbox/bmclib quotes they do not.
    fn old_root_links(&self, root: &mut Object<'_>) {
        if !self.old {
            return;
        }
        let at = |old: &'static str, new: &'static str| match self.door {
            Door::Rest => Links::Bare.to(old),
            Door::Redfish => Links::Slashed.to(new),
        };
        root.object("links", |links| {
            href(links, "AccountService", at("/rest/v1/AccountService", "/redfish/v1/AccountService"));
            href(links, "Managers", at("/rest/v1/Managers", "/redfish/v1/Managers"));
            href(links, "Registries", at("/rest/v1/Registries", "/redfish/v1/Registries"));
            href(links, "Schemas", at("/rest/v1/Schemas", "/redfish/v1/Schemas"));
            href(links, "SessionService", at("/rest/v1/SessionService", "/redfish/v1/SessionService"));
            href(links, "Sessions", at(REST_SESSIONS, SESSIONS));
            href(links, "Systems", at("/rest/v1/Systems", "/redfish/v1/Systems"));
            href(links, "self", at("/rest/v1", "/redfish/v1"));
        });
    }

    fn root_oem(&self, oem: &mut Object<'_>) {
        let (schema, like) = (self.schemas().root_oem, self.like);
        oem_head(oem, schema);
        oem.objects("Manager", [()], |manager, ()| self.root_manager(manager));
        if like.root.names_maker {
            oem.object("Moniker", |moniker| moniker_of(like, moniker));
        }
        oem.object("Sessions", |sessions| self.login_hints(sessions));
        if like.root.time == RootTime::Vendor {
            oem.put("Time", self.clock());
        }
        self.old_type(oem, schema);
    }

    fn root_manager(&self, manager: &mut Object<'_>) {
        let (name, like) = (&self.ilo.spec.name, self.like);
        manager.put("DefaultLanguage", "en");
        manager.put("FQDN", name);
        manager.put("HostName", name.split('.').next().unwrap_or(name));
        if let Some(url) = &self.ilo.spec.managed_by {
            manager.object("IPManager", |owner| one_view(owner, url));
        }
        manager.objects("Languages", [like.root.language_version], |language, version| {
            language.put("Language", "en");
            language.put("TranslationName", "English");
            language.put("Version", version);
        });
        if like.root.tells_version {
            manager.put("ManagerFirmwareVersion", like.version);
            manager.put("ManagerType", like.generation);
        }
        manager.object("Status", |status| status.put("Health", "OK"));
    }

    fn login_hints(&self, sessions: &mut Object<'_>) {
        sessions.put("CertCommonName", &self.ilo.spec.name);
        sessions.put("CertificateLoginEnabled", false);
        sessions.put("KerberosEnabled", false);
        sessions.put("LDAPAuthLicenced", true);
        sessions.put("LDAPEnabled", false);
        sessions.put("LocalLoginEnabled", true);
        sessions.put("LoginFailureDelay", self.ilo.gate.delay_s());
        sessions.object("LoginHint", |hint| {
            hint.put("Hint", "POST to /Sessions to login using the following JSON object:");
            hint.object("HintPOSTData", |data| {
                data.put("Password", "password");
                data.put("UserName", "username");
            });
        });
        sessions.put("SecurityOverride", false);
    }
}

fn moniker_of(like: &Traits, moniker: &mut Object<'_>) {
    moniker.put("PRODABR", "iLO");
    moniker.put("PRODFAM", "Integrated Lights-Out");
    moniker.put("PRODGEN", like.generation);
    moniker.put("PRODTAG", &format!("HPE {}", like.generation));
    moniker.put("VENDABR", "HPE");
    moniker.put("VENDNAM", "Hewlett Packard Enterprise");
}

/// The HPE `OneView` that owns this iLO, as a root in HPE's iLO 4 REST API docs names it.
fn one_view(owner: &mut Object<'_>, url: &str) {
    owner.put("ManagerProductName", "HPE OneView");
    owner.put("ManagerType", "OneView");
    owner.object("ManagerUrl", |manager| manager.put("xref", url));
    owner.put("Name", "Management Console Information");
    owner.put("iLOManaged", true);
}

/// `ProtocolFeaturesSupported`. HPE advertises `ExpandAll` as false and honours `*` all the same.
fn features(features: &mut Object<'_>) {
    features.object("ExpandQuery", |expand| {
        expand.put("ExpandAll", false);
        expand.put("Levels", true);
        expand.put("Links", false);
        expand.put("MaxLevels", 1_u32);
        expand.put("NoLinks", true);
    });
    features.put("FilterQuery", true);
    features.put("OnlyMemberQuery", true);
    features.put("SelectQuery", true);
}
