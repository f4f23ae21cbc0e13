//! `sweep` and `list`: one round over the fleet, as a table or one JSON document.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::args::{List, Sweep};
use super::{Failure, complain, say};
use crate::daemon::{self, Places};
use crate::event::{Event, Priority, Tell};
use crate::fleet::{First, Round};
use crate::policy::{Judged, Verdict};
use crate::report::{sentence, table};
use crate::settings::{IloName, Mode, Settings, Target, Trust};
use crate::signals;
use crate::visit::{Fate, Visit, VisitError};

pub(super) fn sweep(places: &Places, sweep: &Sweep) -> Result<(), Failure> {
    round(places, &sweep.list, |target| {
        if sweep.enforce {
            target.mode = Mode::Enforce;
        }
    })
}

pub(super) fn list(places: &Places, list: &List) -> Result<(), Failure> {
    round(places, list, |target| target.mode = Mode::Observe)
}

fn round(places: &Places, list: &List, change: impl Fn(&mut Target)) -> Result<(), Failure> {
    let mut settings = daemon::load(places)?.settings;
    let names = chosen(&settings, &list.ilos)?;
    for target in settings.targets.values_mut() {
        let mut changed = Target::clone(target);
        change(&mut changed);
        *target = Arc::new(changed);
    }
    let listening = signals::listen()?;
    let opened = daemon::open(places)?;
    let (groups, asked) = (settings.targets.clone(), names.len());
    let (round, thread) = daemon::runtime()?.block_on(async {
        let (fleet, thread) =
            daemon::fleet(places, Arc::new(settings), opened, Arc::new(Complaints), First::AtOnce, None);
        (fleet.round(names, listening.stop()).await, thread)
    });
    thread.wait();
    if list.json {
        let ilos: Vec<Value> = round.iter().map(|(name, result)| document(name, &groups[name], result)).collect();
        say(&json!({ "v": 1, "ilos": ilos }))?;
    } else {
        print(&round, &groups)?;
    }
    if round.len() < asked {
        let left = asked - round.len();
        return Err(Failure::Plain(format!("stopped by a signal before {left} of {asked} iLOs were visited")));
    }
    if round.values().any(|result| !matches!(result, Ok(Visit { cut_short: None, .. }))) {
        return Err(Failure::Told);
    }
    Ok(())
}

/// The iLOs that were asked for, or all.
pub(super) fn chosen(settings: &Settings, asked: &[String]) -> Result<BTreeSet<IloName>, Failure> {
    if asked.is_empty() {
        return Ok(settings.targets.keys().cloned().collect());
    }
    let known = |name: &String| {
        let name = IloName::new(name);
        settings.targets.contains_key(&name).then_some(name)
    };
    asked.iter().map(|name| known(name).ok_or_else(|| Failure::Usage(unknown(settings, name)))).collect()
}

fn unknown(settings: &Settings, name: &str) -> String {
    let nearest = settings
        .targets
        .keys()
        .max_by(|one, other| strsim::jaro(one.as_str(), name).total_cmp(&strsim::jaro(other.as_str(), name)));
    let name = crate::session::clean(name, 256);
    nearest.map_or_else(
        || format!("there is no iLO '{name}' in the configuration"),
        |nearest| format!("there is no iLO '{name}' in the configuration; did you mean '{nearest}'?"),
    )
}

/// What a person at the terminal must know beside the table.
struct Complaints;

impl Tell for Complaints {
    fn tell(&self, event: Event) {
        let in_table = matches!(event, Event::SessionReaped { .. } | Event::IloFull { .. } | Event::ReapFailed { .. });
        let is_paused = matches!(event, Event::DaemonPaused { .. });
        if is_paused || event.priority() <= Priority::Warning && !in_table {
            complain(sentence(&event));
        }
    }
}

