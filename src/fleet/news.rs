//! From a visit to what is worth telling: each fact once, and again only when it changed or lasts. PURE.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use super::squeeze::Watch;
use crate::event::{Case, Cause, Event, Place};
use crate::policy::{Doomed, Judged, Learned, Verdict};
use crate::session::{Clock, Extent, SessionId};
use crate::settings::{Mode, Settings, Target, Trust};
use crate::visit::{Fate, MayEnd, Visit, VisitError, Visited};

/// Failed visits in a row before an iLO is called unreachable.
const FAILURES_TOLD: u32 = 3;
/// A clock is called wrong from here on.
const SKEW_TOLD_S: i64 = 300;
/// A wrong clock is told once in so long.
const CLOCK_REMIND: Duration = Duration::from_secs(24 * 3600);

/// What was told about one iLO, so that it is not told again.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    failures: u32,
    failing_since: Option<Duration>,
    pub(super) unreachable: bool,
    out_of_reach: Option<Duration>,
    would_reap: BTreeMap<SessionId, Case>,
    pub(super) watch: Watch,
    spared: BTreeMap<SessionId, String>,
    capped: bool,
    forbidden: bool,
    certificate: Option<Duration>,
    /// In a row.
    duplicates: u32,
    duplicate: Option<Duration>,
    full: Option<Duration>,
    clock: Option<Duration>,
}

impl Told {
    /// Whether the last visit failed.
    pub(super) fn is_failing(&self) -> bool {
        self.failures > 0
    }
}

/// What one visit adds to the heartbeat.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) visited: usize,
    pub(super) reaped: usize,
    pub(super) would_reap: usize,
}

/// The news of one visit. Times are monotonic.
pub(super) fn of(
    told: &mut Told,
    target: &Target,
    visited: &Visited,
    settings: &Settings,
    now: Duration,
) -> (Vec<Event>, Counts) {
    let (at, remind) = (Place::from(target), settings.report.remind);
    let mut events = Vec::new();
    let mut counts = Counts::default();
    for (session, why) in &visited.strays {
        events.push(Event::StrayEnded { at: at.clone(), session: session.clone(), why: why.clone() });
    }
    match &visited.result {
        Ok(visit) => {
            counts.visited = 1;
            // Where not all of a table is ever seen, nobody is ended and no pressure is told: a person must know.
            match unseen(visit) {
                Some(error) => failed(told, target, &error, remind, now, &mut events),
                None => good(told, &at, now, &mut events),
            }
            clock(told, (&at, remind), visited, visit, now, &mut events);
            match visit.mode {
                Mode::Observe => counts.would_reap = would_reap(told, &at, visit, &mut events),
                Mode::Enforce => {
                    told.would_reap.clear();
                    counts.reaped = fates(told, target, visit, &mut events);
                }
            }
            let learned = Learned { limit_seen: visited.memory.limit_seen, most_used: visited.memory.most_used };
            events.extend(told.watch.news(&at, visit, learned, &settings.pressure, remind, now));
            if let Some(error) = &visit.cut_short {
                failed(told, target, error, remind, now, &mut events);
            }
        }
        Err(error) => failed(told, target, error, remind, now, &mut events),
    }
    (events, counts)
}

/// What keeps a visit from seeing the whole table, if anything.
pub(super) fn unseen(visit: &Visit) -> Option<VisitError> {
    match &visit.seen.extent {
        Extent::Cut(why) => {
            Some(VisitError::Nonsense(format!("not all of its table is seen ({why}), so nobody is ended")))
        }
        Extent::Whole => None,
    }
}

fn good(told: &mut Told, at: &Place, now: Duration, events: &mut Vec<Event>) {
    if std::mem::take(&mut told.unreachable) {
        let since = now.saturating_sub(told.failing_since.unwrap_or(now));
        events.push(Event::IloReachable { at: at.clone(), since });
    }
    (told.failures, told.failing_since) = (0, None);
    (told.certificate, told.duplicates, told.duplicate, told.full) = (None, 0, None, None);
    told.out_of_reach = None;
}

/// A clock that jumped is told, at most once in a while; one that is wrong, or whose times can't be true together, once a day.
/// A wrong clock does no harm here, but people read logs by it.
fn clock(
    told: &mut Told,
    (at, remind): (&Place, Duration),
    visited: &Visited,
    visit: &Visit,
    now: Duration,
    events: &mut Vec<Event>,
) {
    let skew_s = visited.memory.told_offset_s();
    let why = match (&visit.seen.clock, skew_s) {
        (Clock::Contradictory(why), _) => why.clone(),
        (Clock::Sound(_), Some(skew_s)) if skew_s.abs() >= SKEW_TOLD_S => {
            let way = if skew_s > 0 { "ahead of" } else { "behind" };
            format!("it is {} s {way} this host's", skew_s.abs())
        }
        _ => return,
    };
    let again = if visited.jumped { remind } else { CLOCK_REMIND };
    if told.clock.is_none_or(|last| now.saturating_sub(last) >= again) {
        told.clock = Some(now);
        events.push(Event::ClockWrong { at: at.clone(), skew_s, why });
    }
}

