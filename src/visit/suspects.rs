//! Whose times are of another clock, and what the next start has to know to tell it.

use std::time::Duration;

use super::{Visitor, clock};
use crate::policy::Witness;
use crate::redfish::Transport;
use crate::session::{Session, SessionId};
use crate::state::{Known, State};
use crate::time::Timestamp;

/// Two readings of one clock in whole seconds, and what it may have drifted in between.
const READINGS: Duration = Duration::from_secs(3);

/// How often it is written down who is on.
const REMEMBER_EVERY: Duration = Duration::from_secs(600);

/// The most sessions that are remembered as suspect. An iLO that shows more, part by part, makes them up.
const SUSPECTS_MAX: usize = 1024;

impl<T: Transport, S: State> Visitor<'_, T, S> {
    /// A suspect that whole tables leave out for long is gone; one that comes back before is what it was.
    pub(super) fn forget_suspects(&mut self, sessions: &[Session]) {
        let (now, left_out) = (self.world.clock.up(), &mut self.notes.left_out);
        left_out.retain(|id, _| sessions.iter().all(|session| session.id != *id));
        self.memory.suspects.retain(|id| {
            let is_told = sessions.iter().any(|session| session.id == *id);
            is_told || now.saturating_sub(*left_out.entry(id.clone()).or_insert(now)) < Witness::LINGERS
        });
        left_out.retain(|id, _| self.memory.suspects.contains(id));
    }

    /// The clock jumped: everybody's times are of the one before, also where the table leaves somebody out just now.
    pub(super) fn suspect_all(&mut self, sessions: &[Session]) {
        let before = std::mem::take(&mut self.memory.suspects);
        let lately: Vec<SessionId> = self.notes.witness.watched().map(|(id, _)| id.clone()).collect();
        self.suspect(sessions.iter().map(|session| &session.id).chain(&before).chain(&lately));
    }

    /// Times of another clock prove nothing until their session is gone.
    pub(super) fn suspect_strangers(&mut self, sessions: &[Session], date: Option<Timestamp>) {
        let strangers = sessions.iter().filter(|session| self.is_of_another_clock(session, date));
        let strangers: Vec<&SessionId> = strangers.map(|session| &session.id).collect();
        self.suspect(strangers.into_iter());
    }

    pub(super) fn suspect<'a>(&mut self, ids: impl Iterator<Item = &'a SessionId>) {
        for id in ids {
            if self.memory.suspects.len() < SUSPECTS_MAX && !self.memory.suspects.contains(id) {
                self.memory.suspects.push(id.clone());
            }
        }
    }

    /// Whether a session claims to be older than our last look at the whole table, where it was not: it logged in
    /// while the clock stood elsewhere. After a reset an iLO may have the time of its battery, or of 2001, until the
    /// network tells it better; who logs in meanwhile looks idle for hours, or years, from then on. Or it claims to be
    /// younger than the last look, where it was: then it was from the future, and seems to log in now, hours late. Or it
    /// was used since the last look, and claims that this was before.
    fn is_of_another_clock(&self, session: &Session, date: Option<Timestamp>) -> bool {
        let (looked_at, was_there) = match self.notes.witness.looked_at() {
            Some(looked_at) => (Some(looked_at), self.notes.witness.knows(session)),
            None => (self.memory.looked_at, self.memory.known.iter().any(|known| known.may_be(session))),
        };
        if self.memory.suspects.contains(&session.id) {
            return false;
        }
        if self.notes.witness.was_used_by_another_clock(session, READINGS) || self.was_used_so_while_away(session) {
            return true;
        }
        let told_at = if self.notes.witness.knows(session) { self.notes.date } else { looked_at.filter(|_| was_there) };
        let was_to_come = |login: Timestamp| told_at.is_some_and(|then| then.plus(READINGS) < login);
        let is_here = |login: Timestamp| date.is_some_and(|now| login <= now.plus(clock::TOLERANCE));
        if session.login.is_some_and(was_to_come) {
            return session.login.is_some_and(is_here);
        }
        // Nobody was used before the login, where that is not told.
        let mut times = [session.login, session.access].into_iter().flatten();
        let (last_look, was_told) = match &self.notes.last_look {
            Some(look) => (Some(look.at), look.tells(session)),
            None => (self.last_look_of_before(), false),
        };
        let was_there = was_there || was_told || self.notes.witness.knows(session);
        let is_older = last_look.is_some_and(|last_look| times.any(|time| time.plus(READINGS) < last_look));
        is_older && !was_there
    }

    /// When the run before may have looked last: where it was killed, until it would have written down again who was on.
    fn last_look_of_before(&self) -> Option<Timestamp> {
        let unwritten = if self.memory.is_last_look { Duration::ZERO } else { REMEMBER_EVERY };
        Some(self.memory.looked_at?.plus(unwritten))
    }

    /// At the first look of a run: whether a session was used since the last run wrote down who is on, and claims that
    /// this was before then.
    fn was_used_so_while_away(&self, session: &Session) -> bool {
        let is_first = self.notes.witness.looked_at().is_none();
        let known = self.memory.known.iter().find(|known| is_first && known.may_be(session));
        let used = session.access.zip(known.and_then(|known| known.access)).filter(|(now, then)| now != then);
        let is_before = |last_look: Timestamp| used.is_some_and(|(now, _)| now.plus(READINGS) < last_look);
        self.last_look_of_before().is_some_and(is_before)
    }

    /// The same, where only a part of the table is told: whoever is known from the last whole one is so still.
    pub(super) fn remember_who_is_to_come(&mut self, now: Timestamp, sessions: &[Session]) {
        for session in sessions.iter().filter(|session| session.login.is_some_and(|login| login > now.plus(READINGS))) {
            let known = &mut self.memory.known;
            if known.len() < SUSPECTS_MAX && !known.iter().any(|known| known.may_be(session)) {
                known.push(Known::from(session));
            }
        }
    }

    /// For the next start; now and then is enough. But whose login is still to come is of another clock, and when that
    /// time has come it does not show any more.
    pub(super) fn remember_who_is_on(&mut self, now: Timestamp, is_sound: bool, sessions: &[Session]) {
        let is_old = self.memory.looked_at.is_none_or(|then| then.distance(now) >= REMEMBER_EVERY);
        let is_due = is_old || self.notes.last_look.is_none();
        let is_to_come = |session: &Session| session.login.is_some_and(|login| login > now.plus(READINGS));
        let known = &self.memory.known;
        let is_news = |session: &Session| is_to_come(session) && !known.iter().any(|known| known.may_be(session));
        // Whose login was not told when it was written down would be a stranger at the next start.
        let is_told_now = |session: &Session| {
            let here = known.iter().find(|known| known.session == session.id);
            is_sound && session.login.is_some() && here.is_some_and(|known| known.login.is_none())
        };
        if is_due || sessions.iter().any(|session| is_news(session) || is_told_now(session)) {
            self.remember(now, sessions);
        }
    }

    pub(super) fn remember(&mut self, now: Timestamp, sessions: &[Session]) {
        self.remember_look(now, sessions.iter().map(Known::from).collect());
        self.memory.is_last_look = false;
    }

    /// The run ends: the next one knows whom this one saw, and that nobody looked since.
    pub(super) fn remember_last_look(&mut self) {
        if let Some(Look { at, sessions, .. }) = self.notes.last_look.take() {
            self.remember_look(at, sessions);
            self.memory.is_last_look = true;
        }
    }

    /// A table may leave out for once when somebody logged in, or somebody; and a part of one may have told somebody who is
    /// to come.
    fn remember_look(&mut self, at: Timestamp, mut known: Vec<Known>) {
        let before = std::mem::take(&mut self.memory.known);
        let login = |id: &SessionId| before.iter().find(|then| then.session == *id).and_then(|then| then.login);
        for now in &mut known {
            now.login = now.login.or_else(|| login(&now.session));
        }
        let is_to_come = |login: Option<Timestamp>| login.is_some_and(|login| login > at.plus(READINGS));
        let to_come = before.iter().filter(|then| is_to_come(then.login)).map(|then| (&then.session, then.login));
        let watched = self.notes.witness.watched().filter(|(_, login)| !is_to_come(*login));
        for (id, told) in to_come.chain(watched) {
            if known.iter().all(|now| now.session != *id) {
                known.push(Known { session: id.clone(), login: told.or_else(|| login(id)), access: None });
            }
        }
        known.truncate(SUSPECTS_MAX);
        (self.memory.looked_at, self.memory.known) = (Some(at), known);
    }
}

/// A look at the whole table, as it was told.
#[derive(Clone, Debug)]
pub(super) struct Look {
    /// What the iLO's clock showed, sound or not.
    pub(super) at: Timestamp,
    /// The same at the look before, in this run.
    pub(super) before: Option<Timestamp>,
    /// Who was on.
    pub(super) sessions: Vec<Known>,
}

impl Look {
    /// Whether it told this session. Where it did not tell when that logged in, it is one that came after the look before.
    fn tells(&self, session: &Session) -> bool {
        let came = |login: Timestamp| self.before.is_some_and(|before| before < login.plus(READINGS));
        let is_it = |known: &Known| {
            known.may_be(session)
                || known.session == session.id && known.login.is_none() && session.login.is_some_and(came)
        };
        self.sessions.iter().any(is_it)
    }
}
