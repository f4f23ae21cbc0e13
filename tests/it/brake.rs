//! The brake, and protections by hand: once they are answered, no later DELETE goes against them.

use std::time::Duration;

use http::Method;
use ilo_reaper::event::Event;
use ilo_reaper::fleet::{Denied, Granted, Wish};
use ilo_reaper::settings::{Conditions, Glob, IloName, Mode, Order, Protection, Shield};
use ilo_reaper::time::Timestamp;
use ilo_sim::SessionId;
use tokio::sync::oneshot;

use crate::harness::{BEGIN_S, Running, World, story};

type Verdict = Result<Granted, Denied>;

fn order(until_s: Option<i64>) -> Order {
    let since = Timestamp::from_unix_s(BEGIN_S.cast_signed());
    let until = until_s.map(|until_s| since.plus(Duration::from_secs(until_s.unsigned_abs())));
    Order { by: String::from("uid 0"), reason: String::from("change 4711"), since, until }
}

fn pause(until_s: Option<i64>) -> Wish {
    Wish::Pause(order(until_s))
}

fn resume() -> Wish {
    Wish::Resume(String::from("uid 1000"))
}

/// Protects what this owner has, on this iLO alone where one is named.
fn protect(owner: &str, ilo: Option<&str>, until_s: Option<i64>) -> Wish {
    let conditions = Conditions { owner: Some(vec![Glob::new(owner)]), ..Conditions::default() };
    let order = order(until_s);
    let protection = Protection { id: String::new(), conditions, until: order.until };
    Wish::Protect(Box::new(Shield { protection, ilo: ilo.map(IloName::new), session: None, order }))
}

fn protect_session(ilo: &str, session: &SessionId) -> Wish {
    let order = order(None);
    let protection = Protection { id: String::new(), conditions: Conditions::default(), until: None };
    let session = Some(ilo_reaper::session::SessionId::read(session.as_str()));
    Wish::Protect(Box::new(Shield { protection, ilo: Some(IloName::new(ilo)), session, order }))
}

/// Orders, and waits for the answer.
async fn ask(running: &Running, wish: Wish) -> Verdict {
    let (answer, heard) = oneshot::channel();
    running.commands.send(ilo_reaper::fleet::Command::Wish(wish, answer)).await.unwrap();
    heard.await.unwrap()
}

fn deletes(world: &World, ilo: &str) -> usize {
    world.log(ilo).iter().filter(|logged| logged.method == "DELETE").count()
}

/// Why the sessions that would have gone stayed.
fn because(world: &World) -> Vec<String> {
    let why = |event| match event {
        Event::SessionWouldReap { because, .. } => because,
        event => panic!("{event:?}"),
    };
    world.heard("session.would_reap").into_iter().map(why).collect()
}

/// Somebody's script pauses for ten minutes while a person's pause has no end.
#[test]
fn a_shorter_pause_does_not_end_a_longer_one() {
    story(|| async {
        let world = World::of(&["r1"]);
        let running = world.start();
        assert_eq!(ask(&running, pause(Some(600))).await, Ok(Granted::Paused(order(Some(600)))));
        assert_eq!(ask(&running, pause(None)).await, Ok(Granted::Paused(order(None))), "a longer one does");
        assert_eq!(ask(&running, pause(Some(900))).await, Ok(Granted::Paused(order(None))));
        let leaked = world.leaked("r1", "svc-backup", 1200);
        world.pass(3600).await;
        assert!(world.lives("r1", &leaked), "{}", world.story());
        assert_eq!((world.heard("daemon.paused").len(), world.heard("daemon.resumed").len()), (2, 0));
        assert_eq!(world.state.orders().pause, Some(order(None)));
        world.stop(running).await;
    });
}

