//! What must hold for any iLOs that ask, any answers of theirs and any time between.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::*;
use crate::law::holds;

/// iLOs of a fleet that shares a password.
const ILOS: usize = 12;

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// So many seconds go by.
    Pass(u64),
    /// This iLO is due, and has no session of ours.
    Ask(usize),
    /// The login under way at this iLO ends: with the iLO's word on the password, or without one.
    End { ilo: usize, silent: bool },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let pass = prop_oneof![3 => 0..5u64, 2 => 0..120u64, 1 => 0..2000u64];
    let step = prop_oneof![
        1 => pass.prop_map(Step::Pass),
        3 => (0..ILOS).prop_map(Step::Ask),
        3 => (0..ILOS, 0..4u8).prop_map(|(ilo, number)| Step::End { ilo, silent: number == 3 }),
    ];
    vec(step, 1..200)
}

/// A breaker in use, and what is known of it from outside.
#[derive(Default)]
struct Run {
    breaker: Breaker,
    now: Duration,
    /// Logins under way, and whether that iLO was silent before.
    under_way: BTreeMap<usize, bool>,
    /// iLOs whose last login came back without a word.
    silent: BTreeSet<usize>,
    /// Rejections by iLOs that were not silent before.
    answered: Vec<Duration>,
    /// Every rejection: when, by whom, and how long that iLO is left alone.
    rejected: Vec<(Duration, usize, Duration)>,
    accepted: Vec<(Duration, usize)>,
    /// Until when, and how long that was.
    suspended: Option<(Duration, Duration)>,
}

impl Run {
    fn credential() -> Credential {
        let (id, username) = (CredentialId(String::from("svc")), String::from("svc"));
        Credential { id, username, password: Secret::new(String::from("one")) }
    }

    fn name(ilo: usize) -> IloName {
        IloName::new(&format!("ilo-{ilo}"))
    }

    /// An iLO that is not busy asks; whether it may.
    fn ask(&mut self, ilo: usize) -> Result<bool, TestCaseError> {
        if self.under_way.contains_key(&ilo) {
            return Ok(false);
        }
        let leave = self.breaker.may_log_in(&Self::credential(), &Self::name(ilo), self.now);
        let last = self.rejected.iter().rev().find(|(_, by, _)| *by == ilo);
        let accepted_since = |at| self.accepted.iter().any(|(when, by)| *by == ilo && *when > at);
        match leave {
            Leave::Yes => {
                if let Some((at, _, wait)) = last {
                    prop_assert!(self.now >= *at + *wait || accepted_since(*at), "{} within its wait", ilo);
                }
                if let Some((until, _)) = self.suspended {
                    prop_assert!(self.now >= until, "it is suspended until {:?}", until);
                }
                self.under_way.insert(ilo, self.silent.contains(&ilo));
            }
            Leave::AfterCanary(until) => {
                prop_assert!(!self.under_way.is_empty(), "it waits for nobody");
                prop_assert!(until > self.now && until <= self.now + at(60), "until {:?}", until);
            }
            Leave::Wait(until) => {
                prop_assert!(!self.rejected.is_empty(), "nobody rejected it");
                prop_assert!(until > self.now && until <= self.now + at(12 * 3600), "until {:?}", until);
            }
        }
        Ok(leave == Leave::Yes)
    }

    /// The login under way at an iLO ends, if there is one: with this word, or none.
    fn end(&mut self, ilo: usize, word: Option<bool>) -> Result<(), TestCaseError> {
        let Some(was_silent) = self.under_way.remove(&ilo) else { return Ok(()) };
        if word.is_none() {
            self.silent.insert(ilo)
        } else {
            self.silent.remove(&ilo)
        };
        let (credential, name) = (Self::credential(), Self::name(ilo));
        match word {
            None => self.breaker.released(&credential, &name),
            Some(true) => {
                let restored = self.breaker.accepted(&credential, &name, self.now);
                prop_assert_eq!(restored, self.suspended.take().is_some());
                self.accepted.push((self.now, ilo));
            }
            Some(false) => {
                let Rejection { retry_in, suspended } = self.breaker.rejected(&credential, &name, self.now);
                let earlier = self.rejected.iter().rev().take_while(|(at, by, _)| {
                    *by != ilo || !self.accepted.iter().any(|(when, by)| *by == ilo && when > at)
                });
                let longest = earlier.filter(|(_, by, _)| *by == ilo).map(|(.., wait)| *wait).max();
                let expected = longest.map_or(at(600), |wait| (2 * wait).min(at(12 * 3600)));
                prop_assert_eq!(retry_in, expected, "each wait is twice as long, up to twelve hours");
                self.rejected.push((self.now, ilo, retry_in));
                self.answered.extend((!was_silent).then_some(self.now));
                let told = suspended.as_ref().map(|(_, wait)| *wait);
                match self.suspended {
                    // It goes on for twice as long.
                    Some((_, before)) => {
                        prop_assert_eq!(told, None, "suspended twice");
                        let wait = (2 * before).min(at(12 * 3600));
                        self.suspended = Some((self.now + wait, wait));
                    }
                    None => self.suspended = told.map(|wait| (self.now + wait, wait)),
                }
                if let Some((by, wait)) = suspended {
                    prop_assert!(by.iter().collect::<BTreeSet<_>>().len() >= REJECTIONS, "{:?}", by);
                    prop_assert_eq!(wait, at(600));
                }
            }
        }
        Ok(())
    }

