//! The services beside the sessions: updates and accounts, and the registry of messages.

use super::{View, enabled, link};
use crate::answer::Answer;
use crate::gate::STEP_S;
use crate::json::Object;
use crate::path::{APP_ACCOUNTS, ROLES};
use crate::personality::traits::Updates;
use crate::registry;

impl View<'_> {
    /// The update service: whether firmware is being flashed.
    pub(crate) fn update_service(&self) -> Answer {
        let (schema, updates) = (self.schemas().update_service, self.like.services.updates);
        let service = self.resource(schema, self.path(updates.path()), |service| {
            service.put("Description", "iLO Update Service");
            service.put("Id", "UpdateService");
            service.put("Name", "Update Service");
            match updates {
                Updates::Vendor => {
                    self.oem(service, |oem| {
                        oem.put("@odata.type", self.schemas().update_service_oem.kind);
                        oem.put("State", self.ilo.update.name());
                    });
                    service.put("ServiceEnabled", true);
                }
                Updates::BelowManager => {
                    service.put("State", self.ilo.update.old_name());
                    self.old_type(service, schema);
                }
                Updates::Untold => service.put("ServiceEnabled", true),
            }
        });
        Answer::resource(service, schema.described_by)
    }

    /// The account service: how wrong passwords are met. The values are those of all seven captures.
    pub(crate) fn account_service(&self) -> Answer {
        let (schema, has, spec) = (self.schemas().account_service, self.like.services, &self.ilo.spec);
        let here = self.path("/redfish/v1/AccountService");
        let service = self.resource(schema, here, |service| {
            service.put("Description", "iLO User Accounts");
            if has.basic_auth {
                service.put("HTTPBasicAuth", spec.basic_auth.name());
            }
            service.put("Id", "AccountService");
            service.put("LocalAccountAuth", "Enabled");
            service.put("Name", "Account Service");
            self.oem(service, |oem| {
                oem.put("@odata.type", self.schemas().account_service_oem.kind);
                if has.app_accounts {
                    link(oem, "AppAccounts", self.path(APP_ACCOUNTS));
                }
                oem.put("AuthFailureDelayTimeSeconds", STEP_S);
                oem.put("AuthFailureLoggingThreshold", 3_u32);
                oem.put("AuthFailuresBeforeDelay", 1_u32);
                if has.two_factor {
                    oem.put("TwoFactorAuth", if spec.two_factor.is_some() { "Enabled" } else { "Disabled" });
                }
            });
            if has.roles {
                link(service, "Roles", self.path(ROLES));
            }
            service.put("ServiceEnabled", true);
            enabled(service);
            self.old_type(service, schema);
            self.old_links(service, here);
        });
        Answer::resource(service, schema.described_by)
    }

    /// The accounts of host applications. Where they are and `HostAppName` is documented, all else a guess.
    pub(crate) fn app_accounts(&self, expand: bool) -> Answer {
        let (schema, names) = (self.schemas().app_accounts, &self.ilo.spec.app_accounts);
        let accounts = self.resource(schema, self.path(APP_ACCOUNTS), |accounts| {
            accounts.put("Description", "Application Accounts");
            if expand {
                accounts.resources("Members", names.iter().map(|name| self.app_account_draft(name)));
            } else {
                let paths = names.iter().map(|name| self.links.to_member(APP_ACCOUNTS, name));
                accounts.objects("Members", paths, |member, path| member.put("@odata.id", path));
            }
            accounts.put("Members@odata.count", names.len());
            accounts.put("Name", "Application Accounts");
        });
        Answer::resource(accounts, schema.described_by)
    }

    /// One of them.
    pub(crate) fn app_account(&self, id: &str) -> Option<Answer> {
        let name = self.ilo.spec.app_accounts.iter().find(|name| *name == id)?;
        Some(Answer::resource(self.app_account_draft(name), self.schemas().app_account.described_by))
    }

    fn app_account_draft(&self, name: &String) -> crate::etag::Draft {
        self.resource(self.schemas().app_account, self.links.to_member(APP_ACCOUNTS, name), |account| {
            account.put("HostAppName", name);
            account.put("Id", name);
            account.put("Name", "Application Account");
        })
    }

    /// The roles that are there from the start. Captures have one more for each group of a directory.
    pub(crate) fn roles(&self, expand: bool) -> Answer {
        let schema = self.schemas().roles;
        let roles = self.resource(schema, self.path(ROLES), |roles| {
            roles.put("Description", "iLO Roles Collection");
            if expand {
                roles.resources("Members", PREDEFINED.iter().map(|role| self.role_draft(role)));
            } else {
                let paths = PREDEFINED.iter().map(|role| self.links.to_member(ROLES, role.id));
                roles.objects("Members", paths, |member, path| member.put("@odata.id", path));
            }
            roles.put("Members@odata.count", PREDEFINED.len());
            roles.put("Name", "Roles");
        });
        Answer::resource(roles, schema.described_by)
    }

    /// One of them.
    pub(crate) fn role(&self, id: &str) -> Option<Answer> {
        let role = PREDEFINED.iter().find(|role| role.id == id)?;
        Some(Answer::resource(self.role_draft(role), self.schemas().role.described_by))
    }

    fn role_draft(&self, held: &Role) -> crate::etag::Draft {
        self.resource(self.schemas().role, self.links.to_member(ROLES, held.id), |role| {
            role.texts("AssignedPrivileges", held.privileges);
            role.put("Description", "iLO User Role");
            role.put("Id", held.id);
            role.put("IsPredefined", true);
            role.put("Name", "User Role");
            if held.operates {
                role.texts("OemPrivileges", &OPERATES);
            }
            role.put("RoleId", held.id);
        })
    }

    /// The standard registry: as much of it as the simulator uses.
    pub(crate) fn registry(&self) -> Answer {
        let name = self.like.messages.base;
        Answer::large_file(self.like, |file| {
            file.put("Description", "This registry defines the base messages for Redfish.");
            file.put("Id", name);
            file.put("Language", "en");
            file.object("Messages", |messages| {
                for meaning in registry::MEANINGS {
                    messages.object(meaning.id, |message| entry(message, meaning));
                }
            });
            file.put("Name", "Base Message Registry");
            file.put("OwningEntity", "DMTF");
            file.put("RegistryPrefix", "Base");
            file.put("RegistryVersion", name.trim_start_matches("Base."));
        })
    }
}

/// A role, as HPE's captures of iLO 5, 6 and 7 have it.
struct Role {
    id: &'static str,
    privileges: &'static [&'static str],
    /// It has the maker's own privileges too.
    operates: bool,
}

const PREDEFINED: [Role; 3] = [
    Role {
        id: "Administrator",
        privileges: &["Login", "ConfigureManager", "ConfigureUsers", "ConfigureSelf", "ConfigureComponents"],
        operates: true,
    },
    Role { id: "Operator", privileges: &["Login", "ConfigureSelf", "ConfigureComponents"], operates: true },
    Role { id: "ReadOnly", privileges: &["Login", "ConfigureSelf"], operates: false },
];

/// The maker's own privileges of those who operate a server.
const OPERATES: [&str; 6] = [
    "RemoteConsolePriv",
    "VirtualMediaPriv",
    "VirtualPowerAndResetPriv",
    "HostBIOSConfigPriv",
    "HostNICConfigPriv",
    "HostStorageConfigPriv",
];

fn entry(message: &mut Object<'_>, meaning: registry::Meaning) {
    message.put("Message", meaning.text);
    message.put("NumberOfArgs", meaning.args);
    message.put("Resolution", meaning.resolution);
    message.put("Severity", meaning.severity);
}
