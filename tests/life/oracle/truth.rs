//! Whether a policy lets a session go, by true times: a second reading of the rules, that shares no code with the
//! first.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use ilo_sim::{Moment, Session, SessionId};

use super::Picture;
use crate::script::{ConditionsScript, ConfigScript, GroupScript, RuleScript};
use crate::world::{ACCOUNTS, BEGIN_S};

/// How much less than what a rule asks for may truly have passed: an iLO shows whole seconds.
const SLACK: Duration = Duration::from_secs(2);

/// Accounts that managers make, as the facts about iLOs list them.
const MANAGERS: [&str; 6] = ["_hponeviewadmin", "ams", "ilorest", "isut", "sut", "sum"];
/// What `UserTag` may say.
const TAGS: [&str; 9] =
    ["REST", "Web UI", "SSH", "Remote Console", "IPMI/RMCP", "RESTHost", "RIBCLHost", "Host Application", "RBSU"];

/// One session that is about to end, and what is true around it.
pub(super) struct Case<'a> {
    pub(super) picture: &'a Picture,
    pub(super) session: &'a Session,
    pub(super) now: Moment,
    pub(super) host_ahead_s: i64,
    pub(super) longest_gap: Option<Duration>,
    /// The rules by which this visit ended somebody, it among them.
    pub(super) ended_by: &'a [usize],
    /// Times before that are nobody's to know.
    pub(super) blind_until: Option<Moment>,
    pub(super) refused_full: bool,
    pub(super) are_times_doubted: bool,
    /// What was seen of its pauses is of one clock.
    pub(super) are_pauses_known: bool,
    /// Those whose times are of another clock, and nobody can know.
    pub(super) unknowable: &'a BTreeSet<SessionId>,
    /// By how much the clock was set in steps that nobody can tell.
    pub(super) drift: Duration,
    /// The field that the iLO did not tell.
    pub(super) lacks: Option<&'static str>,
}

impl Case<'_> {
    fn idle(&self) -> Duration {
        self.since(self.session.access)
    }

    fn age(&self) -> Duration {
        self.since(self.session.login)
    }

    fn since(&self, then: Moment) -> Duration {
        let is_blind =
            self.unknowable.contains(&self.session.id) || self.blind_until.is_some_and(|until| then <= until);
        if is_blind { Duration::MAX / 4 } else { self.picture.at.since(then) + self.drift }
    }

    /// Its access time does not move while it is used.
    fn stands_still(&self) -> bool {
        ["SSH", "Remote Console"].contains(&self.session.tag.as_str())
    }
}

