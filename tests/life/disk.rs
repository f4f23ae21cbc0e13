//! The host's disk: the second seam. What was committed survives a kill, and the oracle reads along.

use std::time::Duration;

use ilo_reaper::settings::{IloName, Orders};
use ilo_reaper::state::model::Model;
use ilo_reaper::state::{Memory, Record, RecordId, Settled, State, Unwritable};

use crate::script::CrashAt;
use crate::world::World;

/// The state as one life of the daemon has it.
#[derive(Clone)]
pub(crate) struct Disk {
    pub(crate) world: World,
    pub(crate) model: Model,
}

impl Disk {
    /// The state of the next life.
    pub(crate) fn restarted(&self) -> Self {
        Self { world: self.world.clone(), model: self.model.restarted() }
    }

    pub(crate) fn fill(&self, is_full: bool) {
        self.model.fail(is_full);
    }

    pub(crate) fn slow(&self, pace: Duration) {
        self.model.slow(pace);
    }

    /// One more commit: whether the kill comes here is seen to now.
    /// Whether it is kept, and nobody hears of it.
    fn count(&self) -> bool {
        let mut inner = self.world.lock();
        let Some(CrashAt::Commit { number, is_after }) = inner.crash else { return false };
        if number > 1 {
            inner.crash = Some(CrashAt::Commit { number: number - 1, is_after });
            return false;
        }
        // Whoever is killed does not wait any more.
        self.model.slow(Duration::ZERO);
        if is_after {
            self.model.crash_after_next_commit();
        } else {
            self.model.crash_before_next_commit();
        }
        inner.die(&self.world.urgent);
        is_after
    }

    fn saved(&self, ilo: &IloName, memory: &Memory) {
        let mut inner = self.world.lock();
        let now = self.world.now(&inner);
        inner.oracle.saved(now, ilo.as_str(), memory);
    }

    fn read_along(&self, read: impl FnOnce(&mut crate::oracle::Oracle)) {
        read(&mut self.world.lock().oracle);
    }
}

impl State for Disk {
    async fn save(&self, ilo: &IloName, memory: &Memory) -> Result<(), Unwritable> {
        if self.count() {
            self.saved(ilo, memory);
        }
        let saving = self.model.save(ilo, memory).await;
        saving.inspect_err(|_| {
            let mut inner = self.world.lock();
            let now = self.world.now(&inner);
            inner.oracle.not_saved(now, ilo.as_str());
        })?;
        self.saved(ilo, memory);
        Ok(())
    }

    async fn record(&self, record: &Record) -> Result<RecordId, Unwritable> {
        self.count();
        let id = self.model.record(record).await.inspect_err(|_| self.read_along(crate::oracle::Oracle::refused))?;
        self.read_along(|oracle| oracle.recorded(id, record));
        Ok(id)
    }

    async fn settle(&self, id: RecordId, settled: Settled) -> Result<(), Unwritable> {
        self.count();
        let settling = self.model.settle(id, settled.clone()).await;
        settling.inspect_err(|_| self.read_along(crate::oracle::Oracle::refused))?;
        // A kill in another one's commit comes before whatever is done in the same moment.
        let mut inner = self.world.lock();
        if inner.alive.is_some() {
            inner.oracle.settled(id, &settled);
        }
        Ok(())
    }

    async fn order(&self, orders: &Orders) -> Result<(), Unwritable> {
        self.count();
        self.model.order(orders).await
    }

    async fn resume(&self, orders: &Orders) -> Result<(), Unwritable> {
        self.count();
        self.model.resume(orders).await
    }
}
