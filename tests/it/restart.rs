//! What a start knows of the run before: who was on when it looked last, and when that was.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use ilo_reaper::settings::OnStop;
use ilo_sim::{Fault, FaultKind, Matcher, SessionId, SessionSpec};
use serde_json::Value;

use crate::harness::{OURS, SCRIPT, World, rule, story};
use crate::stale::{count_one_more, hide, idle_rule, never_used_rule};

/// Changes the answers to those polls from now on, counted from one.
fn spoil(world: &World, polls: impl Fn(usize) -> bool + Send + 'static, how: fn(&mut Response<Bytes>)) {
    let mut number = 0;
    world.after(move |request, answer| {
        let is_poll = request.method() == Method::GET && request.uri().path().ends_with("/Sessions/");
        number += usize::from(is_poll);
        if is_poll && answer.status() == 200 && polls(number) {
            how(answer);
        }
        Duration::ZERO
    });
}

fn without_a_date(answer: &mut Response<Bytes>) {
    answer.headers_mut().remove(http::header::DATE);
}

/// It does not tell when our own session was used, so that nothing proves its date.
fn without_our_use(answer: &mut Response<Bytes>) {
    without(answer, "AccessTime", |member| member["UserName"] == OURS);
}

fn without_logins(answer: &mut Response<Bytes>) {
    without(answer, "LoginTime", |_| true);
}

fn without(answer: &mut Response<Bytes>, key: &str, of: impl Fn(&Value) -> bool) {
    let mut told: Value = serde_json::from_slice(answer.body()).unwrap();
    for member in told["Members"].as_array_mut().unwrap().iter_mut().filter(|member| of(member)) {
        assert!(member["Oem"]["Hpe"].as_object_mut().unwrap().remove(key).is_some());
    }
    *answer.body_mut() = told.to_string().into();
}

/// While nobody looks, the clock is behind for a moment, and alice logs in at the time that it shows: `shown_s` after the
/// story began.
fn logs_in_at(world: &World, shown_s: u64) -> SessionId {
    let ahead_s = world.now().as_secs().cast_signed();
    world.sky.ilo("r1").set_clock_offset(shown_s.cast_signed() - ahead_s);
    let live = world.leaked("r1", "alice", 0);
    world.sky.ilo("r1").set_clock_offset(0);
    live
}

/// An iLO comes back from a reset with a wrong clock while we are not there, and not long after we were.
#[test]
fn a_restart_does_not_make_a_wrong_clock_right() {
    story(|| async {
        let mut world = idle_rule(600);
        let running = world.start();
        world.pass(700).await;
        world.kill(running).await;
        let now = world.sky.now();
        world.sky.ilo("r1").reboot(now);
        world.sky.ilo("r1").set_clock_offset(-7200);
        let live = world.leaked("r1", "alice", 0);
        world.sky.ilo("r1").set_clock_offset(0);
        let running = world.start();
        world.pass(590).await;
        assert!(world.lives("r1", &live), "{}", world.story());
        world.stop(running).await;
    });
}

/// The same, where what was seen at last was not written down yet when we were killed: a time between the two looks
/// proves no more than one before both.
#[test]
fn a_kill_before_a_look_was_written_down_does_not_make_a_wrong_clock_right() {
    for shown_s in [30, 300, 590] {
        story(|| async move {
            let mut world = idle_rule(600);
            let running = world.start();
            world.pass(595).await;
            world.kill(running).await;
            world.pass(1200).await;
            let live = logs_in_at(&world, shown_s);
            let running = world.start();
            world.pass(590).await;
            assert!(world.lives("r1", &live), "{shown_s}: {}", world.story());
            world.pass(200).await;
            assert!(!world.lives("r1", &live), "{shown_s}: standing still counts: {}", world.story());
            world.stop(running).await;
        });
    }
}

/// The same, where the first look after the kill proves nothing either, and alice logs in after it.
#[test]
fn a_first_look_that_proves_nothing_does_not_make_a_wrong_clock_right() {
    for shown_s in [300, 1000] {
        story(|| async move {
            let mut world = idle_rule(600);
            let running = world.start();
            world.pass(595).await;
            world.kill(running).await;
            world.pass(1200).await;
            spoil(&world, |number| number == 1, without_our_use);
            let running = world.start();
            world.pass(65).await;
            let live = logs_in_at(&world, shown_s);
            world.pass(590).await;
            assert!(world.lives("r1", &live), "{shown_s}: {}", world.story());
            world.stop(running).await;
        });
    }
}

