//! Who leaves sessions behind, over a day and the fleet. PURE: times are monotonic.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use crate::event::{Case, Event};
use crate::session::Owner;
use crate::settings::IloName;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// So many orphans in a day are worth a word: one an hour.
const ORPHANS_TOLD: usize = 24;
/// Accounts and addresses that are watched at once. Past that, new ones are not.
const LEAKERS_MAX: usize = 10_000;

/// The orphans of the last day, by account and address.
#[derive(Clone, Debug, Default)]
pub(super) struct Leakers {
    left: BTreeMap<(String, IpAddr), Left>,
}

#[derive(Clone, Debug)]
struct Left {
    owner: Owner,
    orphans: VecDeque<(Duration, IloName)>,
    told_at: Option<Duration>,
}

impl Leakers {
    /// Takes one orphan in. The event, once a day, when its client has left many.
    pub(super) fn left(&mut self, case: &Case, ilo: &IloName, now: Duration) -> Option<Event> {
        let (owner, origin) = (case.session.owner.clone()?, case.session.origin?);
        let key = (owner.folded().to_owned(), origin);
        if self.left.len() >= LEAKERS_MAX && !self.left.contains_key(&key) {
            self.left.retain(|_, left| left.orphans.back().is_some_and(|(at, _)| now.saturating_sub(*at) < DAY));
            if self.left.len() >= LEAKERS_MAX {
                return None;
            }
        }
        let left = self.left.entry(key).or_insert(Left { owner, orphans: VecDeque::new(), told_at: None });
        left.orphans.push_back((now, ilo.clone()));
        while left.orphans.front().is_some_and(|(at, _)| now.saturating_sub(*at) >= DAY) {
            left.orphans.pop_front();
        }
        let is_due = left.told_at.is_none_or(|at| now.saturating_sub(at) >= DAY);
        if left.orphans.len() < ORPHANS_TOLD || !is_due {
            return None;
        }
        left.told_at = Some(now);
        let ilos = left.orphans.iter().map(|(_, ilo)| ilo).collect::<BTreeSet<_>>().len();
        Some(Event::LeakerFound { owner: left.owner.clone(), origin, orphans: left.orphans.len(), ilos })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{Kind, Mine, Session, SessionId, UserType};

    fn case(owner: &str) -> Case {
        let session = Session {
            id: SessionId::read("a"),
            owner: Some(Owner::new(owner)),
            origin: Some(IpAddr::from([192, 0, 2, 4])),
            kind: Kind::Rest,
            user_type: UserType::Local,
            login: None,
            access: None,
            mine: Mine::No,
        };
        let (why, rule) = (String::from("superseded"), String::from("superseded"));
        Case { session, age: None, idle: None, why, rule, used: 9, limit: None }
    }

    #[test]
    fn many_orphans_of_one_client_within_a_day_are_told_once_a_day() {
        let mut leakers = Leakers::default();
        let mut told = Vec::new();
        for hour in 0..72 {
            let (now, ilo) = (Duration::from_secs(hour * 3600), IloName::new(&format!("r{}", hour % 5)));
            let owner = if hour % 2 == 0 { "svc-a" } else { "SVC-A" };
            if let Some(Event::LeakerFound { orphans, ilos, .. }) = leakers.left(&case(owner), &ilo, now) {
                told.push((hour, orphans, ilos));
            }
        }
        assert_eq!(told, [(23, 24, 5), (47, 24, 5), (71, 24, 5)]);
        let slow = (0..100).filter_map(|number| {
            leakers.left(&case("svc-b"), &IloName::new("r1"), Duration::from_secs(number * 2 * 3600))
        });
        assert_eq!(slow.count(), 0, "twelve a day");
    }
}
