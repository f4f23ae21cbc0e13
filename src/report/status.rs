//! A survey for people, and for their scripts: the status page, and the same as JSON.
//!
//! The page has no scripts, names no other host, and escapes all text.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use crate::event::{Standing, Survey, VERSION};
use crate::session::clean;
use crate::settings::Pressure;
use crate::time::Timestamp;

/// The version of the JSON document.
const JSON_VERSION: u8 = 1;
/// iLOs that the page shows at most, those in trouble first.
const ROWS_MAX: usize = 1000;
/// Bytes of one cell at most.
const CELL_MAX: usize = 300;

const STYLE: &str = "body{font:16px/1.4 sans-serif;margin:2em;color:#222;background:#fff}table{border-collapse:collapse}\
                     td,th{padding:.2em .8em;text-align:left;border-bottom:1px solid #ddd;vertical-align:top}\
                     .near{background:#fff3c4}.critical,.full,.down{background:#fbd5d0}";

/// The whole survey as one document with stable keys.
pub fn status_json(survey: &Survey) -> Value {
    let counts = &survey.counts;
    json!({
        "v": JSON_VERSION,
        "version": VERSION,
        "at": survey.at.to_string(),
        "started": survey.started.to_string(),
        "paused": survey.paused,
        "state_writable": survey.state_writable,
        "events_lost": survey.events_lost,
        "late": survey.late,
        "credentials_suspended": survey.credentials_suspended.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "configuration": {
            "last_reload_successful": survey.reload.is_good,
            "in_force_since": survey.reload.last_good.to_string(),
        },
        "counts": {
            "reaped": by_rule(&counts.reaped, "rule"),
            "would_reap": by_rule(&counts.would_reap, "rule"),
            "came_back": by_rule(&counts.came_back, "rule"),
            "spared": by_rule(&counts.spared, "reason"),
            "visits": by_rule(&counts.visits, "outcome"),
            "capped": counts.capped,
            "exchanges": counts.exchanges,
            "logins": counts.logins,
        },
        "ilos": survey.ilos.iter().map(ilo).collect::<Vec<_>>(),
    })
}

fn by_rule(counter: &BTreeMap<(String, impl AsRef<str>), u64>, name: &str) -> Vec<Value> {
    let one = |((group, word), count): (&(String, _), &u64)| {
        let word: &str = AsRef::<str>::as_ref(word);
        json!({ "group": group, name: word, "count": count })
    };
    counter.iter().map(one).collect()
}

fn ilo(standing: &Standing) -> Value {
    let table = standing.table.as_ref();
    json!({
        "ilo": standing.at.ilo.as_str(),
        "group": standing.at.group,
        "mode": standing.mode.to_string(),
        "up": standing.is_up(),
        "last_visit": standing.last_visit.map(|at| at.to_string()),
        "pressure": standing.pressure().map(|pressure| pressure.to_string()),
        "used": table.map(|table| table.used),
        "limit": table.map(|table| table.limit),
        "limit_from": table.map(|table| table.limit_from),
        "blocked": table.map(|table| table.is_blocked),
        "full_in_s": table.and_then(|table| table.full_in).map(|full_in| full_in.as_secs()),
        "sessions": table.map(|table| &table.sessions),
        "failing": standing.failing.as_ref().map(|failing| json!({
            "since": failing.since.to_string(),
            "outcome": failing.outcome,
            "why": clean(&failing.why, CELL_MAX),
        })),
    })
}

/// The page.
pub fn status_page(survey: &Survey) -> String {
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>ilo-reaper</title>\
         <style>{STYLE}</style></head><body>\n<h1>ilo-reaper {VERSION}</h1>\n"
    );
    for line in status_lines(survey) {
        let _ = writeln!(page, "<p>{}</p>", escaped(&line));
    }
    let mut ilos: Vec<&Standing> = survey.ilos.iter().collect();
    // Stable: those alike stay in the order of their names.
    ilos.sort_by_key(|ilo| std::cmp::Reverse((ilo.pressure().max(Some(Pressure::Calm)), ilo.is_up() == Some(false))));
    page.push_str("<table>\n<tr><th>iLO<th>group<th>mode<th>pressure<th>used<th>sessions<th>full in<th>last visit<th>what is wrong</tr>\n");
    for ilo in ilos.iter().take(ROWS_MAX) {
        row(&mut page, ilo, survey.at);
    }
    page.push_str("</table>\n");
    if let Some(more) = ilos.len().checked_sub(ROWS_MAX).filter(|more| *more > 0) {
        let _ = writeln!(page, "<p>And {more} more, in <a href=\"status.json\">status.json</a>.</p>");
    }
    page.push_str("</body></html>\n");
    page
}

