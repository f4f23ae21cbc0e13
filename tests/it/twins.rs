//! Two names for one iLO: it is visited by one of them.

use std::time::Duration;

use ilo_reaper::fleet::Command;
use ilo_reaper::settings::{Fingerprint, IloName, Trust};
use ilo_sim::{Ilo, Spec};

use crate::harness::{World, story};

/// A world in which both names lead to the same iLO.
fn world() -> World {
    let mut world = World::of(&["r1", "r2"]);
    world.targets(|target| target.authority.host = String::from("r1"));
    world
}

/// The name that another has.
fn parked(world: &World) -> IloName {
    let told = world.heard("ilo.duplicate");
    told.last().and_then(|told| told.place()).unwrap().ilo.clone()
}

#[test]
fn the_second_of_two_names_makes_no_session_and_is_told() {
    story(|| async {
        let world = world();
        let orphan = world.leaked("r1", "svc-backup", 1200);
        let running = world.start();
        world.pass(3000).await;
        assert_eq!((world.logins("r1"), world.ours("r1")), (1, 1), "{}", world.story());
        assert!(!world.lives("r1", &orphan), "{}", world.story());
        assert_eq!(world.heard("ilo.duplicate").len(), 1, "{}", world.story());
        assert!(world.heard("ilo.unreachable").is_empty(), "{}", world.story());
        world.stop(running).await;
        assert_eq!(world.ours("r1"), 0);
    });
}

#[test]
fn after_a_restart_the_same_name_has_it() {
    story(|| async {
        let mut world = world();
        let running = world.start();
        world.pass(300).await;
        let second = parked(&world);
        world.kill(running).await;
        for _ in 0..3 {
            let running = world.start();
            world.pass(300).await;
            assert_eq!(parked(&world), second, "{}", world.story());
            world.kill(running).await;
        }
        assert_eq!((world.logins("r1"), world.ours("r1")), (1, 1), "{}", world.story());
    });
}

#[test]
fn the_second_takes_over_when_the_first_leaves_the_fleet_or_moves() {
    for moves in [false, true] {
        story(|| async move {
            let world = world();
            let running = world.start();
            world.pass(300).await;
            let second = parked(&world);
            let mut settings = world.settings.clone();
            if moves {
                let (_, first) = settings.targets.iter_mut().find(|(name, _)| **name != second).unwrap();
                let mut moved = ilo_reaper::settings::Target::clone(first);
                moved.authority.host = String::from("r2");
                *first = moved.into();
            } else {
                settings.targets.retain(|name, _| *name == second);
            }
            running.commands.send(Command::Replace(settings.into())).await.unwrap();
            world.pass(1200).await;
            assert_eq!((world.logins("r1"), world.ours("r1")), (2, 1), "{}", world.story());
            assert_eq!(world.ours("r2"), usize::from(moves), "{}", world.story());
            world.stop(running).await;
        });
    }
}

/// A state from before one name was found to be the other's: both hold a session.
#[test]
fn of_two_that_were_there_before_one_is_logged_out() {
    story(|| async {
        let mut world = world();
        // While nobody tells which iLO it is, they are two.
        world.after(|request, answer| {
            if request.uri().path() == "/redfish/v1/" {
                let told = String::from_utf8(answer.body().to_vec()).unwrap();
                *answer.body_mut() = told.replace("\"UUID\"", "\"Somewhat\"").into();
            }
            Duration::ZERO
        });
        let running = world.start();
        world.pass(300).await;
        assert_eq!(world.ours("r1"), 2, "{}", world.story());
        world.kill(running).await;
        world.after(|_, _| Duration::ZERO);
        // Each is asked again at its next login.
        world.sky.ilo("r1").reboot(world.sky.now());
        let running = world.start();
        world.pass(900).await;
        assert_eq!(world.ours("r1"), 1, "{}", world.story());
        world.stop(running).await;
    });
}

#[test]
fn a_placeholder_is_no_name_of_an_ilo() {
    story(|| async {
        let world = World::of(&["r1", "r2"]);
        world.after(|request, answer| {
            if request.uri().path() == "/redfish/v1/" {
                let mut told: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
                told["UUID"] = "00000000-0000-0000-0000-000000000000".into();
                *answer.body_mut() = told.to_string().into();
            }
            Duration::ZERO
        });
        world.run(300).await;
        assert_eq!((world.logins("r1"), world.logins("r2")), (1, 1), "{}", world.story());
    });
}

/// The board of one server stands where another's stood.
fn put(world: &World, seed: u64, at: &str) {
    let mut ilo = world.sky.ilo(at);
    *ilo = Ilo::new(Spec { seed, ..ilo.spec().clone() });
}

#[test]
fn boards_that_change_places_are_both_visited_soon() {
    story(|| async {
        let mut world = World::of(&["r1", "r2"]);
        let running = world.start();
        world.pass(300).await;
        let (one, two) = (world.sky.ilo("r1").spec().seed, world.sky.ilo("r2").spec().seed);
        put(&world, two, "r1");
        put(&world, one, "r2");
        world.pass(1200).await;
        assert_eq!((world.ours("r1"), world.ours("r2")), (1, 1), "{}", world.story());
        world.kill(running).await;
        let running = world.start();
        world.pass(600).await;
        assert_eq!((world.ours("r1"), world.ours("r2")), (1, 1), "{}", world.story());
        world.stop(running).await;
    });
}

