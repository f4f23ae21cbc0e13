//! Each event as one plain sentence or two: what happened, and the way out where there is one.

use std::fmt::Display;
use std::time::Duration;

use super::fields::PRIVILEGE_TO_END_OTHERS;
use super::line::{name, prose};
use super::{orders, pressure};
use crate::event::{Case, Cause, Event, Gone, Place, Summary, Topic};
use crate::session::{FOREIGN_TEXT_MAX, Owner, clean};
use crate::settings::{IloName, Mode};
use crate::time::Timestamp;

/// Bytes of a sentence at most.
const SENTENCE_MAX: usize = 4096;
/// Names listed in a sentence; the field has more.
const NAMES_MAX: usize = 5;

/// What happened, for a person.
pub fn sentence(event: &Event) -> String {
    let told = match event.topic() {
        Topic::Session => of_session(event),
        Topic::Table => pressure::sentence(event),
        Topic::Ilo => of_ilo(event),
        Topic::Order => orders::sentence(event),
        Topic::Daemon => of_daemon(event),
    };
    clean(&told, SENTENCE_MAX)
}

fn of_session(event: &Event) -> String {
    match event {
        Event::SessionReaped { at, case, gone } => reaped(at, case, *gone),
        Event::SessionWouldReap { at, case, because } => {
            format!(
                "Would end {}: {}. It stays, because {}.",
                whose(at, case),
                found(case),
                prose(&clean(because, FOREIGN_TEXT_MAX))
            )
        }
        Event::SessionSpared { at, session, owner, why } => {
            format!(
                "Spared session {} of {} on {}: {}.",
                name(session),
                owned(owner.as_ref()),
                name(&at.ilo),
                prose(why)
            )
        }
        Event::ReapFailed { at, session, status: Some(status), message_id } => {
            let said = message_id.as_ref().map_or(String::new(), |id| format!(" ({})", name(id)));
            format!(
                "{} answered {status}{said} when session {} was to be ended. The next visit looks afresh.",
                name(&at.ilo),
                name(session)
            )
        }
        Event::ReapFailed { at, session, status: None, .. } => format!(
            "Session {} on {} was to be ended, but the answer was lost. The next visit tells whether it is gone.",
            name(session),
            name(&at.ilo)
        ),
        Event::ReapCapped { at, cap, wanted, done } => format!(
            "The cap {} held deletions back on {}: {done} of {wanted} done. Later visits go on with what is still \
             abandoned then; before raising the cap, look whether a rule finds too much.",
            name(cap),
            name(&at.ilo)
        ),
        Event::SessionCameBack { at, session, owner, rule, .. } => format!(
            "Session {} of {} on {} was used again, although rule {} would have ended it: protect it, or make the \
             rule wait longer, before you enforce it.",
            name(session),
            owned(owner.as_ref()),
            name(&at.ilo),
            name(rule)
        ),
        Event::StrayEnded { at, session, why } => format!(
            "Ended session {} on {}, one of our own that nobody holds any more: {}.",
            name(session),
            name(&at.ilo),
            prose(why)
        ),
        _ => String::new(),
    }
}

fn reaped(at: &Place, case: &Case, gone: Gone) -> String {
    match gone {
        Gone::Ended => format!("Ended {}: {}.", whose(at, case), found(case)),
        Gone::AlreadyGone => {
            format!("Was to end {}: {}. It had ended by itself when our request came.", whose(at, case), found(case))
        }
    }
}

