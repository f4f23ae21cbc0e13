//! Deletions per minute, of one iLO and of the fleet.

use std::collections::VecDeque;
use std::time::Duration;

use super::plan::Cap;
use crate::settings::{Caps, IloName};

const MINUTE: Duration = Duration::from_secs(60);

/// Remembers the deletions of the last minute. Times are monotonic, since any fixed moment.
#[derive(Clone, Debug, Default)]
pub struct Budget {
    spent: VecDeque<(Duration, IloName)>,
}

impl Budget {
    /// A budget at a start: what was deleted in the minute before counts as deleted now, one for each name, or a
    /// daemon that is killed again and again would know no bound.
    pub fn after(ended_lately: Vec<IloName>) -> Self {
        Self { spent: ended_lately.into_iter().map(|ilo| (Duration::ZERO, ilo)).collect() }
    }

    /// Takes one deletion on `ilo` out of the budget, or tells the cap that forbids it.
    pub fn take(&mut self, caps: &Caps, ilo: &IloName, now: Duration) -> Result<(), Cap> {
        self.allows(caps, ilo, now)?;
        self.spent.push_back((now, ilo.clone()));
        Ok(())
    }

    /// The cap that forbids a deletion on `ilo` now, if one does.
    pub fn allows(&mut self, caps: &Caps, ilo: &IloName, now: Duration) -> Result<(), Cap> {
        while self.spent.front().is_some_and(|(at, _)| now.saturating_sub(*at) >= MINUTE) {
            self.spent.pop_front();
        }
        if self.spent.len() >= caps.per_minute {
            return Err(Cap::FleetMinute);
        }
        if self.spent.iter().filter(|(_, name)| name == ilo).count() >= caps.per_ilo_minute {
            return Err(Cap::IloMinute);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prop_assert;
    use proptest::strategy::Strategy;

    use super::*;
    use crate::law::holds;

    #[test]
    fn a_start_does_not_fill_it() {
        let caps = Caps { per_ilo_minute: 2, ..Caps::default() };
        let (a, b) = (IloName::new("a"), IloName::new("b"));
        let mut budget = Budget::after(vec![a.clone(), b.clone(), a.clone()]);
        assert_eq!(budget.take(&caps, &a, Duration::from_secs(59)), Err(Cap::IloMinute));
        assert_eq!(budget.take(&caps, &b, Duration::from_secs(59)), Ok(()));
        assert_eq!(budget.take(&caps, &a, Duration::from_secs(60)), Ok(()));
    }

    #[test]
    fn in_any_minute_no_more_than_the_caps_go() {
        let caps = Caps { per_ilo_minute: 2, per_minute: 3, ..Caps::default() };
        let (a, b) = (IloName::new("a"), IloName::new("b"));
        let mut budget = Budget::default();
        let mut take = |ilo: &IloName, at_s: u64| budget.take(&caps, ilo, Duration::from_secs(at_s));
        assert_eq!(take(&a, 0), Ok(()));
        assert_eq!(take(&a, 30), Ok(()));
        assert_eq!(take(&a, 31), Err(Cap::IloMinute));
        assert_eq!(take(&b, 32), Ok(()));
        assert_eq!(take(&b, 59), Err(Cap::FleetMinute));
        assert_eq!(take(&a, 60), Ok(()), "the first is a minute old");
        assert_eq!(take(&a, 61), Err(Cap::FleetMinute));
        assert_eq!(take(&b, 90), Ok(()));
    }

    /// Deletions that are asked for one after the other: how many milliseconds after the last, on which iLO, and
    /// under which caps of an iLO's minute and the fleet's.
    fn asked() -> impl Strategy<Value = Vec<(u64, usize, (usize, usize))>> {
        vec((0..8000u64, 0..3usize, (0..6usize, 0..12usize)), 1..100)
    }

    fn caps((per_ilo_minute, per_minute): (usize, usize)) -> Caps {
        Caps { per_ilo_minute, per_minute, ..Caps::default() }
    }

    /// Also where a reload changes the caps every time.
    #[test]
    fn no_minute_has_more_deletions_than_the_caps_say_and_none_is_refused_below_them() {
        holds(500, &asked(), |asked| {
            let ilos = ["a", "b", "c"].map(IloName::new);
            let (mut budget, mut now) = (Budget::default(), Duration::ZERO);
            let mut taken: Vec<(Duration, usize)> = Vec::new();
            let mut refused = 0;
            for (after_ms, ilo, limits) in asked {
                now += Duration::from_millis(after_ms);
                let lately: Vec<_> = taken.iter().filter(|(at, _)| *at + MINUTE > now).collect();
                let of_ilo = lately.iter().filter(|(_, other)| *other == ilo).count();
                match budget.take(&caps(limits), &ilos[ilo], now) {
                    Ok(()) => {
                        prop_assert!(of_ilo < limits.0 && lately.len() < limits.1, "{} on it, {:?}", of_ilo, lately);
                        taken.push((now, ilo));
                    }
                    Err(Cap::IloMinute) => prop_assert!(of_ilo >= limits.0, "{} on it", of_ilo),
                    Err(Cap::FleetMinute) => prop_assert!(lately.len() >= limits.1, "{:?}", lately),
                    Err(other) => prop_assert!(false, "{:?} is no cap of a minute", other),
                }
                refused += usize::from(taken.last().is_none_or(|(at, _)| *at != now));
            }
            Ok(refused > 0 && taken.len() > 1)
        });
    }

    #[test]
    fn after_the_same_deletions_lower_caps_let_no_more_go() {
        let caps_before_and_after = ((0..6usize, 0..12usize), (0..4usize, 0..4usize));
        holds(500, &(asked(), caps_before_and_after), |(asked, (higher, fewer))| {
            let ilo = IloName::new("a");
            let (mut budget, mut now) = (Budget::default(), Duration::ZERO);
            for (after_ms, other, limits) in asked {
                now += Duration::from_millis(after_ms);
                let other = if other == 0 { ilo.clone() } else { IloName::new("b") };
                let _ = budget.take(&caps(limits), &other, now);
            }
            let lower = (higher.0.saturating_sub(fewer.0), higher.1.saturating_sub(fewer.1));
            let many = |limits| {
                let mut budget = budget.clone();
                (0..20).filter(|_| budget.take(&caps(limits), &ilo, now).is_ok()).count()
            };
            prop_assert!(many(lower) <= many(higher), "{:?} instead of {:?}", lower, higher);
            Ok(many(higher) > 0)
        });
    }
}
