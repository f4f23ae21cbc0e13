//! Many iLOs: one task owns all that changes, and turns in one loop.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`Fleet`] | the loop: a command, a finished visit, a due one |
//! | `adopt` | taking in a configuration |
//! | `finish` | taking in what a visit came back with |
//! | `stop` | taking iLOs out, and a clean end |
//! | `orders` | the brake, and protections by hand |
//! | [`Pulse`] | that the loop turns, told to whoever starts it again |
//! | [`Force`] | waiting until a configuration is in force |
//! | [`Round`] | a visit to each iLO that somebody asks for: what `sweep` and `list` are |
//! | [`Schedule`] | PURE: when each iLO is visited |
//! | [`Breaker`] | PURE: which password may be tried where |
//! | `news`, `squeeze`, `leakers` | PURE: what is worth telling of a visit, of a full table, of who leaves orphans |
//! | `bundle` | PURE: one event where one cause hits many |
//! | `growth` | PURE: how fast a table fills |
//! | `tally` | PURE: what is counted |
//! | `survey` | the whole fleet at one moment |

mod adopt;
mod breaker;
mod bundle;
mod finish;
mod force;
mod growth;
mod leakers;
mod news;
mod orders;
mod pulse;
mod round;
mod schedule;
mod squeeze;
mod stop;
mod survey;
mod tally;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{RwLock, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

pub use breaker::{Breaker, Leave, Rejection};
pub use force::Force;
pub use orders::{Answer, Denied, Granted, SHIELDS_MAX, Wish};
pub use pulse::{Beat, Pulse};
pub use round::{Asked, Round};
pub use schedule::{Next, Outcome, Schedule, Turns};
pub use stop::STOP_DEADLINE;

use crate::event::{Failing, Reload, Summary, Survey, Teller};
use crate::policy::Budget;
use crate::redfish::Transport;
use crate::session::Owner;
use crate::settings::{CredentialId, IloName, Orders, Settings, Target};
use crate::state::{Former, Memory, State};
use crate::time::{HostClock, Timestamp};
use crate::visit::{self, Door, Errand, InForce, Left, MayEnd, MayLogIn, Notes, VisitError, Visited, World};

/// Commands taken in a row before visits get their turn.
const COMMANDS_PER_TURN: usize = 8;
/// After a refused DELETE, how long none is tried on that iLO.
const FORBIDDEN_WAIT: Duration = Duration::from_secs(3600);
/// How often lost logins, a full table and an unwritable state are tried again at least.
const SOON: Duration = Duration::from_secs(60);

/// A person's, a signal's or a test's hand on the loop.
pub enum Command {
    /// This configuration is in force from now on.
    Replace(Arc<Settings>),
    /// A configuration was offered and is wrong; the one in force stays.
    Refused,
    /// The whole fleet, as it is now.
    Survey(oneshot::Sender<Survey>),
    /// Somebody orders something by hand, and waits for the answer.
    Wish(Wish, Answer),
    /// Somebody wants a visit to each of these, and waits for what it saw.
    Visit(Asked, oneshot::Sender<Round>),
    /// Stop cleanly.
    Drain,
}

/// The fleet and its loop.
pub struct Fleet<T, S> {
    world: World<T, S>,
    in_force: watch::Sender<Arc<InForce>>,
    teller: Teller,
    schedule: Schedule,
    breaker: Breaker,
    slots: BTreeMap<IloName, Slot>,
    /// iLOs that leave the fleet when there is a place for it.
    waiting_to_leave: BTreeSet<IloName>,
    /// iLOs that have another address, with the place where a session of ours is still to be ended.
    waiting_to_move: BTreeMap<IloName, Arc<Target>>,
    /// Memories of iLOs that the configuration does not name now.
    absent: BTreeMap<IloName, Memory>,
    /// Own sessions that those may have left behind, for whichever name stands there now.
    left: Vec<Former>,
    visits: JoinSet<Finished>,
    flying: BTreeMap<tokio::task::Id, Flight>,
    desk: orders::Desk,
    /// Visits that somebody asked for, and waits for.
    rounds: Vec<round::Going>,
    heart: pulse::Heart,
    summary: Summary,
    /// How long the good visits since the last summary took.
    took: Vec<Duration>,
    leakers: leakers::Leakers,
    bundle: bundle::Bundle,
    state_path: String,
    /// The state can't be written, and when that was told.
    unwritable: Option<Duration>,
    /// Which iLOs rejected each credential that is suspended, and when that was told.
    suspended: BTreeMap<CredentialId, (Vec<IloName>, Duration)>,
    tally: tally::Tally,
    /// When it was made, by the host's clock.
    started: Timestamp,
    reload: Reload,
}

/// A task of the loop.
struct Flight {
    /// The iLO, as it was configured when it began.
    target: Arc<Target>,
    /// No task takes so long, whatever its iLO does.
    overdue: Instant,
}

/// What a task of the loop comes back with.
enum Finished {
    Visit(Box<Visited>),
    Left(Box<Left>),
}

/// One iLO, as the loop knows it.
struct Slot {
    target: Arc<Target>,
    /// `None` while a visit has it.
    memory: Option<Memory>,
    told: news::Told,
    notes: Notes,
    /// No DELETE before that: the iLO said that our account may not.
    no_end_before: Option<Duration>,
    /// The configuration does not name it any more, or the run ends; it goes when that is done with our session there.
    leaving: Option<Door>,
    /// A visit of ours broke. What is remembered may be wrong, so the iLO is left alone.
    parked: bool,
    /// When the last visit ended, by the host's clock.
    last_visit: Option<Timestamp>,
    failing: Option<Failing>,
}

/// What a fleet starts with.
pub struct Start<T, S> {
    /// The configuration.
    pub settings: Arc<Settings>,
    /// Nothing is deleted, whatever the mode, and why.
    pub observing: Option<String>,
    /// What people ordered.
    pub orders: Orders,
    /// What the state remembers.
    pub remembered: BTreeMap<IloName, Memory>,
    /// The iLOs of the deletions of the minute before, one for each: they count for the caps.
    pub ended_lately: Vec<IloName>,
    /// The way to iLOs.
    pub transport: T,
    /// What must outlive us.
    pub state: S,
    /// Where that is kept, for people.
    pub state_path: String,
    /// The host's clock.
    pub clock: HostClock,
    /// Where events go.
    pub teller: Teller,
    /// Who gives turns.
    pub turns: Turns,
    /// Whom to tell that the loop turns.
    pub pulse: Option<Pulse>,
}

impl<T: Transport, S: State> Fleet<T, S> {
    /// A fleet at rest. To be made inside a tokio runtime.
    pub fn new(start: Start<T, S>) -> Self {
        let in_force = Arc::new(InForce {
            settings: Arc::clone(&start.settings),
            observing: start.observing,
            orders: Arc::new(start.orders),
        });
        let (in_force, receiver) = watch::channel(in_force);
        let world = World {
            transport: start.transport,
            state: start.state,
            clock: start.clock,
            in_force: receiver,
            budget: Arc::new(Mutex::new(Budget::after(start.ended_lately))),
            claims: Arc::default(),
            lore: Arc::default(),
            passage: Arc::new(RwLock::new(())),
            started: Instant::now(),
        };
        let started = world.clock.now();
        let mut fleet = Self {
            world,
            in_force,
            teller: start.teller,
            schedule: Schedule::new(&start.settings.poll, start.turns),
            breaker: Breaker::default(),
            slots: BTreeMap::new(),
            waiting_to_leave: BTreeSet::new(),
            waiting_to_move: BTreeMap::new(),
            absent: start.remembered,
            left: Vec::new(),
            visits: JoinSet::new(),
            flying: BTreeMap::new(),
            desk: orders::Desk::default(),
            rounds: Vec::new(),
            heart: pulse::Heart::new(start.pulse),
            summary: Summary::default(),
            took: Vec::new(),
            leakers: leakers::Leakers::default(),
            bundle: bundle::Bundle::default(),
            state_path: start.state_path,
            unwritable: None,
            suspended: BTreeMap::new(),
            tally: tally::Tally::new(),
            started,
            reload: Reload { is_good: true, last_good: started },
        };
        fleet.adopt(&start.settings);
        fleet
    }