#[test]
fn while_paused_nobody_goes_and_all_is_told_and_when_resumed_they_go() {
    story(|| async {
        let world = World::of(&["r1", "r2"]);
        let running = world.start();
        assert_eq!(ask(&running, pause(None)).await, Ok(Granted::Paused(order(None))));
        let leaked = [world.leaked("r1", "svc-backup", 1200), world.leaked("r2", "svc-backup", 1200)];
        world.pass(600).await;
        assert!(world.lives("r1", &leaked[0]) && world.lives("r2", &leaked[1]), "{}", world.story());
        assert_eq!((deletes(&world, "r1"), deletes(&world, "r2")), (0, 0));
        assert_eq!(because(&world), ["the daemon was paused by uid 0: change 4711"; 2]);
        assert_eq!(world.heard("daemon.paused").len(), 1);

        assert_eq!(ask(&running, resume()).await, Ok(Granted::Resumed(true)));
        world.pass(70).await;
        assert!(!world.lives("r1", &leaked[0]) && !world.lives("r2", &leaked[1]), "{}", world.story());
        let told = world.heard("daemon.resumed");
        assert!(matches!(told.as_slice(), [Event::DaemonResumed { by, reason, .. }]
            if by == "uid 1000" && reason == "change 4711"));
        assert_eq!(ask(&running, resume()).await, Ok(Granted::Resumed(false)), "it was not on");
        assert_eq!(world.heard("daemon.resumed").len(), 1);
        world.stop(running).await;
    });
}

#[test]
fn a_pause_and_a_protection_end_by_the_hosts_clock() {
    story(|| async {
        let world = World::of(&["r1"]);
        let running = world.start();
        ask(&running, pause(Some(300))).await.unwrap();
        ask(&running, protect("svc-fw", None, Some(900))).await.unwrap();
        let (backup, fw) = (world.leaked("r1", "svc-backup", 1200), world.leaked("r1", "svc-fw", 1200));
        world.pass(299).await;
        assert!(world.lives("r1", &backup) && world.heard("daemon.resumed").is_empty(), "{}", world.story());
        world.pass(2).await;
        assert!(
            matches!(world.heard("daemon.resumed").as_slice(), [Event::DaemonResumed { by, .. }] if by == "its time")
        );
        world.pass(65).await;
        assert!(!world.lives("r1", &backup) && world.lives("r1", &fw), "{}", world.story());
        world.pass(540).await;
        assert_eq!(world.heard("protection.ended").len(), 1);
        assert_eq!(world.state.orders(), ilo_reaper::settings::Orders::default(), "nothing stays on disk");
        world.pass(60).await;
        assert!(!world.lives("r1", &fw), "{}", world.story());
        world.stop(running).await;
    });
}

#[test]
fn protections_by_hand_spare_whom_they_name_and_nobody_else() {
    story(|| async {
        let world = World::of(&["r1", "r2"]);
        let running = world.start();
        let one = world.leaked("r1", "svc-fw", 1200);
        assert_eq!(
            ask(&running, protect("SVC-*", Some("r2"), None)).await,
            Ok(Granted::Protected("by-hand-1750709294".into()))
        );
        assert_eq!(
            ask(&running, protect_session("r1", &one)).await,
            Ok(Granted::Protected("by-hand-1750709294-2".into()))
        );
        let (other, there) = (world.leaked("r1", "svc-fw", 1200), world.leaked("r2", "svc-fw", 1200));
        world.pass(70).await;
        assert!(world.lives("r1", &one) && world.lives("r2", &there), "{}", world.story());
        assert!(!world.lives("r1", &other), "{}", world.story());

        let gone = || Wish::Unprotect(String::from("by-hand-1750709294-2"), String::from("uid 0"));
        assert_eq!(ask(&running, gone()).await, Ok(Granted::Unprotected));
        assert_eq!(ask(&running, gone()).await, Err(Denied::Unknown(String::from("by-hand-1750709294-2"))));
        world.pass(70).await;
        assert!(!world.lives("r1", &one) && world.lives("r2", &there), "{}", world.story());
        assert_eq!((world.heard("protection.added").len(), world.heard("protection.ended").len()), (2, 1));
        world.stop(running).await;
    });
}

