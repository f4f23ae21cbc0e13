//! The session table: it fills, it empties, and it holds a little more than meets the eye.

use super::*;
use crate::{Effect, Fault, FaultKind, Matcher, Refusal};

#[test]
fn the_table_fills_and_the_next_login_is_refused() {
    let mut world = World::new(|spec| spec.limit = 2);
    world.login("admin", "secret123");
    world.login("admin", "secret123");
    let refused = world.try_login("admin", "secret123");
    assert_eq!(refused.status, 503);
    assert_eq!(refused.message(), "Base.1.18.SessionLimitExceeded");
    assert_eq!(refused.header("X-Auth-Token"), "");
    assert_eq!(world.get(SESSIONS, By::Basic("admin", "secret123")).status, 503, "Basic needs a place too");
    let last = world.ilo.log().last().unwrap();
    assert_eq!(last.effect, Some(Effect::Refused(Refusal::TableFull)));
    assert_eq!(world.sessions(), 2);
}

#[test]
fn whoever_holds_a_session_is_served_while_the_table_is_full_and_can_make_room() {
    let mut world = World::new(|spec| spec.limit = 2);
    let reaper = world.login("admin", "secret123");
    let orphan = world.admit("script");
    assert_eq!(world.try_login("op", "pw").status, 503);
    assert_eq!(world.delete(&orphan, By::Token(&reaper.token)).status, 200);
    assert_eq!(world.try_login("op", "pw").status, 201);
}

#[test]
fn idle_sessions_end_on_the_minute_and_used_ones_do_not() {
    let mut world = World::plain();
    let (idle, used) = (world.login("admin", "secret123"), world.login("admin", "secret123"));
    world.pass(29);
    assert_eq!(world.get(SERVICE, By::Token(&used.token)).status, 200);
    assert_eq!(world.sessions(), 2);
    world.pass(1);
    let answer = world.get(SERVICE, By::Token(&idle.token));
    assert_eq!((answer.status.as_u16(), answer.message()), (401, "Base.1.18.NoValidSession"));
    assert_eq!(world.get(SERVICE, By::Token(&used.token)).status, 200);
    assert_eq!(world.sessions(), 1);
}

#[test]
fn with_time_out_zero_no_session_ends_and_each_says_it_expires_at_its_last_access() {
    let mut world = World::new(|spec| spec.session_timeout_min = 0);
    let old = world.login("admin", "secret123");
    world.pass(60 * 24 * 365);
    let answer = world.get(&format!("{SESSIONS}?$expand=."), By::Token(&old.token));
    let oem = &answer.members()[0]["Oem"]["Hpe"];
    assert_eq!(oem["UserExpires"], oem["AccessTime"]);
    assert_ne!(oem["AccessTime"], oem["LoginTime"]);
    assert_eq!(world.get(SERVICE, By::Token(&old.token)).body["SessionTimeout"], 0);
}

#[test]
fn a_console_with_virtual_media_outlives_the_time_out() {
    let mut world = World::plain();
    let console = SessionSpec { virtual_media: true, ..SessionSpec::console("admin", PEER) };
    world.ilo.admit(world.now, console);
    world.ilo.admit(world.now, SessionSpec::console("admin", PEER));
    world.pass(300);
    assert_eq!(world.sessions(), 1);
}

#[test]
fn basic_authentication_shows_itself_in_its_own_answer_and_is_gone_afterwards() {
    let mut world = World::plain();
    world.login("op", "pw");
    let answer = world.get(&format!("{SESSIONS}?$expand=."), By::Basic("admin", "secret123"));
    let mine: Vec<_> = answer.members().iter().filter(|member| member["Oem"]["Hpe"]["MySession"] == true).collect();
    let [mine] = mine[..] else { panic!("one session is the client's own: {}", answer.body) };
    assert_eq!(answer.members().len(), 2);
    assert_eq!(answer.body["Oem"]["Hpe"]["Links"]["MySession"]["@odata.id"], mine["@odata.id"]);
    let gone = world.get(mine["@odata.id"].as_str().unwrap(), By::Basic("admin", "secret123"));
    assert_eq!((gone.status.as_u16(), gone.message()), (404, "Base.1.18.ResourceMissingAtURI"));
    assert_eq!(world.sessions(), 1);
}

