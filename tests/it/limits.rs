//! Passwords, sick iLOs, and not doing everything at once.

use std::time::Duration;

use ilo_reaper::event::{Cause, Event};
use ilo_reaper::fleet::Command;
use ilo_reaper::settings::IloName;
use ilo_sim::{Fault, FaultKind, Matcher};

use crate::harness::{OURS, World, credential, other_credential, story};

fn fleet_of(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("r{number:04}")).collect()
}

#[test]
fn a_wrong_password_is_tried_once_and_then_after_growing_waits() {
    story(|| async {
        let mut world = World::of(&["r1"]);
        world.targets(|target| target.credential = credential("wrong"));
        let running = world.start();
        let mut tries = Vec::new();
        for minutes in [5, 10, 25, 45, 90] {
            world.pass(minutes * 60).await;
            tries.push(world.login_requests("r1"));
        }
        assert_eq!(tries, [1, 2, 3, 4, 5], "{}", world.story());
        assert_eq!(world.heard("ilo.login_rejected").len(), 5);
        world.stop(running).await;
    });
}

#[test]
fn a_thousand_ilos_with_one_wrong_password_see_three_tries_in_all() {
    story(|| async {
        let names = fleet_of(1000);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut world = World::of(&names);
        world.targets(|target| target.credential = credential("wrong"));
        let running = world.start();
        world.pass(590).await;
        let tries = |world: &World| names.iter().map(|name| world.login_requests(name)).sum::<usize>();
        assert_eq!(tries(&world), 3);
        let heard = world.heard("credential.suspended");
        assert!(matches!(heard.as_slice(), [Event::CredentialSuspended { rejected_by, .. }] if rejected_by.len() == 3));

        world.targets(|target| target.credential = credential("right"));
        running.commands.send(Command::Replace(world.settings.clone().into())).await.unwrap();
        world.pass(1300).await;
        assert_eq!(
            names.iter().map(|name| world.ours(name)).sum::<usize>(),
            1000,
            "a configuration that changed is tried"
        );
        world.stop(running).await;
        assert_eq!(names.iter().map(|name| world.ours(name)).sum::<usize>(), 0);
    });
}

/// People are told of the end of a suspension too, when an iLO accepts the new password, however long that takes.
#[test]
fn the_end_of_a_suspension_is_told_when_a_new_password_is_accepted() {
    story(|| async {
        let mut world = World::of(&["r1", "r2", "r3"]);
        world.targets(|target| target.credential = credential("wrong"));
        let running = world.start();
        world.pass(590).await;
        assert_eq!(world.heard("credential.suspended").len(), 1, "{}", world.story());
        world.network_is_down(true);
        world.targets(|target| target.credential = credential("right"));
        running.commands.send(Command::Replace(world.settings.clone().into())).await.unwrap();
        world.pass(2 * 3600).await;
        assert_eq!(world.heard("credential.restored").len(), 0, "{}", world.story());
        assert_eq!(world.heard("credential.suspended").len(), 1, "nobody rejected the new one: {}", world.story());
        world.network_is_down(false);
        world.pass(1200).await;
        assert_eq!(world.heard("credential.restored").len(), 1, "{}", world.story());
        world.stop(running).await;
    });
}

/// Somebody who takes a change back wants the password of before tried, whatever became of it.
#[test]
fn a_password_that_is_set_once_more_is_tried_at_once() {
    story(|| async {
        let mut world = World::of(&["r1"]);
        world.targets(|target| target.credential = credential("later"));
        let running = world.start();
        world.pass(100).await;
        assert_eq!(world.heard("ilo.login_rejected").len(), 1, "{}", world.story());
        world.sky.ilo("r1").set_password(OURS, "later");
        for password in ["another", "later"] {
            world.targets(|target| target.credential = credential(password));
            running.commands.send(Command::Replace(world.settings.clone().into())).await.unwrap();
        }
        world.pass(100).await;
        assert_eq!(world.ours("r1"), 1, "{}", world.story());
        world.stop(running).await;
    });
}

