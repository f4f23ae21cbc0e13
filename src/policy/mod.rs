//! Who goes, who stays, and why for each. PURE: no I/O, no clock, no chance, nothing awaited.
//!
//! [`Policy::plan`](crate::settings::Policy::plan) judges one observation. In this order:
//!
//! 1. The built-in protections and the policy's own `protect` spare (`guard`). Nothing overrules them. Nor does
//!    anything overrule the [`Witness`]: whoever paused for long before must be idle three times as long.
//! 2. The first `reap` rule whose conditions all hold decides (`rule`), if it can prove each of them:
//!    what is unknown matches nothing.
//! 3. `keep_latest` and `down_to` spare some of those.
//! 4. The caps let a prefix of the rest go, longest idle first; the others are held back, and told.
//!
//! A session is *superseded* if and only if another session of the same owner, origin and kind logged in
//! after it, and it was not used since, nor in the same second. It is *never used* if and only if its last
//! access is its login. Where its login, its last access and now are not in this order, its times contradict
//! each other, and it is none of these: nor has it an age or an idle time. One whose times are of a clock that is
//! no more is idle for as long as the witness saw it stand still, and superseded by whoever logged in since then.

mod budget;
mod guard;
mod plan;
mod pressure;
mod rule;
#[cfg(test)]
pub(crate) mod tests;
mod witness;

pub use budget::Budget;
pub use guard::{Spared, names_inside};
pub use plan::{Cap, Circumstances, Doomed, HeldBack, Judged, Plan, Verdict};
pub use pressure::{Gauge, Learned, LimitFrom, Table, used};
pub use rule::Reason;
pub use witness::Witness;