#[test]
fn basic_authentication_may_leave_every_nth_session_behind() {
    let mut world = World::new(|spec| spec.basic_leaves_every = std::num::NonZeroU32::new(3));
    for _ in 0..7 {
        world.get(SERVICE, By::Basic("admin", "secret123"));
    }
    assert_eq!(world.sessions(), 2);
    let left = world.ilo.log().iter().filter(|logged| matches!(logged.effect, Some(Effect::LeftBehind { .. })));
    assert_eq!(left.count(), 2);
}

#[test]
fn a_lost_reply_to_a_login_leaves_a_session_that_nobody_can_use() {
    let mut world = World::plain();
    world.ilo.inject(Fault { on: Matcher::new(Method::POST, SESSIONS), what: FaultKind::LoseReply });
    assert_eq!(world.get(ROOT, By::Nobody).delivery, Delivery::Whole, "the fault waits for its request");
    assert_eq!(world.try_login("admin", "secret123").delivery, Delivery::Lost);
    assert_eq!(world.sessions(), 1);
    assert_eq!(world.try_login("admin", "secret123").delivery, Delivery::Whole, "it happens once");
    assert_eq!(world.ilo.pending_faults().count(), 0);
}

#[test]
fn faults_that_stop_the_work_change_nothing() {
    let mut world = World::plain();
    let busy = http::Response::builder().status(503).body(Bytes::new()).unwrap();
    for what in [FaultKind::Hang, FaultKind::Answer(busy)] {
        world.ilo.inject(Fault { on: Matcher::any(), what });
    }
    assert_eq!(world.try_login("admin", "secret123").delivery, Delivery::Never);
    assert_eq!(world.try_login("admin", "secret123").status, 503);
    assert_eq!(world.sessions(), 0);
    let statuses: Vec<_> = world.ilo.take_log().into_iter().map(|logged| logged.status).collect();
    assert_eq!(statuses, [None, Some(503)]);
    assert!(world.ilo.log().is_empty());
}

#[test]
fn a_reboot_ends_every_session_and_is_silent_until_it_is_over() {
    let mut world = World::new(|spec| spec.boot_time = Duration::from_secs(120));
    let login = world.login("admin", "secret123");
    world.ilo.reboot(world.now);
    assert_eq!(world.get(ROOT, By::Nobody).delivery, Delivery::Lost);
    world.pass(2);
    assert_eq!(world.get(ROOT, By::Nobody).status, 200);
    assert_eq!(world.get(SERVICE, By::Token(&login.token)).status, 401);
    assert_eq!(world.sessions(), 0);
}

#[test]
fn the_world_can_use_and_end_sessions_without_a_request() {
    let mut world = World::plain();
    let (used, idle) = (world.admit("a"), world.admit("b"));
    world.pass(20);
    assert!(world.ilo.touch(&used, world.now));
    world.pass(20);
    assert!(!world.ilo.touch(&idle, world.now), "it timed out meanwhile");
    assert!(world.ilo.session(&used, world.now).is_some());
    assert_eq!(world.ilo.end(&used).map(|session| session.owner), Some("a".to_owned()));
    assert_eq!(world.sessions(), 0);
}

#[test]
fn runs_with_one_seed_repeat_exactly_and_with_another_do_not() {
    let run = |seed| {
        let mut world = World::new(|spec| spec.seed = seed);
        let login = world.login("admin", "secret123");
        let list = world.get(&format!("{SESSIONS}?$expand=."), By::Basic("op", "pw")).body;
        (login.id, login.token, list, world.ilo.serial().to_owned())
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}
