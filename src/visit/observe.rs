//! Who is on, and when that is on the iLO's own clock.

use std::cmp::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::clock::{self, Judgement, Readings};
use super::{VisitError, Visitor};
use crate::policy::{self, Witness};
use crate::redfish::{Collection, IloError, Member, Seen, Transport};
use crate::session::{Clock, Extent, Observation, Own, Session, SessionId};
use crate::state::{Held, Intent, Known, Span, State};
use crate::time::Timestamp;

/// How soon after a refused login the entries in a table tell its limit. Later, too many may have ended.
const REFUSAL_TELLS: Duration = Duration::from_secs(120);

/// The host's clock is compared with that of an answer that came within this.
const TELLS_TIME: Duration = Duration::from_secs(1);

/// Two readings of one clock in whole seconds, and what it may have drifted in between.
const READINGS: Duration = Duration::from_secs(3);

/// How often it is written down who is on.
const REMEMBER_EVERY: Duration = Duration::from_secs(600);

/// The host's clock when an answer came.
pub(super) struct Answered {
    host_now: Timestamp,
    /// What the host's clock showed when the loop began, reckoned back.
    host_zero_s: i64,
    /// How long the answer was asked for.
    took: Duration,
}

/// The most sessions that are remembered as suspect. An iLO that shows more, part by part, makes them up.
const SUSPECTS_MAX: usize = 1024;

/// The most members that are asked for one by one, where an iLO does not expand.
const LINKS_MAX: usize = 64;

/// How long an answer was asked for, where that matters.
fn long_on_its_way_s(answered: &Answered) -> u64 {
    if answered.took <= TELLS_TIME { 0 } else { clock::whole_seconds(answered.took) }
}

/// Why what looks whole does not prove that we are told all. Our own session proves it, but not while its name may be
/// somebody else's.
fn doubts(held: &Held, own: Option<&Session>) -> Option<&'static str> {
    if held.named_once.is_some() {
        return Some("the name of our own session is not proven yet");
    }
    own.is_none().then_some("our own session is not in the collection")
}

