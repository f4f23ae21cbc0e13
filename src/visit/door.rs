//! Our own session on an iLO: the door that we hold open. One at most, through lost replies and kills.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::{Errand, LoginOutcome, MayLogIn, Notes, VisitError, Visitor, World};
use crate::redfish::{Ended, IloError, LoginError, Transport};
use crate::session::{Extent, Kind, Mine, Session, Uuid};
use crate::settings::IloName;
use crate::state::{Held, Intent, Memory, Span, State, Unwritable};
use crate::time::{HostMoment, Timestamp};

/// After this many logins without an outcome, the next one waits.
const INTENTS_BEFORE_WAIT: usize = 2;

/// How long it waits at first. A default iLO has dropped an unused session by then (30 minutes, HPE iLO 5 user
/// guide). One without a time-out never does, so with each further one it waits four times as long.
const INTENTS_WAIT: Duration = Duration::from_secs(3600);

/// The longest.
const INTENTS_WAIT_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// How many intents are kept as proof.
const INTENTS_MAX: usize = 8;

/// How long after our patience ended an iLO may still do what it was asked; and how long writing an intent may take before
/// that.
const LATE_LOGIN: Duration = Duration::from_secs(5);

/// Whether a session logged in just then.
fn made(login: &Span, session: &Session) -> bool {
    session.login.is_some_and(|at| login.from <= at && at <= login.to)
}

/// Whether a session can be ours, as far as it tells beside its times. iLO 4 has no tag for those with a token: `Unknown` is
/// the only one of its tags that they can have (HPE REST API documents).
fn is_like_ours(session: &Session, held: &Held) -> bool {
    let has_token = match &session.kind {
        Kind::Rest | Kind::Unknown => true,
        Kind::Other(tag) => tag == "Unknown",
        Kind::Web | Kind::Ssh | Kind::Console | Kind::Ipmi | Kind::Host => false,
    };
    has_token && session.mine != Mine::No && session.owner.as_ref() == Some(&held.account)
}

/// Whether a session is the one we hold, as far as it alone tells. A directory may call our account by another name. What
/// was named once may be somebody's who uses our account: it is ours if the iLO calls it so, or if it came in as ours do
/// when we did.
fn is_ours(own: &Session, held: &Held) -> bool {
    let is_it = match &held.named_once {
        None => own.owner.as_ref() == Some(&held.account),
        Some(login) => is_like_ours(own, held) && made(login, own),
    };
    own.mine == Mine::Yes || is_it
}

/// The session we hold, as a table tells it. Where the iLO calls another one ours than was named, it is that one if it
/// logged in when we did. Where it calls nobody ours, and all of it is told, when we logged in tells, if nobody else did so
/// then; and a service that tells no times of anybody is not asked for them: nobody is ended on it but us.
fn ours_among<'a>(sessions: &'a [Session], is_whole: bool, held: &Held) -> Option<&'a Session> {
    let own = sessions.iter().find(|session| session.id == held.session);
    let Some(login) = &held.named_once else { return own.filter(|own| is_ours(own, held)) };
    let is_called_ours = |session: &&Session| session.mine == Mine::Yes;
    if let Some(own) = own.filter(is_called_ours) {
        return Some(own);
    }
    if sessions.iter().any(|session| is_called_ours(&session)) {
        let mut ours = sessions.iter().filter(is_called_ours);
        return ours.find(|session| session.owner.as_ref() == Some(&held.account) && made(login, session));
    }
    let others = || sessions.iter().filter(|session| session.id != held.session);
    let own = own.filter(|own| is_whole && is_like_ours(own, held))?;
    if made(login, own) {
        return (!others().any(|other| is_like_ours(other, held) && made(login, other))).then_some(own);
    }
    let tells_times = sessions.iter().any(|session| session.login.is_some() || session.access.is_some());
    (!tells_times && others().next().is_some()).then_some(own)
}

/// What becomes of the session that we hold on an iLO when we leave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// It is ended.
    Close,
    /// It is kept for the next start.
    Keep,
}