fn print(round: &Round, targets: &BTreeMap<IloName, Arc<Target>>) -> Result<(), Failure> {
    const HEADERS: [&str; 9] = ["ILO", "SESSION", "OWNER", "ORIGIN", "KIND", "AGE", "IDLE", "VERDICT", "WHY"];
    let mut rows = Vec::new();
    for (name, result) in round {
        match result {
            Ok(visit) => rows.extend(visit.plan.judged.iter().map(|judged| row(name, visit, judged))),
            Err(error) => complain(format_args!("cannot visit {name}: {error}{}", way_out(error, &targets[name]))),
        }
        if let Ok(Visit { cut_short: Some(error), .. }) = result {
            complain(format_args!("the visit to {name} ended early: {error}"));
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    let text = table::render(&HEADERS, &rows);
    say(text.trim_end())
}

fn row(name: &IloName, visit: &Visit, judged: &Judged) -> Vec<String> {
    let session = &judged.session;
    let unknown = || String::from("?");
    let span = |time: Option<Duration>| time.map_or_else(unknown, |time| humantime::format_duration(time).to_string());
    let (verdict, why) = outcome(visit, judged);
    vec![
        name.to_string(),
        session.id.to_string(),
        session.owner.as_ref().map_or_else(unknown, ToString::to_string),
        session.origin.map_or_else(unknown, |origin| origin.to_string()),
        session.kind.to_string(),
        span(judged.age),
        span(judged.idle),
        verdict.to_owned(),
        why,
    ]
}

/// What was decided and done, in one word, and why.
fn outcome(visit: &Visit, judged: &Judged) -> (&'static str, String) {
    let Verdict::Reap(reason) = &judged.verdict else { return ("keep", judged.verdict.to_string()) };
    let fate = visit.fates.iter().find(|(case, _)| case.session.id == judged.session.id).map(|(_, fate)| fate);
    let held_back = visit.held_back.iter().find(|held_back| held_back.case.session.id == judged.session.id);
    match (fate, held_back) {
        (Some(Fate::Gone(_)), _) => ("reaped", reason.to_string()),
        (Some(Fate::Spared(why)), _) => ("spared", why.to_string()),
        (Some(Fate::Forbidden), _) => {
            ("failed", String::from("our account lacks the privilege Administer User Accounts"))
        }
        (Some(Fate::Refused(status, message)), _) => (
            "failed",
            format!("refused with {status} {}", message.as_deref().unwrap_or_default()).trim_end().to_owned(),
        ),
        (Some(Fate::Unknown(why)), _) => ("unknown", why.clone()),
        (None, Some(held_back)) if visit.mode == Mode::Enforce => {
            ("held back", format!("caps.{}: {reason}", held_back.cap.name()))
        }
        (None, _) => ("would reap", reason.to_string()),
    }
}

fn way_out(error: &VisitError, target: &Target) -> String {
    let way = match (error, &target.trust) {
        (VisitError::Denied(_), _) => "check `username` and the password, and that the account may log in",
        (VisitError::CertificateChanged(..), Trust::Known(_, since)) => {
            let since = since.map_or_else(String::new, |since| format!(", which known_ilos has since {since}"));
            return format!(
                "{since}; if it was changed on purpose, compare it and run `ilo-reaper trust {} --write`",
                target.name
            );
        }
        (VisitError::CertificateChanged(..), _) => {
            "if it was changed on purpose, write the new one into `tls: { pin }`"
        }
        (VisitError::Duplicate(_), _) => "take one of the two names out of the configuration",
        (VisitError::TableFull(_), _) => "end a session at its web page, or wait for one to time out",
        (VisitError::NoLoginNow, _) => "another iLO just rejected it, see above",
        _ => return String::new(),
    };
    format!("; {way}")
}

fn document(name: &IloName, target: &Target, result: &Result<Visit, VisitError>) -> Value {
    let error = match result {
        Ok(visit) => visit.cut_short.as_ref(),
        Err(error) => Some(error),
    };
    let visit = result.as_ref().ok();
    let sessions = visit.map(|visit| visit.plan.judged.iter().map(|judged| entry(visit, judged)).collect::<Vec<_>>());
    json!({
        "ilo": name.as_str(),
        "group": target.group,
        "mode": target.mode.to_string(),
        "error": error.map(ToString::to_string),
        "used": visit.map(|visit| visit.plan.table.used),
        "limit": visit.and_then(|visit| visit.plan.table.limit),
        "sessions": sessions,
    })
}

fn entry(visit: &Visit, judged: &Judged) -> Value {
    let session = &judged.session;
    let (outcome, why) = outcome(visit, judged);
    let (killable, rule) = match &judged.verdict {
        Verdict::Reap(reason) => (true, Some(reason.rule.as_str())),
        Verdict::Keep(_) => (false, None),
    };
    json!({
        "session": session.id.to_string(),
        "owner": session.owner.as_ref().map(ToString::to_string),
        "origin": session.origin.map(|origin| origin.to_string()),
        "kind": session.kind.to_string(),
        "user_type": session.user_type.to_string(),
        "age_s": judged.age.map(|age| age.as_secs()),
        "idle_s": judged.idle.map(|idle| idle.as_secs()),
        "killable": killable,
        "rule": rule,
        "outcome": outcome,
        "why": why,
    })
}
