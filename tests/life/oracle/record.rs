//! The record and the events: each deletion exactly once in both, and nothing in them that did not happen.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use ilo_reaper::event::Event;
use ilo_reaper::state::{Known, Memory, Record, RecordId, Settled};
use ilo_reaper::time::Timestamp;
use ilo_sim::{Moment, SessionId};

use super::Oracle;
use super::book::{LastLook, LostLogin};
use crate::script::host;
use crate::world::Site;

/// What was committed, and what was told.
#[derive(Default)]
pub(super) struct Records {
    memories: BTreeMap<String, Memory>,
    written: Vec<Written>,
    /// DELETEs of others in this visit of each iLO, by record.
    sent: BTreeMap<usize, Vec<Sent>>,
    /// iLOs where a deletion that a cap held back was written down.
    held_back: BTreeSet<String>,
    /// Something could not be written in this life of the daemon.
    is_full: bool,
    /// iLOs of which it could not be written what is remembered, nor since, and when that was last tried.
    behind: BTreeMap<String, Moment>,
    /// The one under way at each iLO.
    under_way: BTreeMap<usize, RecordId>,
    /// iLOs that answered the last one with 401.
    denied: BTreeSet<usize>,
}

struct Written {
    id: RecordId,
    session: String,
    owner: String,
    origin: Option<IpAddr>,
    ilo: String,
    rule: usize,
    is_sent: bool,
    /// The status that came back.
    answer: Option<u16>,
    settled: Option<Settled>,
}

/// A DELETE of somebody's session.
struct Sent {
    record: RecordId,
    session: String,
    answer: Option<u16>,
    /// That came whole.
    is_clear: bool,
    is_told: bool,
    /// It says of the iLO, and not of the session, that our account may not.
    is_forbidden: bool,
}

/// What a record says about whose session it is.
pub(super) struct Said {
    pub(super) rule: usize,
    pub(super) ilo: String,
    pub(super) owner: String,
    pub(super) origin: Option<IpAddr>,
}

impl Records {
    /// What the record of this session says that waits for its DELETE; it is used up.
    pub(super) fn takes(&mut self, ilo: usize, id: &SessionId) -> Option<Said> {
        let waits =
            |written: &&mut Written| written.session == id.as_str() && !written.is_sent && written.settled.is_none();
        let written = self.written.iter_mut().rev().find(waits)?;
        written.is_sent = true;
        self.under_way.insert(ilo, written.id);
        let session = written.session.clone();
        let sent =
            Sent { record: written.id, session, answer: None, is_clear: false, is_told: false, is_forbidden: false };
        self.sent.entry(ilo).or_default().push(sent);
        let Written { rule, ilo, owner, origin, .. } = written;
        Some(Said { rule: *rule, ilo: ilo.clone(), owner: owner.clone(), origin: *origin })
    }

    /// Whether a record of this session waits for its DELETE.
    pub(super) fn waits(&self, id: &SessionId) -> bool {
        self.written
            .iter()
            .any(|written| written.session == id.as_str() && !written.is_sent && written.settled.is_none())
    }

    /// A DELETE leaves: of the one before it no answer comes any more.
    pub(super) fn sends(&mut self, ilo: usize) {
        self.under_way.remove(&ilo);
    }

    /// Whether a login that an iLO books at this second was written down before.
    pub(super) fn intends(&self, host: &str, shown_s: i64) -> bool {
        self.intents_at(host).iter().any(|(from_s, to_s)| (*from_s..=*to_s).contains(&shown_s))
    }

    /// Logins there whose end the state does not know: from when to when they may be booked.
    pub(super) fn intents_at(&self, host: &str) -> Vec<(i64, i64)> {
        let all = self.memories.values().flat_map(|memory| &memory.intents);
        let all = all.map(|intent| (&intent.authority, intent.from, intent.to));
        // One that was told by one name alone may have made a session of another.
        let held = self.memories.values().filter_map(|memory| memory.held.as_ref());
        let named = held.filter_map(|held| Some((&held.authority, held.named_once.as_ref()?)));
        let all = all.chain(named.map(|(authority, span)| (authority, span.from, span.to)));
        all.filter(|(authority, ..)| authority.host == host).map(|(_, from, to)| (from.unix_s(), to.unix_s())).collect()
    }

    /// The sessions there that the state says we hold.
    pub(super) fn held_at(&self, host: &str) -> Vec<String> {
        let held = self.memories.values().filter_map(|memory| memory.held.as_ref());
        held.filter(|held| held.authority.host == host).map(|held| held.session.to_string()).collect()
    }

    /// Whether the state remembers what its clock showed.
    pub(super) fn knows_clock(&self, host: &str) -> bool {
        let mut all = self.memories.values();
        all.any(|memory| {
            memory.clock_offset_s.is_some() && memory.place.as_ref().is_some_and(|place| place.host == host)
        })
    }