    /// The most of these that lie in any ten minutes.
    fn most(times: &[Duration]) -> usize {
        let within = |end: &Duration| times.iter().filter(|at| *at <= end && **at + WITHIN > *end).count();
        times.iter().map(within).max().unwrap_or(0)
    }
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Whatever the iLOs say, and however their words contradict each other.
#[test]
fn an_ilo_that_rejected_is_asked_once_per_wait_and_all_wait_for_one_another_only_while_somebody_tries() {
    holds(200, &(steps(), vec(any::<bool>(), ILOS)), |(steps, words)| {
        let mut run = Run::default();
        for (step, number) in steps.into_iter().zip(0..) {
            match step {
                Step::Pass(seconds) => run.now += at(seconds),
                Step::Ask(ilo) => drop(run.ask(ilo)?),
                // Some change their minds.
                Step::End { ilo, silent } => run.end(ilo, (!silent).then_some(words[ilo] ^ (number % 7 == 0)))?,
            }
        }
        Ok(!run.rejected.is_empty() && !run.accepted.is_empty())
    });
}

#[test]
fn nobody_waits_for_ever() {
    holds(200, &(steps(), vec(any::<bool>(), ILOS)), |(steps, words)| {
        let mut run = Run::default();
        for step in steps {
            match step {
                Step::Pass(seconds) => run.now += at(seconds),
                Step::Ask(ilo) => drop(run.ask(ilo)?),
                Step::End { ilo, silent } => run.end(ilo, (!silent).then_some(words[ilo]))?,
            }
        }
        for ilo in 0..ILOS {
            run.end(ilo, None)?;
        }
        run.now += at(12 * 3600);
        for ilo in 0..ILOS {
            prop_assert!(run.ask(ilo)?, "{} still waits", ilo);
            run.end(ilo, None)?;
        }
        Ok(!run.rejected.is_empty())
    });
}

#[test]
fn a_password_that_nobody_ever_accepted_is_tried_one_by_one_and_rejected_three_times_in_ten_minutes() {
    holds(200, &steps(), |steps| {
        let mut run = Run::default();
        for step in steps {
            match step {
                Step::Pass(seconds) => run.now += at(seconds),
                Step::Ask(ilo) => drop(run.ask(ilo)?),
                Step::End { ilo, silent } => run.end(ilo, (!silent).then_some(false))?,
            }
            prop_assert!(run.under_way.len() <= 1, "{:?} at once", run.under_way);
        }
        let times: Vec<Duration> = run.rejected.iter().map(|(at, ..)| *at).collect();
        prop_assert!(Run::most(&times) <= REJECTIONS, "{:?}", run.rejected);
        Ok(run.rejected.len() >= REJECTIONS)
    });
}

/// So a directory account is not locked by a password that was rotated while all our sessions were lost. Whoever
/// was accepted within the last minute lets one more try. Those that were silent before, dead ones most of them, try
/// beside the others; how many at once, the schedule bounds.
#[test]
fn a_password_that_is_changed_everywhere_is_rejected_few_times_before_nobody_tries_it_any_more() {
    let lately = prop_oneof![Just(0), 0..ILOS];
    holds(200, &(lately, any::<bool>(), steps(), steps()), |(lately, some_dead, before, after)| {
        let mut run = Run::default();
        // It worked on all of them, some time ago.
        for ilo in 0..ILOS {
            prop_assert!(run.ask(ilo)?);
            run.end(ilo, Some(true))?;
        }
        run.now += at(60);
        // Since then some may have come back without a word: they are dead.
        for step in before.into_iter().filter(|_| some_dead) {
            match step {
                Step::Pass(seconds) => run.now += at(seconds),
                Step::Ask(ilo) => drop(run.ask(ilo)?),
                Step::End { ilo, .. } => run.end(ilo, None)?,
            }
        }
        for ilo in 0..ILOS {
            run.end(ilo, None)?;
        }
        for ilo in 0..lately {
            prop_assert!(run.ask(ilo)?);
            run.end(ilo, Some(true))?;
        }
        for step in after {
            match step {
                Step::Pass(seconds) => run.now += at(seconds),
                Step::Ask(ilo) => drop(run.ask(ilo)?),
                Step::End { ilo, silent } => run.end(ilo, (!(silent && some_dead)).then_some(false))?,
            }
        }
        prop_assert!(Run::most(&run.answered) <= REJECTIONS + lately, "{:?}", run.rejected);
        Ok(run.rejected.len() >= REJECTIONS)
    });
}
