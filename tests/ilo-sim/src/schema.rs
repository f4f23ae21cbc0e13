//! Which version of each schema a firmware speaks, from HPE's published captures.

use crate::spec::Personality;

/// A schema in one version.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schema {
    /// `@odata.context`
    pub(crate) context: &'static str,
    /// `@odata.type`
    pub(crate) kind: &'static str,
    /// The `Link` header of a resource: where the schema can be read.
    pub(crate) described_by: &'static str,
}

/// The schema of this name, in this version where it has any.
macro_rules! schema {
    ($name:literal $(, $version:literal)?) => {
        Schema {
            context: concat!("/redfish/v1/$metadata#", $name, ".", $name),
            kind: concat!("#", $name, ".", $($version, ".",)? $name),
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
}

impl Personality {
    /// The schemas that this firmware speaks.
    pub(crate) const fn schemas(self) -> &'static Schemas {
        match self {
            Self::Ilo5V311 => &ILO_5_V311,
        }
    }
}

const ILO_5_V311: Schemas = Schemas {
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
    account_service: schema!("AccountService", "v1_5_0"),
    account_service_oem: schema!("HpeiLOAccountService", "v2_4_0"),
};
