//! Points in time on an iLO's own clock, and how they are written.
//!
//! An iLO tells time in whole seconds: RFC 3339 in session members (`2025-06-23T20:07:13Z`), an
//! HTTP date in the `Date` header of every answer. Both are UTC. A [`Timestamp`] never mixes with
//! the host's clock: ages are differences of two times of the *same* iLO.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

/// By so much two readings of a clock in whole seconds may be further apart than they were.
const READINGS: Duration = Duration::from_secs(1);

/// A whole second on some clock, counted from 1970 in UTC. Which clock, its holder knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The second `unix_s` seconds after (before, when negative) the start of 1970.
    pub const fn from_unix_s(unix_s: i64) -> Self {
        Self(unix_s)
    }

    /// Seconds since the start of 1970.
    pub const fn unix_s(self) -> i64 {
        self.0
    }

    /// Reads RFC 3339 with `Z` or any offset. Fractions of a second are cut.
    ///
    /// iLOs write `Z` in every capture of iLO 5, 6 and 7; Redfish allows offsets.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let parsed: jiff::Timestamp = text.parse().ok()?;
        Some(Self(parsed.as_second()))
    }

    /// Reads an HTTP `Date` header, such as `Fri, 05 Sep 2025 05:24:47 GMT`.
    pub fn parse_http_date(text: &str) -> Option<Self> {
        let parsed = jiff::fmt::rfc2822::parse(text).ok()?;
        Some(Self(parsed.timestamp().as_second()))
    }

    /// How long after `earlier` this is; `None` where it is before.
    pub fn since(self, earlier: Self) -> Option<Duration> {
        let elapsed_s = self.0.checked_sub(earlier.0)?;
        u64::try_from(elapsed_s).ok().map(Duration::from_secs)
    }

    /// How far apart two times are, whichever is first.
    pub fn distance(self, other: Self) -> Duration {
        Duration::from_secs(self.0.abs_diff(other.0))
    }

    /// This time `later` on, in whole seconds.
    #[must_use]
    pub fn plus(self, later: Duration) -> Self {
        let later_s = i64::try_from(later.as_secs()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(later_s))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0) {
            Ok(time) => write!(f, "{time}"),
            Err(_) => write!(f, "{} s after 1970", self.0),
        }
    }
}

/// Readings of the host's own clocks, handed in so that a simulated run has a simulated host.
#[derive(Clone)]
pub struct HostClock {
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    up: Arc<dyn Fn() -> Duration + Send + Sync>,
}

impl HostClock {
    /// The clocks of this host.
    pub fn real() -> Self {
        Self::new(host_now, host_up)
    }

    /// A host whose clocks show this.
    pub fn new(
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
        up: impl Fn() -> Duration + Send + Sync + 'static,
    ) -> Self {
        Self { now: Arc::new(now), up: Arc::new(up) }
    }

    /// What it shows now. It may be set, forward or back.
    pub fn now(&self) -> Timestamp {
        (self.now)()
    }

    /// For how long the host is up, its sleep included. Nobody sets it; but where a virtual machine stands still, so may it.
    pub fn up(&self) -> Duration {
        (self.up)()
    }
}

/// A moment on the host's clocks.
#[derive(Clone, Copy, Debug)]
pub struct HostMoment {
    now: Timestamp,
    up: Duration,
    awake: Instant,
}

impl HostMoment {
    /// This moment.
    pub fn of(clock: &HostClock) -> Self {
        Self { now: clock.now(), up: clock.up(), awake: Instant::now() }
    }

    /// What [`HostClock::up`] was.
    pub fn up(self) -> Duration {
        self.up
    }

    /// How long ago it is by [`HostClock::up`].
    pub fn elapsed(self, clock: &HostClock) -> Duration {
        clock.up().saturating_sub(self.up)
    }

    /// How long ago it may be: by whichever clock says more. Where a virtual machine stood still, only its clock is set
    /// afterwards; a step of that looks the same.
    pub fn ago_at_most(self, clock: &HostClock) -> Duration {
        let set_by = clock.now().distance(self.now).saturating_sub(READINGS);
        self.elapsed(clock).max(set_by)
    }

    /// For how long the host may have slept since.
    pub fn slept_at_most(self, clock: &HostClock) -> Duration {
        self.ago_at_most(clock).saturating_sub(self.awake.elapsed())
    }
}

/// The host's own clock, for the time stamp of an event and the end of a protection; never for an age.
#[expect(clippy::disallowed_methods, reason = "the one door for the host's wall clock")]
pub fn host_now() -> Timestamp {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let unix_s = since_1970.map_or(0, |elapsed| elapsed.as_secs());
    Timestamp(i64::try_from(unix_s).unwrap_or(i64::MAX))
}

/// For how long this host is up, its sleep included; `Instant` leaves that out.
fn host_up() -> Duration {
    let up = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::try_from(up).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redfish_and_http_spellings_of_one_second_agree() {
        let expected = Timestamp::from_unix_s(1_757_049_887);
        for text in [
            "2025-09-05T05:24:47Z",
            "2025-09-05T05:24:47+00:00",
            "2025-09-04T23:24:47-06:00",
            "2025-09-05T05:24:47.900Z",
        ] {
            assert_eq!(Timestamp::parse_rfc3339(text), Some(expected), "{text}");
        }
        assert_eq!(Timestamp::parse_http_date("Fri, 05 Sep 2025 05:24:47 GMT"), Some(expected));
        assert_eq!(expected.to_string(), "2025-09-05T05:24:47Z");
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in ["", "now", "2025-09-05", "2025-09-05T05:24:47", "2025-13-05T05:24:47Z", "\u{0}"] {
            assert_eq!(Timestamp::parse_rfc3339(text), None, "{text}");
            assert_eq!(Timestamp::parse_http_date(text), None, "{text}");
        }
    }

    #[test]
    fn an_age_is_never_negative() {
        let (early, late) = (Timestamp::from_unix_s(10), Timestamp::from_unix_s(70));
        assert_eq!(late.since(early), Some(Duration::from_secs(60)));
        assert_eq!(early.since(late), None);
        assert_eq!(early.distance(late), Duration::from_secs(60));
        assert_eq!(Timestamp::from_unix_s(i64::MAX).since(Timestamp::from_unix_s(i64::MIN)), None);
    }
}
