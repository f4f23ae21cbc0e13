//! All verdicts on one observation, and who goes.

use std::cmp::Reverse;
use std::fmt;
use std::time::Duration;

use super::guard::{self, Spared};
use super::pressure::Table;
use super::rule::{Question, Reason, same_client, sound_now};
use super::witness::Witness;
use crate::event::Case;
use crate::session::{Extent, Observation, Session, SessionId};
use crate::settings::{Caps, Policy, Rule, Shield};
use crate::time::Timestamp;

/// What was decided about one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It stays.
    Keep(Spared),
    /// It may go.
    Reap(Reason),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keep(spared) => spared.fmt(f),
            Self::Reap(reason) => reason.fmt(f),
        }
    }
}

/// One session, judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The session, as it was seen.
    pub session: Session,
    /// Since its login, on the iLO's clock, where that is known.
    pub age: Option<Duration>,
    /// Since its last access, on the iLO's clock, where that proves anything.
    pub idle: Option<Duration>,
    /// What was decided.
    pub verdict: Verdict,
}

/// A bound on destruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cap {
    /// `caps.per_visit`
    Visit,
    /// `caps.share_of_seen`
    Share,
    /// `caps.per_ilo_minute`
    IloMinute,
    /// `caps.per_minute`
    FleetMinute,
}

impl Cap {
    /// Its key in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Visit => "per_visit",
            Self::Share => "share_of_seen",
            Self::IloMinute => "per_ilo_minute",
            Self::FleetMinute => "per_minute",
        }
    }
}

/// A session that may go by the rules and stays because of a cap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldBack {
    /// The session, the rule and the numbers.
    pub case: Case,
    /// What holds it back.
    pub cap: Cap,
}

/// A session that is to go. Only [`Policy::plan`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doomed {
    case: Case,
}

impl Doomed {
    /// The session, the rule and the numbers.
    pub fn case(&self) -> &Case {
        &self.case
    }
}

/// All verdicts, and who goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Everybody seen, in the iLO's order.
    pub judged: Vec<Judged>,
    /// How full the table is.
    pub table: Table,
    /// Who stays only because of a cap, longest idle first.
    pub held_back: Vec<HeldBack>,
    doomed: Vec<Doomed>,
}

impl Plan {
    /// Who goes, longest idle first, within the caps of one visit.
    pub fn doomed(&self) -> &[Doomed] {
        &self.doomed
    }

    /// Whether the rules let this session go, caps aside.
    pub fn lets_go(&self, id: &SessionId) -> bool {
        self.judged.iter().any(|judged| judged.session.id == *id && matches!(judged.verdict, Verdict::Reap(_)))
    }
}

/// What a judgement takes into account beside the observation.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// How full the table is.
    pub table: Table,
    /// What was seen of the sessions before.
    pub witness: &'a Witness,
    /// Who stays here because somebody ordered it.
    pub shields: &'a [Shield],
    /// Our monotonic clock, as the witness has it.
    pub now: Duration,
    /// The host's clock, for protections that end. Ages are the iLO's.
    pub host_now: Timestamp,
}

impl Policy {
    /// Judges one observation.
    pub fn plan(&self, caps: &Caps, seen: &Observation, around: &Circumstances<'_>) -> Plan {
        let table = around.table;
        let verdicts = self.verdicts(seen, around);
        let judged: Vec<Judged> = (seen.sessions.iter().zip(verdicts))
            .map(|(session, verdict)| {
                let question = Question { seen, session, around };
                Judged { session: session.clone(), age: question.age(), idle: question.idle(), verdict }
            })
            .collect();
        let mut cases: Vec<Case> = judged.iter().filter_map(|judged| case(judged, &table)).collect();
        cases.sort_by(|one, other| (Reverse(one.idle), &one.session.id).cmp(&(Reverse(other.idle), &other.session.id)));
        let (allowed, cap) = allowance(caps, seen);
        let held_back = cases.split_off(allowed.min(cases.len()));
        Plan {
            table,
            held_back: held_back.into_iter().map(|case| HeldBack { case, cap }).collect(),
            doomed: cases.into_iter().map(|case| Doomed { case }).collect(),
            judged,
        }
    }

