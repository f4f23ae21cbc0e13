//! The record and the events: each deletion exactly once in both, and nothing in them that did not happen.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ilo_reaper::event::Event;
use ilo_reaper::state::{Memory, Record, RecordId, Settled};
use ilo_sim::{Moment, SessionId};

use super::Oracle;
use crate::script::host;
use crate::world::Site;

/// What was committed, and what was told.
#[derive(Default)]
pub(super) struct Records {
    memories: BTreeMap<String, Memory>,
    written: Vec<Written>,
    /// DELETEs of others, by iLO, that were answered and that no event told of yet.
    untold: BTreeMap<usize, BTreeSet<String>>,
    /// iLOs where a deletion that a cap held back was written down.
    held_back: BTreeSet<String>,
    /// Something could not be written in this life of the daemon.
    is_full: bool,
    /// iLOs of which it could not be written what is remembered, nor since, and when that was last tried.
    behind: BTreeMap<String, Moment>,
    /// The one under way at each iLO.
    under_way: BTreeMap<usize, String>,
    /// iLOs that answered the last one with 401.
    denied: BTreeSet<usize>,
}

struct Written {
    id: RecordId,
    session: String,
    ilo: String,
    rule: usize,
    is_sent: bool,
    settled: Option<Settled>,
}

impl Records {
    /// The number of the rule in a record of this session that waits for its DELETE; it is used up.
    pub(super) fn takes(&mut self, ilo: usize, id: &SessionId) -> Option<usize> {
        let waits =
            |written: &&mut Written| written.session == id.as_str() && !written.is_sent && written.settled.is_none();
        let written = self.written.iter_mut().rev().find(waits)?;
        written.is_sent = true;
        self.under_way.insert(ilo, id.as_str().to_owned());
        Some(written.rule)
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
        self.memories.values().flat_map(|memory| &memory.intents).any(|intent| {
            intent.authority.host == host && intent.from.unix_s() <= shown_s && shown_s <= intent.to.unix_s()
        })
    }

    /// Logins there whose end the state does not know.
    pub(super) fn intents_at(&self, host: &str) -> usize {
        let all = self.memories.values().flat_map(|memory| &memory.intents);
        all.filter(|intent| intent.authority.host == host).count()
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

    /// Whether the state remembers a session there as one of another clock.
    pub(super) fn suspects(&self, host: &str, id: &SessionId) -> bool {
        self.memories.values().any(|memory| {
            memory.place.as_ref().is_some_and(|place| place.host == host)
                && memory.suspects.iter().any(|suspect| suspect.to_string() == id.as_str())
        })
    }

    /// A DELETE got its answer. Whether that says that our account may not, which is told of the iLO and not of the
    /// session: 403 does, and 401 where it comes again.
    pub(super) fn answered(&mut self, ilo: usize, status: u16) -> bool {
        let Some(id) = self.under_way.remove(&ilo) else { return status == 403 };
        let is_denied_again = match status {
            401 => !self.denied.insert(ilo),
            200 | 204 => {
                self.denied.remove(&ilo);
                false
            }
            _ => false,
        };
        let is_forbidden = status == 403 || is_denied_again;
        if !is_forbidden {
            self.untold.entry(ilo).or_default().insert(id);
        }
        is_forbidden
    }

    /// When the next visit begins, all must be told of the last one.
    pub(super) fn visit_begins(&mut self, ilo: usize) -> Vec<String> {
        self.under_way.remove(&ilo);
        let untold = self.untold.remove(&ilo).unwrap_or_default();
        untold.into_iter().map(|id| format!("no event tells of the DELETE of {id}")).collect()
    }

    pub(super) fn forget_memories(&mut self) {
        self.memories.clear();
    }

    pub(super) fn forget_events(&mut self) {
        self.untold.clear();
        self.under_way.clear();
        self.written.clear();
        self.held_back.clear();
        self.behind.clear();
        self.is_full = false;
    }
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

    /// The state kept what is remembered of an iLO.
    pub(crate) fn saved(&mut self, name: &str, memory: &Memory) {
        self.records.memories.insert(name.to_owned(), memory.clone());
        self.records.behind.remove(name);
        let number = (0..self.books.len()).find(|number| host(self.name_of(*number)) == name);
        if let Some(book) = number.map(|number| &mut self.books[number]) {
            book.is_clock_written |= book.is_clock_told;
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
            ilo: record.ilo.to_string(),
            rule,
            is_sent: false,
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
        let (is_sent, session) = (written.is_sent, written.session.clone());
        if matches!(settled, Settled::HeldBack(_)) {
            let ilo = written.ilo.clone();
            self.records.held_back.insert(ilo);
        }
        let says_sent = matches!(settled, Settled::Gone(_) | Settled::Refused(_) | Settled::Unknown);
        if says_sent && !is_sent {
            self.breaks("I12", format!("the record says that {session} was deleted, and no DELETE was sent"));
        }
    }

    /// The daemon told something.
    pub(crate) fn heard(&mut self, event: &Event) {
        match event {
            Event::SessionReaped { case, .. } => self.told_of(&case.session.id.to_string()),
            Event::ReapFailed { session, .. } | Event::SessionSpared { session, .. } => {
                self.told_of(&session.to_string());
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

    fn told_of(&mut self, id: &str) {
        self.records.untold.values_mut().for_each(|untold| {
            untold.remove(id);
        });
    }

    /// The daemon is dead, or at rest: nothing of ours may be in a table that the state does not know.
    pub(crate) fn at_rest(&mut self, now: Moment, sites: &[Site]) {
        let memories: Vec<Memory> = self.records.memories.values().cloned().collect();
        for (number, site) in sites.iter().enumerate() {
            self.nothing_leaks(now, number, site, &memories);
        }
    }
}