    /// What its clock showed when the state was last told who was on there, and who was.
    pub(super) fn last_look(&self, host: &str) -> Option<LastLook> {
        let is_there = |memory: &&Memory| memory.place.as_ref().is_some_and(|place| place.host == host);
        let memory = self.memories.values().find(is_there)?;
        let times = |known: &Known| (known.login.map(Timestamp::unix_s), known.access.map(Timestamp::unix_s));
        let known = memory.known.iter().map(|known| (known.session.to_string(), times(known))).collect();
        Some((memory.looked_at?.unix_s(), known))
    }

    /// Whether the state remembers a session there as one of another clock.
    pub(super) fn suspects(&self, host: &str, id: &SessionId) -> bool {
        self.memories.values().any(|memory| {
            memory.place.as_ref().is_some_and(|place| place.host == host)
                && memory.suspects.iter().any(|suspect| suspect.to_string() == id.as_str())
        })
    }

    /// A DELETE got its answer. Whether that says that our account may not, which is told of the iLO and not of the
    /// session: 403 does, and 401 where it comes again.
    pub(super) fn answered(&mut self, ilo: usize, response: &Response<Bytes>) -> bool {
        let (status, body) = (response.status().as_u16(), response.body());
        // What ends in the middle, or is for people, tells nothing.
        let is_clear = body.is_empty() || serde_json::from_slice::<serde_json::Value>(body).is_ok();
        let Some(record) = self.under_way.remove(&ilo) else { return status == 403 };
        let is_denied_again = match status {
            401 => !self.denied.insert(ilo),
            200 | 204 => {
                self.denied.remove(&ilo);
                false
            }
            _ => false,
        };
        let is_forbidden = status == 403 || is_denied_again;
        let sent = self.sent.values_mut().flatten().find(|sent| sent.record == record);
        if let Some(sent) = sent {
            (sent.answer, sent.is_clear, sent.is_forbidden) = (Some(status), is_clear, is_forbidden);
        }
        // A kill before its commit gives a number again.
        let written = self.written.iter_mut().rev().find(|written| written.id == record);
        if let Some(written) = written {
            written.answer = Some(status);
        }
        is_forbidden
    }

    /// When the next visit begins, all must be told of the last one, and written down.
    pub(super) fn visit_begins(&mut self, ilo: usize) -> Vec<String> {
        self.under_way.remove(&ilo);
        let all = self.sent.remove(&ilo).unwrap_or_default();
        let untold = all.iter().filter(|sent| !sent.is_told && !sent.is_forbidden);
        let untold = untold.map(|sent| format!("no event tells of the DELETE of {}", sent.session));
        let is_open = |sent: &&Sent| {
            self.written.iter().any(|written| written.id == sent.record && written.settled.is_none()) && !self.is_full
        };
        let open = all.iter().filter(is_open).map(|sent| format!("no record tells how {} ended", sent.session));
        untold.chain(open).collect()
    }

    /// An event tells of a DELETE of this session: what it was answered, if anything, and whether clearly; `None` where
    /// there was none that was not told of yet.
    fn tell(&mut self, session: &str) -> Option<(Option<u16>, bool)> {
        let sent = self.sent.values_mut().flatten().find(|sent| sent.session == session && !sent.is_told)?;
        sent.is_told = true;
        Some((sent.answer, sent.is_clear))
    }

    pub(super) fn forget_memories(&mut self) {
        self.memories.clear();
    }

    pub(super) fn forget_events(&mut self) {
        self.sent.clear();
        self.under_way.clear();
        self.written.clear();
        self.held_back.clear();
        self.behind.clear();
        self.is_full = false;
    }
}

/// What a DELETE is answered with where the session is gone: it was ended, or had ended. After 401 it is looked for.
fn is_gone(status: u16) -> bool {
    matches!(status, 200 | 204 | 404 | 410 | 401)
}

impl Oracle {
    /// The daemon starts: what its last life could not write, it does not know.
    pub(super) fn forgets_what_was_not_written(&mut self, now: Moment) {
        let visit = Duration::from_secs(self.history.last().map_or(0, |one| one.config.visit_s));
        for number in 0..self.books.len() {
            let behind = self.records.behind.get(&host(self.name_of(number))).copied();
            let told_at = self.books[number].told_at;
            // Each visit that came to its end since has tried it again.
            let was_tried = |since: Moment| told_at.is_some_and(|at| at > since && now.since(at) > visit);
            if behind.is_some_and(|since| !was_tried(since)) {
                self.books[number].forgets_who_was_on();
            }
        }
    }

    /// A stop had the time to write down whom it saw last, and could.
    pub(super) fn leaves_in_order(&mut self, number: usize) {
        let is_behind = self.records.behind.contains_key(&host(self.name_of(number)));
        self.books[number].was_left_in_order = !self.books[number].is_new && !is_behind;
    }

