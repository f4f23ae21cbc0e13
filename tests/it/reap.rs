//! What goes, and what observing does instead.

use std::cell::Cell;
use std::time::Duration;

use ilo_reaper::event::{Case, Event, Gone};
use ilo_reaper::settings::{Caps, Mode};
use ilo_reaper::state::Settled;
use ilo_sim::{Effect, Fault, FaultKind, Matcher, SessionSpec, UpdateState};

use proptest::collection::vec;
use proptest::{prop_assert_eq, prop_oneof};

use crate::harness::{OURS, SCRIPT, World, rule, story};
use crate::law::holds;

/// Deletions are slow, and somebody begins to write firmware after the first.
#[test]
fn firmware_that_comes_between_two_deletions_spares_the_rest() {
    story(|| async {
        let mut world = World::of(&["r1"]);
        world.settings.poll.visit_timeout = Duration::from_secs(120);
        world.settings.caps = Caps { per_visit: 5, per_ilo_minute: 10, share_of_seen_percent: 100, per_minute: 100 };
        let leaked: Vec<_> = (0..3).map(|number| world.leaked("r1", "svc-backup", 1200 + number)).collect();
        world.before(|request, ilo, _| {
            if request.method() == http::Method::DELETE {
                ilo.set_update_state(UpdateState::Writing);
            }
        });
        world.after(
            |request, _| {
                if request.method() == http::Method::DELETE { Duration::from_secs(12) } else { Duration::ZERO }
            },
        );
        let running = world.start();
        world.pass(50).await;
        assert_eq!(leaked.iter().filter(|id| world.lives("r1", id)).count(), 2, "{}", world.story());
        world.kill_only(running).await;
    });
}

#[test]
fn what_a_script_leaked_goes_and_what_somebody_uses_stays() {
    story(|| async {
        let world = World::of(&["r1"]);
        let leaked: Vec<_> = (0..4).map(|number| world.leaked("r1", "svc-backup", 1200 + number)).collect();
        let used = world.leaked("r1", "alice", 3600);
        let running = world.start();
        for _ in 0..20 {
            world.sky.ilo("r1").touch(&used, world.sky.now());
            world.pass(30).await;
        }
        world.stop(running).await;
        assert!(leaked.iter().all(|id| !world.lives("r1", id)), "{}", world.story());
        assert!(world.lives("r1", &used), "{}", world.story());
        assert_eq!(world.heard("session.reaped").len(), 4);
        assert_eq!(world.logins("r1"), 1);
    });
}

#[test]
fn every_deletion_is_told_and_on_record_with_rule_and_numbers() {
    story(|| async {
        let world = World::of(&["r1"]);
        let gone = world.leaked("r1", "svc-backup", 1000);
        world.run(61).await;
        let heard = world.heard("session.reaped");
        let [Event::SessionReaped { at, case, gone: Gone::Ended }] = heard.as_slice() else {
            panic!("{}", world.story())
        };
        assert_eq!((at.ilo.as_str(), at.group.as_str()), ("r1", "rack-1"));
        assert_eq!((case.session.id.to_string(), case.rule.as_str()), (gone.to_string(), "never-used"));
        assert!(case.why.starts_with("never-used (never used, idle 10"), "{}", case.why);
        let records = world.state.records();
        assert_eq!(records.len(), 1);
        assert_eq!((&records[0].0.case, &records[0].1), (case, &Some(Settled::Gone(Gone::Ended))));
    });
}

/// Rule 9 of the design.
#[test]
fn observing_names_the_same_victims_and_sends_nothing_but_questions() {
    story(|| async {
        let mut victims = Vec::new();
        for mode in [Mode::Observe, Mode::Enforce] {
            let mut world = World::of(&["r1"]);
            world.targets(|target| target.mode = mode);
            for number in 0..7 {
                world.leaked("r1", "svc-backup", 1200 + 7 * number);
            }
            world.leaked("r1", "alice", 100);
            world.run(600).await;
            let event = if mode == Mode::Observe { "session.would_reap" } else { "session.reaped" };
            let mut names: Vec<String> = world.heard(event).iter().map(session_of).collect();
            names.sort();
            victims.push(names);
            if mode == Mode::Observe {
                for logged in world.log("r1") {
                    let own = matches!(&logged.effect, Some(Effect::LoggedIn { .. }))
                        || matches!(&logged.effect, Some(Effect::Ended { owner, .. }) if owner == OURS);
                    assert!(logged.method == "GET" || own, "{logged:?}");
                }
                assert!(world.state.records().is_empty());
            }
        }
        assert_eq!(victims[0].len(), 7, "each once");
        assert_eq!(victims[0], victims[1]);
    });
}

