//! Sessions of ours that nobody holds: what proves that they are ours, their end, and when a proof is forgotten.

use std::net::IpAddr;
use std::time::Duration;

use super::{VisitError, Visitor};
use crate::redfish::{Ended, Flashing, Transport};
use crate::session::{Extent, Kind, Observation, Owner, Session, SessionId};
use crate::state::{Former, Held, Intent, State};

/// A proof is forgotten when no session could be meant by it for so long: a table may leave one out for a few looks.
const LINGERS: Duration = Duration::from_secs(600);

/// Proofs that mean no session any more, and since when by [`HostClock::up`](crate::time::HostClock::up).
#[derive(Clone, Debug, Default)]
pub(super) struct Unseen {
    former: Vec<(Former, Duration)>,
    intents: Vec<(Intent, Duration)>,
}

/// An own session that nobody holds.
struct Stray {
    id: SessionId,
    /// What proves it, for people.
    proof: String,
    /// The login that it is the session of; `None` where it is known by id.
    made_by: Option<Intent>,
}

impl Unseen {
    /// Whether no session could be meant by it, at the last look.
    pub(super) fn has_intent(&self, intent: &Intent) -> bool {
        self.intents.iter().any(|(unseen, _)| unseen == intent)
    }
}

/// Takes in which proofs mean somebody now, and drops those that meant nobody for long enough: from the answer to one
/// look to the question of another, since nobody knows when in between the iLO read its table.
fn lapse<P: Clone + PartialEq>(
    proofs: &mut Vec<P>,
    unseen: &mut Vec<(P, Duration)>,
    (asked, now): (Duration, Duration),
    means_somebody: impl Fn(&P) -> bool,
) {
    unseen.retain(|(proof, _)| proofs.contains(proof));
    for proof in proofs.iter().filter(|proof| !means_somebody(proof)) {
        if !unseen.iter().any(|(before, _)| before == proof) {
            unseen.push((proof.clone(), now));
        }
    }
    let is_over =
        |proof: &P| unseen.iter().any(|(before, since)| before == proof && asked.saturating_sub(*since) >= LINGERS);
    proofs.retain(|proof| !is_over(proof));
}

/// Whether a session was made by this login of ours. Whoever else uses our account does not come from where we come
/// from.
fn is_of(intent: &Intent, session: &Session, from: Option<IpAddr>) -> bool {
    from.is_some() && session.origin.is_some() && is_likely_of(intent, session, from)
}

/// The same, where nobody knows where we come from.
fn is_likely_of(intent: &Intent, session: &Session, from: Option<IpAddr>) -> bool {
    let is_told = session.owner.is_some() && session.login.is_some();
    is_told && session.kind == Kind::Rest && could_be_of(intent, session, from)
}

/// The same, where the iLO does not tell all of it.
fn could_be_of(intent: &Intent, session: &Session, from: Option<IpAddr>) -> bool {
    !session.mine.may_be()
        && matches!(session.kind, Kind::Rest | Kind::Unknown)
        && session.owner.as_ref().is_none_or(|owner| *owner == intent.account)
        && (from.is_none() || session.origin.is_none() || session.origin == from)
        && session.login.is_none_or(|login| login >= intent.from && login <= intent.to)
}

