//! The same iLO under another name, or at another address: what its clock did is not forgotten.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ilo_reaper::fleet::Command;
use ilo_reaper::settings::{IloName, Settings, Target};
use ilo_reaper::state::State;
use ilo_sim::{Fault, FaultKind, Ilo, Matcher, SessionId, SessionSpec, Spec};

use crate::harness::{OURS, Running, US, World, rule, story};

/// How the configuration changes.
#[derive(Clone, Copy, Debug)]
enum Change {
    Name,
    Address,
    Both,
}

impl Change {
    /// The settings in which `r1` is called, or found, otherwise.
    fn of(self, before: &Settings) -> Settings {
        let mut settings = before.clone();
        let mut target = Target::clone(&settings.targets.remove(&IloName::new("r1")).unwrap());
        if !matches!(self, Self::Address) {
            target.name = IloName::new("db-1");
        }
        place(self).clone_into(&mut target.authority.host);
        settings.targets.insert(target.name.clone(), Arc::new(target));
        settings
    }
}

/// An iLO `r1`, and the place `r2` where it may be found later.
fn world() -> World {
    let mut world = World::of(&["r1", "r2"]);
    world.policy(|policy| {
        policy.reap = vec![rule("idle", |asked| asked.idle = Some(Duration::from_secs(600)))];
    });
    world.settings.targets.remove(&IloName::new("r2"));
    world
}

/// Puts another configuration in force, also while we are down.
async fn change(world: &mut World, running: Running, how: Change, is_killed: bool) -> Running {
    let settings = how.of(&world.settings);
    if place(how) == "r2" {
        let moved = world.sky.ilo("r1").clone();
        let nobody = Spec { boot_time: Duration::from_secs(1_000_000), ..moved.spec().clone() };
        *world.sky.ilo("r2") = moved;
        *world.sky.ilo("r1") = Ilo::new(nobody);
        world.sky.ilo("r1").reboot(world.sky.now());
    }
    world.settings = settings.clone();
    if is_killed {
        world.kill(running).await;
        return world.start();
    }
    running.commands.send(Command::Replace(settings.into())).await.unwrap();
    running
}

fn place(how: Change) -> &'static str {
    match how {
        Change::Name => "r1",
        Change::Address | Change::Both => "r2",
    }
}

async fn lives_under_another_name(logs_in: impl Fn(&World) -> SessionId, seen_s: u64) {
    for how in [Change::Name, Change::Address, Change::Both] {
        for is_killed in [false, true] {
            let mut world = world();
            let running = world.start();
            world.pass(700).await;
            let live = logs_in(&world);
            world.pass(seen_s).await;
            let running = change(&mut world, running, how, is_killed).await;
            world.pass(500).await;
            assert!(world.lives(place(how), &live), "{how:?} {is_killed}: {}", world.story());
            world.pass(400).await;
            assert!(!world.lives(place(how), &live), "standing still counts: {}", world.story());
            world.stop(running).await;
            assert_eq!(world.ours(place(how)), 0, "{how:?} {is_killed}: {}", world.story());
        }
    }
}

/// Whoever logged in by a wrong clock, and was seen to, before the name changed.
#[test]
fn whoever_is_of_another_clock_is_so_under_another_name() {
    story(|| async {
        let logs_in = |world: &World| {
            world.sky.ilo("r1").set_clock_offset(-7200);
            let live = world.leaked("r1", "alice", 0);
            world.sky.ilo("r1").set_clock_offset(0);
            live
        };
        lives_under_another_name(logs_in, 61).await;
    });
}

/// Whoever is on when a clock jumps, just when the name changes.
#[test]
fn a_jump_is_seen_under_another_name() {
    story(|| async {
        let logs_in = |world: &World| {
            let live = world.leaked("r1", "alice", 0);
            world.sky.ilo("r1").set_clock_offset(86_400);
            live
        };
        lives_under_another_name(logs_in, 0).await;
    });
}

/// Renamed twice within a minute, and back after a while: the name that it had before remembers less than the one in
/// between.
#[test]
fn whoever_is_of_another_clock_is_so_after_two_renames_and_under_the_first_name_again() {
    for (back_after_s, behind_s) in [(60, 300), (3600, 7200)] {
        story(|| async move {
            let world = world();
            let running = world.start();
            world.pass(700).await;
            let settings = |name: &str| {
                let mut settings = world.settings.clone();
                let mut target = Target::clone(&settings.targets.remove(&IloName::new("r1")).unwrap());
                target.name = IloName::new(name);
                settings.targets.insert(target.name.clone(), Arc::new(target));
                Command::Replace(Arc::new(settings))
            };
            let logs_in = || {
                world.sky.ilo("r1").set_clock_offset(-behind_s);
                let live = world.leaked("r1", "alice", 0);
                world.sky.ilo("r1").set_clock_offset(0);
                live
            };
            let first = logs_in();
            world.pass(61).await;
            running.commands.send(settings("db-1")).await.unwrap();
            world.pass(1).await;
            running.commands.send(settings("db-2")).await.unwrap();
            world.pass(200).await;
            assert!(world.lives("r1", &first), "twice: {}", world.story());
            world.pass(back_after_s).await;
            let second = logs_in();
            world.pass(61).await;
            running.commands.send(settings("r1")).await.unwrap();
            world.pass(400).await;
            assert!(world.lives("r1", &second), "and back: {}", world.story());
            assert_eq!(world.ours("r1"), 1, "{}", world.story());
            world.stop(running).await;
        });
    }
}