/// The date of a look that proves nothing is that of a look, in a run, before a stop and before a kill.
#[test]
fn looks_that_prove_nothing_are_looks() {
    for end in [None, Some("stop"), Some("kill")] {
        story(|| async move {
            let mut world = idle_rule(600);
            let mut running = world.start();
            world.pass(100).await;
            spoil(&world, |number| number <= 25, without_our_use);
            world.pass(1500).await;
            let live = match end {
                None => logs_in_at(&world, 1200),
                Some(end) => {
                    if end == "kill" {
                        world.kill(running).await;
                    } else {
                        world.stop(running).await;
                    }
                    world.pass(1200).await;
                    let live = logs_in_at(&world, 1200);
                    running = world.start();
                    live
                }
            };
            world.pass(590).await;
            assert!(world.lives("r1", &live), "{end:?}: {}", world.story());
            world.stop(running).await;
        });
    }
}

/// A stop writes down who was on, and that nobody looked since: whoever logged in just before it, or while we were away,
/// has times that can be believed. It does so also where our session is kept, or there is none.
#[test]
fn whoever_logged_in_around_a_stop_goes_as_others_do() {
    for (keeps, is_shut) in [(false, false), (true, false), (false, true)] {
        story(|| async move {
            let mut world = never_used_rule();
            world.settings.on_stop = if keeps { OnStop::Keep } else { OnStop::Logout };
            let running = world.start();
            world.pass(400).await;
            let before = world.leaked("r1", "svc-backup", 0);
            world.pass(70).await;
            if is_shut {
                {
                    let (mut ilo, now) = (world.sky.ilo("r1"), world.sky.now());
                    let ours = ilo.sessions(now).find(|one| one.owner == OURS).unwrap().id.clone();
                    ilo.end(&ours);
                }
                world.after(|request, answer| {
                    if request.method() == Method::POST {
                        *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                    }
                    Duration::ZERO
                });
                world.pass(70).await;
                world.after(|_, _| Duration::ZERO);
            }
            world.stop(running).await;
            world.pass(10).await;
            let after = world.leaked("r1", "svc-backup", 0);
            let running = world.start();
            world.pass(1000).await;
            let who = (world.lives("r1", &before), world.lives("r1", &after));
            assert_eq!(who, (false, false), "{keeps} {is_shut}: {}", world.story());
            world.stop(running).await;
        });
    }
}

/// Nor is anybody doubted whom the last answer before a stop told badly, or one before.
#[test]
fn whoever_is_told_badly_goes_as_others_do() {
    let hows =
        [count_one_more as fn(&mut Response<Bytes>), without_a_date, without_our_use, without_logins, |answer| {
            without_our_use(answer);
            without_logins(answer);
        }];
    // Who came since the look before, and is told without its login just before a stop, is a stranger to the next start.
    let cases = hows[..3].iter().map(|how| (true, 30, *how));
    for (stops, comes_s, how) in cases.chain(hows.into_iter().flat_map(|how| [(true, 0, how), (false, 30, how)])) {
        story(|| async move {
            let world = never_used_rule();
            let early = (comes_s == 0).then(|| world.leaked("r1", "svc-backup", 0));
            let mut running = world.start();
            world.pass(70 + comes_s).await;
            let leaked = early.unwrap_or_else(|| world.leaked("r1", "svc-backup", 0));
            spoil(&world, |number| number == 1, how);
            world.pass(60).await;
            if stops {
                world.stop(running).await;
                running = world.start();
            }
            world.pass(1000).await;
            assert!(!world.lives("r1", &leaked), "{stops} {comes_s}: {}", world.story());
            world.stop(running).await;
        });
    }
}

/// Nor whom the last table before a stop left out, or who logs in before the first one with a date after it.
#[test]
fn whoever_is_left_out_around_a_stop_goes_as_others_do() {
    for is_before in [true, false] {
        story(|| async move {
            let world = never_used_rule();
            let mut running = world.start();
            world.pass(100).await;
            let leaked = is_before.then(|| world.leaked("r1", "svc-backup", 0));
            world.pass(60).await;
            if let Some(leaked) = &leaked {
                hide(&world, leaked, 1);
                world.pass(60).await;
            }
            world.stop(running).await;
            if !is_before {
                spoil(&world, |number| number == 1, without_a_date);
            }
            running = world.start();
            world.pass(65).await;
            let leaked = leaked.unwrap_or_else(|| world.leaked("r1", "svc-backup", 0));
            world.pass(1000).await;
            assert!(!world.lives("r1", &leaked), "{is_before}: {}", world.story());
            world.stop(running).await;
        });
    }
}

