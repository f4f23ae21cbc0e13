//! Look again, then DELETE, each. Every reason to stop is asked once more at the last moment.

use std::sync::PoisonError;
use std::time::Duration;

use super::{Armed, Fate, MayEnd, Stay, Visit, VisitError, Visitor};
use crate::event::Gone;
use crate::policy::{Budget, Cap, Doomed, HeldBack, Plan};
use crate::redfish::{Ended, Flashing, Transport};
use crate::session::{Observation, Session};
use crate::settings::{Caps, IloName, Mode};
use crate::state::{Held, Record, RecordId, Settled, State};
use crate::time::HostMoment;

/// From asking for the look to the DELETE. What is older proves nothing: its owner may have come back, also
/// while the answer was on its way.
const LOOK_TO_DELETE: Duration = Duration::from_secs(2);

/// The part of it that a new connection may take. The iLO may have closed the one that the look came over.
const SWIFT_CONNECT: Duration = Duration::from_secs(1);

/// For how long an answer of the update service says that no firmware is on its way. An iLO that takes a second for each
/// answer is not asked again within a visit.
const FLASHING_TELLS: Duration = Duration::from_secs(10);

/// The same when a DELETE is sent: a slow disk, a slow look, or a host that slept may come in between.
const FLASHING_TELLS_AT_MOST: Duration = Duration::from_secs(20);

/// How one session of the plan ended, for the rest of the plan.
enum Next {
    /// Go on.
    GoOn(Fate),
    /// Leave the others alone.
    Stop(Fate, Option<VisitError>),
    /// This cap holds it and the others back.
    Capped(Cap),
    /// Nothing was done, since it could not be written down.
    Unrecorded,
}

/// Those who stay because of a cap.
fn held_back_by(cap: Cap, doomed: &[Doomed]) -> impl Iterator<Item = HeldBack> {
    doomed.iter().map(move |one| HeldBack { case: one.case().clone(), cap })
}

