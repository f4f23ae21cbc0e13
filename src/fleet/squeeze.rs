//! What is worth telling about how full a table is. PURE: times are monotonic.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::growth::Growth;
use crate::event::{Event, Gone, Place, Squeeze};
use crate::policy::{Gauge, Learned, Spared, Verdict};
use crate::session::{Extent, Owner, Session};
use crate::settings::{Pressure, PressureSettings};
use crate::visit::{Fate, Visit};

/// How full one table was, and what was told about it.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    level: Pressure,
    /// Since when it has not been calm.
    since: Duration,
    told_at: Duration,
    blocked_at: Option<Duration>,
    growth: Growth,
    /// How soon it must be looked at again.
    look_within: Option<Duration>,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            level: Pressure::Calm,
            since: Duration::ZERO,
            told_at: Duration::ZERO,
            blocked_at: None,
            growth: Growth::default(),
            look_within: None,
        }
    }
}

impl Watch {
    /// How full the table was at the last visit.
    pub(super) fn level(&self) -> Pressure {
        self.level
    }

    /// How soon it must be looked at again, where it fills.
    pub(super) fn look_within(&self) -> Option<Duration> {
        self.look_within
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
        let ended = visit.fates.iter().filter(|(case, fate)| {
            matches!(fate, Fate::Gone(Gone::Ended | Gone::AlreadyGone)) && settings.counts.contains(&case.session.kind)
        });
        let gauge = Gauge::of(visit.plan.table.used.saturating_sub(ended.count()), settings, learned);
        self.growth.see(&visit.seen, gauge.used, now);
        self.look_within = self.growth.look_within(gauge.free());
        let squeeze = || squeeze(visit, gauge, settings, self.growth.full_in(gauge.free()));
        let before = self.level;
        let level = gauge.level(settings, before);
        let mut events = Vec::new();
        if level == Pressure::Calm {
            if before != Pressure::Calm {
                let (used, limit, lasted) = (gauge.used, gauge.limit, now.saturating_sub(self.since));
                events.push(Event::IloRelieved { at: at.clone(), used, limit, lasted });
            }
            (self.level, self.blocked_at) = (level, None);
            return events;
        }
        if level > before || now.saturating_sub(self.told_at) >= remind {
            let (at, squeeze) = (at.clone(), squeeze());
            events.push(match level {
                Pressure::Full => Event::IloFull { at, squeeze },
                Pressure::Critical => Event::IloCritical { at, squeeze },
                Pressure::Near | Pressure::Calm => Event::IloNearLimit { at, squeeze },
            });
            self.told_at = now;
        }
        if before == Pressure::Calm {
            self.since = now;
        }
        let reapable = visit.plan.judged.iter().any(|judged| matches!(judged.verdict, Verdict::Reap(_)));
        if reapable {
            self.blocked_at = None;
        } else if self.blocked_at.is_none_or(|told_at| now.saturating_sub(told_at) >= remind) {
            events.push(Event::IloBlocked { at: at.clone(), squeeze: squeeze(), why: reasons(visit) });
            self.blocked_at = Some(now);
        }
        self.level = level;
        events
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
