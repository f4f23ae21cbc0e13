//! The state in `SQLite`: durable over kill -9, and people can query it while we run.
//!
//! One thread owns the database. What is asked of it waits in a queue; all that waits goes into one
//! transaction, and everybody is answered once it is on disk. So one disk flush serves a whole fleet, and
//! nobody but this thread ever waits for the disk.

mod ground;
mod judge;
mod orders;
mod rows;
mod schema;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

use self::ground::Ground;
pub use self::ground::OpenError;
use super::{CAPPED_S, Memory, Record, RecordId, Settled, State, Unwritable, keepable};
use crate::settings::{IloName, Orders};
use crate::time::Timestamp;

/// Changes in one transaction at most.
const GROUP_MAX: usize = 4096;
/// Records of deletions that are kept.
const RECORDS_MAX: i64 = 100_000;
/// So many new ones, and the oldest are dropped.
const RECORDS_PER_TRIM: i64 = 1000;

/// A way to the thread that writes the state. It ends, and closes the database, when the last one is dropped.
#[derive(Clone)]
pub struct Sqlite {
    jobs: Sender<Job>,
}

/// A state that is open, and what was in it.
pub struct Opened {
    /// The state.
    pub state: Sqlite,
    /// Its thread, to wait for at the end.
    pub thread: StateThread,
    /// What is remembered of each iLO; none is there of which nothing is remembered.
    pub remembered: BTreeMap<IloName, Memory>,
    /// The iLOs of the deletions of the last minute, one for each: they count for the caps.
    pub ended_lately: Vec<IloName>,
    /// What people ordered.
    pub orders: Orders,
    /// The state, or a part of it, was lost.
    pub reset: Option<Reset>,
    /// It was lost now or at an earlier start, and no person has said [`State::resume`] since: nothing may be
    /// deleted.
    pub observing: bool,
}

/// How a state was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reset {
    /// What is left of it.
    pub path: PathBuf,
    /// What was wrong with it.
    pub cause: String,
}

/// The thread that writes.
pub struct StateThread(JoinHandle<()>);

impl StateThread {
    /// Waits until every [`Sqlite`] is dropped, and all is written and closed.
    pub fn wait(self) {
        // It fails only if the thread panicked, and then there is nothing to wait for.
        let _ = self.0.join();
    }
}

/// A change, and who waits for it. Where nobody does any more, it is made all the same.
struct Job {
    change: Change,
    answer: oneshot::Sender<Result<Done, Unwritable>>,
}

/// What can be asked for.
enum Change {
    Save(IloName, Box<Memory>),
    Record(Box<Record>),
    Settle(RecordId, Settled),
    Order(Box<Orders>),
    Resume(Box<Orders>),
}

/// What can be answered.
#[derive(Clone, Copy)]
enum Done {
    Changed,
    Recorded(RecordId),
}

impl Sqlite {
    /// Takes the state in `directory` for this process and reads it. The directory is made if only it is
    /// missing. It blocks, and is meant for the start.
    pub fn open(directory: &Path, now: Timestamp) -> Result<Opened, OpenError> {
        let ground = Ground::take(directory)?;
        let (found, reset) = ground.database(now)?;
        let path = ground.database_path();
        let a_minute_ago = Timestamp::from_unix_s(now.unix_s().saturating_sub(CAPPED_S));
        let ended_lately = rows::sent_since(&found.database, a_minute_ago)
            .map_err(|error| OpenError::unwritable(&path, &io::Error::other(error)))?;
        let desk = Desk::new(found.database, ground).map_err(|error| OpenError::unwritable(&path, &error))?;
        let (jobs, queue) = channel();
        let thread = Builder::new().name(String::from("state")).spawn(move || desk.work(&queue));
        let thread = StateThread(thread.map_err(|error| OpenError::unwritable(&path, &error))?);
        let remembered = found.memories;
        let (observing, orders) = (found.observing, found.orders);
        Ok(Opened { state: Self { jobs }, thread, remembered, ended_lately, orders, reset, observing })
    }

    /// Waits until nobody has the state in `directory`, for so long at most.
    pub fn await_free(directory: &Path, patience: Duration) {
        ground::await_free(directory, patience);
    }

    async fn ask(&self, change: Change) -> Result<Done, Unwritable> {
        let ended = || Unwritable(String::from("the thread that writes the state has ended"));
        let (answer, answered) = oneshot::channel();
        self.jobs.send(Job { change, answer }).map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }
}

