//! The two documents that `OData` asks for beside the resources; anyone may read them.

use std::fmt::Write as _;

use http::HeaderValue;
use http::header::CONTENT_TYPE;

use super::View;
use crate::answer::Answer;
use crate::path::{Links, Path, SESSIONS};

impl View<'_> {
    /// `/redfish/v1/odata`: what there is, each with a trailing slash (every capture). Named here is what is here.
    pub(crate) fn service_document(&self) -> Answer {
        let everything = [
            ("Service", "/redfish/v1"),
            ("Managers", "/redfish/v1/Managers"),
            ("AccountService", "/redfish/v1/AccountService"),
            ("SessionService", "/redfish/v1/SessionService"),
            ("Sessions", SESSIONS),
            ("UpdateService", self.like.services.updates.path()),
        ];
        Answer::plain(self.like, |document| {
            document.put("@odata.context", "/redfish/v1/$metadata");
            document.objects("value", everything, |entry, (name, path)| {
                entry.put("kind", "Singleton");
                entry.put("name", name);
                entry.put("url", slashed(path));
            });
        })
    }

    /// `/redfish/v1/$metadata`: which schemas in which version. XML 1.1 it says, and extends a `ServiceRoot.v1_1_0` that
    /// it does not include (every capture). What its `Content-Type` is they do not show; the standard names this one.
    pub(crate) fn metadata(&self) -> Answer {
        let mut xml = String::from(
            "<?xml version=\"1.1\" encoding=\"UTF-8\"?>\n\
             <edmx:Edmx xmlns:edmx=\"http://docs.oasis-open.org/odata/ns/edmx\" Version=\"4.0\">\n",
        );
        for schema in self.schemas().standard() {
            // `#Session.v1_0_0.Session` is in the namespaces `Session` and `Session.v1_0_0`.
            let full = schema.kind.trim_start_matches('#').rsplit_once('.').map_or("", |(namespace, _)| namespace);
            let name = full.split('.').next().unwrap_or_default();
            let mut lines = format!("        <edmx:Include Namespace=\"{name}\" />\n");
            if name != full {
                // A String takes whatever is written to it.
                let _infallible = writeln!(lines, "        <edmx:Include Namespace=\"{full}\" />");
            }
            let uri = format!("http://redfish.dmtf.org/schemas/v1/{name}_v1.xml");
            let _infallible = write!(xml, "    <edmx:Reference Uri=\"{uri}\">\n{lines}    </edmx:Reference>\n");
        }
        xml.push_str(
            "    <edmx:DataServices>\n        \
             <Schema xmlns=\"http://docs.oasis-open.org/odata/ns/edm\" Namespace=\"Service\">\n            \
             <EntityContainer Name=\"Service\" Extends=\"ServiceRoot.v1_1_0.ServiceContainer\"/>\n        \
             </Schema>\n    </edmx:DataServices>\n</edmx:Edmx>\n",
        );
        Answer::plain(self.like, |_| {})
            .rewritten(|_| xml.into_bytes())
            .with(CONTENT_TYPE, HeaderValue::from_static("application/xml"))
    }
}

fn slashed(path: &'static str) -> Path<'static> {
    Links::Slashed.to(path)
}