#[test]
fn held_sessions_go_on_while_a_password_is_suspended() {
    story(|| async {
        let world = World::of(&["r1", "r2", "r3", "r4", "r5"]);
        let running = world.start();
        world.pass(120).await;
        for name in ["r1", "r2", "r3"] {
            let now = world.sky.now();
            let mut ilo = world.sky.ilo(name);
            ilo.set_password(OURS, "changed");
            ilo.reboot(now);
        }
        let leaked = world.leaked("r4", "svc-backup", 0);
        world.pass(2000).await;
        assert!(!world.lives("r4", &leaked), "{}", world.story());
        assert_eq!((world.logins("r4"), world.logins("r5")), (1, 1));
        world.stop(running).await;
    });
}

/// Whoever asks for a login before it tells who it is can't be guarded, and that is told.
#[test]
fn an_ilo_whose_root_asks_for_a_login_is_out_of_reach() {
    story(|| async {
        let world = World::of(&["r1"]);
        world.after(|request, answer| {
            if request.uri().path() == "/redfish/v1/" {
                *answer.status_mut() = http::StatusCode::UNAUTHORIZED;
            }
            Duration::ZERO
        });
        let running = world.start();
        world.pass(900).await;
        assert_eq!(world.heard("ilo.unreachable").len(), 1, "{}", world.story());
        assert_eq!(world.logins("r1"), 0, "{}", world.story());
        world.stop(running).await;
    });
}

/// After a restart most of the fleet goes on with the sessions of before, and only one iLO shows that the password works.
#[test]
fn a_password_that_is_changed_on_many_after_a_restart_is_tried_three_times() {
    story(|| async {
        let names = ["r1", "r2", "r3", "r4", "r5", "r6"];
        let mut world = World::of(&names);
        world.settings.on_stop = ilo_reaper::settings::OnStop::Keep;
        world.run(120).await;
        world.state = world.state.restarted();
        let now = world.sky.now();
        world.sky.ilo("r1").reboot(now);
        let running = world.start();
        world.pass(120).await;
        assert_eq!((world.logins("r1"), world.logins("r2")), (2, 1));
        for name in &names[1..] {
            let now = world.sky.now();
            let mut ilo = world.sky.ilo(name);
            ilo.set_password(OURS, "changed");
            ilo.reboot(now);
        }
        world.pass(500).await;
        let tries: usize = names[1..].iter().map(|name| world.login_requests(name) - 1).sum();
        assert_eq!(tries, 3, "{}", world.story());
        assert_eq!(world.heard("credential.suspended").len(), 1);
        world.stop(running).await;
    });
}

/// What lasts is told again each hour, so that alerts which follow the log last as long: a network that is down, a password
/// that is rejected, a disk that is full.
#[test]
fn trouble_that_lasts_is_told_again_each_hour() {
    story(|| async {
        let mut world = World::of(&["r1", "r2", "r3", "r4"]);
        world.targets(|target| {
            if target.name != IloName::new("r4") {
                target.credential = other_credential("wrong", OURS, "wrong");
            }
        });
        world.settings.poll.exchange_timeout = Duration::from_secs(5);
        let running = world.start();
        world.pass(300).await;
        assert_eq!(world.heard("credential.suspended").len(), 1, "{}", world.story());
        world.state.fail(true);
        world.sky.ilo("r4").set_clock_offset(600);
        world.pass(6 * 3600 - 600).await;
        assert_eq!(world.heard("credential.suspended").len(), 6, "{}", world.story());
        assert_eq!(world.heard("state.unwritable").len(), 6, "{}", world.story());
        world.state.fail(false);
        world.network_is_down(true);
        world.pass(6 * 3600).await;
        assert_eq!(world.heard("state.unwritable").len(), 6, "{}", world.story());
        let is_r4 = |event: &&Event| event.place().is_some_and(|at| at.ilo == IloName::new("r4"));
        let unreachable = world.heard("ilo.unreachable").iter().filter(is_r4).count();
        assert_eq!(unreachable, 6, "at the first visit after an hour: {}", world.story());
        world.network_is_down(false);
        world.pass(1200).await;
        assert_eq!(world.heard("ilo.reachable").iter().filter(is_r4).count(), 1, "{}", world.story());
        world.stop(running).await;
    });
}

