//! What a configuration says is what is set: any good one, written out, reads back the same.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use ipnet::IpNet;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

use super::super::hosts::host_and_port;
use super::super::values::written as duration;
use super::Desk;
use crate::law::holds;
use crate::session::{Kind, UserType};
use crate::settings::{
    Authority, Caps, Conditions, Glob, Policy, Poll, Pressure, PressureSettings, Protection, Room, Rule,
};
use crate::time::Timestamp;

const LEVELS: [Pressure; 3] = [Pressure::Near, Pressure::Critical, Pressure::Full];

fn a_duration(least_ms: u64) -> impl Strategy<Value = Duration> {
    prop_oneof![least_ms..10_000, least_ms..100_000_000].prop_map(Duration::from_millis)
}

fn a_poll() -> impl Strategy<Value = Poll> {
    let time = || a_duration(100);
    (time(), time(), 1..10_000usize, time(), time(), time()).prop_map(
        |(every, fastest, visits_at_once, connect_timeout, exchange_timeout, visit_timeout)| Poll {
            every,
            fastest: fastest.min(every),
            visits_at_once,
            connect_timeout: connect_timeout.min(visit_timeout),
            exchange_timeout: exchange_timeout.min(visit_timeout),
            visit_timeout,
        },
    )
}

/// Near leaves more room than critical, and less than the whole table.
fn a_pressure() -> impl Strategy<Value = PressureSettings> {
    let counts = subsequence(Kind::NAMES.map(|(_, kind)| kind).to_vec(), 1..=6);
    let rooms = prop_oneof![
        (1..8usize, 0..8usize).prop_map(|(critical, more)| (Room::Free(critical + more), Room::Free(critical))),
        (10..60u8, 0..40u8).prop_map(|(near, more)| (Room::UsedPercent(near), Room::UsedPercent(near + more))),
    ];
    (option::of(20..1000usize), counts, rooms).prop_map(|(limit, counts, (near, critical))| PressureSettings {
        limit,
        counts,
        near,
        critical,
    })
}

fn a_caps() -> impl Strategy<Value = Caps> {
    (1..1000usize, 1..1000usize, 1..=100u8, 1..1_000_000usize).prop_map(
        |(per_visit, per_ilo_minute, share_of_seen_percent, per_minute)| Caps {
            per_visit,
            per_ilo_minute,
            share_of_seen_percent,
            per_minute,
        },
    )
}

fn a_net() -> impl Strategy<Value = IpNet> {
    let v4 = (any::<[u8; 4]>(), 0..=32u8).prop_map(|(octets, length)| (IpAddr::from(octets), length));
    let v6 = (any::<[u8; 16]>(), 0..=128u8).prop_map(|(octets, length)| (IpAddr::from(octets), length));
    prop_oneof![v4, v6].prop_map(|(address, length)| IpNet::new(address, length).expect("a network").trunc())
}

/// All that asks for an idle time, so that there is a condition.
fn some_conditions() -> impl Strategy<Value = Conditions> {
    let names = vec("[ -Z^-z|~äß漢]{1,20}", 1..4).prop_map(|mut names| {
        names.sort();
        names.dedup();
        names.iter().map(|name| Glob::new(name)).collect::<Vec<_>>()
    });
    let nets = vec(a_net(), 1..4).prop_map(|mut nets| {
        nets.sort();
        nets.dedup();
        nets
    });
    let kinds = subsequence(Kind::NAMES.map(|(_, kind)| kind).to_vec(), 1..=6);
    let user_types = subsequence(vec![UserType::Local, UserType::Directory], 1..=2);
    let who = (option::of(names), option::of(nets), kinds, user_types);
    let time = || a_duration(1000);
    let when = (option::of(time()), time(), any::<bool>(), any::<bool>(), option::of(select(&LEVELS[..])));
    (who, when).prop_map(|((owner, origin, kinds, user_types), (age, idle, superseded, never_used, when))| Conditions {
        owner,
        origin,
        kinds,
        user_types,
        age,
        idle: Some(idle),
        superseded,
        never_used,
        when,
    })
}

fn a_policy() -> impl Strategy<Value = Policy> {
    // From the year 1 to 9999, as people write it.
    let until = option::of((-62_000_000_000..253_000_000_000i64).prop_map(Timestamp::from_unix_s));
    let room = prop_oneof![(1..1000usize).prop_map(Room::Free), (1..100u8).prop_map(Room::UsedPercent)];
    let spares = (option::of(1..1000usize), option::of(room));
    (vec((some_conditions(), until), 0..3), vec((some_conditions(), spares), 1..4)).prop_map(|(protect, reap)| {
        let protect = protect.into_iter().zip(0..).map(|((conditions, until), number)| Protection {
            id: format!("p{number}"),
            conditions,
            until,
        });
        let reap = reap.into_iter().zip(0..).map(|((conditions, (keep_latest, down_to)), number)| Rule {
            id: format!("r{number}"),
            conditions,
            keep_latest,
            down_to,
        });
        Policy { name: String::from("default"), protect: protect.collect(), reap: reap.collect() }
    })
}

fn room(room: Room) -> Value {
    json!(match room {
        Room::Free(places) => format!("{places} free"),
        Room::UsedPercent(percent) => format!("{percent}%"),
    })
}

fn texts<T: ToString>(values: &[T]) -> Value {
    values.iter().map(ToString::to_string).collect()
}