/// One look at the same table in each mode: the plan is one and the same, with its order, rules and numbers, and
/// only what becomes of it differs.
#[test]
fn what_observing_would_end_is_what_enforcing_ends_whatever_the_table() {
    let sessions = vec((0..3usize, prop_oneof![0..200u64, 500..1300u64]), 1..12);
    holds(40, &sessions, |sessions| {
        let cases = Cell::new(Vec::new());
        story(|| async {
            for mode in [Mode::Observe, Mode::Enforce] {
                let mut world = World::with(&["r1"], |spec| spec.limit = 40);
                world.settings.caps =
                    Caps { per_visit: 100, per_ilo_minute: 100, share_of_seen_percent: 100, per_minute: 100 };
                world.targets(|target| target.mode = mode);
                for (owner, ago_s) in &sessions {
                    world.leaked("r1", ["svc-backup", "alice", OURS][*owner], *ago_s);
                }
                // A table that fills is looked at again after 15 s.
                world.run(20).await;
                let event = if mode == Mode::Observe { "session.would_reap" } else { "session.reaped" };
                let mut all = cases.take();
                all.push(world.heard(event).iter().map(case_of).collect::<Vec<_>>());
                cases.set(all);
            }
        });
        let [would, did] = &cases.take()[..] else { return Ok(false) };
        prop_assert_eq!(would, did);
        Ok(!would.is_empty())
    });
}

fn case_of(event: &Event) -> Case {
    match event {
        Event::SessionReaped { case, .. } | Event::SessionWouldReap { case, .. } => case.clone(),
        other => panic!("{other:?}"),
    }
}