impl<T: Transport, S: State> Visitor<'_, T, S> {
    /// Carries the plan out, where that is what is in force.
    pub(super) async fn reap(&mut self, seen: Observation, plan: Plan) -> Visit {
        let armed = self.world.in_force.borrow().arm(&self.target, self.may_end, self.world.clock.now());
        let mode = if armed.is_ok() { Mode::Enforce } else { Mode::Observe };
        let because = armed.as_ref().err().cloned();
        // Where our account may not end anybody, it is not a cap that holds anybody back.
        let held_back = if self.may_end == MayEnd::Forbidden { Vec::new() } else { plan.held_back.clone() };
        let (fates, cut_short, may_end) = (Vec::new(), None, self.may_end);
        let mut visit = Visit { seen, plan, mode, because, may_end, fates, held_back, cut_short };
        let may_end = matches!(may_end, MayEnd::InMode | MayEnd::InAnyMode);
        let (Some(armed), Some(held)) = (armed.ok().filter(|_| may_end), self.memory.held.clone()) else {
            return visit;
        };
        if !visit.plan.doomed().is_empty() {
            self.end_all(&armed, &held, &mut visit).await;
        }
        self.note_held_back(&visit).await;
        visit
    }

    async fn end_all(&mut self, armed: &Armed, held: &Held, visit: &mut Visit) {
        let doomed = visit.plan.doomed().to_vec();
        let mut asked: Option<HostMoment> = None;
        for (number, one) in doomed.iter().enumerate() {
            // Where a minute has had its share, nobody is asked, and nothing is written down as if it were to go.
            if let Err(cap) = self.may_spend(Budget::allows) {
                visit.held_back.splice(0..0, held_back_by(cap, &doomed[number..]));
                return;
            }
            // Deletions may be slow, and firmware may come in between.
            if asked.is_none_or(|asked| asked.ago_at_most(&self.world.clock) > FLASHING_TELLS) {
                let asks = HostMoment::of(&self.world.clock);
                asked = Some(asks);
                let stay = match self.ilo.flashing(&held.token).await {
                    // The answer may be from before the host slept.
                    Ok(Flashing::No) => (asks.ago_at_most(&self.world.clock) > FLASHING_TELLS).then_some(Stay::TooLate),
                    Ok(Flashing::Perhaps(state)) => Some(Stay::Flashing(state)),
                    Err(error) => {
                        visit.cut_short = Some(self.failed(error.into()));
                        return;
                    }
                };
                if let Some(fate) = stay.map(Fate::Spared) {
                    visit.fates.extend(doomed[number..].iter().map(|one| (one.case().clone(), fate.clone())));
                    return;
                }
            }
            match self.end_one(armed, held, one, &visit.seen, asked).await {
                Next::GoOn(fate) => visit.fates.push((one.case().clone(), fate)),
                Next::Stop(fate, error) => {
                    visit.fates.push((one.case().clone(), fate));
                    visit.cut_short = error;
                    return;
                }
                Next::Capped(cap) => {
                    visit.held_back.splice(0..0, held_back_by(cap, &doomed[number..]));
                    self.notes.held_back.insert(one.case().session.id.clone());
                    return;
                }
                Next::Unrecorded => return,
            }
        }
    }

    /// One session: written down, looked at again, and ended if nothing speaks against it. That no firmware is on its way
    /// was `asked` before.
    async fn end_one(
        &mut self,
        armed: &Armed,
        held: &Held,
        doomed: &Doomed,
        seen: &Observation,
        asked: Option<HostMoment>,
    ) -> Next {
        let record = match self.world.state.record(&self.record_of(doomed.case())).await {
            Ok(record) => {
                self.wrote = true;
                record
            }
            Err(why) => {
                self.unwritable = Some(why);
                return Next::Unrecorded;
            }
        };
        let planned = &doomed.case().session;
        let looked = HostMoment::of(&self.world.clock);
        let look = self.ilo.swift(SWIFT_CONNECT).session(&held.token, &planned.id).await;
        let next = match look {
            Ok(None) => Next::GoOn(Fate::Spared(Stay::Gone)),
            Ok(Some(now)) => {
                let world = self.world;
                // What is put in force from now on waits until this is over, and the others wait behind it.
                let _passing = world.passage.read().await;
                match self.objection(planned, &now, seen) {
                    Some(why) => Next::GoOn(Fate::Spared(why)),
                    None if asked.is_none_or(|asked| asked.ago_at_most(&world.clock) > FLASHING_TELLS_AT_MOST) => {
                        Next::GoOn(Fate::Spared(Stay::TooLate))
                    }
                    None => self.delete(armed, held, planned, looked).await,
                }
            }
            Err(error) => {
                let error = self.failed(error.into());
                Next::Stop(Fate::Spared(Stay::Unseen(error.to_string())), Some(error))
            }
        };
        self.settle(record, &next).await;
        next
    }

    /// What speaks against ending a session that was just looked at: it changed, or what is in force now
    /// would not end it.
    fn objection(&self, planned: &Session, now: &Session, seen: &Observation) -> Option<Stay> {
        if !now.same_as_seen(planned) {
            let used = now.access != planned.access && now.login == planned.login && now.owner == planned.owner;
            return Some(if used { Stay::Used } else { Stay::Changed });
        }
        let in_force = self.world.in_force.borrow().clone();
        if let Err(why) = in_force.arm(&self.target, self.may_end, self.world.clock.now()) {
            return Some(Stay::NotInForce(why));
        }
        let (settings, orders) = (&in_force.settings, &in_force.orders);
        let lets_go = settings.targets.get(&self.target.name);
        let lets_go = lets_go.is_some_and(|target| self.plan_of((settings, orders), target, seen).lets_go(&planned.id));
        (!lets_go).then_some(Stay::Policy)
    }

    async fn delete(&mut self, _armed: &Armed, held: &Held, planned: &Session, looked: HostMoment) -> Next {
        if looked.ago_at_most(&self.world.clock) + SWIFT_CONNECT > LOOK_TO_DELETE {
            return Next::GoOn(Fate::Spared(Stay::TooLate));
        }
        // Taken last, so that what is spared costs nothing.
        if let Err(cap) = self.may_spend(Budget::take) {
            return Next::Capped(cap);
        }
        match self.ilo.swift(SWIFT_CONNECT).end(&held.token, &planned.id).await {
            Ended::Done => {
                self.notes.was_denied = false;
                Next::GoOn(Fate::Gone(Gone::Ended))
            }
            Ended::AlreadyGone => Next::GoOn(Fate::Gone(Gone::AlreadyGone)),
            Ended::Refused(status, message) => Next::GoOn(Fate::Refused(status, message)),
            Ended::Forbidden(status) => Next::Stop(Fate::Forbidden(status), None),
            Ended::NotOurs => self.denied(held, planned).await,
            Ended::Unknown(why) => {
                let error = VisitError::Unreachable(crate::event::Cause::Http, why.clone());
                Next::Stop(Fate::Unknown(why), Some(error))
            }
        }
    }

    /// A DELETE was answered with 401. That may mean that our session is dead, that the other one is, or that our account
    /// lacks a privilege: no source says. A new login each time would fill the table, so it is asked once more.
    async fn denied(&mut self, held: &Held, planned: &Session) -> Next {
        match self.ilo.session(&held.token, &planned.id).await {
            Ok(None) => Next::GoOn(Fate::Gone(Gone::AlreadyGone)),
            Ok(Some(_)) if std::mem::replace(&mut self.notes.was_denied, true) => {
                Next::Stop(Fate::Forbidden(401), None)
            }
            Ok(Some(_)) => Next::Stop(Fate::Refused(401, None), None),
            Err(error) => {
                let error = self.failed(error.into());
                Next::Stop(Fate::Refused(401, None), Some(error))
            }
        }
    }

    /// Asks for a deletion here by the caps that are in force at this moment.
    fn may_spend(
        &self,
        ask: impl FnOnce(&mut Budget, &Caps, &IloName, Duration) -> Result<(), Cap>,
    ) -> Result<(), Cap> {
        let caps = self.world.in_force.borrow().settings.caps.clone();
        let mut budget = self.world.budget.lock().unwrap_or_else(PoisonError::into_inner);
        ask(&mut budget, &caps, &self.target.name, self.world.started.elapsed())
    }

    async fn settle(&mut self, record: RecordId, next: &Next) {
        let settled = match next {
            Next::Capped(cap) => Settled::HeldBack(cap.name()),
            Next::Unrecorded => return,
            Next::GoOn(fate) | Next::Stop(fate, _) => match fate {
                Fate::Gone(gone) => Settled::Gone(*gone),
                Fate::Spared(why) => Settled::Spared(why.to_string()),
                Fate::Forbidden(status) | Fate::Refused(status, _) => Settled::Refused(*status),
                Fate::Unknown(_) => Settled::Unknown,
            },
        };
        if let Err(why) = self.world.state.settle(record, settled).await {
            self.unwritable = Some(why);
        }
    }

    /// Writes down, once while it lasts, each session that only a cap keeps.
    async fn note_held_back(&mut self, visit: &Visit) {
        let mut noted = std::mem::take(&mut self.notes.held_back);
        noted.retain(|id| visit.held_back.iter().any(|held_back| held_back.case.session.id == *id));
        for held_back in &visit.held_back {
            if noted.contains(&held_back.case.session.id) {
                continue;
            }
            let written = match self.world.state.record(&self.record_of(&held_back.case)).await {
                Ok(record) => self.world.state.settle(record, Settled::HeldBack(held_back.cap.name())).await,
                Err(why) => Err(why),
            };
            match written {
                Ok(()) => noted.insert(held_back.case.session.id.clone()),
                Err(why) => {
                    self.unwritable = Some(why);
                    break;
                }
            };
        }
        self.notes.held_back = noted;
    }

    fn record_of(&self, case: &crate::event::Case) -> Record {
        Record {
            at: self.world.clock.now(),
            ilo: self.target.name.clone(),
            group: self.target.group.clone(),
            case: case.clone(),
        }
    }
}
