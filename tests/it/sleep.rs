//! The host sleeps, and its clock is set: what that tells of an iLO's clock, and of whoever pauses meanwhile.

use std::sync::atomic::Ordering;
use std::time::Duration;

use ilo_sim::SessionSpec;

use crate::door::lose_login;
use crate::harness::{SCRIPT, World, rule, story};
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

/// A clock that is set while the host sleeps over a question jumped all the same: how long its answer took excuses nothing.
#[test]
fn a_clock_that_is_set_while_an_answer_is_slept_for_makes_nobody_idle() {
    story(|| async {
        let world = idle_rule(600);
        let running = world.start();
        world.pass(90).await;
        let sky = world.sky.clone();
        let mut is_asleep = false;
        world.before(move |request, ilo, _| {
            if request.uri().query().is_some() && !std::mem::replace(&mut is_asleep, true) {
                sky.sleeps(3540);
                ilo.admit(sky.now(), SessionSpec::rest("alice", SCRIPT));
                ilo.set_clock_offset(3000);
                sky.sleeps(60);
            }
        });
        world.pass(300).await;
        assert!(world.heard("session.reaped").is_empty(), "{}", world.story());
        world.stop(running).await;
    });
}

/// A login would lie in a span of an hour, and whoever logs in with our account from where we are would be taken for us.
#[test]
fn no_login_follows_an_answer_that_the_host_slept_for() {
    story(|| async {
        let world = World::of(&["r1"]);
        let sky = world.sky.clone();
        let mut roots = 0;
        world.before(move |request, _, _| {
            roots += i32::from(request.uri().path() == "/redfish/v1/");
            if roots == 1 {
                sky.sleeps(3600);
                roots += 1;
            }
        });
        let running = world.start();
        world.pass(30).await;
        assert_eq!(world.login_requests("r1"), 0, "{}", world.story());
        world.pass(300).await;
        assert_eq!(world.ours("r1"), 1, "{}", world.story());
        world.stop(running).await;
    });
}

/// A virtual machine that stands still for two seconds each night, and is told the time, makes nobody suspect in the end.
#[test]
fn what_a_host_loses_bit_by_bit_is_no_jump() {
    story(|| async {
        let mut world = World::of(&["r1"]);
        world.policy(|policy| {
            policy.reap = vec![rule("old", |asked| asked.age = Some(Duration::from_secs(3600)))];
        });
        let leaked = world.leaked("r1", "svc-backup", 0);
        let running = world.start();
        for _ in 0..10 {
            world.pass(330).await;
            // What stands still does not count it, and the clock that is set does.
            world.sky.ilo("r1").set_clock_offset(2 + world.host_ahead_s.fetch_add(2, Ordering::Relaxed));
        }
        world.pass(600).await;
        assert!(!world.lives("r1", &leaked), "{}", world.story());
        world.stop(running).await;
    });
}

/// After a restart both clocks are set before anybody saw the whole table. What a part of it told is enough to see that.
#[test]
fn a_part_of_the_table_tells_how_a_clock_goes() {
    story(|| async {
        let mut world = idle_rule(600);
        let live = world.leaked("r1", "alice", 0);
        let running = world.start();
        world.pass(300).await;
        world.kill(running).await;
        let mut polls = 0;
        world.after(move |request, answer| {
            polls += i32::from(request.uri().query().is_some());
            if polls <= 2 && request.uri().query().is_some() {
                *answer.body_mut() = bytes::Bytes::from_static(br#"{"Members":[],"Members@odata.count":7}"#);
            }
            Duration::ZERO
        });
        let running = world.start();
        world.pass(90).await;
        let now = world.sky.now();
        world.sky.ilo("r1").touch(&live, now);
        world.sky.ilo("r1").set_clock_offset(3600);
        world.host_ahead_s.fetch_add(3600, Ordering::Relaxed);
        world.pass(180).await;
        assert!(world.lives("r1", &live), "{}", world.story());
        world.stop(running).await;
    });
}

/// After a restart the first answer may be long on its way. The next one is in time, and that is no jump: a login whose
/// reply was lost in between is known by its time.
#[test]
fn an_answer_in_time_after_a_slow_first_one_is_no_jump() {
    story(|| async {
        let mut world = World::of(&["r1"]);
        world.settings.poll.every = Duration::from_secs(10);
        let running = world.start();
        world.pass(130).await;
        world.stop(running).await;
        let mut is_first = true;
        world.after(move |_, _| Duration::from_secs(if std::mem::replace(&mut is_first, false) { 14 } else { 0 }));
        world.sky.ilo("r1").inject(lose_login());
        let running = world.start();
        world.pass(300).await;
        assert_eq!(world.logins("r1"), 3, "{}", world.story());
        assert_eq!(world.ours("r1"), 1, "{}", world.story());
        world.stop(running).await;
    });
}

/// A clock that was set forward while nobody ran is seen by the first answer that is in time, also where a slow one came
/// before it: whoever was used a minute ago is not idle for longer.
#[test]
fn a_slow_first_answer_hides_no_jump_from_the_next() {
    story(|| async {
        let mut world = idle_rule(100);
        world.settings.poll.every = Duration::from_secs(10);
        let running = world.start();
        world.pass(100).await;
        let live = world.leaked("r1", "alice", 0);
        world.pass(30).await;
        world.stop(running).await;
        let now = world.sky.now();
        world.sky.ilo("r1").touch(&live, now);
        world.sky.ilo("r1").set_clock_offset(28);
        let mut is_first = true;
        world.after(move |_, _| Duration::from_secs(if std::mem::replace(&mut is_first, false) { 14 } else { 0 }));
        let running = world.start();
        let mut idle_s = 0;
        while world.lives("r1", &live) && idle_s < 600 {
            world.pass(1).await;
            idle_s += 1;
        }
        assert!((100..600).contains(&idle_s), "{idle_s}: {}", world.story());
        world.stop(running).await;
    });
}
