//! What was seen long ago, or in part, or on a clock that is no more, proves nothing.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ilo_sim::SessionId;

use crate::harness::{Expand, OURS, World, rule, story};

pub(crate) fn idle_rule(asked_s: u64) -> World {
    let mut world = World::of(&["r1"]);
    world.policy(|policy| {
        policy.reap = vec![rule("idle", |asked| asked.idle = Some(Duration::from_secs(asked_s)))];
    });
    world
}

fn superseded_rule() -> World {
    let mut world = World::of(&["r1"]);
    world.policy(|policy| {
        policy.reap = vec![rule("superseded", |asked| {
            (asked.superseded, asked.idle) = (true, Some(Duration::from_secs(30)));
        })];
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

/// All that is there is told, and that there is more.
pub(crate) fn count_one_more(answer: &mut http::Response<Bytes>) {
    let mut body: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
    let count = body["Members"].as_array().unwrap().len();
    body["Members@odata.count"] = (count + 1).into();
    *answer.body_mut() = Bytes::from(body.to_string());
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

/// Our session ends just when a clock jumps: the answer by which we log in again tells it first.
#[test]
fn a_jump_that_a_login_tells_first_makes_nobody_idle_for_a_day() {
    for seen_s in [0, 100] {
        story(|| async move {
            let world = idle_rule(600);
            let running = world.start();
            world.pass(300).await;
            let live = world.leaked("r1", "alice", 0);
            world.pass(seen_s).await;
            {
                let (mut ilo, now) = (world.sky.ilo("r1"), world.sky.now());
                let ours = ilo.sessions(now).find(|one| one.owner == OURS).unwrap().id.clone();
                ilo.end(&ours);
                ilo.set_clock_offset(86_400);
            }
            world.pass(580 - seen_s).await;
            assert!(world.lives("r1", &live), "{seen_s}: {}", world.story());
            assert_eq!(world.logins("r1"), 2);
            let told = format!("{:?}", world.heard("ilo.clock_wrong"));
            assert!(told.contains("the clock jumped"), "{told}");
            world.stop(running).await;
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

/// Where times prove nothing, standing still is all that counts, and an answer shows how things were when it was asked
/// for, at the earliest, however long it takes.
#[test]
fn standing_still_counts_until_the_question_and_not_until_its_answer() {
    story(|| async {
        let world = idle_rule(70);
        let running = world.start();
        world.pass(300).await;
        // Whoever is on when a clock jumps is judged by standing still from then on.
        let leaked = world.leaked("r1", "alice", 0);
        world.sky.ilo("r1").set_clock_offset(86_400);
        let mut polls = 0;
        world.after(move |request, _| {
            let is_poll = request.method() == http::Method::GET && request.uri().path().ends_with("/Sessions/");
            polls += i32::from(is_poll);
            Duration::from_secs(if is_poll && polls == 2 { 14 } else { 0 })
        });
        // The second poll after the jump is asked for a minute after the first.
        world.pass(90).await;
        assert!(world.lives("r1", &leaked), "{}", world.story());
        world.pass(60).await;
        assert!(!world.lives("r1", &leaked), "{}", world.story());
        world.stop(running).await;
    });
}

/// A host that sleeps between look and DELETE wakes up long after the look.
#[test]
fn a_look_from_before_the_host_slept_ends_nobody() {
    story(|| async {
        let world = World::of(&["r1"]);
        let back = world.leaked("r1", "svc-backup", 1200);
        let (id, ahead_s) = (back.clone(), Arc::clone(&world.host_ahead_s));
        world.after(move |request, _| {
            if is_look(request, &id) {
                ahead_s.fetch_add(3600, std::sync::atomic::Ordering::Relaxed);
            }
            Duration::ZERO
        });
        world.run(20).await;
        assert!(world.lives("r1", &back), "{}", world.story());
        assert!(!world.heard("session.spared").is_empty());
    });
}

/// Whoever began to upload firmware meanwhile would be ended by an answer of an hour ago.
#[test]
fn an_answer_that_firmware_rests_from_before_the_host_slept_ends_nobody() {
    story(|| async {
        let world = World::of(&["r1"]);
        let back = world.leaked("r1", "svc-backup", 1200);
        let ahead_s = Arc::clone(&world.host_ahead_s);
        world.after(move |request, _| {
            if request.uri().path().ends_with("/UpdateService/") {
                ahead_s.fetch_add(3600, std::sync::atomic::Ordering::Relaxed);
            }
            Duration::ZERO
        });
        world.run(20).await;
        assert!(world.lives("r1", &back), "{}", world.story());
        assert!(!world.heard("session.spared").is_empty());
    });
}

/// What is in between is a slow disk, and a look that is as fresh as it should be.
#[test]
fn a_host_that_sleeps_between_that_answer_and_the_look_ends_nobody() {
    story(|| async {
        let world = World::of(&["r1"]);
        let back = world.leaked("r1", "svc-backup", 1200);
        let is_asked = |world: &World| world.log("r1").iter().any(|logged| logged.path.ends_with("/UpdateService/"));
        let running = world.start();
        while !is_asked(&world) {
            world.state.slow(Duration::from_secs(3));
            world.pass_ms(1).await;
        }
        world.pass_ms(100).await;
        world.host_ahead_s.fetch_add(3600, std::sync::atomic::Ordering::Relaxed);
        world.pass(10).await;
        assert!(world.lives("r1", &back), "{}", world.story());
        world.stop(running).await;
    });
}

/// A clock that was an hour ahead for a moment: who logged in then seems to log in an hour later, which is no news
/// about anybody else. The poll just before and the one just after that time show only a part of the table.
#[test]
fn whoever_logged_in_from_the_future_supersedes_nobody() {
    story(|| async {
        let world = superseded_rule();
        world.sky.ilo("r1").set_clock_offset(3600);
        world.leaked("r1", "alice", 0);
        world.pass_ms(10).await;
        world.sky.ilo("r1").set_clock_offset(0);
        let running = world.start();
        world.pass(3400).await;
        let mut cut = 0;
        world.after(move |request, answer| {
            let is_poll = request.method() == http::Method::GET && request.uri().path().ends_with("/Sessions/");
            cut += i32::from(is_poll);
            if is_poll && cut <= 4 {
                count_one_more(answer);
            }
            Duration::ZERO
        });
        world.pass(100).await;
        let live = world.leaked("r1", "alice", 0);
        world.pass(400).await;
        assert!(world.lives("r1", &live), "{}", world.story());
        world.stop(running).await;
    });
}

/// Only a part of the table tells that a clock is ahead, or a look that fails then. Whoever logs in before it is right
/// again seems to have come later than all others, by the time that anybody looks.
#[test]
fn whoever_logged_in_after_a_part_told_a_jump_supersedes_nobody() {
    for (restarts, fails) in [(false, false), (true, false), (false, true), (true, true)] {
        story(|| async move {
            let mut world = superseded_rule();
            world.expand(Expand::Ignores);
            let mut running = world.start();
            world.pass(100).await;
            world.sky.ilo("r1").set_clock_offset(600);
            let mut polls = 0;
            world.after(move |request, answer| {
                let is_poll = request.method() == http::Method::GET && request.uri().path().ends_with("/Sessions/");
                let is_member = request.method() == http::Method::GET && request.uri().path().contains("/Sessions/svc");
                polls += i32::from(is_poll);
                if is_poll && polls == 1 && !fails {
                    count_one_more(answer);
                }
                if is_member && polls == 1 && fails {
                    *answer.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
                }
                Duration::ZERO
            });
            world.pass(60).await;
            world.network_is_down(true);
            world.leaked("r1", "alice", 0);
            world.pass(2).await;
            world.sky.ilo("r1").set_clock_offset(0);
            let live = world.leaked("r1", "alice", 0);
            if restarts {
                world.kill(running).await;
                running = world.start();
            }
            world.pass(700).await;
            world.network_is_down(false);
            world.pass(400).await;
            assert!(world.lives("r1", &live), "{restarts} {fails}: {}", world.story());
            world.stop(running).await;
        });
    }
}

/// Whoever logged in by a clock that was ahead is seen once, perhaps in a part of the table, before we are killed. When we
/// are back its login lies in the past.
#[test]
fn a_login_from_the_future_is_known_after_a_restart() {
    for (ahead_s, is_cut) in [(100, false), (3600, false), (3600, true)] {
        story(|| async move {
            let mut world = superseded_rule();
            let running = world.start();
            world.pass(100).await;
            world.sky.ilo("r1").set_clock_offset(ahead_s);
            world.leaked("r1", "alice", 0);
            world.pass_ms(10).await;
            world.sky.ilo("r1").set_clock_offset(0);
            world.after(move |request, answer| {
                if is_cut && request.method() == http::Method::GET && request.uri().path().ends_with("/Sessions/") {
                    count_one_more(answer);
                }
                Duration::ZERO
            });
            world.pass(30).await;
            world.kill(running).await;
            let live = world.leaked("r1", "alice", 0);
            world.pass(ahead_s.unsigned_abs()).await;
            world.after(|_, _| Duration::ZERO);
            let running = world.start();
            world.pass(400).await;
            assert!(world.lives("r1", &live), "{ahead_s} {is_cut}: {}", world.story());
            world.stop(running).await;
        });
    }
}

/// A clock is behind for a moment between two looks, and just then a session is used that we have known for long; or while
/// nobody looks, since we were killed before.
#[test]
fn whoever_is_used_while_a_clock_is_behind_is_not_idle_for_an_hour() {
    for is_away in [false, true] {
        story(move || async move {
            let mut world = idle_rule(600);
            let live = world.leaked("r1", "alice", 86_400);
            let uses = |world: &World| assert!(world.sky.ilo("r1").touch(&live, world.sky.now()));
            uses(&world);
            let mut running = Some(world.start());
            for _ in 0..3 {
                world.pass(100).await;
                uses(&world);
            }
            if is_away {
                world.kill(running.take().unwrap()).await;
            }
            world.sky.ilo("r1").set_clock_offset(-3600);
            uses(&world);
            world.pass_ms(10).await;
            world.sky.ilo("r1").set_clock_offset(0);
            let running = running.unwrap_or_else(|| world.start());
            world.pass(580).await;
            assert!(world.lives("r1", &live), "{is_away}: {}", world.story());
            world.pass(200).await;
            assert!(!world.lives("r1", &live), "{is_away}: standing still counts: {}", world.story());
            world.stop(running).await;
        });
    }
}

/// Seen first in a part of the table, it is no stranger in the whole.
#[test]
fn whoever_logged_in_while_tables_were_cut_goes_as_others_do() {
    story(|| async {
        let world = superseded_rule();
        let running = world.start();
        world.pass(100).await;
        let mut cut = false;
        world.after(move |request, answer| {
            let is_poll = request.method() == http::Method::GET && request.uri().path().ends_with("/Sessions/");
            if is_poll && !std::mem::replace(&mut cut, true) {
                count_one_more(answer);
            }
            Duration::ZERO
        });
        let orphan = world.leaked("r1", "alice", 0);
        world.pass(70).await;
        world.leaked("r1", "alice", 0);
        world.pass(200).await;
        assert!(!world.lives("r1", &orphan), "{}", world.story());
        world.stop(running).await;
    });
}

/// What a first answer tells of the clock is as old as it was long on its way: the next one, in time, is no jump.
#[test]
fn a_first_answer_that_was_long_on_its_way_spares_nobody_for_ever() {
    for (slow, is_killed) in [(1, false), (2, false), (3, false), (1, true)] {
        story(move || async move {
            let mut world = superseded_rule();
            let orphan = world.leaked("r1", "alice", 0);
            world.pass(2).await;
            let live = world.leaked("r1", "alice", 0);
            let mut polls = 0;
            world.after(move |request, _| {
                let is_poll = request.method() == http::Method::GET && request.uri().path().ends_with("/Sessions/");
                polls += usize::from(is_poll);
                Duration::from_secs(if is_poll && polls <= slow { 10 - polls as u64 } else { 0 })
            });
            let mut running = world.start();
            if is_killed {
                world.pass(20).await;
                world.kill(running).await;
                running = world.start();
            }
            world.pass(400).await;
            assert!(!world.lives("r1", &orphan), "{slow} {is_killed}: {}", world.story());
            assert!(world.lives("r1", &live), "{slow} {is_killed}: {}", world.story());
            world.stop(running).await;
        });
    }
}

pub(crate) fn never_used_rule() -> World {
    let mut world = World::of(&["r1"]);
    world.policy(|policy| {
        policy.reap = vec![rule("never-used", |asked| {
            (asked.never_used, asked.idle) = (true, Some(Duration::from_secs(600)));
        })];
    });
    world
}

/// A clock that nobody sets drifts by some seconds a week. For who looks in once a week that is no jump, and one of half
/// a minute is.
#[test]
fn what_a_clock_drifted_while_we_were_away_is_no_jump() {
    for (away_s, drifted_s, goes) in [
        (7 * 86_400, 12, true),
        (7 * 86_400, -12, true),
        (7 * 86_400, 30, false),
        (60, 12, false),
        (9_999_999, 20, false),
    ] {
        story(move || async move {
            let mut world = never_used_rule();
            let running = world.start();
            world.pass(20).await;
            world.kill(running).await;
            world.pass(away_s).await;
            world.sky.ilo("r1").set_clock_offset(0);
            let orphan = world.leaked("r1", "alice", 30);
            world.sky.ilo("r1").set_clock_offset(drifted_s);
            let running = world.start();
            world.pass(1200).await;
            assert_eq!(!world.lives("r1", &orphan), goes, "{away_s} {drifted_s}: {}", world.story());
            world.stop(running).await;
        });
    }
}

/// What one quick answer told of a clock is no measure for ever where all others take their time: it drifts on.
#[test]
fn a_clock_that_drifts_behind_slow_answers_spares_nobody_for_ever() {
    for drifted_s in [-1, 1] {
        story(move || async move {
            let world = never_used_rule();
            let mut polls = 0;
            world.after(move |request, _| {
                let is_poll = request.method() == http::Method::GET && request.uri().path().ends_with("/Sessions/");
                polls += usize::from(is_poll);
                Duration::from_secs(if is_poll && polls > 1 { 2 } else { 0 })
            });
            let running = world.start();
            for third_of_a_day in 1..=12 {
                let orphan = world.leaked("r1", "alice", 0);
                world.sky.ilo("r1").set_clock_offset(third_of_a_day * drifted_s);
                world.pass(8 * 3600).await;
                assert!(!world.lives("r1", &orphan), "{third_of_a_day} {drifted_s}: {}", world.story());
            }
            world.stop(running).await;
        });
    }
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

/// The host's clock is put right, as after a start without a network: no iLO's clock jumped.
#[test]
fn a_step_of_the_hosts_clock_spares_nobody_for_ever() {
    for ahead_s in [600, -600, 300_000_000] {
        story(|| async move {
            let world = idle_rule(600);
            let leaked = world.leaked("r1", "svc-backup", 0);
            let running = world.start();
            world.pass(120).await;
            world.host_ahead_s.store(ahead_s, std::sync::atomic::Ordering::Relaxed);
            world.pass(700).await;
            assert!(!world.lives("r1", &leaked), "{ahead_s}: {}", world.story());
            world.stop(running).await;
        });
    }
}

/// The host's clock is put right just when an answer is long on its way.
#[test]
fn a_step_of_the_hosts_clock_that_a_slow_answer_saw_is_no_jump_later() {
    story(|| async {
        let world = superseded_rule();
        let running = world.start();
        world.pass(100).await;
        world.host_ahead_s.store(600, std::sync::atomic::Ordering::Relaxed);
        let mut polls = 0;
        world.after(move |request, _| {
            let is_poll = request.method() == http::Method::GET && request.uri().path().ends_with("/Sessions/");
            polls += usize::from(is_poll);
            Duration::from_millis(if is_poll && polls == 1 { 1500 } else { 0 })
        });
        let orphan = world.leaked("r1", "alice", 0);
        world.pass(2).await;
        let live = world.leaked("r1", "alice", 0);
        world.pass(300).await;
        assert!(!world.lives("r1", &orphan), "{}", world.story());
        assert!(world.lives("r1", &live), "{}", world.story());
        world.stop(running).await;
    });
}

/// A collection that lacks the session that asks is not the whole one.
#[test]
fn a_poll_that_does_not_show_our_own_session_ends_nobody() {
    story(|| async {
        let world = idle_rule(600);
        let leaked = world.leaked("r1", "svc-backup", 1200);
        world.after(|request, answer| {
            if request.method() == http::Method::GET && request.uri().path().ends_with("/Sessions/") {
                let mut body: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
                let members = body["Members"].as_array_mut().unwrap();
                members.retain(|member| member["UserName"] != OURS);
                body["Members@odata.count"] = members.len().into();
                *answer.body_mut() = Bytes::from(body.to_string());
            }
            Duration::ZERO
        });
        world.run(300).await;
        assert!(world.lives("r1", &leaked), "{}", world.story());
    });
}

/// Our own session was used for this very question, so a date far from that is no measure of idleness.
#[test]
fn a_date_that_our_own_session_contradicts_ends_nobody() {
    story(|| async {
        let world = idle_rule(600);
        let live = world.leaked("r1", "alice", 100);
        world.after(|_, answer| {
            answer.headers_mut().insert(http::header::DATE, "Wed, 25 Jun 2025 20:08:14 GMT".parse().unwrap());
            Duration::ZERO
        });
        world.run(300).await;
        assert!(world.lives("r1", &live), "{}", world.story());
        assert_eq!(world.heard("ilo.clock_wrong").len(), 1);
    });
}

/// Now and then it does not tell when our own session was used: its date is no better for that.
#[test]
fn a_date_that_nothing_proves_ends_nobody() {
    story(|| async {
        let world = idle_rule(600);
        let live = world.leaked("r1", "alice", 100);
        let mut polls = 0;
        world.after(move |request, answer| {
            let ahead = answer.headers()[http::header::DATE].to_str().unwrap().replace("Mon, 23", "Wed, 25");
            answer.headers_mut().insert(http::header::DATE, ahead.parse().unwrap());
            let is_poll = request.method() == http::Method::GET && request.uri().path().ends_with("/Sessions/");
            polls += i32::from(is_poll);
            if is_poll && polls % 2 == 0 {
                let mut told: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
                let members = told["Members"].as_array_mut().unwrap().iter_mut();
                for ours in members.filter(|member| member["UserName"] == OURS) {
                    assert!(ours["Oem"]["Hpe"].as_object_mut().unwrap().remove("AccessTime").is_some());
                }
                *answer.body_mut() = told.to_string().into();
            }
            Duration::ZERO
        });
        world.run(300).await;
        assert!(world.lives("r1", &live), "{}", world.story());
    });
}

/// An iLO comes back from a reset with the clock of its battery, and somebody logs in before the network tells it better.
async fn logs_in_by_a_wrong_clock(world: &World) -> SessionId {
    let now = world.sky.now();
    world.sky.ilo("r1").reboot(now);
    world.sky.ilo("r1").set_clock_offset(-7200);
    let live = world.leaked("r1", "alice", 0);
    world.pass_ms(10).await;
    world.sky.ilo("r1").set_clock_offset(0);
    live
}

/// An iLO comes back from a reset with a wrong clock. Whoever logs in before the network tells it better looks idle for
/// hours from then on.
#[test]
fn whoever_logged_in_while_a_clock_was_wrong_is_not_idle_for_hours() {
    story(|| async {
        let world = idle_rule(600);
        let running = world.start();
        world.pass(300).await;
        let live = logs_in_by_a_wrong_clock(&world).await;
        world.pass(590).await;
        assert!(world.lives("r1", &live), "{}", world.story());
        world.pass(200).await;
        assert!(!world.lives("r1", &live), "standing still counts: {}", world.story());
        world.stop(running).await;
    });
}

/// The same, where the first look at it tells none of its times: told later, they are of no clock that anybody saw.
#[test]
fn whoever_was_told_without_times_while_a_clock_was_wrong_is_not_idle_for_hours() {
    story(|| async {
        let world = idle_rule(600);
        let running = world.start();
        world.pass(300).await;
        let live = logs_in_by_a_wrong_clock(&world).await;
        let (mut is_first, id) = (true, live.to_string());
        world.after(move |request, answer| {
            let is_poll = request.method() == http::Method::GET && request.uri().path().ends_with("/Sessions/");
            if is_poll && answer.status() == 200 && std::mem::take(&mut is_first) {
                let mut told: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
                for member in told["Members"].as_array_mut().unwrap().iter_mut().filter(|member| member["Id"] == *id) {
                    let times = member["Oem"]["Hpe"].as_object_mut().unwrap();
                    assert!(times.remove("LoginTime").and(times.remove("AccessTime")).is_some());
                }
                *answer.body_mut() = told.to_string().into();
            }
            Duration::ZERO
        });
        world.pass(590).await;
        assert!(world.lives("r1", &live), "{}", world.story());
        world.pass(200).await;
        assert!(!world.lives("r1", &live), "standing still counts: {}", world.story());
        world.stop(running).await;
    });
}

/// Leaves a session out of the `number`-th poll from now on, as if it were not there.
pub(crate) fn hide(world: &World, session: &SessionId, number: usize) {
    let (mut polls, hidden) = (0, session.to_string());
    world.after(move |request, answer| {
        let is_poll = request.method() == http::Method::GET && request.uri().path().ends_with("/Sessions/");
        polls += usize::from(is_poll);
        if is_poll && polls == number {
            let mut told: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
            told["Members"].as_array_mut().unwrap().retain(|member| member["Id"] != hidden.as_str());
            told["Members@odata.count"] = told["Members"].as_array().unwrap().len().into();
            *answer.body_mut() = told.to_string().into();
        }
        Duration::ZERO
    });
}

/// A clock jumps, and the look that sees it does not show everybody.
#[test]
fn whoever_is_hidden_when_a_clock_jumps_is_not_idle_for_a_day() {
    for seen_s in [0, 100] {
        story(|| async move {
            let world = idle_rule(600);
            let running = world.start();
            world.pass(300).await;
            let live = world.leaked("r1", "alice", 0);
            world.pass(seen_s).await;
            world.sky.ilo("r1").set_clock_offset(86_400);
            hide(&world, &live, 1);
            world.pass(580).await;
            assert!(world.lives("r1", &live), "{seen_s}: {}", world.story());
            world.stop(running).await;
        });
    }
}

/// A clock jumps, everybody's times are of the one before, and a later look leaves somebody out for once. We may have
/// been restarted in between.
#[test]
fn whoever_is_hidden_after_a_clock_jumped_is_not_idle_for_a_day() {
    for (number, restarts) in [(1, false), (2, false), (1, true)] {
        story(|| async move {
            let mut world = idle_rule(600);
            let mut running = world.start();
            world.pass(300).await;
            let live = world.leaked("r1", "alice", 0);
            world.sky.ilo("r1").set_clock_offset(86_400);
            world.pass(70).await;
            if restarts {
                world.kill(running).await;
                running = world.start();
            }
            hide(&world, &live, number);
            world.pass(500).await;
            assert!(world.lives("r1", &live), "{number} {restarts}: {}", world.story());
            world.stop(running).await;
        });
    }
}

/// A clock is ahead for a while, and the disk is full meanwhile. When it has room again, what was seen is written down,
/// though nothing changed since: whoever logged in by that clock supersedes nobody, also after a restart.
#[test]
fn what_could_not_be_written_down_is_written_as_soon_as_it_can() {
    story(|| async {
        let mut world = superseded_rule();
        let running = world.start();
        world.pass(300).await;
        world.state.fail(true);
        world.sky.ilo("r1").set_clock_offset(600);
        world.leaked("r1", "alice", 0);
        world.pass(70).await;
        world.sky.ilo("r1").set_clock_offset(0);
        let live = world.leaked("r1", "alice", 0);
        world.pass(70).await;
        world.state.fail(false);
        world.pass(70).await;
        world.kill(running).await;
        world.pass(600).await;
        let running = world.start();
        world.pass(400).await;
        assert!(world.lives("r1", &live), "{}", world.story());
        assert_eq!(world.heard("state.writable").len(), 1);
        world.stop(running).await;
    });
}

/// An iLO leaves logins out for a while, and tells them later: nobody is of another clock for that, also after a restart.
#[test]
fn whoever_was_told_without_a_login_at_first_goes_as_others_do() {
    for restarts in [false, true] {
        story(|| async move {
            let mut world = World::of(&["r1"]);
            // What is written down at the first look is what the next start knows.
            let early = restarts.then(|| world.leaked("r1", "svc-backup", 0));
            let mut polls = 0;
            world.after(move |request, answer| {
                let is_poll = request.method() == http::Method::GET && request.uri().path().ends_with("/Sessions/");
                polls += usize::from(is_poll);
                if is_poll && polls <= 4 {
                    let mut told: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
                    for member in told["Members"].as_array_mut().unwrap() {
                        member["Oem"]["Hpe"].as_object_mut().unwrap().remove("UserLoginTime");
                        member["Oem"]["Hpe"].as_object_mut().unwrap().remove("LoginTime");
                    }
                    *answer.body_mut() = told.to_string().into();
                }
                Duration::ZERO
            });
            let mut running = world.start();
            world.pass(100).await;
            let leaked = early.unwrap_or_else(|| world.leaked("r1", "svc-backup", 0));
            world.pass(300).await;
            if restarts {
                world.kill(running).await;
                running = world.start();
            }
            world.pass(800).await;
            assert!(!world.lives("r1", &leaked), "{restarts}: {}", world.story());
            world.stop(running).await;
        });
    }
}

/// An answer without a date says nothing against whoever logged in just before it.
#[test]
fn whoever_was_first_told_without_a_date_goes_as_others_do() {
    story(|| async {
        let world = World::of(&["r1"]);
        let running = world.start();
        world.pass(100).await;
        let leaked = world.leaked("r1", "svc-backup", 0);
        let mut polls = 0;
        world.after(move |request, answer| {
            let is_poll = request.method() == http::Method::GET && request.uri().path().ends_with("/Sessions/");
            polls += usize::from(is_poll);
            if is_poll && polls == 1 {
                answer.headers_mut().remove(http::header::DATE);
            }
            Duration::ZERO
        });
        world.pass(1100).await;
        assert!(!world.lives("r1", &leaked), "{}", world.story());
        world.stop(running).await;
    });
}
