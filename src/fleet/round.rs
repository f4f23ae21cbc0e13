//! One visit to each, and then an orderly end: what `sweep` and `list` are.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use tokio::time::Instant;

use super::{Finished, Fleet, Flight, Leave, Next, Outcome};
use crate::redfish::Transport;
use crate::settings::IloName;
use crate::state::State;
use crate::visit::{Visit, VisitError};

/// What a round saw.
pub type Round = BTreeMap<IloName, Result<Visit, VisitError>>;

impl<T: Transport, S: State> Fleet<T, S> {
    /// Visits each of `names` once, under all the rules of the loop, and stops cleanly. A session that turns
    /// out to be lost is replaced, as in the loop, by one more visit. What is not visited when `stop` is done
    /// is left out.
    pub async fn round(mut self, names: BTreeSet<IloName>, stop: impl Future<Output = ()>) -> Round {
        let mut stop = std::pin::pin!(stop);
        let mut round = Round::new();
        let mut again = BTreeSet::new();
        while round.len() < names.len() {
            let wake = self.start_round(&names, &mut round);
            if round.len() == names.len() {
                break;
            }
            tokio::select! {
                biased;
                Some(joined) = self.visits.join_next_with_id() => {
                    let Ok((task, Finished::Visit(mut visited))) = joined else {
                        self.fail_broken(joined, &mut round);
                        continue;
                    };
                    let Some(Flight { target, .. }) = self.flying.remove(&task) else { continue };
                    let outcome = self.finish(&target, &mut visited);
                    if outcome != Outcome::Again || !again.insert(target.name.clone()) {
                        round.insert(target.name.clone(), visited.result);
                    }
                }
                () = &mut stop => break,
                () = sleep(wake) => {}
            }
        }
        self.drain().await;
        round
    }

    fn start_round(&mut self, names: &BTreeSet<IloName>, round: &mut Round) -> Option<Instant> {
        loop {
            let now = self.now();
            match self.schedule.next(now) {
                Next::Wait(until) => return until.map(|until| self.world.started + until),
                Next::Due(name) if !names.contains(&name) || round.contains_key(&name) => {
                    self.schedule.done(&name, Outcome::Good(None), now);
                }
                Next::Due(name) => {
                    // Another iLO that tries the password first is worth waiting for, a suspension is not.
                    if let Some(Leave::Wait(_)) = self.start(&name, now) {
                        round.insert(name, Err(VisitError::NoLoginNow));
                    }
                }
            }
        }
    }

    fn fail_broken(&mut self, joined: Result<(tokio::task::Id, Finished), tokio::task::JoinError>, round: &mut Round) {
        if let Err(error) = &joined
            && let Some(Flight { target, .. }) = self.flying.get(&error.id())
        {
            let why = String::from("the visit broke; this is a bug of ilo-reaper");
            round.insert(target.name.clone(), Err(VisitError::Nonsense(why)));
        }
        self.joined(joined);
    }
}

/// Sleeps until then, or for ever.
async fn sleep(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}
