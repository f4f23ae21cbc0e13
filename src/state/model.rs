//! The state in memory, for simulation: what was committed survives, and a kill comes where a test wants it.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{CAPPED_S, Memory, Record, RecordId, Settled, State, Unwritable, keepable};
use crate::settings::{IloName, Orders};
use crate::time::Timestamp;

/// A state whose clones share what they keep. Each call is a commit of its own, so there is never anything
/// that was answered and could get lost.
#[derive(Clone, Default)]
pub struct Model {
    process: Arc<Mutex<Process>>,
}

/// One life of the daemon, from its start to its kill.
#[derive(Default)]
struct Process {
    disk: Disk,
    crash: Crash,
    is_full: bool,
    pace: Duration,
}

/// What survives a kill.
#[derive(Clone, Default)]
struct Disk {
    memories: BTreeMap<IloName, Memory>,
    records: Vec<(Record, Option<Settled>)>,
    orders: Orders,
}

/// Where the kill comes.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Crash {
    #[default]
    Never,
    BeforeNextCommit,
    AfterNextCommit,
    Happened,
}

/// A call that nobody hears the end of.
struct Killed;

impl Model {
    /// From now on each call fails and keeps nothing, or no longer.
    pub fn fail(&self, is_full: bool) {
        self.process().is_full = is_full;
    }

    /// From now on each call takes so long.
    pub fn slow(&self, pace: Duration) {
        self.process().pace = pace;
    }

    /// The next call keeps nothing and never returns, nor does any after it: kill -9 before the write.
    pub fn crash_before_next_commit(&self) {
        self.process().crash = Crash::BeforeNextCommit;
    }

    /// The next call keeps what it was given and never returns, and those after it keep nothing and never
    /// return either: kill -9 after the write, before anybody could rely on it.
    pub fn crash_after_next_commit(&self) {
        self.process().crash = Crash::AfterNextCommit;
    }

    /// Whether the kill has come. What the daemon still does after it must not count.
    pub fn has_crashed(&self) -> bool {
        self.process().crash == Crash::Happened
    }

    /// The state of the next life: it starts with what was kept, and what is left of this one can't reach it.
    #[must_use]
    pub fn restarted(&self) -> Self {
        let disk = self.process().disk.clone();
        Self { process: Arc::new(Mutex::new(Process { disk, ..Process::default() })) }
    }

    /// What a restart would read.
    pub fn remembered(&self) -> BTreeMap<IloName, Memory> {
        self.process().disk.memories.clone()
    }

    /// What people ordered.
    pub fn orders(&self) -> Orders {
        self.process().disk.orders.clone()
    }

    /// The iLOs of the deletions of the last minute, one for each, at a start at `now`.
    pub fn ended_lately(&self, now: Timestamp) -> Vec<IloName> {
        let from_s = now.unix_s().saturating_sub(CAPPED_S);
        let was_sent = |settled: &Option<Settled>| !matches!(settled, Some(Settled::Spared(_) | Settled::HeldBack(_)));
        let process = self.process();
        let lately =
            process.disk.records.iter().filter(|(record, settled)| record.at.unix_s() >= from_s && was_sent(settled));
        lately.map(|(record, _)| record.ilo.clone()).collect()
    }

    /// Every record, in the order of its id, and how it ended.
    pub fn records(&self) -> Vec<(Record, Option<Settled>)> {
        self.process().disk.records.clone()
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One commit.
    async fn commit<T>(&self, change: impl FnOnce(&mut Disk) -> Result<T, Unwritable> + Send) -> Result<T, Unwritable> {
        let pace = self.process().pace;
        if !pace.is_zero() {
            tokio::time::sleep(pace).await;
        }
        let committed = self.process().commit(change);
        match committed {
            Ok(answer) => answer,
            Err(Killed) => pending().await,
        }
    }
}

impl Process {
    fn commit<T>(
        &mut self,
        change: impl FnOnce(&mut Disk) -> Result<T, Unwritable>,
    ) -> Result<Result<T, Unwritable>, Killed> {
        match self.crash {
            Crash::Never if self.is_full => Ok(Err(Unwritable(String::from("no space left (simulated)")))),
            Crash::Never => Ok(change(&mut self.disk)),
            Crash::AfterNextCommit => {
                self.crash = Crash::Happened;
                if !self.is_full {
                    let _ = change(&mut self.disk);
                }
                Err(Killed)
            }
            Crash::BeforeNextCommit | Crash::Happened => {
                self.crash = Crash::Happened;
                Err(Killed)
            }
        }
    }
}

impl State for Model {
    async fn save(&self, ilo: &IloName, memory: &Memory) -> Result<(), Unwritable> {
        keepable(ilo, memory)?;
        self.commit(|disk| {
            // As in the database, nothing remembered is nothing kept.
            if *memory == Memory::default() {
                disk.memories.remove(ilo);
            } else {
                disk.memories.insert(ilo.clone(), memory.clone());
            }
            Ok(())
        })
        .await
    }

