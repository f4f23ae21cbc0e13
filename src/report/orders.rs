//! What people ordered by hand, as a sentence.

use super::line::{name, prose};
use crate::event::Event;

pub(super) fn sentence(event: &Event) -> String {
    match event {
        Event::DaemonPaused { by, until, reason } => {
            let end = until.map_or(String::from("until `ilo-reaper resume`"), |until| format!("before {until}"));
            format!("{} paused the daemon: {}. No session of others is ended {end}.", name(by), prose(reason))
        }
        Event::DaemonResumed { by, reason, .. } => format!(
            "Sessions may be ended again where the mode is enforce. The brake was taken off by {}; it was on for: {}.",
            name(by),
            prose(reason)
        ),
        Event::ProtectionAdded { id, what, by, until, reason } => {
            let remove = || format!("with `ilo-reaper protect remove {}`", name(id));
            let end = until.map_or_else(remove, |until| format!("at {until}"));
            format!("{} protects sessions of {}: {}. That ends {end}.", name(by), prose(what), prose(reason))
        }
        Event::ProtectionEnded { id, what, by, reason, .. } => format!(
            "Protection {} of sessions of {} was ended by {}. It was for: {}.",
            name(id),
            prose(what),
            name(by),
            prose(reason)
        ),
        _ => String::new(),
    }
}
