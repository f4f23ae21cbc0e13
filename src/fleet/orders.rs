//! What people order by hand: the brake, and protections.
//!
//! What holds back is in force at once, before it is written; what lets go, only once it is written. Whoever ordered
//! is answered when both is done, and when every DELETE that was allowed before has come to its end: no later one
//! goes against the order. One order is dealt with at a time, in the order they came.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use super::Fleet;
use crate::event::Event;
use crate::redfish::Transport;
use crate::settings::{Order, Orders, Shield};
use crate::state::{State, Unwritable};
use crate::time::Timestamp;
use crate::visit::InForce;

/// Protections by hand at most: each visit asks them all.
pub const SHIELDS_MAX: usize = 500;
/// Who ends what has a time of its own.
const BY_TIME: &str = "its time";

/// What somebody orders.
#[derive(Clone, Debug, PartialEq)]
pub enum Wish {
    /// No session of others is ended until then.
    Pause(Order),
    /// It goes on, also after the state was lost; and who says so.
    Resume(String),
    /// These stay. Its id is given by the loop.
    Protect(Box<Shield>),
    /// The protection of this id ends; and who says so.
    Unprotect(String, String),
}

/// What became of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Granted {
    /// The brake is on, by this order: where another one lasts longer, by that.
    Paused(Order),
    /// It is off; whether it was on, or the state had been lost.
    Resumed(bool),
    /// The protection is in force, by this id.
    Protected(String),
    /// It is not any more.
    Unprotected,
}

/// Why a wish is not granted, or only in part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// There is no protection of this id.
    Unknown(String),
    /// There are as many protections as there can be.
    TooMany,
    /// It holds back from now on, but could not be written: a restart forgets it.
    OnlyInForce(Unwritable),
    /// It could not be written, so all stays as it was.
    NotWritten(Unwritable),
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(id) => write!(f, "there is no protection {id}; `ilo-reaper protect list` names them"),
            Self::TooMany => {
                write!(
                    f,
                    "there are {SHIELDS_MAX} protections by hand already; remove some, or write them into a policy"
                )
            }
            Self::OnlyInForce(why) => write!(
                f,
                "it is in force, but the state can't be written ({why}), so a restart forgets it; make room there and \
                 say it again"
            ),
            Self::NotWritten(why) => {
                write!(
                    f,
                    "the state can't be written ({why}), so nothing was changed; make room there and say it again"
                )
            }
        }
    }
}

impl std::error::Error for Denied {}

/// Where the answer to a wish goes.
pub type Answer = oneshot::Sender<Result<Granted, Denied>>;

/// Orders that wait, and the one that is being written.
#[derive(Default)]
pub(super) struct Desk {
    waiting: VecDeque<(Wish, Answer)>,
    writing: JoinSet<Result<(), Unwritable>>,
    current: Option<Step>,
}

/// One change of the orders.
struct Step {
    after: Orders,
    /// It is in force before it is written.
    holds_back: bool,
    resumes: bool,
    events: Vec<Event>,
    answer: Option<(Answer, Granted)>,
}

impl Desk {
    /// The end of what is being written.
    pub(super) async fn written(&mut self) -> Option<Result<Result<(), Unwritable>, JoinError>> {
        self.writing.join_next().await
    }
}

impl<T: Transport, S: State> Fleet<T, S> {
    /// Takes a wish in.
    pub(super) fn wish(&mut self, wish: Wish, answer: Answer) {
        self.desk.waiting.push_back((wish, answer));
        self.grant_next();
    }

    /// Ends what has come to its time. When the next one does.
    pub(super) fn end_orders(&mut self) -> Option<Instant> {
        let (host_now, now) = (self.world.clock.now(), Instant::now());
        let first = self.in_force.borrow().orders.first_end()?;
        match first.since(host_now) {
            Some(left) if !left.is_zero() => Some(now + left),
            _ if self.desk.current.is_some() => None,
            _ => {
                let is_observing = self.in_force.borrow().observing.is_some();
                let step = expired(&self.orders(), host_now, is_observing);
                self.begin(step);
                None
            }
        }
    }

    /// Something was written, or could not be.
    pub(super) fn ordered(&mut self, written: Result<Result<(), Unwritable>, JoinError>) {
        let written = written.unwrap_or_else(|error| Err(Unwritable(error.to_string())));
        let Some(step) = self.desk.current.take() else { return };
        let is_in_force = step.holds_back || written.is_ok();
        if is_in_force {
            self.put_in_force(step.after, written.is_ok() && step.resumes);
            step.events.into_iter().for_each(|event| self.teller.tell(event));
        }
        match &written {
            Ok(()) => self.tell_writable(),
            Err(why) => self.tell_unwritable(why),
        }
        if let Some((answer, granted)) = step.answer {
            let denied = if is_in_force { Denied::OnlyInForce } else { Denied::NotWritten };
            // Whoever does not wait any more finds it in the log.
            let _gone = answer.send(written.map(|()| granted).map_err(denied));
        }
        self.grant_next();
    }

    fn orders(&self) -> Arc<Orders> {
        Arc::clone(&self.in_force.borrow().orders)
    }

    fn grant_next(&mut self) {
        while self.desk.current.is_none() {
            let Some((wish, answer)) = self.desk.waiting.pop_front() else { return };
            let lost = self.in_force.borrow().observing.clone();
            match step(&self.orders(), wish, lost) {
                Ok((mut step, granted)) => {
                    step.answer = Some((answer, granted));
                    self.begin(step);
                }
                Err(denied) => drop(answer.send(Err(denied))),
            }
        }
    }

