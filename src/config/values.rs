//! Values with a unit: durations, room in a table, shares.

use std::time::Duration;

use super::at::At;
use super::tree::Node;
use crate::settings::Room;

/// Nothing here is planned for longer: ten years.
const DURATION_MAX: Duration = Duration::from_secs(10 * 366 * 86_400);
/// Digits of one number in a duration. The parser's own sums overflow (and panic) far above this.
const DIGITS_MAX: usize = 10;
/// Characters of a duration.
const DURATION_TEXT_MAX: usize = 64;
/// Places that a table may be said to have.
pub(super) const PLACES_MAX: usize = 1000;

const A_DURATION: &str = "a duration such as `90s`, `5m` or `2h 30m`";
const ROOM: &str = "room such as `3 free` or `70%`";
const SHARE: &str = "a share such as `50%`";

impl At<'_> {
    /// A duration of at least so much.
    pub(super) fn duration(&self, least: Duration) -> Option<Duration> {
        let text = match self.node {
            Node::Text(text) => text,
            Node::Whole(bare) => return self.none(format!("`{bare}` has no unit; did you mean `{bare}s`?")),
            _ => return self.unexpected(A_DURATION),
        };
        let duration = match parse_duration(text) {
            Ok(duration) => duration,
            Err(why) => return self.none(format!("{} is not {A_DURATION}: {why}", self.shown())),
        };
        if duration < least {
            return self.none(format!("{} is too short; the least is `{}`", self.shown(), written(least)));
        }
        if duration > DURATION_MAX {
            return self.none(format!("{} is too long; the most is ten years", self.shown()));
        }
        Some(duration)
    }

    /// Room in a table. None free at all is no room, and all free is no table.
    pub(super) fn room(&self) -> Option<Room> {
        let text = match self.node {
            Node::Text(text) => text.trim(),
            Node::Whole(bare) => return self.none(format!("`{bare}` has no unit; did you mean `{bare} free`?")),
            _ => return self.unexpected(ROOM),
        };
        if let Some(percent) = text.strip_suffix('%') {
            return match percent.trim_end().parse() {
                Ok(percent @ 1..=99) => Some(Room::UsedPercent(percent)),
                _ => self.none(format!("{} is not a share from `1%` to `99%`", self.shown())),
            };
        }
        match text.strip_suffix("free").map(|places| places.trim_end().parse()) {
            Some(Ok(places @ 1..=PLACES_MAX)) => Some(Room::Free(places)),
            Some(_) => self.none(format!("{} is not from `1 free` to `{PLACES_MAX} free`", self.shown())),
            None => self.unexpected(ROOM),
        }
    }

    /// A share from 1% to 100%.
    pub(super) fn share(&self) -> Option<u8> {
        let text = match self.node {
            Node::Text(text) => text,
            Node::Whole(bare) => return self.none(format!("`{bare}` has no unit; did you mean `{bare}%`?")),
            _ => return self.unexpected(SHARE),
        };
        match text.strip_suffix('%').map(|percent| percent.trim_end().parse()) {
            Some(Ok(percent @ 1..=100)) => Some(percent),
            Some(_) => self.none(format!("{} is not a share from `1%` to `100%`", self.shown())),
            None => self.unexpected(SHARE),
        }
    }
}

/// A duration as a mistake or a reload writes it.
pub(super) fn written(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

/// A duration as people write it, or what is wrong with it. Nothing overflows.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let too_many_digits = text.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() > DIGITS_MAX);
    if text.len() > DURATION_TEXT_MAX || too_many_digits {
        return Err(String::from("it is too long"));
    }
    humantime::parse_duration(text).map_err(|error| match error {
        humantime::DurationError::UnknownUnit { unit, value, .. } if unit.is_empty() => {
            format!("`{value}` has no unit; did you mean `{value}s`?")
        }
        humantime::DurationError::UnknownUnit { unit, .. } => {
            format!("`{unit}` is no unit; there are `ms`, `s`, `m`, `h`, `d` and `w`")
        }
        humantime::DurationError::NumberExpected(_) => String::from("a number must come before each unit"),
        humantime::DurationError::InvalidCharacter(_) => String::from("it has a character that no duration has"),
        humantime::DurationError::NumberOverflow => String::from("it can't be told so exactly"),
        humantime::DurationError::Empty => String::from("it is empty"),
    })
}

#[cfg(test)]
mod tests {
    use proptest::strategy::Strategy;
    use proptest::{prop_assert_eq, prop_oneof};

    use super::*;
    use crate::law::holds;

    #[test]
    fn durations_read_as_people_write_them() {
        for (text, seconds) in
            [("90s", 90), ("5m", 300), ("2h 30m", 9000), ("1d", 86_400), ("1.5h", 5400), ("1000ms", 1)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn what_would_overflow_is_refused() {
        for text in [
            "18446744073709551615s 1000ms",
            "18446744073709551615y",
            "99999999999s",
            &"9999999999y".repeat(6),
            &"1s ".repeat(1000),
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_duration_reads_back_as_it_is_written() {
        let nanos = prop_oneof![0..10_000_000_000u64, 0..u64::try_from(DURATION_MAX.as_nanos()).expect("ten years")];
        holds(500, &nanos.prop_map(Duration::from_nanos), |duration| {
            prop_assert_eq!(parse_duration(&written(duration)), Ok(duration));
            Ok(true)
        });
    }

    #[test]
    fn what_no_one_would_write_is_refused_and_breaks_nothing() {
        let text = prop_oneof!["[0-9]{0,12}[.]?[0-9]{0,12} ?[a-zµ]{0,7}( [0-9]{1,20}[a-z]{1,3}){0,3}", "\\PC{0,80}"];
        holds(500, &text, |text| Ok(parse_duration(&text).is_err()));
    }
}
