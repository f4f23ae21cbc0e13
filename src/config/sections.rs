//! The sections that are plain keys with defaults: poll, pressure, caps, report.

use std::net::SocketAddr;
use std::time::Duration;

use super::at::{At, Fields};
use super::tree::Node;
use super::values::{PLACES_MAX, written};
use crate::session::Kind;
use crate::settings::{Caps, LogFormat, Poll, PressureSettings, Report, Room};

/// The keys of `poll`.
pub(super) const POLL: [&str; 6] =
    ["every", "fastest", "visits_at_once", "connect_timeout", "exchange_timeout", "visit_timeout"];
/// The keys of `pressure`.
pub(super) const PRESSURE: [&str; 4] = ["limit", "counts", "near", "critical"];
/// The keys of `caps`.
pub(super) const CAPS: [&str; 4] = ["per_visit", "per_ilo_minute", "share_of_seen", "per_minute"];
/// The keys of `report`.
pub(super) const REPORT: [&str; 4] = ["log", "remind", "summary", "listen"];

/// A poll or a time-out below this is a slip.
const POLL_LEAST: Duration = Duration::from_millis(100);
/// The same for what is said to people.
const TOLD_LEAST: Duration = Duration::from_secs(1);
const VISITS_MAX: usize = 10_000;
const DELETIONS_MAX: usize = 1_000_000;

/// Reads `poll`.
pub(super) fn poll(at: &At<'_>) -> Option<Poll> {
    let fields = at.fields(&POLL)?;
    let mut poll = Poll::default();
    fields.set("every", &mut poll.every, |at| at.duration(POLL_LEAST));
    fields.set("fastest", &mut poll.fastest, |at| at.duration(POLL_LEAST));
    fields.set("visits_at_once", &mut poll.visits_at_once, |at| at.count(1, VISITS_MAX));
    fields.set("connect_timeout", &mut poll.connect_timeout, |at| at.duration(POLL_LEAST));
    fields.set("exchange_timeout", &mut poll.exchange_timeout, |at| at.duration(POLL_LEAST));
    fields.set("visit_timeout", &mut poll.visit_timeout, |at| at.duration(POLL_LEAST));
    not_longer(&fields, ("fastest", poll.fastest), ("every", poll.every));
    not_longer(&fields, ("connect_timeout", poll.connect_timeout), ("visit_timeout", poll.visit_timeout));
    not_longer(&fields, ("exchange_timeout", poll.exchange_timeout), ("visit_timeout", poll.visit_timeout));
    Some(poll)
}

/// Notes where one duration is longer than the one that must hold it.
fn not_longer(fields: &Fields<'_>, (inner, inner_s): (&str, Duration), (outer, outer_s): (&str, Duration)) {
    if inner_s <= outer_s {
        return;
    }
    let text = format!("`{inner}` ({}) is longer than `{outer}` ({})", written(inner_s), written(outer_s));
    if let Some(at) = fields.get(inner).or_else(|| fields.get(outer)) {
        at.wrong(text);
    }
}

/// Reads `pressure`.
pub(super) fn pressure(at: &At<'_>) -> Option<PressureSettings> {
    let fields = at.fields(&PRESSURE)?;
    let mut pressure = PressureSettings { limit: fields.read("limit", limit), ..PressureSettings::default() };
    fields.set("counts", &mut pressure.counts, kinds);
    fields.set("near", &mut pressure.near, At::room);
    fields.set("critical", &mut pressure.critical, At::room);
    agree(&fields, &pressure);
    Some(pressure)
}

/// `None` is `learn`, and also a mistake.
fn limit(at: &At<'_>) -> Option<usize> {
    match at.node {
        Node::Whole(_) => at.count(1, PLACES_MAX),
        Node::Text(word) if word == "learn" => None,
        _ => at.unexpected("`learn` or the number of places in the table"),
    }
}

/// One or more kinds, none twice.
pub(super) fn kinds(at: &At<'_>) -> Option<Vec<Kind>> {
    some_of(at, |item| item.word(&Kind::NAMES))
}

