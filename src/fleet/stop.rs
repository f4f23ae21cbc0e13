//! Taking iLOs out of the fleet, one or all: nothing of ours is left behind.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::adopt::left_by;
use super::{Finished, Fleet, Flight, pulse};
use crate::redfish::Transport;
use crate::settings::{IloName, OnStop, Target};
use crate::state::{Memory, State};
use crate::visit::{self, Door, Errand, InForce, MayEnd, MayLogIn};

/// How long a clean stop may take.
pub const STOP_DEADLINE: Duration = Duration::from_secs(40);

impl<T: Transport, S: State> Fleet<T, S> {
    /// Takes as many iLOs out of the fleet, or off the places where they were, as there are places. The others are not
    /// visited any more, and wait.
    pub(super) fn leave_in_turn(&mut self) {
        while self.visits.len() < self.settings().poll.visits_at_once.max(1) {
            if let Some(name) = self.waiting_to_leave.pop_first() {
                self.leave(&name, Door::Close);
            } else if let Some((name, old)) = self.waiting_to_move.pop_first() {
                self.take_leave(&name, old, Door::Close);
            } else {
                return;
            }
        }
    }

    /// Takes an iLO out of the fleet, and our session off it. It keeps its slot until that is done, so that
    /// nobody who puts it back meanwhile logs in a second time.
    pub(super) fn leave(&mut self, name: &IloName, door: Door) {
        let Some(slot) = self.slots.get_mut(name) else { return };
        let door = *slot.leaving.get_or_insert(door);
        let moved = self.waiting_to_move.remove(name).map(|old| (old, Door::Close));
        let (place, door) = moved.unwrap_or_else(|| (Arc::clone(&slot.target), door));
        if !slot.parked {
            self.take_leave(name, place, door);
        } else if let Some(memory) = slot.memory.take() {
            self.has_left(name.clone(), memory);
        }
    }

    /// Notes that our session is still at the place that the configuration named before, if it names another one now.
    pub(super) fn move_away(&mut self, old: &Arc<Target>) {
        let Some(slot) = self.slots.get(&old.name).filter(|slot| !slot.parked) else { return };
        // It may be where it was before that.
        let is_back = |place: &Arc<Target>| place.authority == slot.target.authority;
        if self.waiting_to_move.get(&old.name).is_some_and(is_back) {
            self.waiting_to_move.remove(&old.name);
        }
        let holds = slot.memory.as_ref().and_then(|memory| memory.held.as_ref());
        if slot.target.authority != old.authority && holds.is_some_and(|held| held.authority == old.authority) {
            self.waiting_to_move.insert(old.name.clone(), Arc::clone(old));
        }
    }

    /// Begins to leave `place`, unless a visit has the memory, or the configuration wants us there again.
    fn take_leave(&mut self, name: &IloName, place: Arc<Target>, door: Door) {
        let Some(slot) = self.slots.get_mut(name) else { return };
        if slot.leaving.is_some() || slot.target.authority != place.authority {
            let Some(memory) = slot.memory.take() else { return };
            let notes = std::mem::take(&mut slot.notes);
            let errand = Errand { target: place, memory, login: MayLogIn::No, may_end: MayEnd::No, notes };
            let (world, flown) = (self.world.clone(), Arc::clone(&errand.target));
            let leaves = async move { Finished::Left(Box::new(visit::take_leave(&world, errand, door).await)) };
            let task = self.visits.spawn(leaves);
            let overdue = pulse::overdue(&self.settings().poll, MayLogIn::No);
            self.flying.insert(task.id(), Flight { target: flown, overdue });
        }
    }

    pub(super) fn has_left(&mut self, name: IloName, memory: Memory) {
        match self.slots.get_mut(&name) {
            Some(slot) if slot.leaving.is_none() => {
                self.world.lore().keep(&memory);
                slot.memory = Some(memory);
            }
            _ => {
                self.slots.remove(&name);
                // Whoever has the iLO next finds it known.
                self.world.lore().keep(&memory);
                self.world.claims().release(&name);
                self.left.extend(left_by(&memory));
                self.absent.insert(name, memory);
            }
        }
    }

    /// Ends in order. What is not done by the deadline stays recorded in the state for the next start.
    pub(super) async fn drain(mut self) {
        self.cut_rounds();
        self.end().await;
        for event in self.bundle.rest() {
            self.teller.tell(event);
        }
    }

    async fn end(&mut self) {
        let deadline = Instant::now() + STOP_DEADLINE;
        self.in_force.send_modify(|in_force| {
            let (settings, orders) = (Arc::clone(&in_force.settings), Arc::clone(&in_force.orders));
            *in_force = Arc::new(InForce { settings, observing: Some(String::from("the daemon stops")), orders });
        });
        // Whoever is still being visited is left when that ends, and keeps nobody waiting.
        let at_once = self.settings().poll.visits_at_once.max(1) + self.visits.len();
        let door = match self.settings().on_stop {
            OnStop::Keep => Door::Keep,
            OnStop::Logout => Door::Close,
        };
        let names: Vec<IloName> = self.slots.keys().cloned().collect();
        for name in names {
            if !self.join_all(deadline, at_once - 1).await {
                return;
            }
            self.leave(&name, door);
        }
        self.join_all(deadline, 0).await;
    }

    /// Waits until no more than `left` tasks are in flight; whether that came before the deadline.
    async fn join_all(&mut self, deadline: Instant, left: usize) -> bool {
        while self.visits.len() > left {
            let wake = self.beat_stopping(deadline).map_or(deadline, |next| next.min(deadline));
            tokio::select! {
                biased;
                Some(joined) = self.visits.join_next_with_id() => {
                    self.joined(joined);
                    self.leave_in_turn();
                }
                () = tokio::time::sleep_until(wake) => if Instant::now() >= deadline { return false },
            }
        }
        true
    }
}
