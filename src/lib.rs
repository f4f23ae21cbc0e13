//! ilo-reaper deletes the HPE iLO sessions that nobody uses any more, before the table is full, and
//! never one that somebody does.
//!
//! This page is the map. A poll is one *visit*, and it goes one way:
//!
//! ```text
//! fleet: due ─► visit: observe ─► policy: plan ─► visit: look again, then DELETE, each ─► events, state, next due
//! ```
//!
//! # Rooms
//!
//! In reading order. A room imports only from lower floors, rooms on one floor do not see each other,
//! and `tests/tidy` holds the sources to this table.
//!
//! | floor | room | what it is |
//! | --- | --- | --- |
//! | 0 | `time` | points in time on an iLO's own clock |
//! | 0 | `secret` | passwords and tokens |
//! | 0 | `law` | of tests: what must hold for any input, and how that is tried |
//! | 1 | `session` | the nouns of an iLO: session, owner, kind, observation |
//! | 2 | `settings` | what can be set, once it is proven good |
//! | 3 | `event` | what can be told |
//! | 4 | `policy` | PURE: who goes, who stays, and why for each |
//! | 4 | `redfish` | one iLO over the wire: JSON, exchanges, TLS |
//! | 4 | `state` | what must outlive us: held sessions, intents, the record of deletions |
//! | 5 | `visit` | one poll on one screen: observe, plan, reap |
//! | 6 | `fleet` | many iLOs: schedule, credentials, the one loop |
//! | 7 | `config` | files to settings, with every mistake at its line and column |
//! | 7 | `report` | events to the journal, text and JSON, surveys to metrics and pages |
//! | 8 | `serve` | a small HTTP/1 server, bounded |
//! | 8 | `signals` | a signal's way to the loop |
//! | 8 | `systemd` | what the service manager is told |
//! | 9 | `control` | the control socket: how commands speak to the daemon |
//! | 9 | `listener` | metrics and status over HTTP |
//! | 10 | `daemon` | all of it, started and stopped in order |
//! | 11 | `cli` | argv to exit code |
//!
//! # What no room does
//!
//! - `policy` never awaits, reads no clock and knows no chance: everything comes in as an argument.
//! - Nothing deletes but `visit`, and it can only delete a `policy::Doomed`, which only a plan makes.
//! - In mode `observe` no value exists that could delete somebody else's session (`visit::Armed`).
//! - No byte of ours goes to a peer that did not prove, inside the handshake, to be the one whom the configuration
//!   trusts; `tls: insecure` is the named exception.
//! - No path of a DELETE comes from an iLO: it is built from the collection and an id of plain characters.
//! - No login and no DELETE is sent twice, by us or by a library.
//! - The loop waits for no log and no disk.
//!
//! A new condition for rules goes into [`settings::Conditions`] and `policy::rule`, and its key into
//! `config`. It can harm nobody whom the built-in protections spare, because they are asked first.

pub mod cli;
pub mod config;
pub mod control;
pub mod daemon;
pub mod event;
pub mod fleet;
#[cfg(test)]
mod law;
pub mod listener;
pub mod policy;
pub mod redfish;
pub mod report;
pub mod secret;
pub mod serve;
pub mod session;
pub mod settings;
pub mod signals;
pub mod state;
pub mod systemd;
pub mod time;
pub mod visit;
