//! The default iLO says to the byte what it said before: whoever changes it without wanting to learns of it here.

use super::*;
use crate::{Fault, FaultKind, Matcher, UpdateState};

/// FNV-1a over all that a client sees.
struct Digest(u64);

impl Digest {
    fn add(&mut self, text: &[u8]) {
        for byte in text.iter().chain(b"\n") {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn answer(&mut self, what: &str, answer: &Answer) {
        self.add(format!("{what} {} {:?} {:?}", answer.status, answer.after, answer.delivery).as_bytes());
        let mut headers: Vec<_> = answer.headers.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
        headers.sort();
        self.add(headers.join("\n").as_bytes());
        self.add(&answer.text);
    }
}

#[test]
fn the_default_ilo_answers_as_ever() {
    let mut digest = Digest(0xcbf2_9ce4_8422_2325);
    let mut world = World::new(|spec| {
        spec.limit = 7;
        spec.clock_offset_s = -90;
        spec.basic_leaves_every = std::num::NonZeroU32::new(9);
    });
    let admin = world.login("Admin", "secret123");
    let op = world.login("op", "pw");
    world.ilo.admit(world.now, SessionSpec::ssh("op", PEER));
    world.ilo.admit(world.now, SessionSpec { virtual_media: true, ..SessionSpec::console("admin", PEER) });
    world.ilo.admit(world.now, SessionSpec::tagged("o\"dd", "2001:db8::53".parse().unwrap(), "IPMI/RMCP"));
    let services = ["", "/SessionService", "/SessionService/Sessions", "/Sessions", "/Managers", "/Managers/1"];
    let others = ["/UpdateService", "/AccountService", "/Systems", "/SessionService/Sessions/nobody"];
    for service in services.into_iter().chain(others) {
        for tail in ["", "/", "?$expand=.", "/?$expand=*($levels=2)"] {
            let path = format!("/redfish/v1{service}{tail}");
            for by in [By::Nobody, By::Token(&admin.token), By::Token("x"), By::Basic("viewer", "pw")] {
                for method in [Method::GET, Method::HEAD, Method::PUT] {
                    world.now = world.now + Duration::from_millis(700);
                    let answer = world.ask(&method, &path, by, "");
                    digest.answer(&path, &answer);
                }
            }
        }
    }
    for path in ["/", "/redfish", "/redfish/", "/rest", "/rest/v1", "/rest/v1/", "/html/login_cert.html"] {
        for by in [By::Nobody, By::Token(&admin.token)] {
            digest.answer(path, &world.get(path, by));
        }
    }
    for body in ["", "{}", r#"{"UserName":"admin"}"#, r#"{"UserName":"admin","Password":"wrong"}"#] {
        for _ in 0..2 {
            digest.answer(body, &world.ask(&Method::POST, SESSIONS, By::Nobody, body));
        }
    }
    world.ilo.set_update_state(UpdateState::Updating);
    digest.answer("updating", &world.get("/redfish/v1/UpdateService/", By::Token(&op.token)));
    world.ilo.inject(Fault { on: Matcher::any(), what: FaultKind::LoseReply });
    for who in ["admin", "op", "viewer", "admin", "op"] {
        let password = if who == "admin" { "secret123" } else { "pw" };
        digest.answer(who, &world.try_login(who, password));
    }
    for id in [&admin.id, &op.id, &op.id] {
        digest.answer("delete", &world.delete(id, By::Token(&op.token)));
    }
    world.pass(31);
    digest.answer("late", &world.get(SESSIONS, By::Basic("admin", "secret123")));
    for logged in world.ilo.take_log() {
        digest.add(serde_json::to_string(&logged).unwrap().as_bytes());
    }
    assert_eq!(format!("{:016x}", digest.0), "3a3e300b69248e4e");
}
