//! The managers, of which there is one.

use super::{View, enabled};
use crate::answer::Answer;
use crate::etag::Draft;
use crate::json::Object;
use crate::moment::offset;
use crate::path::Path;
use crate::personality::traits::Clock;

impl View<'_> {
    /// The managers: this one.
    pub(crate) fn managers(&self, expand: bool) -> Answer {
        let (schema, here) = (self.schemas().managers, self.path("/redfish/v1/Managers"));
        let managers = self.resource(schema, here, |managers| {
            managers.put("Description", "Managers View");
            if expand {
                managers.resources("Members", [self.manager()]);
            } else {
                managers.objects("Members", [self.manager_path()], |member, path| member.put("@odata.id", path));
            }
            managers.put("Members@odata.count", 1_u32);
            managers.put("Name", "Managers");
            self.old_type(managers, schema);
            self.old_links(managers, here);
        });
        Answer::resource(managers, schema.described_by)
    }

    /// The manager itself.
    pub(crate) fn manager_answer(&self) -> Answer {
        Answer::resource(self.manager(), self.schemas().manager.described_by)
    }

    fn manager(&self) -> Draft {
        let (schema, like, spec) = (self.schemas().manager, self.like, &self.ilo.spec);
        self.resource(schema, self.manager_path(), |manager| {
            let [shell, screen, serial] = like.manager.consoles.map_or([None; 3], |limits| limits.map(Some));
            users(manager, "CommandShell", &["SSH", "Oem"], shell);
            if let Some(clock) = like.manager.time {
                match clock {
                    Clock::Utc => manager.put("DateTime", self.clock()),
                    Clock::Local => manager.put("DateTime", &self.clock().with_offset(spec.utc_offset_min)),
                }
                manager.put("DateTimeLocalOffset", &offset(spec.utc_offset_min));
            }
            manager.put("FirmwareVersion", like.firmware);
            users(manager, "GraphicalConsole", &["KVMIP"], screen);
            manager.put("Id", like.manager.id);
            manager.put("ManagerType", "BMC");
            if !like.generation.is_empty() {
                manager.put("Model", like.generation);
            }
            manager.put("Name", "Manager");
            self.oem(manager, |oem| {
                oem.put("@odata.type", self.schemas().manager_oem.kind);
                if like.manager.idle_minutes {
                    oem.put("IdleConnectionTimeoutMinutes", spec.session_timeout_min);
                }
            });
            users(manager, "SerialConsole", &["SSH", "IPMI", "Oem"], serial);
            enabled(manager);
            self.old_type(manager, schema);
            manager.put("UUID", &self.ilo.uuid);
            self.old_links(manager, self.manager_path());
        })
    }

    fn manager_path(&self) -> Path<'static> {
        self.path(self.like.manager.path)
    }
}

/// How many users of a service there may be, where that is told; REST and web sessions are in none of them.
fn users(manager: &mut Object<'_>, name: &'static str, connect_types: &[&str], max: Option<u32>) {
    let Some(max) = max else { return };
    manager.object(name, |service| {
        service.texts("ConnectTypesSupported", connect_types);
        service.put("MaxConcurrentSessions", max);
        service.put("ServiceEnabled", true);
    });
}