/// A look that tells nobody's times, and is due to be written down, takes nothing from what is known.
#[test]
fn whoever_is_told_without_times_before_a_kill_is_known_at_the_next_start() {
    story(|| async {
        let mut world = never_used_rule();
        let leaked = world.leaked("r1", "svc-backup", 0);
        let running = world.start();
        spoil(
            &world,
            |number| number == 11,
            |answer| {
                without_our_use(answer);
                without_logins(answer);
            },
        );
        world.pass(610).await;
        assert!(world.lives("r1", &leaked), "{}", world.story());
        world.kill(running).await;
        let running = world.start();
        world.pass(700).await;
        assert!(!world.lives("r1", &leaked), "{}", world.story());
        world.stop(running).await;
    });
}

/// A look that is due to be written down is so at once: a kill in the middle of its visit takes nothing from it.
#[test]
fn a_kill_in_the_visit_that_writes_a_look_down_does_not_make_a_wrong_clock_right() {
    story(|| async {
        let mut world = idle_rule(600);
        world.settings.poll.every = Duration::from_secs(800);
        let on = Matcher::new(Method::GET, "/redfish/v1/UpdateService/");
        world.sky.ilo("r1").inject(Fault { on, what: FaultKind::Hang });
        let asks = |path: &str| world.log("r1").iter().any(|logged| logged.path.ends_with(path));
        let running = world.start();
        while !asks("/Sessions/") {
            world.pass_ms(100).await;
        }
        let first_s = world.now().as_secs();
        world.pass(100).await;
        let leaked = world.leaked("r1", "svc-backup", 0);
        while !asks("/UpdateService/") {
            world.pass_ms(100).await;
        }
        assert!(world.now().as_secs() > first_s + 750, "the second look: {}", world.story());
        world.kill(running).await;
        world.sky.ilo("r1").end(&leaked);
        world.pass(1200).await;
        let live = logs_in_at(&world, first_s + 700);
        let running = world.start();
        world.pass(590).await;
        assert!(world.lives("r1", &live), "{}", world.story());
        world.stop(running).await;
    });
}

/// What a stop wrote down is true only until somebody looks again.
#[test]
fn a_kill_soon_after_a_clean_stop_is_a_kill() {
    story(|| async {
        let mut world = idle_rule(600);
        let running = world.start();
        world.pass(300).await;
        world.stop(running).await;
        let running = world.start();
        world.pass(300).await;
        world.kill(running).await;
        world.pass(1200).await;
        let live = logs_in_at(&world, 590);
        let running = world.start();
        world.pass(590).await;
        assert!(world.lives("r1", &live), "{}", world.story());
        world.stop(running).await;
    });
}

/// An iLO gives an id again while nobody looks. Whoever has it now logged in when the iLO says so.
#[test]
fn an_id_that_is_given_again_while_we_are_down_is_somebody_new() {
    story(|| async {
        let mut world = World::of(&["r1"]);
        world.policy(|policy| {
            policy.reap = vec![rule("never-used", |asked| {
                asked.never_used = true;
                asked.idle = Some(Duration::from_secs(900));
            })];
        });
        let id = world.leaked("r1", "alice", 10);
        let running = world.start();
        world.pass(120).await;
        world.kill(running).await;
        world.pass(600).await;
        {
            let (mut ilo, now) = (world.sky.ilo("r1"), world.sky.now());
            ilo.end(&id);
            ilo.admit_as(&id, now, SessionSpec::rest("svc-backup", SCRIPT));
        }
        let running = world.start();
        world.pass(800).await;
        assert!(world.lives("r1", &id), "{}", world.story());
        world.pass(300).await;
        assert!(!world.lives("r1", &id), "its times are those of this clock: {}", world.story());
        world.stop(running).await;
    });
}

/// Who is used while a clock is behind and nobody looks seems to have been used before a kill, after it was last written down
/// who is on.
#[test]
fn a_kill_before_a_look_was_written_down_does_not_make_a_use_old() {
    story(|| async {
        let mut world = idle_rule(600);
        let live = world.leaked("r1", "alice", 0);
        let running = world.start();
        world.pass(595).await;
        world.kill(running).await;
        world.pass(700).await;
        world.sky.ilo("r1").set_clock_offset(-900);
        let now = world.sky.now();
        world.sky.ilo("r1").touch(&live, now);
        world.sky.ilo("r1").set_clock_offset(0);
        let running = world.start();
        world.pass(590).await;
        assert!(world.lives("r1", &live), "{}", world.story());
        world.pass(200).await;
        assert!(!world.lives("r1", &live), "standing still counts: {}", world.story());
        world.stop(running).await;
    });
}
