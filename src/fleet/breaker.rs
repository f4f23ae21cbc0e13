//! Which password may be tried where, and when. PURE: times are monotonic, since the start of the loop.
//!
//! A wrong password delays every later login of an iLO, and directory accounts lock. So a password is tried
//! on one iLO first, until one accepts it; an iLO that rejected it is left alone for a growing while; and
//! three rejections in a row by iLOs that should know it suspend it for all. Nor do many try at once what
//! nobody accepted lately: it may have been changed everywhere since.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::secret::Secret;
use crate::settings::{Credential, CredentialId, IloName};

/// The first wait after a rejection. It doubles with each further one.
const WAIT: Duration = Duration::from_secs(600);
/// The longest.
const WAIT_MAX: Duration = Duration::from_secs(12 * 3600);
/// So many rejections ...
const REJECTIONS: usize = 3;
/// ... within this suspend a credential.
const WITHIN: Duration = Duration::from_secs(600);
/// How soon to ask again while another iLO tries the password first.
const CANARY_WAIT: Duration = Duration::from_secs(1);
/// How long an accepted login lets one more be under way.
const LATELY: Duration = Duration::from_secs(60);

/// What every credential has met with.
#[derive(Clone, Default)]
pub struct Breaker {
    credentials: BTreeMap<CredentialId, Record>,
}

#[derive(Clone)]
struct Record {
    /// What all of this is about. Another password starts afresh.
    password: Secret,
    /// An iLO accepted it, and nothing suspended it since.
    works: bool,
    /// The iLO that tries it for the others.
    canary: Option<IloName>,
    /// iLOs that are trying it.
    trying: BTreeSet<IloName>,
    /// iLOs that came back from their last try without a word, dead ones most of them: they keep no place.
    silent: BTreeSet<IloName>,
    /// When it was accepted lately.
    accepted: Vec<Duration>,
    /// iLOs that accepted it once.
    known_by: BTreeSet<IloName>,
    /// iLOs where a session of this account serves.
    held_by: BTreeSet<IloName>,
    /// Rejections by iLOs that should know it, or by the first ever tried.
    telling: Vec<(Duration, IloName)>,
    suspended: Option<Suspension>,
    /// How often, and until when, an iLO that rejected it is left alone.
    rejected: BTreeMap<IloName, (u32, Duration)>,
}

#[derive(Clone, Copy, Debug)]
struct Suspension {
    times: u32,
    until: Duration,
}

/// Whether a login may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// Yes, and its outcome must be told.
    Yes,
    /// Not before that: another iLO tries it first, or enough do, and may be done then.
    AfterCanary(Duration),
    /// Not before that: it was rejected.
    Wait(Duration),
}

/// What a rejection led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// When this iLO is tried again.
    pub retry_in: Duration,
    /// The credential is suspended from now on: who rejected it, and when a canary tries again.
    pub suspended: Option<(Vec<IloName>, Duration)>,
}

