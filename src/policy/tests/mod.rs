//! Stories: given a table of sessions and a policy, these went and these stayed.

pub(crate) mod any;
mod bounds;
mod guard;
mod laws;
mod oracle;
mod rules;
mod witness;

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::{Circumstances, Learned, Plan, Table, Verdict, Witness};
use crate::session::{Clock, Extent, Kind, Mine, Observation, Own, Owner, Session, SessionId, UserType};
use crate::settings::{Caps, Conditions, Glob, Policy, Pressure, PressureSettings, Protection, Rule, Shield};
use crate::time::Timestamp;

/// The iLO's now in every story.
const NOW: Timestamp = Timestamp::from_unix_s(1_750_000_000);
/// The host's now: far from the iLO's, as it may be.
const HOST_NOW: Timestamp = Timestamp::from_unix_s(1_900_000_000);
/// Our account and the session that we hold.
const OUR_ACCOUNT: &str = "svc-ilo-reaper";
const HELD: &str = "held";

fn before(now: Timestamp, seconds: i64) -> Timestamp {
    Timestamp::from_unix_s(now.unix_s() - seconds)
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// A session in a story. Unless said otherwise it is a token session of `svc-backup` from 192.0.2.10 that
/// logged in two hours ago and was used one hour ago.
#[derive(Clone, Debug)]
struct On(Session);

fn on(id: &str) -> On {
    On(Session {
        id: SessionId::read(id),
        owner: Some(Owner::new("svc-backup")),
        origin: Some(IpAddr::from([192, 0, 2, 10])),
        kind: Kind::Rest,
        user_type: UserType::Local,
        login: Some(before(NOW, 7200)),
        access: Some(before(NOW, 3600)),
        mine: Mine::No,
    })
}

impl On {
    fn owner(mut self, name: &str) -> Self {
        self.0.owner = Some(Owner::new(name));
        self
    }

    fn from(mut self, address: &str) -> Self {
        self.0.origin = Some(address.parse().expect("an address"));
        self
    }

    fn kind(mut self, tag: &str) -> Self {
        self.0.kind = Kind::read(tag);
        self
    }

    fn user_type(mut self, user_type: &str) -> Self {
        self.0.user_type = UserType::read(user_type);
        self
    }

    /// Logged in so many seconds ago; negative lies in the future.
    fn login(mut self, seconds_ago: i64) -> Self {
        self.0.login = Some(before(NOW, seconds_ago));
        self
    }

    /// Last used so many seconds ago.
    fn used(mut self, seconds_ago: i64) -> Self {
        self.0.access = Some(before(NOW, seconds_ago));
        self
    }

    /// Logged in then and never used since.
    fn never_used(self, seconds_ago: i64) -> Self {
        self.login(seconds_ago).used(seconds_ago)
    }

    fn with(mut self, change: impl FnOnce(&mut Session)) -> Self {
        change(&mut self.0);
        self
    }
}

/// A rule about local token sessions. Give it conditions with struct update: `Conditions { idle, ..tokens() }`.
fn rule(id: &str, conditions: Conditions) -> Rule {
    Rule { id: id.to_owned(), conditions, keep_latest: None, down_to: None }
}

fn tokens() -> Conditions {
    Conditions { kinds: vec![Kind::Rest], user_types: vec![UserType::Local], ..Conditions::default() }
}

fn idle(at_least_s: u64) -> Conditions {
    Conditions { idle: Some(seconds(at_least_s)), ..tokens() }
}

fn superseded() -> Conditions {
    Conditions { superseded: true, ..tokens() }
}

fn never_used() -> Conditions {
    Conditions { never_used: true, ..tokens() }
}

fn when(pressure: Pressure) -> Conditions {
    Conditions { when: Some(pressure), ..tokens() }
}

/// The boldest conditions that a rule can have: every kind and user type there is, named or not, and nothing asked.
fn everything() -> Conditions {
    let mut kinds: Vec<Kind> = Kind::NAMES.into_iter().map(|(_, kind)| kind).collect();
    kinds.extend([Kind::Unknown, Kind::read("WSMgmt"), Kind::read("Telnet")]);
    let mut user_types: Vec<UserType> = SPARED_USER_TYPES.into_iter().map(UserType::read).collect();
    user_types.extend([UserType::Local, UserType::Directory]);
    Conditions { kinds, user_types, ..Conditions::default() }
}

/// User types that no rule can reach; the last is that of an iLO which tells none.
const SPARED_USER_TYPES: [&str; 8] =
    ["Single Sign On", "Kerberos", "Trusted Key", "Security Override", "System", "Federation", "local", ""];

fn protection(id: &str, conditions: Conditions) -> Protection {
    Protection { id: id.to_owned(), conditions, until: None }
}

#[expect(clippy::unnecessary_wraps, reason = "as `Conditions` holds it")]
fn globs(patterns: &[&str]) -> Option<Vec<Glob>> {
    Some(patterns.iter().map(|pattern| Glob::new(pattern)).collect())
}

#[expect(clippy::unnecessary_wraps, reason = "as `Conditions` holds it")]
fn nets(written: &[&str]) -> Option<Vec<ipnet::IpNet>> {
    Some(written.iter().map(|net| net.parse().expect("a network")).collect())
}

/// One observation and one policy, with caps that hold nothing back.
#[derive(Clone)]
pub(crate) struct Story {
    pub(crate) seen: Observation,
    pub(crate) policy: Policy,
    pub(crate) caps: Caps,
    pub(crate) pressure: PressureSettings,
    witness: Witness,
    /// All that the witness saw, oldest first, where the story tells it.
    looks: Vec<(Duration, Observation)>,
    learned: Learned,
    /// Who stays because somebody ordered it.
    shields: Vec<Shield>,
    now: Duration,
}

fn given(sessions: impl IntoIterator<Item = On>) -> Story {
    Story {
        seen: Observation {
            clock: Clock::Sound(NOW),
            extent: Extent::Whole,
            own: Own { held: SessionId::read(HELD), accounts: vec![Owner::new(OUR_ACCOUNT)] },
            sessions: sessions.into_iter().map(|On(session)| session).collect(),
            suspects: Vec::new(),
        },
        policy: Policy { name: String::from("story"), protect: Vec::new(), reap: Vec::new() },
        caps: Caps { per_visit: 1000, share_of_seen_percent: 100, ..Caps::default() },
        pressure: PressureSettings::default(),
        witness: Witness::default(),
        looks: Vec::new(),
        learned: Learned::default(),
        shields: Vec::new(),
        now: Duration::ZERO,
    }
}

/// A line for each session, protection and rule.
impl fmt::Debug for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seen, policy, caps, pressure, witness, looks: _, learned, shields, now } = self;
        let ago = |time: Option<Timestamp>| time.map(|time| NOW.unix_s() - time.unix_s());
        writeln!(f, "{:?}, {:?}, suspects {:?}", seen.clock, seen.extent, seen.suspects)?;
        for session in &seen.sessions {
            let Session { id, owner, origin, kind, user_type, login, access, mine } = session;
            let owner = owner.as_ref().map(ToString::to_string);
            let (login, access) = (ago(*login), ago(*access));
            write!(f, "  {id}: {owner:?} {origin:?} {kind:?} {user_type:?}, login {login:?}, access {access:?} s ago")?;
            let (gap, stands) = (witness.longest_gap(id), witness.stands_still(id, *now));
            writeln!(f, ", gap {gap:?}, stands {stands:?}{}", if mine.may_be() { ", mine" } else { "" })?;
        }
        policy.protect.iter().try_for_each(|protection| writeln!(f, "  {protection:?}"))?;
        shields.iter().try_for_each(|shield| writeln!(f, "  {shield:?}"))?;
        policy.reap.iter().try_for_each(|rule| writeln!(f, "  {rule:?}"))?;
        write!(f, "  {caps:?} {pressure:?} {learned:?}")
    }
}

