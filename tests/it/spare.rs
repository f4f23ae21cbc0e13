//! What lives, whatever it looks like: each under rules that would take everything they may.

use ilo_reaper::settings::{Glob, Protection, Rule};
use ilo_reaper::time::Timestamp;
use ilo_sim::{Effect, SessionSpec, Spec};
use std::time::Duration;

use crate::harness::{BEGIN_S, OURS, SCRIPT, World, rule, story};

/// The boldest rule that can be written: any token session idle for a second.
fn everything() -> Rule {
    rule("everything", |asked| asked.idle = Some(Duration::from_secs(1)))
}

fn bold(names: &[&str], change: impl Fn(&mut Spec)) -> World {
    let mut world = World::with(names, |spec| {
        spec.limit = 40;
        change(spec);
    });
    world.policy(|policy| policy.reap = vec![everything()]);
    world.settings.caps.share_of_seen_percent = 100;
    world.settings.caps.per_visit = 40;
    world
}

#[test]
fn what_is_not_a_local_token_session_from_the_network_lives() {
    story(|| async {
        let world = bold(&["r1"], |_| {});
        let rest = |owner: &str, origin: &str| SessionSpec::rest(owner, origin.parse().unwrap());
        let typed = |user_type: &str| SessionSpec { user_type: user_type.to_owned(), ..rest("alice", "192.0.2.9") };
        let tagged = |tag: &str| SessionSpec { tag: tag.to_owned(), ..rest("alice", "192.0.2.9") };
        let spared = [
            rest(OURS, "192.0.2.9"),
            rest(&OURS.to_uppercase(), "192.0.2.9"),
            rest("_HPOneViewAdmin", "192.0.2.9"),
            rest("AMS", "192.0.2.9"),
            rest("alice", "127.0.0.1"),
            rest("alice", "16.1.15.2"),
            rest("alice", "::1"),
            SessionSpec::web("alice", SCRIPT),
            SessionSpec::ssh("alice", SCRIPT),
            SessionSpec::console("alice", SCRIPT),
            tagged("IPMI/RMCP"),
            tagged("RESTHost"),
            tagged("Host Application"),
            tagged("WSMgmt"),
            tagged("something new"),
            tagged(""),
            typed("Directory"),
            typed("Single Sign On"),
            typed("Federation"),
            typed("System"),
            typed("Trusted Key"),
            typed(""),
        ];
        let ids: Vec<_> = spared.iter().map(|spec| (spec, world.admit("r1", spec.clone(), 90_000))).collect();
        let leaked = world.leaked("r1", "alice", 90_000);
        world.run(300).await;
        for (spec, id) in ids {
            assert!(world.lives("r1", &id), "{spec:?}\n{}", world.story());
        }
        assert!(!world.lives("r1", &leaked), "the rule does take what it may");
    });
}

#[test]
fn a_protection_beats_every_rule_until_it_ends() {
    story(|| async {
        let mut world = bold(&["r1"], |_| {});
        let until = Timestamp::from_unix_s(i64::try_from(BEGIN_S + 600).unwrap());
        world.policy(|policy| {
            let conditions =
                ilo_reaper::settings::Conditions { owner: Some(vec![Glob::new("svc-*")]), ..Default::default() };
            policy.protect = vec![Protection { id: String::from("change-1"), conditions, until: Some(until) }];
        });
        let protected = world.leaked("r1", "SVC-backup", 90_000);
        let running = world.start();
        world.pass(595).await;
        assert!(world.lives("r1", &protected));
        world.pass(100).await;
        assert!(!world.lives("r1", &protected), "{}", world.story());
        world.stop(running).await;
    });
}

/// A session used a minute before its clock went a day forward is not idle for a day.
#[test]
fn a_clock_that_jumps_ends_nobody() {
    for jump_s in [86_400, 700, 30, -86_400, -700, -30, 300_000_000] {
        story(|| async move {
            let world = bold(&["r1"], |_| {});
            let mut world = world;
            world
                .policy(|policy| policy.reap = vec![rule("idle", |asked| asked.idle = Some(Duration::from_secs(600)))]);
            let live = world.leaked("r1", "alice", 100);
            let running = world.start();
            world.pass(61).await;
            world.sky.ilo("r1").touch(&live, world.sky.now());
            world.sky.ilo("r1").set_clock_offset(jump_s);
            world.pass(500).await;
            assert!(world.lives("r1", &live), "{jump_s}: {}", world.story());
            assert_eq!(world.heard("ilo.clock_wrong").len(), 1, "{jump_s}");
            let leaked = world.leaked("r1", "svc-backup", 0);
            world.pass(800).await;
            assert!(
                !world.lives("r1", &leaked),
                "who comes after the jump is judged again: {jump_s} {}",
                world.story()
            );
            world.stop(running).await;
        });
    }
}

