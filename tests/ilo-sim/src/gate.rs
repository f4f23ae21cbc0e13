//! The delay that wrong passwords earn.

use std::time::Duration;

/// `AuthFailureDelayTimeSeconds` as in every capture of an iLO 5, 6 and 7.
pub(crate) const STEP_S: u32 = 10;

/// Counts wrong passwords since the last right one.
///
/// The factory's setting is that one failure causes no delay; each further one adds ten seconds, until
/// a valid login occurs (HPE iLO 5 and iLO 4 User Guides, "Authentication Failure Delay Time"). Whether
/// a real iLO keeps the count per address, per account or for all is not documented. Here it is for
/// all, and a right password waits the delay in force as well: the hardest reading for clients.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gate {
    failures: u32,
}

impl Gate {
    /// `LoginFailureDelay` of the service root: seconds that a login waits now.
    pub(crate) const fn delay_s(self) -> u32 {
        self.failures.saturating_sub(1).saturating_mul(STEP_S)
    }

    /// A wrong password: how long its refusal takes.
    pub(crate) fn refuse(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        Duration::from_secs(self.delay_s().into())
    }

    /// A right password: how long its answer takes.
    pub(crate) fn pass(&mut self) -> Duration {
        let delay = Duration::from_secs(self.delay_s().into());
        self.failures = 0;
        delay
    }
}
