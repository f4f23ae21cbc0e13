//! The law: leak rate × the shortest idle time a rule asks for must stay below the free places. Scripts leak at
//! four rates into tables of three sizes, under two policies and under none.
//!
//! `ILO_REAPER_LEAK_HOURS` makes it longer (1); with `--nocapture` the figures are printed.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use ilo_reaper::settings::{Glob, Policy, Pressure, Room};
use ilo_sim::{Effect, SessionId, SessionSpec};

use crate::harness::{OURS, SCRIPT, World, rule, story};

const MINUTE_S: u64 = 60;
const STEP_S: u64 = 5;

/// The policy `busy` of the example configuration.
fn busy() -> Policy {
    let seconds = |count| Some(Duration::from_secs(count));
    let scripts = || Some(vec![Glob::new("svc-*"), Glob::new("ansible")]);
    let superseded = rule("superseded", |asked| (asked.superseded, asked.idle) = (true, seconds(300)));
    let mut burst = rule("burst", |asked| {
        (asked.owner, asked.superseded, asked.idle) = (scripts(), true, seconds(30));
    });
    burst.keep_latest = Some(3);
    let mut filling_up = rule("filling-up", |asked| {
        (asked.owner, asked.idle, asked.when) = (scripts(), seconds(300), Some(Pressure::Near));
    });
    filling_up.down_to = Some(Room::Free(5));
    let mut last_resort = rule("last-resort", |asked| {
        (asked.superseded, asked.idle, asked.when) = (true, seconds(60), Some(Pressure::Critical));
    });
    last_resort.down_to = Some(Room::Free(3));
    Policy { name: String::from("busy"), protect: Vec::new(), reap: vec![superseded, burst, filling_up, last_resort] }
}

/// Who guards.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Guard {
    Nobody,
    BuiltIn,
    Busy,
}

impl Guard {
    /// The shortest idle time for which it lets a superseded session of a script go.
    fn shortest_idle_s(self) -> u64 {
        match self {
            Self::Nobody => u64::MAX / 100,
            Self::BuiltIn => 180,
            Self::Busy => 30,
        }
    }
}

/// What came of one combination.
#[derive(Debug, Default)]
struct Figures {
    locked_out_s: u64,
    refused: u64,
    live_ended: usize,
    requests: usize,
    events: usize,
    /// When the first warning and the first refusal came.
    warned_at_s: Option<u64>,
    refused_at_s: Option<u64>,
}

/// One table, one rate, one guard. A script leaks; an exporter and a person work in one session each.
async fn leak(per_minute: u64, limit: usize, guard: Guard, hours: u64) -> Figures {
    let mut world = World::with(&["r1"], |spec| {
        spec.limit = limit;
        spec.session_timeout_min = 30;
    });
    world.settings.pressure.limit = Some(limit);
    if guard == Guard::Busy {
        world.policy(|policy| *policy = busy());
    }
    let exporter = world.admit("r1", SessionSpec::rest("svc-metrics", IpAddr::from([192, 0, 2, 7])), 0);
    let person = world.admit("r1", SessionSpec::web("alice", IpAddr::from([192, 0, 2, 8])), 0);
    let running = (guard != Guard::Nobody).then(|| world.start());
    let mut figures = Figures::default();
    // The daemon has its door before the script begins.
    world.pass(2 * MINUTE_S).await;
    let mut leaks_due = 0.0;
    for step in 0..hours * 3600 / STEP_S {
        let now_s = step * STEP_S;
        leaks_due += f64::from(u32::try_from(per_minute * STEP_S).unwrap()) / 60.0;
        while leaks_due >= 1.0 {
            leaks_due -= 1.0;
            if !log_in(&world) {
                figures.refused += 1;
                figures.refused_at_s.get_or_insert(now_s);
            }
        }
        for id in [&exporter, &person] {
            world.sky.ilo("r1").touch(id, world.sky.now());
        }
        let used = world.sky.ilo("r1").sessions(world.sky.now()).count();
        figures.locked_out_s += if used >= limit { STEP_S } else { 0 };
        count(&world, &mut figures, now_s, [&exporter, &person]);
        world.pass(STEP_S).await;
    }
    figures.live_ended += [&exporter, &person].iter().filter(|id| !world.lives("r1", id)).count();
    if let Some(running) = running {
        world.stop(running).await;
    }
    figures
}