    /// A verdict for each session, in the order of the observation. Rules are asked one after the other, and
    /// the first that matches a session decides about it.
    fn verdicts(&self, seen: &Observation, around: &Circumstances<'_>) -> Vec<Verdict> {
        let mut verdicts: Vec<Option<Verdict>> = (seen.sessions.iter())
            .map(|session| {
                let cut = match &seen.extent {
                    Extent::Whole => None,
                    Extent::Cut(why) => Some(Spared::Cut(why.clone())),
                };
                cut.or_else(|| guard::spares(self, &Question { seen, session, around })).map(Verdict::Keep)
            })
            .collect();
        for rule in &self.reap {
            decide(rule, seen, around, &mut verdicts);
        }
        verdicts.into_iter().map(|verdict| verdict.unwrap_or(Verdict::Keep(Spared::NoRule))).collect()
    }
}

/// Lets one rule decide about the sessions that no earlier one decided about.
fn decide(rule: &Rule, seen: &Observation, around: &Circumstances<'_>, verdicts: &mut [Option<Verdict>]) {
    let gone = verdicts.iter().filter(|verdict| matches!(verdict, Some(Verdict::Reap(_)))).count();
    // Without a limit nobody knows how many it takes, so such a rule is not armed.
    let needed = match rule.down_to.map(|room| around.table.short_of(room, gone)) {
        Some(None) => return,
        Some(Some(needed)) => needed,
        None => usize::MAX,
    };
    let mut matching = Vec::new();
    for (place, session) in seen.sessions.iter().enumerate() {
        if verdicts[place].is_some() {
            continue;
        }
        let question = Question { seen, session, around };
        if let Some(reason) = question.answer(rule) {
            if rule.keep_latest.is_some_and(|kept| is_among_latest(seen, session, kept)) {
                verdicts[place] = Some(Verdict::Keep(Spared::KeptLatest(rule.id.clone())));
            } else {
                matching.push((Reverse(question.idle()), &session.id, place, reason));
            }
        }
    }
    matching.sort_by(|one, other| (one.0, one.1).cmp(&(other.0, other.1)));
    for (number, (_, _, place, reason)) in matching.into_iter().enumerate() {
        verdicts[place] = Some(if number < needed {
            Verdict::Reap(reason)
        } else {
            Verdict::Keep(Spared::RoomEnough(rule.id.clone()))
        });
    }
}

/// Whether a session is among the `kept` with the latest access of its owner, origin and kind. One whose
/// access is unknown or contradictory may be, and takes no other one's place.
fn is_among_latest(seen: &Observation, session: &Session, kept: usize) -> bool {
    let access = |session: &Session| sound_now(seen, session).and(session.proven_access());
    let Some(used) = access(session) else { return kept > 0 };
    let is_later =
        |other: &Session| access(other).is_some_and(|other_used| (other_used, &other.id) > (used, &session.id));
    seen.sessions.iter().filter(|other| same_client(other, session) && is_later(other)).count() < kept
}

/// How many may go in one visit, and which cap says so.
fn allowance(caps: &Caps, seen: &Observation) -> (usize, Cap) {
    // Whoever is told without an owner may be ours.
    let others = seen.sessions.iter().filter(|session| session.owner.is_some() && !seen.is_own(session)).count();
    let share = (others * usize::from(caps.share_of_seen_percent) / 100).max(1);
    if share < caps.per_visit { (share, Cap::Share) } else { (caps.per_visit, Cap::Visit) }
}

fn case(judged: &Judged, table: &Table) -> Option<Case> {
    let Verdict::Reap(reason) = &judged.verdict else { return None };
    Some(Case {
        session: judged.session.clone(),
        age: judged.age,
        idle: judged.idle,
        why: reason.to_string(),
        rule: reason.rule.clone(),
        used: table.used,
        limit: table.limit,
    })
}
