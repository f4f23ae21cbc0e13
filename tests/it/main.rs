//! Stories: given a table of sessions, when the daemon ran, then these went and these stayed.
//!
//! Each runs the real loop, visit, policy and wire code against simulated iLOs, in virtual time and in one
//! process; those in `process` run the program itself, over HTTPS and in real time. What happened is read from
//! the simulator's own truth and request log.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a story that breaks must fail at once")]

mod brake;
mod door;
mod expand;
mod firmware;
mod harness;
#[path = "../../src/law.rs"]
mod law;
mod limits;
mod log;
mod moments;
mod moved;
mod pressure;
mod process;
mod pulse;
mod reap;
mod reload;
mod restart;
mod round;
mod sleep;
mod spare;
mod stale;
mod survey;
mod twins;
mod weeks;