/// What taking leave comes back with.
pub struct Left {
    /// What is remembered of the iLO now.
    pub memory: Memory,
    /// Requests that were sent, as in [`super::Visited`].
    pub exchanges: BTreeMap<&'static str, u64>,
}

/// Takes leave of an iLO: ends the session that we hold there, or keeps it, and writes down whom we saw last. Where the
/// session could not be ended, it stays in the memory.
pub async fn take_leave<T: Transport, S: State>(world: &World<T, S>, errand: Errand, door: Door) -> Left {
    let mut visitor = Visitor::new(world, errand, Instant::now());
    if door == Door::Close {
        visitor.log_out().await;
    }
    visitor.remember_last_look();
    visitor.save().await;
    Left { exchanges: visitor.ilo.exchanges(), memory: visitor.memory }
}

impl<T: Transport, S: State> Visitor<'_, T, S> {
    /// The session we hold, or a new one.
    pub(super) async fn door(&mut self) -> Result<Held, VisitError> {
        let is_known = self.memory.place.as_ref() == Some(&self.target.authority);
        if let Some(uuid) = self.memory.uuid.clone().filter(|_| is_known && !self.world.claims().has(&self.target.name))
            && let Err(other) = self.claim(&uuid)
        {
            self.log_out().await;
            // Asked again before the next login.
            self.memory.uuid = self.memory.held.as_ref().map(|_| uuid);
            return Err(VisitError::Duplicate(other));
        }
        if let Some(held) = self.memory.held.clone() {
            if held.authority == self.target.authority && held.account == self.account() {
                return Ok(held);
            }
            self.leave_old_door(&held).await?;
        }
        if self.may_log_in == MayLogIn::No {
            return Err(VisitError::NoLoginNow);
        }
        self.log_in().await
    }

    /// Takes this iLO for our name; or tells which other one has it.
    fn claim(&self, uuid: &Uuid) -> Result<(), IloName> {
        let (now, every) = (self.world.started.elapsed(), self.settings.poll.every);
        self.world.claims().claim(&self.target.name, (uuid, self.target.trust.pin()), now, every)
    }

    /// The configuration names another account or address now. At the same address the old session can still
    /// be ended with its own token; a token is never sent to another address.
    async fn leave_old_door(&mut self, held: &Held) -> Result<(), VisitError> {
        let same_place = held.authority == self.target.authority;
        if same_place && self.is_our_door(held).await? && self.ilo.end(&held.token, &held.session).await == Ended::Done
        {
            self.memory.held = None;
        } else {
            self.memory.lose_held();
        }
        Ok(())
    }

    /// The session that was named to us may be somebody else's, or nobody's: a log-out would take it from them. What a table
    /// tells puts that right.
    pub(super) fn put_door_right(&mut self, held: &mut Held, sessions: &[Session], extent: &Extent) {
        if let Some(ours) = ours_among(sessions, *extent == Extent::Whole, held) {
            held.session = ours.id.clone();
            held.named_once = None;
            (self.notes.door, self.notes.is_unproven) = (Some(ours.id.clone()), false);
            self.memory.held = Some(held.clone());
        } else {
            self.notes.is_unproven = held.named_once.is_some();
        }
    }

    /// Whether what we hold is ours beyond the name that came with our login: a wrong one would be somebody else's, and a
    /// log-out would end it. Whatever was named twice, or seen in a table of this run, is known; else it is looked at.
    async fn is_our_door(&mut self, held: &Held) -> Result<bool, IloError> {
        if self.notes.door.as_ref() == Some(&held.session) {
            return Ok(true);
        }
        let is_ours = match self.ilo.session(&held.token, &held.session).await {
            // Where a table did not tell it from another one, neither does it alone.
            Ok(Some(own)) => own.mine == Mine::Yes || !self.notes.is_unproven && is_ours(&own, held),
            Ok(None) | Err(IloError::NoValidSession) => false,
            Err(error) => return Err(error),
        };
        if is_ours && held.named_once.is_some() {
            // It is known by its id from now on: should the answer to its DELETE be lost, when it logged in would prove
            // somebody else's.
            self.memory.held = Some(Held { named_once: None, ..held.clone() });
            return Ok(self.save().await);
        }
        Ok(is_ours)
    }

    /// An error of a request that used the held session.
    pub(super) fn failed(&mut self, error: VisitError) -> VisitError {
        if error == VisitError::DoorLost {
            self.memory.lose_held();
            // A login that gave us nothing of use counts as one without an outcome, or we would fill the table.
            self.memory.intents.extend(self.fresh.take().map(|intent| Intent { answered: true, ..intent }));
        }
        error
    }

    async fn log_in(&mut self) -> Result<Held, VisitError> {
        let asked = HostMoment::of(&self.world.clock);
        let root = self.ilo.root().await?;
        self.stayed_awake(asked)?;
        // Without its time no stray could ever be proven to be ours.
        let now = root.now.ok_or_else(|| VisitError::Nonsense(String::from("the service root has no date")))?;
        let answered = self.answered(asked);
        self.world.claims().release(&self.target.name);
        if let Some(Err(other)) = root.uuid.as_ref().map(|uuid| self.claim(uuid)) {
            self.memory.uuid = None;
            return Err(VisitError::Duplicate(other));
        }
        self.arrive(root.uuid.as_ref());
        self.memory.uuid = root.uuid;
        self.hears(now, &answered);
        if self.logins_wait(now) {
            return Err(VisitError::LoginsLost);
        }
        // Somebody's wrong passwords make every login wait, until a right one comes. A wait that the visit does not
        // have time for would end in a lost reply, and perhaps in a session that nobody holds. So it gets the time,
        // but not on a place of the healthy.
        if self.may_log_in == MayLogIn::Patiently {
            self.ilo.allow(root.login_delay);
        }
        if !self.ilo.has_time_for(root.login_delay) {
            let why = format!("its logins wait {} s after wrong passwords", root.login_delay.as_secs());
            return Err(VisitError::Busy(Some(root.login_delay), why));
        }
        let took = asked.elapsed(&self.world.clock);
        self.intend(now, took + root.login_delay).await?;
        // The host may have slept since, and then the span on disk is over. A step of its clock only looks so.
        let passed = asked.ago_at_most(&self.world.clock);
        if passed > took + LATE_LOGIN {
            self.memory.intents.pop();
            return Err(VisitError::Busy(None, format!("{} s passed on the way to its login", passed.as_secs())));
        }
        let answer = self.ilo.log_in(&self.target.credential, root.login_delay).await;
        let outcome = match answer {
            Ok(login) => {
                self.login = Some(LoginOutcome::Accepted);
                let is_known = login.is_told_twice;
                (self.notes.door, self.notes.is_unproven) = (is_known.then(|| login.session.clone()), false);
                let (intent, authority) = (self.memory.intents.pop(), self.target.authority.clone());
                // When it was tells which session is ours until that was seen, and explains nobody else's.
                let span = |intent: &Intent| Span { from: intent.from, to: intent.to, is_over: false };
                let named_once = intent.as_ref().map(span).filter(|_| !is_known);
                self.fresh = intent.filter(|_| is_known);
                let (session, token, account) = (login.session, login.token, self.account());
                let held = Held { session, token, account, authority, named_once };
                self.memory.held = Some(held.clone());
                self.memory.expands = None;
                Ok(held)
            }
            Err(error) => Err(self.refused(error)),
        };
        // Where the session itself can't be written now, its intent is on disk, and proves it after a kill.
        self.save().await;
        outcome
    }

    /// It is at this address, and tells this UUID. What was learned of another iLO says nothing about this one; what was
    /// learned of this one under another name does.
    pub(super) fn arrive(&mut self, uuid: Option<&Uuid>) {
        let here = &self.target.authority;
        let is_here = self.memory.place.as_ref() == Some(here);
        let is_same = uuid.zip(self.memory.uuid.as_ref()).map_or(is_here, |(told, known)| told == known);
        if !is_same {
            self.world.lore().keep(&self.memory);
        }
        match (is_same, is_here) {
            (true, true) => {}
            (true, false) => self.memory.follow_to(here),
            // Another board in the same place. What its clock did is not known, and more careful than nothing is to
            // take it for that of the one before.
            (false, true) => self.memory.forget_size(),
            (false, false) => {
                self.memory.forget(here);
                self.notes = Notes::default();
            }
        }
        if let Some(known) = uuid.and_then(|uuid| self.world.lore().take(uuid))
            && self.memory.inherit(known)
        {
            self.notes = Notes::default();
        }
    }

    /// Whether the last logins here had no outcome, and the next one waits. Where the clock went back behind
    /// them, nothing can be waited for on it.
    fn logins_wait(&self, now: Timestamp) -> bool {
        let here = &self.target.authority;
        let is_open = |intent: &&Intent| intent.authority == *here && !self.notes.unseen.has_intent(intent);
        let open: Vec<&Intent> = self.memory.intents.iter().filter(is_open).collect();
        let (Some(last), Some(further)) = (open.last(), open.len().checked_sub(INTENTS_BEFORE_WAIT)) else {
            return false;
        };
        let wait = INTENTS_WAIT.saturating_mul(1 << (2 * further.min(INTENTS_MAX))).min(INTENTS_WAIT_MAX);
        now >= last.from && now < last.to.plus(wait)
    }

    /// Writes down that a login is about to be sent, and when it can happen on the iLO's clock.
    async fn intend(&mut self, now: Timestamp, delay: Duration) -> Result<(), VisitError> {
        let late = self.settings.poll.exchange_timeout + delay + LATE_LOGIN * 2;
        let from = Timestamp::from_unix_s(now.unix_s().saturating_sub(1));
        if self.memory.intents.len() >= INTENTS_MAX {
            self.memory.intents.remove(0);
        }
        let (account, authority) = (self.account(), self.target.authority.clone());
        self.memory.intents.push(Intent { account, authority, from, to: now.plus(late), answered: false });
        let began = Instant::now();
        if self.save().await {
            if began.elapsed() < LATE_LOGIN {
                return Ok(());
            }
            // The span on disk begins to end: a login now could lie outside it.
            self.unwritable = Some(Unwritable(format!("it took {} s", began.elapsed().as_secs())));
        }
        self.memory.intents.pop();
        let why = self.unwritable.as_ref().map_or_else(String::new, ToString::to_string);
        Err(VisitError::Unwritable(why))
    }

    fn refused(&mut self, error: LoginError) -> VisitError {
        self.login = Some(LoginOutcome::Unknown);
        match error {
            LoginError::Unknown(error) => error.into(),
            LoginError::Rejected(word) => {
                self.memory.intents.pop();
                self.login = Some(LoginOutcome::Rejected(word.clone()));
                VisitError::Denied(word)
            }
            LoginError::TableFull(word) => {
                self.memory.intents.pop();
                self.memory.refused_at = Some(self.world.clock.now());
                VisitError::TableFull(word)
            }
            LoginError::Refused(error) => {
                self.memory.intents.pop();
                error.into()
            }
        }
    }

    /// Ends the session that we hold.
    pub(super) async fn log_out(&mut self) {
        let Some(held) = self.memory.held.clone() else { return };
        if held.authority != self.target.authority {
            return;
        }
        match self.is_our_door(&held).await {
            Ok(true) => {}
            // If that was spurious, the next start finds it.
            Ok(false) => return self.memory.lose_held(),
            Err(_) => return,
        }
        match self.ilo.end(&held.token, &held.session).await {
            Ended::Done => self.memory.held = None,
            // If that was spurious, the next start finds it.
            Ended::AlreadyGone | Ended::NotOurs => self.memory.lose_held(),
            Ended::Forbidden(_) | Ended::Refused(..) | Ended::Unknown(_) => {}
        }
    }
}
