//! The tables: what is written into them, and how what is read back is judged.
//!
//! `SQLite` does not see a bit that flips inside a value, so rows that a login or a DELETE may rest on carry
//! a seal, a hash of their values. It tells damage, not malice: who can write here, can seal too.

use std::collections::BTreeMap;
use std::time::Duration;

use ring::digest::{Context, SHA256};
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, Row, params, params_from_iter};

use super::schema::MEMORY_TABLES;
use crate::secret::Secret;
use crate::session::{Owner, SessionId, Uuid};
use crate::settings::{Authority, IloName};
use crate::state::{
    Former, Held, Intent, Known, Memory, Record, RecordId, Settled, Span, Unwritable, is_name, is_place,
};
use crate::time::Timestamp;

/// Replaces what is remembered of `ilo`.
pub(super) fn save(db: &Connection, ilo: &IloName, memory: &Memory) -> rusqlite::Result<()> {
    let ilo = ilo.as_str();
    for table in MEMORY_TABLES {
        db.execute(&format!("DELETE FROM {table} WHERE ilo = ?1"), [ilo])?;
    }
    if let Some(Held { session, token, account, authority, named_once }) = &memory.held {
        let (session, account) = (session.to_string(), account.to_string());
        let held: [&dyn ToSql; 6] = [&ilo, &session, &token.reveal(), &account, &authority.host, &authority.port];
        // One row, so that no damage leaves the session without the doubt.
        match named_once {
            None => put(db, "held", &held)?,
            Some(Span { from, to, is_over }) => {
                let span: [&dyn ToSql; 3] = [&from.unix_s(), &to.unix_s(), is_over];
                put(db, "named_once", &[&held[..], &span].concat())?;
            }
        }
    }
    for Intent { account, authority: Authority { host, port }, from, to, answered } in &memory.intents {
        put(db, "intents", &[&ilo, &account.to_string(), host, port, &from.unix_s(), &to.unix_s(), answered])?;
    }
    for Former { session, account, authority: Authority { host, port } } in &memory.former {
        put(db, "former", &[&ilo, &session.to_string(), &account.to_string(), host, port])?;
    }
    for session in &memory.suspects {
        put(db, "suspects", &[&ilo, &session.to_string()])?;
    }
    for Known { session, login, access } in &memory.known {
        put(db, "known", &[&ilo, &session.to_string(), &login.map(Timestamp::unix_s)])?;
        if let Some(access) = access {
            put(db, "known_uses", &[&ilo, &session.to_string(), &access.unix_s()])?;
        }
    }
    if let Some(Authority { host, port }) = &memory.place {
        let unix_s = |time: Option<Timestamp>| time.map(Timestamp::unix_s);
        let (limit_seen, most_used) = (memory.limit_seen.map(count), count(memory.most_used));
        let (refused_at_s, looked_at_s) = (unix_s(memory.refused_at), unix_s(memory.looked_at));
        let Memory { expands, clock_offset_s, .. } = memory;
        let uuid = memory.uuid.as_ref().map(Uuid::as_str);
        let learned: [&dyn ToSql; 10] =
            [&ilo, host, port, expands, clock_offset_s, &limit_seen, &most_used, &refused_at_s, &looked_at_s, &uuid];
        put(db, "learned", &learned)?;
    }
    if let Some(offset_s) = &memory.jumped_to_s {
        put(db, "jumps", &[&ilo, offset_s])?;
    }
    if let Some(looked_at) = memory.looked_at.filter(|_| memory.is_last_look) {
        put(db, "last_looks", &[&ilo, &looked_at.unix_s()])?;
    }
    if memory.offset_took_s > 0 {
        put(db, "slow_clocks", &[&ilo, &i64::try_from(memory.offset_took_s).unwrap_or(i64::MAX)])?;
    }
    Ok(())
}

/// Inserts a row and its seal.
pub(super) fn put(db: &Connection, table: &str, values: &[&dyn ToSql]) -> rusqlite::Result<()> {
    let mut seal = Seal::of(table);
    for value in values {
        match value.to_sql()? {
            ToSqlOutput::Borrowed(value) => seal.add(value),
            ToSqlOutput::Owned(value) => seal.add(ValueRef::from(&value)),
            // No other kind is compiled in; were one, its row would be unsound when read, never wrong.
            _ => {}
        }
    }
    let seal = seal.close();
    let places = vec!["?"; values.len() + 1].join(", ");
    let row = values.iter().copied().chain([&seal as &dyn ToSql]);
    db.execute(&format!("INSERT INTO {table} VALUES ({places})"), params_from_iter(row)).map(|_| ())
}

/// A hash over the values of a row.
struct Seal(Context);

impl Seal {
    fn of(table: &str) -> Self {
        let mut seal = Self(Context::new(&SHA256));
        seal.add(ValueRef::Text(table.as_bytes()));
        seal
    }

