//! The JSON of every resource, built from the shapes of HPE's published captures; what differs from
//! firmware to firmware is asked of its traits.

mod documents;
mod manager;
mod root;
mod services;
mod sessions;

use crate::etag::{Draft, Head};
use crate::ilo::Ilo;
use crate::json::Object;
use crate::moment::{Moment, Stamp};
use crate::path::{Door, Links, Path};
use crate::personality::Traits;
use crate::personality::schema::{Schema, Schemas};
use crate::session::SessionId;

/// An iLO as one request sees it.
pub(crate) struct View<'a> {
    pub(crate) ilo: &'a Ilo,
    pub(crate) like: &'static Traits,
    pub(crate) links: Links,
    pub(crate) door: Door,
    /// Properties from before Redfish are shown as well: on iLO 4, to clients that do not ask for `OData-Version:
    /// 4.0` (HPE iLO 4 REST API docs).
    pub(crate) old: bool,
    /// The session that asks.
    pub(crate) me: Option<&'a SessionId>,
    pub(crate) now: Moment,
}

impl View<'_> {
    /// The maker's own properties, of a maker that has some.
    fn oem(&self, object: &mut Object<'_>, fill: impl FnOnce(&mut Object<'_>)) {
        if let Some(vendor) = self.like.vendor {
            object.object("Oem", |oem| oem.object(vendor, fill));
        }
    }

    /// `Type`, which `@odata.type` replaced.
    fn old_type(&self, object: &mut Object<'_>, schema: Schema) {
        if self.old {
            object.put("Type", schema.old_type);
        }
    }

    /// `links`, which `@odata.id` and `Links` replaced.
    fn old_links(&self, object: &mut Object<'_>, path: Path<'_>) {
        if self.old {
            object.object("links", |links| href(links, "self", path));
        }
    }

    fn schemas(&self) -> &'static Schemas {
        self.like.schemas
    }

    fn path(&self, path: &'static str) -> Path<'static> {
        self.links.to(path)
    }

    fn clock(&self) -> Stamp {
        self.ilo.clock(self.now)
    }

    /// A resource with what every one begins with; `fill` puts in the rest.
    fn resource(&self, schema: Schema, path: Path<'_>, fill: impl FnOnce(&mut Object<'_>)) -> Draft {
        let wire = &self.like.wire;
        let head =
            Head { context: wire.context.then_some(schema.context), etag: wire.etag, etag_in_body: wire.etag_in_body };
        Draft::new(head, |object| {
            object.put("@odata.id", path);
            object.put("@odata.type", schema.kind);
            fill(object);
        })
    }
}

/// What blocks of the maker's begin with; those of an iLO 4 have no context.
fn oem_head(oem: &mut Object<'_>, schema: Schema) {
    if schema.old_type.is_empty() {
        oem.put("@odata.context", schema.context);
    }
    oem.put("@odata.type", schema.kind);
}

/// A property that is a link.
fn link(object: &mut Object<'_>, name: &'static str, path: Path<'_>) {
    object.object(name, |link| link.put("@odata.id", path));
}

/// The same as it was before Redfish.
fn href(object: &mut Object<'_>, name: &'static str, path: Path<'_>) {
    object.object(name, |link| link.put("href", path));
}

/// `Status` of what works.
fn enabled(object: &mut Object<'_>) {
    object.object("Status", |status| {
        status.put("Health", "OK");
        status.put("State", "Enabled");
    });
}