#[test]
fn an_ilo_that_does_not_answer_is_told_after_three_visits_and_once() {
    story(|| async {
        let world = World::of(&["r1", "r2"]);
        for _ in 0..6 {
            world.sky.ilo("r1").inject(Fault { on: Matcher::any(), what: FaultKind::Hang });
        }
        let running = world.start();
        world.pass(130).await;
        assert!(world.heard("ilo.unreachable").is_empty());
        world.pass(3600).await;
        let heard = world.heard("ilo.unreachable");
        assert!(matches!(heard.as_slice(), [Event::IloUnreachable { cause: Cause::Timeout, .. }]), "{heard:?}");
        assert_eq!(world.heard("ilo.reachable").len(), 1);
        world.stop(running).await;
    });
}

/// Nobody is ended where not all is seen, and nothing tells how full it is. Somebody must know that this iLO is on its own.
#[test]
fn an_ilo_that_never_shows_its_whole_table_is_told() {
    story(|| async {
        let world = World::of(&["r1"]);
        let leaked = world.leaked("r1", "svc-backup", 1200);
        let is_cut = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
        let cut = std::sync::Arc::clone(&is_cut);
        world.after(move |request, answer| {
            let is_poll = request.method() == http::Method::GET && request.uri().path().ends_with("/Sessions/");
            if is_poll && cut.load(std::sync::atomic::Ordering::Relaxed) {
                let mut told: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
                told["Members@odata.nextLink"] = "/redfish/v1/SessionService/Sessions?$skip=50".into();
                *answer.body_mut() = told.to_string().into();
            }
            Duration::ZERO
        });
        let running = world.start();
        world.pass(110).await;
        assert!(world.heard("ilo.unreachable").is_empty(), "{}", world.story());
        world.pass(600).await;
        let heard = world.heard("ilo.unreachable");
        let [Event::IloUnreachable { cause: Cause::Nonsense, detail, .. }] = heard.as_slice() else {
            panic!("{heard:?}")
        };
        assert!(detail.contains("not all of its table is seen"), "{detail}");
        let (asked, survey) = tokio::sync::oneshot::channel();
        running.commands.send(Command::Survey(asked)).await.unwrap();
        assert_eq!(survey.await.unwrap().ilos[0].is_up(), Some(false));
        assert!(world.lives("r1", &leaked));
        is_cut.store(false, std::sync::atomic::Ordering::Relaxed);
        world.pass(130).await;
        assert!(!world.lives("r1", &leaked) && world.heard("ilo.reachable").len() == 1, "{}", world.story());
        world.stop(running).await;
    });
}

#[test]
fn the_dead_delay_nobody() {
    story(|| async {
        let names = fleet_of(400);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let world = World::of(&names);
        let running = world.start();
        world.pass(120).await;
        for name in &names[..120] {
            for _ in 0..1000 {
                world.sky.ilo(name).inject(Fault { on: Matcher::any(), what: FaultKind::Hang });
            }
        }
        world.pass(1800).await;
        for name in &names[120..] {
            let polls = world.log(name).iter().filter(|logged| logged.path.ends_with("/Sessions/")).count();
            assert!(polls >= 30, "{name}: {polls}");
        }
        let heard = world.heard("ilo.unreachable");
        let together: usize =
            heard.iter().map(|event| if let Event::Many { ilos, .. } = event { *ilos } else { 0 }).sum();
        let singly = heard.iter().filter(|event| matches!(event, Event::IloUnreachable { .. })).count();
        assert_eq!(singly + together, 120, "one cause that hits many: {}", world.story());
        assert!(heard.len() <= 25, "{} events", heard.len());
        world.stop(running).await;
    });
}

#[test]
fn a_full_table_is_told_and_entered_when_a_place_is_free() {
    story(|| async {
        let world = World::of(&["r1"]);
        let crowd: Vec<_> = (0..10).map(|number| world.leaked("r1", "svc-backup", 2000 + number)).collect();
        let running = world.start();
        world.pass(120).await;
        assert_eq!(world.heard("ilo.full").len(), 1, "{}", world.story());
        assert_eq!(world.ours("r1"), 0);
        world.pass(190).await;
        let heard = world.heard("fleet.summary");
        assert!(matches!(heard.as_slice(), [Event::FleetSummary(summary)] if summary.full == 1), "{heard:?}");
        world.sky.ilo("r1").end(&crowd[0]);
        world.pass(1300).await;
        assert_eq!(world.ours("r1"), 1, "{}", world.story());
        assert!(
            crowd.iter().filter(|id| world.lives("r1", id)).count() <= 1,
            "and the crowd is gone, but for the newest"
        );
        world.stop(running).await;
    });
}