    /// Adds a value with its kind and length, so that no two rows hash the same bytes.
    fn add(&mut self, value: ValueRef<'_>) {
        let (kind, bytes): (u8, &[u8]) = match value {
            ValueRef::Null => (0, &[]),
            ValueRef::Integer(number) => return self.add_bytes(1, &number.to_le_bytes()),
            ValueRef::Real(number) => return self.add_bytes(2, &number.to_le_bytes()),
            ValueRef::Text(text) => (3, text),
            ValueRef::Blob(blob) => (4, blob),
        };
        self.add_bytes(kind, bytes);
    }

    fn add_bytes(&mut self, kind: u8, bytes: &[u8]) {
        self.0.update(&[kind]);
        self.0.update(&bytes.len().to_le_bytes());
        self.0.update(bytes);
    }

    /// Half of the hash is plenty.
    fn close(self) -> Vec<u8> {
        self.0.finish().as_ref().iter().copied().take(16).collect()
    }
}

/// Writes a record that is not settled yet.
pub(super) fn record(db: &Connection, record: &Record) -> rusqlite::Result<RecordId> {
    let (case, session) = (&record.case, &record.case.session);
    let values: [&dyn ToSql; 16] = [
        &record.at.unix_s(),
        &record.ilo.as_str(),
        &record.group,
        &session.id.to_string(),
        &session.owner.as_ref().map(Owner::to_string),
        &session.origin.map(|origin| origin.to_string()),
        &session.kind.to_string(),
        &session.user_type.to_string(),
        &case.age.map(seconds),
        &case.idle.map(seconds),
        &session.login.map(Timestamp::unix_s),
        &session.access.map(Timestamp::unix_s),
        &case.rule,
        &case.why,
        &count(case.used),
        &case.limit.map(count),
    ];
    db.execute(
        "INSERT INTO deletions (at_s, ilo, group_name, session, owner, origin, kind, user_type, age_s, idle_s, \
         login_s, access_s, rule, why, used, max_places) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        values,
    )?;
    Ok(RecordId(db.last_insert_rowid()))
}

