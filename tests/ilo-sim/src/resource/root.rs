//! The service root, which anyone may read.

use super::{View, link, resource};
use crate::answer::Answer;
use crate::json::Object;
use crate::path::SESSIONS;

impl View<'_> {
    /// `/redfish`: which versions of the protocol there are.
    pub(crate) fn versions() -> Answer {
        Answer::versions("</redfish/v1/SchemaStore/en/redfish.json/>; rel=describedby", |versions| {
            versions.put("v1", "/redfish/v1/");
        })
    }

    /// The service root. It tells generation, firmware, the iLO's time, and how long a login waits.
    pub(crate) fn root(&self) -> Answer {
        let schema = self.schemas().root;
        let root = resource(schema, self.path("/redfish/v1"), |root| {
            link(root, "AccountService", self.path("/redfish/v1/AccountService"));
            root.put("Id", "RootService");
            link(root, "JsonSchemas", self.path("/redfish/v1/JsonSchemas"));
            root.object("Links", |links| link(links, "Sessions", self.path(SESSIONS)));
            link(root, "Managers", self.path("/redfish/v1/Managers"));
            root.put("Name", "HPE RESTful Root Service");
            self.oem(root, |oem| self.root_oem(oem));
            root.put("Product", &format!("ProLiant DL360 Gen10 ({})", self.ilo.serial));
            root.object("ProtocolFeaturesSupported", features);
            root.put("RedfishVersion", "1.6.0");
            link(root, "Registries", self.path("/redfish/v1/Registries"));
            link(root, "SessionService", self.path("/redfish/v1/SessionService"));
            link(root, "Systems", self.path("/redfish/v1/Systems"));
            root.put("UUID", &self.ilo.uuid);
            link(root, "UpdateService", self.path("/redfish/v1/UpdateService"));
            root.put("Vendor", "HPE");
        });
        Answer::resource(root, schema.described_by)
    }

    fn root_oem(&self, oem: &mut Object<'_>) {
        let schema = self.schemas().root_oem;
        oem.put("@odata.context", schema.context);
        oem.put("@odata.type", schema.kind);
        oem.objects("Manager", [()], |manager, ()| self.root_manager(manager));
        oem.object("Moniker", |moniker| self.moniker(moniker));
        oem.object("Sessions", |sessions| self.login_hints(sessions));
        oem.put("Time", self.clock());
    }

    fn root_manager(&self, manager: &mut Object<'_>) {
        let (name, like) = (&self.ilo.spec.name, self.ilo.spec.personality);
        manager.put("DefaultLanguage", "en");
        manager.put("FQDN", name);
        manager.put("HostName", name.split('.').next().unwrap_or(name));
        manager.objects("Languages", [like.firmware()], |language, version| {
            language.put("Language", "en");
            language.put("TranslationName", "English");
            language.put("Version", version);
        });
        manager.put("ManagerFirmwareVersion", like.firmware());
        manager.put("ManagerType", like.manager_type());
        manager.object("Status", |status| status.put("Health", "OK"));
    }

    fn moniker(&self, moniker: &mut Object<'_>) {
        let manager_type = self.ilo.spec.personality.manager_type();
        moniker.put("PRODABR", "iLO");
        moniker.put("PRODFAM", "Integrated Lights-Out");
        moniker.put("PRODGEN", manager_type);
        moniker.put("PRODTAG", &format!("HPE {manager_type}"));
        moniker.put("VENDABR", "HPE");
        moniker.put("VENDNAM", "Hewlett Packard Enterprise");
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
