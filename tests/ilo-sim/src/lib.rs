//! A faithful simulated HPE iLO, for testing Redfish clients.
//!
//! An iLO's session table is small, its clock is often wrong, its login answers slower and slower
//! after wrong passwords, and some of its answers surprise. This crate is a model of that which needs
//! no hardware, repeats exactly from a seed, and lets a test look behind the wire at what is true.
//!
//! Reading order, from the world inwards:
//!
//! | module | what it is |
//! | --- | --- |
//! | [`front`] | the HTTPS front: sockets, TLS, time that passes; the only part that does I/O |
//! | [`Ilo`] | one iLO: [`handle`](Ilo::handle) a request, and the hand on the simulated world |
//! | `service` | which resource answers, and who may do what to it |
//! | `login` | authentication, login, and what is answered to those who do not get in |
//! | `resource`, `path`, `answer` | the JSON, the URLs and the headers |
//! | [`Personality`] | which firmware it behaves like: a row of traits that all the others read |
//! | `json`, `etag`, `gzip` | JSON written as text, the tag that is made of it, and what comes compressed |
//! | `registry` | the messages that there are, and what they mean |
//! | `session` | the table: [`SessionSpec`] in, [`Session`] as it truly is |
//! | [`Spec`] | what can be chosen: limit, time-out, clock, accounts, and what nobody knows of real ones |
//! | [`Fault`], [`Logged`] | what is to go wrong, once each; what was asked and what came of it |
//! | [`Moment`] | true time; the core never reads a clock |
//!
//! All but [`front`] is pure: no I/O, no clock, no global state, no chance but that of the seed. The
//! same simulated iLO can therefore be called in virtual time, a year in a millisecond, or be served
//! over real sockets to a client that does not know the difference (the `ilo-sim` program).
//!
//! ```
//! use std::net::IpAddr;
//! use bytes::Bytes;
//! use ilo_sim::{Account, Ilo, Moment, Spec};
//!
//! let mut ilo = Ilo::new(Spec {
//!     accounts: vec![Account::administrator("admin", "secret123")],
//!     ..Spec::new("ilo-1")
//! });
//! let login = http::Request::post("/redfish/v1/SessionService/Sessions/")
//!     .body(Bytes::from(r#"{"UserName":"admin","Password":"secret123"}"#))?;
//! let reply = ilo.handle(Moment::from_secs(1_750_709_294), IpAddr::from([192, 0, 2, 1]), &login);
//! assert_eq!(reply.response.status(), 201);
//! assert!(reply.response.headers().contains_key("X-Auth-Token"));
//! # Ok::<(), http::Error>(())
//! ```
//!
//! # Other firmware
//!
//! [`Personality`] names the firmware: iLO 4 (`Oem.Hp`, no `$expand`, `/rest/v1`), several of iLO 5 and 6, iLO 7 with
//! its application accounts. Three more are no iLO at all, and show a client what it took for granted:
//!
//! ```
//! use ilo_sim::{Personality, Spec};
//!
//! let old = Spec { personality: Personality::Ilo4V255, ..Spec::new("ilo-1") };
//! let plain = Spec { personality: "generic".parse()?, ..Spec::new("bmc-1") };
//! # let _ = (old, plain);
//! # Ok::<(), ilo_sim::UnknownPersonality>(())
//! ```
//!
//! # Where it is a guess
//!
//! The behaviour follows HPE's documentation and its published captures; comments name the source.
//! What no public source tells is a choice of [`Spec`] where clients may depend on it (the limit, the
//! status of a refused login), and else said where it is decided: the scope of the login delay, the
//! status of a DELETE without privilege, idleness while the clock is set, what a password that must be
//! changed does, the body of a session of iLO 4, of which no capture is public. One guess is everywhere:
//! all kinds of session share one table, unless [`Spec::kind_limits`] gives some a limit of their own.

mod answer;
mod chance;
mod etag;
mod fault;
pub mod front;
mod gate;
mod gzip;
mod ilo;
mod json;
mod log;
mod login;
mod moment;
mod path;
mod personality;
mod registry;
mod reply;
mod resource;
mod service;
mod session;
mod spec;
#[cfg(test)]
mod stories;

pub use fault::{Fault, FaultKind, Matcher};
pub use ilo::{Ilo, UpdateState};
pub use log::{Effect, Logged, Refusal};
pub use moment::{Moment, Stamp};
pub use personality::{Personality, UnknownPersonality};
pub use reply::{Delivery, Reply};
pub use session::{Session, SessionId, SessionSpec};
pub use spec::{Account, BasicAuth, Privilege, Privileges, Spec};
