//! Who is on, and when that is on the iLO's own clock.

use std::cmp::Ordering;
use std::time::Duration;

use super::clock::{self, Judgement, Pace, Readings};
use super::suspects::Look;
use super::{VisitError, Visitor};
use crate::policy;
use crate::redfish::{Collection, IloError, Member, Seen, Transport};
use crate::session::{Clock, Extent, Observation, Own, Session};
use crate::state::{Held, Intent, Known, Span, State};
use crate::time::{HostMoment, Timestamp};

/// How soon after a refused login the entries in a table tell its limit. Later, too many may have ended.
const REFUSAL_TELLS: Duration = Duration::from_secs(120);

/// For so long the host may sleep while an answer is on its way.
const NAP: Duration = Duration::from_secs(2);

/// The host's clocks when an answer came.
pub(super) struct Answered {
    host_now: Timestamp,
    /// The one that nobody sets.
    host_up: Duration,
    /// How long the answer was asked for.
    took: Duration,
}

/// The most members that are asked for one by one, where an iLO does not expand.
const LINKS_MAX: usize = 64;

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
        let asked = HostMoment::of(&self.world.clock);
        self.asked = asked.up();
        let seen = self.collection(&held).await.map_err(|error| self.failed(error))?;
        self.stayed_awake(asked)?;
        self.world.claims().sees(&self.target.name, self.world.started.elapsed());
        let (answered, came) = (self.answered(asked), HostMoment::of(&self.world.clock));
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
        let until = now.map(|now| now.plus(came.elapsed(&self.world.clock)));
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
        self.learn_pace(&judgement, &answered);
        let clock = judgement.clock.clone();
        // Where it tells none, it is what its clock shows if it went on.
        let reckoned = |offset_s: i64| Timestamp::from_unix_s(answered.host_now.unix_s().saturating_add(offset_s));
        self.notes.date = until.or_else(|| self.memory.told_offset_s().map(reckoned));
        let shown = own.and_then(|own| own.owner);
        let accounts = [Some(self.account()), Some(held.account.clone()), shown].into_iter().flatten().collect();
        let own = Own { held: held.session.clone(), accounts };
        let seen = Observation { clock, extent, own, sessions, suspects: self.memory.suspects.clone() };
        self.watch(&seen, now, &answered);
        // Who was on and was not told just now must not be judged by the clock that is no more.
        if let Some(now) = now.filter(|_| self.jumped && is_whole) {
            self.remember(now, &seen.sessions);
        }
        self.learn_table(&seen);
        // A kill in the middle of this visit must not take that from the next start; nor, after a jump, what is left of a
        // lost login.
        if self.memory.looked_at != self.saved.looked_at && self.to_come.is_empty() {
            self.save().await;
        }
        self.end_strays(&held, &seen).await?;
        Ok(seen)
    }

    /// The witness sees what was told, by an answer that has this date.
    fn watch(&mut self, seen: &Observation, date: Option<Timestamp>, answered: &Answered) {
        let (witness, now) = (&mut self.notes.witness, self.world.clock.up());
        witness.watch(seen, now);
        if let Some(date) = date {
            let took_s = i64::try_from(answered.took.as_secs()).unwrap_or(i64::MAX);
            witness.told(&seen.sessions, Timestamp::from_unix_s(date.unix_s().saturating_sub(took_s)));
        }
        let date = date.filter(|_| seen.extent == Extent::Whole);
        if self.jumped {
            witness.clock_jumped(now, date);
        }
        if let Some(at) = date {
            let before = self.notes.last_look.take().map(|look| look.at);
            let sessions = seen.sessions.iter().map(Known::from).collect();
            self.notes.last_look = Some(Look { at, before, sessions });
        }
    }

    /// An answer tells the time, and not who is on. A login that is recorded next is one by that time.
    pub(super) fn hears(&mut self, date: Timestamp, answered: &Answered) {
        let judgement = self.judge(Some(date), answered, None, &[]);
        self.forget_intents(&judgement, Some(date));
        if self.memory.told_offset_s().is_none() {
            self.learn_offset(&judgement, answered);
        }
        self.learn_jump(&judgement, answered);
        self.learn_pace(&judgement, answered);
    }

    /// An answer that the host slept for is of before that or of after it, and nobody can tell the time by it.
    pub(super) fn stayed_awake(&self, asked: HostMoment) -> Result<(), VisitError> {
        let slept = asked.slept_at_most(&self.world.clock);
        let why = || VisitError::Busy(None, format!("the host slept {} s on the way to its answer", slept.as_secs()));
        if slept > NAP { Err(why()) } else { Ok(()) }
    }

    /// An answer came just now.
    pub(super) fn answered(&self, asked: HostMoment) -> Answered {
        let clock = &self.world.clock;
        Answered { host_now: clock.now(), host_up: clock.up(), took: asked.elapsed(clock) }
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
            host_up: answered.host_up,
            last_pace: self.notes.pace,
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
            return self.world.clock.up().saturating_sub(last_look);
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

    /// Keeps the clock's offset, and after a jump the names of those whose times are of the clock before.
    fn learn(&mut self, judgement: &Judgement, answered: &Answered, date: Option<Timestamp>, sessions: &[Session]) {
        if date.is_some() {
            self.learn_offset(judgement, answered);
        }
        self.memory.jumped_to_s = self.memory.jumped_to_s.filter(|_| date.is_none());
        self.forget_suspects(sessions);
        if self.jumped {
            self.suspect_all(sessions);
        } else {
            self.suspect_strangers(sessions, date);
        }
        self.memory.is_last_look &= date.is_none();
        if let Some(now) = judgement.clock.now().or(date) {
            self.remember_who_is_on(now, judgement.clock.now().is_some(), sessions);
        }
    }

    /// An answer that was long on its way tells the offset badly; what is known better is kept, as long as it explains
    /// what is told.
    fn learn_offset(&mut self, judgement: &Judgement, answered: &Answered) {
        let took_s = clock::long_on_its_way_s(answered.took);
        let known = self.memory.clock_offset_s.zip(judgement.offset_s);
        let is_news = |(known, told): (i64, i64)| match took_s.cmp(&self.memory.offset_took_s) {
            Ordering::Less => true,
            Ordering::Equal => known.abs_diff(told) > clock::DRIFT_S,
            Ordering::Greater => !clock::is_slow_reading(told.saturating_sub(known), took_s),
        };
        if self.jumped || known.is_none_or(is_news) {
            (self.memory.clock_offset_s, self.memory.offset_took_s) = (judgement.offset_s, took_s);
        }
    }

    /// The same of how it goes against a clock that nobody sets: but what drifts adds up, so the last good answer counts.
    fn learn_pace(&mut self, judgement: &Judgement, answered: &Answered) {
        let Some(told) = judgement.pace else { return };
        let Answered { host_now, host_up, .. } = *answered;
        let took_s = self.memory.offset_took_s;
        let of_before = || Some(Pace::by_host(self.memory.told_offset_s()?, took_s, host_now, host_up));
        let known = self.notes.pace.or_else(of_before).filter(|known| !judgement.jumped && known.explains(told));
        self.notes.pace = Some(known.unwrap_or(told));
    }

    /// Keeps that the clock jumped until it is seen who is on, also over a restart.
    fn learn_jump(&mut self, judgement: &Judgement, answered: &Answered) {
        if judgement.jumped {
            self.memory.jumped_to_s = judgement.offset_s;
            self.memory.offset_took_s = clock::long_on_its_way_s(answered.took);
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
}