impl<T: Transport, S: State> Visitor<'_, T, S> {
    /// One request where the iLO expands, one more per member where it does not. Strays of ours are ended
    /// on the way.
    pub(super) async fn observe(&mut self) -> Result<Observation, VisitError> {
        let mut held = self.door().await?;
        let asked = Instant::now();
        self.asked = self.world.started.elapsed();
        let seen = self.collection(&held).await.map_err(|error| self.failed(error))?;
        self.world.claims().sees(&self.target.name, self.world.started.elapsed());
        let (answered, came) = (self.answered(asked), Instant::now());
        let Seen { now, collection: Collection { members, mut extent } } = seen;
        let sessions = match self.whole(&held, members, &mut extent).await {
            Ok(sessions) => sessions,
            Err(error) => {
                if let Some(now) = now {
                    self.hears(now, &answered);
                }
                return Err(error);
            }
        };
        self.put_door_right(&mut held, &sessions, &extent);
        let own = sessions.iter().find(|session| session.id == held.session).cloned();
        if let Some(why) = doubts(&held, own.as_ref()).filter(|_| extent == Extent::Whole) {
            extent = Extent::Cut(String::from(why));
        }
        let mut judgement = self.judge(now, &answered, own.as_ref(), &sessions);
        self.forget_intents(&judgement, now);
        let is_whole = extent == Extent::Whole;
        // Who was on when another answer told a jump nobody knows before the whole table is seen.
        self.jumped = judgement.jumped || is_whole && self.memory.jumped_to_s.is_some();
        if self.jumped && !judgement.jumped {
            judgement.clock = Clock::Contradictory(String::from("the clock jumped since it was last seen who is on"));
        }
        // Where members are asked for one by one, the last of them is told later.
        let until = now.map(|now| now.plus(came.elapsed()));
        if is_whole {
            self.learn(&judgement, &answered, until, &sessions);
        } else if judgement.jumped {
            self.learn_jump(&judgement, &answered);
            self.suspect(sessions.iter().map(|session| &session.id));
        } else {
            self.suspect_strangers(&sessions, until);
            if let Some(until) = until {
                self.remember_who_is_to_come(until, &sessions);
            }
        }
        let clock = judgement.clock.clone();
        // Where it tells none, it is what its clock shows if it went on.
        let reckoned = |offset_s: i64| Timestamp::from_unix_s(answered.host_now.unix_s().saturating_add(offset_s));
        self.notes.date = until.or_else(|| self.memory.told_offset_s().map(reckoned));
        let shown = own.and_then(|own| own.owner);
        let accounts = [Some(self.account()), Some(held.account.clone()), shown].into_iter().flatten().collect();
        let own = Own { held: held.session.clone(), accounts };
        let seen = Observation { clock, extent, own, sessions, suspects: self.memory.suspects.clone() };
        self.notes.witness.watch(&seen, self.world.started.elapsed());
        if let Some(now) = now {
            let took_s = i64::try_from(answered.took.as_secs()).unwrap_or(i64::MAX);
            let asked_at = Timestamp::from_unix_s(now.unix_s().saturating_sub(took_s));
            self.notes.witness.told(&seen.sessions, asked_at);
        }
        if self.jumped {
            self.notes.witness.clock_jumped(self.world.started.elapsed(), now.filter(|_| is_whole));
        }
        // Who was on and was not told just now must not be judged by the clock that is no more.
        if let Some(now) = now.filter(|_| self.jumped && is_whole) {
            self.memory.looked_at = Some(now);
            self.memory.known = seen.sessions.iter().map(Known::from).collect();
        }
        self.learn_table(&seen);
        self.end_strays(&held, &seen).await?;
        Ok(seen)
    }

    /// An answer tells the time, and not who is on. A login that is recorded next is one by that time.
    pub(super) fn hears(&mut self, date: Timestamp, answered: &Answered) {
        let judgement = self.judge(Some(date), answered, None, &[]);
        self.forget_intents(&judgement, Some(date));
        if self.memory.told_offset_s().is_none() {
            self.learn_offset(&judgement, answered);
        }
        self.learn_jump(&judgement, answered);
    }

    /// An answer came just now.
    pub(super) fn answered(&self, asked: Instant) -> Answered {
        Answered { host_now: self.world.clock.now(), host_zero_s: self.host_zero_now_s(), took: asked.elapsed() }
    }

    /// The collection, expanded where the iLO can do that. An iLO 4 ignores the wish silently, others
    /// answer it with an error (HPE Redfish docs on `OData` query options; `OpenBMC` answers 501).
    async fn collection(&mut self, held: &Held) -> Result<Seen, VisitError> {
        if self.memory.expands != Some(false) {
            match self.ilo.sessions(&held.token, true).await {
                Err(IloError::Status(400..=499 | 501, _)) => self.memory.expands = Some(false),
                seen => return Ok(seen?),
            }
        }
        Ok(self.ilo.sessions(&held.token, false).await?)
    }

    async fn whole(
        &mut self,
        held: &Held,
        members: Vec<Member>,
        extent: &mut Extent,
    ) -> Result<Vec<Session>, VisitError> {
        let links = members.iter().filter(|member| matches!(member, Member::Link(_))).count();
        if !members.is_empty() {
            self.memory.expands = Some(links == 0);
        }
        if links > LINKS_MAX {
            *extent = Extent::Cut(format!("{links} sessions, to be asked for one by one"));
            return Ok(Vec::new());
        }
        let mut sessions = Vec::new();
        for member in members {
            match member {
                Member::Whole(session) => sessions.push(*session),
                // An id that can't be part of a path can't be asked for: such a session stays, unseen.
                Member::Link(id) if id.segment().is_none() => {
                    *extent = Extent::Cut(format!("the id {id} is not plain text"));
                }
                Member::Link(id) => match self.ilo.session(&held.token, &id).await {
                    Ok(Some(session)) => sessions.push(session),
                    // It ended since the collection was read.
                    Ok(None) => {}
                    Err(error) => return Err(self.failed(error.into())),
                },
            }
        }
        Ok(sessions)
    }

    fn judge(
        &self,
        date: Option<Timestamp>,
        answered: &Answered,
        own: Option<&Session>,
        sessions: &[Session],
    ) -> Judgement {
        clock::judge(&Readings {
            date,
            host_now: answered.host_now,
            answer_took: answered.took,
            last_offset_s: self.memory.told_offset_s(),
            last_took_s: self.memory.offset_took_s,
            last_ago: self.last_look_ago(answered),
            host_step_s: self.notes.host_zero_s.map_or(0, |last| answered.host_zero_s.saturating_sub(last)),
            held: own,
            others: sessions,
            told_our_use: own.is_some_and(|own| self.notes.witness.tells_use(&own.id)),
            suspects: &self.memory.suspects,
            poll_every: self.settings.poll.every,
        })
    }

    /// How long it is ago that the clock was told: by our monotonic clock, and since the last run by the host's.
    fn last_look_ago(&self, answered: &Answered) -> Duration {
        if let Some(last_look) = self.notes.witness.last_look() {
            return self.world.started.elapsed().saturating_sub(last_look);
        }
        let then_s = |offset_s: i64| Some(self.memory.looked_at?.unix_s().saturating_sub(offset_s));
        let then = self.memory.clock_offset_s.and_then(then_s).map(Timestamp::from_unix_s);
        then.and_then(|then| answered.host_now.since(then)).unwrap_or_default()
    }

    /// Keeps the most entries seen, and the limit that the iLO named by refusing us a login just before: since
    /// then a place or two became free, and one of them is ours.
    fn learn_table(&mut self, seen: &Observation) {
        if seen.extent != Extent::Whole {
            return;
        }
        let used = policy::used(seen, &self.settings.pressure);
        self.memory.most_used = self.memory.most_used.max(used);
        let refused_at = self.memory.refused_at.take();
        if refused_at.is_some_and(|at| at.distance(self.world.clock.now()) <= REFUSAL_TELLS) {
            self.memory.limit_seen = Some(self.memory.most_used);
        }
    }

    fn host_zero_now_s(&self) -> i64 {
        let since_s = i64::try_from(self.world.started.elapsed().as_secs()).unwrap_or(i64::MAX);
        self.world.clock.now().unix_s().saturating_sub(since_s)
    }

    /// Keeps the clock's offset, and after a jump the names of those whose times are of the clock before.
    fn learn(&mut self, judgement: &Judgement, answered: &Answered, date: Option<Timestamp>, sessions: &[Session]) {
        if date.is_some() {
            self.learn_offset(judgement, answered);
        }
        // What the host's clock showed belongs to the offset that is kept.
        self.notes.host_zero_s.get_or_insert(answered.host_zero_s);
        self.memory.jumped_to_s = self.memory.jumped_to_s.filter(|_| date.is_none());
        self.forget_suspects(sessions);
        if self.jumped {
            self.suspect_all(sessions);
        } else {
            self.suspect_strangers(sessions, date);
        }
        if let Some(now) = judgement.clock.now().or(date) {
            self.remember_who_is_on(now, judgement.clock.now().is_some(), sessions);
        }
    }

    /// An answer that was long on its way tells the offset badly; what is known better is kept, as long as it explains
    /// what is told.
    fn learn_offset(&mut self, judgement: &Judgement, answered: &Answered) {
        let (known, took_s) = (self.memory.clock_offset_s.zip(judgement.offset_s), long_on_its_way_s(answered));
        let is_news = |(known, told): (i64, i64)| match took_s.cmp(&self.memory.offset_took_s) {
            Ordering::Less => true,
            Ordering::Equal => known.abs_diff(told) > clock::DRIFT_S,
            // It drifted since then.
            Ordering::Greater => known.abs_diff(told) > clock::DRIFT_S.saturating_add(took_s),
        };
        if self.jumped || known.is_none_or(is_news) {
            (self.memory.clock_offset_s, self.memory.offset_took_s) = (judgement.offset_s, took_s);
            self.notes.host_zero_s = None;
        }
    }

    /// Keeps that the clock jumped until it is seen who is on, also over a restart.
    fn learn_jump(&mut self, judgement: &Judgement, answered: &Answered) {
        if judgement.jumped {
            self.memory.jumped_to_s = judgement.offset_s;
            self.memory.offset_took_s = long_on_its_way_s(answered);
            self.notes.host_zero_s = Some(answered.host_zero_s);
        }
    }

    /// A span that the clock will show again proves nothing, but in this visit: whoever is on now and logged in at a time
    /// that is still to come did so before the clock went back.
    fn forget_intents(&mut self, judgement: &Judgement, date: Option<Timestamp>) {
        if judgement.jumped {
            let here = &self.target.authority;
            let is_past = |intent: &Intent| date.is_some_and(|now| now > intent.to);
            let again = self.memory.intents.extract_if(.., |intent| intent.authority == *here && !is_past(intent));
            self.to_come.extend(again.filter(|intent| date.is_some_and(|now| now < intent.from)));
            let is_past = |span: &Span| date.is_some_and(|now| now > span.to);
            let span = self.memory.held.as_mut().and_then(|held| held.named_once.as_mut());
            if let Some(span) = span.filter(|span| !is_past(span)) {
                span.is_over = true;
            }
        }
    }

    /// A suspect that whole tables leave out for long is gone; one that comes back before is what it was.
    fn forget_suspects(&mut self, sessions: &[Session]) {
        let (now, left_out) = (self.world.started.elapsed(), &mut self.notes.left_out);
        left_out.retain(|id, _| sessions.iter().all(|session| session.id != *id));
        self.memory.suspects.retain(|id| {
            let is_told = sessions.iter().any(|session| session.id == *id);
            is_told || now.saturating_sub(*left_out.entry(id.clone()).or_insert(now)) < Witness::LINGERS
        });
        left_out.retain(|id, _| self.memory.suspects.contains(id));
    }

    /// The clock jumped: everybody's times are of the one before, also where the table leaves somebody out just now.
    fn suspect_all(&mut self, sessions: &[Session]) {
        let before = std::mem::take(&mut self.memory.suspects);
        let lately: Vec<SessionId> = self.notes.witness.watched().cloned().collect();
        self.suspect(sessions.iter().map(|session| &session.id).chain(&before).chain(&lately));
    }

    /// Times of another clock prove nothing until their session is gone.
    fn suspect_strangers(&mut self, sessions: &[Session], date: Option<Timestamp>) {
        let strangers = sessions.iter().filter(|session| self.is_of_another_clock(session, date));
        let strangers: Vec<&SessionId> = strangers.map(|session| &session.id).collect();
        self.suspect(strangers.into_iter());
    }

    fn suspect<'a>(&mut self, ids: impl Iterator<Item = &'a SessionId>) {
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
        let is_older = looked_at.is_some_and(|looked_at| times.any(|time| time.plus(READINGS) < looked_at));
        is_older && !was_there
    }

    /// At the first look of a run: whether a session was used since the last run wrote down who is on, and claims that
    /// this was before then.
    fn was_used_so_while_away(&self, session: &Session) -> bool {
        let is_first = self.notes.witness.looked_at().is_none();
        let known = self.memory.known.iter().find(|known| is_first && known.may_be(session));
        let used = session.access.zip(known.and_then(|known| known.access)).filter(|(now, then)| now != then);
        let is_before = |looked_at: Timestamp| used.is_some_and(|(now, _)| now.plus(READINGS) < looked_at);
        self.memory.looked_at.is_some_and(is_before)
    }

    /// The same, where only a part of the table is told: whoever is known from the last whole one is so still.
    fn remember_who_is_to_come(&mut self, now: Timestamp, sessions: &[Session]) {
        for session in sessions.iter().filter(|session| session.login.is_some_and(|login| login > now.plus(READINGS))) {
            let known = &mut self.memory.known;
            if known.len() < SUSPECTS_MAX && !known.iter().any(|known| known.may_be(session)) {
                known.push(Known::from(session));
            }
        }
    }

    /// For the next start; now and then is enough. But whose login is still to come is of another clock, and when that
    /// time has come it does not show any more.
    fn remember_who_is_on(&mut self, now: Timestamp, is_sound: bool, sessions: &[Session]) {
        let is_due = is_sound && self.memory.looked_at.is_none_or(|then| then.distance(now) >= REMEMBER_EVERY);
        let is_to_come = |session: &Session| session.login.is_some_and(|login| login > now.plus(READINGS));
        let known = &self.memory.known;
        let is_news = |session: &Session| is_to_come(session) && !known.iter().any(|known| known.may_be(session));
        // Whose login was not told when it was written down would be a stranger at the next start.
        let is_told_now = |session: &Session| {
            let here = known.iter().find(|known| known.session == session.id);
            is_sound && session.login.is_some() && here.is_some_and(|known| known.login.is_none())
        };
        if is_due || sessions.iter().any(|session| is_news(session) || is_told_now(session)) {
            self.memory.looked_at = Some(now);
            self.memory.known = sessions.iter().map(Known::from).collect();
        }
    }
}
