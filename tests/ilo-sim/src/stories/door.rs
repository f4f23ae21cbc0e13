//! Logins, passwords, privileges: who gets in, how fast, and who may throw whom out.

use super::*;
use crate::{Effect, Refusal};

#[test]
fn a_login_answers_with_token_absolute_location_and_the_session() {
    let mut world = World::plain();
    let answer = world.try_login("Admin", "secret123");
    assert_eq!(answer.status, 201);
    let id = answer.body["Id"].as_str().unwrap();
    assert!(id.starts_with("admin000000006859b3f1"), "{id}");
    assert_eq!(answer.header("Location"), format!("https://192.0.2.10{SESSIONS}{id}/"), "without any port");
    assert_eq!(answer.header("Link"), format!("<{SESSIONS}{id}/>; rel=self"));
    assert_eq!(answer.header("X-Auth-Token").len(), 32);
    assert_eq!(answer.body["UserName"], "Admin", "as typed, not as the account is spelled");
    assert_eq!(answer.body["Oem"]["Hpe"]["MySession"], false, "the new session is not called the client's own yet");
    assert_eq!(answer.body["Oem"]["Hpe"].get("Privileges"), None);
    assert_eq!(answer.body["Oem"]["Hpe"]["UserIP"], PEER.to_string());
}

#[test]
fn the_short_path_is_another_door_to_the_same_list() {
    let mut world = World::plain();
    let body = r#"{"UserName":"admin","Password":"secret123"}"#;
    for path in ["/redfish/v1/Sessions", "/redfish/v1/Sessions/"] {
        assert_eq!(world.ask(&Method::POST, path, By::Nobody, body).status, 201);
    }
    assert_eq!(world.sessions(), 2);
}

#[test]
fn the_first_wrong_password_is_free_and_each_further_one_costs_ten_seconds_more() {
    let mut world = World::plain();
    let mut waits = Vec::new();
    for _ in 0..3 {
        let answer = world.try_login("admin", "wrong");
        assert_eq!((answer.status.as_u16(), answer.message()), (401, "iLO.2.27.UnauthorizedLoginAttempt"));
        waits.push(answer.after.as_secs());
    }
    waits.push(world.get(SERVICE, By::Basic("nobody", "pw")).after.as_secs());
    assert_eq!(waits, [0, 10, 20, 30]);
    let delay =
        |world: &mut World| world.get(ROOT, By::Nobody).body["Oem"]["Hpe"]["Sessions"]["LoginFailureDelay"].clone();
    assert_eq!(delay(&mut world), 30);
    assert_eq!(world.try_login("op", "pw").after.as_secs(), 30, "a right password waits with the others");
    assert_eq!(delay(&mut world), 0);
    assert_eq!(world.try_login("op", "pw").after.as_secs(), 0);
    let refusals = world.ilo.log().iter().filter(|l| l.effect == Some(Effect::Refused(Refusal::WrongPassword)));
    assert_eq!(refusals.count(), 4);
}

#[test]
fn the_status_of_a_wrong_password_is_a_choice_and_basic_is_always_401() {
    let mut world = World::new(|spec| spec.wrong_password_status = StatusCode::BAD_REQUEST);
    assert_eq!(world.try_login("admin", "wrong").status, 400);
    let basic = world.get(SERVICE, By::Basic("admin", "wrong"));
    assert_eq!((basic.status.as_u16(), basic.message()), (401, "Base.1.18.NoValidSession"));
    assert_eq!(basic.header("WWW-Authenticate"), "");
}

#[test]
fn a_login_that_makes_no_sense_is_a_bad_request_and_no_attempt() {
    let mut world = World::plain();
    let mut message = |body| {
        let answer = world.ask(&Method::POST, SESSIONS, By::Nobody, body);
        assert_eq!(answer.status, 400);
        answer.message().to_owned()
    };
    assert_eq!(message("UserName=admin"), "Base.1.18.MalformedJSON");
    assert_eq!(message(r#"{"UserName":"admin"}"#), "Base.1.18.PropertyMissing");
    assert_eq!(message(r#"{"UserName":1,"Password":"pw"}"#), "Base.1.18.MalformedJSON");
    assert_eq!(world.try_login("admin", "wrong").after, Duration::ZERO);
}

#[test]
fn a_changed_password_stops_logins_and_leaves_sessions() {
    let mut world = World::plain();
    let login = world.login("admin", "secret123");
    assert!(world.ilo.set_password("ADMIN", "changed"));
    assert_eq!(world.try_login("admin", "secret123").status, 401);
    assert_eq!(world.get(SERVICE, By::Token(&login.token)).status, 200);
}

#[test]
fn the_root_asks_for_no_login_and_keeps_no_session_alive() {
    let mut world = World::plain();
    let login = world.login("admin", "secret123");
    world.pass(20);
    for by in [By::Nobody, By::Token(&login.token), By::Token("nonsense"), By::Basic("admin", "wrong")] {
        assert_eq!(world.get("/redfish/v1", by).status, 200);
        assert_eq!(world.get("/redfish", by).body["v1"], ROOT);
    }
    world.pass(10);
    assert_eq!(world.sessions(), 0);
    assert_eq!(world.try_login("admin", "secret123").after, Duration::ZERO);
}

#[test]
fn ending_the_sessions_of_others_takes_the_right_to_administer_users() {
    let mut world = World::plain();
    let (admin, op) = (world.login("admin", "secret123"), world.login("op", "pw"));
    let refused = world.delete(&admin.id, By::Token(&op.token));
    assert_eq!((refused.status.as_u16(), refused.message()), (403, "Base.1.18.InsufficientPrivilege"));
    assert_eq!(world.sessions(), 2);
    let done = world.delete(&op.id, By::Token(&admin.token));
    assert_eq!((done.status.as_u16(), done.message()), (200, "Base.1.18.Success"));
    let last = world.ilo.log().last().unwrap();
    assert_eq!(last.session, Some(admin.id));
    let ended = Effect::Ended { id: op.id, owner: "op".to_owned(), by: "admin".to_owned() };
    assert_eq!(last.effect, Some(ended));
}

#[test]
fn an_own_session_ends_by_its_own_token_once() {
    let mut world = World::plain();
    let (own, other) = (world.login("viewer", "pw"), world.login("admin", "secret123"));
    assert_eq!(world.delete(&own.id, By::Token(&own.token)).status, 200);
    assert_eq!(world.delete(&own.id, By::Token(&own.token)).status, 401);
    let gone = world.delete(&own.id, By::Token(&other.token));
    assert_eq!((gone.status.as_u16(), gone.message()), (404, "Base.1.18.ResourceMissingAtURI"));
}

#[test]
fn an_account_without_the_right_to_log_in_does_not() {
    let mut world = World::new(|spec| spec.accounts[0].privileges = crate::Privileges::NONE);
    assert_eq!(world.try_login("admin", "secret123").status, 401);
}
