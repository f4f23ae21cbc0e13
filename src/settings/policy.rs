//! Who may go, and who never, as it can be set.

use std::fmt;
use std::time::Duration;

use ipnet::IpNet;
use wildmatch::WildMatch;

use super::{Pressure, Room};
use crate::session::{Kind, Owner, UserType};
use crate::time::Timestamp;

/// Who may go, and who never.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Its name in the configuration.
    pub name: String,
    /// Sessions that match one of these stay, whatever the rules say.
    pub protect: Vec<Protection>,
    /// The first rule that matches decides.
    pub reap: Vec<Rule>,
}

/// Spares what it matches.
#[derive(Clone, Debug, PartialEq)]
pub struct Protection {
    /// Its name in records.
    pub id: String,
    /// All of these must hold. Empty `kinds` and `user_types` mean any.
    pub conditions: Conditions,
    /// It ends then, by the host's clock.
    pub until: Option<Timestamp>,
}

/// Finds what it matches abandoned.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Its name in records.
    pub id: String,
    /// All of these must hold. `kinds` and `user_types` name what the rule is about; what they do not name stays.
    pub conditions: Conditions,
    /// Spares so many with the latest access among all sessions of that owner, origin and kind.
    pub keep_latest: Option<usize>,
    /// Deletes only as many as it takes to have this much room.
    pub down_to: Option<Room>,
}

/// What a session must be like. Nothing set matches everything.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Conditions {
    /// One of these globs matches the account name.
    pub owner: Option<Vec<Glob>>,
    /// One of these networks holds the client's address.
    pub origin: Option<Vec<IpNet>>,
    /// The session is of one of these kinds.
    pub kinds: Vec<Kind>,
    /// Its account is of one of these types.
    pub user_types: Vec<UserType>,
    /// Time since login is at least this.
    pub age: Option<Duration>,
    /// Time since the last access is at least this.
    pub idle: Option<Duration>,
    /// A newer session of the same owner, origin and kind exists, and this one has not been used since.
    pub superseded: bool,
    /// It was not used since its login.
    pub never_used: bool,
    /// The table is at least this full.
    pub when: Option<Pressure>,
}

/// A pattern over account names: `*` and `?`, case ignored.
#[derive(Clone, Debug, PartialEq)]
pub struct Glob {
    folded: WildMatch,
    written: String,
}

impl Glob {
    /// Takes a pattern as written.
    pub fn new(pattern: &str) -> Self {
        Self { folded: WildMatch::new(&pattern.to_lowercase()), written: pattern.to_owned() }
    }

    /// Whether an account name fits.
    pub fn matches(&self, owner: &Owner) -> bool {
        self.folded.matches(owner.folded())
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}