impl Breaker {
    /// From now on these are in use. What became of any other password is forgotten: whoever sets it once more
    /// wants it tried.
    pub fn settle<'a>(&mut self, used: impl Iterator<Item = &'a Credential>) {
        let used: BTreeMap<&CredentialId, &Secret> = used.map(|one| (&one.id, &one.password)).collect();
        self.credentials.retain(|id, record| used.get(id).is_some_and(|password| **password == record.password));
    }

    /// Whether `ilo` may be sent a login with this credential. A yes to a credential that is not known to
    /// work makes `ilo` its canary.
    pub fn may_log_in(&mut self, credential: &Credential, ilo: &IloName, now: Duration) -> Leave {
        let record = self.current(credential);
        if let Some((_, until)) = record.rejected.get(ilo)
            && now < *until
        {
            return Leave::Wait(*until);
        }
        if let Some(suspension) = record.suspended
            && now < suspension.until
        {
            return Leave::Wait(suspension.until);
        }
        let others = match &record.canary {
            _ if record.works => record.has_enough(now),
            canary => canary.as_ref().is_some_and(|canary| canary != ilo),
        };
        if others {
            return Leave::AfterCanary(now + CANARY_WAIT);
        }
        if !record.works {
            record.canary = Some(ilo.clone());
        }
        record.trying.insert(ilo.clone());
        Leave::Yes
    }

    /// We hold a session of this account on `ilo`, perhaps from before our start: it should know the password.
    pub fn holds(&mut self, credential: &Credential, ilo: &IloName) {
        let record = self.current(credential);
        if !record.held_by.contains(ilo) {
            record.held_by.insert(ilo.clone());
        }
    }

    /// The login was accepted. Whether that ended a suspension.
    pub fn accepted(&mut self, credential: &Credential, ilo: &IloName, now: Duration) -> bool {
        let Some(record) = self.record(credential) else { return false };
        record.release(ilo);
        record.accepted.retain(|at| now.saturating_sub(*at) < LATELY);
        record.accepted.push(now);
        record.works = true;
        record.known_by.insert(ilo.clone());
        record.rejected.remove(ilo);
        record.telling.clear();
        record.suspended.take().is_some()
    }

    /// The login was rejected.
    pub fn rejected(&mut self, credential: &Credential, ilo: &IloName, now: Duration) -> Rejection {
        let Some(record) = self.record(credential) else {
            // That password is not tried again anyway.
            return Rejection { retry_in: Duration::ZERO, suspended: None };
        };
        record.release(ilo);
        let times = record.rejected.get(ilo).map_or(0, |(times, _)| *times) + 1;
        let retry_in = wait(times);
        record.rejected.insert(ilo.clone(), (times, now + retry_in));
        let first_ever = record.known_by.is_empty();
        if first_ever || record.known_by.contains(ilo) || record.held_by.contains(ilo) {
            record.telling.retain(|(at, by)| now.saturating_sub(*at) < WITHIN && by != ilo);
            record.telling.push((now, ilo.clone()));
        }
        let again = record.suspended.is_some();
        if !again && record.telling.len() < REJECTIONS {
            return Rejection { retry_in, suspended: None };
        }
        let times = record.suspended.map_or(0, |suspension| suspension.times) + 1;
        let wait = wait(times);
        record.suspended = Some(Suspension { times, until: now + wait });
        record.works = false;
        let by = record.telling.drain(..).map(|(_, ilo)| ilo).collect();
        // A canary's further rejection is no news of its own: the suspension goes on.
        Rejection { retry_in, suspended: (!again).then_some((by, wait)) }
    }

    /// The login that was allowed has no outcome that tells.
    pub fn released(&mut self, credential: &Credential, ilo: &IloName) {
        if let Some(record) = self.record(credential)
            && record.release(ilo)
        {
            record.silent.insert(ilo.clone());
        }
    }

    /// When a canary tries it again, if it is suspended.
    pub fn suspended_until(&self, credential: &CredentialId) -> Option<Duration> {
        Some(self.credentials.get(credential)?.suspended?.until)
    }

    /// Credentials that no new login is made with, until one works.
    pub fn suspended(&self) -> impl Iterator<Item = &CredentialId> {
        self.credentials.iter().filter(|(_, record)| record.suspended.is_some()).map(|(id, _)| id)
    }

    /// What is known about a credential. Another password starts afresh.
    fn current(&mut self, credential: &Credential) -> &mut Record {
        let fresh = || Record::of(&credential.password);
        let record = self.credentials.entry(credential.id.clone()).or_insert_with(fresh);
        if record.password != credential.password {
            *record = fresh();
        }
        record
    }

    /// What is known about a credential, if it still has this password: what became of an old one says nothing
    /// about the new one.
    fn record(&mut self, credential: &Credential) -> Option<&mut Record> {
        self.credentials.get_mut(&credential.id).filter(|record| record.password == credential.password)
    }
}

impl Record {
    fn of(password: &Secret) -> Self {
        Self {
            password: password.clone(),
            works: false,
            canary: None,
            trying: BTreeSet::new(),
            silent: BTreeSet::new(),
            accepted: Vec::new(),
            known_by: BTreeSet::new(),
            held_by: BTreeSet::new(),
            telling: Vec::new(),
            suspended: None,
            rejected: BTreeMap::new(),
        }
    }

    /// Its try is over. Whether there was one.
    fn release(&mut self, ilo: &IloName) -> bool {
        self.canary.take_if(|canary| canary == ilo);
        self.silent.remove(ilo);
        self.trying.remove(ilo)
    }

    /// Whether so many are trying it that, were it wrong now, more than enough would reject it.
    fn has_enough(&self, now: Duration) -> bool {
        let lately = self.accepted.iter().filter(|at| now.saturating_sub(**at) < LATELY).count();
        let telling = self.telling.iter().filter(|(at, _)| now.saturating_sub(*at) < WITHIN).count();
        let trying = self.trying.difference(&self.silent).count();
        trying + telling >= REJECTIONS + lately
    }
}

fn wait(times: u32) -> Duration {
    WAIT.saturating_mul(1 << times.saturating_sub(1).min(10)).min(WAIT_MAX)
}

#[cfg(test)]
mod laws;

