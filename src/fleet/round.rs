//! A visit to each iLO that somebody asks for, and waits for: what `sweep` and `list` are. They are visits like all
//! others, under all the rules of the loop, only sooner.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::oneshot;

use super::{Fleet, Outcome};
use crate::redfish::Transport;
use crate::settings::{IloName, Settings};
use crate::state::State;
use crate::visit::{MayEnd, Visit, VisitError};

/// What a round saw. Whoever could not be visited before its end is missing.
pub type Round = BTreeMap<IloName, Result<Visit, VisitError>>;

/// What somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Whom to visit.
    pub ilos: BTreeSet<IloName>,
    /// What may be done there.
    pub may_end: MayEnd,
}

/// A round under way.
pub(super) struct Going {
    may_end: MayEnd,
    left: BTreeSet<IloName>,
    flying: BTreeSet<IloName>,
    /// Those that are visited once more, because a session of ours turned out to be lost.
    again: BTreeSet<IloName>,
    seen: Round,
    answer: oneshot::Sender<Round>,
}

impl Going {
    fn is_over(&self) -> bool {
        self.left.is_empty() && self.flying.is_empty()
    }

    fn end(self) {
        // Whoever asked may be gone.
        let _gone = self.answer.send(self.seen);
    }
}

/// Takes up a visit that somebody waits for: what it may do. Those who wait no more are forgotten.
pub(super) fn asked_for(rounds: &mut Vec<Going>, name: &IloName) -> Option<MayEnd> {
    rounds.retain(|going| !going.answer.is_closed());
    let going = rounds.iter_mut().find(|going| going.left.contains(name))?;
    going.left.remove(name);
    going.flying.insert(name.clone());
    Some(going.may_end)
}

impl<T: Transport, S: State> Fleet<T, S> {
    /// Begins a round. iLOs that are not in the configuration are left out.
    pub(super) fn begin_round(&mut self, asked: Asked, answer: oneshot::Sender<Round>) {
        let settings = self.settings();
        let left: BTreeSet<IloName> =
            asked.ilos.into_iter().filter(|name| settings.targets.contains_key(name)).collect();
        let now = self.now();
        for name in &left {
            self.schedule.hurry(name, now);
        }
        let (flying, again, seen) = (BTreeSet::new(), BTreeSet::new(), Round::new());
        self.rounds.push(Going { may_end: asked.may_end, left, flying, again, seen, answer });
        self.end_rounds();
    }

    /// Takes in what a visit saw, for whoever asked for it. Who waits for another one gets it now.
    pub(super) fn saw_asked(&mut self, name: &IloName, result: Result<Visit, VisitError>, outcome: Outcome) {
        if let Some(going) = self.rounds.iter_mut().find(|going| going.flying.contains(name)) {
            going.flying.remove(name);
            if outcome == Outcome::Again && going.again.insert(name.clone()) {
                going.left.insert(name.clone());
            } else {
                going.seen.insert(name.clone(), result);
            }
        }
        if self.rounds.iter().any(|going| going.left.contains(name)) {
            let now = self.now();
            self.schedule.hurry(name, now);
        }
        self.end_rounds();
    }

    /// No visit can be made now: tells everybody who waits for one.
    pub(super) fn fail_asked(&mut self, name: &IloName, error: &VisitError) {
        for going in &mut self.rounds {
            if going.left.remove(name) {
                going.seen.insert(name.clone(), Err(error.clone()));
            }
        }
        self.end_rounds();
    }

    /// Nobody waits for an iLO that the configuration does not name any more.
    pub(super) fn adopt_rounds(&mut self, settings: &Settings) {
        for going in &mut self.rounds {
            going.left.retain(|name| settings.targets.contains_key(name));
        }
        self.end_rounds();
    }

    /// Tells everybody who waits what was seen by now.
    pub(super) fn cut_rounds(&mut self) {
        std::mem::take(&mut self.rounds).into_iter().for_each(Going::end);
    }

    fn end_rounds(&mut self) {
        self.rounds.extract_if(.., |going| going.is_over()).for_each(Going::end);
    }
}
