//! What was learned of iLOs under names and at addresses that are not theirs any more. PURE.

use std::collections::BTreeMap;

use crate::session::Uuid;
use crate::state::Memory;

/// The most that are kept. An iLO that tells another UUID at each login makes them up.
const LORE_MAX: usize = 20_000;

/// By what an iLO tells of itself. A name that finds one takes over what is known of it.
#[derive(Clone, Default)]
pub struct Lore {
    known: BTreeMap<Uuid, Memory>,
}

impl Lore {
    /// Keeps what is remembered of an iLO, unless more recent is known.
    pub fn keep(&mut self, memory: &Memory) {
        let Some(uuid) = &memory.uuid else { return };
        let has_room = self.known.len() < LORE_MAX || self.known.contains_key(uuid);
        if has_room && self.known.get(uuid).is_none_or(|known| known.seen_at_s() <= memory.seen_at_s()) {
            self.known.insert(uuid.clone(), memory.clone());
        }
    }

    /// What is known of this iLO beside what a name remembers of it.
    pub(super) fn take(&mut self, uuid: &Uuid) -> Option<Memory> {
        self.known.remove(uuid)
    }
}