impl State for Sqlite {
    async fn save(&self, ilo: &IloName, memory: &Memory) -> Result<(), Unwritable> {
        keepable(ilo, memory)?;
        self.ask(Change::Save(ilo.clone(), Box::new(memory.clone()))).await.map(|_| ())
    }

    async fn record(&self, record: &Record) -> Result<RecordId, Unwritable> {
        match self.ask(Change::Record(Box::new(record.clone()))).await? {
            Done::Recorded(id) => Ok(id),
            Done::Changed => Err(Unwritable(String::from("a record was written without an id"))),
        }
    }

    async fn settle(&self, id: RecordId, settled: Settled) -> Result<(), Unwritable> {
        self.ask(Change::Settle(id, settled)).await.map(|_| ())
    }

    async fn order(&self, orders: &Orders) -> Result<(), Unwritable> {
        self.ask(Change::Order(Box::new(orders.clone()))).await.map(|_| ())
    }

    async fn resume(&self, orders: &Orders) -> Result<(), Unwritable> {
        self.ask(Change::Resume(Box::new(orders.clone()))).await.map(|_| ())
    }
}

impl Change {
    fn write(&self, db: &Connection) -> Result<Done, Unwritable> {
        match self {
            Self::Save(ilo, memory) => rows::save(db, ilo, memory).map_err(failed)?,
            Self::Record(record) => return rows::record(db, record).map(Done::Recorded).map_err(failed),
            Self::Settle(id, settled) => rows::settle(db, *id, settled)?,
            Self::Order(all) => orders::save(db, all).map_err(failed)?,
            Self::Resume(all) => judge::resume(db).and_then(|()| orders::save(db, all)).map_err(failed)?,
        }
        Ok(Done::Changed)
    }
}

/// Where the thread works.
struct Desk {
    db: Connection,
    /// Keeps others out; let go after the database is closed.
    ground: Ground,
    /// The file that is open, by device and inode.
    file: (u64, u64),
    records_since_trim: i64,
}

impl Desk {
    fn new(db: Connection, ground: Ground) -> io::Result<Self> {
        let file = identity(&ground.database_path())?;
        Ok(Self { db, ground, file, records_since_trim: RECORDS_PER_TRIM })
    }

    fn work(mut self, queue: &Receiver<Job>) {
        while let Ok(first) = queue.recv() {
            let mut group = vec![first];
            group.extend(queue.try_iter().take(GROUP_MAX - 1));
            let results = match self.commit(&group) {
                Ok(results) => results,
                Err(failed) => vec![Err(failed); group.len()],
            };
            for (job, result) in group.into_iter().zip(results) {
                self.records_since_trim += i64::from(matches!(result, Ok(Done::Recorded(_))));
                // Who does not wait any more does not want to know.
                let _ = job.answer.send(result);
            }
            if self.records_since_trim >= RECORDS_PER_TRIM && rows::trim(&self.db, RECORDS_MAX).is_ok() {
                self.records_since_trim = 0;
            }
        }
        // What can't be closed is left to the next start, which finds all that was committed.
        let _ = self.db.close();
        drop(self.ground);
    }

    /// Writes a group in one transaction. Each change has a savepoint of its own, so that one which fails by
    /// itself takes no visit of another iLO with it; where the disk fails, all do.
    fn commit(&mut self, group: &[Job]) -> Result<Vec<Result<Done, Unwritable>>, Unwritable> {
        self.check_file()?;
        let mut transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let mut results = Vec::with_capacity(group.len());
        for job in group {
            let mut savepoint = transaction.savepoint().map_err(failed)?;
            let result = job.change.write(&savepoint);
            if let Err(cause) = &result
                && savepoint.rollback().is_err()
            {
                // On a full disk SQLite drops the whole transaction, savepoints and all, and then so fails the
                // group: the next savepoint would begin another transaction, without those before it.
                return Err(cause.clone());
            }
            savepoint.commit().map_err(failed)?;
            results.push(result);
        }
        transaction.commit().map_err(failed)?;
        Ok(results)
    }

    /// `SQLite` would go on writing into a file that somebody removed, and nothing of it would survive us.
    fn check_file(&self) -> Result<(), Unwritable> {
        match identity(&self.ground.database_path()) {
            Ok(file) if file == self.file => Ok(()),
            _ => Err(Unwritable(String::from("the file was removed or replaced while in use; restart ilo-reaper"))),
        }
    }
}

/// An error as callers see it; values, and so tokens, are in none.
#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn failed(error: rusqlite::Error) -> Unwritable {
    Unwritable(error.to_string())
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests;
