//! Which version of each schema a firmware speaks, from HPE's published captures and documents; what they do
//! not show is taken from the nearest firmware that they do.

/// A schema in one version.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schema {
    /// `@odata.context`
    pub(crate) context: &'static str,
    /// `@odata.type`
    pub(crate) kind: &'static str,
    /// `Type`: what it was called before Redfish, and still is on iLO 4.
    pub(crate) old_type: &'static str,
    /// The `Link` header of a resource: where the schema can be read.
    pub(crate) described_by: &'static str,
}

/// The schema of this name, in this version where it has any, from iLO 5 on.
macro_rules! schema {
    ($name:literal $(, $version:literal)?) => {
        Schema {
            context: concat!("/redfish/v1/$metadata#", $name, ".", $name),
            kind: concat!("#", $name, ".", $($version, ".",)? $name),
            old_type: "",
            described_by: concat!("</redfish/v1/SchemaStore/en/", $name, ".json/>; rel=describedby"),
        }
    };
}

/// The same on iLO 4: versions have dots, and the context is a path. The root of an iLO 4 2.54 is quoted by
/// bmc-toolbox/bmclib; versions of the others are guesses.
macro_rules! hp_schema {
    ($name:literal, $version:literal, $path:literal) => {
        Schema {
            context: concat!("/redfish/v1/$metadata#", $path),
            kind: concat!("#", $name, ".", $version, ".", $name),
            old_type: concat!($name, ".", $version),
            described_by: concat!("</redfish/v1/SchemaStore/en/", $name, ".json/>; rel=describedby"),
        }
    };
}

/// The schemas of one firmware. Those named `oem` are of the properties below `Oem`.
#[derive(Debug)]
pub(crate) struct Schemas {
    pub(crate) root: Schema,
    pub(crate) root_oem: Schema,
    pub(crate) session_service: Schema,
    pub(crate) sessions: Schema,
    pub(crate) sessions_oem: Schema,
    pub(crate) session: Schema,
    pub(crate) session_oem: Schema,
    pub(crate) managers: Schema,
    pub(crate) manager: Schema,
    pub(crate) manager_oem: Schema,
    pub(crate) update_service: Schema,
    pub(crate) update_service_oem: Schema,
    pub(crate) account_service: Schema,
    pub(crate) account_service_oem: Schema,
    pub(crate) roles: Schema,
    pub(crate) role: Schema,
    pub(crate) app_accounts: Schema,
    pub(crate) app_account: Schema,
}

impl Schemas {
    /// Those of the standard, of which the metadata tells.
    pub(crate) const fn standard(&self) -> [Schema; 10] {
        [
            self.root,
            self.account_service,
            self.managers,
            self.manager,
            self.roles,
            self.role,
            self.sessions,
            self.session,
            self.session_service,
            self.update_service,
        ]
    }
}

/// HPE's capture of an iLO 5 3.11.
pub(super) const ILO_5: Schemas = Schemas {
    root: schema!("ServiceRoot", "v1_5_1"),
    root_oem: schema!("HpeiLOServiceExt", "v2_4_0"),
    session_service: schema!("SessionService", "v1_0_0"),
    sessions: schema!("SessionCollection"),
    sessions_oem: schema!("HpeiLOSessionsSummary", "v2_0_0"),
    session: schema!("Session", "v1_0_0"),
    session_oem: schema!("HpeiLOSession", "v2_1_0"),
    managers: schema!("ManagerCollection"),
    manager: schema!("Manager", "v1_5_1"),
    manager_oem: schema!("HpeiLO", "v2_8_0"),
    update_service: schema!("UpdateService", "v1_2_1"),
    update_service_oem: schema!("HpeiLOUpdateServiceExt", "v2_1_1"),
    account_service: schema!("AccountService", "v1_15_0"),
    account_service_oem: schema!("HpeiLOAccountService", "v2_4_0"),
    roles: schema!("RoleCollection"),
    role: schema!("Role", "v1_2_1"),
    // Of iLO 7 only, where the names of these are a guess.
    app_accounts: schema!("HpeiLOAppAccountCollection"),
    app_account: schema!("HpeiLOAppAccount", "v1_0_0"),
};

/// HPE's capture of an iLO 5 2.46.
pub(super) const ILO_5_OF_2021: Schemas = Schemas { account_service: schema!("AccountService", "v1_5_0"), ..ILO_5 };

/// An iLO 6 1.66 and an iLO 7 1.17 have these roots.
pub(super) const ILO_6: Schemas =
    Schemas { root: schema!("ServiceRoot", "v1_13_0"), root_oem: schema!("HpeiLOServiceExt", "v2_7_0"), ..ILO_5 };

pub(super) const ILO_4: Schemas = Schemas {
    root: hp_schema!("ServiceRoot", "1.0.0", "ServiceRoot"),
    root_oem: hp_schema!("HpiLOServiceExt", "1.0.0", "HpiLOServiceExt"),
    session_service: hp_schema!("SessionService", "1.0.0", "SessionService"),
    sessions: Schema { old_type: "Collection.1.0.0", ..schema!("SessionCollection") },
    sessions_oem: hp_schema!("HpiLOSessionsSummary", "1.0.0", "HpiLOSessionsSummary"),
    session: hp_schema!("Session", "1.0.0", "SessionService/Sessions/Members/$entity"),
    session_oem: hp_schema!("HpiLOSession", "1.0.0", "HpiLOSession"),
    managers: Schema { old_type: "Collection.1.0.0", ..schema!("ManagerCollection") },
    manager: hp_schema!("Manager", "1.0.0", "Managers/Members/$entity"),
    manager_oem: hp_schema!("HpiLO", "1.1.0", "HpiLO"),
    update_service: hp_schema!("HpiLOFirmwareUpdate", "1.0.0", "HpiLOFirmwareUpdate"),
    account_service: hp_schema!("AccountService", "1.0.0", "AccountService"),
    account_service_oem: hp_schema!("HpiLOAccountService", "1.0.0", "HpiLOAccountService"),
    ..ILO_5
};

/// What a service of the standard has. `Session.v1_7_0` is bmcweb's; an iDRAC 9 has `v1_6_0`.
pub(super) const STANDARD: Schemas = Schemas {
    root: schema!("ServiceRoot", "v1_15_0"),
    session_service: schema!("SessionService", "v1_1_8"),
    session: schema!("Session", "v1_7_0"),
    manager: schema!("Manager", "v1_14_0"),
    update_service: schema!("UpdateService", "v1_11_0"),
    account_service: schema!("AccountService", "v1_10_0"),
    ..ILO_5
};