/// A session of ours that was named once, and ended where the iLO was before it is found at its next address, or before
/// another name gets it: when we logged in explains nobody who uses our account any more.
#[test]
fn a_session_that_was_ended_before_a_move_explains_nobody_after_it() {
    for is_renamed in [false, true] {
        story(move || async move {
            let mut world = world();
            let nobody = Spec { boot_time: Duration::from_secs(1_000_000), ..world.sky.ilo("r1").spec().clone() };
            *world.sky.ilo("r2") = Ilo::new(nobody);
            world.sky.ilo("r2").reboot(world.sky.now());
            let is_blind = world.is_blind_and_names_once();
            let running = world.start();
            while world.logins("r1") == 0 {
                world.pass(1).await;
            }
            let twin = world.sky.ilo("r1").admit(world.sky.now(), SessionSpec::rest(OURS, US));
            world.pass(30).await;
            let renamed = Change::Name.of(&world.settings);
            world.settings = Change::Address.of(&world.settings);
            if is_renamed {
                world.settings.targets.extend(renamed.targets);
            }
            is_blind.store(!is_renamed, Ordering::Relaxed);
            running.commands.send(Command::Replace(world.settings.clone().into())).await.unwrap();
            world.pass(100).await;
            if !is_renamed {
                assert_eq!((world.logins("r1"), world.ours("r1")), (1, 1), "{}", world.story());
                is_blind.store(false, Ordering::Relaxed);
                let moved = world.sky.ilo("r1").clone();
                *world.sky.ilo("r2") = moved;
            }
            let place = if is_renamed { "r1" } else { "r2" };
            world.pass(900).await;
            assert!(world.lives(place, &twin), "{}", world.story());
            world.stop(running).await;
            assert!(world.lives(place, &twin), "{}", world.story());
        });
    }
}

/// A login is lost, and somebody uses our account in the same second. Under its next name the iLO shows both, so that neither
/// is proven; then ours times out. What the name before remembers of it is done with, also after a restart.
#[test]
fn a_lost_login_that_was_done_with_is_so_after_a_restart_under_another_name() {
    story(|| async {
        let mut world = world();
        let is_blind = Arc::new(AtomicBool::new(true));
        let blind = Arc::clone(&is_blind);
        world.after(move |request, answer| {
            let is_look = request.uri().path().ends_with("/Sessions/") && request.method() == http::Method::GET;
            if is_look && blind.load(Ordering::Relaxed) {
                *answer.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
            }
            Duration::ZERO
        });
        let path = "/redfish/v1/SessionService/Sessions/";
        let on = Matcher::new(http::Method::POST, path);
        world.sky.ilo("r1").inject(Fault { on, what: FaultKind::LoseReply });
        let running = world.start();
        while world.ours("r1") == 0 {
            world.pass(1).await;
        }
        let now = world.sky.now();
        let lost = world.sky.ilo("r1").sessions(now).map(|session| session.id.clone()).collect::<Vec<_>>();
        let twin = world.sky.ilo("r1").admit(now, SessionSpec::rest(OURS, US));
        world.pass(200).await;
        world.settings = Change::Name.of(&world.settings);
        running.commands.send(Command::Replace(world.settings.clone().into())).await.unwrap();
        world.pass(5).await;
        is_blind.store(false, Ordering::Relaxed);
        world.pass(300).await;
        assert!(lost.len() == 1 && world.lives("r1", &lost[0]) && world.lives("r1", &twin), "{}", world.story());
        world.sky.ilo("r1").end(&lost[0]);
        world.stop(running).await;
        let running = world.start();
        world.pass(400).await;
        assert!(world.lives("r1", &twin), "{}", world.story());
        world.stop(running).await;
        assert!(world.lives("r1", &twin), "{}", world.story());
    });
}

/// Another board with more places comes to the address, perhaps with a new name: the limit of the one before says nothing.
#[test]
fn another_board_has_not_the_limit_of_the_one_before() {
    for is_renamed in [false, true] {
        story(|| async move {
            let mut world = world();
            world.run(100).await;
            // As after a login that a table of eight refused.
            let mut memory = world.state.remembered()[&IloName::new("r1")].clone();
            memory.limit_seen = Some(8);
            world.state.save(&IloName::new("r1"), &memory).await.unwrap();
            let board = Spec { seed: 77, limit: 24, ..world.sky.ilo("r1").spec().clone() };
            *world.sky.ilo("r1") = Ilo::new(board);
            if is_renamed {
                world.settings = Change::Name.of(&world.settings);
            }
            let running = world.start();
            world.pass(100).await;
            for _ in 0..8 {
                world.leaked("r1", "alice", 0);
            }
            world.pass(300).await;
            assert!(world.heard("ilo.full").is_empty(), "{is_renamed}: {}", world.story());
            world.stop(running).await;
        });
    }
}