    fn begin(&mut self, step: Step) {
        if step.holds_back {
            self.put_in_force(step.after.clone(), false);
        }
        let (state, passage) = (self.world.state.clone(), Arc::clone(&self.world.passage));
        let (after, resumes) = (step.after.clone(), step.resumes);
        self.desk.current = Some(step);
        self.desk.writing.spawn(async move {
            let written = if resumes { state.resume(&after).await } else { state.order(&after).await };
            // Every DELETE that was allowed before is over now.
            drop(passage.write().await);
            written
        });
    }

    fn put_in_force(&mut self, orders: Orders, resumes: bool) {
        self.in_force.send_modify(|in_force| {
            let observing = in_force.observing.clone().filter(|_| !resumes);
            let settings = Arc::clone(&in_force.settings);
            *in_force = Arc::new(InForce { settings, observing, orders: Arc::new(orders) });
        });
    }
}

/// What a wish comes to. `lost` is why nobody may be ended since the state was lost.
fn step(before: &Orders, wish: Wish, lost: Option<String>) -> Result<(Step, Granted), Denied> {
    let mut after = before.clone();
    let (events, holds_back, granted) = match wish {
        Wish::Pause(pause) => {
            if let Some(longer) = before.pause.clone().filter(|longer| outlasts(longer, &pause)) {
                (Vec::new(), true, Granted::Paused(longer))
            } else {
                let event = paused(&pause);
                after.pause = Some(pause.clone());
                (vec![event], true, Granted::Paused(pause))
            }
        }
        Wish::Resume(by) => {
            let pause = after.pause.take();
            let was_held = pause.is_some() || lost.is_some();
            let (until, reason) = pause.map_or((None, lost), |pause| (pause.until, Some(pause.reason)));
            let events = reason.map(|reason| Event::DaemonResumed { by, until, reason });
            let step =
                Step { after, holds_back: false, resumes: true, events: events.into_iter().collect(), answer: None };
            return Ok((step, Granted::Resumed(was_held)));
        }
        Wish::Protect(mut shield) => {
            if after.shields.len() >= SHIELDS_MAX {
                return Err(Denied::TooMany);
            }
            shield.protection.id = free_id(&after, shield.order.since);
            let id = shield.protection.id.clone();
            let event = protected(&shield);
            after.shields.push(*shield);
            (vec![event], true, Granted::Protected(id))
        }
        Wish::Unprotect(id, by) => {
            let place = after.shields.iter().position(|shield| shield.protection.id == id);
            let shield = after.shields.remove(place.ok_or(Denied::Unknown(id))?);
            (vec![unprotected(&shield, &by)], false, Granted::Unprotected)
        }
    };
    Ok((Step { after, holds_back, resumes: false, events, answer: None }, granted))
}

/// What is over goes: it was of no effect any more. Where that can't be written, the next start finds it over again.
/// Where something else holds all deletions back, nothing is resumed.
fn expired(before: &Orders, host_now: Timestamp, is_observing: bool) -> Step {
    let over = |order: &Order| order.is_over(host_now);
    let resumed = |pause: &Order| {
        let (by, until, reason) = (String::from(BY_TIME), pause.until, pause.reason.clone());
        Event::DaemonResumed { by, until, reason }
    };
    let pause = before.pause.iter().filter(|pause| over(pause) && !is_observing).map(resumed);
    let shields = before.shields.iter().filter(|shield| over(&shield.order));
    let events = pause.chain(shields.map(|shield| unprotected(shield, BY_TIME))).collect();
    let after = Orders {
        pause: before.pause.clone().filter(|pause| !over(pause)),
        shields: before.shields.iter().filter(|shield| !over(&shield.order)).cloned().collect(),
    };
    Step { after, holds_back: true, resumes: false, events, answer: None }
}

/// Whether a pause ends later than another one, or only when somebody ends it.
fn outlasts(one: &Order, other: &Order) -> bool {
    match (one.until, other.until) {
        (one, Some(other)) => one.is_none_or(|one| one > other),
        (_, None) => false,
    }
}

/// An id of the second in which it was ordered: whoever removes a protection late must not end somebody else's.
fn free_id(orders: &Orders, since: Timestamp) -> String {
    let first = format!("by-hand-{}", since.unix_s());
    let mut ids = std::iter::once(first.clone()).chain((2..).map(|number: usize| format!("{first}-{number}")));
    let is_free = |id: &String| orders.shields.iter().all(|shield| shield.protection.id != *id);
    ids.find(is_free).unwrap_or_default()
}

fn paused(pause: &Order) -> Event {
    let Order { by, reason, until, .. } = pause.clone();
    Event::DaemonPaused { by, until, reason }
}

fn protected(shield: &Shield) -> Event {
    let (id, what) = (shield.protection.id.clone(), shield.to_string());
    let Order { by, reason, until, .. } = shield.order.clone();
    Event::ProtectionAdded { id, what, by, until, reason }
}

fn unprotected(shield: &Shield, by: &str) -> Event {
    let (id, what) = (shield.protection.id.clone(), shield.to_string());
    let (until, reason) = (shield.order.until, shield.order.reason.clone());
    Event::ProtectionEnded { id, what, by: by.to_owned(), until, reason }
}
