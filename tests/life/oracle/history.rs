//! What is in force, and what was while a visit went on.

use std::sync::Arc;
use std::time::Duration;

use ilo_sim::Moment;

use super::Oracle;
use crate::script::ConfigScript;

/// What a visit may take beyond its budget: it waits for the state and for its turn.
const A_VISIT: Duration = Duration::from_secs(60);

/// A configuration, since when it is in force.
pub(super) struct InForce {
    pub(super) since: Moment,
    pub(super) config: Arc<ConfigScript>,
    /// Nothing may be deleted, whatever it says.
    pub(super) observes: bool,
    /// The daemon stops cleanly.
    pub(super) stops: bool,
}

impl Oracle {
    /// Another configuration is in force from now on.
    pub(crate) fn in_force(&mut self, now: Moment, config: &ConfigScript, observes: bool) {
        if let Some(before) = self.history.last() {
            self.passwords.changed(&before.config, config);
            for (name, place) in before.config.places.iter().enumerate() {
                if config.places[name] != *place {
                    self.books[config.places[name]].comes_back();
                }
                let is_in = |config: &ConfigScript| config.members[name].is_some();
                self.books[*place].has_left = is_in(&before.config) && !is_in(config);
                if !is_in(&before.config) {
                    self.books[*place].comes_back();
                }
            }
            // What is known of lost logins belongs to a name, and the name to another iLO now.
            if before.config.places != config.places {
                for ours in self.books.iter_mut().flat_map(|book| book.ours.values_mut()) {
                    (ours.is_excused, ours.is_unprovable) = (true, true);
                }
            }
        }
        self.unsettled = now;
        // Whoever changed something wants to see what comes of it.
        self.books.iter_mut().for_each(|book| book.rest_until = None);
        self.history.push(InForce { since: now, config: Arc::new(config.clone()), observes, stops: false });
        // Whoever is asked about was in force in the last minutes.
        if self.history.len() > 64 {
            self.history.drain(..32);
        }
    }

    /// Somebody says after a lost state that it may delete again.
    pub(crate) fn may_end_again(&mut self, now: Moment) {
        let config = Arc::clone(&self.now_in_force().config);
        self.history.push(InForce { since: now, config, observes: false, stops: false });
    }

    /// A clean stop begins: nothing of others is deleted from now on.
    pub(crate) fn stops(&mut self, now: Moment) {
        // Who stops already has no more time for being told twice.
        if self.now_in_force().stops {
            return;
        }
        let config = Arc::clone(&self.now_in_force().config);
        self.unsettled = now;
        self.history.push(InForce { since: now, config, observes: true, stops: true });
    }

    pub(super) fn now_in_force(&self) -> &InForce {
        self.history.last().expect("the daemon was born")
    }

    /// What may be in force at a moment: one that changed in this very millisecond may be taken or not.
    pub(super) fn perhaps_in_force(&self, now: Moment) -> impl Iterator<Item = &InForce> {
        let current = self.history.iter().rposition(|one| one.since < now).unwrap_or(0);
        self.history[current..].iter()
    }

    /// What was in force while a visit of now went on.
    pub(super) fn lately_in_force(&self, now: Moment) -> impl Iterator<Item = &InForce> {
        let visit = Duration::from_secs(self.history.iter().map(|one| one.config.visit_s).max().unwrap_or(0)) + A_VISIT;
        let first = self.history.iter().rposition(|one| now.since(one.since) > visit).unwrap_or(0);
        self.history[first..].iter()
    }

    /// Whether all that was in force lately pins the certificate of this iLO.
    pub(crate) fn is_pinned(&self, now: Moment, number: usize) -> bool {
        let group = |one: &InForce| {
            let name = one.config.places.iter().position(|place| *place == number)?;
            Some(one.config.groups[one.config.members[name]?].is_pinned)
        };
        self.lately_in_force(now).all(|one| group(one) == Some(true))
    }
}
