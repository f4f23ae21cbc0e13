//! Two kinds of time: true time, which the world keeps, and what an iLO's clock says it is.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use jiff::tz::Offset;
use serde::{Serialize, Serializer};

use crate::json::Json;

/// A moment of true time: milliseconds since the Unix epoch.
///
/// The core never reads a clock. Whoever calls it says what time it is, which is what makes runs
/// repeatable and hours of idleness free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub u64);

impl Moment {
    /// The moment `seconds` after the Unix epoch.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// The time from `earlier` to this moment; zero where `earlier` is in fact later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis(span)))
    }
}

impl Sub<Duration> for Moment {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(millis(span)))
    }
}

/// RFC 3339 in UTC, with milliseconds.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = i64::try_from(self.0).unwrap_or(i64::MAX);
        write!(f, "{:.3}", Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX))
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// A reading of an iLO's own clock: whole seconds since the Unix epoch, often wrong.
///
/// Every capture of an iLO 5, 6 and 7 shows times as `YYYY-MM-DDTHH:MM:SSZ`, without a fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(i64);

impl Stamp {
    /// 9999-12-30T22:00:00Z, the last second that can be written.
    const LAST: i64 = 253_402_207_200;

    /// What a clock that is `offset_s` seconds ahead of true time (behind it, if negative) shows.
    ///
    /// No iLO shows a time before 1970, so earlier readings stand at the epoch.
    pub fn read(now: Moment, offset_s: i64) -> Self {
        let true_s = i64::try_from(now.0 / 1000).unwrap_or(Self::LAST);
        Self(true_s.saturating_add(offset_s).clamp(0, Self::LAST))
    }

    /// Seconds since the Unix epoch, never negative.
    pub const fn epoch_s(self) -> i64 {
        self.0
    }

    /// This reading, `minutes` later.
    pub(crate) fn plus_minutes(self, minutes: u32) -> Self {
        Self((self.0 + i64::from(minutes) * 60).min(Self::LAST))
    }

    /// The form of an HTTP `Date` header.
    pub fn http_date(self) -> String {
        // A stamp is clamped to the years that RFC 9110 can write, so the default is never taken.
        rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&self.timestamp()).unwrap_or_default()
    }

    /// The form of other services' JSON, so many minutes east of Greenwich: `2024-07-16T13:59:10-05:00`.
    pub(crate) fn with_offset(self, minutes: i16) -> String {
        let there = Offset::from_seconds(i32::from(minutes) * 60).unwrap_or(Offset::UTC).to_datetime(self.timestamp());
        format!("{there:.0}{}", offset(minutes))
    }

    fn timestamp(self) -> Timestamp {
        Timestamp::from_second(self.0).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

/// An offset from Greenwich as in `DateTimeLocalOffset`: `-05:00`.
pub(crate) fn offset(minutes: i16) -> String {
    let sign = if minutes < 0 { '-' } else { '+' };
    let all = minutes.unsigned_abs();
    format!("{sign}{:02}:{:02}", all / 60, all % 60)
}

/// The form of the iLO's JSON: `2025-06-23T20:08:14Z`.
impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.timestamp().fmt(f)
    }
}

/// The same, without the detour over the formatter: a collection of sessions is full of stamps.
impl Json for Stamp {
    fn write(self, out: &mut Vec<u8>) {
        let time = Offset::UTC.to_datetime(self.timestamp());
        let year = time.year().unsigned_abs();
        let [century, year] = [year / 100, year % 100].map(|pair| u8::try_from(pair).unwrap_or_default());
        let [month, day, hour, minute, second] =
            [time.month(), time.day(), time.hour(), time.minute(), time.second()].map(i8::unsigned_abs);
        let mut text = *b"\"YYYY-MM-DDThh:mm:ssZ\"";
        let places = [(1, century), (3, year), (6, month), (9, day), (12, hour), (15, minute), (18, second)];
        for (place, number) in places {
            text[place] = b'0' + number / 10;
            text[place + 1] = b'0' + number % 10;
        }
        out.extend_from_slice(&text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_shows_whole_seconds_and_its_own_offset() {
        let now = Moment(1_750_709_294_900);
        assert_eq!(Stamp::read(now, 0).to_string(), "2025-06-23T20:08:14Z");
        assert_eq!(Stamp::read(now, -3600).to_string(), "2025-06-23T19:08:14Z");
        assert_eq!(Stamp::read(now, 0).http_date(), "Mon, 23 Jun 2025 20:08:14 GMT");
    }

    #[test]
    fn no_clock_leaves_the_years_that_can_be_written() {
        assert_eq!(Stamp::read(Moment(0), -1).to_string(), "1970-01-01T00:00:00Z");
        let last = Stamp::read(Moment(u64::MAX), i64::MAX);
        assert_eq!(last.plus_minutes(u32::MAX), last);
        assert_eq!(last.http_date(), "Thu, 30 Dec 9999 22:00:00 GMT");
    }

    #[test]
    fn a_stamp_looks_the_same_in_json() {
        // Three months apart, at ever different hours; then a leap day and the last second.
        let apart = (0..=Stamp::LAST).step_by(91 * 86_399);
        for stamp in apart.chain([951_782_400, Stamp::LAST]).map(Stamp) {
            let mut json = Vec::new();
            stamp.write(&mut json);
            assert_eq!(String::from_utf8(json).unwrap(), format!("\"{stamp}\""));
        }
    }

    #[test]
    fn a_stamp_can_be_written_as_the_time_of_a_place() {
        let noon = Stamp::read(Moment::from_secs(1_721_156_350), 0);
        assert_eq!(noon.to_string(), "2024-07-16T18:59:10Z");
        assert_eq!(noon.with_offset(-300), "2024-07-16T13:59:10-05:00");
        assert_eq!(noon.with_offset(345), "2024-07-17T00:44:10+05:45");
        assert_eq!(noon.with_offset(0), "2024-07-16T18:59:10+00:00");
    }

    #[test]
    fn moments_are_written_with_their_milliseconds() {
        assert_eq!(Moment(1_750_709_294_007).to_string(), "2025-06-23T20:08:14.007Z");
        assert_eq!(Moment(1_750_709_294_000).to_string(), "2025-06-23T20:08:14.000Z");
        assert_eq!(Moment::from_secs(60).since(Moment::from_secs(90)), Duration::ZERO);
    }
}
