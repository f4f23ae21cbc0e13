//! Taking in what a task of the loop came back with.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::{Id, JoinError};

use super::{FORBIDDEN_WAIT, Finished, Fleet, Flight, Outcome, Rejection, SOON, Slot, news, survey, tally};
use crate::event::{Event, Failing, Place};
use crate::redfish::Transport;
use crate::settings::{CredentialId, Pressure, Target};
use crate::state::{State, Unwritable};
use crate::visit::{Fate, LoginOutcome, VisitError, Visited};

impl<T: Transport, S: State> Fleet<T, S> {
    pub(super) fn joined(&mut self, joined: Result<(Id, Finished), JoinError>) {
        match joined {
            Ok((task, finished)) => {
                let flown = self.flying.remove(&task).map(|flight| flight.target);
                match (finished, flown) {
                    (Finished::Visit(mut visited), Some(target)) => {
                        let outcome = self.finish(&target, &mut visited);
                        self.saw_asked(&target.name, visited.result, outcome);
                    }
                    (Finished::Left(left), Some(target)) => {
                        self.tally.exchanged(&left.exchanges);
                        self.has_left(target.name.clone(), left.memory);
                    }
                    (_, None) => {}
                }
            }
            Err(error) => self.broken(&error),
        }
    }

    /// A visit panicked. What it had done is not known, so the iLO is left alone until a restart, which
    /// finds everything that matters in the state.
    fn broken(&mut self, error: &JoinError) {
        let Some(Flight { target, .. }) = self.flying.remove(&error.id()) else { return };
        let now = self.now();
        self.schedule.done(&target.name, Outcome::Failed(None), now);
        self.breaker.released(&target.credential, &target.name);
        self.tally.broke(&target);
        self.saw_asked(&target.name, Err(super::broken()), Outcome::Failed(None));
        let host_now = self.world.clock.now();
        let Some(slot) = self.slots.get_mut(&target.name) else { return };
        slot.parked = true;
        slot.last_visit = Some(host_now);
        slot.failing = Some(Failing { since: host_now, outcome: tally::BROKEN, why: super::broken().to_string() });
        let detail = crate::session::clean(&error.to_string(), 300);
        self.tell(Event::VisitBroken { at: Place::from(target.as_ref()), detail }, now);
    }

    /// Tells an event, unless it waits to be told with others.
    fn tell(&mut self, event: Event, now: Duration) {
        if let Some(event) = self.bundle.pass(event, now) {
            self.teller.tell(event);
        }
    }

    /// Takes a visit's result in; the outcome for the schedule. `target` is what was visited, and as whom: the
    /// configuration may name another place or account by now.
    pub(super) fn finish(&mut self, target: &Arc<Target>, visited: &mut Visited) -> Outcome {
        let name = &target.name;
        let now = self.now();
        let outcome = outcome(visited);
        self.tell_state(visited);
        let Some(slot) = self.slots.get_mut(name) else {
            self.schedule.done(name, outcome, now);
            return outcome;
        };
        let settings = Arc::clone(&self.in_force.borrow().settings);
        let (events, counts) = news::of(&mut slot.told, target, visited, &settings, now);
        self.tally.ended(target, visited, &events);
        let host_now = self.world.clock.now();
        slot.last_visit = Some(host_now);
        slot.failing = tally::failing(slot.failing.take(), visited, host_now, slot.told.unreachable);
        let outcome = match outcome {
            Outcome::Good(_) => Outcome::Good(slot.told.watch.look_within()),
            other => other,
        };
        if news::is_another(&slot.target, target) {
            self.world.lore().keep(&visited.memory);
            self.world.claims().release(name);
        }
        slot.memory = Some(std::mem::take(&mut visited.memory));
        slot.notes = std::mem::take(&mut visited.notes);
        if let Ok(visit) = &visited.result
            && visit.fates.iter().any(|(_, fate)| matches!(fate, Fate::Forbidden(_)))
        {
            slot.no_end_before = Some(now + FORBIDDEN_WAIT);
        }
        self.summary.visited += counts.visited;
        self.summary.reaped += counts.reaped;
        self.summary.would_reap += counts.would_reap;
        if visited.result.is_ok() {
            self.took.push(visited.took);
        }
        self.schedule.done(name, outcome, now);
        for event in events {
            let leaker = match &event {
                Event::SessionReaped { case, .. } | Event::SessionWouldReap { case, .. } => {
                    self.leakers.left(case, name, now)
                }
                _ => None,
            };
            self.tell(event, now);
            if let Some(leaker) = leaker {
                self.tally.leaker_found();
                self.teller.tell(leaker);
            }
        }
        self.tell_login(target, visited.login.as_ref(), now);
        self.move_away(target);
        if let Some(door) = self.slots.get(name).and_then(|slot| slot.leaving) {
            self.leave(name, door);
        }
        outcome
    }

