//! A configuration that changes while visits are in flight: addresses, accounts and passwords.

use std::sync::Arc;
use std::time::Duration;

use ilo_reaper::fleet::Command;
use ilo_reaper::settings::{Authority, IloName, Mode, OnStop, Settings, Target, Trust};
use ilo_sim::{Account, Fault, FaultKind, Matcher};

use crate::harness::{OURS, Running, SCRIPT, World, credential, other_credential, story};

const SESSIONS: &str = "/redfish/v1/SessionService/Sessions/";

/// The settings with one target changed.
fn changed(settings: &Settings, name: &str, change: impl FnOnce(&mut Target)) -> Settings {
    let mut settings = settings.clone();
    let slot = settings.targets.get_mut(&IloName::new(name)).unwrap();
    let mut target = Target::clone(slot);
    change(&mut target);
    *slot = Arc::new(target);
    settings
}

/// The settings with all targets changed.
fn all_changed(settings: &Settings, change: impl Fn(&mut Target)) -> Settings {
    let mut settings = settings.clone();
    for slot in settings.targets.values_mut() {
        let mut target = Target::clone(slot);
        change(&mut target);
        *slot = Arc::new(target);
    }
    settings
}

/// Puts a configuration in force at the first request of ours with this method and end of path.
fn replace_at(world: &World, running: &Running, method: http::Method, path_end: &'static str, settings: Settings) {
    let (commands, mut settings) = (running.commands.clone(), Some(settings));
    world.before(move |request, _, _| {
        if *request.method() == method
            && request.uri().path().ends_with(path_end)
            && let Some(settings) = settings.take()
        {
            commands.try_send(Command::Replace(settings.into())).unwrap();
        }
    });
}

fn slow_logins(world: &World, seconds: u64) {
    world.after(
        move |request, _| {
            if request.method() == http::Method::POST { Duration::from_secs(seconds) } else { Duration::ZERO }
        },
    );
}

fn tries(world: &World, names: &[&str]) -> usize {
    names.iter().map(|name| world.login_requests(name)).sum()
}

const TWENTY: [&str; 20] = [
    "r01", "r02", "r03", "r04", "r05", "r06", "r07", "r08", "r09", "r10", "r11", "r12", "r13", "r14", "r15", "r16",
    "r17", "r18", "r19", "r20",
];

/// What the old password came to says nothing about the new one.
#[test]
fn a_password_that_changes_during_a_login_is_tried_on_one_ilo_first() {
    story(|| async {
        let world = World::of(&TWENTY);
        slow_logins(&world, 5);
        let running = world.start();
        let wrong = all_changed(&world.settings, |target| target.credential = credential("wrong"));
        replace_at(&world, &running, http::Method::POST, "", wrong);
        world.pass(590).await;
        assert!(tries(&world, &TWENTY) <= 1 + 3, "{}: {}", tries(&world, &TWENTY), world.story());
        world.kill_only(running).await;
    });
}

#[test]
fn an_account_that_changes_during_the_first_try_leaves_the_others_free_to_try() {
    story(|| async {
        let world = World::with(&["r1", "r2"], |spec| spec.accounts.push(Account::administrator("svc-other", "right")));
        slow_logins(&world, 5);
        let running = world.start();
        let first = Arc::new(std::sync::Mutex::new(None));
        let (commands, settings, seen) = (running.commands.clone(), world.settings.clone(), Arc::clone(&first));
        world.before(move |request, ilo, _| {
            let mut seen = seen.lock().unwrap();
            if request.method() == http::Method::POST && seen.is_none() {
                let name = ilo.spec().name.clone();
                let change = |target: &mut Target| target.credential = other_credential("other", "svc-other", "right");
                commands.try_send(Command::Replace(changed(&settings, &name, change).into())).unwrap();
                *seen = Some(name);
            }
        });
        world.pass(600).await;
        assert!(first.lock().unwrap().is_some());
        assert!(world.sky.ilo("r1").sessions(world.sky.now()).count() == 1, "{}", world.story());
        assert!(world.sky.ilo("r2").sessions(world.sky.now()).count() == 1, "{}", world.story());
        world.stop(running).await;
    });
}

/// iLOs that leave and come back with another password are no proof of it.
#[test]
fn a_password_that_changes_while_its_ilos_are_away_is_tried_on_one_first() {
    story(|| async {
        let world = World::of(&TWENTY);
        let running = world.start();
        world.pass(90).await;
        let mut without = world.settings.clone();
        without.targets.clear();
        running.commands.send(Command::Replace(without.into())).await.unwrap();
        world.pass(60).await;
        let before = tries(&world, &TWENTY);
        let wrong = all_changed(&world.settings, |target| target.credential = credential("wrong"));
        running.commands.send(Command::Replace(wrong.into())).await.unwrap();
        world.pass(590).await;
        assert!(tries(&world, &TWENTY) <= before + 3, "{} {}", tries(&world, &TWENTY), before);
        world.kill_only(running).await;
    });
}