/// Somebody resets an iLO whose table is full. Who was called because of that is told that it is over.
#[test]
fn a_full_table_that_is_empty_after_a_reset_is_told_to_be_relieved() {
    story(|| async {
        let world = World::of(&["r1"]);
        for number in 0..10 {
            world.leaked("r1", "svc-backup", number);
        }
        let running = world.start();
        world.pass(120).await;
        assert_eq!(world.heard("ilo.full").len(), 1, "{}", world.story());
        let now = world.sky.now();
        world.sky.ilo("r1").reboot(now);
        world.network_is_down(true);
        world.pass(40).await;
        world.network_is_down(false);
        world.pass(360).await;
        assert!(world.heard("ilo.relieved").is_empty(), "it may breathe: {}", world.story());
        world.pass(200).await;
        assert_eq!(world.heard("ilo.relieved").len(), 1, "{}", world.story());
        world.pass(3000).await;
        assert_eq!((world.heard("ilo.relieved").len(), world.heard("ilo.full").len()), (1, 1));
        world.stop(running).await;
    });
}

#[test]
fn the_heartbeat_counts_the_fleet() {
    story(|| async {
        let world = World::of(&["r1", "r2"]);
        world.leaked("r1", "svc-backup", 1200);
        world.sky.ilo("r2").inject(Fault { on: Matcher::any(), what: FaultKind::Hang });
        world.run(301).await;
        let heard = world.heard("fleet.summary");
        let [Event::FleetSummary(summary)] = heard.as_slice() else { panic!("{heard:?}") };
        assert_eq!((summary.ilos, summary.reaped, summary.late, summary.unreachable), (2, 1, 0, 0));
        assert!((8..=10).contains(&summary.visited), "{summary:?}");
    });
}

/// Rule 5 of the design: a state that was lost starts in observe.
#[test]
fn after_a_lost_state_nothing_is_deleted_whatever_the_mode() {
    story(|| async {
        let mut world = World::of(&["r1"]);
        world.observing = Some(String::from("the state was lost"));
        let leaked = world.leaked("r1", "svc-backup", 1200);
        world.run(600).await;
        assert!(world.lives("r1", &leaked));
        assert_eq!(world.heard("session.would_reap").len(), 1, "{}", world.story());
    });
}

#[test]
fn an_ilo_that_asks_for_time_is_left_alone_for_it() {
    story(|| async {
        let world = World::of(&["r1"]);
        let running = world.start();
        world.pass(90).await;
        let busy =
            http::Response::builder().status(503).header("Retry-After", "500").body(bytes::Bytes::new()).unwrap();
        world.sky.ilo("r1").inject(Fault { on: Matcher::any(), what: FaultKind::Answer(busy) });
        while world.log("r1").last().is_none_or(|logged| logged.status != Some(503)) {
            world.pass(1).await;
        }
        let before = world.log("r1").len();
        world.pass(490).await;
        assert_eq!(world.log("r1").len(), before, "{}", world.story());
        world.pass(130).await;
        assert!(world.log("r1").len() > before);
        world.stop(running).await;
    });
}