#[cfg(test)]
mod tests {
    use super::*;

    fn with(password: &str) -> Credential {
        let (id, username) = (CredentialId(String::from("svc")), String::from("svc"));
        Credential { id, username, password: Secret::new(password.to_owned()) }
    }

    fn cred() -> Credential {
        with("one")
    }

    fn ilo(number: usize) -> IloName {
        IloName::new(&format!("ilo-{number:04}"))
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn one_ilo_tries_a_password_first_and_then_all_may() {
        let mut breaker = Breaker::default();
        assert_eq!(breaker.may_log_in(&cred(), &ilo(1), at(0)), Leave::Yes);
        assert_eq!(breaker.may_log_in(&cred(), &ilo(2), at(0)), Leave::AfterCanary(at(1)));
        breaker.released(&cred(), &ilo(1));
        assert_eq!(breaker.may_log_in(&cred(), &ilo(2), at(1)), Leave::Yes, "the first one could not tell");
        assert!(!breaker.accepted(&cred(), &ilo(2), at(1)));
        for number in 3..7 {
            assert_eq!(breaker.may_log_in(&cred(), &ilo(number), at(1)), Leave::Yes);
        }
        assert_eq!(breaker.may_log_in(&cred(), &ilo(7), at(1)), Leave::AfterCanary(at(2)), "enough are trying");
    }

    #[test]
    fn a_thousand_ilos_that_reject_a_password_see_three_tries_in_all() {
        let mut breaker = Breaker::default();
        let (mut tries, mut suspended) = (0, None);
        for second in 0..600 {
            for number in 0..1000 {
                if breaker.may_log_in(&cred(), &ilo(number), at(second)) == Leave::Yes {
                    tries += 1;
                    suspended = suspended.or(breaker.rejected(&cred(), &ilo(number), at(second)).suspended);
                }
            }
        }
        assert_eq!(tries, 3);
        assert_eq!(suspended, Some((vec![ilo(0), ilo(1), ilo(2)], at(600))));
    }

    #[test]
    fn a_canary_that_fails_suspends_for_longer_and_one_that_works_frees_all() {
        let mut breaker = Breaker::default();
        for number in 0..3 {
            breaker.may_log_in(&cred(), &ilo(number), at(0));
            breaker.rejected(&cred(), &ilo(number), at(0));
        }
        assert_eq!(breaker.may_log_in(&cred(), &ilo(7), at(599)), Leave::Wait(at(600)));
        assert_eq!(breaker.may_log_in(&cred(), &ilo(7), at(600)), Leave::Yes);
        assert_eq!(breaker.may_log_in(&cred(), &ilo(8), at(600)), Leave::AfterCanary(at(601)));
        let rejection = breaker.rejected(&cred(), &ilo(7), at(600));
        assert_eq!(rejection, Rejection { retry_in: at(600), suspended: None });
        assert_eq!(breaker.may_log_in(&cred(), &ilo(8), at(1799)), Leave::Wait(at(1800)));
        assert_eq!(breaker.may_log_in(&cred(), &ilo(8), at(1800)), Leave::Yes);
        assert!(breaker.accepted(&cred(), &ilo(8), at(1800)), "that ends the suspension");
        assert_eq!(breaker.may_log_in(&cred(), &ilo(9), at(1800)), Leave::Yes);
    }

    #[test]
    fn an_ilo_that_rejects_is_left_alone_for_a_growing_while_and_the_others_go_on() {
        let mut breaker = Breaker::default();
        breaker.may_log_in(&cred(), &ilo(1), at(0));
        breaker.accepted(&cred(), &ilo(1), at(0));
        let mut now = at(0);
        for expected_s in [600, 1200, 2400, 4800, 9600, 19_200, 38_400, 43_200, 43_200] {
            assert_eq!(breaker.may_log_in(&cred(), &ilo(2), now), Leave::Yes);
            let rejection = breaker.rejected(&cred(), &ilo(2), now);
            assert_eq!(rejection, Rejection { retry_in: at(expected_s), suspended: None });
            let until = now + rejection.retry_in;
            assert_eq!(breaker.may_log_in(&cred(), &ilo(2), until.saturating_sub(at(1))), Leave::Wait(until));
            assert_eq!(breaker.may_log_in(&cred(), &ilo(1), now), Leave::Yes, "one bad iLO is not the fleet");
            now = until;
        }
    }

    #[test]
    fn three_that_accepted_it_before_suspend_it_and_strangers_do_not() {
        let mut breaker = Breaker::default();
        for number in 0..5 {
            breaker.may_log_in(&cred(), &ilo(number), at(0));
            breaker.accepted(&cred(), &ilo(number), at(0));
        }
        for number in 100..110 {
            assert_eq!(breaker.rejected(&cred(), &ilo(number), at(1)).suspended, None, "it never had that password");
        }
        assert_eq!(breaker.rejected(&cred(), &ilo(0), at(10)).suspended, None);
        assert_eq!(breaker.rejected(&cred(), &ilo(1), at(20)).suspended, None);
        assert_eq!(breaker.rejected(&cred(), &ilo(2), at(620)).suspended, None, "the first two are too long ago");
        assert_eq!(breaker.rejected(&cred(), &ilo(3), at(630)).suspended, None);
        let suspended = breaker.rejected(&cred(), &ilo(4), at(640)).suspended;
        assert_eq!(suspended, Some((vec![ilo(2), ilo(3), ilo(4)], at(600))));
    }

    #[test]
    fn where_a_session_serves_the_password_should_be_known() {
        let mut breaker = Breaker::default();
        breaker.may_log_in(&cred(), &ilo(0), at(0));
        breaker.accepted(&cred(), &ilo(0), at(0));
        for number in 1..4 {
            breaker.holds(&cred(), &ilo(number));
        }
        let suspended = |breaker: &mut Breaker, number| breaker.rejected(&cred(), &ilo(number), at(1)).suspended;
        assert_eq!((suspended(&mut breaker, 1), suspended(&mut breaker, 2)), (None, None));
        assert_eq!(suspended(&mut breaker, 3), Some((vec![ilo(1), ilo(2), ilo(3)], at(600))));
    }

    #[test]
    fn what_an_old_password_came_to_says_nothing_about_a_new_one() {
        let mut breaker = Breaker::default();
        assert_eq!(breaker.may_log_in(&cred(), &ilo(1), at(0)), Leave::Yes);
        assert_eq!(breaker.may_log_in(&with("two"), &ilo(2), at(0)), Leave::Yes, "it starts afresh");
        assert!(!breaker.accepted(&cred(), &ilo(1), at(1)));
        assert_eq!(breaker.may_log_in(&with("two"), &ilo(3), at(1)), Leave::AfterCanary(at(2)));
        breaker.rejected(&cred(), &ilo(3), at(1));
        breaker.released(&cred(), &ilo(2));
        assert_eq!(breaker.may_log_in(&with("two"), &ilo(3), at(1)), Leave::AfterCanary(at(2)));
        breaker.released(&with("two"), &ilo(2));
        assert_eq!(breaker.may_log_in(&with("two"), &ilo(3), at(1)), Leave::Yes);
    }

    #[test]
    fn a_password_that_is_set_once_more_is_tried_again() {
        let mut breaker = Breaker::default();
        for number in 0..3 {
            breaker.may_log_in(&cred(), &ilo(number), at(0));
            breaker.rejected(&cred(), &ilo(number), at(0));
        }
        breaker.settle([cred()].iter());
        assert_eq!(breaker.may_log_in(&cred(), &ilo(0), at(1)), Leave::Wait(at(600)), "nothing is new");
        let mut removed = breaker.clone();
        for (mut breaker, between) in [(breaker, Some(with("two"))), (removed.clone(), None)] {
            breaker.settle(between.iter());
            breaker.settle([cred()].iter());
            assert_eq!(breaker.suspended().count(), 0);
            assert_eq!(breaker.may_log_in(&cred(), &ilo(0), at(1)), Leave::Yes);
        }
        removed.settle([].iter());
        assert_eq!(removed.suspended().count(), 0, "nobody uses it");
    }

    #[test]
    fn what_nobody_accepted_lately_is_tried_by_three_at_once() {
        let mut breaker = Breaker::default();
        for number in 0..10 {
            breaker.may_log_in(&cred(), &ilo(number), at(0));
            breaker.accepted(&cred(), &ilo(number), at(0));
        }
        let tries = |breaker: &mut Breaker, now| {
            (0..100).filter(|number| breaker.may_log_in(&cred(), &ilo(*number), now) == Leave::Yes).count()
        };
        assert_eq!(tries(&mut breaker.clone(), at(59)), 13);
        assert_eq!(tries(&mut breaker, at(60)), 3);
        breaker.rejected(&cred(), &ilo(0), at(61));
        assert_eq!(tries(&mut breaker, at(61)), 0, "one rejected it, two are trying");
        breaker.accepted(&cred(), &ilo(1), at(62));
        breaker.released(&cred(), &ilo(2));
        assert_eq!(tries(&mut breaker, at(62)), 5, "and the silent one keeps no place");
    }
}