/// One value or a list of some, none twice; `None` also where an item is wrong.
pub(super) fn some_of<'a, T: PartialEq>(at: &At<'a>, read: impl Fn(&At<'a>) -> Option<T>) -> Option<Vec<T>> {
    let items = at.items();
    if items.is_empty() {
        return at.none("nothing is listed here; leave the key out if none is meant");
    }
    let mut all = Some(Vec::new());
    for item in items {
        match (read(&item), &mut all) {
            (Some(value), Some(values)) if values.contains(&value) => {
                item.wrong(format!("{} is listed twice", item.shown()));
            }
            (Some(value), Some(values)) => values.push(value),
            _ => all = None,
        }
    }
    all
}

/// Notes where limit, near and critical contradict each other.
fn agree(fields: &Fields<'_>, pressure: &PressureSettings) {
    let PressureSettings { limit, near, critical, .. } = *pressure;
    let upside_down = match (near, critical, limit) {
        (_, _, Some(limit)) => near.free_places(limit) < critical.free_places(limit),
        (Room::Free(near), Room::Free(critical), None) => near < critical,
        (Room::UsedPercent(near), Room::UsedPercent(critical), None) => near > critical,
        _ => false,
    };
    let written = |keys: &[&str]| keys.iter().find_map(|key| fields.get(key));
    if let (true, Some(at)) = (upside_down, written(&["near", "critical", "limit"])) {
        at.wrong("`near` leaves less room than `critical`; a table must be near its limit first");
    }
    for (name, room) in [("near", near), ("critical", critical)] {
        if let (Some(limit), Some(at)) = (limit, written(&[name, "limit"]))
            && room.free_places(limit) >= limit
        {
            at.wrong(format!("a table of {limit} with `{name}` at {} free is never calm", room.free_places(limit)));
        }
    }
}

/// Reads `caps`.
pub(super) fn caps(at: &At<'_>) -> Option<Caps> {
    let fields = at.fields(&CAPS)?;
    let mut caps = Caps::default();
    fields.set("per_visit", &mut caps.per_visit, deletions);
    fields.set("per_ilo_minute", &mut caps.per_ilo_minute, deletions);
    fields.set("share_of_seen", &mut caps.share_of_seen_percent, At::share);
    fields.set("per_minute", &mut caps.per_minute, deletions);
    Some(caps)
}

fn deletions(at: &At<'_>) -> Option<usize> {
    match at.node {
        Node::Whole(0) => at.none("`0` would delete nothing; `mode: observe` says so"),
        _ => at.count(1, DELETIONS_MAX),
    }
}

/// Reads `report`.
pub(super) fn report(at: &At<'_>) -> Option<Report> {
    let fields = at.fields(&REPORT)?;
    let mut report = Report::default();
    let formats = [
        ("auto", LogFormat::Auto),
        ("journald", LogFormat::Journald),
        ("text", LogFormat::Text),
        ("json", LogFormat::Json),
    ];
    fields.set("log", &mut report.log, |at| at.word(&formats));
    fields.set("remind", &mut report.remind, |at| at.duration(TOLD_LEAST));
    fields.set("summary", &mut report.summary, |at| at.duration(TOLD_LEAST));
    report.listen = fields.read("listen", listen);
    Some(report)
}

/// `None` is `none`, and also a mistake.
fn listen(at: &At<'_>) -> Option<SocketAddr> {
    let expected = "`none` or an address and a port, such as `127.0.0.1:9709`";
    match at.node {
        Node::Text(word) if word == "none" => None,
        Node::Text(text) => match text.parse::<SocketAddr>() {
            Ok(address) if address.port() != 0 => Some(address),
            _ => at.unexpected(expected),
        },
        Node::Whole(port @ 1..=65_535) => at.none(format!("`{port}` has no address; did you mean `127.0.0.1:{port}`?")),
        _ => at.unexpected(expected),
    }
}