/// At the look, at the last moment before the DELETE, and while the DELETE is on its way.
#[test]
fn after_the_answer_no_delete_arrives_whenever_the_order_came() {
    for (wish, is_pause) in [(pause(None), true), (protect("svc-backup", None, None), false)] {
        for (method, end) in [(Method::GET, "UpdateService/"), (Method::GET, "Sessions/"), (Method::DELETE, "")] {
            let wish = wish.clone();
            story(|| async move {
                let world = World::of(&["r1"]);
                let leaked = world.leaked("r1", "svc-backup", 1200);
                let running = world.start();
                let (answer, mut heard) = oneshot::channel();
                let (commands, mut order) = (running.commands.clone(), Some((wish, answer)));
                let asked = method.clone();
                world.before(move |request, _, _| {
                    let path = request.uri().path();
                    if *request.method() == asked
                        && path.ends_with(end)
                        && let Some((wish, answer)) = order.take()
                    {
                        commands.try_send(ilo_reaper::fleet::Command::Wish(wish, answer)).unwrap();
                    }
                });
                let verdict = loop {
                    world.pass_ms(1).await;
                    match heard.try_recv() {
                        Ok(verdict) => break verdict,
                        Err(error) => assert_eq!(error, oneshot::error::TryRecvError::Empty),
                    }
                };
                verdict.unwrap();
                let before = deletes(&world, "r1");
                assert_eq!(before, usize::from(method == Method::DELETE), "{}", world.story());
                world.pass(600).await;
                assert_eq!(deletes(&world, "r1"), before, "{}", world.story());
                assert_eq!(world.lives("r1", &leaked), method != Method::DELETE);
                if is_pause && method != Method::DELETE {
                    assert!(because(&world).len() <= 1, "once");
                }
                world.kill_only(running).await;
            });
        }
    }
}

/// A DELETE that takes long on its way is over before the answer comes.
#[test]
fn the_answer_waits_for_a_delete_that_was_allowed_before() {
    story(|| async {
        let world = World::of(&["r1"]);
        world.leaked("r1", "svc-backup", 1200);
        let running = world.start();
        world.after(|request, _| Duration::from_secs(if request.method() == Method::DELETE { 9 } else { 0 }));
        while deletes(&world, "r1") == 0 {
            world.pass_ms(10).await;
        }
        let began = tokio::time::Instant::now();
        ask(&running, pause(None)).await.unwrap();
        assert_eq!(began.elapsed().as_secs(), 8, "as long as the iLO took to answer");
        world.kill_only(running).await;
    });
}

#[test]
fn what_was_answered_survives_a_kill_at_any_commit() {
    for (is_before, wish) in
        [true, false].into_iter().flat_map(|before| [(before, pause(None)), (before, protect("svc-*", None, None))])
    {
        story(|| async move {
            let mut world = World::of(&["r1"]);
            let running = world.start();
            world.pass(70).await;
            ask(&running, wish.clone()).await.unwrap();
            world.kill(running).await;
            // Whoever logs in just after a kill is judged by standing still alone.
            world.pass(600).await;
            let leaked = world.leaked("r1", "svc-backup", 0);
            let running = world.start();
            world.pass(1100).await;
            assert!(world.lives("r1", &leaked), "{}", world.story());

            // The kill comes at the commit that takes it back: it was not answered, and either way is right, as long as
            // the state and what is done agree.
            if is_before {
                world.state.crash_before_next_commit();
            } else {
                world.state.crash_after_next_commit();
            }
            let (answer, mut heard) = oneshot::channel();
            let back = match &wish {
                Wish::Pause(_) => resume(),
                _ => Wish::Unprotect(String::from("by-hand-1750709294"), String::from("uid 0")),
            };
            running.commands.send(ilo_reaper::fleet::Command::Wish(back, answer)).await.unwrap();
            world.pass(200).await;
            assert!(heard.try_recv().is_err() && world.lives("r1", &leaked), "nobody heard of it: {}", world.story());
            world.kill(running).await;
            let running = world.start();
            world.pass(200).await;
            assert_eq!(world.lives("r1", &leaked), is_before, "{}", world.story());
            world.stop(running).await;
        });
    }
}

