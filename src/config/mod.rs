//! Configuration: files in, proven [`Settings`] out, or every mistake at its line and column.
//!
//! ```text
//! files ─► text ─► tree (one of all files) ─► sections, policies, fleet ─► Settings and warnings
//!                                          └► notes ─► mistakes, located only now
//! ```
//!
//! Nothing here is half right: a configuration with one mistake makes no settings at all.

mod at;
mod bolder;
mod change;
mod entries;
mod files;
mod fleet;
mod guarded;
mod hosts;
mod hosts_file;
mod known_ilos;
mod locate;
mod merge;
mod mistake;
mod passwords;
pub mod reference;
mod roll;
mod rules;
mod sections;
mod tree;
mod trust;
mod values;
mod words;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;

use crate::settings::{Mode, OnStop, Settings};

pub use change::{Change, change};
pub use guarded::{Credentials, Surroundings};
pub use hosts::network;
pub use known_ilos::KnownIlos;
pub use mistake::{Mistake, Warning};
pub use rules::{account_pattern, built_in_policy};
pub use values::parse_duration;
pub use words::named;

use at::{At, Fields, Notes, Source};
use entries::Known;
use fleet::{Fleet, MODES};

/// The keys at the top.
const TOP: [&str; 8] = ["mode", "poll", "pressure", "caps", "policies", "fleet", "report", "on_stop"];

/// A configuration that is good.
#[derive(Clone)]
pub struct Loaded {
    /// What it says.
    pub settings: Settings,
    /// What it allows that whoever checks or reloads it is told.
    pub warnings: Vec<Warning>,
    /// Credentials of the service manager that it uses. Their values are those of the start.
    pub credentials: BTreeSet<String>,
}

/// Reads the main file, `conf.d/*.yaml` and `known_ilos` beside it, and the passwords, lists and authorities that
/// they name.
/// The mistakes are all that were found, in the order of the files; there is at least one.
pub fn load(main_file: &Path, surroundings: &Surroundings) -> Result<Loaded, Vec<Mistake>> {
    understand(&files::gather(main_file, surroundings)?, surroundings)
}

fn understand(sources: &[Source], surroundings: &Surroundings) -> Result<Loaded, Vec<Mistake>> {
    let notes = Notes::default();
    let tree = merge::merge(sources, &notes)?;
    let main_file = sources.first().map_or(Path::new(""), |main| &main.path);
    let certificates = KnownIlos::noted(main_file, surroundings, &notes);
    let loaded = read(&At::top(&tree, &notes), certificates, surroundings);
    let mistakes = notes.told(sources);
    match loaded {
        Some(loaded) if mistakes.is_empty() => Ok(loaded),
        _ => Err(mistakes),
    }
}

/// Reads the whole tree; `None` only where it is no mapping.
fn read(top: &At<'_>, certificates: KnownIlos, surroundings: &Surroundings) -> Option<Loaded> {
    let fields = top.fields(&TOP)?;
    let mode = fields.read("mode", |at| at.word(&MODES)).unwrap_or(Mode::Observe);
    let policies = rules::policies(fields.get("policies").as_ref());
    let mut fleet = Fleet::new(Known { policies, certificates, surroundings }, mode);
    match fields.get("fleet") {
        None => top.wrong("there is no `fleet`; it names the groups of iLOs"),
        Some(at) => {
            let groups = at.open_fields();
            if groups.as_ref().is_some_and(Fields::is_empty) {
                at.wrong_key("there is no group of iLOs here");
            }
            groups.iter().flat_map(Fields::all).for_each(|group| fleet.add_group(&group));
        }
    }
    fleet.look_around();
    let on_stop = [("logout", OnStop::Logout), ("keep", OnStop::Keep)];
    let report = fields.read("report", sections::report).unwrap_or_default();
    let open = report.listen.filter(|address| !address.ip().to_canonical().is_loopback());
    fleet.warnings.extend(open.map(open_to_the_network));
    let settings = Settings {
        poll: fields.read("poll", sections::poll).unwrap_or_default(),
        pressure: fields.read("pressure", sections::pressure).unwrap_or_default(),
        caps: fields.read("caps", sections::caps).unwrap_or_default(),
        targets: fleet.targets,
        report,
        on_stop: fields.read("on_stop", |at| at.word(&on_stop)).unwrap_or_default(),
    };
    Some(Loaded { settings, warnings: fleet.warnings, credentials: fleet.fixed })
}

fn open_to_the_network(address: SocketAddr) -> Warning {
    let text = format!(
        "`report.listen` is open to the network at {address} and asks for no password: whoever reaches it reads the \
         names of iLOs; 127.0.0.1:{} is for this host only",
        address.port()
    );
    Warning { text }
}
