//! Taking in a configuration: who comes, who goes, and who is elsewhere now.

use std::sync::Arc;

use super::{Fleet, Slot, news};
use crate::event::Reload;
use crate::redfish::{Peer, Transport};
use crate::settings::{IloName, Settings};
use crate::state::{Former, Held, Memory, State};
use crate::visit::{Door, InForce, Notes};

/// Own sessions that may still be where a name stood that is not in the fleet any more.
pub(super) fn left_by(memory: &Memory) -> impl Iterator<Item = Former> {
    memory.held.as_ref().and_then(Held::former).into_iter().chain(memory.former.iter().cloned())
}

impl<T: Transport, S: State> Fleet<T, S> {
    /// Puts another configuration in force. Visits in flight ask it before each DELETE.
    pub(super) fn replace(&mut self, settings: &Arc<Settings>) {
        self.in_force.send_modify(|in_force| {
            let (observing, orders) = (in_force.observing.clone(), Arc::clone(&in_force.orders));
            *in_force = Arc::new(InForce { settings: Arc::clone(settings), observing, orders });
        });
        self.reload = Reload { is_good: true, last_good: self.world.clock.now() };
        self.adopt(settings);
    }

    pub(super) fn adopt(&mut self, settings: &Settings) {
        self.tally.settle(settings);
        let gone: Vec<IloName> =
            self.slots.keys().filter(|name| !settings.targets.contains_key(*name)).cloned().collect();
        for name in &gone {
            // Not visited any more, whenever its turn to leave comes.
            self.slots.entry(name.clone()).and_modify(|slot| slot.leaving = Some(Door::Close));
        }
        self.waiting_to_leave.extend(gone);
        self.world.transport.settle(settings.targets.values().map(|target| Peer::from(target.as_ref())).collect());
        self.breaker.settle(settings.targets.values().map(|target| target.credential.as_ref()));
        let now = self.now();
        for (name, target) in &settings.targets {
            if let Some(slot) = self.slots.get_mut(name) {
                if slot.target != *target {
                    self.schedule.afresh(name, now);
                }
                if news::is_another(&slot.target, target) {
                    slot.memory.iter().for_each(|memory| self.world.lore().keep(memory));
                    self.world.claims().release(name);
                }
                let old = std::mem::replace(&mut slot.target, Arc::clone(target));
                slot.leaving = None;
                self.waiting_to_leave.remove(name);
                self.move_away(&old);
                continue;
            }
            let memory = self.absent.remove(name).unwrap_or_default();
            // Whoever was there at the last run has it, and not whoever comes first now.
            if let Some(uuid) = memory.uuid.as_ref().filter(|_| memory.place.as_ref() == Some(&target.authority)) {
                let _whose = self.world.claims().claim(name, (uuid, target.trust.pin()), now, settings.poll.every);
            }
            let slot = Slot {
                target: Arc::clone(target),
                memory: Some(memory),
                told: news::Told::default(),
                notes: Notes::default(),
                no_end_before: None,
                leaving: None,
                parked: false,
                last_visit: None,
                failing: None,
            };
            self.slots.insert(name.clone(), slot);
        }
        self.schedule.replace(settings.targets.keys(), &settings.poll, now);
        self.left = self.absent.values().flat_map(left_by).collect();
        self.absent.values().for_each(|memory| self.world.lore().keep(memory));
        self.adopt_rounds(settings);
        self.leave_in_turn();
    }
}
