//! What was seen long ago, or in part, or on a clock that is no more, proves nothing.

use std::time::Duration;

use bytes::Bytes;
use ilo_sim::SessionId;

use crate::harness::{World, rule, story};

fn idle_rule(asked_s: u64) -> World {
    let mut world = World::of(&["r1"]);
    world.policy(|policy| {
        policy.reap = vec![rule("idle", |asked| asked.idle = Some(Duration::from_secs(asked_s)))];
    });
    world
}

/// Cuts the answer to the `number`-th poll from now on.
fn cut_poll(world: &World, number: usize) {
    let mut polls = 0;
    world.after(move |request, answer| {
        if request.method() == http::Method::GET && request.uri().path().ends_with("/Sessions/") {
            polls += 1;
            if polls == number {
                *answer.body_mut() = Bytes::from_static(br#"{"Members":[],"Members@odata.count":7}"#);
            }
        }
        Duration::ZERO
    });
}

/// A clock jumps, and just the poll that sees it, or one after it, shows only a part of the table.
#[test]
fn a_jump_of_the_clock_is_not_forgotten_over_a_poll_that_was_cut() {
    for cut in [1, 2, 3] {
        story(|| async move {
            let world = idle_rule(600);
            let live = world.leaked("r1", "alice", 100);
            let running = world.start();
            world.pass(61).await;
            world.sky.ilo("r1").touch(&live, world.sky.now());
            world.sky.ilo("r1").set_clock_offset(86_400);
            cut_poll(&world, cut);
            world.pass(500).await;
            assert!(world.lives("r1", &live), "{cut}: {}", world.story());
            world.kill_only(running).await;
        });
    }
}

fn is_look(request: &http::Request<Bytes>, id: &SessionId) -> bool {
    request.method() == http::Method::GET && request.uri().path().contains(id.as_str())
}

/// From look to DELETE, by the iLO's own log: a look whose answer was long on its way proves nothing.
#[test]
fn a_look_that_took_long_ends_nobody() {
    story(|| async {
        let world = World::of(&["r1"]);
        let back = world.leaked("r1", "svc-backup", 1200);
        let id = back.clone();
        world.after(move |request, _| if is_look(request, &id) { Duration::from_secs(10) } else { Duration::ZERO });
        world.run(300).await;
        assert!(world.lives("r1", &back), "{}", world.story());
        assert!(!world.heard("session.spared").is_empty());
    });
}

#[test]
fn a_look_that_took_a_while_still_counts() {
    story(|| async {
        let world = World::of(&["r1"]);
        let leaked = world.leaked("r1", "svc-backup", 1200);
        let id = leaked.clone();
        world.after(move |request, _| if is_look(request, &id) { Duration::from_millis(900) } else { Duration::ZERO });
        world.run(120).await;
        assert!(!world.lives("r1", &leaked), "{}", world.story());
    });
}