fn session_of(event: &Event) -> String {
    match event {
        Event::SessionReaped { case, .. } | Event::SessionWouldReap { case, .. } => case.session.id.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_session_used_between_the_plan_and_the_look_lives() {
    story(|| async {
        let world = World::of(&["r1"]);
        let back = world.leaked("r1", "svc-backup", 1200);
        let id = back.clone();
        world.before(move |request, ilo, now| {
            if request.method() == http::Method::GET && request.uri().path().contains(id.as_str()) {
                ilo.touch(&id, now);
            }
        });
        world.run(61).await;
        assert!(world.lives("r1", &back));
        let heard = world.heard("session.spared");
        assert!(
            matches!(heard.as_slice(), [Event::SessionSpared { why, .. }] if why == "it was used since"),
            "{heard:?}"
        );
        assert!(matches!(&world.state.records()[..], [(_, Some(Settled::Spared(_)))]));
    });
}

#[test]
fn a_session_that_ended_by_itself_before_the_look_is_no_deletion() {
    story(|| async {
        let world = World::of(&["r1"]);
        let gone = world.leaked("r1", "svc-backup", 1200);
        let id = gone.clone();
        world.before(move |request, ilo, _| {
            if request.uri().path().contains(id.as_str()) {
                ilo.end(&id);
            }
        });
        world.run(61).await;
        assert!(world.heard("session.reaped").is_empty());
        assert_eq!(world.heard("session.spared").len(), 1);
    });
}

#[test]
fn a_lost_answer_to_a_delete_is_told_and_the_next_visit_finds_out() {
    story(|| async {
        let world = World::of(&["r1"]);
        let gone = world.leaked("r1", "svc-backup", 1200);
        let other = world.leaked("r1", "svc-backup", 1100);
        let on = Matcher::new(http::Method::DELETE, "/redfish/v1/SessionService/Sessions/");
        world.sky.ilo("r1").inject(Fault { on, what: FaultKind::LoseReply });
        world.run(300).await;
        assert!(!world.lives("r1", &gone) && !world.lives("r1", &other));
        assert_eq!(world.heard("reap.failed").len(), 1, "{}", world.story());
        let deletes = world.log("r1").iter().filter(|l| l.method == "DELETE" && l.path.contains(gone.as_str())).count();
        assert_eq!(deletes, 1, "never a blind second DELETE");
    });
}

#[test]
fn nobody_goes_while_firmware_is_on_its_way() {
    story(|| async {
        for state in [UpdateState::Uploading, UpdateState::Verifying, UpdateState::Writing, UpdateState::Updating] {
            let world = World::of(&["r1"]);
            let leaked = world.leaked("r1", "svc-backup", 1200);
            world.sky.ilo("r1").set_update_state(state);
            let running = world.start();
            world.pass(300).await;
            assert!(world.lives("r1", &leaked), "{state:?}");
            world.sky.ilo("r1").set_update_state(UpdateState::Complete);
            world.pass(120).await;
            assert!(!world.lives("r1", &leaked), "{state:?}");
            world.stop(running).await;
            assert_eq!(world.heard("session.spared").len(), 1, "said once: {}", world.story());
        }
    });
}

#[test]
fn caps_hold_deletions_back_and_that_is_told_once_and_recorded() {
    story(|| async {
        let mut world = World::with(&["r1"], |spec| spec.limit = 40);
        world.settings.caps = Caps { per_visit: 3, per_ilo_minute: 4, share_of_seen_percent: 100, per_minute: 100 };
        for number in 0..9 {
            world.leaked("r1", "svc-backup", 2000 + number);
        }
        let running = world.start();
        // A table that fills is looked at again after 15 s.
        world.pass(20).await;
        assert_eq!(world.heard("session.reaped").len(), 3, "one visit: {}", world.story());
        let capped = world.heard("reap.capped");
        assert!(
            matches!(capped.as_slice(), [Event::ReapCapped { cap: "per_visit", wanted: 9, done: 3, .. }]),
            "{capped:?}"
        );
        let held_back = |world: &World| {
            let records = world.state.records();
            records.iter().filter(|(_, settled)| matches!(settled, Some(Settled::HeldBack(_)))).count()
        };
        assert_eq!(held_back(&world), 6);
        world.pass(300).await;
        world.stop(running).await;
        assert_eq!(world.heard("session.reaped").len(), 9);
        assert_eq!(world.heard("reap.capped").len(), 1, "said once while it lasts");
        assert_eq!(held_back(&world), 6, "and recorded once each");
    });
}

#[test]
fn the_fleets_deletions_per_minute_are_bounded_exactly() {
    story(|| async {
        let names: Vec<String> = (0..40).map(|number| format!("r{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut world = World::with(&names, |spec| spec.limit = 40);
        world.settings.caps.per_minute = 15;
        for name in &names {
            for number in 0..4 {
                world.leaked(name, "svc-backup", 2000 + number);
            }
        }
        let running = world.start();
        world.pass(59).await;
        assert_eq!(world.heard("session.reaped").len(), 15, "{}", world.story());
        world.pass(60).await;
        assert_eq!(world.heard("session.reaped").len(), 30);
        world.stop(running).await;
    });
}

#[test]
fn no_deletion_begins_after_a_stop_began() {
    story(|| async {
        let mut world = World::with(&["r1"], |spec| spec.limit = 40);
        world.settings.caps = Caps { per_visit: 30, per_ilo_minute: 30, share_of_seen_percent: 100, per_minute: 100 };
        let leaked: Vec<_> = (0..20).map(|number| world.leaked("r1", "svc-backup", 2000 + number)).collect();
        let running = world.start();
        while world.heard("session.reaped").is_empty() && !world.log("r1").iter().any(|l| l.method == "DELETE") {
            tokio::time::advance(Duration::from_millis(5)).await;
        }
        let deletes = |world: &World| world.log("r1").iter().filter(|l| l.method == "DELETE").count();
        let before = deletes(&world);
        world.stop(running).await;
        assert!(deletes(&world) <= before + 2, "one in flight, and our own log-out");
        assert!(leaked.iter().filter(|id| world.lives("r1", id)).count() >= 18);
        assert_eq!(world.ours("r1"), 0);
    });
}

#[test]
fn a_policy_that_changes_during_a_visit_is_asked_before_each_delete() {
    story(|| async {
        let mut world = World::of(&["r1"]);
        let leaked = world.leaked("r1", "svc-backup", 1200);
        world.settings.poll.exchange_timeout = Duration::from_secs(15);
        let running = world.start();
        world
            .policy(|policy| policy.reap = vec![rule("later", |asked| asked.idle = Some(Duration::from_secs(86_400)))]);
        let (settings, commands) = (world.settings.clone(), running.commands.clone());
        let mut sent = false;
        world.before(move |request, _, _| {
            if request.uri().path().ends_with("UpdateService/") && !sent {
                sent = true;
                commands.try_send(ilo_reaper::fleet::Command::Replace(settings.clone().into())).unwrap();
            }
        });
        world.pass(120).await;
        world.stop(running).await;
        assert!(world.lives("r1", &leaked), "{}", world.story());
        let heard = world.heard("session.spared");
        assert!(matches!(heard.as_slice(), [Event::SessionSpared { why, .. }] if why.contains("policy in force now")));
    });
}

#[test]
fn an_account_that_may_not_end_others_tries_once_an_hour() {
    story(|| async {
        let world = World::with(&["r1"], |spec| {
            spec.accounts[0] = ilo_sim::Account::operator(OURS, "right");
        });
        let leaked = world.leaked("r1", "svc-backup", 1200);
        world.run(2 * 3600).await;
        assert!(world.lives("r1", &leaked));
        let deletes =
            world.log("r1").iter().filter(|l| l.method == "DELETE" && l.path.contains(leaked.as_str())).count();
        assert_eq!(deletes, 2, "{}", world.story());
        assert_eq!(world.heard("ilo.delete_forbidden").len(), 1);
        assert_eq!(world.ours("r1"), 0, "our own log-out needs no such right");
    });
}

/// It is the account that keeps them, and not a cap; and of what no cap kept there is no record.
#[test]
fn where_our_account_may_not_end_others_no_cap_is_blamed() {
    story(|| async {
        let mut world = World::with(&["r1"], |spec| {
            spec.accounts[0] = ilo_sim::Account::operator(OURS, "right");
        });
        world.settings.caps.share_of_seen_percent = 50;
        world.leaked("r1", "svc-backup", 1200);
        let running = world.start();
        world.pass(130).await;
        assert_eq!(world.heard("ilo.delete_forbidden").len(), 1, "{}", world.story());
        world.leaked("r1", "svc-backup", 0);
        world.leaked("r1", "svc-backup", 0);
        world.pass(1500).await;
        assert!(world.heard("reap.capped").is_empty(), "{}", world.story());
        world.stop(running).await;
    });
}

#[test]
fn web_and_console_sessions_stay_beside_what_goes() {
    story(|| async {
        let world = World::of(&["r1"]);
        let web = world.admit("r1", SessionSpec::web("alice", SCRIPT), 7200);
        let console = world.admit("r1", SessionSpec::console("alice", SCRIPT), 7200);
        let leaked = world.leaked("r1", "alice", 7200);
        world.run(120).await;
        assert!(world.lives("r1", &web) && world.lives("r1", &console) && !world.lives("r1", &leaked));
    });
}

/// The retry is the next visit, from a fresh look.
#[test]
fn a_lost_answer_ends_the_visit() {
    story(|| async {
        let world = World::of(&["r1"]);
        for number in 0..4 {
            world.leaked("r1", "svc-backup", 1200 + number);
        }
        let on = Matcher::new(http::Method::DELETE, "/redfish/v1/SessionService/Sessions/");
        world.sky.ilo("r1").inject(Fault { on, what: FaultKind::LoseReply });
        let running = world.start();
        while world.heard("reap.failed").is_empty() {
            world.pass(1).await;
        }
        assert_eq!(world.log("r1").last().map(|logged| logged.method.clone()).as_deref(), Some("DELETE"));
        assert!(world.heard("session.reaped").is_empty(), "{}", world.story());
        world.pass(200).await;
        world.stop(running).await;
        assert_eq!(world.heard("session.reaped").len(), 3);
    });
}
