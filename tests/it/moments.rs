//! The same thing at any moment of a visit, in steps shorter than one exchange: whenever it comes, somebody's
//! live session stays, and one session of ours is left, or none after a stop.

use std::sync::Arc;

use ilo_reaper::fleet::Command;
use ilo_reaper::settings::{Authority, IloName, Mode, Target};
use ilo_sim::{Effect, SessionId};

use crate::harness::{OURS, Running, World, story};

/// A visit with a login and one deletion takes seven exchanges of 20 ms.
const STEPS: u64 = 24;

/// A world with somebody's live session and one that nobody uses, shortly before its first request.
async fn before_first_visit() -> (World, SessionId, Running) {
    let mut world = World::of(&["r1", "r2"]);
    world.settings.targets.remove(&IloName::new("r2"));
    let live = world.leaked("r1", "alice", 3600);
    world.sky.ilo("r1").touch(&live, world.sky.now());
    world.leaked("r1", "svc-backup", 1200);
    let running = world.start();
    while world.log("r1").is_empty() {
        world.pass_ms(1).await;
    }
    (world, live, running)
}

fn deletions(world: &World) -> usize {
    let others = |effect: &Effect| matches!(effect, Effect::Ended { owner, .. } if owner != OURS);
    world.log("r1").iter().filter(|logged| logged.effect.as_ref().is_some_and(others)).count()
}

fn at_each_moment<F: Future<Output = ()>>(tell: impl Fn(World, SessionId, Running, u64) -> F) {
    for step in 0..STEPS {
        story(|| async {
            let (world, live, running) = before_first_visit().await;
            world.pass_ms(7 * step).await;
            tell(world, live, running, step).await;
        });
    }
}

#[test]
fn a_kill_at_any_moment_leaves_one_session() {
    at_each_moment(|mut world, live, running, step| async move {
        world.kill(running).await;
        let running = world.start();
        world.pass(200).await;
        assert_eq!(world.ours("r1"), 1, "{step}: {}", world.story());
        world.stop(running).await;
        assert_eq!((world.ours("r1"), deletions(&world)), (0, 1), "{step}: {}", world.story());
        assert!(world.lives("r1", &live), "{step}");
    });
}

#[test]
fn a_stop_at_any_moment_leaves_none() {
    at_each_moment(|world, live, running, step| async move {
        let before = deletions(&world);
        world.stop(running).await;
        assert_eq!(world.ours("r1"), 0, "{step}: {}", world.story());
        assert!(deletions(&world) <= before + 1 && world.lives("r1", &live), "{step}");
        let recorded = world.state.records().iter().filter(|(_, settled)| settled.is_some()).count();
        assert!(recorded >= deletions(&world), "{step}");
    });
}

#[test]
fn a_state_that_fails_at_any_moment_is_made_up_for() {
    at_each_moment(|mut world, live, running, step| async move {
        world.state.fail(true);
        world.pass(150).await;
        world.kill(running).await;
        let running = world.start();
        world.pass(900).await;
        assert_eq!(world.ours("r1"), 1, "{step}: {}", world.story());
        world.stop(running).await;
        assert_eq!(world.ours("r1"), 0, "{step}");
        assert!(world.lives("r1", &live), "{step}");
        assert!(world.state.records().len() >= deletions(&world), "{step}: a deletion that is not on record");
    });
}

#[test]
fn an_ilo_that_is_taken_out_and_put_back_at_any_moment_has_one_session() {
    at_each_moment(|world, live, running, step| async move {
        let mut without = world.settings.clone();
        without.targets.clear();
        running.commands.send(Command::Replace(without.into())).await.unwrap();
        world.pass_ms(30).await;
        running.commands.send(Command::Replace(world.settings.clone().into())).await.unwrap();
        world.pass(300).await;
        assert_eq!(world.ours("r1"), 1, "{step}: {}", world.story());
        world.stop(running).await;
        assert_eq!(world.ours("r1"), 0, "{step}: {}", world.story());
        assert!(world.lives("r1", &live), "{step}");
    });
}

#[test]
fn an_address_or_a_mode_that_changes_at_any_moment_ends_nobody_more() {
    at_each_moment(|world, live, running, step| async move {
        let mut moved = world.settings.clone();
        let target = moved.targets.get_mut(&IloName::new("r1")).unwrap();
        let authority = Authority { host: String::from("r2"), port: 443 };
        *target = Arc::new(Target { authority, mode: Mode::Observe, ..Target::clone(target) });
        let before = deletions(&world);
        running.commands.send(Command::Replace(moved.into())).await.unwrap();
        world.pass(300).await;
        assert_eq!((world.ours("r1"), world.ours("r2")), (0, 1), "{step}: {}", world.story());
        assert!(deletions(&world) <= before + 1 && world.lives("r1", &live), "{step}");
        assert!(world.log("r2").iter().all(|logged| logged.status != Some(401)), "{step}: a token of r1 came to r2");
        world.stop(running).await;
    });
}