impl<T: Transport, S: State> Visitor<'_, T, S> {
    /// Ends sessions of our own account that are proven to be ours and that nobody holds.
    pub(super) async fn end_strays(&mut self, held: &Held, seen: &Observation) -> Result<(), VisitError> {
        let strays = self.strays_in(seen);
        if !strays.is_empty() && seen.extent == Extent::Whole {
            // What proves it is over with this visit, so it is known by id from now on.
            for (id, login) in strays.iter().filter_map(|stray| Some((&stray.id, stray.made_by.as_ref()?))) {
                if self.to_come.contains(login) {
                    let Intent { account, authority, .. } = login.clone();
                    self.memory.lose(Former { session: id.clone(), account, authority });
                }
            }
            let flashing = self.ilo.flashing(&held.token).await.map_err(|error| self.failed(error.into()))?;
            if flashing == Flashing::No {
                for Stray { id, proof, made_by } in strays {
                    // One that is said to be gone without our doing is looked for further on.
                    if self.ilo.end(&held.token, &id).await == Ended::Done {
                        let here = &self.target.authority;
                        self.memory.intents.retain(|intent| Some(intent) != made_by.as_ref());
                        self.memory.former.retain(|former| former.authority != *here || former.session != id);
                        self.strays.push((id, proof));
                    }
                }
            }
        }
        self.forget_proofs(seen);
        Ok(())
    }

    /// Own sessions that we know by id, and own sessions that one recorded login alone explains. Where two are told
    /// that could be it, be that in a part of the table, the login proves nothing from then on.
    fn strays_in(&mut self, seen: &Observation) -> Vec<Stray> {
        let others = || seen.sessions.iter().filter(|session| session.id != seen.own.held);
        let (known, unknown): (Vec<&Session>, Vec<&Session>) = others().partition(|session| self.was_ours(session));
        let by_id = |session: &&Session| Stray {
            id: session.id.clone(),
            proof: String::from("it was ours by id"),
            made_by: None,
        };
        let mut strays: Vec<Stray> = known.iter().map(by_id).collect();
        let from = seen.sessions.iter().find(|session| session.id == seen.own.held).and_then(|own| own.origin);
        let here = &self.target.authority;
        // Only while that time has not come again.
        let is_to_come = |intent: &&Intent| self.notes.date.is_some_and(|now| now < intent.from);
        let intents = self.memory.intents.iter().chain(self.to_come.iter().filter(is_to_come));
        let mut open: Vec<Intent> =
            intents.filter(|intent| intent.authority == *here && !intent.answered).cloned().collect();
        let mut left = unknown;
        // Where our own is not told, nobody knows where we come from.
        let explains = |intent: &Intent, session: &Session| {
            is_of(intent, session, from) || from.is_none() && is_likely_of(intent, session, from)
        };
        // A login makes one session. Who is explained by one is not by another.
        while let Some((place, only)) = open.iter().enumerate().find_map(|(place, intent)| {
            let mut could_be = left.iter().filter(|session| could_be_of(intent, session, from));
            could_be.next().filter(|_| could_be.next().is_none()).map(|only| (place, *only))
        }) {
            let intent = open.remove(place);
            if explains(&intent, only) {
                left.retain(|session| session.id != only.id);
            }
            if is_of(&intent, only, from) {
                let Intent { from, to, .. } = intent;
                let proof = format!("it logged in between {from} and {to}, as a login of ours whose reply was lost");
                strays.push(Stray { id: only.id.clone(), proof, made_by: Some(intent) });
            }
        }
        // If two could be it, neither is proven, nor is the one that is left when the other is gone.
        open.retain(|intent| left.iter().filter(|session| explains(intent, session)).count() > 1);
        self.memory.intents.retain(|intent| !open.contains(intent));
        strays
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

    /// Drops what could mean nobody here for long enough: sessions that are gone, and intents whose time is over and
    /// that left no session. What the iLO does not tell today, it may tell tomorrow; and whoever is in a part of the
    /// table is there.
    fn forget_proofs(&mut self, seen: &Observation) {
        let is_ended = |session: &&Session| self.strays.iter().any(|(id, _)| *id == session.id);
        let left: Vec<&Session> = seen.sessions.iter().filter(|session| !is_ended(session)).collect();
        let was_ours: Vec<&SessionId> =
            left.iter().filter(|session| self.was_ours(session)).map(|session| &session.id).collect();
        let here = &self.target.authority;
        let may_be = |account: &Owner, session: &Session| session.owner.as_ref().is_none_or(|owner| owner == account);
        let is_there = |former: &Former| {
            let is_it = |session: &&Session| former.session == session.id && may_be(&former.account, session);
            former.authority != *here || left.iter().any(is_it)
        };
        let may_be_of = |intent: &Intent, session: &Session| {
            matches!(session.kind, Kind::Rest | Kind::Unknown)
                && may_be(&intent.account, session)
                && session.login.is_none_or(|login| login >= intent.from && login <= intent.to)
                && session.id != seen.own.held
                && !was_ours.contains(&&session.id)
        };
        let is_open = |intent: &Intent| {
            let is_over = seen.clock.now().is_some_and(|now| now > intent.to);
            intent.authority != *here || !is_over || left.iter().any(|session| may_be_of(intent, session))
        };
        let Unseen { former, intents } = &mut self.notes.unseen;
        former.retain(|(former, _)| !is_there(former));
        intents.retain(|(intent, _)| !is_open(intent));
        if seen.extent == Extent::Whole {
            let times = (self.asked, self.world.clock.up());
            lapse(&mut self.memory.former, former, times, is_there);
            lapse(&mut self.memory.intents, intents, times, is_open);
        }
    }
}
