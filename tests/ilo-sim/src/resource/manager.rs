//! The managers, of which there is one.

use super::{View, enabled, resource};
use crate::answer::Answer;
use crate::etag::Draft;
use crate::json::Object;
use crate::path::Path;

impl View<'_> {
    /// The managers: this one.
    pub(crate) fn managers(&self, expand: bool) -> Answer {
        let schema = self.schemas().managers;
        let managers = resource(schema, self.path("/redfish/v1/Managers"), |managers| {
            managers.put("Description", "Managers View");
            if expand {
                managers.resources("Members", [self.manager()]);
            } else {
                managers.objects("Members", [self.manager_path()], |member, path| member.put("@odata.id", path));
            }
            managers.put("Members@odata.count", 1_u32);
            managers.put("Name", "Managers");
        });
        Answer::resource(managers, schema.described_by)
    }

    /// The manager itself.
    pub(crate) fn manager_answer(&self) -> Answer {
        Answer::resource(self.manager(), self.schemas().manager.described_by)
    }

    fn manager(&self) -> Draft {
        let (spec, like) = (&self.ilo.spec, self.ilo.spec.personality);
        resource(self.schemas().manager, self.manager_path(), |manager| {
            manager.object("CommandShell", |service| users(service, &["SSH", "Oem"], 9));
            manager.put("DateTime", self.clock());
            manager.put("DateTimeLocalOffset", "+00:00");
            manager.put("FirmwareVersion", &format!("{} v{}", like.manager_type(), like.firmware()));
            manager.object("GraphicalConsole", |service| users(service, &["KVMIP"], 10));
            manager.put("Id", "1");
            manager.put("ManagerType", "BMC");
            manager.put("Model", like.manager_type());
            manager.put("Name", "Manager");
            self.oem(manager, |oem| {
                oem.put("@odata.type", self.schemas().manager_oem.kind);
                oem.put("IdleConnectionTimeoutMinutes", spec.session_timeout_min);
            });
            manager.object("SerialConsole", |service| users(service, &["SSH", "IPMI", "Oem"], 13));
            enabled(manager);
            manager.put("UUID", &self.ilo.uuid);
        })
    }

    fn manager_path(&self) -> Path<'static> {
        self.path("/redfish/v1/Managers/1")
    }
}

/// How many users of a service there may be; REST and web sessions are in none of them.
fn users(service: &mut Object<'_>, connect_types: &[&str], max: u32) {
    service.texts("ConnectTypesSupported", connect_types);
    service.put("MaxConcurrentSessions", max);
    service.put("ServiceEnabled", true);
}
