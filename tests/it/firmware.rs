//! One daemon, every firmware: what differs is read from the answers.

use ilo_sim::{Fault, FaultKind, Matcher, Personality, SessionSpec, UpdateState};

use crate::harness::{SCRIPT, World, story};

const SESSIONS: &str = "/redfish/v1/SessionService/Sessions/";

/// Firmware that tells when a session was last used. What an iLO 4 calls a token session no source says; here it calls
/// it as the others do.
fn ilos() -> impl Iterator<Item = Personality> {
    Personality::ALL.iter().copied().filter(|one| one.name().starts_with("ilo"))
}

fn world(personality: Personality) -> World {
    World::with(&["r1"], |spec| {
        spec.personality = personality;
        spec.rest_tag = Some(String::from("REST"));
    })
}

#[test]
fn on_every_firmware_an_orphan_goes_and_whoever_is_at_work_stays() {
    for personality in ilos() {
        story(|| async move {
            let world = world(personality);
            let orphan = world.leaked("r1", "svc-backup", 1200);
            let works = world.leaked("r1", "svc-backup", 0);
            let person = world.admit("r1", SessionSpec::web("alice", SCRIPT), 7200);
            let running = world.start();
            for _ in 0..10 {
                world.pass(60).await;
                world.sky.ilo("r1").touch(&works, world.sky.now());
            }
            assert!(!world.lives("r1", &orphan), "{personality}: {}", world.story());
            assert!(world.lives("r1", &works) && world.lives("r1", &person), "{personality}: {}", world.story());
            assert_eq!((world.logins("r1"), world.ours("r1")), (1, 1), "{personality}");
            assert!(world.heard("ilo.unreachable").is_empty(), "{personality}");
            world.stop(running).await;
            assert_eq!(world.ours("r1"), 0, "{personality}: {}", world.story());
        });
    }
}

#[test]
fn on_every_firmware_nobody_goes_while_it_is_written() {
    for personality in ilos() {
        story(|| async move {
            let world = world(personality);
            let orphan = world.leaked("r1", "svc-backup", 1200);
            world.sky.ilo("r1").set_update_state(UpdateState::Writing);
            let running = world.start();
            world.pass(300).await;
            assert!(world.lives("r1", &orphan), "{personality}: {}", world.story());
            world.sky.ilo("r1").set_update_state(UpdateState::Complete);
            world.pass(120).await;
            assert!(!world.lives("r1", &orphan), "{personality}: {}", world.story());
            world.stop(running).await;
        });
    }
}

/// A service that does not tell when a session was last used.
#[test]
fn where_nobody_tells_the_last_use_sessions_are_only_reported() {
    for personality in [Personality::Generic, Personality::OpenBmc, Personality::Mockup] {
        story(|| async move {
            let world = world(personality);
            let old = world.leaked("r1", "svc-backup", 90_000);
            let running = world.start();
            world.pass(600).await;
            assert!(world.lives("r1", &old), "{personality}: {}", world.story());
            assert!(world.heard("ilo.unreachable").is_empty(), "{personality}: {}", world.story());
            assert_eq!(world.login_requests("r1"), 1, "{personality}: {}", world.story());
            world.stop(running).await;
            assert!(world.log("r1").iter().any(|logged| logged.method == "DELETE"), "{personality}: we logged out");
        });
    }
}

/// No source says what an iLO 4 calls a session of Redfish; it may call it unknown.
#[test]
fn a_session_that_an_ilo_4_can_not_name_is_spared_and_so_is_ours_ended_at_a_stop() {
    story(|| async {
        let world = World::with(&["r1"], |spec| spec.personality = Personality::Ilo4V255);
        let orphan = world.admit("r1", SessionSpec::tagged("svc-backup", SCRIPT, "Unknown"), 1200);
        let running = world.start();
        world.pass(600).await;
        assert!(world.lives("r1", &orphan), "{}", world.story());
        world.stop(running).await;
        assert_eq!(world.ours("r1"), 0, "{}", world.story());
    });
}

