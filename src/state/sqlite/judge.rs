//! Whether a database file is ours, whole and of our time; and how a new one is made.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, TransactionBehavior};

use super::orders;
use super::rows::Remembered;
use super::schema::{APPLICATION_ID, SCHEMA, SCHEMA_VERSION};
use crate::settings::{IloName, Orders};
use crate::state::Memory;
use crate::time::Timestamp;

/// A database that is ours and whole, ready to be written.
pub(super) struct Found {
    pub(super) database: Connection,
    pub(super) memories: BTreeMap<IloName, Memory>,
    pub(super) orders: Orders,
    /// Rows that made no sense and were dropped.
    pub(super) dropped: usize,
    pub(super) observing: bool,
}

/// Why a database is not used.
pub(super) enum Rejected {
    /// It is no database, not ours, or broken: it is to be set aside.
    Damaged(String),
    /// A newer ilo-reaper wrote it.
    Newer { version: i32 },
    /// It may be good, but can't be opened or written now.
    Unwritable(String),
}

impl From<rusqlite::Error> for Rejected {
    fn from(error: rusqlite::Error) -> Self {
        use ErrorCode::{
            CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, FileLockingProtocolFailed, NoLargeFileSupport,
            OutOfMemory, PermissionDenied, ReadOnly, SystemIoFailure,
        };
        match error.sqlite_error_code() {
            // What the host may mend; a file is not set aside for a full disk.
            Some(
                CannotOpen
                | DatabaseBusy
                | DatabaseLocked
                | DiskFull
                | FileLockingProtocolFailed
                | NoLargeFileSupport
                | OutOfMemory
                | PermissionDenied
                | ReadOnly
                | SystemIoFailure,
            ) => Self::Unwritable(error.to_string()),
            _ => Self::Damaged(error.to_string()),
        }
    }
}

/// Makes a new database at `path`, a file that is there and empty.
pub(super) fn create(path: &Path, now: Timestamp, lost: Option<&str>) -> rusqlite::Result<()> {
    let mut db = connect(path)?;
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    migrate(&transaction, 0)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    set_meta(&transaction, "created", &now.to_string())?;
    if let Some(cause) = lost {
        set_meta(&transaction, "observing", &format!("{now} {cause}"))?;
    }
    transaction.commit()?;
    db.close().map_err(|(_, error)| error)
}

/// Opens the database at `path` and reads it, or says why not. Rows that make no sense are dropped, and then
/// it is observed from now on: what else was lost, nobody knows.
pub(super) fn judge(path: &Path, now: Timestamp) -> Result<Found, Rejected> {
    let mut database = connect(path)?;
    // What is set aside is to stay as it was found, so a close must not touch it before it is known to be good.
    database.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // Views and triggers, were there any, may do nothing; a page that lies about itself is an error.
    database.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    database.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;")?;
    let version = check_origin(&database)?;
    check_whole(&database, version)?;
    // FULL: a commit is on disk when it returns. Ended sessions' tokens do not stay in free pages.
    database.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; \
         PRAGMA journal_size_limit = 4194304;",
    )?;
    let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
    migrate(&transaction, version)?;
    let Remembered { memories, mut unsound } = Remembered::read(&transaction)?;
    let orders = orders::read(&transaction, &mut unsound)?;
    // A write, so that a state which can't be written is known now and not at the first deletion.
    set_meta(&transaction, "opened", &now.to_string())?;
    for (table, row) in &unsound {
        transaction.execute(&format!("DELETE FROM {table} WHERE rowid = ?1"), [row])?;
    }
    if !unsound.is_empty() {
        set_meta(&transaction, "observing", &format!("{now} {} rows made no sense", unsound.len()))?;
    }
    transaction.commit()?;
    database.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    let observing = get_meta(&database, "observing")?.is_some();
    Ok(Found { database, memories, orders, dropped: unsound.len(), observing })
}

/// Brings tables of this version up to ours.
fn migrate(db: &Connection, version: i32) -> rusqlite::Result<()> {
    for (_, added) in SCHEMA.iter().filter(|(since, _)| *since > version) {
        db.execute_batch(added)?;
    }
    db.pragma_update(None, "user_version", SCHEMA_VERSION)
}

/// Takes the mark away that a lost state left.
pub(super) fn resume(db: &Connection) -> rusqlite::Result<()> {
    db.execute("DELETE FROM meta WHERE key = 'observing'", []).map(|_| ())
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    Connection::open_with_flags(path, flags)
}

/// Whether ilo-reaper wrote it, and which.
fn check_origin(db: &Connection) -> Result<i32, Rejected> {
    let number = |pragma| db.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    if number("application_id")? != APPLICATION_ID {
        return Err(Rejected::Damaged(String::from("it is not a database of ilo-reaper")));
    }
    match number("user_version")? {
        version if SCHEMA.iter().any(|(known, _)| *known == version) => Ok(version),
        version if version > SCHEMA_VERSION => Err(Rejected::Newer { version }),
        version => Err(Rejected::Damaged(format!("its version is {version}"))),
    }
}

/// Whether all of it is there, and nothing else.
fn check_whole(db: &Connection, version: i32) -> Result<(), Rejected> {
    let fault: String = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if fault != "ok" {
        return Err(Rejected::Damaged(fault));
    }
    let fresh = Connection::open_in_memory()?;
    for (_, added) in SCHEMA.iter().filter(|(since, _)| *since <= version) {
        fresh.execute_batch(added)?;
    }
    if tables(db)? != tables(&fresh)? {
        return Err(Rejected::Damaged(String::from("its tables are not those of ilo-reaper")));
    }
    let is_known = "SELECT key FROM meta WHERE key NOT IN ('created', 'opened', 'observing')";
    let unknown: Option<String> = db.query_row(is_known, [], |row| row.get(0)).optional()?;
    match unknown {
        None => Ok(()),
        Some(_) => Err(Rejected::Damaged(String::from("it has marks that nobody knows"))),
    }
}

fn tables(db: &Connection) -> rusqlite::Result<Vec<(String, Option<String>)>> {
    let mut statement = db.prepare("SELECT name, sql FROM sqlite_schema ORDER BY name")?;
    let tables = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    tables.collect()
}

fn set_meta(db: &Connection, key: &str, value: &str) -> rusqlite::Result<()> {
    db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)", [key, value]).map(|_| ())
}

fn get_meta(db: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    db.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0)).optional()
}