impl Story {
    fn reap(mut self, rule: Rule) -> Self {
        self.policy.reap.push(rule);
        self
    }

    fn protect(mut self, protection: Protection) -> Self {
        self.policy.protect.push(protection);
        self
    }

    fn limit(mut self, places: usize) -> Self {
        self.pressure.limit = Some(places);
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Observation)) -> Self {
        change(&mut self.seen);
        self
    }

    /// Lets a new witness see all of these.
    fn witnessed(mut self, looks: Vec<(Duration, Observation)>) -> Self {
        self.witness = Witness::default();
        for (at, seen) in &looks {
            self.witness.watch(seen, *at);
        }
        Self { looks, ..self }
    }

    pub(crate) fn plan(&self) -> Plan {
        let table = Table::of(&self.seen, &self.pressure, self.learned);
        let around =
            Circumstances { table, witness: &self.witness, shields: &self.shields, now: self.now, host_now: HOST_NOW };
        self.policy.plan(&self.caps, &self.seen, &around)
    }

    /// Who goes, in that order.
    fn went(&self) -> Vec<String> {
        ids(&self.plan())
    }

    /// Why one session stays or may go.
    fn why(&self, id: &str) -> String {
        let id = SessionId::read(id);
        let plan = self.plan();
        let judged = plan.judged.iter().find(|judged| judged.session.id == id);
        judged.expect("a session of the story").verdict.to_string()
    }

    /// Checks who went, in that order, and who stayed: all of the story, no one else.
    #[track_caller]
    fn went_and_stayed(&self, went: &[&str], stayed: &[&str]) {
        assert_eq!(self.went(), went, "who went");
        let mut everybody: Vec<_> = went.iter().chain(stayed).map(ToString::to_string).collect();
        let mut seen: Vec<_> = self.seen.sessions.iter().map(|session| session.id.to_string()).collect();
        everybody.sort();
        seen.sort();
        assert_eq!(seen, everybody, "the story tells of everybody");
    }
}

fn ids(plan: &Plan) -> Vec<String> {
    plan.doomed().iter().map(|doomed| doomed.case().session.id.to_string()).collect()
}
