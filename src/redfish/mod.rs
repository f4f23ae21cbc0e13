//! One iLO over the wire.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`Transport`] | the seam: one HTTP exchange |
//! | [`Ilo`] | what we ask an iLO: its root, a login, its sessions, the end of one |
//! | `wire`, `once` | PURE: its JSON, read with suspicion |
//! | [`Https`], `tls` | the real transport |
//!
//! An iLO is not trusted: bodies are bounded, redirects are not followed, and no path comes from an answer.

mod answer;
mod https;
mod ilo;
mod once;
mod tls;
mod transport;
mod wire;

pub use https::Https;
pub use ilo::{Ended, Ilo, IloError, Login, LoginError, Root, Seen};
pub use transport::{BODY_BYTES_MAX, ExchangeError, Patience, Peer, Transport};
pub use wire::{Collection, Flashing, Member, collection, message_ids, session};
