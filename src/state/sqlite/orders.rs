//! What people ordered, in its tables.

use rusqlite::{Connection, ToSql};

use super::rows::{Sealed, each_sealed, put};
use crate::session::SessionId;
use crate::settings::{Conditions, Glob, IloName, Order, Orders, Protection, Shield};
use crate::time::Timestamp;

pub(super) const TABLES: &str = "
CREATE TABLE pause (since_s INTEGER NOT NULL, until_s INTEGER, by_whom TEXT NOT NULL, reason TEXT NOT NULL,
    seal BLOB NOT NULL) STRICT;
CREATE TABLE protections (since_s INTEGER NOT NULL, until_s INTEGER, by_whom TEXT NOT NULL, reason TEXT NOT NULL,
    id TEXT NOT NULL UNIQUE, ilo TEXT, session TEXT, owner TEXT, origin TEXT, seal BLOB NOT NULL) STRICT;
";

/// Replaces all of them.
pub(super) fn save(db: &Connection, orders: &Orders) -> rusqlite::Result<()> {
    db.execute_batch("DELETE FROM pause; DELETE FROM protections;")?;
    if let Some(Order { by, reason, since, until }) = &orders.pause {
        put(db, "pause", &[&since.unix_s(), &until.map(Timestamp::unix_s), by, reason])?;
    }
    for Shield { protection, ilo, session, order: Order { by, reason, since, until } } in &orders.shields {
        let Conditions { owner, origin, .. } = &protection.conditions;
        let (ilo, session) = (ilo.as_ref().map(IloName::as_str), session.as_ref().map(SessionId::to_string));
        let owner = owner.iter().flatten().next().map(Glob::to_string);
        let origin = origin.iter().flatten().next().map(ToString::to_string);
        let (since_s, until_s) = (since.unix_s(), until.map(Timestamp::unix_s));
        let row: [&dyn ToSql; 9] = [&since_s, &until_s, by, reason, &protection.id, &ilo, &session, &owner, &origin];
        put(db, "protections", &row)?;
    }
    Ok(())
}

/// Reads all of them, and notes the rows that make no sense.
pub(super) fn read(db: &Connection, unsound: &mut Vec<(&'static str, i64)>) -> rusqlite::Result<Orders> {
    let mut orders = Orders::default();
    each_sealed(db, "pause", unsound, |row| {
        orders.pause = Some(order(row)?);
        Some(())
    })?;
    each_sealed(db, "protections", unsound, |row| {
        orders.shields.push(shield(row)?);
        Some(())
    })?;
    Ok(orders)
}

fn order(row: &Sealed<'_>) -> Option<Order> {
    let since = Timestamp::from_unix_s(row.number(0)?);
    Some(Order { since, until: row.number(1).map(Timestamp::from_unix_s), by: row.text(2)?, reason: row.text(3)? })
}

fn shield(row: &Sealed<'_>) -> Option<Shield> {
    let order = order(row)?;
    let origin = match row.text(8) {
        Some(net) => Some(vec![net.parse().ok()?]),
        None => None,
    };
    let owner = row.text(7).map(|glob| vec![Glob::new(&glob)]);
    let conditions = Conditions { owner, origin, ..Conditions::default() };
    Some(Shield {
        protection: Protection { id: row.text(4)?, conditions, until: order.until },
        ilo: row.text(5).map(|ilo| IloName::new(&ilo)),
        session: row.text(6).map(|session| SessionId::read(&session)),
        order,
    })
}
