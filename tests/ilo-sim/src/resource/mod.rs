//! The JSON of every resource, built from the shapes of HPE's published captures of an iLO 5 v3.11.

mod manager;
mod root;
mod services;
mod sessions;

use crate::etag::Draft;
use crate::ilo::Ilo;
use crate::json::Object;
use crate::moment::{Moment, Stamp};
use crate::path::{Links, Path};
use crate::schema::{Schema, Schemas};
use crate::session::SessionId;

/// An iLO as one request sees it.
pub(crate) struct View<'a> {
    pub(crate) ilo: &'a Ilo,
    pub(crate) links: Links,
    /// The session that asks.
    pub(crate) me: Option<&'a SessionId>,
    pub(crate) now: Moment,
}

impl View<'_> {
    /// The maker's own properties.
    fn oem(&self, object: &mut Object<'_>, fill: impl FnOnce(&mut Object<'_>)) {
        object.object("Oem", |oem| oem.object(self.ilo.spec.personality.oem_key(), fill));
    }

    fn schemas(&self) -> &'static Schemas {
        self.ilo.spec.personality.schemas()
    }

    fn path(&self, path: &'static str) -> Path<'static> {
        self.links.to(path)
    }

    fn clock(&self) -> Stamp {
        self.ilo.clock(self.now)
    }
}

/// A resource with what every one begins with; `fill` puts in the rest.
fn resource(schema: Schema, path: Path<'_>, fill: impl FnOnce(&mut Object<'_>)) -> Draft {
    Draft::new(schema.context, |object| {
        object.put("@odata.id", path);
        object.put("@odata.type", schema.kind);
        fill(object);
    })
}

/// A property that is a link.
fn link(object: &mut Object<'_>, name: &'static str, path: Path<'_>) {
    object.object(name, |link| link.put("@odata.id", path));
}

/// `Status` of what works.
fn enabled(object: &mut Object<'_>) {
    object.object("Status", |status| {
        status.put("Health", "OK");
        status.put("State", "Enabled");
    });
}
