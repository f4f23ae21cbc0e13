//! Any table, any policy, any past. Each choice is a small number whose 0 is the plain one, so that a story in
//! which a law is broken shrinks to one that can be read.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::settings::Room;

/// Our monotonic clock when a story is told.
const MONOTONIC_NOW: Duration = Duration::from_secs(100_000);
/// The most sessions of one table.
pub(super) const SESSIONS_MAX: usize = 20;

/// Minutes, as all times of these stories are: so they often meet what a rule asks for exactly.
fn minutes(range: std::ops::Range<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(|minutes| seconds(60 * minutes))
}

/// Whether it is so, once in `chances` cases.
fn once_in(chances: u32) -> impl Strategy<Value = bool> {
    (0..chances).prop_map(move |number| number + 1 == chances)
}

const OWNERS: [&str; 8] = ["svc-a", "svc-a", "svc-a", "SVC-A", "svc-b", "bob", OUR_ACCOUNT, "AMS"];
const ORIGINS: [&str; 8] =
    ["192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2", "2001:db8::1", "127.0.0.1", "16.1.15.2", "::1"];
const TAGS: [&str; 9] = ["REST", "REST", "REST", "REST", "Web UI", "SSH", "Remote Console", "WSMgmt", ""];
const USER_TYPES: [&str; 8] = ["Local", "Local", "Local", "Local", "Local", "Directory", "System", ""];

/// Seconds since something: mostly whole minutes, rarely a time in the future.
fn ago() -> impl Strategy<Value = i64> {
    (0..20i64).prop_map(|number| match number {
        0..=11 => 60 * number,
        12..=18 => 60 * (number - 10),
        _ => -60,
    })
}

/// A session. Its id is unique only with a number behind it, and then mostly.
fn session() -> impl Strategy<Value = On> {
    let who = (select(&OWNERS[..]), select(&ORIGINS[..]), select(&TAGS[..]), select(&USER_TYPES[..]));
    let when = (ago(), ago(), once_in(4));
    (who, when, 0..40, 0..40).prop_map(|(who, when, id, odd)| {
        let (owner, origin, tag, user_type) = who;
        let (login, used, never_used) = when;
        let id = match id {
            38 => "odd/",
            39 => HELD,
            _ => "s",
        };
        let session = on(id).owner(owner).from(origin).kind(tag).user_type(user_type);
        let session = if never_used { session.never_used(login) } else { session.login(login.max(used)).used(used) };
        session.with(|session| match odd {
            33 => session.owner = None,
            34 => session.origin = None,
            35 => session.login = None,
            36 => session.access = None,
            37 => session.mine = Mine::Yes,
            38 => session.login = session.access.map(|access| access.plus(seconds(60))),
            39 => session.origin = Some("::ffff:192.0.2.1".parse().expect("an address")),
            _ => (),
        })
    })
}

/// Names in a policy, with and without patterns.
pub(crate) fn owner_globs() -> impl Strategy<Value = Vec<Glob>> {
    vec(select(vec!["svc-*", "svc-a", "*", "b?b", "SVC-B"]).prop_map(Glob::new), 1..3)
}

/// Networks in a policy.
pub(crate) fn origin_nets() -> impl Strategy<Value = Vec<ipnet::IpNet>> {
    let net =
        select(vec!["192.0.2.0/24", "192.0.2.1/32", "0.0.0.0/0", "::/0", "127.0.0.1/32", "16.1.15.0/24", "::1/128"]);
    vec(net.prop_map(|net| net.parse().expect("a network")), 1..3)
}

fn level() -> impl Strategy<Value = Pressure> {
    select(vec![Pressure::Calm, Pressure::Near, Pressure::Critical, Pressure::Full])
}

/// What a rule or a protection may ask for.
pub(crate) fn conditions() -> impl Strategy<Value = Conditions> {
    let kinds = select(vec![
        vec![Kind::Rest],
        vec![Kind::Rest, Kind::Web],
        vec![Kind::Ssh, Kind::Console, Kind::Rest],
        everything().kinds,
    ]);
    let user_types =
        select(vec![vec![UserType::Local], vec![UserType::Local, UserType::Directory], everything().user_types]);
    let who = (option::weighted(0.2, owner_globs()), option::weighted(0.2, origin_nets()), kinds, user_types);
    let when = (option::weighted(0.25, minutes(0..6)), option::of(minutes(0..6)), option::weighted(0.15, level()));
    (who, when, once_in(5), once_in(10)).prop_map(|(who, when, superseded, never_used)| {
        let (owner, origin, kinds, user_types) = who;
        let (age, idle, when) = when;
        Conditions { owner, origin, kinds, user_types, age, idle, superseded, never_used, when }
    })
}

/// A protection, with or without an end.
pub(crate) fn a_protection() -> impl Strategy<Value = Protection> {
    let of_all = Conditions { owner: globs(&["svc-b"]), ..Conditions::default() };
    let conditions = prop_oneof![Just(of_all), conditions()];
    let until = option::of((-1..=1i64).prop_map(|seconds_ago| before(HOST_NOW, seconds_ago)));
    (conditions, until).prop_map(|(conditions, until)| Protection { until, ..protection("p", conditions) })
}

/// Room in a table.
pub(crate) fn room() -> impl Strategy<Value = Room> {
    prop_oneof![3 => (0..10usize).prop_map(Room::Free), 1 => (1..100u8).prop_map(Room::UsedPercent)]
}

