//! `sweep` and `list`: one round over the fleet, as a table or one JSON document. The daemon that runs makes it, with its
//! sessions and its state; without one the round is made here.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::args::{List, Sweep};
use super::{Failure, complain, journal_beside, running, say, say_goodbye};
use crate::config;
use crate::control::{self, Failed, path};
use crate::daemon::{self, Places, StartError};
use crate::event::{Event, Priority, Tell};
use crate::fleet::{Asked, Command, Turns};
use crate::report::{Journal, sentence, table, visits_json};
use crate::signals;
use crate::visit::MayEnd;

pub(super) fn sweep(places: &Places, sweep: &Sweep) -> Result<(), Failure> {
    round(places, &sweep.list, if sweep.enforce { MayEnd::InAnyMode } else { MayEnd::InMode })
}

pub(super) fn list(places: &Places, list: &List) -> Result<(), Failure> {
    round(places, list, MayEnd::No)
}

fn round(places: &Places, list: &List, may_end: MayEnd) -> Result<(), Failure> {
    let asked = json!({ "ilos": list.ilos, "end": word(may_end) });
    let (seen, cut) = match daemon::runtime()?.block_on(control::ask(running::whom(places), path::VISITS, Some(asked)))
    {
        Err(Failed::NoDaemon(..)) => (alone(places, &list.ilos, may_end)?, "by a signal"),
        seen => (seen?, "when the daemon did, or took them out,"),
    };
    let ilos = seen["ilos"].as_array().map(Vec::as_slice).unwrap_or_default();
    if list.json {
        say(&seen)?;
    } else {
        print(ilos)?;
    }
    let asked = seen["asked"].as_u64().unwrap_or_default();
    let left = asked.saturating_sub(ilos.len().try_into().unwrap_or(u64::MAX));
    if left > 0 {
        return Err(Failure::Plain(format!("stopped {cut} before {left} of {asked} iLOs were visited")));
    }
    if ilos.iter().any(|ilo| !ilo["error"].is_null()) { Err(Failure::Told) } else { Ok(()) }
}

/// As the daemon is told.
const fn word(may_end: MayEnd) -> &'static str {
    match may_end {
        MayEnd::No | MayEnd::Forbidden => "nobody",
        MayEnd::InMode => "in_mode",
        MayEnd::InAnyMode => "in_any_mode",
    }
}

/// The round without a daemon.
fn alone(places: &Places, asked: &[String], may_end: MayEnd) -> Result<Value, Failure> {
    let settings = daemon::load(places)?.settings;
    let ilos = config::named(&settings, asked).map_err(Failure::Usage)?;
    let listening = signals::listen()?;
    let opened = daemon::open(places)?;
    let (targets, count) = (settings.targets.clone(), ilos.len());
    let journal = if may_end == MayEnd::No { None } else { journal_beside()? };
    let complaints = Arc::new(Complaints(journal.clone()));
    let (round, thread) = daemon::runtime()?.block_on(async {
        let (fleet, thread) = daemon::fleet(places, Arc::new(settings), opened, complaints, Turns::Asked, None);
        let ((commands, receiver), (answer, seen)) = (mpsc::channel(2), oneshot::channel());
        let running = tokio::spawn(fleet.run(receiver));
        let told = async {
            // Where the loop is gone, so is whoever answers.
            let _gone = commands.send(Command::Visit(Asked { ilos, may_end }, answer)).await;
            let mut seen = seen;
            tokio::select! {
                seen = &mut seen => seen,
                () = listening.stop() => {
                    let _gone = commands.send(Command::Drain).await;
                    seen.await
                }
            }
        };
        let round = told.await;
        drop(commands);
        (running.await.map(|()| round), thread)
    });
    thread.wait();
    if let Some(journal) = journal {
        say_goodbye(journal);
    }
    let broken = |why: &dyn std::fmt::Display| Failure::Start(StartError::Bug(why.to_string()));
    let round = round.map_err(|why| broken(&why))?.map_err(|why| broken(&why))?;
    Ok(visits_json(&round, &targets, count))
}

/// What a person at the terminal must know beside the table. The journal has all of it, as from the daemon.
struct Complaints(Option<Arc<Journal>>);

impl Tell for Complaints {
    fn tell(&self, event: Event) {
        let in_table = matches!(event, Event::SessionReaped { .. } | Event::IloFull { .. } | Event::ReapFailed { .. });
        let is_paused = matches!(event, Event::DaemonPaused { .. });
        if is_paused || event.priority() <= Priority::Warning && !in_table {
            complain(sentence(&event));
        }
        if let Some(journal) = &self.0 {
            journal.tell(event);
        }
    }
}

fn print(ilos: &[Value]) -> Result<(), Failure> {
    const HEADERS: [&str; 9] = ["ILO", "SESSION", "OWNER", "ORIGIN", "KIND", "AGE", "IDLE", "VERDICT", "WHY"];
    let mut rows = Vec::new();
    for ilo in ilos {
        let name = text(&ilo["ilo"]);
        let sessions = ilo["sessions"].as_array();
        rows.extend(sessions.into_iter().flatten().map(|session| row(name, session)));
        if let Some(error) = ilo["error"].as_str() {
            let remedy = ilo["remedy"].as_str().map_or_else(String::new, |remedy| format!("; {remedy}"));
            if sessions.is_none() {
                complain(format_args!("cannot visit {name}: {error}{remedy}"));
            } else {
                complain(format_args!("the visit to {name} ended early: {error}{remedy}"));
            }
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    let text = table::render(&HEADERS, &rows);
    say(text.trim_end())
}

fn row(name: &str, session: &Value) -> Vec<String> {
    let span = |key: &str| {
        let seconds = session[key].as_u64().map(Duration::from_secs);
        seconds.map_or_else(|| String::from("?"), |seconds| humantime::format_duration(seconds).to_string())
    };
    let of = |key: &str| text(&session[key]).to_owned();
    let who = ["session", "owner", "origin", "kind"].map(of);
    let verdict = ["outcome", "why"].map(of);
    [name.to_owned()].into_iter().chain(who).chain([span("age_s"), span("idle_s")]).chain(verdict).collect()
}

/// A text of the document; a question mark where there is none.
fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}