/// The session ended between our look and our DELETE, and the answer to that is 401, as some services say it.
#[test]
fn a_refusal_that_means_already_gone_costs_no_login() {
    story(|| async {
        let world = World::of(&["r1"]);
        let orphan = world.leaked("r1", "svc-backup", 1200);
        let (id, mut answered) = (orphan.clone(), false);
        world.before(move |request, ilo, _| {
            if request.method() == http::Method::DELETE && !std::mem::replace(&mut answered, true) {
                ilo.end(&id);
            }
        });
        world.after(|request, answer| {
            if request.method() == http::Method::DELETE && answer.status() == 404 {
                *answer.status_mut() = http::StatusCode::UNAUTHORIZED;
            }
            std::time::Duration::ZERO
        });
        let running = world.start();
        world.pass(600).await;
        assert_eq!((world.logins("r1"), world.ours("r1")), (1, 1), "{}", world.story());
        assert!(world.heard("ilo.login_rejected").is_empty(), "{}", world.story());
        world.stop(running).await;
        assert_eq!(world.ours("r1"), 0);
    });
}

/// Which status tells a lack of privilege no source says. One that is also that of a dead session must not cost a login,
/// and so a place in the table, each time.
#[test]
fn a_refusal_that_looks_like_a_dead_session_fills_no_table() {
    story(|| async {
        let world = World::of(&["r1"]);
        world.leaked("r1", "svc-backup", 1200);
        world.leaked("r1", "svc-backup", 1200);
        world.before(|request, ilo, _| {
            if request.method() == http::Method::DELETE {
                let denied = http::Response::builder().status(401).body(bytes::Bytes::new()).unwrap();
                ilo.inject(Fault { on: Matcher::new(http::Method::DELETE, ""), what: FaultKind::Answer(denied) });
            }
        });
        let running = world.start();
        world.pass(7400).await;
        assert_eq!((world.logins("r1"), world.ours("r1")), (1, 1), "{}", world.story());
        // Once for whatever it was, then it is a privilege that is missing; and an hour later again.
        let deletes = world.log("r1").iter().filter(|logged| logged.method == "DELETE").count();
        assert_eq!(deletes, 4, "{}", world.story());
        assert_eq!(world.heard("ilo.delete_forbidden").len(), 1, "{}", world.story());
        world.stop(running).await;
    });
}

/// Ids tell an owner in small letters, and one made of digits looks like a time. Only what the member itself says counts.
#[test]
fn an_owner_is_who_the_member_says_and_not_what_its_id_looks_like() {
    story(|| async {
        let mut world = World::of(&["r1"]);
        world.policy(|policy| {
            policy.reap = vec![crate::harness::rule("idle", |asked| {
                asked.idle = Some(std::time::Duration::from_secs(600));
                asked.owner = Some(["CTOBMAAS", "deadbeef*"].map(ilo_reaper::settings::Glob::new).to_vec());
            })];
        });
        let maas = world.leaked("r1", "Ctobmaas", 1200);
        let hex = world.leaked("r1", "deadbeef000000006859b3f1", 1200);
        let other = world.leaked("r1", "deadbee", 1200);
        assert!(maas.as_str().starts_with("ctobmaas0000"));
        let running = world.start();
        world.pass(600).await;
        assert!(!world.lives("r1", &maas) && !world.lives("r1", &hex), "{}", world.story());
        assert!(world.lives("r1", &other), "{}", world.story());
        world.stop(running).await;
    });
}

/// Half of the table comes on another page, which nobody asks for.
#[test]
fn a_table_that_comes_in_pages_ends_nobody() {
    story(|| async {
        let world = World::of(&["r1"]);
        let orphan = world.leaked("r1", "svc-backup", 1200);
        world.after(|request, answer| {
            if request.method() == http::Method::GET && request.uri().path() == SESSIONS {
                let told = String::from_utf8(answer.body().to_vec()).unwrap();
                let next = format!("\"Members@odata.nextLink\":\"{SESSIONS}?$skip=5\",\"Members\"");
                *answer.body_mut() = told.replacen("\"Members\"", &next, 1).into();
            }
            std::time::Duration::ZERO
        });
        let running = world.start();
        world.pass(600).await;
        assert!(world.lives("r1", &orphan), "{}", world.story());
        assert!(world.log("r1").iter().all(|logged| logged.query.as_deref() != Some("$skip=5")));
        world.stop(running).await;
    });
}
