//! Before the limit: who is told what, when, and how soon an iLO that fills is looked at again.

use ilo_reaper::event::{Event, Squeeze};
use ilo_reaper::settings::{Mode, Pressure, Room};
use ilo_sim::{SessionId, SessionSpec};
use std::time::Duration;

use crate::harness::{SCRIPT, World, rule, story};

fn squeeze(event: &Event) -> &Squeeze {
    match event {
        Event::IloNearLimit { squeeze, .. }
        | Event::IloCritical { squeeze, .. }
        | Event::IloFull { squeeze, .. }
        | Event::IloBlocked { squeeze, .. } => squeeze,
        other => panic!("{other:?}"),
    }
}

/// Sessions in use: each poll sees them used since.
async fn keep_in_use(world: &World, sessions: &[SessionId], minutes: u64) {
    for _ in 0..2 * minutes {
        for id in sessions {
            world.sky.ilo("r1").touch(id, world.sky.now());
        }
        world.pass(30).await;
    }
}

/// A burst of logins that is over at the next look is no news, whatever level it reached; one that stays is told within
/// seconds, and worse is told when it stays too.
#[test]
fn what_only_one_look_saw_wakes_nobody() {
    story(|| async {
        let mut world = World::of(&["r1"]);
        world.settings.pressure.limit = Some(10);
        let running = world.start();
        world.pass(120).await;
        let pressures = |world: &World| {
            let names = ["ilo.near_limit", "ilo.critical", "ilo.full", "ilo.blocked", "ilo.relieved"];
            names.map(|name| world.heard(name).len())
        };
        let fill = |world: &World, count: usize| -> Vec<SessionId> {
            (0..count).map(|_| world.leaked("r1", "svc-backup", 0)).collect()
        };
        for count in [7, 8, 9] {
            let burst = fill(&world, count);
            let polls = world.log("r1").len();
            while world.log("r1").len() == polls {
                world.pass(1).await;
            }
            for id in &burst {
                world.sky.ilo("r1").end(id);
            }
            world.pass(600).await;
            assert_eq!(pressures(&world), [0; 5], "{count}: {}", world.story());
        }
        fill(&world, 6);
        world.pass(60 + 16).await;
        assert_eq!(pressures(&world), [1, 0, 0, 0, 0], "{}", world.story());
        fill(&world, 3);
        world.pass(60 + 16).await;
        assert_eq!(pressures(&world), [1, 0, 1, 1, 0], "{}", world.story());
        world.stop(running).await;
    });
}

/// Whoever sweeps now and then looks once each time.
#[test]
fn what_the_first_look_sees_is_told_at_once() {
    story(|| async {
        let mut world = World::of(&["r1"]);
        world.settings.pressure.limit = Some(10);
        for _ in 0..9 {
            world.leaked("r1", "svc-backup", 0);
        }
        let running = world.start();
        while world.log("r1").len() < 3 {
            world.pass(1).await;
        }
        world.pass(1).await;
        assert_eq!((world.heard("ilo.full").len(), world.heard("ilo.blocked").len()), (1, 1), "{}", world.story());
        world.stop(running).await;
    });
}

