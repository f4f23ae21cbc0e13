//! The whole fleet at one moment, for whoever asks.

use super::{Fleet, Slot};
use crate::event::{Place, Standing, Survey};
use crate::redfish::Transport;
use crate::state::State;

impl<T: Transport, S: State> Fleet<T, S> {
    /// What is so now. It copies, and renders nothing: ten thousand iLOs hold the loop up for milliseconds.
    pub(super) fn survey(&self) -> Survey {
        let stays = |slot: &&Slot| !slot.leaving && self.settings().targets.contains_key(&slot.target.name);
        Survey {
            at: self.world.clock.now(),
            started: self.started,
            ilos: self.slots.values().filter(stays).map(standing).collect(),
            late: self.schedule.late(self.now()),
            counts: self.tally.counts().clone(),
            credentials_suspended: self.breaker.suspended().cloned().collect(),
            paused: self.in_force.borrow().observing.clone(),
            state_writable: !self.unwritable,
            events_lost: self.teller.lost(),
            reload: self.reload,
        }
    }
}

fn standing(slot: &Slot) -> Standing {
    Standing {
        at: Place::from(slot.target.as_ref()),
        mode: slot.target.mode,
        table: slot.told.watch.fill().cloned(),
        last_visit: slot.last_visit,
        failing: slot.failing.clone(),
    }
}
