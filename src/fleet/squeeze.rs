//! What is worth telling about how full a table is. PURE: times are monotonic.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::growth::Growth;
use crate::event::{Event, Fill, Gone, Place, Squeeze};
use crate::policy::{Gauge, Learned, Spared, Verdict};
use crate::session::{Extent, Owner, Session};
use crate::settings::{Pressure, PressureSettings};
use crate::visit::{Fate, Visit};

/// A policy lets nothing go when it has not for so long, or when the table is full: sessions may be on their way
/// to the idle time that a rule asks for.
const BLOCKED_AFTER: Duration = Duration::from_secs(300);
/// A table that rose is looked at again so soon. Only what two looks in a row saw is told: a burst that logs out by itself
/// is no news, and wakes nobody.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(15);
/// A table is relieved when it has been calm for so long: one that breathes in and out is no news each time.
const RELIEVED_AFTER: Duration = Duration::from_secs(300);

/// How full one table was, and what was told about it.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    level: Pressure,
    told: Option<Told>,
    growth: Growth,
    /// How soon it must be looked at again.
    look_within: Option<Duration>,
    /// As it was left by the last visit that saw all of it.
    fill: Option<Fill>,
}

/// What was told of a table that has not been relieved since.
#[derive(Clone, Debug)]
struct Told {
    since: Duration,
    highest: Pressure,
    at: Duration,
    /// The policy let nothing go since then.
    stuck_since: Duration,
    blocked_at: Option<Duration>,
    calm_since: Option<Duration>,
}

impl Default for Watch {
    fn default() -> Self {
        Self { level: Pressure::Calm, told: None, growth: Growth::default(), look_within: None, fill: None }
    }
}

impl Watch {
    /// How soon it must be looked at again, where it fills.
    pub(super) fn look_within(&self) -> Option<Duration> {
        self.look_within
    }

    /// How full the table was left by the last visit that saw all of it.
    pub(super) fn fill(&self) -> Option<&Fill> {
        self.fill.as_ref()
    }

    /// A login of ours was refused because the table is full, and that was told. Who fills it is told at the next look, and
    /// that it is over when it has been calm.
    pub(super) fn refused(&mut self, now: Duration) {
        self.told.get_or_insert(Told {
            since: now,
            highest: Pressure::Calm,
            at: now,
            stuck_since: now,
            blocked_at: None,
            calm_since: None,
        });
    }

    /// Takes a visit in. What the visit itself ended is no pressure any more, and so no news.
    pub(super) fn news(
        &mut self,
        at: &Place,
        visit: &Visit,
        learned: Learned,
        settings: &PressureSettings,
        remind: Duration,
        now: Duration,
    ) -> Vec<Event> {
        if visit.seen.extent != Extent::Whole {
            return Vec::new();
        }
        let ended = ended(visit).filter(|session| settings.counts.contains(&session.kind)).count();
        let gauge = Gauge::of(visit.plan.table.used.saturating_sub(ended), settings, learned);
        self.growth.see(&visit.seen, gauge.used, now);
        let before = self.level;
        self.level = gauge.level(settings, before);
        // What both looks saw. Of the first one nobody knows what came before, and there may be no second one.
        let lasting = if self.fill.is_none() { self.level } else { before.min(self.level) };
        let risen = (lasting < self.level).then_some(CONFIRMED_WITHIN);
        self.look_within = [self.growth.look_within(gauge.free()), risen].into_iter().flatten().min();
        let full_in = self.growth.full_in(gauge.free()).filter(|_| gauge.free() > 0);
        let events = if self.level == Pressure::Calm {
            self.relieved(at, gauge, now).into_iter().collect()
        } else {
            self.pressed(lasting, at, visit, squeeze(visit, gauge, settings, full_in), remind, now)
        };
        let is_blocked =
            self.level > Pressure::Calm && self.told.as_ref().is_some_and(|told| told.blocked_at.is_some());
        self.fill = Some(Fill {
            sessions: left(visit, settings),
            used: gauge.used,
            limit: gauge.limit,
            limit_from: gauge.limit_from.name(),
            pressure: self.level,
            is_blocked,
            full_in,
        });
        events
    }

