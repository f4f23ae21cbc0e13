//! Sentences about tables that fill up: how full, who fills them, and what helps.

use super::line::{name, prose};
use super::sentence::{names, owned, span};
use crate::event::{Event, Squeeze};

pub(super) fn sentence(event: &Event) -> String {
    match event {
        Event::IloNearLimit { at, squeeze } => format!("{} is near its limit: {}.", name(&at.ilo), filled(squeeze)),
        Event::IloCritical { at, squeeze } => format!("{} is all but full: {}.", name(&at.ilo), filled(squeeze)),
        Event::IloFull { at, squeeze } => format!(
            "{} is full, and nobody else can log in there: {}. We hold a session and go on; whoever holds one can end \
             others.",
            name(&at.ilo),
            filled(squeeze)
        ),
        Event::IloRefusedUs { at, detail } => format!(
            "The session table of {} is full: it refused our login ({}), and refuses everybody else's. We wait for a \
             place. Whoever is still logged in there can end sessions; else its idle time-out helps, or a reset of the \
             iLO from its server.",
            name(&at.ilo),
            prose(detail)
        ),
        Event::IloBlocked { at, squeeze, why } => format!(
            "{} fills up and the policy lets nothing go, so a person must act: {}. Kept: {}.",
            name(&at.ilo),
            filled(squeeze),
            names(why)
        ),
        Event::IloRelieved { at, used, limit, lasted } => {
            format!("{} has room again, after {}: {used} of {limit} places taken.", name(&at.ilo), span(*lasted))
        }
        _ => String::new(),
    }
}

fn filled(squeeze: &Squeeze) -> String {
    let Squeeze { used, limit, limit_from, reapable, top, .. } = squeeze;
    let full_in = squeeze.full_in.map(|full_in| format!(", full in {} if it goes on like that", span(full_in)));
    let top = squeeze
        .top_origin
        .map(|origin| format!("; {} from {} holds {top}", owned(squeeze.top_owner.as_ref()), name(origin)));
    let (full_in, top) = (full_in.unwrap_or_default(), top.unwrap_or_default());
    format!("{used} of {limit} places taken (limit {limit_from}){full_in}{top}; the rules would let {reapable} go")
}
