//! The JSON of every resource, built from the shapes of HPE's published captures of an iLO 5 v3.11.

use serde_json::{Map, Value, json};

use crate::answer::{Answer, sealed};
use crate::gate::STEP_S;
use crate::ilo::Ilo;
use crate::moment::Moment;
use crate::path::{Links, SESSIONS};
use crate::session::{Session, SessionId};
use crate::spec::{Privilege, Privileges};

/// An iLO as one request sees it.
pub(crate) struct View<'a> {
    pub(crate) ilo: &'a Ilo,
    pub(crate) links: Links,
    /// The session that asks.
    pub(crate) me: Option<&'a SessionId>,
    pub(crate) now: Moment,
}

impl View<'_> {
    /// `/redfish`: which versions of the protocol there are.
    pub(crate) fn versions() -> Answer {
        Answer::resource(json!({ "v1": "/redfish/v1/" }), "redfish")
    }

    /// The service root. Anyone may read it, and it tells generation, firmware, the iLO's time, and how
    /// long a login waits.
    pub(crate) fn root(&self) -> Answer {
        let mut root = self.resource("/redfish/v1", "ServiceRoot.v1_5_1.ServiceRoot", "RootService");
        extend(
            &mut root,
            json!({
                "Name": "HPE RESTful Root Service",
                "RedfishVersion": "1.6.0",
                "Product": format!("ProLiant DL360 Gen10 ({})", self.ilo.serial),
                "Vendor": "HPE",
                "UUID": self.ilo.uuid,
                "AccountService": self.link("/redfish/v1/AccountService"),
                "JsonSchemas": self.link("/redfish/v1/JsonSchemas"),
                "Managers": self.link("/redfish/v1/Managers"),
                "Registries": self.link("/redfish/v1/Registries"),
                "SessionService": self.link("/redfish/v1/SessionService"),
                "Systems": self.link("/redfish/v1/Systems"),
                "UpdateService": self.link("/redfish/v1/UpdateService"),
                "Links": { "Sessions": self.link(SESSIONS) },
                "Oem": { "Hpe": self.root_oem() },
                // HPE advertises `ExpandAll` as false and honours `*` all the same.
                "ProtocolFeaturesSupported": {
                    "ExpandQuery": {
                        "ExpandAll": false,
                        "Levels": true,
                        "Links": false,
                        "MaxLevels": 1,
                        "NoLinks": true,
                    },
                    "FilterQuery": true,
                    "OnlyMemberQuery": true,
                    "SelectQuery": true,
                },
            }),
        );
        Answer::resource(sealed(root), "ServiceRoot")
    }

    fn root_oem(&self) -> Value {
        let (spec, like) = (&self.ilo.spec, self.ilo.spec.personality);
        json!({
            "@odata.context": "/redfish/v1/$metadata#HpeiLOServiceExt.HpeiLOServiceExt",
            "@odata.type": "#HpeiLOServiceExt.v2_4_0.HpeiLOServiceExt",
            "Manager": [{
                "DefaultLanguage": "en",
                "FQDN": spec.name,
                "HostName": spec.name.split('.').next(),
                "Languages": [{ "Language": "en", "TranslationName": "English", "Version": like.firmware() }],
                "ManagerFirmwareVersion": like.firmware(),
                "ManagerType": like.manager_type(),
                "Status": { "Health": "OK" },
            }],
            "Moniker": {
                "PRODABR": "iLO",
                "PRODFAM": "Integrated Lights-Out",
                "PRODGEN": like.manager_type(),
                "PRODTAG": format!("HPE {}", like.manager_type()),
                "VENDABR": "HPE",
                "VENDNAM": "Hewlett Packard Enterprise",
            },
            "Sessions": {
                "CertCommonName": spec.name,
                "CertificateLoginEnabled": false,
                "KerberosEnabled": false,
                "LDAPAuthLicenced": true,
                "LDAPEnabled": false,
                "LocalLoginEnabled": true,
                "LoginFailureDelay": self.ilo.gate.delay_s(),
                "LoginHint": {
                    "Hint": "POST to /Sessions to login using the following JSON object:",
                    "HintPOSTData": { "Password": "password", "UserName": "username" },
                },
                "SecurityOverride": false,
            },
            "Time": self.clock(),
        })
    }

    /// The session service. Its time-out is in minutes, 0 to 120, although the schema says seconds: it is
    /// the number of the manager's `IdleConnectionTimeoutMinutes` in every capture.
    pub(crate) fn session_service(&self) -> Answer {
        let path = "/redfish/v1/SessionService";
        let mut service = self.resource(path, "SessionService.v1_0_0.SessionService", "SessionService");
        extend(
            &mut service,
            json!({
                "Name": "Session Service",
                "Description": "Session Service",
                "ServiceEnabled": true,
                "SessionTimeout": self.ilo.spec.session_timeout_min,
                "Sessions": self.link(SESSIONS),
                "Status": { "Health": "OK", "State": "Enabled" },
            }),
        );
        Answer::resource(sealed(service), "SessionService")
    }

    /// The Sessions collection, its members as links or whole.
    pub(crate) fn sessions(&self, expand: bool) -> Answer {
        let members: Vec<Value> = self
            .ilo
            .table
            .iter()
            .map(|session| if expand { self.session(session) } else { self.link(&member_path(&session.id)) })
            .collect();
        let mut links = Map::new();
        if let Some(me) = self.me {
            links.insert("MySession".to_owned(), self.link(&member_path(me)));
        }
        let mut collection = self.collection(SESSIONS, "SessionCollection", members);
        extend(
            &mut collection,
            json!({
                "Name": "Sessions",
                "Description": "Manager User Sessions",
                "Oem": { "Hpe": {
                    "@odata.context": "/redfish/v1/$metadata#HpeiLOSessionsSummary.HpeiLOSessionsSummary",
                    "@odata.type": "#HpeiLOSessionsSummary.v2_0_0.HpeiLOSessionsSummary",
                    "Links": links,
                }},
            }),
        );
        Answer::resource(sealed(collection), "SessionCollection")
    }

    /// One member of the collection.
    pub(crate) fn member(&self, session: &Session) -> Answer {
        Answer::resource(self.session(session), "Session")
    }

    /// A session. Its privileges are shown to itself only; with no idle time-out it expires, by its own
    /// words, at its last access (HPE iLO 5 capture v3.14).
    pub(crate) fn session(&self, session: &Session) -> Value {
        let mine = self.me == Some(&session.id);
        let expires = session.access_shown.plus_minutes(self.ilo.spec.session_timeout_min);
        let mut oem = json!({
            "@odata.context": "/redfish/v1/$metadata#HpeiLOSession.HpeiLOSession",
            "@odata.type": "#HpeiLOSession.v2_1_0.HpeiLOSession",
            "AccessTime": session.access_shown.to_string(),
            "LoginTime": session.login_shown.to_string(),
            "MySession": mine,
            "UserExpires": expires.to_string(),
            "UserIP": session.origin.to_string(),
            "UserTag": session.tag,
            "UserType": session.user_type,
        });
        if mine {
            let held = self.ilo.account(&session.owner).map_or(Privileges::NONE, |account| account.privileges);
            let flags = Privilege::ALL.into_iter().map(|one| (one.name().to_owned(), held.has(one).into()));
            oem["Privileges"] = Value::Object(flags.collect());
        }
        let mut member = self.resource(&member_path(&session.id), "Session.v1_0_0.Session", session.id.as_str());
        extend(
            &mut member,
            json!({
                "Name": "User Session",
                "Description": "Manager User Session",
                "Oem": { "Hpe": oem },
                "UserName": session.owner,
            }),
        );
        sealed(member)
    }

    /// The managers: this one.
    pub(crate) fn managers(&self, expand: bool) -> Answer {
        let member = if expand { self.manager() } else { self.link("/redfish/v1/Managers/1") };
        let mut collection = self.collection("/redfish/v1/Managers", "ManagerCollection", vec![member]);
        extend(&mut collection, json!({ "Name": "Managers", "Description": "Managers View" }));
        Answer::resource(sealed(collection), "ManagerCollection")
    }

    /// The manager itself.
    pub(crate) fn manager_answer(&self) -> Answer {
        Answer::resource(self.manager(), "Manager")
    }

    fn manager(&self) -> Value {
        let like = self.ilo.spec.personality;
        let mut manager = self.resource("/redfish/v1/Managers/1", "Manager.v1_5_1.Manager", "1");
        extend(
            &mut manager,
            json!({
                "Name": "Manager",
                "ManagerType": "BMC",
                "Model": like.manager_type(),
                "FirmwareVersion": format!("{} v{}", like.manager_type(), like.firmware()),
                "UUID": self.ilo.uuid,
                "DateTime": self.clock(),
                "DateTimeLocalOffset": "+00:00",
                // How many users of each service there may be; REST and web sessions are in none of them.
                "CommandShell": {
                    "ConnectTypesSupported": ["SSH", "Oem"],
                    "MaxConcurrentSessions": 9,
                    "ServiceEnabled": true,
                },
                "GraphicalConsole": {
                    "ConnectTypesSupported": ["KVMIP"],
                    "MaxConcurrentSessions": 10,
                    "ServiceEnabled": true,
                },
                "SerialConsole": {
                    "ConnectTypesSupported": ["SSH", "IPMI", "Oem"],
                    "MaxConcurrentSessions": 13,
                    "ServiceEnabled": true,
                },
                "Oem": { "Hpe": {
                    "@odata.type": "#HpeiLO.v2_8_0.HpeiLO",
                    "IdleConnectionTimeoutMinutes": self.ilo.spec.session_timeout_min,
                }},
                "Status": { "Health": "OK", "State": "Enabled" },
            }),
        );
        sealed(manager)
    }

    /// The update service: whether firmware is being flashed.
    pub(crate) fn update_service(&self) -> Answer {
        let path = "/redfish/v1/UpdateService";
        let mut service = self.resource(path, "UpdateService.v1_2_1.UpdateService", "UpdateService");
        extend(
            &mut service,
            json!({
                "Name": "Update Service",
                "Description": "iLO Update Service",
                "ServiceEnabled": true,
                "Oem": { "Hpe": {
                    "@odata.type": "#HpeiLOUpdateServiceExt.v2_1_1.HpeiLOUpdateServiceExt",
                    "State": self.ilo.update.name(),
                }},
            }),
        );
        Answer::resource(sealed(service), "UpdateService")
    }

    /// The account service: how wrong passwords are met. The values are those of all seven captures.
    pub(crate) fn account_service(&self) -> Answer {
        let path = "/redfish/v1/AccountService";
        let mut service = self.resource(path, "AccountService.v1_5_0.AccountService", "AccountService");
        extend(
            &mut service,
            json!({
                "Name": "Account Service",
                "Description": "iLO User Accounts",
                "HTTPBasicAuth": "Unadvertised",
                "LocalAccountAuth": "Enabled",
                "ServiceEnabled": true,
                "Oem": { "Hpe": {
                    "@odata.type": "#HpeiLOAccountService.v2_4_0.HpeiLOAccountService",
                    "AuthFailureDelayTimeSeconds": STEP_S,
                    "AuthFailureLoggingThreshold": 3,
                    "AuthFailuresBeforeDelay": 1,
                    "TwoFactorAuth": "Disabled",
                }},
                "Status": { "Health": "OK", "State": "Enabled" },
            }),
        );
        Answer::resource(sealed(service), "AccountService")
    }

    /// What every resource begins with. `kind` is the schema's `Name.vVersion.Name`.
    fn resource(&self, path: &str, kind: &str, id: &str) -> Value {
        let (schema, name) = (kind.split('.').next().unwrap_or(kind), kind.rsplit('.').next().unwrap_or(kind));
        json!({
            "@odata.context": format!("/redfish/v1/$metadata#{schema}.{name}"),
            "@odata.id": self.links.to(path),
            "@odata.type": format!("#{kind}"),
            "Id": id,
        })
    }

    fn collection(&self, path: &str, name: &str, members: Vec<Value>) -> Value {
        json!({
            "@odata.context": format!("/redfish/v1/$metadata#{name}.{name}"),
            "@odata.id": self.links.to(path),
            "@odata.type": format!("#{name}.{name}"),
            "Members@odata.count": members.len(),
            "Members": Value::Array(members),
        })
    }

    fn link(&self, path: &str) -> Value {
        json!({ "@odata.id": self.links.to(path) })
    }

    fn clock(&self) -> String {
        self.ilo.clock(self.now).to_string()
    }
}

fn member_path(id: &SessionId) -> String {
    format!("{SESSIONS}/{id}")
}

/// Adds the properties of `more` to those of `resource`; both are objects.
fn extend(resource: &mut Value, more: Value) {
    if let (Value::Object(resource), Value::Object(more)) = (resource, more) {
        resource.extend(more);
    }
}