/// A rotated password and a power cut: no account is locked by all iLOs trying at once.
#[test]
fn a_rotated_password_is_tried_three_times_even_where_answers_are_slow() {
    story(|| async {
        let names: Vec<String> = (0..300).map(|number| format!("r{number:03}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let world = World::of(&names);
        let running = world.start();
        world.pass(180).await;
        let before = tries(&world, &names);
        for name in &names {
            let now = world.sky.now();
            let mut ilo = world.sky.ilo(name);
            ilo.set_password(OURS, "rotated");
            ilo.reboot(now);
        }
        slow_logins(&world, 8);
        world.pass(590).await;
        assert_eq!(tries(&world, &names) - before, 3);
        world.kill_only(running).await;
    });
}

#[test]
fn an_ilo_whose_address_changes_keeps_nothing_of_ours_at_the_old_one() {
    for in_flight in [false, true] {
        story(|| async move {
            let mut world = World::of(&["r1", "r2"]);
            world.settings.targets.remove(&IloName::new("r2"));
            let running = world.start();
            world.pass(90).await;
            let moved = changed(&world.settings, "r1", |target| {
                target.authority = Authority { host: String::from("r2"), port: 443 };
            });
            if in_flight {
                replace_at(&world, &running, http::Method::GET, "Sessions/", moved);
            } else {
                running.commands.send(Command::Replace(moved.into())).await.unwrap();
            }
            world.pass(150).await;
            assert_eq!((world.ours("r1"), world.ours("r2")), (0, 1), "{in_flight} {}", world.story());
            world.stop(running).await;
            assert_eq!((world.ours("r1"), world.ours("r2")), (0, 0));
        });
    }
}

/// The old address does not answer just now; the configuration is put right again.
#[test]
fn an_address_that_was_a_mistake_and_is_put_right_leaves_one_session() {
    story(|| async {
        let mut world = World::of(&["r1", "r2"]);
        world.settings.targets.remove(&IloName::new("r2"));
        let running = world.start();
        world.pass(90).await;
        let on = Matcher::new(http::Method::DELETE, SESSIONS);
        world.sky.ilo("r1").inject(Fault { on, what: FaultKind::Hang });
        let moved = changed(&world.settings, "r1", |target| {
            target.authority = Authority { host: String::from("r2"), port: 443 };
        });
        running.commands.send(Command::Replace(moved.into())).await.unwrap();
        world.pass(200).await;
        assert!(world.log("r2").iter().all(|logged| logged.status != Some(401)), "a token of r1 came to r2");
        running.commands.send(Command::Replace(world.settings.clone().into())).await.unwrap();
        world.pass(200).await;
        assert_eq!((world.ours("r1"), world.ours("r2")), (1, 0), "{}", world.story());
        world.stop(running).await;
        assert_eq!((world.ours("r1"), world.ours("r2")), (0, 0));
    });
}

/// A login that was lost on one iLO proves nothing on another.
#[test]
fn a_lost_login_at_one_address_ends_nobody_at_another() {
    story(|| async {
        let mut world = World::of(&["r1", "r2"]);
        world.settings.targets.remove(&IloName::new("r2"));
        world
            .sky
            .ilo("r1")
            .inject(Fault { on: Matcher::new(http::Method::POST, SESSIONS), what: FaultKind::LoseReply });
        let running = world.start();
        while world.login_requests("r1") == 0 {
            world.pass(1).await;
        }
        let theirs = world.leaked("r2", OURS, 0);
        let moved = changed(&world.settings, "r1", |target| {
            target.authority = Authority { host: String::from("r2"), port: 443 };
        });
        running.commands.send(Command::Replace(moved.into())).await.unwrap();
        world.pass(300).await;
        assert!(world.lives("r2", &theirs), "{}", world.story());
        world.stop(running).await;
    });
}

/// What was seen of one iLO says nothing about another one under the same name.
#[test]
fn a_name_that_moves_brings_no_memory_of_who_was_on() {
    story(|| async {
        let mut world = World::of(&["r1", "r2"]);
        world.policy(|policy| {
            policy.reap = vec![crate::harness::rule("idle", |asked| asked.idle = Some(Duration::from_secs(280)))];
        });
        world.settings.targets.remove(&IloName::new("r2"));
        world.sky.ilo("r1").set_clock_offset(7200);
        let running = world.start();
        world.pass(100).await;
        let live = world.leaked("r2", "alice", 0);
        world.pass(240).await;
        let moved = changed(&world.settings, "r1", |target| {
            target.authority = Authority { host: String::from("r2"), port: 443 };
        });
        running.commands.send(Command::Replace(moved.into())).await.unwrap();
        // It is used after more than four minutes, just after we came, and pauses again and again.
        world.pass(10).await;
        for _ in 0..4 {
            world.sky.ilo("r2").touch(&live, world.sky.now());
            world.pass(400).await;
        }
        assert!(world.lives("r2", &live), "{}", world.story());
        world.kill_only(running).await;
    });
}

/// Sessions of the account that is ours from now on are our own from now on.
#[test]
fn an_account_that_changes_during_a_visit_spares_its_sessions() {
    story(|| async {
        let world = World::with(&["r1"], |spec| spec.accounts.push(Account::administrator("svc-new", "right")));
        let theirs = world.admit("r1", ilo_sim::SessionSpec::rest("svc-new", SCRIPT), 1200);
        let running = world.start();
        let renamed = changed(&world.settings, "r1", |target| {
            target.credential = other_credential("new", "svc-new", "right");
        });
        replace_at(&world, &running, http::Method::GET, "UpdateService/", renamed);
        world.pass(300).await;
        assert!(world.lives("r1", &theirs), "{}", world.story());
        assert_eq!(world.ours("r1"), 0, "the session of the old account is ended");
        world.stop(running).await;
    });
}

/// Whatever changes between look and plan: what is in force at the DELETE decides.
#[test]
fn what_is_in_force_is_asked_before_each_delete() {
    let pin = Trust::Pin(ilo_reaper::settings::Fingerprint([7; 32]));
    let changes: [fn(&mut Target, Trust); 3] = [
        |target, _| target.mode = Mode::Observe,
        |target, pin| target.trust = pin,
        |target, _| target.authority = Authority { host: String::from("r2"), port: 443 },
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let pin = pin.clone();
        story(|| async move {
            let mut world = World::of(&["r1", "r2"]);
            world.settings.targets.remove(&IloName::new("r2"));
            let leaked = world.leaked("r1", "svc-backup", 1200);
            let running = world.start();
            let settings = changed(&world.settings, "r1", |target| change(target, pin));
            replace_at(&world, &running, http::Method::GET, "UpdateService/", settings);
            // Long enough for the visit in flight, and too short for another one.
            while !world.log("r1").iter().any(|logged| logged.path.ends_with("UpdateService/")) {
                world.pass(1).await;
            }
            world.pass(20).await;
            assert!(world.lives("r1", &leaked), "{number}: {}", world.story());
            world.kill_only(running).await;
        });
    }
}

/// What was opened under another trust is closed when a configuration is put in force, and not at the next visit.
#[test]
fn each_configuration_settles_at_once_whom_to_trust() {
    story(|| async {
        let world = World::of(&["r1", "r2"]);
        let trusted = || world.sky.settled.lock().unwrap().iter().map(|peer| peer.trust.clone()).collect::<Vec<_>>();
        let running = world.start();
        assert_eq!(trusted(), [Trust::Insecure, Trust::Insecure]);
        let settings = changed(&world.settings, "r2", |target| target.trust = Trust::Unknown);
        running.commands.send(Command::Replace(settings.into())).await.unwrap();
        world.pass_ms(1).await;
        assert_eq!(trusted(), [Trust::Insecure, Trust::Unknown]);
        world.stop(running).await;
    });
}

#[test]
fn an_ilo_that_is_removed_during_a_visit_spares_its_sessions() {
    story(|| async {
        let world = World::of(&["r1"]);
        let leaked = world.leaked("r1", "svc-backup", 1200);
        let running = world.start();
        let mut without = world.settings.clone();
        without.targets.clear();
        replace_at(&world, &running, http::Method::GET, "UpdateService/", without);
        world.pass(300).await;
        assert!(world.lives("r1", &leaked), "{}", world.story());
        assert_eq!(world.ours("r1"), 0);
        world.stop(running).await;
    });
}

/// Many iLOs leave at once, as when a site is given away.
#[test]
fn ilos_that_leave_the_fleet_take_turns() {
    story(|| async {
        let names: Vec<String> = (0..60).map(|number| format!("r{number:02}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut world = World::of(&names);
        world.settings.poll.visits_at_once = 8;
        let running = world.start();
        world.pass(120).await;
        world.sky.most_at_once();
        let mut fewer = world.settings.clone();
        fewer.targets.retain(|name, _| name.as_str() == "r00");
        running.commands.send(Command::Replace(Arc::new(fewer))).await.unwrap();
        world.pass(60).await;
        assert!(names[1..].iter().all(|name| world.ours(name) == 0), "{}", world.story());
        let most = world.sky.most_at_once();
        assert!(most <= 9, "{most} at once");
        world.stop(running).await;
    });
}

/// Many iLOs get another address at once, as when a site is numbered anew.
#[test]
fn ilos_that_move_take_turns_to_leave_their_old_places() {
    story(|| async {
        let names: Vec<String> = (0..120).map(|number| format!("r{number:03}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut world = World::of(&names);
        world.settings.poll.visits_at_once = 8;
        world.settings.targets.retain(|name, _| name.as_str() < "r060");
        let running = world.start();
        world.pass(120).await;
        assert!(names[..60].iter().all(|name| world.ours(name) == 1), "{}", world.story());
        world.sky.most_at_once();
        let moved = all_changed(&world.settings, |target| {
            let number: usize = target.name.as_str()[1..].parse().unwrap();
            target.authority = Authority { host: format!("r{:03}", number + 60), port: 443 };
        });
        running.commands.send(Command::Replace(moved.into())).await.unwrap();
        world.pass(240).await;
        let ours = |range: std::ops::Range<usize>| names[range].iter().map(|name| world.ours(name)).collect::<Vec<_>>();
        assert_eq!((ours(0..60), ours(60..120)), (vec![0; 60], vec![1; 60]), "{}", world.story());
        let most = world.sky.most_at_once();
        assert!(most <= 9, "{most} at once");
        world.stop(running).await;
        assert_eq!(ours(0..120), [0; 120]);
    });
}

/// It is gone before its turn came.
#[test]
fn an_ilo_that_leaves_just_before_a_stop_keeps_nothing_of_ours() {
    story(|| async {
        let mut world = World::of(&["r1", "r2"]);
        world.settings.poll.visits_at_once = 1;
        world.settings.on_stop = OnStop::Keep;
        let running = world.start();
        world.pass(150).await;
        let on = Matcher::new(http::Method::DELETE, SESSIONS);
        world.sky.ilo("r1").inject(Fault { on, what: FaultKind::Hang });
        let mut fewer = world.settings.clone();
        fewer.targets.clear();
        running.commands.send(Command::Replace(fewer.into())).await.unwrap();
        world.stop(running).await;
        assert_eq!(world.ours("r2"), 0, "{}", world.story());
    });
}

/// One that moves, and back again before its turn came, has our session where it is: it is kept.
#[test]
fn an_ilo_that_moves_and_back_before_a_stop_keeps_our_session() {
    story(|| async {
        let mut world = World::of(&["r1", "r2", "r3"]);
        world.settings.poll.visits_at_once = 1;
        world.settings.on_stop = OnStop::Keep;
        world.settings.targets.retain(|name, _| name.as_str() < "r3");
        let running = world.start();
        world.pass(150).await;
        let on = Matcher::new(http::Method::DELETE, SESSIONS);
        world.sky.ilo("r1").inject(Fault { on, what: FaultKind::Hang });
        let mut moved = world.settings.clone();
        moved.targets.retain(|name, _| name.as_str() == "r2");
        let moved = all_changed(&moved, |target| target.authority = Authority { host: String::from("r3"), port: 443 });
        let mut back = world.settings.clone();
        back.targets.retain(|name, _| name.as_str() == "r2");
        for settings in [moved, back] {
            running.commands.send(Command::Replace(settings.into())).await.unwrap();
        }
        world.stop(running).await;
        assert_eq!(world.ours("r2"), 1, "{}", world.story());
    });
}

/// The same of one that moved before.
#[test]
fn an_ilo_that_moves_and_leaves_at_once_keeps_nothing_of_ours() {
    for (leaves, wait_s, on_stop) in
        [(true, 60, OnStop::Logout), (false, 0, OnStop::Logout), (false, 0, OnStop::Keep), (true, 0, OnStop::Keep)]
    {
        story(|| async move {
            let mut world = World::of(&["r1", "r2", "r3", "r4"]);
            world.settings.poll.visits_at_once = 1;
            world.settings.on_stop = on_stop;
            world.settings.targets.retain(|name, _| name.as_str() < "r3");
            let running = world.start();
            world.pass(150).await;
            assert_eq!((world.ours("r1"), world.ours("r2")), (1, 1));
            let on = Matcher::new(http::Method::DELETE, SESSIONS);
            world.sky.ilo("r1").inject(Fault { on, what: FaultKind::Hang });
            let moved = all_changed(&world.settings, |target| {
                let other = if target.name.as_str() == "r1" { "r3" } else { "r4" };
                target.authority = Authority { host: other.to_owned(), port: 443 };
            });
            running.commands.send(Command::Replace(moved.clone().into())).await.unwrap();
            if leaves {
                let mut fewer = moved;
                fewer.targets.clear();
                running.commands.send(Command::Replace(fewer.into())).await.unwrap();
                world.pass(wait_s).await;
            }
            world.stop(running).await;
            assert_eq!((world.ours("r2"), world.ours("r4")), (0, 0), "{leaves} {on_stop:?} {}", world.story());
        });
    }
}