type Verdict = Result<(), (&'static str, String)>;

/// Whether this group's policy lets it go. If not, which rule that breaks and why.
pub(super) fn lets_go(case: &Case<'_>, config: &ConfigScript, group: &GroupScript) -> Verdict {
    spared_by_nature(case, group)?;
    for (number, protect) in group.protect.iter().enumerate() {
        let now_s = (case.now.0 / 1000).cast_signed() + case.host_ahead_s;
        let is_over = protect.until_s.is_some_and(|until_s| BEGIN_S.cast_signed() + until_s <= now_s + 1);
        if !is_over && covers(case, &protect.conditions) {
            return Err(("I2", format!("it is protected by p{number}")));
        }
    }
    let mut why = String::from("there is no rule");
    for (number, rule) in group.reap.iter().enumerate() {
        match proves(case, config, (number, rule)) {
            Ok(()) => return gaps(case),
            // The first rule that matches decides.
            Err(lacks) if keeps(case, rule) => {
                return Err(("rule 1", format!("r{number} matches and keeps it: {lacks}")));
            }
            Err(lacks) => why = format!("{why}; r{number}: {lacks}"),
        }
    }
    Err(("rule 1", why))
}

/// Whether a rule certainly matches, and certainly keeps it as one of the latest.
fn keeps(case: &Case<'_>, rule: &RuleScript) -> bool {
    let (asked, session) = (&rule.conditions, case.session);
    let Some(kept) = rule.keep_latest else { return false };
    let is_sound =
        case.lacks.is_none() && !case.are_times_doubted && case.blind_until.is_none() && !case.stands_still();
    let asks_more = asked.age_s.is_some()
        || asked.superseded
        || asked.never_used
        || asked.when.is_some()
        || rule.down_to.is_some()
        || case.longest_gap.is_some() && asked.idle_s.is_some();
    let later = |other: &&Session| {
        other.owner.eq_ignore_ascii_case(&session.owner)
            && other.origin == session.origin
            && same_kind(&other.tag, &session.tag)
            && other.id != session.id
            && other.access.0 / 1000 >= session.access.0 / 1000
    };
    is_sound
        && !asks_more
        && is_named(session, asked)
        && asked.idle_s.is_none_or(|idle_s| case.idle() >= Duration::from_secs(idle_s) + SLACK * 2)
        && case.picture.sessions.iter().filter(later).count() < kept
}

/// Whether a rule is about such sessions, whatever their times.
fn is_named(session: &Session, asked: &ConditionsScript) -> bool {
    let names_inside = asked.origin.as_ref().is_some_and(|net| is_inside(address(net).0));
    asked.tags.iter().any(|tag| same_kind(tag, &session.tag))
        && asked.user_types.contains(&session.user_type)
        && asked.owner.as_ref().is_none_or(|glob| fits(glob, &session.owner))
        && asked.origin.as_ref().is_none_or(|net| holds(net, session.origin))
        && (!is_inside(session.origin) || names_inside)
}

/// Whoever paused before must be idle three times as long. Two readings of whole seconds make a gap.
fn gaps(case: &Case<'_>) -> Verdict {
    let Some(gap) = case.longest_gap else { return Ok(()) };
    let slack = SLACK * 4;
    if !case.are_pauses_known || case.idle() + slack >= gap * 3 {
        return Ok(());
    }
    Err(("witness", format!("idle for {:?} only, after a pause of {gap:?}", case.idle())))
}

fn spared_by_nature(case: &Case<'_>, group: &GroupScript) -> Verdict {
    let session = case.session;
    let owner = session.owner.to_lowercase();
    if owner == ACCOUNTS[group.account] {
        return Err(("I1", String::from("it is of our account")));
    }
    if MANAGERS.contains(&owner.as_str()) {
        return Err(("rule 1", format!("{owner} is a manager's account")));
    }
    if !TAGS.contains(&session.tag.as_str()) {
        return Err(("I3", format!("its kind {:?} is unknown", session.tag)));
    }
    if session.user_type != "Local" && session.user_type != "Directory" {
        return Err(("rule 1", format!("its user type is {:?}", session.user_type)));
    }
    Ok(())
}

/// Whether a protection certainly covers it. It may cover more.
fn covers(case: &Case<'_>, asked: &ConditionsScript) -> bool {
    let session = case.session;
    // Who was there when a clock was set unseen has no age that anybody could know.
    let is_blind =
        case.unknowable.contains(&session.id) || case.blind_until.is_some_and(|until| session.login <= until);
    if (asked.age_s.is_some() || asked.idle_s.is_some()) && is_blind {
        return false;
    }
    let is_any = |list: &Vec<String>, value: &String| list.is_empty() || list.contains(value);
    // In doubt it covers.
    let is_old =
        |age_s| case.lacks == Some("LoginTime") || case.age() >= Duration::from_secs(age_s) + SLACK + case.drift * 2;
    asked.owner.as_ref().is_none_or(|glob| fits(glob, &session.owner))
        && asked.origin.as_ref().is_none_or(|net| holds(net, session.origin))
        && (asked.tags.is_empty() || asked.tags.iter().any(|tag| same_kind(tag, &session.tag)))
        && is_any(&asked.user_types, &session.user_type)
        && asked.age_s.is_none_or(is_old)
        && asked.idle_s.is_none_or(|idle_s| case.stands_still() || case.idle() >= Duration::from_secs(idle_s) + SLACK)
}

/// Whether a rule's conditions are all true; if not, the first that is not.
fn proves(case: &Case<'_>, config: &ConfigScript, (number, rule): (usize, &RuleScript)) -> Result<(), String> {
    let (asked, session) = (&rule.conditions, case.session);
    let check = |holds: bool, what: &str| if holds { Ok(()) } else { Err(what.to_owned()) };
    check(asked.tags.iter().any(|tag| same_kind(tag, &session.tag)), "it does not name this kind")?;
    check(asked.user_types.contains(&session.user_type), "it does not name this user type")?;
    check(asked.owner.as_ref().is_none_or(|glob| fits(glob, &session.owner)), "another owner")?;
    check(asked.origin.as_ref().is_none_or(|net| holds(net, session.origin)), "another origin")?;
    let names_inside = asked.origin.as_ref().is_some_and(|net| is_inside(address(net).0));
    check(!is_inside(session.origin) || names_inside, "an origin inside the server")?;
    let asks_access = asked.idle_s.is_some() || asked.superseded || asked.never_used;
    let asks_login = asked.age_s.is_some() || asked.never_used;
    check(!asks_login || case.lacks != Some("LoginTime"), "its login time is unknown")?;
    check(!asks_access || !case.stands_still(), "its access time proves nothing")?;
    if let Some(idle_s) = asked.idle_s {
        let idle = case.idle();
        check(idle + SLACK >= Duration::from_secs(idle_s), &format!("truly idle for {} s", idle.as_secs()))?;
    }
    if let Some(age_s) = asked.age_s {
        let age = case.age();
        check(age + SLACK >= Duration::from_secs(age_s), &format!("truly {} s old", age.as_secs()))?;
    }
    check(!asked.never_used || session.access.since(session.login) < Duration::from_secs(1), "it was used")?;
    let same = |other: &&Session| {
        other.owner.eq_ignore_ascii_case(&session.owner)
            && other.origin == session.origin
            && same_kind(&other.tag, &session.tag)
            && other.id != session.id
    };
    let others = case.picture.sessions.iter().filter(same);
    // Nobody knows the order of those who were on when a clock was set unseen.
    let is_blind = |one: &Session, at: Moment| {
        case.unknowable.contains(&one.id) || case.blind_until.is_some_and(|until| at <= until)
    };
    let may_be_later = |other: &Session| is_blind(other, other.login) || is_blind(session, session.access);
    check(
        !asked.superseded || others.clone().any(|other| other.login > session.access || may_be_later(other)),
        "nobody took its place",
    )?;
    if let Some(kept) = rule.keep_latest {
        // Uses within one second are in no order.
        let later =
            others.filter(|other| other.access.0 / 1000 >= session.access.0 / 1000 || may_be_later(other)).count();
        check(later >= kept, "it is among the latest")?;
    }
    room(case, config, (number, rule))
}

/// `when` and `down_to`, by the entries there were.
fn room(case: &Case<'_>, config: &ConfigScript, (number, rule): (usize, &RuleScript)) -> Result<(), String> {
    let counted = case.picture.sessions.iter().filter(|session| ["REST", "Web UI"].contains(&session.tag.as_str()));
    // Who is listed and is not there takes a place, as far as anybody can tell.
    let used = counted.count() + case.picture.ghosts;
    if rule.conditions.when.is_none() && rule.down_to.is_none() {
        return Ok(());
    }
    let Some(limit) = config.limit else {
        // What an iLO named by refusing us is a limit; which one, only the daemon knows.
        return if case.refused_full { Ok(()) } else { Err(String::from("no limit is known")) };
    };
    let free = limit.saturating_sub(used);
    let level = match free {
        0 => 3,
        free if free <= config.critical => 2,
        free if free <= config.near => 1,
        _ => 0,
    };
    if rule.conditions.when.is_some_and(|when| level < when) {
        return Err(format!("{free} places are free"));
    }
    // Later rules count what earlier ones let go, and not the other way round.
    let ended = case.ended_by.iter().filter(|by| **by <= number).count();
    if rule.down_to.is_some_and(|room| (used + room).saturating_sub(limit) < ended) {
        return Err(format!("{used} of {limit} used, and {ended} ended, are room enough"));
    }
    Ok(())
}

/// Tags of host applications are one kind.
fn same_kind(one: &str, other: &str) -> bool {
    let host = |tag: &str| ["RESTHost", "RIBCLHost", "Host Application", "RBSU"].contains(&tag);
    one == other || host(one) && host(other)
}

/// `*` and `?`, case ignored, by trying everything.
fn fits(glob: &str, text: &str) -> bool {
    fn go(glob: &[u8], text: &[u8]) -> bool {
        match (glob.first(), text.first()) {
            (None, None) => true,
            (Some(b'*'), _) => go(&glob[1..], text) || !text.is_empty() && go(glob, &text[1..]),
            (Some(b'?'), Some(_)) => go(&glob[1..], &text[1..]),
            (Some(one), Some(other)) if one == other => go(&glob[1..], &text[1..]),
            _ => false,
        }
    }
    go(glob.to_lowercase().as_bytes(), text.to_lowercase().as_bytes())
}

fn address(net: &str) -> (IpAddr, u32) {
    let (address, length) = net.split_once('/').expect("a network");
    (address.parse().expect("an address"), length.parse().expect("a length"))
}

fn holds(net: &str, origin: IpAddr) -> bool {
    let (net, length) = address(net);
    match (net, origin) {
        (IpAddr::V4(net), IpAddr::V4(origin)) => {
            length == 0 || (net.to_bits() ^ origin.to_bits()) >> (32 - length) == 0
        }
        (IpAddr::V6(net), IpAddr::V6(origin)) => {
            length == 0 || (net.to_bits() ^ origin.to_bits()) >> (128 - length) == 0
        }
        _ => false,
    }
}

fn is_inside(origin: IpAddr) -> bool {
    match origin {
        IpAddr::V4(v4) => v4.is_loopback() || v4.octets()[..3] == [16, 1, 15],
        IpAddr::V6(v6) => v6.is_loopback(),
    }
}

/// A session that should be gone, and what is true around it.
pub(super) struct Duty<'a> {
    pub(super) picture: &'a Picture,
    pub(super) session: &'a Session,
    /// Whose times are of another clock, for all that the daemon can tell: they prove nothing about others.
    pub(super) doubtful: &'a BTreeSet<SessionId>,
    /// Only what came after this counts.
    pub(super) from: Option<Moment>,
    pub(super) longest_gap: Option<Duration>,
    /// How long it takes from being covered to being gone.
    pub(super) margin: Duration,
}