    /// Runs until told to drain, and then ends in order: no DELETE begins, visits in flight end, and held
    /// sessions are logged out where the configuration says so.
    pub async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut next_summary = Instant::now() + self.settings().report.summary;
        let mut commands_left = COMMANDS_PER_TURN;
        loop {
            let bundled = self.bundle.due().map(|due| self.world.started + due);
            let wakes = [self.start_due(), bundled, self.end_orders(), self.beat()];
            let wake = wakes.into_iter().flatten().fold(next_summary, Instant::min);
            tokio::select! {
                biased;
                command = commands.recv(), if commands_left > 0 => {
                    commands_left -= 1;
                    match command {
                        Some(Command::Replace(settings)) => self.replace(&settings),
                        Some(Command::Refused) => self.reload.is_good = false,
                        // Whoever asked may be gone.
                        Some(Command::Survey(asked)) => drop(asked.send(self.survey())),
                        Some(Command::Wish(wish, answer)) => self.wish(wish, answer),
                        Some(Command::Visit(asked, answer)) => self.begin_round(asked, answer),
                        Some(Command::Drain) | None => return self.drain().await,
                    }
                }
                Some(joined) = self.visits.join_next_with_id() => {
                    commands_left = COMMANDS_PER_TURN;
                    self.joined(joined);
                    self.leave_in_turn();
                }
                Some(written) = self.desk.written() => {
                    commands_left = COMMANDS_PER_TURN;
                    self.ordered(written);
                }
                // Nobody else was ready: the next command may come.
                () = std::future::ready(()), if commands_left == 0 => commands_left = COMMANDS_PER_TURN,
                () = tokio::time::sleep_until(wake) => {
                    commands_left = COMMANDS_PER_TURN;
                    for event in self.bundle.over(self.now()) {
                        self.teller.tell(event);
                    }
                    if Instant::now() >= next_summary {
                        self.summarise();
                        next_summary = Instant::now() + self.settings().report.summary;
                    }
                }
            }
        }
    }

    fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.in_force.borrow().settings)
    }

    fn now(&self) -> Duration {
        self.world.started.elapsed()
    }

    /// Starts every visit that is due and has a place. When to look again, if a time is known.
    fn start_due(&mut self) -> Option<Instant> {
        loop {
            let now = self.now();
            match self.schedule.next(now) {
                Next::Wait(until) => return until.map(|until| self.world.started + until),
                Next::Due(name) => {
                    self.start(&name, now);
                }
            }
        }
    }

    /// Starts a visit, unless something forbids it now.
    fn start(&mut self, name: &IloName, now: Duration) {
        let moves = self.waiting_to_move.contains_key(name);
        let ready = self.slots.get_mut(name).filter(|slot| !slot.parked && slot.leaving.is_none() && !moves);
        let Some((slot, mut memory)) = ready.and_then(|slot| slot.memory.clone().map(|memory| (slot, memory))) else {
            self.schedule.done(name, Outcome::Failed(None), now);
            if self.slots.get(name).is_some_and(|slot| slot.parked) {
                self.fail_asked(name, &broken());
            }
            return;
        };
        let has_door = memory.held.as_ref().is_some_and(|held| fits(held, &slot.target));
        if has_door {
            self.breaker.holds(&slot.target.credential, name);
        } else {
            match self.breaker.may_log_in(&slot.target.credential, name, now) {
                Leave::Yes => {}
                Leave::AfterCanary(until) => return self.schedule.done(name, Outcome::Postponed(until), now),
                Leave::Wait(until) => {
                    self.schedule.done(name, Outcome::Postponed(until), now);
                    let (since, error) = (self.world.clock.now(), VisitError::NoLoginNow);
                    let no_door = || Failing { since, outcome: error.name(), why: error.to_string() };
                    slot.failing.get_or_insert_with(no_door);
                    // Another iLO that tries the password first is worth waiting for, a suspension is not.
                    return self.fail_asked(name, &VisitError::NoLoginNow);
                }
            }
        }
        self.tally.began(self.schedule.lag(name, now));
        slot.memory = None;
        let target = Arc::clone(&slot.target);
        for former in self.left.extract_if(.., |former| former.authority == target.authority) {
            memory.lose(former);
        }
        let login = match (has_door, slot.told.is_failing()) {
            (true, _) => MayLogIn::No,
            (false, false) => MayLogIn::InTime,
            (false, true) => MayLogIn::Patiently,
        };
        let errand = Errand {
            target: Arc::clone(&target),
            memory,
            login,
            may_end: match round::asked_for(&mut self.rounds, name).unwrap_or(MayEnd::InMode) {
                MayEnd::InMode if slot.no_end_before.is_some_and(|until| now < until) => MayEnd::Forbidden,
                may_end => may_end,
            },
            notes: std::mem::take(&mut slot.notes),
        };
        let world = self.world.clone();
        let task = self.visits.spawn(async move { Finished::Visit(Box::new(visit::visit(&world, errand).await)) });
        let overdue = pulse::overdue(&self.settings().poll, login);
        self.flying.insert(task.id(), Flight { target, overdue });
    }
}

/// What is told of an iLO whose visit broke.
fn broken() -> VisitError {
    VisitError::Nonsense(String::from("a visit to it broke; this is a bug of ilo-reaper, see its log"))
}

/// Whether a held session is for this account at this place.
fn fits(held: &crate::state::Held, target: &Target) -> bool {
    held.authority == target.authority && held.account == Owner::new(&target.credential.username)
}