#[test]
fn a_table_filled_by_one_script_names_it_once_then_reminds_and_is_relieved() {
    story(|| async {
        let mut world = World::of(&["r1"]);
        world.settings.pressure.limit = Some(10);
        world.targets(|target| target.mode = Mode::Observe);
        let crowd: Vec<_> = (0..5).map(|_| world.leaked("r1", "svc-backup", 5)).collect();
        let alice = world.admit("r1", SessionSpec::rest("alice", "192.0.2.7".parse().unwrap()), 5);
        let running = world.start();
        let all: Vec<_> = crowd.iter().cloned().chain([alice]).collect();
        keep_in_use(&world, &all, 50).await;
        let heard = world.heard("ilo.near_limit");
        assert_eq!(heard.len(), 1, "{}", world.story());
        let near = squeeze(&heard[0]);
        assert_eq!((near.used, near.limit, near.limit_from, near.free()), (7, 10, "configured", 3));
        assert_eq!(near.top_owner.as_ref().map(ToString::to_string).as_deref(), Some("svc-backup"));
        assert_eq!((near.top_origin, near.top), (Some(SCRIPT), 5));
        keep_in_use(&world, &all, 20).await;
        assert_eq!(world.heard("ilo.near_limit").len(), 2, "after an hour it is said again: {}", world.story());
        assert_eq!(world.heard("ilo.blocked").len(), 2, "a person must act: all of them are in use");
        for id in &crowd[..3] {
            world.sky.ilo("r1").end(id);
        }
        world.pass(420).await;
        let heard = world.heard("ilo.relieved");
        assert!(matches!(heard.as_slice(), [Event::IloRelieved { used: 4, limit: 10, .. }]), "{heard:?}");
        world.stop(running).await;
    });
}

#[test]
fn a_calm_fleet_is_quiet_but_for_the_heartbeat() {
    story(|| async {
        let world = World::of(&["r1", "r2", "r3"]);
        let used = world.leaked("r1", "alice", 5);
        let running = world.start();
        keep_in_use(&world, &[used], 120).await;
        let before = world.story();
        assert!(before.lines().all(|line| line.contains("FleetSummary")), "{before}");
        assert_eq!(before.lines().count(), 23);
        world.stop(running).await;
    });
}

#[test]
fn an_assumed_limit_warns_and_deletes_nothing() {
    story(|| async {
        let mut world = World::with(&["r1"], |spec| spec.limit = 16);
        world.policy(|policy| {
            let mut armed = rule("armed", |asked| asked.idle = Some(Duration::from_secs(1)));
            armed.conditions.when = Some(Pressure::Near);
            let mut room = rule("room", |asked| asked.idle = Some(Duration::from_secs(1)));
            room.down_to = Some(Room::Free(5));
            policy.reap = vec![armed, room];
        });
        let crowd: Vec<_> = (0..8).map(|number| world.leaked("r1", "svc-backup", 700 + number)).collect();
        world.run(600).await;
        assert!(crowd.iter().all(|id| world.lives("r1", id)), "{}", world.story());
        let heard = world.heard("ilo.critical");
        assert_eq!((squeeze(&heard[0]).limit, squeeze(&heard[0]).limit_from), (10, "assumed"));
        assert_eq!(world.heard("ilo.blocked").len(), 1);
        assert!(world.heard("ilo.full").is_empty());
    });
}

#[test]
fn a_limit_that_the_ilo_named_arms_the_rules() {
    story(|| async {
        let mut world = World::with(&["r1"], |spec| spec.limit = 8);
        world.policy(|policy| {
            let mut armed = rule("armed", |asked| asked.idle = Some(Duration::from_secs(3000)));
            armed.conditions.when = Some(Pressure::Near);
            policy.reap = vec![armed];
        });
        let crowd: Vec<_> = (0..8).map(|number| world.leaked("r1", "svc-backup", 100 + number)).collect();
        let running = world.start();
        world.pass(300).await;
        assert_eq!(world.heard("ilo.full").len(), 1, "our login was refused: {}", world.story());
        assert!(matches!(world.heard("ilo.full").as_slice(), [Event::IloRefusedUs { .. }]));
        world.sky.ilo("r1").end(&crowd[0]);
        world.pass(60).await;
        assert_eq!(world.ours("r1"), 1, "we waited in line: {}", world.story());
        assert_eq!(world.state.remembered().values().next().and_then(|memory| memory.limit_seen), Some(8));
        world.pass(4000).await;
        let left = crowd.iter().filter(|id| world.lives("r1", id)).count();
        assert_eq!(left, 2, "more than near is free: {}", world.story());
        world.stop(running).await;
    });
}

