//! The services beside the sessions: updates and accounts.

use super::{View, enabled, resource};
use crate::answer::Answer;
use crate::gate::STEP_S;

impl View<'_> {
    /// The update service: whether firmware is being flashed.
    pub(crate) fn update_service(&self) -> Answer {
        let schema = self.schemas().update_service;
        let service = resource(schema, self.path("/redfish/v1/UpdateService"), |service| {
            service.put("Description", "iLO Update Service");
            service.put("Id", "UpdateService");
            service.put("Name", "Update Service");
            self.oem(service, |oem| {
                oem.put("@odata.type", self.schemas().update_service_oem.kind);
                oem.put("State", self.ilo.update.name());
            });
            service.put("ServiceEnabled", true);
        });
        Answer::resource(service, schema.described_by)
    }

    /// The account service: how wrong passwords are met. The values are those of all seven captures.
    pub(crate) fn account_service(&self) -> Answer {
        let schema = self.schemas().account_service;
        let service = resource(schema, self.path("/redfish/v1/AccountService"), |service| {
            service.put("Description", "iLO User Accounts");
            service.put("HTTPBasicAuth", "Unadvertised");
            service.put("Id", "AccountService");
            service.put("LocalAccountAuth", "Enabled");
            service.put("Name", "Account Service");
            self.oem(service, |oem| {
                oem.put("@odata.type", self.schemas().account_service_oem.kind);
                oem.put("AuthFailureDelayTimeSeconds", STEP_S);
                oem.put("AuthFailureLoggingThreshold", 3_u32);
                oem.put("AuthFailuresBeforeDelay", 1_u32);
                oem.put("TwoFactorAuth", "Disabled");
            });
            service.put("ServiceEnabled", true);
            enabled(service);
        });
        Answer::resource(service, schema.described_by)
    }
}
