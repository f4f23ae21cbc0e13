//! One poll of one iLO, on one screen: observe, plan, reap.
//!
//! Data goes forward only. A failed request ends the visit; there are no retries in it, the next visit is
//! the retry, from a fresh look. What the visit learned comes back with it, whatever its end.
//!
//! | module | what it is |
//! | --- | --- |
//! | `observe` | who is on, and when that is on the iLO's own clock |
//! | `suspects` | whose times are of another clock |
//! | `door` | our own session: login, log-out |
//! | `strays` | sessions of ours that nobody holds: proof, end |
//! | [`Claims`] | PURE: two names for one iLO |
//! | [`Lore`] | PURE: one iLO under another name |
//! | `clock` | PURE: whether the iLO's times can be true together |
//! | `reap` | look again, then DELETE, each |
//! | `outcome` | how it all may end, in words |

mod clock;
mod door;
mod lore;
mod observe;
mod outcome;
mod reap;
mod strays;
mod suspects;
mod twins;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{RwLock, watch};
use tokio::time::Instant;

use crate::event::Case;
use crate::policy::{Budget, Circumstances, HeldBack, Learned, Plan, Table, Witness};
use crate::redfish::{Ilo, Patience, Peer, Transport};
use crate::session::{Observation, Owner, SessionId};
use crate::settings::{Mode, Orders, Settings, Target};
use crate::state::{Intent, Memory, State, Unwritable};
use crate::time::{HostClock, Timestamp};

pub use door::{Door, Left, take_leave};
pub use lore::Lore;
pub use outcome::{Fate, LoginOutcome, Stay, VisitError};
pub use twins::Claims;

/// What is in force now. A visit asks it again before each DELETE.
#[derive(Clone)]
pub struct InForce {
    /// The configuration.
    pub settings: Arc<Settings>,
    /// Nothing is deleted, whatever the mode, and why.
    pub observing: Option<String>,
    /// What people ordered.
    pub orders: Arc<Orders>,
}

/// What all visits share.
#[derive(Clone)]
pub struct World<T, S> {
    /// The way to iLOs.
    pub transport: T,
    /// What must outlive us.
    pub state: S,
    /// The host's clock.
    pub clock: HostClock,
    /// What is in force now.
    pub in_force: watch::Receiver<Arc<InForce>>,
    /// Deletions per minute.
    pub budget: Arc<Mutex<Budget>>,
    /// Which name has which iLO.
    pub claims: Arc<Mutex<Claims>>,
    /// What was learned of iLOs that have another name or address now.
    pub lore: Arc<Mutex<Lore>>,
    /// Held by each visit from the last question whether a session may go to the end of its DELETE. Who takes it
    /// whole has seen the last DELETE that was allowed before.
    pub passage: Arc<RwLock<()>>,
    /// Where the monotonic clock of the budget begins, which stands still while the host sleeps.
    pub started: Instant,
}

impl<T, S> World<T, S> {
    /// Which name has which iLO.
    pub fn claims(&self) -> MutexGuard<'_, Claims> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was learned of iLOs that have another name or address now.
    pub fn lore(&self) -> MutexGuard<'_, Lore> {
        self.lore.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One visit that is to be made.
pub struct Errand {
    /// The iLO.
    pub target: Arc<Target>,
    /// What is remembered of it.
    pub memory: Memory,
    /// Whether a login may be sent, if one is needed.
    pub login: MayLogIn,
    /// Whether others' sessions may be ended.
    pub may_end: MayEnd,
    /// What is known of it until this run ends.
    pub notes: Notes,
}

/// What a run of the daemon knows of one iLO, beside what must outlive it.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// What was seen of its sessions.
    witness: Witness,
    /// Sessions whose holding back by a cap is on record already.
    held_back: BTreeSet<SessionId>,
    /// How its clock goes against [`HostClock::up`]. It changes only where the iLO's clock is set.
    pace: Option<clock::Pace>,
    /// The iLO's date at the last look, sound or not, whole or not; reckoned where it told none.
    date: Option<Timestamp>,
    /// The last look at the whole table that had a date.
    last_look: Option<suspects::Look>,
    /// Since when whole tables leave out a suspect.
    left_out: BTreeMap<SessionId, Duration>,
    /// Our own session, where this run saw it in a table as ours, or it was named to us twice.
    door: Option<SessionId>,
    /// The last table of this run did not tell which session is ours.
    is_unproven: bool,
    /// The last DELETE was answered as if our session were dead, and it was not.
    was_denied: bool,
    /// What is remembered could not be written.
    is_unsaved: bool,
    /// Proofs of our own sessions that mean nobody any more.
    unseen: strays::Unseen,
}

