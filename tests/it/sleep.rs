//! The host sleeps, and its clock is set: what that tells of an iLO's clock, and of whoever pauses meanwhile.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::harness::{World, rule, story};
use crate::stale::idle_rule;

const DAY_S: u64 = 86_400;

/// Whoever pauses for long will do so again, also where nobody was awake to see it, and where the iLO's clock that would
/// tell it was set meanwhile.
#[test]
fn a_pause_that_the_host_slept_through_is_as_long_as_it_was() {
    for (slept_s, offset_s) in [(DAY_S + 1800, -1000), (3600, -4500)] {
        story(|| async move {
            let world = idle_rule(600);
            let running = world.start();
            world.pass(120).await;
            let live = world.leaked("r1", "alice", 0);
            world.pass(60).await;
            // Nobody believes her times from now on.
            world.sky.ilo("r1").set_clock_offset(-1000);
            world.pass(120).await;
            world.host_sleeps(slept_s);
            world.sky.ilo("r1").set_clock_offset(offset_s);
            let now = world.sky.now();
            world.sky.ilo("r1").touch(&live, now);
            world.pass(1500).await;
            assert!(world.lives("r1", &live), "{slept_s}: {}", world.story());
            world.stop(running).await;
        });
    }
}

/// While the host sleeps, iLOs go on: their times are as good as before, and sessions grow old.
#[test]
fn a_host_that_slept_ends_whoever_is_old_by_then() {
    story(|| async {
        let mut world = World::of(&["r1"]);
        world.policy(|policy| {
            policy.reap = vec![rule("old", |asked| asked.age = Some(Duration::from_secs(3600)))];
        });
        let leaked = world.leaked("r1", "svc-backup", 60);
        let running = world.start();
        world.pass(300).await;
        world.host_sleeps(3600);
        world.pass(120).await;
        assert!(!world.lives("r1", &leaked), "{}", world.story());
        assert!(!world.heard("session.reaped").is_empty());
        world.stop(running).await;
    });
}

/// An answer that was on its way when the host fell asleep is old, and tells no jump of the clock.
#[test]
fn an_answer_from_before_the_host_slept_makes_nobody_suspect() {
    story(|| async {
        let mut world = World::of(&["r1"]);
        world.policy(|policy| {
            policy.reap = vec![rule("old", |asked| asked.age = Some(Duration::from_secs(5000)))];
        });
        let leaked = world.leaked("r1", "svc-backup", 60);
        let running = world.start();
        world.pass(90).await;
        let sky = world.sky.clone();
        let mut is_asleep = false;
        world.after(move |_, _| {
            if !std::mem::replace(&mut is_asleep, true) {
                sky.sleeps(3600);
            }
            Duration::ZERO
        });
        world.pass(1600).await;
        assert!(!world.lives("r1", &leaked), "{}", world.story());
        world.stop(running).await;
    });
}

/// Where one time server tells both, the host's clock hides nothing: against one that nobody sets both went forward, and
/// whoever was used just before looks idle for an hour.
#[test]
fn a_clock_that_is_set_together_with_the_hosts_jumped_all_the_same() {
    for ahead_s in [3600, 86_400] {
        story(|| async move {
            let world = idle_rule(600);
            let running = world.start();
            world.pass(120).await;
            let live = world.leaked("r1", "alice", 0);
            world.pass(60).await;
            world.sky.ilo("r1").set_clock_offset(ahead_s);
            world.host_ahead_s.fetch_add(ahead_s, Ordering::Relaxed);
            world.pass(300).await;
            assert!(world.lives("r1", &live), "{ahead_s}: {}", world.story());
            world.pass(600).await;
            assert!(!world.lives("r1", &live), "{ahead_s}: standing still counts: {}", world.story());
            world.stop(running).await;
        });
    }
}

/// The same backwards: lost logins of a time that comes again hold up no further one.
#[test]
fn lost_logins_hold_up_none_when_their_time_comes_again_on_both_clocks() {
    story(|| async {
        let world = World::of(&["r1"]);
        world.after(|request, _| Duration::from_secs(if request.method() == http::Method::POST { 3600 } else { 0 }));
        let running = world.start();
        world.pass(600).await;
        let lost = world.logins("r1");
        assert_eq!(lost, 2, "{}", world.story());
        world.sky.ilo("r1").set_clock_offset(-3600);
        world.host_ahead_s.fetch_add(-3600, Ordering::Relaxed);
        world.after(|_, _| Duration::ZERO);
        let others: Vec<_> = (0..8).map(|_| world.leaked("r1", "alice", 0)).collect();
        world.pass(3600).await;
        assert_eq!(world.logins("r1"), lost, "its table is full: {}", world.story());
        world.sky.ilo("r1").end(&others[0]);
        world.pass(120).await;
        assert_eq!(world.logins("r1"), lost + 1, "{}", world.story());
        world.stop(running).await;
    });
}