/// A login that must wait longer than a visit may take is not sent.
#[test]
fn others_wrong_passwords_neither_make_us_lose_a_login_nor_keep_us_out() {
    story(|| async {
        let world = World::of(&["r1"]);
        for _ in 0..14 {
            let body = bytes::Bytes::from_static(br#"{"UserName":"alice","Password":"wrong"}"#);
            let path = "/redfish/v1/SessionService/Sessions/";
            let request = http::Request::post(path).header("Content-Type", "application/json").body(body).unwrap();
            let now = world.sky.now();
            world.sky.ilo("r1").handle(now, crate::harness::SCRIPT, &request);
        }
        assert_eq!(world.login_requests("r1"), 14);
        let running = world.start();
        world.pass(600).await;
        // On its second visit, on a place of the sick, it waits as long as the iLO makes everybody wait.
        assert_eq!((world.login_requests("r1"), world.ours("r1")), (15, 1), "{}", world.story());
        world.stop(running).await;
    });
}

/// A bug in a visit harms one iLO, and leaves it alone.
#[test]
fn a_visit_that_breaks_is_told_and_its_ilo_left_alone() {
    story(|| async {
        let world = World::of(&["r1", "r2"]);
        let running = world.start();
        world.pass(90).await;
        let broken = std::sync::Arc::new(std::sync::Mutex::new(None));
        let victim = std::sync::Arc::clone(&broken);
        let mut first = true;
        world.after(move |_, _| if std::mem::take(&mut first) { crate::harness::BREAKS } else { Duration::default() });
        world.before(move |_, ilo, _| {
            victim.lock().unwrap().get_or_insert_with(|| ilo.spec().name.clone());
        });
        world.pass(61).await;
        let name = broken.lock().unwrap().clone().unwrap();
        let (asked, other) = (world.log(&name).len(), if name == "r1" { "r2" } else { "r1" });
        let others = world.log(other).len();
        assert_eq!(world.heard("visit.broken").len(), 1, "{}", world.story());
        world.pass(3600).await;
        assert_eq!(world.log(&name).len(), asked);
        assert!(world.log(other).len() > others + 50);
        world.stop(running).await;
        assert_eq!(world.ours(other), 0);
    });
}

/// `share_of_seen`: half of those who are not ours, rounded down, and at least one.
#[test]
fn no_visit_ends_more_than_a_share_of_what_it_saw() {
    for (leaked, gone) in [(1, 1), (3, 1), (6, 3)] {
        story(|| async move {
            let mut world = World::of(&["r1"]);
            world.policy(|policy| {
                let idle = |asked: &mut ilo_reaper::settings::Conditions| {
                    asked.idle = Some(Duration::from_secs(600));
                };
                policy.reap = vec![crate::harness::rule("idle", idle)];
            });
            for number in 0..leaked {
                world.leaked("r1", "svc-backup", 1200 + number);
            }
            let running = world.start();
            world.pass(60).await;
            assert_eq!(world.heard("session.reaped").len(), gone, "{leaked}: {}", world.story());
            world.kill_only(running).await;
        });
    }
}

#[test]
fn one_ilo_tries_a_password_before_all_others() {
    story(|| async {
        let names = fleet_of(50);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let world = World::of(&names);
        world.after(|request, _| Duration::from_secs(if request.method() == http::Method::POST { 8 } else { 0 }));
        let running = world.start();
        let tries = |world: &World| names.iter().map(|name| world.login_requests(name)).sum::<usize>();
        while tries(&world) == 0 {
            world.pass(1).await;
        }
        world.pass(6).await;
        assert_eq!(tries(&world), 1, "{}", world.story());
        world.pass(600).await;
        assert_eq!(names.iter().map(|name| world.ours(name)).sum::<usize>(), 50);
        world.stop(running).await;
    });
}

#[test]
fn visits_at_once_are_bounded_and_the_sick_share_a_quarter() {
    story(|| async {
        let names = fleet_of(60);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut world = World::of(&names);
        world.settings.poll.visits_at_once = 8;
        let running = world.start();
        world.pass(120).await;
        for name in &names {
            for _ in 0..1000 {
                world.sky.ilo(name).inject(Fault { on: Matcher::any(), what: FaultKind::Hang });
            }
        }
        world.sky.most_at_once();
        world.pass(200).await;
        assert_eq!(world.sky.most_at_once(), 8);
        world.pass(1200).await;
        assert_eq!(world.sky.most_at_once(), 2, "all are sick by now");
        world.kill_only(running).await;
    });
}

/// A daemon that is killed again and again knows the same bounds.
#[test]
fn a_kill_does_not_fill_the_budget_of_the_minute() {
    story(|| async {
        let mut world = World::of(&["r1"]);
        world.settings.caps.per_minute = 2;
        let leaked: Vec<_> = (0..8).map(|number| world.leaked("r1", "svc-backup", 2000 + number)).collect();
        let gone = |world: &World| leaked.iter().filter(|id| !world.lives("r1", id)).count();
        let mut running = world.start();
        while gone(&world) < 2 {
            world.pass_ms(100).await;
        }
        for _ in 0..5 {
            world.kill(running).await;
            running = world.start();
            world.pass(10).await;
            assert_eq!(gone(&world), 2, "{}", world.story());
        }
        world.pass(180).await;
        assert!(gone(&world) > 2, "{}", world.story());
        world.stop(running).await;
    });
}
