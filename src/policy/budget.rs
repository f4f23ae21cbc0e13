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
        while self.spent.front().is_some_and(|(at, _)| now.saturating_sub(*at) >= MINUTE) {
            self.spent.pop_front();
        }
        if self.spent.len() >= caps.per_minute {
            return Err(Cap::FleetMinute);
        }
        if self.spent.iter().filter(|(_, name)| name == ilo).count() >= caps.per_ilo_minute {
            return Err(Cap::IloMinute);
        }
        self.spent.push_back((now, ilo.clone()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
