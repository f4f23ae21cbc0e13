//! Visits that somebody asks the loop for, and waits for: what `list` and `sweep` do beside a daemon that runs.

use std::time::Duration;

use ilo_reaper::fleet::{Asked, Command, Round};
use ilo_reaper::settings::{IloName, Mode};
use ilo_reaper::visit::{Fate, MayEnd, Visit, VisitError};
use tokio::sync::oneshot;

use crate::harness::{BREAKS, Running, World, credential, story};

async fn ask(running: &Running, ilos: &[&str], may_end: MayEnd) -> oneshot::Receiver<Round> {
    let (answer, seen) = oneshot::channel();
    let ilos = ilos.iter().map(|name| IloName::new(name)).collect();
    running.commands.send(Command::Visit(Asked { ilos, may_end }, answer)).await.unwrap();
    seen
}

fn visit(round: &Round, name: &str) -> Visit {
    round[&IloName::new(name)].clone().unwrap()
}

fn names(round: &Round) -> Vec<&str> {
    round.keys().map(IloName::as_str).collect()
}

fn polls(world: &World, ilo: &str) -> usize {
    let is_poll = |path: &str| path.split('?').next().is_some_and(|path| path.ends_with("/Sessions/"));
    world.log(ilo).iter().filter(|logged| logged.method == "GET" && is_poll(&logged.path)).count()
}

fn deletes(world: &World, ilo: &str) -> usize {
    world.log(ilo).iter().filter(|logged| logged.method == "DELETE").count()
}

/// Every iLO of the fleet is visited once an hour, so that whatever happens sooner was asked for.
fn calm(names: &[&str], mode: Mode) -> World {
    let mut world = World::of(names);
    world.settings.poll.every = Duration::from_secs(3600);
    world.targets(|target| target.mode = mode);
    world
}

#[test]
fn a_look_shows_who_would_go_and_ends_nobody_also_in_mode_enforce() {
    story(|| async {
        let world = calm(&["r1", "r2"], Mode::Enforce);
        let running = world.start();
        let leaked = world.leaked("r1", "svc-backup", 1200);
        let seen = ask(&running, &["r1"], MayEnd::No).await.await.unwrap();
        assert_eq!(names(&seen), ["r1"]);
        let look = visit(&seen, "r1");
        assert_eq!(look.plan.doomed().len(), 1);
        assert!(look.fates.is_empty() && world.lives("r1", &leaked) && deletes(&world, "r1") == 0);
        assert!(world.heard("session.would_reap").is_empty(), "its mode is enforce");
        assert_eq!((polls(&world, "r1"), polls(&world, "r2")), (1, 0));
        // And what it does by itself goes on.
        world.pass(7200).await;
        assert!(!world.lives("r1", &leaked), "{}", world.story());
        world.stop(running).await;
    });
}

/// What a look does not end, no cap holds back; and what one holds back is told once, however many look meanwhile.
#[test]
fn a_look_tells_of_no_deletion_that_a_cap_held_back() {
    story(|| async {
        let mut world = calm(&["r1"], Mode::Enforce);
        (world.settings.caps.per_visit, world.settings.caps.share_of_seen_percent) = (1, 100);
        let running = world.start();
        for age_s in [1200, 1300, 1400] {
            world.leaked("r1", "svc-backup", age_s);
        }
        let looks = async || {
            let seen = ask(&running, &["r1"], MayEnd::No).await.await.unwrap();
            visit(&seen, "r1").held_back.len()
        };
        assert_eq!((looks().await, world.heard("reap.capped").len()), (2, 0), "{}", world.story());
        for left in [1, 0] {
            ask(&running, &["r1"], MayEnd::InMode).await.await.unwrap();
            assert_eq!(looks().await, left);
        }
        assert_eq!(
            (world.heard("reap.capped").len(), world.heard("session.reaped").len()),
            (1, 2),
            "{}",
            world.story()
        );
        world.stop(running).await;
    });
}

#[test]
fn a_person_may_end_in_mode_observe_and_nothing_else_is_let_go_for_it() {
    story(|| async {
        let world = calm(&["r1"], Mode::Observe);
        let running = world.start();
        let (leaked, live) = (world.leaked("r1", "svc-backup", 1200), world.leaked("r1", "alice", 10));
        let seen = ask(&running, &["r1"], MayEnd::InMode).await.await.unwrap();
        assert_eq!((visit(&seen, "r1").mode, deletes(&world, "r1")), (Mode::Observe, 0));
        let seen = ask(&running, &["r1"], MayEnd::InAnyMode).await.await.unwrap();
        assert!(matches!(visit(&seen, "r1").fates[..], [(_, Fate::Gone(_))]), "{seen:?}");
        assert!(!world.lives("r1", &leaked) && world.lives("r1", &live), "{}", world.story());
        assert_eq!((world.state.records().len(), world.heard("session.reaped").len()), (1, 1));
        // It was meant for that visit alone.
        let second = world.leaked("r1", "svc-backup", 1200);
        world.pass(7200).await;
        assert!(world.lives("r1", &second), "{}", world.story());
        assert_eq!(world.logins("r1"), 1);
        world.stop(running).await;
    });
}

