//! What is asked of the daemon that runs: `reload`, `status`, `pause`, `resume`, `protect`.

use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use serde_json::{Value, json};

use super::args::{Pause, Protect, Protections};
use super::{Failure, complain, journal_beside, say, say_goodbye};
use crate::control::{self, Failed, Whom, path};
use crate::daemon::{self, Places};
use crate::event::{Event, Tell};
use crate::report::table;
use crate::settings::{Order, Orders};
use crate::state::State;

/// The daemon of these places.
pub(super) fn whom(places: &Places) -> Whom<'_> {
    Whom { socket: &places.control, config: places.is_config_named.then_some(places.config.as_path()) }
}

fn ask(places: &Places, path: &str, body: Option<Value>) -> Result<Value, Failure> {
    Ok(daemon::runtime()?.block_on(control::ask(whom(places), path, body))?)
}

pub(super) fn reload(places: &Places) -> Result<(), Failure> {
    let answer = ask(places, path::RELOAD, Some(json!({})))?;
    for warning in texts(&answer["warnings"]) {
        complain(format_args!("warning: {warning}"));
    }
    for bolder in texts(&answer["bolder"]) {
        complain(format_args!("warning: this deletes more than before: {bolder}"));
    }
    say(&format!(
        "the configuration is in force (iLOs added: {}, removed: {}, changed: {})",
        answer["added"], answer["removed"], answer["changed"]
    ))
}

pub(super) fn status(places: &Places, as_json: bool) -> Result<(), Failure> {
    const HEADERS: [&str; 8] = ["ILO", "GROUP", "MODE", "PRESSURE", "USED", "FULL IN", "LAST VISIT", "WHAT IS WRONG"];
    let status = ask(places, path::STATUS, None)?;
    if as_json {
        return say(&status);
    }
    for line in texts(&status["summary"]) {
        say(line)?;
    }
    let row = |ilo: &Value| {
        let span = |seconds: u64| humantime::format_duration(Duration::from_secs(seconds)).to_string();
        vec![
            text(&ilo["ilo"]).to_owned(),
            text(&ilo["group"]).to_owned(),
            text(&ilo["mode"]).to_owned(),
            text(&ilo["pressure"]).to_owned(),
            ilo["used"].as_u64().map_or(String::from("-"), |used| format!("{used} of {}", ilo["limit"])),
            ilo["full_in_s"].as_u64().map_or(String::from("-"), span),
            text(&ilo["last_visit"]).to_owned(),
            ilo["failing"]["why"].as_str().unwrap_or_default().to_owned(),
        ]
    };
    let rows: Vec<Vec<String>> = status["ilos"].as_array().into_iter().flatten().map(row).collect();
    say(table::render(&HEADERS, &rows).trim_end())
}

pub(super) fn pause(places: &Places, pause: &Pause) -> Result<(), Failure> {
    let for_s = pause.length.map(|length| length.as_secs());
    let answer = ask(places, path::PAUSE, Some(json!({ "reason": pause.reason, "for_s": for_s })))?;
    let (by, reason) = (text(&answer["by"]), text(&answer["reason"]));
    if answer["is_longer"] == true {
        let until = answer["until"].as_str().map_or(String::from("`ilo-reaper resume`"), str::to_owned);
        return say(&format!("paused already, until {until}, by {by}: {reason}"));
    }
    let until = pause.length.map_or(String::from("until `ilo-reaper resume`"), |length| {
        format!("for {}", humantime::format_duration(length))
    });
    say(&format!("paused: no session of others is ended {until}"))
}

/// Where no daemon runs, the state is told.
pub(super) fn resume(places: &Places) -> Result<(), Failure> {
    let was_held = match ask(places, path::RESUME, Some(json!({}))) {
        Ok(answer) => answer["was_held"] == true,
        Err(Failure::Asked(Failed::NoDaemon(..))) => {
            let opened = daemon::open(places)?;
            if let Some(reset) = &opened.reset {
                return Err(Failure::Plain(format!(
                    "the state was lost just now ({}: {}); nothing was resumed, so that nobody is ended whom a lost \
                     protection spared: look, and say `ilo-reaper resume` again",
                    reset.path.display(),
                    reset.cause
                )));
            }
            let was_held = opened.observing || opened.orders.pause.is_some();
            let orders = Orders { pause: None, ..opened.orders.clone() };
            daemon::runtime()?
                .block_on(opened.state.resume(&orders))
                .map_err(|why| Failure::Plain(format!("cannot write the state: {why}")))?;
            if let Some(journal) = journal_beside()?.filter(|_| was_held) {
                journal.tell(resumed(opened.orders.pause)?);
                say_goodbye(journal);
            }
            was_held
        }
        Err(failure) => return Err(failure),
    };
    say(if was_held { "deletions may begin again where the mode is enforce" } else { "nothing was held back" })
}

/// As the daemon tells it.
fn resumed(pause: Option<Order>) -> Result<Event, Failure> {
    let by = format!("uid {}", std::fs::metadata("/proc/self")?.uid());
    let lost = || String::from("the state was lost");
    let (until, reason) = pause.map_or_else(|| (None, lost()), |pause| (pause.until, pause.reason));
    Ok(Event::DaemonResumed { by, until, reason })
}

pub(super) fn protect(places: &Places, protect: &Protect) -> Result<(), Failure> {
    match &protect.what {
        None => {
            let for_s = protect.length.map(|length| length.as_secs());
            let Protect { owner, origin, ilo, session, until, reason, .. } = protect;
            let body = json!({
                "owner": owner, "origin": origin, "ilo": ilo, "session": session,
                "reason": reason, "for_s": for_s, "until": until,
            });
            let answer = ask(places, path::PROTECT, Some(body))?;
            say(&format!("protected as {}", text(&answer["protection"])))
        }
        Some(Protections::Remove { id }) => {
            ask(places, path::UNPROTECT, Some(json!({ "id": id })))?;
            say(&format!("{} protects nobody any more", crate::session::clean(id, 64)))
        }
        Some(Protections::List { json }) => list(&ask(places, path::ORDERS, None)?, *json),
    }
}

fn list(orders: &Value, as_json: bool) -> Result<(), Failure> {
    const HEADERS: [&str; 8] = ["ID", "OWNER", "ORIGIN", "ILO", "SESSION", "UNTIL", "BY", "REASON"];
    const KEYS: [&str; 8] = ["id", "owner", "origin", "ilo", "session", "until", "by", "reason"];
    if as_json {
        return say(orders);
    }
    let pause = &orders["paused"];
    if pause.is_object() {
        let until = pause["until"].as_str().map_or(String::new(), |until| format!(" until {until}"));
        complain(format_args!("paused by {}{until}: {}", text(&pause["by"]), text(&pause["reason"])));
    }
    if let Some(why) = orders["observing"].as_str() {
        complain(why);
    }
    let shields = orders["protections"].as_array().map(Vec::as_slice).unwrap_or_default();
    if shields.is_empty() {
        return Ok(());
    }
    let row = |shield: &Value| KEYS.iter().map(|key| text(&shield[*key]).to_owned()).collect::<Vec<String>>();
    let rows: Vec<Vec<String>> = shields.iter().map(row).collect();
    say(table::render(&HEADERS, &rows).trim_end())
}

/// A text of the answer; a dash where there is none.
fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}