#[test]
fn waiting_in_line_is_often_enough_and_not_too_often() {
    story(|| async {
        let world = World::of(&["r1"]);
        for number in 0..10 {
            world.leaked("r1", "svc-backup", 100 + number);
        }
        let running = world.start();
        world.pass(3600).await;
        let tries = world.login_requests("r1");
        assert!((120..=180).contains(&tries), "{tries}");
        assert_eq!(world.heard("ilo.full").len(), 1, "{}", world.story());
        world.kill_only(running).await;
    });
}

#[test]
fn an_ilo_that_fills_is_looked_at_sooner_and_a_calm_one_is_not() {
    story(|| async {
        let world = World::with(&["r1", "r2"], |spec| spec.limit = 40);
        let running = world.start();
        let polls = |name: &str| world.log(name).iter().filter(|logged| logged.path.ends_with("/Sessions/")).count();
        world.pass(300).await;
        let before = (polls("r1"), polls("r2"));
        for _ in 0..10 {
            world.leaked("r1", "svc-backup", 0);
            world.pass(12).await;
        }
        let (r1, r2) = (polls("r1") - before.0, polls("r2") - before.1);
        assert!(r1 >= 8 && r2 == 2, "{r1} {r2} {}", world.story());
        assert!(r1 <= 24, "never more often than `fastest`: {r1}");
        world.pass(1200).await;
        let before = polls("r1");
        world.pass(600).await;
        assert_eq!(polls("r1") - before, 10, "it is calm again");
        world.stop(running).await;
    });
}

#[test]
fn a_would_be_victim_that_is_used_again_is_told_as_a_wrong_verdict() {
    story(|| async {
        let mut world = World::of(&["r1"]);
        world.targets(|target| target.mode = Mode::Observe);
        let paused = world.leaked("r1", "svc-nightly", 1000);
        let running = world.start();
        world.pass(300).await;
        assert_eq!(world.heard("session.would_reap").len(), 1);
        world.sky.ilo("r1").touch(&paused, world.sky.now());
        world.pass(120).await;
        let heard = world.heard("session.came_back");
        assert!(
            matches!(heard.as_slice(), [Event::SessionCameBack { rule, idle: Some(idle), .. }]
                if rule == "never-used" && idle.as_secs() >= 1300),
            "{heard:?}"
        );
        world.stop(running).await;
    });
}

#[test]
fn who_leaves_a_session_every_minute_is_named_once_a_day() {
    story(|| async {
        let world = World::with(&["r1"], |spec| spec.limit = 40);
        let running = world.start();
        for _ in 0..120 {
            world.leaked("r1", "svc-backup", 0);
            world.pass(60).await;
        }
        let heard = world.heard("leaker.found");
        assert!(
            matches!(heard.as_slice(), [Event::LeakerFound { owner, orphans: 24, ilos: 1, .. }]
                if owner.to_string() == "svc-backup"),
            "{heard:?}"
        );
        world.stop(running).await;
    });
}

#[test]
fn a_table_that_breathes_in_and_out_is_told_once() {
    story(|| async {
        let mut world = World::with(&["r1"], |spec| spec.limit = 20);
        world.settings.pressure.limit = Some(10);
        world.policy(|policy| policy.reap.clear());
        let running = world.start();
        for _ in 0..15 {
            let crowd: Vec<_> = (0..7).map(|_| world.leaked("r1", "svc-backup", 0)).collect();
            world.pass(120).await;
            for id in &crowd {
                world.sky.ilo("r1").end(id);
            }
            world.pass(120).await;
        }
        assert_eq!(world.heard("ilo.near_limit").len() + world.heard("ilo.critical").len(), 1, "{}", world.story());
        assert!(world.heard("ilo.relieved").is_empty());
        world.pass(600).await;
        assert_eq!(world.heard("ilo.relieved").len(), 1, "calm for good");
        world.stop(running).await;
    });
}