/// A rule, with or without what it spares.
pub(crate) fn a_rule() -> impl Strategy<Value = Rule> {
    let spares = (option::weighted(0.25, 0..4usize), option::weighted(0.25, room()));
    (conditions(), spares).prop_map(|(conditions, (keep_latest, down_to))| Rule {
        keep_latest,
        down_to,
        ..rule("r", conditions)
    })
}

/// Some protections and at least one rule. Each is named by its place.
pub(crate) fn policy() -> impl Strategy<Value = Policy> {
    (vec(a_protection(), 0..3), vec(a_rule(), 1..5)).prop_map(|(mut protect, mut reap)| {
        protect.iter_mut().enumerate().for_each(|(place, protection)| protection.id = format!("p{place}"));
        reap.iter_mut().enumerate().for_each(|(place, rule)| rule.id = format!("r{place}"));
        Policy { name: String::from("any"), protect, reap }
    })
}

pub(crate) fn caps() -> impl Strategy<Value = Caps> {
    (0..12usize, select(vec![100, 50, 20, 0])).prop_map(|(per_visit, share_of_seen_percent)| Caps {
        per_visit: 11 - per_visit,
        share_of_seen_percent,
        ..Caps::default()
    })
}

/// How full a table is taken to be, mostly with a limit.
pub(crate) fn pressure() -> impl Strategy<Value = PressureSettings> {
    let limit = option::of(4..16usize);
    let counts = select(vec![vec![Kind::Rest, Kind::Web], vec![Kind::Rest], vec![Kind::Rest, Kind::Web, Kind::Ssh]]);
    (limit, room(), room(), counts).prop_map(|(limit, near, critical, counts)| PressureSettings {
        limit,
        counts,
        near,
        critical,
    })
}

fn learned() -> impl Strategy<Value = Learned> {
    (option::weighted(0.4, 4..16usize), 0..12usize)
        .prop_map(|(limit_seen, most_used)| Learned { limit_seen, most_used })
}

/// A table, and whether its clock is to be believed.
fn observation() -> impl Strategy<Value = Observation> {
    let marks = (once_in(20), once_in(40), once_in(8), any::<u32>());
    (vec(session(), 4..SESSIONS_MAX), marks).prop_map(|(sessions, (jumped, cut, some_suspect, suspect))| {
        let Story { mut seen, .. } = given(sessions);
        for (number, session) in seen.sessions.iter_mut().enumerate() {
            // One of three that might be is the session that we hold; another looks like it.
            let is_held = session.id.to_string() == HELD && number % 3 == 0;
            session.id =
                if is_held { SessionId::read(HELD) } else { SessionId::read(&format!("{}{number}", session.id)) };
        }
        let mut known = BTreeSet::new();
        seen.sessions.retain(|session| known.insert(session.id.clone()));
        if jumped {
            seen.clock = Clock::Contradictory(String::from("it jumped"));
        }
        if cut {
            seen.extent = Extent::Cut(String::from("pages"));
        }
        if some_suspect {
            seen.suspects = marked(&seen, suspect).map(|session| session.id.clone()).collect();
        }
        seen
    })
}

/// The sessions at whose place `marks` has a bit.
fn marked(seen: &Observation, marks: u32) -> impl Iterator<Item = &Session> {
    seen.sessions.iter().enumerate().filter(move |(place, _)| marks >> place & 1 == 1).map(|(_, session)| session)
}

/// An earlier look: how long before the next one, who had used its session since, after how long a pause, who was
/// not there, and whether the times of the iLO were to be believed.
#[derive(Clone, Debug)]
struct Earlier {
    before: Duration,
    moved: u32,
    pause: Duration,
    absent: u32,
    jumped: bool,
}

fn earlier() -> impl Strategy<Value = Earlier> {
    let some = || (any::<u32>(), any::<u32>(), any::<u32>()).prop_map(|(one, two, three)| one & two & three);
    let few = (some(), some()).prop_map(|(one, other)| one & other);
    (minutes(1..6), some(), minutes(1..4), few, once_in(10))
        .prop_map(|(before, moved, pause, absent, jumped)| Earlier { before, moved, pause, absent, jumped })
}

/// What was seen until now, oldest first, if the last look was `seen`.
fn past(seen: &Observation, earlier: &[Earlier]) -> Vec<(Duration, Observation)> {
    let mut looks = vec![(MONOTONIC_NOW, seen.clone())];
    let (mut all, mut at) = (seen.clone(), MONOTONIC_NOW);
    for look in earlier {
        at = at.saturating_sub(look.before);
        all.extent = Extent::Whole;
        all.clock = if look.jumped { Clock::Contradictory(String::from("it jumped")) } else { Clock::Sound(NOW) };
        let moved: BTreeSet<_> = marked(&all, look.moved).map(|session| session.id.clone()).collect();
        for session in all.sessions.iter_mut().filter(|session| moved.contains(&session.id)) {
            let pause_s = i64::try_from(look.pause.as_secs()).expect("minutes");
            session.access = session.access.map(|access| before(access, pause_s));
        }
        let absent: BTreeSet<_> = marked(&all, look.absent).map(|session| session.id.clone()).collect();
        let mut here = all.clone();
        here.sessions.retain(|session| !absent.contains(&session.id));
        looks.push((at, here));
    }
    looks.reverse();
    looks
}

/// Any table under any policy, after any past.
pub(crate) fn story() -> impl Strategy<Value = Story> {
    let settings = (policy(), caps(), pressure(), learned());
    (observation(), vec(earlier(), 0..4), settings).prop_map(|(seen, looks, (policy, caps, pressure, learned))| {
        let looks = past(&seen, &looks);
        let story = Story { policy, caps, pressure, learned, now: MONOTONIC_NOW, seen, ..given([]) };
        story.witnessed(looks)
    })
}