    async fn record(&self, record: &Record) -> Result<RecordId, Unwritable> {
        self.commit(|disk| {
            let id = i64::try_from(disk.records.len()).map_err(|error| Unwritable(error.to_string()))?;
            disk.records.push((record.clone(), None));
            Ok(RecordId(id))
        })
        .await
    }

    async fn settle(&self, id: RecordId, settled: Settled) -> Result<(), Unwritable> {
        self.commit(|disk| {
            let record = usize::try_from(id.0).ok().and_then(|index| disk.records.get_mut(index));
            let (_, end) = record.ok_or_else(|| Unwritable(String::from("there is no such record")))?;
            *end = Some(settled);
            Ok(())
        })
        .await
    }

    async fn order(&self, orders: &Orders) -> Result<(), Unwritable> {
        self.commit(|disk| {
            disk.orders = orders.clone();
            Ok(())
        })
        .await
    }

    async fn resume(&self, orders: &Orders) -> Result<(), Unwritable> {
        // Whether a state was lost is for whoever simulates a start.
        self.order(orders).await
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::session::{Owner, SessionId};
    use crate::settings::Authority;
    use crate::state::Former;

    /// What a call says at once; `None` where it never returns.
    fn answer<T>(call: impl Future<Output = T>) -> Option<T> {
        match pin!(call).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => Some(answer),
            Poll::Pending => None,
        }
    }

    fn former(id: &str) -> Memory {
        let authority = Authority { host: String::from("192.0.2.7"), port: 443 };
        let former = Former { session: SessionId::read(id), account: Owner::new("svc-ilo-reaper"), authority };
        Memory { former: vec![former], ..Memory::default() }
    }

    #[test]
    fn a_kill_comes_before_or_after_the_write_and_nothing_gets_through_later() {
        let ilo = IloName::new("db-1");
        for (crash_after, kept) in [(false, "one"), (true, "two")] {
            let state = Model::default();
            assert_eq!(answer(state.save(&ilo, &former("one"))), Some(Ok(())));
            if crash_after {
                state.crash_after_next_commit();
            } else {
                state.crash_before_next_commit();
            }
            assert!(!state.has_crashed());
            assert_eq!(answer(state.save(&ilo, &former("two"))), None);
            assert_eq!(answer(state.clone().save(&ilo, &former("three"))), None);
            assert!(state.has_crashed());

            let next = state.restarted();
            assert!(next.remembered() == BTreeMap::from([(ilo.clone(), former(kept))]));
            assert_eq!(answer(next.save(&ilo, &Memory::default())), Some(Ok(())));
            assert!(next.remembered().is_empty() && !state.remembered().is_empty());
        }
    }

    #[test]
    fn what_was_learned_of_one_ilo_says_nothing_about_another() {
        let place = |host: &str| Authority { host: host.to_owned(), port: 443 };
        let mut memory = former("one");
        memory.forget(&place("192.0.2.7"));
        (memory.clock_offset_s, memory.limit_seen, memory.most_used) = (Some(7200), Some(6), 6);
        let before = memory.clone();
        memory.forget(&place("192.0.2.8"));
        assert_eq!((memory.clock_offset_s, memory.limit_seen, memory.most_used), (None, None, 0));
        assert_eq!(memory.former, before.former, "proofs carry their place with them");
    }

    #[test]
    fn a_full_disk_keeps_nothing_until_there_is_room() {
        let (state, ilo) = (Model::default(), IloName::new("db-1"));
        state.fail(true);
        assert!(matches!(answer(state.save(&ilo, &former("one"))), Some(Err(Unwritable(_)))));
        assert!(state.remembered().is_empty());
        state.fail(false);
        assert_eq!(answer(state.save(&ilo, &former("one"))), Some(Ok(())));
        assert!(matches!(answer(state.settle(RecordId(0), Settled::Unknown)), Some(Err(Unwritable(_)))));
        assert!(matches!(answer(state.save(&ilo, &former("not/plain"))), Some(Err(Unwritable(_)))));
    }
}
