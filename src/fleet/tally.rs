//! What is counted, for metrics. PURE: plain numbers that the loop owns.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::news;
use crate::event::{Counts, Event, Failing, Histogram};
use crate::policy::Cap;
use crate::settings::{Mode, Settings, Target};
use crate::time::Timestamp;
use crate::visit::{Fate, LoginOutcome, MayEnd, VisitError, Visited};

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A visit is one request on a quick iLO, and some dozens with a login on a slow one.
const DURATIONS: [Duration; 10] =
    [ms(50), ms(100), ms(250), ms(500), ms(1000), ms(2500), ms(5000), ms(15_000), ms(60_000), ms(120_000)];
/// A loop with places enough is on time within a fraction of a second.
const LAGS: [Duration; 8] = [ms(10), ms(100), ms(500), ms(1000), ms(5000), ms(15_000), ms(60_000), ms(300_000)];

/// What a visit that broke counts as.
pub(super) const BROKEN: &str = "broken";
/// What a visit that saw who is on, and did what was to do, counts as.
const GOOD: &str = "good";

/// Counts since the start.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    counts: Counts,
}

impl Tally {
    /// Nothing was counted yet. What can be counted whatever the configuration stands at nought.
    pub(super) fn new() -> Self {
        let zero = |names: &[&'static str]| names.iter().map(|name| (*name, 0)).collect();
        let caps = [Cap::Visit, Cap::Share, Cap::IloMinute, Cap::FleetMinute].map(Cap::name);
        let outcomes = [LoginOutcome::Accepted, LoginOutcome::Rejected(String::new()), LoginOutcome::Unknown];
        let counts = Counts {
            reaped: BTreeMap::new(),
            would_reap: BTreeMap::new(),
            came_back: BTreeMap::new(),
            spared: BTreeMap::new(),
            leakers_found: 0,
            capped: zero(&caps),
            visits: BTreeMap::new(),
            exchanges: BTreeMap::new(),
            logins: zero(&outcomes.map(|outcome| outcome.name())),
            visit_duration: Histogram::new(&DURATIONS),
            visit_lag: Histogram::new(&LAGS),
        };
        Self { counts }
    }

    /// What was counted.
    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// A client was found that leaves many sessions behind.
    pub(super) fn leaker_found(&mut self) {
        self.counts.leakers_found += 1;
    }

    /// A configuration came in: what its groups and rules will count stands at nought from the start, so that a first
    /// deletion is seen as one more.
    pub(super) fn settle(&mut self, settings: &Settings) {
        let mut done = BTreeSet::new();
        for target in settings.targets.values() {
            if !done.insert((&target.group, Arc::as_ptr(&target.policy))) {
                continue;
            }
            let group = &target.group;
            for outcome in VisitError::NAMES.into_iter().chain([GOOD, BROKEN]) {
                self.counts.visits.entry((group.clone(), outcome)).or_default();
            }
            for rule in &target.policy.reap {
                for counter in [&mut self.counts.reaped, &mut self.counts.would_reap, &mut self.counts.came_back] {
                    counter.entry((group.clone(), rule.id.clone())).or_default();
                }
            }
        }
    }

    /// A visit begins, so long after its turn.
    pub(super) fn began(&mut self, lag: Duration) {
        self.counts.visit_lag.observe(lag);
    }

    /// A visit ended, and this is its news.
    pub(super) fn ended(&mut self, target: &Target, visited: &Visited, news: &[Event]) {
        let group = &target.group;
        self.counts.visit_duration.observe(visited.took);
        let outcome = failure(visited).map_or(GOOD, VisitError::name);
        *self.counts.visits.entry((group.clone(), outcome)).or_default() += 1;
        self.exchanged(&visited.exchanges);
        if let Some(login) = &visited.login {
            *self.counts.logins.entry(login.name()).or_default() += 1;
        }
        for event in news {
            let (counter, rule) = match event {
                Event::SessionWouldReap { case, .. } => (&mut self.counts.would_reap, &case.rule),
                Event::SessionCameBack { rule, .. } => (&mut self.counts.came_back, rule),
                Event::SessionReaped { case, .. } => (&mut self.counts.reaped, &case.rule),
                _ => continue,
            };
            *counter.entry((group.clone(), rule.clone())).or_default() += 1;
        }
        let Ok(visit) = &visited.result else { return };
        for (_, fate) in &visit.fates {
            if let Fate::Spared(why) = fate {
                *self.counts.spared.entry((group.clone(), why.name())).or_default() += 1;
            }
        }
        if visit.mode == Mode::Enforce && visit.may_end != MayEnd::No {
            for held_back in &visit.held_back {
                *self.counts.capped.entry(held_back.cap.name()).or_default() += 1;
            }
        }
    }

    /// A visit of ours broke.
    pub(super) fn broke(&mut self, target: &Target) {
        *self.counts.visits.entry((target.group.clone(), BROKEN)).or_default() += 1;
    }

    /// These requests were sent.
    pub(super) fn exchanged(&mut self, exchanges: &BTreeMap<&'static str, u64>) {
        for (code, count) in exchanges {
            *self.counts.exchanges.entry(code).or_default() += count;
        }
    }
}

/// What is wrong with an iLO after a visit, if it was `before`. A held session that was lost is replaced at once; a table
/// of which only a part is seen is wrong when that was told to last.
pub(super) fn failing(before: Option<Failing>, visited: &Visited, now: Timestamp, lasts: bool) -> Option<Failing> {
    let unseen = visited.result.as_ref().ok().and_then(news::unseen).filter(|_| lasts);
    match failure(visited).or(unseen.as_ref()) {
        None => None,
        Some(VisitError::DoorLost) => before,
        Some(error) => {
            let since = before.map_or(now, |before| before.since);
            Some(Failing { since, outcome: error.name(), why: error.to_string() })
        }
    }
}

fn failure(visited: &Visited) -> Option<&VisitError> {
    match &visited.result {
        Ok(visit) => visit.cut_short.as_ref(),
        Err(error) => Some(error),
    }
}
