//! That the loop turns, for whoever starts it again when it does not.

use std::time::Duration;

use tokio::time::Instant;

use super::Fleet;
use crate::redfish::Transport;
use crate::settings::Poll;
use crate::state::State;
use crate::visit::MayLogIn;

/// After its time-out a visit has so long to write down what it learned.
const AFTER_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a clean stop says how long it may still take.
const STOPPING_EVERY: Duration = Duration::from_secs(5);

/// Whom to tell, and how often at least.
pub struct Pulse {
    /// From one beat to the next, while all is well.
    pub every: Duration,
    /// Takes a beat. It must not wait.
    pub told: Box<dyn Fn(Beat) + Send>,
}

/// One beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// The loop turned, and no visit is older than it can be. How slow or dead an iLO is, makes no difference.
    Turned,
    /// The same during a clean stop, which is over after so long at the latest.
    Stopping(Duration),
}

/// When the next beat is due.
pub(super) struct Heart {
    pulse: Option<Pulse>,
    next: Instant,
}

impl Heart {
    pub(super) fn new(pulse: Option<Pulse>) -> Self {
        Self { pulse, next: Instant::now() }
    }
}

impl<T: Transport, S: State> Fleet<T, S> {
    /// Beats if that is due and all is well. When the next beat is due.
    pub(super) fn beat(&mut self) -> Option<Instant> {
        self.beat_with(Beat::Turned)
    }

    /// The same during a clean stop, which is over by then.
    pub(super) fn beat_stopping(&mut self, deadline: Instant) -> Option<Instant> {
        let left = deadline.saturating_duration_since(Instant::now());
        self.beat_with(Beat::Stopping(left))
    }

    fn beat_with(&mut self, beat: Beat) -> Option<Instant> {
        let now = Instant::now();
        let pulse = self.heart.pulse.as_ref()?;
        if now >= self.heart.next {
            let every = match beat {
                Beat::Turned => pulse.every,
                Beat::Stopping(_) => pulse.every.min(STOPPING_EVERY),
            };
            self.heart.next = now + every;
            if self.flying.values().all(|flight| now < flight.overdue) {
                (pulse.told)(beat);
            }
        }
        Some(self.heart.next)
    }
}

/// When a visit that begins now is older than it can be.
pub(super) fn overdue(poll: &Poll, login: MayLogIn) -> Instant {
    let patience = if login == MayLogIn::Patiently { crate::redfish::LOGIN_DELAY_MAX } else { Duration::ZERO };
    Instant::now() + poll.visit_timeout + patience + AFTER_TIMEOUT
}