/// Whether a login may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MayLogIn {
    /// No.
    No,
    /// If the visit has the time that the iLO makes everybody wait for it.
    InTime,
    /// Yes, and the visit gets that time: it is on a place of the sick, and keeps nobody waiting.
    Patiently,
}

/// Whether others' sessions may be ended, as far as the configuration and the orders in force let them go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MayEnd {
    /// Not now: a person only looks.
    No,
    /// No: the iLO said lately that our account may not.
    Forbidden,
    /// In mode `enforce`.
    InMode,
    /// In any mode: a person says so for this visit. Whatever else forbids it goes on doing so.
    InAnyMode,
}

/// What a visit comes back with.
pub struct Visited {
    /// What is remembered of the iLO now.
    pub memory: Memory,
    /// What a login that was sent came to.
    pub login: Option<LoginOutcome>,
    /// Own sessions that nobody held any more, and that were ended, with the proof.
    pub strays: Vec<(SessionId, String)>,
    /// The visit itself.
    pub result: Result<Visit, VisitError>,
    /// Why something could not be written; nothing was deleted that is not on record.
    pub unwritable: Option<Unwritable>,
    /// Whether anything was written.
    pub wrote: bool,
    /// Whether the iLO's clock jumped since the last visit.
    pub jumped: bool,
    /// What is known of it now until this run ends.
    pub notes: Notes,
    /// How long it took.
    pub took: Duration,
    /// Requests that were sent, by the status of the answer or the cause that there is none.
    pub exchanges: BTreeMap<&'static str, u64>,
}

/// A visit that saw who is on.
#[derive(Clone, Debug)]
pub struct Visit {
    /// Who is on.
    pub seen: Observation,
    /// All verdicts, and who was to go.
    pub plan: Plan,
    /// Whether those who were to go could go ...
    pub mode: Mode,
    /// ... and why not, where they could not.
    pub because: Option<String>,
    /// Whether anybody was to be ended in it at all.
    pub may_end: MayEnd,
    /// What became of each who was to go, in mode enforce.
    pub fates: Vec<(Case, Fate)>,
    /// Who stays only because of a cap.
    pub held_back: Vec<HeldBack>,
    /// What ended the visit early.
    pub cut_short: Option<VisitError>,
}

/// The right to end other people's sessions on one iLO. It exists only where the mode is `enforce` and
/// nothing forbids it, so in mode `observe` there is no value that could delete.
struct Armed(());

/// Why nobody goes in mode `observe`.
const ONLY_OBSERVED: &str = "deleting is off here";

impl InForce {
    /// Why nobody is ended on any iLO, if something holds all of them back.
    pub fn brake(&self, host_now: Timestamp) -> Option<String> {
        let paused = self.orders.paused(host_now).map(|pause| format!("the daemon was paused by {pause}"));
        paused.or_else(|| self.observing.clone())
    }

    /// The right to end sessions on `target`, if that is what is in force; else why not.
    fn arm(&self, target: &Target, may_end: MayEnd, host_now: Timestamp) -> Result<Armed, String> {
        let moved = || String::from("the configuration names another iLO or account there now");
        let now = self.settings.targets.get(&target.name).ok_or_else(moved)?;
        let account = |target: &Target| Owner::new(&target.credential.username);
        let place = |target: &Target| (target.authority.clone(), target.trust.clone(), target.legacy);
        if place(now) != place(target) || account(now) != account(target) {
            return Err(moved());
        }
        if let Some(why) = self.brake(host_now) {
            return Err(why);
        }
        let is_meant = now.mode == Mode::Enforce || may_end == MayEnd::InAnyMode;
        if is_meant { Ok(Armed(())) } else { Err(String::from(ONLY_OBSERVED)) }
    }
}

