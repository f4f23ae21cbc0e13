//! Sessions of ours that nobody holds: what proves that they are ours, their end, and when a proof is forgotten.

use std::time::Duration;

use tokio::time::Instant;

use super::{VisitError, Visitor};
use crate::redfish::{Ended, Flashing, Transport};
use crate::session::{Extent, Kind, Observation, Owner, Session, SessionId};
use crate::state::{Former, Held, Intent, State};

/// A proof is forgotten when no session could be meant by it for so long: a table may leave one out for a few looks.
const LINGERS: Duration = Duration::from_secs(600);

/// Proofs that mean no session any more, and since when.
#[derive(Clone, Debug, Default)]
pub(super) struct Unseen {
    former: Vec<(Former, Instant)>,
    intents: Vec<(Intent, Instant)>,
}

impl Unseen {
    /// Whether no session could be meant by it, at the last look.
    pub(super) fn has_intent(&self, intent: &Intent) -> bool {
        self.intents.iter().any(|(unseen, _)| unseen == intent)
    }
}

/// Takes in which proofs mean somebody now, and drops those that meant nobody for long enough.
fn lapse<P: Clone + PartialEq>(
    proofs: &mut Vec<P>,
    unseen: &mut Vec<(P, Instant)>,
    means_somebody: impl Fn(&P) -> bool,
) {
    let now = Instant::now();
    unseen.retain(|(proof, _)| proofs.contains(proof) && !means_somebody(proof));
    for proof in proofs.iter().filter(|proof| !means_somebody(proof)) {
        if !unseen.iter().any(|(before, _)| before == proof) {
            unseen.push((proof.clone(), now));
        }
    }
    let is_over = |proof: &P| unseen.iter().any(|(before, since)| before == proof && now - *since >= LINGERS);
    proofs.retain(|proof| !is_over(proof));
}

impl<T: Transport, S: State> Visitor<'_, T, S> {
    /// Ends sessions of our own account that are proven to be ours and that nobody holds.
    pub(super) async fn end_strays(&mut self, held: &Held, seen: &Observation) -> Result<(), VisitError> {
        if seen.extent != Extent::Whole {
            return Ok(());
        }
        let strays = self.strays_in(seen);
        if !strays.is_empty() {
            let flashing = self.ilo.flashing(&held.token).await.map_err(|error| self.failed(error.into()))?;
            if flashing == Flashing::No {
                for (id, proof) in strays {
                    // One that is said to be gone without our doing is looked for further on.
                    if self.ilo.end(&held.token, &id).await == Ended::Done {
                        self.strays.push((id, proof));
                    }
                }
            }
        }
        self.forget_proofs(seen);
        Ok(())
    }

    /// Own sessions that we know by id, and own sessions that one recorded login alone explains.
    fn strays_in(&self, seen: &Observation) -> Vec<(SessionId, String)> {
        let mut strays = Vec::new();
        for session in seen.sessions.iter().filter(|session| session.id != seen.own.held) {
            if self.was_ours(session) {
                strays.push((session.id.clone(), String::from("it was ours by id")));
            }
        }
        for intent in &self.memory.intents {
            // A login makes one session. If two could be it, neither is proven.
            if let [only] = self.explained_by(intent, seen).as_slice()
                && !strays.iter().any(|(id, _)| id == only)
            {
                let proof = format!(
                    "it logged in between {} and {}, as a login of ours whose reply was lost",
                    intent.from, intent.to
                );
                strays.push((only.clone(), proof));
            }
        }
        strays
    }

    /// Whoever else uses our account does not come from where we come from.
    fn explained_by(&self, intent: &Intent, seen: &Observation) -> Vec<SessionId> {
        let from = seen.sessions.iter().find(|session| session.id == seen.own.held).and_then(|own| own.origin);
        let could_be = seen.sessions.iter().filter(|session| {
            intent.authority == self.target.authority
                && session.id != seen.own.held
                && !session.mine
                && session.kind == Kind::Rest
                && session.owner.as_ref() == Some(&intent.account)
                && session.origin.is_some()
                && session.origin == from
                && session.login.is_some_and(|login| login >= intent.from && login <= intent.to)
                && !self.was_ours(session)
        });
        could_be.map(|session| session.id.clone()).collect()
    }

    /// Whether it is a session that we held here and lost, by its id and its account.
    fn was_ours(&self, session: &Session) -> bool {
        self.memory.former.iter().any(|former| self.is_former(former, session))
    }

    fn is_former(&self, former: &Former, session: &Session) -> bool {
        former.authority == self.target.authority
            && former.session == session.id
            && session.owner.as_ref() == Some(&former.account)
    }

    /// Drops what proved a session that is ended, and what could mean nobody here for long enough: sessions that are
    /// gone, and intents whose time is over and that left no session. What the iLO does not tell today, it may tell
    /// tomorrow.
    fn forget_proofs(&mut self, seen: &Observation) {
        let (ended, left): (Vec<&Session>, Vec<&Session>) =
            seen.sessions.iter().partition(|session| self.strays.iter().any(|(id, _)| *id == session.id));
        let was_ours: Vec<&SessionId> =
            left.iter().filter(|session| self.was_ours(session)).map(|session| &session.id).collect();
        let here = &self.target.authority;
        let may_be = |account: &Owner, session: &Session| session.owner.as_ref().is_none_or(|owner| owner == account);
        let is_former =
            |former: &Former, session: &Session| former.session == session.id && may_be(&former.account, session);
        let is_made_by = |intent: &Intent, session: &Session| {
            matches!(session.kind, Kind::Rest | Kind::Unknown)
                && may_be(&intent.account, session)
                && session.login.is_none_or(|login| login >= intent.from && login <= intent.to)
                && session.id != seen.own.held
                && !was_ours.contains(&&session.id)
        };
        self.memory
            .former
            .retain(|former| former.authority != *here || !ended.iter().any(|session| is_former(former, session)));
        self.memory
            .intents
            .retain(|intent| intent.authority != *here || !ended.iter().any(|session| is_made_by(intent, session)));
        let Unseen { former, intents } = &mut self.notes.unseen;
        lapse(&mut self.memory.former, former, |former| {
            former.authority != *here || left.iter().any(|session| is_former(former, session))
        });
        if let Some(now) = seen.clock.now() {
            lapse(&mut self.memory.intents, intents, |intent| {
                intent.authority != *here || now <= intent.to || left.iter().any(|session| is_made_by(intent, session))
            });
        }
    }
}