    /// What is to be told where the table is not calm; `lasting` is how full two looks in a row saw it.
    fn pressed(
        &mut self,
        lasting: Pressure,
        at: &Place,
        visit: &Visit,
        squeeze: Squeeze,
        remind: Duration,
        now: Duration,
    ) -> Vec<Event> {
        if let Some(told) = &mut self.told {
            told.calm_since = None;
        }
        if lasting == Pressure::Calm {
            return Vec::new();
        }
        let mut events = Vec::new();
        let is_new = self.told.is_none();
        let fresh =
            Told { since: now, highest: lasting, at: now, stuck_since: now, blocked_at: None, calm_since: None };
        let told = self.told.get_or_insert(fresh);
        let is_due = |last: Duration| now.saturating_sub(last) >= remind;
        if is_new || lasting > told.highest || is_due(told.at) {
            (told.at, told.highest) = (now, lasting);
            events.push(rose(at, lasting, squeeze.clone()));
        }
        if squeeze.reapable > 0 {
            (told.stuck_since, told.blocked_at) = (now, None);
            return events;
        }
        let is_stuck = lasting == Pressure::Full || now.saturating_sub(told.stuck_since) >= BLOCKED_AFTER;
        if is_stuck && told.blocked_at.is_none_or(is_due) {
            told.blocked_at = Some(now);
            events.push(Event::IloBlocked { at: at.clone(), squeeze, why: reasons(visit) });
        }
        events
    }

    fn relieved(&mut self, at: &Place, gauge: Gauge, now: Duration) -> Option<Event> {
        let told = self.told.as_mut()?;
        let calm_since = *told.calm_since.get_or_insert(now);
        if now.saturating_sub(calm_since) < RELIEVED_AFTER {
            return None;
        }
        let lasted = calm_since.saturating_sub(told.since);
        self.told = None;
        Some(Event::IloRelieved { at: at.clone(), used: gauge.used, limit: gauge.limit, lasted })
    }
}

/// Sessions that the visit itself ended.
fn ended(visit: &Visit) -> impl Iterator<Item = &Session> {
    let gone = visit.fates.iter().filter(|(_, fate)| matches!(fate, Fate::Gone(Gone::Ended | Gone::AlreadyGone)));
    gone.map(|(case, _)| &case.session)
}

/// How many sessions of each kind the visit left behind. Kinds that share the table are named also where there is none.
fn left(visit: &Visit, settings: &PressureSettings) -> BTreeMap<&'static str, usize> {
    let mut left: BTreeMap<&'static str, usize> = settings.counts.iter().map(|kind| (kind.word(), 0)).collect();
    for session in &visit.seen.sessions {
        *left.entry(session.kind.word()).or_default() += 1;
    }
    for session in ended(visit) {
        let count = left.entry(session.kind.word()).or_default();
        *count = count.saturating_sub(1);
    }
    left
}

fn rose(at: &Place, level: Pressure, squeeze: Squeeze) -> Event {
    let at = at.clone();
    match level {
        Pressure::Full => Event::IloFull { at, squeeze },
        Pressure::Critical => Event::IloCritical { at, squeeze },
        Pressure::Near | Pressure::Calm => Event::IloNearLimit { at, squeeze },
    }
}

fn squeeze(visit: &Visit, gauge: Gauge, settings: &PressureSettings, full_in: Option<Duration>) -> Squeeze {
    let judged = &visit.plan.judged;
    let protected = |verdict: &Verdict| matches!(verdict, Verdict::Keep(spared) if protects(spared));
    let (top_owner, top_origin, top) = top(visit, settings);
    Squeeze {
        used: gauge.used,
        limit: gauge.limit,
        limit_from: gauge.limit_from.name(),
        reapable: judged.iter().filter(|judged| matches!(judged.verdict, Verdict::Reap(_))).count(),
        protected: judged.iter().filter(|judged| protected(&judged.verdict)).count(),
        full_in,
        top_owner,
        top_origin,
        top,
    }
}

/// Whether it is more than the rules that keeps a session.
fn protects(spared: &Spared) -> bool {
    !matches!(
        spared,
        Spared::Own
            | Spared::NoRule
            | Spared::KeptLatest(_)
            | Spared::RoomEnough(_)
            | Spared::Pauses(_)
            | Spared::Cut(_)
    )
}

/// Who holds the most entries that share the table, and how many.
fn top(visit: &Visit, settings: &PressureSettings) -> (Option<Owner>, Option<IpAddr>, usize) {
    let sharing = |session: &&Session| settings.counts.contains(&session.kind) && !visit.seen.is_own(session);
    let clients: Vec<&Session> = visit.seen.sessions.iter().filter(sharing).collect();
    let held_by = |client: &Session| {
        clients.iter().filter(|other| other.owner == client.owner && other.origin == client.origin).count()
    };
    let top = clients.iter().map(|client| (held_by(client), client)).max_by_key(|(count, _)| *count);
    top.map_or((None, None, 0), |(count, client)| (client.owner.clone(), client.origin, count))
}

/// Why the policy keeps them all: how many for each reason, the most first.
fn reasons(visit: &Visit) -> Vec<String> {
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for judged in visit.plan.judged.iter().filter(|judged| judged.verdict != Verdict::Keep(Spared::Own)) {
        *reasons.entry(judged.verdict.to_string()).or_default() += 1;
    }
    let mut reasons: Vec<(String, usize)> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    reasons.into_iter().map(|(reason, count)| format!("{reason}: {count}")).collect()
}