#[test]
fn a_place_that_is_empty_keeps_no_board_from_another() {
    for restarts in [false, true] {
        story(|| async move {
            let mut world = World::of(&["r1", "r2"]);
            let mut running = world.start();
            world.pass(300).await;
            let moves = world.sky.ilo("r1").spec().seed;
            let empty = Spec { boot_time: Duration::from_secs(1_000_000), ..world.sky.ilo("r1").spec().clone() };
            *world.sky.ilo("r1") = Ilo::new(empty);
            world.sky.ilo("r1").reboot(world.sky.now());
            put(&world, moves, "r2");
            if restarts {
                world.kill(running).await;
                running = world.start();
            }
            world.pass(2400).await;
            assert_eq!(world.ours("r2"), 1, "{}", world.story());
            world.stop(running).await;
        });
    }
}

/// One of them repeats what the other says of itself, which anybody can read.
#[test]
fn an_ilo_that_lies_about_which_one_it_is_keeps_us_from_no_other() {
    story(|| async {
        let mut world = World::of(&["r1", "r2"]);
        world.targets(|target| {
            let byte = u8::from(target.name == IloName::new("r1"));
            target.trust = Trust::Pin(Fingerprint([byte; 32]));
        });
        let seed = world.sky.ilo("r2").spec().seed;
        put(&world, seed, "r1");
        world.run(300).await;
        assert_eq!((world.logins("r1"), world.logins("r2")), (1, 1), "{}", world.story());
        assert!(world.heard("ilo.duplicate").is_empty());
    });
}

/// The same iLO under another name: its session moves with it, and nobody is called twice.
/// `known_ilos` goes by name: nothing is sent under the new one until its line is there, nor under the old one.
#[test]
fn an_ilo_that_is_renamed_before_anybody_knows_its_new_name_keeps_no_session_of_ours() {
    for restarts in [false, true] {
        story(move || async move {
            let pin = Trust::Pin(Fingerprint([7; 32]));
            let mut world = World::of(&["r1"]);
            let trusted = pin.clone();
            world.targets(move |target| target.trust = trusted.clone());
            let mut running = world.start();
            world.pass(300).await;
            let mut settings = world.settings.clone();
            let target = settings.targets.remove(&IloName::new("r1")).unwrap();
            for trust in [Trust::Unknown, pin] {
                let mut renamed = ilo_reaper::settings::Target::clone(&target);
                (renamed.name, renamed.trust) = (IloName::new("db-1"), trust);
                settings.targets.insert(renamed.name.clone(), renamed.into());
                world.settings = settings.clone();
                if restarts {
                    world.kill(running).await;
                    running = world.start();
                } else {
                    running.commands.send(Command::Replace(settings.clone().into())).await.unwrap();
                }
                world.pass(600).await;
            }
            assert_eq!((world.logins("r1"), world.ours("r1")), (2, 1), "{restarts}: {}", world.story());
            world.stop(running).await;
            assert_eq!(world.ours("r1"), 0);
        });
    }
}

/// Two iLOs that tell one UUID are taken for one, until each is pinned: what the event says must help, also while the
/// first one goes on holding its session.
#[test]
fn two_that_are_pinned_after_all_are_both_visited() {
    story(|| async {
        let world = World::of(&["r1", "r2"]);
        let seed = world.sky.ilo("r1").spec().seed;
        put(&world, seed, "r2");
        let running = world.start();
        world.pass(300).await;
        assert_eq!(world.ours("r1") + world.ours("r2"), 1, "{}", world.story());
        let mut settings = world.settings.clone();
        for (byte, target) in (1..).zip(settings.targets.values_mut()) {
            let mut pinned = ilo_reaper::settings::Target::clone(target);
            pinned.trust = Trust::Pin(Fingerprint([byte; 32]));
            *target = pinned.into();
        }
        running.commands.send(Command::Replace(settings.into())).await.unwrap();
        world.pass(1200).await;
        assert_eq!((world.ours("r1"), world.ours("r2")), (1, 1), "{}", world.story());
        world.stop(running).await;
    });
}

#[test]
fn an_ilo_that_is_renamed_is_no_duplicate() {
    story(|| async {
        let mut world = World::of(&["r1"]);
        let running = world.start();
        world.pass(300).await;
        let mut settings = world.settings.clone();
        let target = settings.targets.remove(&IloName::new("r1")).unwrap();
        let mut renamed = ilo_reaper::settings::Target::clone(&target);
        renamed.name = IloName::new("db-1");
        settings.targets.insert(renamed.name.clone(), renamed.into());
        running.commands.send(Command::Replace(settings.clone().into())).await.unwrap();
        world.pass(600).await;
        assert_eq!((world.logins("r1"), world.ours("r1")), (2, 1), "{}", world.story());
        assert!(world.heard("ilo.duplicate").is_empty(), "{}", world.story());
        world.settings = settings;
        world.stop(running).await;
        assert_eq!(world.ours("r1"), 0);
    });
}