#[test]
fn a_lost_state_holds_a_person_back_too() {
    story(|| async {
        let mut world = calm(&["r1"], Mode::Enforce);
        world.observing = Some(String::from("the state was lost"));
        let running = world.start();
        let leaked = world.leaked("r1", "svc-backup", 1200);
        let seen = ask(&running, &["r1"], MayEnd::InAnyMode).await.await.unwrap();
        assert_eq!(visit(&seen, "r1").because.as_deref(), Some("the state was lost"));
        assert!(world.lives("r1", &leaked) && deletes(&world, "r1") == 0);
        world.stop(running).await;
    });
}

/// Two ask for an iLO that is being visited: both get a visit that began after they asked, one after the other.
#[test]
fn who_asks_during_a_visit_gets_the_next_one() {
    story(|| async {
        let world = calm(&["r1"], Mode::Enforce);
        let running = world.start();
        world.after(|_, _| Duration::from_millis(600));
        let first = ask(&running, &["r1"], MayEnd::No).await;
        world.pass(1).await;
        let [second, third] = [ask(&running, &["r1"], MayEnd::InMode).await, ask(&running, &["r1"], MayEnd::No).await];
        let late = world.leaked("r1", "svc-backup", 1200);
        let first = first.await.unwrap();
        assert_eq!(visit(&first, "r1").seen.sessions.len(), 2, "the login came first, and then the look");
        assert!(matches!(visit(&second.await.unwrap(), "r1").fates[..], [(_, Fate::Gone(_))]));
        assert!(visit(&third.await.unwrap(), "r1").plan.doomed().is_empty());
        assert!(!world.lives("r1", &late));
        assert_eq!((polls(&world, "r1"), world.sky.most_at_once()), (3, 1), "{}", world.story());
        world.stop(running).await;
    });
}

#[test]
fn a_session_that_turns_out_to_be_lost_costs_one_visit_more() {
    story(|| async {
        let world = calm(&["r1"], Mode::Enforce);
        let running = world.start();
        ask(&running, &["r1"], MayEnd::No).await.await.unwrap();
        let now = world.sky.now();
        world.sky.ilo("r1").reboot(now);
        let seen = ask(&running, &["r1"], MayEnd::No).await.await.unwrap();
        assert_eq!(visit(&seen, "r1").seen.sessions.len(), 1, "{}", world.story());
        assert_eq!(world.logins("r1"), 2);
        world.stop(running).await;
    });
}

/// What keeps the loop from a visit keeps a person from it too, and they are told at once.
#[test]
fn what_can_not_be_visited_is_told() {
    story(|| async {
        let all = ["r1", "r2", "r3", "r4", "r5", "r6"];
        let mut world = calm(&all, Mode::Enforce);
        world.targets(|target| target.credential = credential("wrong"));
        world.settings.poll.visits_at_once = 1;
        let running = world.start();
        let asked = [&all[..], &["r7"]].concat();
        let seen = ask(&running, &asked, MayEnd::No).await.await.unwrap();
        assert_eq!(names(&seen), all, "whom the configuration does not name is left out");
        let error = |name: &str| seen[&IloName::new(name)].as_ref().err().cloned();
        assert!(matches!(error("r1"), Some(VisitError::Denied(_))), "{seen:?}");
        assert_eq!(error("r6"), Some(VisitError::NoLoginNow), "a password that several rejected is not tried on");
        world.stop(running).await;

        let world = calm(&["r1"], Mode::Enforce);
        let running = world.start();
        world.after(|_, _| BREAKS);
        for _ in 0..2 {
            let seen = ask(&running, &["r1"], MayEnd::No).await.await.unwrap();
            let error = seen[&IloName::new("r1")].as_ref().unwrap_err().to_string();
            assert!(error.contains("this is a bug of ilo-reaper"), "{error}");
        }
        world.stop(running).await;
    });
}

/// Nobody waits for ever: not for an iLO that leaves the fleet, and not for a loop that stops.
#[test]
fn a_round_ends_with_what_was_seen_by_then() {
    story(|| async {
        let mut world = calm(&["r1", "r2", "r3"], Mode::Enforce);
        world.settings.poll.visits_at_once = 1;
        let running = world.start();
        world.after(|_, _| Duration::from_secs(5));
        let round = ask(&running, &["r1", "r2", "r3"], MayEnd::No).await;
        world.pass(5).await;
        world.settings.targets.remove(&IloName::new("r3"));
        running.commands.send(Command::Replace(std::sync::Arc::new(world.settings.clone()))).await.unwrap();
        assert_eq!(names(&round.await.unwrap()), ["r1", "r2"]);

        let round = ask(&running, &["r1", "r2"], MayEnd::No).await;
        world.pass(6).await;
        world.stop(running).await;
        assert_eq!(names(&round.await.unwrap()), ["r1"]);
    });
}

/// What a person may is over when that person is gone, as after Ctrl-C.
#[test]
fn whoever_asked_and_is_gone_ends_nobody_in_mode_observe() {
    story(|| async {
        let mut world = calm(&["r1", "r2", "r3"], Mode::Observe);
        world.settings.poll.visits_at_once = 1;
        let running = world.start();
        let leaked = ["r1", "r2", "r3"].map(|name| world.leaked(name, "svc-backup", 1200));
        world.after(|_, _| Duration::from_millis(600));
        let asked = ask(&running, &["r1", "r2", "r3"], MayEnd::InAnyMode).await;
        world.pass(1).await;
        drop(asked);
        world.pass(60).await;
        let lives = ["r1", "r2", "r3"].map(|name| leaked.iter().any(|id| world.lives(name, id)));
        assert_eq!(lives, [false, true, true], "the visit under way ends as it began: {}", world.story());
        world.stop(running).await;
    });
}
