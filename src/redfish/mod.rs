//! One iLO over the wire.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`Transport`] | the seam: one HTTP exchange |
//! | [`Ilo`] | what we ask an iLO: its root, a login, its sessions, the end of one |
//! | `wire`, `once` | PURE: its JSON, read with suspicion |
//! | [`Https`] | the real transport: a line to each iLO, under one trust |
//! | `modern`, `tls` | such a line by reqwest on rustls, and how it judges certificates |
//! | `legacy` | such a line by hyper on openssl, for old iLOs (feature `legacy-tls`) |
//! | `failure`, `remedy` | PURE: what a failed handshake means, and what helps |
//! | `roots` | certificates of authorities, from a file or this system |
//!
//! An iLO is not trusted: bodies are bounded, redirects are not followed, and no path comes from an answer.

mod answer;
mod failure;
mod https;
mod ilo;
#[cfg(feature = "legacy-tls")]
mod legacy;
mod modern;
mod once;
mod remedy;
mod roots;
mod tls;
mod transport;
mod wire;

pub use https::{Https, Shown};
pub use ilo::{Ended, Ilo, IloError, Login, LoginError, Root, Seen};
pub use roots::{Unrooted, roots_of_pem, roots_of_system};
pub use transport::{BODY_BYTES_MAX, ExchangeError, Patience, Peer, Transport};
pub use wire::{Collection, Flashing, LOGIN_DELAY_MAX, Member, collection, message_ids, session};