    fn tell_login(&mut self, target: &Target, login: Option<&LoginOutcome>, now: Duration) {
        let (credential, name) = (&target.credential, &target.name);
        match login {
            None | Some(LoginOutcome::Unknown) => self.breaker.released(credential, name),
            Some(LoginOutcome::Accepted) => {
                // A password that was changed is another one for the breaker, and the end of the trouble for people.
                let was_told = self.suspended.remove(&credential.id).is_some();
                if self.breaker.accepted(credential, name, now) || was_told {
                    let (credential, accepted_by) = (credential.id.clone(), name.clone());
                    self.teller.tell(Event::CredentialRestored { credential, accepted_by });
                }
            }
            Some(LoginOutcome::Rejected(_)) => {
                let Rejection { retry_in, suspended } = self.breaker.rejected(credential, name, now);
                let username = target.credential.username.clone();
                self.tell(Event::LoginRejected { at: Place::from(target), username, retry_in }, now);
                if let Some((rejected_by, retry_in)) = suspended {
                    let credential = credential.id.clone();
                    self.suspended.insert(credential.clone(), (rejected_by.clone(), now));
                    self.teller.tell(Event::CredentialSuspended { credential, rejected_by, retry_in });
                }
            }
        }
    }

    fn tell_state(&mut self, visited: &Visited) {
        match &visited.unwritable {
            Some(why) => self.tell_unwritable(why),
            None if visited.wrote => self.tell_writable(),
            None => {}
        }
    }

    pub(super) fn tell_writable(&mut self) {
        if self.unwritable.take().is_some() {
            self.teller.tell(Event::StateWritable { path: self.state_path.clone() });
        }
    }

    pub(super) fn tell_unwritable(&mut self, why: &Unwritable) {
        let (now, remind) = (self.now(), self.settings().report.remind);
        if self.unwritable.is_none_or(|told_at| now.saturating_sub(told_at) >= remind) {
            self.unwritable = Some(now);
            let path = self.state_path.clone();
            self.teller.tell(Event::StateUnwritable { path, cause: why.to_string() });
        }
    }

    /// Tells again which credentials are suspended, while they are.
    fn remind_of_suspended(&mut self) {
        let (now, settings) = (self.now(), self.settings());
        let remind = settings.report.remind;
        let is_used = |id: &CredentialId| settings.targets.values().any(|target| target.credential.id == *id);
        self.suspended.retain(|id, _| is_used(id));
        for (credential, (rejected_by, told_at)) in &mut self.suspended {
            // Another password is not suspended, and its trouble is over for people when an iLO accepts it.
            let Some(until) = self.breaker.suspended_until(credential) else { continue };
            if now.saturating_sub(*told_at) >= remind {
                *told_at = now;
                let (credential, rejected_by) = (credential.clone(), rejected_by.clone());
                let retry_in = until.saturating_sub(now);
                self.teller.tell(Event::CredentialSuspended { credential, rejected_by, retry_in });
            }
        }
    }

    pub(super) fn summarise(&mut self) {
        self.remind_of_suspended();
        let mut summary = std::mem::take(&mut self.summary);
        let stays = |slot: &&Slot| slot.leaving.is_none();
        summary.ilos = self.slots.values().filter(stays).count();
        summary.late = self.schedule.late(self.now());
        for slot in self.slots.values().filter(stays) {
            match survey::standing(slot).pressure() {
                Some(Pressure::Near) => summary.near += 1,
                Some(Pressure::Critical) => summary.critical += 1,
                Some(Pressure::Full) => summary.full += 1,
                Some(Pressure::Calm) | None => {}
            }
        }
        summary.visit_p99 = p99(std::mem::take(&mut self.took));
        summary.unreachable = self.slots.values().filter(stays).filter(|slot| slot.told.unreachable).count();
        self.teller.tell(Event::FleetSummary(summary));
    }
}

/// All but one in a hundred are no longer than this.
fn p99(mut took: Vec<Duration>) -> Duration {
    took.sort_unstable();
    let place = (took.len() * 99).div_ceil(100);
    place.checked_sub(1).and_then(|place| took.get(place)).copied().unwrap_or_default()
}

/// What a visit means for the schedule.
fn outcome(visited: &Visited) -> Outcome {
    let error = match &visited.result {
        Ok(visit) => visit.cut_short.as_ref(),
        Err(error) => Some(error),
    };
    match error {
        None => Outcome::Good(None),
        Some(VisitError::DoorLost) => Outcome::Again,
        Some(VisitError::Busy(wait, _)) => Outcome::Failed(*wait),
        Some(VisitError::TableFull(_)) => Outcome::InLine,
        Some(VisitError::LoginsLost | VisitError::Unwritable(_)) => Outcome::Failed(Some(SOON)),
        Some(_) => Outcome::Failed(None),
    }
}
