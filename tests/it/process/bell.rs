//! How a story waits: it looks, and looks again each time that something happened.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long a fact may take. On a busy machine all that these stories wait for is there within seconds.
const DEADLINE: Duration = Duration::from_secs(30);

/// Rung by whoever saw something happen: a line of output, a request to a simulated iLO, an end.
#[derive(Clone, Default)]
pub(super) struct Bell(Arc<(Mutex<u64>, Condvar)>);

impl Bell {
    /// Something happened.
    pub(super) fn ring(&self) {
        let (rung, heard) = &*self.0;
        *rung.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        heard.notify_all();
    }

    /// What `look` finds, as soon as it finds something; `None` where that does not come in time.
    pub(super) fn until<T>(&self, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        let (rung, heard) = &*self.0;
        let deadline = Instant::now() + DEADLINE;
        loop {
            let before = *rung.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(found) = look() {
                return Some(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let guard = rung.lock().unwrap_or_else(PoisonError::into_inner);
            let waited = heard.wait_timeout_while(guard, left, |now| *now == before).unwrap();
            if waited.1.timed_out() {
                return None;
            }
        }
    }
}