/// What holds back is in force even where it can't be kept; what lets go is not.
#[test]
fn an_order_that_cannot_be_written_says_so_and_errs_on_the_side_of_the_living() {
    story(|| async {
        let world = World::of(&["r1"]);
        let running = world.start();
        world.pass(70).await;
        world.state.fail(true);
        assert!(matches!(ask(&running, pause(None)).await, Err(Denied::OnlyInForce(_))));
        world.state.fail(false);
        let leaked = world.leaked("r1", "svc-backup", 0);
        world.pass(1100).await;
        assert!(world.lives("r1", &leaked) && because(&world).len() == 1, "{}", world.story());
        assert_eq!(world.state.orders().pause, None);
        ask(&running, pause(None)).await.unwrap();
        world.state.fail(true);
        assert!(matches!(ask(&running, resume()).await, Err(Denied::NotWritten(_))));
        world.state.fail(false);
        world.pass(200).await;
        assert!(world.lives("r1", &leaked), "{}", world.story());
        ask(&running, protect("svc-backup", None, None)).await.unwrap();
        ask(&running, resume()).await.unwrap();
        world.state.fail(true);
        let unprotect = Wish::Unprotect(String::from("by-hand-1750709294"), String::from("uid 0"));
        assert!(matches!(ask(&running, unprotect.clone()).await, Err(Denied::NotWritten(_))));
        world.state.fail(false);
        world.pass(200).await;
        assert!(world.lives("r1", &leaked), "{}", world.story());
        assert_eq!(world.heard("state.unwritable").len(), 3);
        ask(&running, unprotect).await.unwrap();
        world.pass(70).await;
        assert!(!world.lives("r1", &leaked), "{}", world.story());
        world.stop(running).await;
    });
}

/// The end of a pause that can't be written is no reason to stay, and none to try without end.
#[test]
fn an_end_that_cannot_be_written_is_an_end_all_the_same() {
    story(|| async {
        let world = World::of(&["r1"]);
        let running = world.start();
        ask(&running, pause(Some(100))).await.unwrap();
        world.state.fail(true);
        world.pass(101).await;
        assert_eq!(world.heard("daemon.resumed").len(), 1);
        world.state.fail(false);
        let leaked = world.leaked("r1", "svc-backup", 0);
        world.pass(1100).await;
        assert!(!world.lives("r1", &leaked), "{}", world.story());
        world.stop(running).await;
    });
}

#[test]
fn resume_ends_the_observing_after_a_lost_state() {
    story(|| async {
        let mut world = World::of(&["r1"]);
        world.observing = Some(String::from("the state was lost"));
        let leaked = world.leaked("r1", "svc-backup", 1200);
        let running = world.start();
        world.pass(100).await;
        assert!(world.lives("r1", &leaked));
        assert_eq!(because(&world), ["the state was lost"]);
        assert_eq!(ask(&running, resume()).await, Ok(Granted::Resumed(true)));
        world.pass(70).await;
        assert!(!world.lives("r1", &leaked), "{}", world.story());
        world.stop(running).await;
    });
}

/// A configuration that comes meanwhile changes nothing about what was ordered.
#[test]
fn a_reload_keeps_orders_and_orders_keep_a_reload() {
    story(|| async {
        let mut world = World::of(&["r1"]);
        let running = world.start();
        world.pass(70).await;
        world.state.slow(Duration::from_secs(20));
        let (answer, heard) = oneshot::channel();
        running.commands.send(ilo_reaper::fleet::Command::Wish(pause(None), answer)).await.unwrap();
        world.targets(|target| target.mode = Mode::Observe);
        let observing = world.settings.clone();
        running.commands.send(ilo_reaper::fleet::Command::Replace(observing.into())).await.unwrap();
        heard.await.unwrap().unwrap();
        world.state.slow(Duration::ZERO);
        ask(&running, resume()).await.unwrap();
        let leaked = world.leaked("r1", "svc-backup", 0);
        world.pass(1100).await;
        assert!(world.lives("r1", &leaked), "{}", world.story());
        assert_eq!(because(&world), ["deleting is off here"]);
        world.stop(running).await;
    });
}