/// Whom the rules would let go, each session once.
fn would_reap(told: &mut Told, at: &Place, visit: &Visit, events: &mut Vec<Event>) -> usize {
    let plan = &visit.plan;
    let now_is = |id: &SessionId| plan.judged.iter().find(|judged| judged.session.id == *id);
    told.would_reap.retain(|id, case| match now_is(id) {
        None => false,
        Some(judged) if judged.session.access == case.session.access => true,
        Some(judged) => {
            events.push(came_back(at, case, judged));
            false
        }
    });
    let cases: Vec<&Case> =
        plan.doomed().iter().map(Doomed::case).chain(plan.held_back.iter().map(|one| &one.case)).collect();
    let mut new = 0;
    for case in cases {
        if let Entry::Vacant(place) = told.would_reap.entry(case.session.id.clone()) {
            place.insert(case.clone());
            new += 1;
            let because = visit.because.clone().unwrap_or_default();
            events.push(Event::SessionWouldReap { at: at.clone(), case: case.clone(), because });
        }
    }
    new
}

/// A would-be victim was used again. How long it had been idle is what its rule should have asked for.
fn came_back(at: &Place, case: &Case, judged: &Judged) -> Event {
    let idle = judged.session.access.zip(case.session.access).and_then(|(now, then)| now.since(then));
    Event::SessionCameBack {
        at: at.clone(),
        session: case.session.id.clone(),
        owner: case.session.owner.clone(),
        origin: case.session.origin,
        rule: case.rule.clone(),
        idle,
    }
}

/// What became of those who were to go; how many went.
fn fates(told: &mut Told, target: &Target, visit: &Visit, events: &mut Vec<Event>) -> usize {
    let at = Place::from(target);
    let mut reaped = 0;
    let still = |id: &SessionId| {
        visit.plan.judged.iter().any(|one| one.session.id == *id && matches!(one.verdict, Verdict::Reap(_)))
    };
    told.spared.retain(|id, _| still(id));
    let mut forbidden = false;
    for (case, fate) in &visit.fates {
        let (at, session) = (at.clone(), case.session.id.clone());
        match fate {
            Fate::Gone(gone) => {
                reaped += 1;
                events.push(Event::SessionReaped { at, case: case.clone(), gone: *gone });
            }
            Fate::Spared(why) => {
                let why = why.to_string();
                if told.spared.insert(session.clone(), why.clone()).as_ref() != Some(&why) {
                    let owner = case.session.owner.clone();
                    events.push(Event::SessionSpared { at, session, owner, why });
                }
            }
            Fate::Forbidden(_) => forbidden = true,
            Fate::Refused(status, message) => {
                let (status, message_id) = (Some(*status), message.clone());
                events.push(Event::ReapFailed { at, session, status, message_id });
            }
            Fate::Unknown(_) => events.push(Event::ReapFailed { at, session, status: None, message_id: None }),
        }
    }
    if forbidden && !told.forbidden {
        let username = target.credential.username.clone();
        events.push(Event::DeleteForbidden { at: at.clone(), username });
    }
    told.forbidden = forbidden || (told.forbidden && reaped == 0);
    // Where a person only looked, it was no cap that kept anybody.
    if visit.may_end != MayEnd::No {
        let capped = visit.held_back.first().map(|held_back| held_back.cap.name());
        if let Some(cap) = capped.filter(|_| !told.capped) {
            events.push(Event::ReapCapped { at, cap, wanted: visit.held_back.len() + reaped, done: reaped });
        }
        told.capped = capped.is_some();
    }
    reaped
}

/// Whether a target may be another iLO than before: it is elsewhere, or shows another certificate.
pub(super) fn is_another(before: &Target, now: &Target) -> bool {
    before.authority != now.authority || before.trust.pin() != now.trust.pin()
}

fn failed(
    told: &mut Told,
    target: &Target,
    error: &VisitError,
    remind: Duration,
    now: Duration,
    events: &mut Vec<Event>,
) {
    let at = Place::from(target);
    let due = |last: Option<Duration>| last.is_none_or(|last| now.saturating_sub(last) >= remind);
    let cause = match error {
        // Told by whoever keeps the credentials and the state, or no failure of the iLO.
        VisitError::Denied(_) | VisitError::NoLoginNow | VisitError::DoorLost | VisitError::Unwritable(_) => return,
        VisitError::CertificateChanged(expected, found) => {
            if due(told.certificate) {
                told.certificate = Some(now);
                let (is_known, known_since) = match target.trust {
                    Trust::Known(_, since) => (true, since),
                    _ => (false, None),
                };
                events.push(Event::CertificateChanged {
                    at,
                    expected: *expected,
                    found: *found,
                    is_known,
                    known_since,
                });
            }
            return;
        }
        VisitError::Duplicate(other) => {
            // An iLO that gets another name has both for a moment.
            told.duplicates = told.duplicates.saturating_add(1);
            if told.duplicates > 1 && due(told.duplicate) {
                told.duplicate = Some(now);
                events.push(Event::IloDuplicate { at, other: other.clone() });
            }
            return;
        }
        VisitError::TableFull(word) => {
            if due(told.full) {
                told.full = Some(now);
                told.watch.refused(now);
                events.push(Event::IloRefusedUs { at, detail: word.clone() });
            }
            return;
        }
        VisitError::Unreachable(cause, _) => *cause,
        VisitError::Busy(..) => Cause::Http,
        VisitError::Nonsense(_) => Cause::Nonsense,
        VisitError::LoginsLost => Cause::Timeout,
    };
    told.failures = told.failures.saturating_add(1);
    let since = *told.failing_since.get_or_insert(now);
    if told.failures >= FAILURES_TOLD && due(told.out_of_reach) {
        (told.unreachable, told.out_of_reach) = (true, Some(now));
        let since = now.saturating_sub(since);
        events.push(Event::IloUnreachable { at, cause, since, detail: error.to_string() });
    }
}
