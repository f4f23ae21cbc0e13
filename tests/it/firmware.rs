//! One daemon, every firmware: what differs is read from the answers.

use ilo_sim::{Personality, SessionSpec, UpdateState};

use crate::harness::{SCRIPT, World, story};

/// Firmware that tells when a session was last used. What an iLO 4 calls a token session no source says; here it calls
/// it as the others do.
fn ilos() -> impl Iterator<Item = Personality> {
    Personality::ALL.iter().copied().filter(|one| one.name().starts_with("ilo"))
}

fn world(personality: Personality) -> World {
    World::with(&["r1"], |spec| {
        spec.personality = personality;
        spec.rest_tag = Some(String::from("REST"));
    })
}

#[test]
fn on_every_firmware_an_orphan_goes_and_whoever_is_at_work_stays() {
    for personality in ilos() {
        story(|| async move {
            let world = world(personality);
            let orphan = world.leaked("r1", "svc-backup", 1200);
            let works = world.leaked("r1", "svc-backup", 0);
            let person = world.admit("r1", SessionSpec::web("alice", SCRIPT), 7200);
            let running = world.start();
            for _ in 0..10 {
                world.pass(60).await;
                world.sky.ilo("r1").touch(&works, world.sky.now());
            }
            assert!(!world.lives("r1", &orphan), "{personality}: {}", world.story());
            assert!(world.lives("r1", &works) && world.lives("r1", &person), "{personality}: {}", world.story());
            assert_eq!((world.logins("r1"), world.ours("r1")), (1, 1), "{personality}");
            assert!(world.heard("ilo.unreachable").is_empty(), "{personality}");
            world.stop(running).await;
            assert_eq!(world.ours("r1"), 0, "{personality}: {}", world.story());
        });
    }
}

#[test]
fn on_every_firmware_nobody_goes_while_it_is_written() {
    for personality in ilos() {
        story(|| async move {
            let world = world(personality);
            let orphan = world.leaked("r1", "svc-backup", 1200);
            world.sky.ilo("r1").set_update_state(UpdateState::Writing);
            let running = world.start();
            world.pass(300).await;
            assert!(world.lives("r1", &orphan), "{personality}: {}", world.story());
            world.sky.ilo("r1").set_update_state(UpdateState::Complete);
            world.pass(120).await;
            assert!(!world.lives("r1", &orphan), "{personality}: {}", world.story());
            world.stop(running).await;
        });
    }
}

/// A service that does not tell when a session was last used.
#[test]
fn where_nobody_tells_the_last_use_sessions_are_only_reported() {
    for personality in [Personality::Generic, Personality::OpenBmc, Personality::Mockup] {
        story(|| async move {
            let world = world(personality);
            let old = world.leaked("r1", "svc-backup", 90_000);
            let running = world.start();
            world.pass(600).await;
            assert!(world.lives("r1", &old), "{personality}: {}", world.story());
            assert!(world.heard("ilo.unreachable").is_empty(), "{personality}: {}", world.story());
            assert_eq!(world.login_requests("r1"), 1, "{personality}: {}", world.story());
            world.stop(running).await;
            assert!(world.log("r1").iter().any(|logged| logged.method == "DELETE"), "{personality}: we logged out");
        });
    }
}

/// No source says what an iLO 4 calls a session of Redfish; it may call it unknown.
#[test]
fn a_session_that_an_ilo_4_can_not_name_is_spared_and_so_is_ours_ended_at_a_stop() {
    story(|| async {
        let world = World::with(&["r1"], |spec| spec.personality = Personality::Ilo4V255);
        let orphan = world.admit("r1", SessionSpec::tagged("svc-backup", SCRIPT, "Unknown"), 1200);
        let running = world.start();
        world.pass(600).await;
        assert!(world.lives("r1", &orphan), "{}", world.story());
        world.stop(running).await;
        assert_eq!(world.ours("r1"), 0, "{}", world.story());
    });
}
