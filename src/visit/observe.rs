//! Who is on, and when that is on the iLO's own clock.

use std::time::Duration;

use super::clock::{self, Judgement, Readings};
use super::{VisitError, Visitor};
use crate::policy;
use crate::redfish::{Collection, IloError, Member, Seen, Transport};
use crate::session::{Extent, Observation, Own, Session};
use crate::state::{Held, State};

/// How soon after a refused login the entries in a table tell its limit. Later, too many may have ended.
const REFUSAL_TELLS: Duration = Duration::from_secs(120);

/// The most members that are asked for one by one, where an iLO does not expand.
const LINKS_MAX: usize = 64;

impl<T: Transport, S: State> Visitor<'_, T, S> {
    /// One request where the iLO expands, one more per member where it does not. Strays of ours are ended
    /// on the way.
    pub(super) async fn observe(&mut self) -> Result<Observation, VisitError> {
        let held = self.door().await?;
        let seen = self.collection(&held).await.map_err(|error| self.failed(error))?;
        let Seen { now, collection: Collection { members, mut extent } } = seen;
        let sessions = self.whole(&held, members, &mut extent).await?;
        let own = sessions.iter().find(|session| session.id == held.session).cloned();
        if own.is_none() && extent == Extent::Whole {
            extent = Extent::Cut(String::from("our own session is not in the collection"));
        }
        let judgement = self.judge(now, own.as_ref(), &sessions);
        let clock = judgement.clock.clone();
        // A part of the table does not tell who was there when the clock jumped, nor who is gone.
        if extent == Extent::Whole {
            self.learn(&judgement, &sessions);
        }
        let shown = own.and_then(|own| own.owner);
        let accounts = [Some(self.account()), Some(held.account.clone()), shown].into_iter().flatten().collect();
        let own = Own { held: held.session.clone(), accounts };
        let seen = Observation { clock, extent, own, sessions, suspects: self.memory.suspects.clone() };
        self.witness.watch(&seen, self.world.started.elapsed());
        self.learn_table(&seen);
        self.end_strays(&held, &seen).await?;
        Ok(seen)
    }

    /// The collection, expanded where the iLO can do that. An iLO 4 ignores the wish silently, others
    /// answer it with an error (HPE Redfish docs on `OData` query options; `OpenBMC` answers 501).
    async fn collection(&mut self, held: &Held) -> Result<Seen, VisitError> {
        if self.memory.expands != Some(false) {
            match self.ilo.sessions(&held.token, true).await {
                Err(IloError::Status(400..=499 | 501, _)) => self.memory.expands = Some(false),
                seen => return Ok(seen?),
            }
        }
        Ok(self.ilo.sessions(&held.token, false).await?)
    }

    async fn whole(
        &mut self,
        held: &Held,
        members: Vec<Member>,
        extent: &mut Extent,
    ) -> Result<Vec<Session>, VisitError> {
        let links = members.iter().filter(|member| matches!(member, Member::Link(_))).count();
        if !members.is_empty() {
            self.memory.expands = Some(links == 0);
        }
        if links > LINKS_MAX {
            *extent = Extent::Cut(format!("{links} sessions, to be asked for one by one"));
            return Ok(Vec::new());
        }
        let mut sessions = Vec::new();
        for member in members {
            match member {
                Member::Whole(session) => sessions.push(*session),
                // An id that can't be part of a path can't be asked for: such a session stays, unseen.
                Member::Link(id) if id.segment().is_none() => {
                    *extent = Extent::Cut(format!("the id {id} is not plain text"));
                }
                Member::Link(id) => match self.ilo.session(&held.token, &id).await {
                    Ok(Some(session)) => sessions.push(session),
                    // It ended since the collection was read.
                    Ok(None) => {}
                    Err(error) => return Err(self.failed(error.into())),
                },
            }
        }
        Ok(sessions)
    }

    fn judge(&self, date: Option<crate::time::Timestamp>, own: Option<&Session>, sessions: &[Session]) -> Judgement {
        clock::judge(&Readings {
            date,
            host_now: self.world.clock.now(),
            last_offset_s: self.memory.clock_offset_s,
            host_step_s: self.host_zero_s.map_or(0, |last| self.host_zero_now_s().saturating_sub(last)),
            held: own,
            others: sessions,
            suspects: &self.memory.suspects,
            poll_every: self.settings.poll.every,
        })
    }

    /// Keeps the most entries seen, and the limit that the iLO named by refusing us a login just before: since
    /// then a place or two became free, and one of them is ours.
    fn learn_table(&mut self, seen: &Observation) {
        if seen.extent != Extent::Whole {
            return;
        }
        let used = policy::used(seen, &self.settings.pressure);
        self.memory.most_used = self.memory.most_used.max(used);
        let refused_at = self.memory.refused_at.take();
        if refused_at.is_some_and(|at| at.distance(self.world.clock.now()) <= REFUSAL_TELLS) {
            self.memory.limit_seen = Some(self.memory.most_used);
        }
    }

    fn host_zero_now_s(&self) -> i64 {
        let since_s = i64::try_from(self.world.started.elapsed().as_secs()).unwrap_or(i64::MAX);
        self.world.clock.now().unix_s().saturating_sub(since_s)
    }

    /// Keeps the clock's offset, and after a jump the names of those whose times are of the clock before.
    fn learn(&mut self, judgement: &Judgement, sessions: &[Session]) {
        /// A change that is not worth a write.
        const DRIFT_S: u64 = 5;
        self.host_zero_s = Some(self.host_zero_now_s());
        let known = self.memory.clock_offset_s.zip(judgement.offset_s);
        if known.is_none_or(|(known, now)| known.abs_diff(now) > DRIFT_S) {
            self.memory.clock_offset_s = judgement.offset_s;
        }
        self.jumped = judgement.jumped;
        if judgement.jumped {
            self.memory.suspects = sessions.iter().map(|session| session.id.clone()).collect();
            // An intent is a span on the clock that is no more.
            let here = &self.target.authority;
            self.memory.intents.retain(|intent| intent.authority != *here);
        } else {
            self.memory.suspects.retain(|id| sessions.iter().any(|session| session.id == *id));
        }
    }
}