fn of_ilo(event: &Event) -> String {
    match event {
        Event::IloUnreachable { at, cause, since, detail } => format!(
            "{} has not been reached for {}: {} ({}). It is tried again, less often.",
            name(&at.ilo),
            span(*since),
            advice(*cause),
            prose(detail)
        ),
        Event::IloReachable { at, since } => format!("{} is reached again, after {}.", name(&at.ilo), span(*since)),
        Event::LoginRejected { at, username, retry_in } => format!(
            "{} rejected the login of {}. Check that the account exists there and may log in, and that the password \
             is right; it is tried again in {}.",
            name(&at.ilo),
            name(username),
            span(*retry_in)
        ),
        Event::DeleteForbidden { at, username } => format!(
            "{} may not end the sessions of others on {}. Give that account the privilege \
             \"{PRIVILEGE_TO_END_OTHERS}\" there.",
            name(username),
            name(&at.ilo)
        ),
        Event::CertificateChanged { at, is_known, known_since, .. } => changed(&at.ilo, *is_known, *known_since),
        Event::IloDuplicate { at, other } => format!(
            "{} and {} tell the same UUID, and no certificates tell them apart: they are two names for one iLO, which is \
             visited as {} alone. Take the other name out of the configuration; if they are two iLOs, pin both (`tls: known`).",
            name(&at.ilo),
            name(other),
            name(other)
        ),
        Event::ClockWrong { at, why, .. } => format!(
            "The clock of {} is not right: {}. Ages are measured on that clock alone, and times that contradict each \
             other count for nothing; set it by SNTP, so that its log can be read beside others.",
            name(&at.ilo),
            prose(why)
        ),
        Event::VisitBroken { at, detail } => format!(
            "Our own code failed while visiting {}: {}. That iLO is left alone until a restart; please report this \
             as a bug.",
            name(&at.ilo),
            prose(detail)
        ),
        _ => String::new(),
    }
}

fn of_daemon(event: &Event) -> String {
    match event {
        Event::DaemonReady { version, ilos, mode } => {
            let deletes = match mode {
                Mode::Observe => "it tells what would go and deletes nothing",
                Mode::Enforce => "it deletes what the rules find",
            };
            format!("ilo-reaper {} guards {}: {deletes}.", name(version), ilos_of(*ilos))
        }
        Event::DaemonStopping { version, .. } => format!("ilo-reaper {} stops.", name(version)),
        Event::FleetSummary(summary) => heartbeat(summary),
        Event::ConfigReloaded { added, removed, changed, bolder } => {
            let warned = match bolder.as_slice() {
                [] => String::new(),
                bolder => format!(" These now delete more than before: {}.", names(bolder)),
            };
            format!(
                "The new configuration is in force: {} added, {removed} removed, {changed} changed.{warned}",
                ilos_of(*added)
            )
        }
        Event::ConfigRejected { file, line, column, mistake } => format!(
            "The new configuration was refused and the old one stays in force; mend it and reload again: \
             {}{}: {}",
            name(file),
            position(*line, *column),
            prose(mistake)
        ),
        Event::TlsInsecure { group, ilos } => format!(
            "The passwords of group {} go to whoever answers at the addresses of its {} (tls: insecure). \
             Pin their certificates instead: `tls: {{ pin: \"sha256:…\" }}`.",
            name(group),
            ilos_of(*ilos)
        ),
        Event::LeakerFound { owner, origin, orphans, ilos } => format!(
            "{} from {} left {orphans} abandoned sessions on {} within a day. Whatever runs there should log out, or \
             keep its token.",
            name(owner),
            name(origin),
            ilos_of(*ilos)
        ),
        Event::CredentialSuspended { credential, rejected_by, retry_in } => format!(
            "{} was rejected by {}: no new login is made with it until one works, and one iLO is asked again in {}. \
             Check the password and the account. Sessions that we hold go on.",
            name(credential),
            names(rejected_by),
            span(*retry_in)
        ),
        Event::CredentialRestored { credential, accepted_by } => {
            format!("{} works again: {} accepted it.", name(credential), name(accepted_by))
        }
        _ => of_state(event),
    }
}

