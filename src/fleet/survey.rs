//! The whole fleet at one moment, for whoever asks.

use std::collections::BTreeSet;

use super::{Fleet, Slot};
use crate::event::{Place, Standing, Survey};
use crate::redfish::Transport;
use crate::settings::CredentialId;
use crate::state::State;

impl<T: Transport, S: State> Fleet<T, S> {
    /// What is so now. It copies, and renders nothing: ten thousand iLOs hold the loop up for milliseconds.
    pub(super) fn survey(&self) -> Survey {
        let settings = self.settings();
        let stays = |slot: &&Slot| slot.leaving.is_none() && settings.targets.contains_key(&slot.target.name);
        let used: BTreeSet<&CredentialId> = settings.targets.values().map(|target| &target.credential.id).collect();
        Survey {
            at: self.world.clock.now(),
            started: self.started,
            ilos: self.slots.values().filter(stays).map(standing).collect(),
            late: self.schedule.late(self.now()),
            counts: self.tally.counts().clone(),
            credentials_suspended: self.breaker.suspended().filter(|id| used.contains(id)).cloned().collect(),
            paused: self.in_force.borrow().brake(self.world.clock.now()),
            state_writable: self.unwritable.is_none(),
            events_lost: self.teller.lost(),
            reload: self.reload,
        }
    }
}

/// How one iLO stands.
pub(super) fn standing(slot: &Slot) -> Standing {
    Standing {
        at: Place::from(slot.target.as_ref()),
        mode: slot.target.mode,
        table: slot.told.watch.fill().cloned(),
        last_visit: slot.last_visit,
        failing: slot.failing.clone(),
    }
}