/// Work in progress on one iLO.
struct Visitor<'a, T, S> {
    world: &'a World<T, S>,
    settings: Arc<Settings>,
    target: Arc<Target>,
    ilo: Ilo<'a, T>,
    memory: Memory,
    saved: Memory,
    /// The login that was made in this visit.
    fresh: Option<Intent>,
    /// Lost logins of a time that the clock will show again.
    to_come: Vec<Intent>,
    may_log_in: MayLogIn,
    may_end: MayEnd,
    login: Option<LoginOutcome>,
    strays: Vec<(SessionId, String)>,
    unwritable: Option<Unwritable>,
    wrote: bool,
    jumped: bool,
    notes: Notes,
    /// When it was asked who is on, by the monotonic clock: whatever was told was so then at the earliest.
    asked: Duration,
}

/// Visits one iLO.
pub async fn visit<T: Transport, S: State>(world: &World<T, S>, errand: Errand) -> Visited {
    let began = Instant::now();
    let mut visitor = Visitor::new(world, errand, began);
    let result = visitor.poll().await;
    // Whoever could not be reached meanwhile may have been reset: then its table tells nothing about the one that was full.
    if matches!(result, Err(VisitError::Unreachable(..))) {
        visitor.memory.refused_at = None;
    }
    visitor.save().await;
    visitor.back(result, began)
}

impl<'a, T: Transport, S: State> Visitor<'a, T, S> {
    fn new(world: &'a World<T, S>, errand: Errand, began: Instant) -> Self {
        let settings = Arc::clone(&world.in_force.borrow().settings);
        let poll = &settings.poll;
        let patience = Patience { connect: poll.connect_timeout, total: poll.exchange_timeout };
        let ilo = Ilo::new(&world.transport, Peer::from(errand.target.as_ref()), patience, began + poll.visit_timeout);
        Self {
            world,
            target: errand.target,
            ilo,
            saved: errand.memory.clone(),
            memory: errand.memory,
            fresh: None,
            to_come: Vec::new(),
            may_log_in: errand.login,
            may_end: errand.may_end,
            login: None,
            strays: Vec::new(),
            unwritable: None,
            wrote: false,
            jumped: false,
            notes: errand.notes,
            asked: Duration::ZERO,
            settings,
        }
    }

    async fn poll(&mut self) -> Result<Visit, VisitError> {
        // Whether it is the same iLO at another address tells the login that follows.
        let here = &self.target.authority;
        let logs_in = self.memory.held.as_ref().is_none_or(|held| held.authority != *here);
        if self.memory.place.is_none() || !logs_in {
            self.arrive(None);
        }
        let seen = self.observe().await?;
        let plan = self.plan(&seen);
        Ok(self.reap(seen, plan).await)
    }

    fn plan(&self, seen: &Observation) -> Plan {
        let orders = Arc::clone(&self.world.in_force.borrow().orders);
        self.plan_of((&self.settings, &orders), &self.target, seen)
    }

    /// The plan of any settings and orders, for what was seen.
    fn plan_of(&self, (settings, orders): (&Settings, &Orders), target: &Target, seen: &Observation) -> Plan {
        let shields = orders.shields_on(&target.name);
        let around = Circumstances {
            table: Table::of(seen, &settings.pressure, self.learned()),
            witness: &self.notes.witness,
            shields: &shields,
            now: self.asked,
            host_now: self.world.clock.now(),
        };
        target.policy.plan(&settings.caps, seen, &around)
    }

    fn back(self, result: Result<Visit, VisitError>, began: Instant) -> Visited {
        Visited {
            memory: self.memory,
            login: self.login,
            strays: self.strays,
            result,
            unwritable: self.unwritable,
            wrote: self.wrote,
            jumped: self.jumped,
            notes: self.notes,
            took: began.elapsed(),
            exchanges: self.ilo.exchanges(),
        }
    }

    /// Writes what changed. What can't be written is remembered all the same, and written next time.
    async fn save(&mut self) -> bool {
        if self.memory == self.saved && !self.notes.is_unsaved {
            return true;
        }
        match self.world.state.save(&self.target.name, &self.memory).await {
            Ok(()) => {
                self.saved = self.memory.clone();
                (self.notes.is_unsaved, self.wrote) = (false, true);
                true
            }
            Err(why) => {
                self.unwritable = Some(why);
                self.notes.is_unsaved = true;
                false
            }
        }
    }

    /// What was learned about the size of this table.
    fn learned(&self) -> Learned {
        Learned { limit_seen: self.memory.limit_seen, most_used: self.memory.most_used }
    }

    fn account(&self) -> Owner {
        Owner::new(&self.target.credential.username)
    }
}