fn seconds(span: Duration) -> i64 {
    i64::try_from(span.as_secs()).unwrap_or(i64::MAX)
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Writes how a record ended.
pub(super) fn settle(db: &Connection, id: RecordId, settled: &Settled) -> Result<(), Unwritable> {
    let (name, detail) = match settled {
        Settled::Gone(gone) => (gone.name(), None),
        Settled::Spared(why) => ("spared", Some(why.clone())),
        Settled::Refused(status) => ("refused", Some(status.to_string())),
        Settled::Unknown => ("unknown", None),
        Settled::HeldBack(cap) => ("held_back", Some((*cap).to_owned())),
    };
    let changed =
        db.execute("UPDATE deletions SET settled = ?2, detail = ?3 WHERE id = ?1", params![id.0, name, detail]);
    match changed {
        Ok(0) => Err(Unwritable(String::from("there is no such record"))),
        Ok(_) => Ok(()),
        Err(error) => Err(Unwritable(error.to_string())),
    }
}

/// The iLOs of those deletions, one for each, that may have been sent at `from` or later. A clock that was set back
/// since makes more of them.
pub(super) fn sent_since(db: &Connection, from: Timestamp) -> rusqlite::Result<Vec<IloName>> {
    let mut query =
        db.prepare("SELECT ilo FROM deletions WHERE at_s >= ? AND settled NOT IN ('spared', 'held_back')")?;
    let names = query.query_map([from.unix_s()], |row| Ok(IloName::new(&row.get::<_, String>(0)?)))?;
    names.collect()
}

/// Keeps the `keep` newest records.
pub(super) fn trim(db: &Connection, keep: i64) -> rusqlite::Result<()> {
    db.execute("DELETE FROM deletions WHERE id <= (SELECT max(id) FROM deletions) - ?1", [keep]).map(|_| ())
}

/// What a database remembers.
#[derive(Default)]
pub(super) struct Remembered {
    /// By iLO.
    pub(super) memories: BTreeMap<IloName, Memory>,
    /// Rows that make no sense: the table, and the row's place in it.
    pub(super) unsound: Vec<(&'static str, i64)>,
}

impl Remembered {
    /// Reads everything; fails only where the database itself does.
    pub(super) fn read(db: &Connection) -> rusqlite::Result<Self> {
        let mut read = Self::default();
        read.each(db, "held", |row, memory| {
            memory.held = Some(Some(row.held()?).filter(Held::is_sound)?);
            Some(())
        })?;
        read.each(db, "named_once", |row, memory| {
            let [from, to] = [row.number(6)?, row.number(7)?].map(Timestamp::from_unix_s);
            let span = Span { from, to, is_over: row.number(8)? != 0 };
            let held = Held { named_once: Some(span), ..row.held()? };
            memory.held = Some(Some(held).filter(Held::is_sound)?);
            Some(())
        })?;
        read.each(db, "intents", |row, memory| {
            let [from, to] = [row.number(4)?, row.number(5)?].map(Timestamp::from_unix_s);
            let (account, authority, answered) = (Owner::new(&row.text(1)?), row.authority(2)?, row.number(6)? != 0);
            let intent = Intent { account, authority, from, to, answered };
            memory.intents.push(Some(intent).filter(Intent::is_sound)?);
            Some(())
        })?;
        read.each(db, "former", |row, memory| {
            let session = SessionId::read(&row.text(1)?);
            let former = Former { session, account: Owner::new(&row.text(2)?), authority: row.authority(3)? };
            memory.former.push(Some(former).filter(Former::is_sound)?);
            Some(())
        })?;
        read.each(db, "suspects", |row, memory| {
            memory.suspects.push(SessionId::read(&row.text(1)?));
            Some(())
        })?;
        read.each(db, "known", |row, memory| {
            let (session, login) = (SessionId::read(&row.text(1)?), row.number(2).map(Timestamp::from_unix_s));
            memory.known.push(Known { session, login, access: None });
            Some(())
        })?;
        read.each(db, "learned", |row, memory| {
            memory.place = Some(Some(row.authority(1)?).filter(is_place)?);
            memory.expands = row.number(3).map(|expands| expands != 0);
            memory.clock_offset_s = row.number(4);
            memory.limit_seen = row.number(5).and_then(|limit| usize::try_from(limit).ok());
            memory.most_used = usize::try_from(row.number(6)?).ok()?;
            memory.refused_at = row.number(7).map(Timestamp::from_unix_s);
            memory.looked_at = row.number(8).map(Timestamp::from_unix_s);
            memory.uuid = row.text(9).and_then(|uuid| Uuid::read(&uuid));
            Some(())
        })?;
        read.each(db, "jumps", |row, memory| {
            memory.jumped_to_s = Some(row.number(1)?);
            Some(())
        })?;
        read.each(db, "slow_clocks", |row, memory| {
            memory.offset_took_s = u64::try_from(row.number(1)?).ok()?;
            Some(())
        })?;
        read.each(db, "last_looks", |row, memory| {
            let looked_at = Timestamp::from_unix_s(row.number(1)?);
            memory.is_last_look = memory.looked_at == Some(looked_at);
            Some(())
        })?;
        read.each(db, "known_uses", |row, memory| {
            let (session, access) = (SessionId::read(&row.text(1)?), Timestamp::from_unix_s(row.number(2)?));
            let known = memory.known.iter_mut().find(|known| known.session == session && known.access.is_none());
            known?.access = Some(access);
            Some(())
        })?;
        Ok(read)
    }

    /// Adds each row of a table whose seal is whole to the memory of its iLO.
    fn each(
        &mut self,
        db: &Connection,
        table: &'static str,
        add: impl Fn(&Sealed<'_>, &mut Memory) -> Option<()>,
    ) -> rusqlite::Result<()> {
        let Self { memories, unsound } = self;
        each_sealed(db, table, unsound, |row| {
            let ilo = IloName::new(&row.text(0).filter(|name| is_name(name))?);
            let mut memory = memories.get(&ilo).cloned().unwrap_or_default();
            add(row, &mut memory)?;
            memories.insert(ilo, memory);
            Some(())
        })
    }
}

/// Hands out each row of a table whose seal is whole; the others, and those that nobody takes, are unsound.
pub(super) fn each_sealed(
    db: &Connection,
    table: &'static str,
    unsound: &mut Vec<(&'static str, i64)>,
    mut take: impl FnMut(&Sealed<'_>) -> Option<()>,
) -> rusqlite::Result<()> {
    let mut statement = db.prepare(&format!("SELECT *, rowid FROM {table} ORDER BY rowid"))?;
    let columns = statement.column_count() - 1;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if Sealed::open(row, table, columns).and_then(|row| take(&row)).is_none() {
            unsound.push((table, row.get(columns)?));
        }
    }
    Ok(())
}

/// A row whose seal is whole.
pub(super) struct Sealed<'a>(&'a Row<'a>);

impl<'a> Sealed<'a> {
    fn open(row: &'a Row<'a>, table: &str, columns: usize) -> Option<Self> {
        let mut seal = Seal::of(table);
        for column in 0..columns.checked_sub(1)? {
            seal.add(row.get_ref(column).ok()?);
        }
        let written: Vec<u8> = row.get(columns - 1).ok()?;
        (seal.close() == written).then_some(Self(row))
    }

    pub(super) fn text(&self, column: usize) -> Option<String> {
        self.0.get(column).ok()
    }

    /// A session that we hold, in the columns after the first.
    fn held(&self) -> Option<Held> {
        let (session, token) = (SessionId::read(&self.text(1)?), Secret::new(self.text(2)?));
        let (account, authority) = (Owner::new(&self.text(3)?), self.authority(4)?);
        Some(Held { session, token, account, authority, named_once: None })
    }

    /// A host in this column and a port in the next.
    fn authority(&self, column: usize) -> Option<Authority> {
        Some(Authority { host: self.text(column)?, port: u16::try_from(self.number(column + 1)?).ok()? })
    }

    /// `None` where it is null, and where it is no number.
    pub(super) fn number(&self, column: usize) -> Option<i64> {
        self.0.get(column).ok()
    }
}