    /// The state kept what is remembered of an iLO.
    pub(crate) fn saved(&mut self, now: Moment, name: &str, memory: &Memory) {
        let before = self.records.memories.insert(name.to_owned(), memory.clone());
        let is_intended = memory.intents.len() > before.map_or(0, |before| before.intents.len());
        self.records.behind.remove(name);
        for (number, book) in self.books.iter_mut().enumerate() {
            book.intents_since.extend(self.records.intents_at(&host(number)));
        }
        let number = (0..self.books.len()).find(|number| host(self.name_of(*number)) == name);
        if let Some(book) = number.map(|number| &mut self.books[number]) {
            book.is_clock_written |= book.is_clock_told;
            book.written_at = Some(now);
            book.refused_logins.clear();
            if is_intended {
                let (asked, waits) = (book.asked_root_at, Duration::from_secs(50));
                book.unsent_login = Some(LostLogin { sent: now, asked, waits });
            }
        }
    }

    /// It could not keep it.
    pub(crate) fn not_saved(&mut self, now: Moment, name: &str) {
        self.records.behind.insert(name.to_owned(), now);
    }

    pub(crate) fn recorded(&mut self, id: RecordId, record: &Record) {
        let session = record.case.session.id.to_string();
        let rule = record.case.rule.trim_start_matches('r').parse().unwrap_or_default();
        self.records.written.push(Written {
            id,
            session,
            owner: record.case.session.owner.as_ref().map(ToString::to_string).unwrap_or_default(),
            origin: record.case.session.origin,
            ilo: record.ilo.to_string(),
            rule,
            is_sent: false,
            answer: None,
            settled: None,
        });
        if self.records.written.len() > 512 {
            self.records.written.drain(..256);
        }
    }

    /// The state refused to write.
    pub(crate) fn refused(&mut self) {
        self.records.is_full = true;
    }

    pub(crate) fn settled(&mut self, id: RecordId, settled: &Settled) {
        let Some(written) = self.records.written.iter_mut().rev().find(|written| written.id == id) else { return };
        written.settled = Some(settled.clone());
        let (is_sent, answer, session) = (written.is_sent, written.answer, written.session.clone());
        if matches!(settled, Settled::HeldBack(_)) {
            let ilo = written.ilo.clone();
            self.records.held_back.insert(ilo);
        }
        let is_true = match settled {
            Settled::Gone(_) => is_sent && answer.is_some_and(is_gone),
            Settled::Refused(status) => is_sent && answer == Some(*status),
            Settled::Unknown => is_sent,
            Settled::Spared(_) | Settled::HeldBack(_) => !is_sent,
        };
        if !is_true {
            let sent = if is_sent { "a" } else { "no" };
            let what = format!("the record says of {session} {settled:?}; {sent} DELETE was sent, answered {answer:?}");
            self.breaks("I12", what);
        }
    }

    /// The daemon told something.
    pub(crate) fn heard(&mut self, event: &Event) {
        match event {
            Event::SessionReaped { case, .. } => {
                let session = case.session.id.to_string();
                let answer = self.records.tell(&session);
                if !answer.and_then(|(status, _)| status).is_some_and(is_gone) {
                    self.breaks("I12", format!("an event says that {session} is gone; its DELETE: {answer:?}"));
                }
            }
            Event::ReapFailed { session, .. } => {
                let answer = self.records.tell(&session.to_string());
                if answer.is_none_or(|answer| matches!(answer, (Some(200 | 204), true))) {
                    self.breaks(
                        "I12",
                        format!("an event says that {session} could not be ended; its DELETE: {answer:?}"),
                    );
                }
            }
            Event::ReapCapped { at, cap, .. } => {
                let current = self.now_in_force();
                let name = (0..current.config.members.len()).find(|name| host(*name) == at.ilo.as_str());
                let group = name.and_then(|name| current.config.members[name]);
                let enforces = group.is_some_and(|group| current.config.groups[group].enforces && !current.observes);
                let is_written = self.records.is_full || self.records.held_back.contains(at.ilo.as_str());
                if enforces && !is_written {
                    self.breaks("I12", format!("{cap} held deletions back on {}, and no record tells", at.ilo));
                }
            }
            Event::VisitBroken { detail, .. } => self.breaks("panic", detail.clone()),
            _ => {}
        }
    }

    /// The daemon is dead, or at rest: nothing of ours may be in a table that the state does not know.
    pub(crate) fn at_rest(&mut self, now: Moment, sites: &[Site]) {
        let memories: Vec<Memory> = self.records.memories.values().cloned().collect();
        for (number, site) in sites.iter().enumerate() {
            self.nothing_leaks(now, number, site, &memories);
        }
    }
}