fn of_state(event: &Event) -> String {
    match event {
        Event::StateUnwritable { path, cause } => format!(
            "The state can't be written ({}: {}), so nothing is deleted. Make room there, or mend its permissions.",
            name(path),
            prose(cause)
        ),
        Event::StateWritable { path } => format!("The state can be written again ({}).", name(path)),
        Event::StateReset { path, cause } => format!(
            "The state was unreadable, in whole or in part ({}); what is left of it: {}. Nothing is deleted until \
             `ilo-reaper resume`; sessions of our own that were forgotten may still be in the tables.",
            prose(cause),
            name(path)
        ),
        Event::EventsLost { count: 1 } => String::from("An event was not written: the log did not take it."),
        Event::Many { like, ilos, names: who, .. } => {
            format!("{} on {} more within a minute, so one cause is likely: {}.", like.name, ilos_of(*ilos), names(who))
        }
        Event::EventsLost { count } => format!("{count} events were not written: the log did not take them."),
        _ => String::new(),
    }
}

fn heartbeat(summary: &Summary) -> String {
    let Summary { ilos, visited, late, near, critical, full, reaped, would_reap, unreachable, visit_p99: _ } = summary;
    format!(
        "{}, {unreachable} out of reach; {near} near their limit, {critical} all but full, {full} full. Visits: {visited} went well, {late} late. Sessions: {reaped} ended, \
         {would_reap} would have gone.",
        ilos_of(*ilos)
    )
}

/// What to look at, where a visit fails.
fn advice(cause: Cause) -> &'static str {
    match cause {
        Cause::Dns => "its name has no address; check DNS and the spelling",
        Cause::Refused => "it refuses connections; check address, port and firewall",
        Cause::Timeout => "it did not answer in time; check cabling, firewall and whether it hangs",
        Cause::Tls => "no TLS connection could be made; check what its port speaks",
        Cause::Http => "it answers with an error",
        Cause::Nonsense => "what it answers makes no sense; check that an iLO lives at that address",
    }
}

fn changed(ilo: &IloName, is_known: bool, since: Option<Timestamp>) -> String {
    let (pinned, new) = match (is_known, since) {
        (false, _) => {
            (String::from("the pinned one"), String::from("put the found one into `tls: { pin: … }` and reload"))
        }
        (true, since) => {
            let since = since.map_or_else(String::new, |since| format!(" since {since}"));
            let new = format!("compare the found one, run `ilo-reaper trust {} --write` and reload", name(ilo));
            (format!("known_ilos has{since}"), new)
        }
    };
    format!(
        "{} shows another certificate than {pinned}: nothing more is sent there. If it was renewed on purpose, {new}; \
         if not, find out who answers at its address.",
        name(ilo)
    )
}

fn whose(at: &Place, case: &Case) -> String {
    let session = &case.session;
    let origin = session.origin.map_or(String::from("an unknown address"), name);
    format!(
        "{} session {} of {} from {origin} on {}",
        name(&session.kind),
        name(&session.id),
        owned(session.owner.as_ref()),
        name(&at.ilo)
    )
}

fn found(case: &Case) -> String {
    match case.idle {
        Some(idle) => format!("idle for {}, found by rule {}", span(idle), name(&case.rule)),
        None => format!("found by rule {}", name(&case.rule)),
    }
}

pub(super) fn owned(owner: Option<&Owner>) -> String {
    owner.map_or(String::from("an unknown account"), name)
}

pub(super) fn names<T: Display>(all: &[T]) -> String {
    let mut listed: Vec<String> = all.iter().take(NAMES_MAX).map(name).collect();
    if all.len() > NAMES_MAX {
        listed.push(format!("and {} more", all.len() - NAMES_MAX));
    }
    listed.join(", ")
}

fn position(line: Option<usize>, column: Option<usize>) -> String {
    match (line, column) {
        (Some(line), Some(column)) => format!(":{line}:{column}"),
        (Some(line), None) => format!(":{line}"),
        (None, _) => String::new(),
    }
}

pub(super) fn ilos_of(count: usize) -> String {
    match count {
        1 => String::from("1 iLO"),
        _ => format!("{count} iLOs"),
    }
}

/// A span as people write it, in whole seconds.
pub(super) fn span(length: Duration) -> String {
    humantime::format_duration(Duration::from_secs(length.as_secs())).to_string()
}