impl Duty<'_> {
    /// How many of the same client were used later, beyond doubt and for long enough.
    fn surely_later(&self) -> usize {
        let is_later = |other: &&Session| {
            other.owner.eq_ignore_ascii_case(&self.session.owner)
                && other.origin == self.session.origin
                && other.tag == self.session.tag
                && other.access.since(self.session.access) > Duration::from_secs(2)
                && self.picture.at.since(other.login) > self.margin
                && !self.doubtful.contains(&other.id)
        };
        self.picture.sessions.iter().filter(is_later).count()
    }
}

/// The rule by which a session must be gone, beyond any doubt.
pub(super) fn must_go(duty: &Duty<'_>, group: &GroupScript) -> Option<usize> {
    let Duty { picture, session, .. } = *duty;
    let case = Case {
        picture,
        session,
        now: picture.at,
        host_ahead_s: 0,
        longest_gap: None,
        ended_by: &[],
        blind_until: None,
        refused_full: false,
        are_times_doubted: false,
        are_pauses_known: true,
        lacks: None,
        unknowable: &BTreeSet::new(),
        drift: Duration::ZERO,
    };
    let idle = picture.at.since(session.access.max(duty.from.unwrap_or_default()));
    let is_idle_enough = |asked_s: u64| idle >= Duration::from_secs(asked_s) + duty.margin;
    let paused = duty.longest_gap.is_some_and(|gap| idle < gap * 3 + duty.margin);
    if spared_by_nature(&case, group).is_err()
        || paused
        || group.protect.iter().any(|protect| may_cover(session, &protect.conditions))
    {
        return None;
    }
    // A clock that was set takes age, succession and first use away.
    let all_times = duty.from.is_none();
    for (number, rule) in group.reap.iter().enumerate() {
        let asked = &rule.conditions;
        let names = asked.tags.iter().any(|tag| same_kind(tag, &session.tag))
            && asked.user_types.contains(&session.user_type)
            && asked.owner.as_ref().is_none_or(|glob| fits(glob, &session.owner))
            && asked.origin.as_ref().is_none_or(|net| holds(net, session.origin));
        if !names {
            continue;
        }
        // What decides by room may decide to keep it, and so may the order, unless enough others are surely later.
        let is_kept = |kept: usize| !all_times || case.stands_still() || duty.surely_later() < kept;
        if asked.when.is_some() || rule.down_to.is_some() || rule.keep_latest.is_some_and(is_kept) {
            return None;
        }
        let superseded = |other: &&Session| {
            other.owner.eq_ignore_ascii_case(&session.owner)
                && other.origin == session.origin
                && same_kind(&other.tag, &session.tag)
                && other.login.since(session.access) > Duration::from_secs(2)
                && picture.at.since(other.login) > duty.margin
                && !duty.doubtful.contains(&other.id)
        };
        let is_inside = is_inside(session.origin);
        let proven = !is_inside
            && !(case.stands_still() && (asked.idle_s.is_some() || asked.superseded || asked.never_used))
            && asked.idle_s.is_none_or(is_idle_enough)
            && asked.age_s.is_none_or(|age_s| all_times && case.age() >= Duration::from_secs(age_s) + duty.margin)
            && (!asked.never_used || all_times && session.access == session.login)
            && (!asked.superseded || all_times && picture.sessions.iter().any(|other| superseded(&other)));
        if proven && picture.at.since(session.login) > duty.margin {
            return Some(number);
        }
    }
    None
}

/// Whether a protection may cover a session, whatever its times are.
fn may_cover(session: &Session, asked: &ConditionsScript) -> bool {
    asked.owner.as_ref().is_none_or(|glob| fits(glob, &session.owner))
        && asked.origin.as_ref().is_none_or(|net| holds(net, session.origin))
        && (asked.tags.is_empty() || asked.tags.iter().any(|tag| same_kind(tag, &session.tag)))
        && (asked.user_types.is_empty() || asked.user_types.contains(&session.user_type))
}
