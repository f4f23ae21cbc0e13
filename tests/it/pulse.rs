//! The loop's beats, which feed the watchdog: withheld by what is stuck, never by what is slow.

use std::time::Duration;

use http::Method;
use ilo_reaper::fleet::Beat;
use ilo_sim::{Fault, FaultKind, Matcher};

use crate::harness::{World, story};

/// When it beat, in seconds since the story began.
fn beats(world: &World) -> Vec<u64> {
    world.beats.lock().unwrap().iter().map(|(at, _)| at.as_secs()).collect()
}

fn watched(names: &[&str]) -> World {
    let mut world = World::of(names);
    world.watched = Some(Duration::from_secs(20));
    world
}

/// The longest that nobody heard of the loop, up to now.
fn longest_silence(world: &World) -> u64 {
    let mut beats = beats(world);
    beats.push(world.now().as_secs());
    beats.windows(2).map(|two| two[1] - two[0]).max().unwrap()
}

#[test]
fn the_loop_beats_from_its_first_turn_on_whatever_its_ilos_do() {
    story(|| async {
        let world = watched(&["r1", "r2", "r3"]);
        let on = |method: Method| Matcher::new(method, "/redfish/v1/");
        for _ in 0..1000 {
            world.sky.ilo("r1").inject(Fault { on: on(Method::GET), what: FaultKind::Hang });
        }
        // Each answer but one comes just in time, so that a visit takes as long as it can.
        world.after(|_, _| Duration::from_secs(14));
        let running = world.start();
        world.pass(3600).await;
        assert_eq!(beats(&world)[0], 0);
        assert!(longest_silence(&world) <= 20, "{:?}", beats(&world));
        world.stop(running).await;
    });
}

/// Wrong passwords of others make each login wait: a patient one is slow and not stuck.
#[test]
fn a_login_that_the_ilo_delays_is_no_stuck_visit() {
    story(|| async {
        let mut world = watched(&["r1"]);
        world.settings.poll.visit_timeout = Duration::from_secs(20);
        let guess = |world: &World| {
            let now = world.sky.now();
            for _ in 0..20 {
                let body = bytes::Bytes::from_static(b"{\"UserName\":\"alice\",\"Password\":\"guess\"}");
                let request = http::Request::post("/redfish/v1/SessionService/Sessions/").body(body).unwrap();
                world.sky.ilo("r1").handle(now, crate::harness::SCRIPT, &request);
            }
        };
        guess(&world);
        let running = world.start();
        world.pass(1800).await;
        assert!(longest_silence(&world) <= 20, "{:?} {}", beats(&world), world.story());
        world.kill_only(running).await;
    });
}

#[test]
fn a_visit_that_is_older_than_it_can_be_withholds_the_beat() {
    story(|| async {
        let world = watched(&["r1", "r2"]);
        let running = world.start();
        world.pass(100).await;
        assert!(longest_silence(&world) <= 20);
        // The thread that writes the state hangs, and with it the visit that writes a record.
        world.state.slow(Duration::from_secs(100_000));
        let hung = world.now().as_secs();
        world.sky.ilo("r1").reboot(world.sky.now());
        world.pass(1000).await;
        let last = *beats(&world).last().unwrap();
        assert!((hung + 120..=hung + 220).contains(&last), "two minutes and ten seconds after the visit began: {last}");
        world.kill_only(running).await;
    });
}

#[test]
fn a_clean_stop_says_how_long_it_may_still_take() {
    story(|| async {
        let world = watched(&["r1"]);
        let running = world.start();
        world.pass(100).await;
        let on = Matcher::new(Method::DELETE, "/redfish/v1/");
        world.sky.ilo("r1").inject(Fault { on, what: FaultKind::Hang });
        let before = beats(&world).len();
        world.stop(running).await;
        let beats = world.beats.lock().unwrap();
        let left: Vec<u64> = beats[before..]
            .iter()
            .map(|(_, beat)| match beat {
                Beat::Stopping(left) => left.as_secs(),
                Beat::Turned => panic!("it stops"),
            })
            .collect();
        assert!(left.len() >= 2 && left.iter().is_sorted_by(|one, next| one > next) && left[0] <= 40, "{left:?}");
    });
}
