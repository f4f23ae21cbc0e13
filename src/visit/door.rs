//! Our own session on an iLO: the door that we hold open. One at most, through lost replies and kills.

use std::time::Duration;

use super::{LoginOutcome, VisitError, Visitor};
use crate::redfish::{Ended, Flashing, LoginError, Transport};
use crate::session::{Extent, Kind, Observation, SessionId};
use crate::state::{Held, Intent, State};
use crate::time::Timestamp;

/// After this many logins without an outcome, the next one waits.
const INTENTS_BEFORE_WAIT: usize = 2;

/// How long it waits. A default iLO has dropped an unused session by then (30 minutes, HPE iLO 5 user guide).
const INTENTS_WAIT: Duration = Duration::from_secs(3600);

/// How many intents are kept as proof.
const INTENTS_MAX: usize = 8;

/// How long after our patience ended an iLO may still do what it was asked.
const LATE_LOGIN: Duration = Duration::from_secs(5);

impl<T: Transport, S: State> Visitor<'_, T, S> {
    /// The session we hold, or a new one.
    pub(super) async fn door(&mut self) -> Result<Held, VisitError> {
        if let Some(held) = self.memory.held.clone() {
            if held.authority == self.target.authority && held.account == self.account() {
                return Ok(held);
            }
            self.leave_old_door(&held).await;
        }
        if !self.may_log_in {
            return Err(VisitError::NoLoginNow);
        }
        self.log_in().await
    }

    /// The configuration names another account or address now. At the same address the old session can still
    /// be ended with its own token; a token is never sent to another address.
    async fn leave_old_door(&mut self, held: &Held) {
        let same_place = held.authority == self.target.authority;
        let ended = same_place
            && matches!(
                self.ilo.end(&held.token, &held.session).await,
                Ended::Done | Ended::AlreadyGone | Ended::NotOurs
            );
        if ended {
            self.memory.held = None;
        } else {
            self.lose_door();
        }
    }

    /// The held session is not ours to use any more. It may still be in the table.
    pub(super) fn lose_door(&mut self) {
        if let Some(held) = self.memory.held.take() {
            self.memory.former.push(held.session);
        }
    }

    /// An error of a request that used the held session.
    pub(super) fn failed(&mut self, error: VisitError) -> VisitError {
        if error == VisitError::DoorLost {
            self.lose_door();
        }
        error
    }

    async fn log_in(&mut self) -> Result<Held, VisitError> {
        let root = self.ilo.root().await?;
        // Without its time no stray could ever be proven to be ours.
        let now = root.now.ok_or_else(|| VisitError::Nonsense(String::from("the service root has no date")))?;
        if let Some(last) = self.memory.intents.last()
            && self.memory.intents.len() >= INTENTS_BEFORE_WAIT
            && now < last.to.plus(INTENTS_WAIT)
        {
            return Err(VisitError::LoginsLost);
        }
        // Somebody's wrong passwords make every login wait. A wait that the visit does not have time for would
        // end in a lost reply, and perhaps in a session that nobody holds.
        if !self.ilo.has_time_for(root.login_delay) {
            let why = format!("its logins wait {} s after wrong passwords", root.login_delay.as_secs());
            return Err(VisitError::Busy(Some(root.login_delay), why));
        }
        self.intend(now, root.login_delay).await?;
        let answer = self.ilo.log_in(&self.target.credential, root.login_delay).await;
        let outcome = match answer {
            Ok(login) => {
                self.login = Some(LoginOutcome::Accepted);
                let held = Held {
                    session: login.session,
                    token: login.token,
                    account: self.account(),
                    authority: self.target.authority.clone(),
                };
                self.memory.intents.pop();
                self.memory.held = Some(held.clone());
                self.memory.expands = None;
                Ok(held)
            }
            Err(error) => Err(self.refused(error)),
        };
        // Where the session itself can't be written now, its intent is on disk, and proves it after a kill.
        self.save().await;
        outcome
    }

    /// Writes down that a login is about to be sent, and when it can happen on the iLO's clock.
    async fn intend(&mut self, now: Timestamp, login_delay: Duration) -> Result<(), VisitError> {
        let late = self.settings.poll.exchange_timeout + login_delay + LATE_LOGIN;
        let from = Timestamp::from_unix_s(now.unix_s().saturating_sub(1));
        if self.memory.intents.len() >= INTENTS_MAX {
            self.memory.intents.remove(0);
        }
        self.memory.intents.push(Intent { account: self.account(), from, to: now.plus(late) });
        if self.save().await {
            return Ok(());
        }
        self.memory.intents.pop();
        let why = self.unwritable.as_ref().map_or_else(String::new, ToString::to_string);
        Err(VisitError::Unwritable(why))
    }

    fn refused(&mut self, error: LoginError) -> VisitError {
        self.login = Some(LoginOutcome::Unknown);
        match error {
            LoginError::Unknown(error) => error.into(),
            LoginError::Rejected(word) => {
                self.memory.intents.pop();
                self.login = Some(LoginOutcome::Rejected(word.clone()));
                VisitError::Denied(word)
            }
            LoginError::TableFull(word) => {
                self.memory.intents.pop();
                VisitError::TableFull(word)
            }
            LoginError::Refused(error) => {
                self.memory.intents.pop();
                error.into()
            }
        }
    }

    /// Ends sessions of our own account that are proven to be ours and that nobody holds.
    pub(super) async fn end_strays(&mut self, held: &Held, seen: &Observation) -> Result<(), VisitError> {
        if seen.extent != Extent::Whole {
            return Ok(());
        }
        let strays = self.strays_in(seen);
        if strays.is_empty() {
            self.forget_proofs(seen);
            return Ok(());
        }
        let flashing = self.ilo.flashing(&held.token).await.map_err(|error| self.failed(error.into()))?;
        if flashing == Flashing::No {
            for (id, proof) in strays {
                if matches!(self.ilo.end(&held.token, &id).await, Ended::Done | Ended::AlreadyGone) {
                    self.strays.push((id, proof));
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
            if self.memory.former.contains(&session.id) {
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

    fn explained_by(&self, intent: &Intent, seen: &Observation) -> Vec<SessionId> {
        let could_be = seen.sessions.iter().filter(|session| {
            session.id != seen.own.held
                && !session.mine
                && session.kind == Kind::Rest
                && session.owner.as_ref() == Some(&intent.account)
                && session.login.is_some_and(|login| login >= intent.from && login <= intent.to)
                && !self.memory.former.contains(&session.id)
        });
        could_be.map(|session| session.id.clone()).collect()
    }

    /// Drops what can prove nothing any more: the ids of sessions that are gone, and intents whose time is
    /// over and that left no session.
    fn forget_proofs(&mut self, seen: &Observation) {
        let ended: Vec<&SessionId> = self.strays.iter().map(|(id, _)| id).collect();
        let there = |id: &SessionId| !ended.contains(&id) && seen.sessions.iter().any(|session| session.id == *id);
        let former: Vec<SessionId> = self.memory.former.iter().filter(|id| there(id)).cloned().collect();
        let Some(now) = seen.clock.now() else {
            self.memory.former = former;
            return;
        };
        let open = |intent: &&Intent| now <= intent.to || self.explained_by(intent, seen).iter().any(there);
        let intents: Vec<Intent> = self.memory.intents.iter().filter(open).cloned().collect();
        self.memory.intents = intents;
        self.memory.former = former;
    }

    /// Ends the session that we hold.
    pub(super) async fn log_out(&mut self) {
        let Some(held) = self.memory.held.clone() else { return };
        if held.authority != self.target.authority {
            return;
        }
        let ended = self.ilo.end(&held.token, &held.session).await;
        if matches!(ended, Ended::Done | Ended::AlreadyGone | Ended::NotOurs) {
            self.memory.held = None;
        }
    }
}