/// The keys that a protection and a rule have in common.
fn conditions(id: &str, asked: &Conditions) -> Map<String, Value> {
    let fields = [
        ("id", Some(json!(id))),
        ("owner", asked.owner.as_deref().map(texts)),
        ("origin", asked.origin.as_deref().map(texts)),
        ("kind", Some(texts(&asked.kinds))),
        ("user_type", Some(texts(&asked.user_types))),
        ("age", asked.age.map(|age| json!(duration(age)))),
        ("idle", asked.idle.map(|idle| json!(duration(idle)))),
        ("superseded", asked.superseded.then_some(Value::Bool(true))),
        ("never_used", asked.never_used.then_some(Value::Bool(true))),
        ("when", asked.when.map(|level| json!(level.to_string()))),
    ];
    fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

/// What a configuration says.
#[derive(Debug)]
struct Written {
    poll: Poll,
    pressure: PressureSettings,
    caps: Caps,
    policy: Policy,
    authority: Authority,
}

/// The configuration as text; JSON is YAML, too.
fn text(written: &Written, password_file: &Path) -> String {
    let Written { poll, pressure, caps, policy, authority } = written;
    let protect = policy.protect.iter().map(|protection| {
        let mut fields = conditions(&protection.id, &protection.conditions);
        fields.extend(protection.until.map(|until| (String::from("until"), json!(until.to_string()))));
        Value::Object(fields)
    });
    let reap = policy.reap.iter().map(|rule| {
        let mut fields = conditions(&rule.id, &rule.conditions);
        fields.insert(String::from("accept_risk"), json!(true));
        fields.extend(rule.keep_latest.map(|kept| (String::from("keep_latest"), json!(kept))));
        fields.extend(rule.down_to.map(|down_to| (String::from("down_to"), room(down_to))));
        Value::Object(fields)
    });
    json!({
        "poll": {
            "every": duration(poll.every),
            "fastest": duration(poll.fastest),
            "visits_at_once": poll.visits_at_once,
            "connect_timeout": duration(poll.connect_timeout),
            "exchange_timeout": duration(poll.exchange_timeout),
            "visit_timeout": duration(poll.visit_timeout),
        },
        "pressure": {
            "limit": pressure.limit.map_or(json!("learn"), |limit| json!(limit)),
            "counts": texts(&pressure.counts),
            "near": room(pressure.near),
            "critical": room(pressure.critical),
        },
        "caps": {
            "per_visit": caps.per_visit,
            "per_ilo_minute": caps.per_ilo_minute,
            "share_of_seen": format!("{}%", caps.share_of_seen_percent),
            "per_minute": caps.per_minute,
        },
        "policies": { "default": { "protect": protect.collect::<Value>(), "reap": reap.collect::<Value>() } },
        "fleet": {
            "lab": {
                "username": "svc",
                "password_file": password_file,
                "tls": "insecure",
                "ilos": [{ "name": "ilo-1", "address": authority.host, "port": authority.port }],
            },
        },
    })
    .to_string()
}

/// A name or an address in its usual spelling.
fn a_host() -> impl Strategy<Value = String> {
    let address = prop_oneof![
        (1..224u8, any::<[u8; 3]>()).prop_map(|(first, [a, b, c])| IpAddr::from([first, a, b, c])),
        any::<[u8; 15]>().prop_map(|rest| {
            let mut octets = [0x20; 16];
            octets[1..].copy_from_slice(&rest);
            IpAddr::from(octets)
        }),
    ];
    prop_oneof![
        "[a-z][a-z0-9_]{0,8}(-[a-z0-9]{1,4})?(\\.[a-z][a-z0-9]{0,8}){0,3}",
        address.prop_map(|ip| ip.to_string())
    ]
}

fn an_authority() -> impl Strategy<Value = Authority> {
    let port = prop_oneof![Just(443), 1..=u16::MAX];
    (a_host(), port).prop_map(|(host, port)| Authority { host, port })
}

#[test]
fn any_good_configuration_reads_back_as_it_was_written() {
    let desk = Desk::new();
    let settings = (a_poll(), a_pressure(), a_caps(), a_policy(), an_authority());
    let settings = settings.prop_map(|(poll, pressure, caps, policy, authority)| Written {
        poll,
        pressure,
        caps,
        policy,
        authority,
    });
    holds(150, &settings, |settings| {
        let text = text(&settings, &desk.path("password"));
        desk.write("ilo-reaper.yaml", 0o644, &text);
        let loaded = desk.load().map_err(|mistakes| TestCaseError::fail(format!("{mistakes:?} in {text}")))?;
        let read = loaded.settings;
        prop_assert_eq!(read.poll, settings.poll);
        prop_assert_eq!(read.pressure, settings.pressure);
        prop_assert_eq!(read.caps, settings.caps);
        let Some(target) = read.targets.values().next() else { return Err(TestCaseError::fail("no iLO")) };
        prop_assert_eq!(target.policy.as_ref(), &settings.policy);
        prop_assert_eq!(&target.authority, &settings.authority);
        Ok(true)
    });
}

#[test]
fn an_authority_reads_back_as_it_is_shown() {
    holds(300, &an_authority(), |authority| {
        let shown = authority.to_string();
        let (host, port) = host_and_port(&shown).map_err(|why| TestCaseError::fail(format!("{shown}: {why}")))?;
        prop_assert_eq!(Authority { host, port: port.unwrap_or(443) }, authority);
        Ok(true)
    });
}
