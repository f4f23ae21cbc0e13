//! The control socket: how commands speak to the daemon that runs. HTTP over a unix socket that only root and the
//! daemon's own user can use; who asks is told by the kernel.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`ask`] | the side of the commands |
//! | [`Desk`] | the side of the daemon: what is asked, and where it goes |
//! | [`listen`] | the socket itself |
//! | `wishes` | what people write, to orders |

mod ask;
mod desk;
mod socket;
mod wishes;

use std::time::Duration;

pub use ask::{Failed, Whom, ask};
pub use desk::{Desk, Reload, Reloaded, serve};
pub use socket::{Socket, listen};

/// The longest that a round of visits is waited for. 10,000 iLOs of which none answers are visited within hours.
const ROUND_PATIENCE: Duration = Duration::from_secs(6 * 3600);

/// The header of a question that names the configuration its asker means.
const CONFIG: &str = "x-ilo-reaper-config";

/// The paths that are served. All but the two that only show take POST.
pub mod path {
    /// Takes the configuration again.
    pub const RELOAD: &str = "/v1/reload";
    /// No session of others is ended.
    pub const PAUSE: &str = "/v1/pause";
    /// It goes on.
    pub const RESUME: &str = "/v1/resume";
    /// GET: the whole fleet, and what people ordered.
    pub const STATUS: &str = "/v1/status";
    /// GET: what people ordered.
    pub const ORDERS: &str = "/v1/orders";
    /// A visit to each iLO that is named, or to all: answered when they are over.
    pub const VISITS: &str = "/v1/visits";
    /// Another protection.
    pub const PROTECT: &str = "/v1/protect";
    /// One less.
    pub const UNPROTECT: &str = "/v1/unprotect";
}