#[test]
fn a_clock_that_was_always_wrong_does_no_harm() {
    story(|| async {
        let world = World::with(&["r1"], |spec| spec.clock_offset_s = -745_000_000);
        let live = world.leaked("r1", "alice", 500);
        let leaked = world.leaked("r1", "svc-backup", 900);
        world.run(90).await;
        assert!(world.lives("r1", &live) && !world.lives("r1", &leaked), "{}", world.story());
        let heard = world.heard("ilo.clock_wrong");
        assert!(matches!(heard.as_slice(), [ilo_reaper::event::Event::ClockWrong { skew_s: Some(-745_000_000), .. }]));
    });
}

/// Bad data from an iLO spares sessions: every kind of wrong answer to the poll, for an hour.
#[test]
fn answers_that_make_no_sense_end_nobody() {
    let id = |name: &str| format!("/redfish/v1/SessionService/Sessions/{name}");
    let member = |path: &str, extra: &str| {
        format!(
            r#"{{"@odata.id":"{path}","Id":"x","UserName":"alice","Oem":{{"Hpe":{{"AccessTime":"2001-01-01T00:00:00Z","LoginTime":"2001-01-01T00:00:00Z","UserIP":"192.0.2.9","UserTag":"REST","UserType":"Local"{extra}}}}}}}"#
        )
    };
    let whole = member(&id("x"), "");
    let bodies = [
        ("text/html", String::from("<html>please log in</html>")),
        ("application/json", String::from("<html>please log in</html>")),
        ("application/json", String::new()),
        ("application/json", String::from("null")),
        ("application/json", String::from("[1,2,3]")),
        ("application/json", String::from(r#"{"Members":null}"#)),
        ("application/json", String::from(r#"{"Members":{"a":1}}"#)),
        ("application/json", format!(r#"{{"Members":[{}"#, "[".repeat(100_000))),
        ("application/json", format!(r#"{{"Members":[{whole}],"Members@odata.count":7}}"#)),
        ("application/json", format!(r#"{{"Members":[{whole},{whole}]}}"#)),
        ("application/json", format!(r#"{{"Members":[{whole}],"Members@odata.nextLink":"{}"}}"#, id("?p=2"))),
        ("application/json", format!(r#"{{"Members":[{}]}}"#, member("/redfish/v1/Systems/1", ""))),
        ("application/json", format!(r#"{{"Members":[{}]}}"#, member(&id("../../Systems/1"), ""))),
        ("application/json", format!(r#"{{"Members":[{whole}]}}"#)),
        ("application/json", format!(r#"{{"Members":[{}]}}"#, member(&id("x"), r#","MySession":true"#))),
    ];
    for (content_type, body) in bodies {
        let shown: String = body.chars().take(200).collect();
        story(|| async move {
            let world = bold(&["r1"], |_| {});
            let victim = world.leaked("r1", "alice", 90_000);
            let answer = http::Response::builder()
                .header("Content-Type", content_type)
                .header("Date", "Mon, 23 Jun 2025 20:08:14 GMT")
                .body(bytes::Bytes::from(body))
                .unwrap();
            for _ in 0..100 {
                let on = ilo_sim::Matcher::new(http::Method::GET, "/redfish/v1/SessionService/Sessions/");
                world.sky.ilo("r1").inject(ilo_sim::Fault { on, what: ilo_sim::FaultKind::Answer(answer.clone()) });
            }
            let running = world.start();
            world.pass(600).await;
            assert!(world.lives("r1", &victim), "{shown}\n{}", world.story());
            let others = |l: &&ilo_sim::Logged| matches!(&l.effect, Some(Effect::Ended { owner, .. }) if owner != OURS);
            let log = world.log("r1");
            assert_eq!(log.iter().filter(others).count(), 0, "{shown}");
            assert!(!log.iter().any(|l| l.method == "DELETE" && l.path.contains("Systems")), "{shown}");
            world.kill_only(running).await;
        });
    }
}