/// What there is to say of all of it, a sentence or two a line.
pub fn status_lines(survey: &Survey) -> Vec<String> {
    let at = |level| survey.ilos.iter().filter(|ilo| ilo.pressure() == Some(level)).count();
    let down = survey.ilos.iter().filter(|ilo| ilo.is_up() == Some(false)).count();
    let unseen = survey.ilos.iter().filter(|ilo| ilo.is_up().is_none()).count();
    let total = |counter: &BTreeMap<(String, String), u64>| counter.values().sum::<u64>();
    let mut lines = vec![
        format!(
            "{} iLOs: {} near their limit, {} critical, {} full, {down} can't be visited, {unseen} not visited yet, {} late.",
            survey.ilos.len(),
            at(Pressure::Near),
            at(Pressure::Critical),
            at(Pressure::Full),
            survey.late
        ),
        format!(
            "Since the start at {}: {} sessions ended, {} would have gone, {} of those were used again.",
            survey.started,
            total(&survey.counts.reaped),
            total(&survey.counts.would_reap),
            total(&survey.counts.came_back)
        ),
    ];
    if let Some(why) = &survey.paused {
        lines.push(format!("Nothing is deleted: {why}."));
    }
    if !survey.state_writable {
        lines.push(String::from("The state can't be written. Nothing is deleted meanwhile."));
    }
    if !survey.reload.is_good {
        let since = survey.reload.last_good;
        lines.push(format!("The last configuration that was offered is wrong. The one of {since} stays in force."));
    }
    for credential in &survey.credentials_suspended {
        lines.push(format!("No new login is made with {credential}: several iLOs rejected it."));
    }
    if survey.events_lost > 0 {
        lines.push(format!("The log did not take {} events.", survey.events_lost));
    }
    lines.push(format!("As of {}.", survey.at));
    lines
}

fn row(page: &mut String, ilo: &Standing, now: Timestamp) {
    let table = ilo.table.as_ref();
    let sessions = table.map_or_else(String::new, |table| {
        let some = table.sessions.iter().filter(|(_, count)| **count > 0);
        some.map(|(kind, count)| format!("{count} {kind}")).collect::<Vec<_>>().join(", ")
    });
    let pressure = ilo.pressure().map_or_else(|| String::from("unknown"), |pressure| pressure.to_string());
    let blocked = table.filter(|table| table.is_blocked).map(|_| "its policy lets nothing go");
    let failing = ilo.failing.as_ref().map(|failing| format!("{} (since {})", failing.why, failing.since));
    let cells = [
        ilo.at.ilo.to_string(),
        ilo.at.group.clone(),
        ilo.mode.to_string(),
        pressure.clone(),
        table.map_or_else(String::new, |table| format!("{} of {} ({})", table.used, table.limit, table.limit_from)),
        sessions,
        table.and_then(|table| table.full_in).map_or_else(String::new, spoken),
        ilo.last_visit.map_or_else(|| String::from("never"), |at| format!("{} ago", spoken(now.distance(at)))),
        blocked.map(str::to_owned).into_iter().chain(failing).collect::<Vec<_>>().join("; "),
    ];
    let class = if ilo.is_up() == Some(false) { "down" } else { pressure.as_str() };
    let _ = write!(page, "<tr class=\"{class}\">");
    for cell in cells {
        let _ = write!(page, "<td>{}", escaped(&cell));
    }
    page.push_str("</tr>\n");
}

fn spoken(span: Duration) -> String {
    match span.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

/// As HTML writes text.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in clean(text, CELL_MAX).chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