fn log_in(world: &World) -> bool {
    let body = bytes::Bytes::from_static(br#"{"UserName":"svc-backup","Password":"secret123"}"#);
    let request = http::Request::post("/redfish/v1/SessionService/Sessions/").body(body).unwrap();
    let now = world.sky.now();
    world.sky.ilo("r1").handle(now, SCRIPT, &request).response.status() == 201
}

/// Takes the iLO's and our own log in, and empties them.
fn count(world: &World, figures: &mut Figures, now_s: u64, live: [&SessionId; 2]) {
    for logged in world.sky.ilo("r1").take_log() {
        figures.requests += usize::from(logged.peer != SCRIPT);
        if let Some(Effect::Ended { id, by, .. }) = &logged.effect
            && by == OURS
        {
            figures.live_ended += usize::from(live.contains(&id));
        }
    }
    for name in world.take_heard() {
        figures.events += 1;
        if ["ilo.near_limit", "ilo.critical", "ilo.full", "ilo.blocked"].contains(&name) {
            figures.warned_at_s.get_or_insert(now_s);
        }
    }
}

#[test]
fn who_can_win_wins_and_who_can_not_is_warned_before_the_first_refusal() {
    let hours = std::env::var("ILO_REAPER_LEAK_HOURS").map_or(1, |hours| hours.parse().expect("hours"));
    let head = "leaks/min  limit  guard     locked out min  refused  live ended  requests/h  events/day  won by law\n";
    let mut table = String::from(head);
    for per_minute in [1, 6, 20, 60] {
        for limit in [8, 10, 20] {
            for guard in [Guard::Nobody, Guard::BuiltIn, Guard::Busy] {
                story(|| async {
                    let figures = leak(per_minute, limit, guard, hours).await;
                    judge(&mut table, &figures, per_minute, limit, guard, hours);
                });
            }
        }
    }
    eprintln!("{table}");
}

fn judge(table: &mut String, figures: &Figures, per_minute: u64, limit: usize, guard: Guard, hours: u64) {
    let caps = ilo_reaper::settings::Caps::default();
    // Three places are taken by the exporter, the person and us; and a calm table is looked at once a minute.
    let free = u64::try_from(limit).unwrap() - 3;
    let piled_up = (per_minute * guard.shortest_idle_s().saturating_add(MINUTE_S)).div_ceil(60).max(3) + 1;
    let can_win =
        guard != Guard::Nobody && piled_up < free && per_minute <= u64::try_from(caps.per_ilo_minute).unwrap();
    let row = writeln!(
        table,
        "{per_minute:>9}  {limit:>5}  {guard:<8?}  {:>14}  {:>7}  {:>10}  {:>10}  {:>10}  {can_win}",
        figures.locked_out_s / 60,
        figures.refused,
        figures.live_ended,
        figures.requests as u64 / hours,
        figures.events as u64 * 24 / hours,
    );
    row.unwrap();
    assert_eq!(figures.live_ended, 0, "{figures:?}");
    match guard {
        Guard::Nobody => assert!(figures.refused > 0, "the table fills by itself: {figures:?}"),
        _ if can_win => assert_eq!((figures.refused, figures.locked_out_s), (0, 0), "{figures:?}"),
        _ => {
            // A table that fills within one calm poll is seen full; else people hear of it before.
            let seen_late_s = if free * 60 > 2 * per_minute * 60 { 0 } else { 60 };
            if let Some(refused_at_s) = figures.refused_at_s {
                let in_time = figures.warned_at_s.is_some_and(|warned_at_s| warned_at_s <= refused_at_s + seen_late_s);
                assert!(in_time, "{figures:?}");
            }
        }
    }
}
