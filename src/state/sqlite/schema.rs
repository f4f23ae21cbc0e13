//! The tables as they are, and how those of older versions become so.

use super::orders;

/// Marks a database as ours in its header: `iLOr`.
pub(super) const APPLICATION_ID: i32 = 0x694c_4f72;
/// Grows by one with each change of the tables.
pub(super) const SCHEMA_VERSION: i32 = 7;

/// Each version of the tables that can be taken over, and what it added. Times are seconds since 1970, those of
/// sessions by the iLO's clock, all others by the host's.
pub(super) const SCHEMA: [(i32, &str); 6] = [
    (2, TABLES),
    (3, orders::TABLES),
    (4, JUMPS),
    (5, SLOW_CLOCKS),
    (6, USES_AND_DOUBTS),
    (SCHEMA_VERSION, LAST_LOOKS),
];

const TABLES: &str = "
CREATE TABLE held (ilo TEXT PRIMARY KEY, session TEXT NOT NULL, token TEXT NOT NULL, account TEXT NOT NULL,
    host TEXT NOT NULL, port INTEGER NOT NULL, seal BLOB NOT NULL) STRICT;
CREATE TABLE intents (ilo TEXT NOT NULL, account TEXT NOT NULL, host TEXT NOT NULL, port INTEGER NOT NULL,
    from_s INTEGER NOT NULL, to_s INTEGER NOT NULL, answered INTEGER NOT NULL, seal BLOB NOT NULL) STRICT;
CREATE INDEX intents_by_ilo ON intents (ilo);
CREATE TABLE former (ilo TEXT NOT NULL, session TEXT NOT NULL, account TEXT NOT NULL, host TEXT NOT NULL,
    port INTEGER NOT NULL, seal BLOB NOT NULL) STRICT;
CREATE INDEX former_by_ilo ON former (ilo);
CREATE TABLE suspects (ilo TEXT NOT NULL, session TEXT NOT NULL, seal BLOB NOT NULL) STRICT;
CREATE INDEX suspects_by_ilo ON suspects (ilo);
CREATE TABLE known (ilo TEXT NOT NULL, session TEXT NOT NULL, login_s INTEGER, seal BLOB NOT NULL) STRICT;
CREATE INDEX known_by_ilo ON known (ilo);
CREATE TABLE learned (ilo TEXT PRIMARY KEY, host TEXT NOT NULL, port INTEGER NOT NULL, expands INTEGER,
    clock_offset_s INTEGER, limit_seen INTEGER, most_used INTEGER NOT NULL, refused_at_s INTEGER,
    looked_at_s INTEGER, uuid TEXT, seal BLOB NOT NULL) STRICT;
CREATE TABLE deletions (id INTEGER PRIMARY KEY, at_s INTEGER NOT NULL, ilo TEXT NOT NULL, group_name TEXT NOT NULL,
    session TEXT NOT NULL, owner TEXT, origin TEXT, kind TEXT NOT NULL, user_type TEXT NOT NULL, age_s INTEGER,
    idle_s INTEGER, login_s INTEGER, access_s INTEGER, rule TEXT NOT NULL, why TEXT NOT NULL, used INTEGER NOT NULL,
    max_places INTEGER, settled TEXT NOT NULL DEFAULT 'pending', detail TEXT) STRICT;
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
";

const JUMPS: &str = "CREATE TABLE jumps (ilo TEXT PRIMARY KEY, offset_s INTEGER NOT NULL, seal BLOB NOT NULL) STRICT;";

const SLOW_CLOCKS: &str =
    "CREATE TABLE slow_clocks (ilo TEXT PRIMARY KEY, took_s INTEGER NOT NULL, seal BLOB NOT NULL) STRICT;";

const USES_AND_DOUBTS: &str = "
CREATE TABLE known_uses (ilo TEXT NOT NULL, session TEXT NOT NULL, access_s INTEGER NOT NULL, seal BLOB NOT NULL) STRICT;
CREATE INDEX known_uses_by_ilo ON known_uses (ilo);
CREATE TABLE named_once (ilo TEXT PRIMARY KEY, session TEXT NOT NULL, token TEXT NOT NULL, account TEXT NOT NULL,
    host TEXT NOT NULL, port INTEGER NOT NULL, from_s INTEGER NOT NULL, to_s INTEGER NOT NULL, is_over INTEGER NOT NULL,
    seal BLOB NOT NULL) STRICT;
";

const LAST_LOOKS: &str =
    "CREATE TABLE last_looks (ilo TEXT PRIMARY KEY, looked_at_s INTEGER NOT NULL, seal BLOB NOT NULL) STRICT;";

/// The tables of which a memory is put together.
pub(super) const MEMORY_TABLES: [&str; 11] = [
    "held",
    "intents",
    "former",
    "suspects",
    "known",
    "learned",
    "jumps",
    "slow_clocks",
    "known_uses",
    "named_once",
    "last_looks",
];
