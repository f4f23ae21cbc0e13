//! What an iLO does, as stories: somebody asks, time passes, somebody else asks.

mod choices;
mod documents;
mod door;
mod generations;
mod ilo4;
mod others;
mod table;
mod unmoved;
mod wire;

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::{Value, json};

use crate::{Account, Delivery, Ilo, Moment, Reply, SessionId, SessionSpec, Spec};

const ROOT: &str = "/redfish/v1/";
const SERVICE: &str = "/redfish/v1/SessionService/";
const SESSIONS: &str = "/redfish/v1/SessionService/Sessions/";
const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 53));

/// A world of one iLO, in which time passes only when a story says so.
struct World {
    ilo: Ilo,
    now: Moment,
}

/// An answer, taken apart.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: Bytes,
    body: Value,
    after: Duration,
    delivery: Delivery,
}

/// What a client keeps of its login.
struct Login {
    id: SessionId,
    token: String,
}

/// How a request says who it acts for.
#[derive(Clone, Copy)]
enum By<'a> {
    Nobody,
    Token(&'a str),
    Basic(&'a str, &'a str),
}

impl World {
    fn new(change: impl FnOnce(&mut Spec)) -> Self {
        let mut spec = Spec {
            accounts: vec![
                Account::administrator("admin", "secret123"),
                Account::operator("op", "pw"),
                Account::read_only("viewer", "pw"),
            ],
            host: "192.0.2.10".to_owned(),
            ..Spec::new("ilo-1.example.net")
        };
        change(&mut spec);
        Self { ilo: Ilo::new(spec), now: Moment::from_secs(0x6859_b3f1) }
    }

    fn plain() -> Self {
        Self::new(|_| {})
    }

    fn like(personality: &str) -> Self {
        Self::like_with(personality, |_| {})
    }

    fn like_with(personality: &str, change: impl FnOnce(&mut Spec)) -> Self {
        Self::new(|spec| {
            spec.personality = personality.parse().unwrap();
            change(spec);
        })
    }

    fn pass(&mut self, minutes: u64) {
        self.now = self.now + Duration::from_secs(minutes * 60);
    }

    fn ask(&mut self, method: &Method, path: &str, by: By<'_>, body: &str) -> Answer {
        let authorization;
        let headers: &[(&str, &str)] = match by {
            By::Nobody => &[],
            By::Token(token) => &[("X-Auth-Token", token)],
            By::Basic(user, password) => {
                authorization = format!("Basic {}", BASE64.encode(format!("{user}:{password}")));
                &[("Authorization", &authorization)]
            }
        };
        self.send(method, path, headers, body)
    }

    fn send(&mut self, method: &Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let request = Request::builder().method(method).uri(path);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let request = request.body(Bytes::from(body.to_owned())).unwrap();
        let Reply { response, after, delivery } = self.ilo.handle(self.now, PEER, &request);
        let (head, text) = response.into_parts();
        let body = serde_json::from_slice(&text).unwrap_or(Value::Null);
        Answer { status: head.status, headers: head.headers, text, body, after, delivery }
    }

    fn get(&mut self, path: &str, by: By<'_>) -> Answer {
        self.ask(&Method::GET, path, by, "")
    }

    fn delete(&mut self, id: &SessionId, by: By<'_>) -> Answer {
        self.ask(&Method::DELETE, &format!("{SESSIONS}{id}/"), by, "")
    }

    fn try_login(&mut self, user: &str, password: &str) -> Answer {
        let body = json!({ "UserName": user, "Password": password });
        self.ask(&Method::POST, SESSIONS, By::Nobody, &body.to_string())
    }

    fn login(&mut self, user: &str, password: &str) -> Login {
        let answer = self.try_login(user, password);
        assert!(answer.status.is_success(), "{}", answer.body);
        let token = answer.header("X-Auth-Token").to_owned();
        Login { id: answer.new_session(), token }
    }

    /// Another client's session, without the trouble of a login.
    fn admit(&mut self, owner: &str) -> SessionId {
        self.ilo.admit(self.now, SessionSpec::rest(owner, PEER))
    }

    fn sessions(&self) -> usize {
        self.ilo.sessions(self.now).count()
    }
}

impl Answer {
    fn message(&self) -> &str {
        let info = &self.body["error"]["@Message.ExtendedInfo"][0];
        info["MessageId"].as_str().or(info["MessageID"].as_str()).unwrap_or("")
    }

    /// The last segment of `Location`, as a client takes it.
    fn new_session(&self) -> SessionId {
        self.header("Location").trim_end_matches('/').rsplit('/').next().unwrap().into()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn members(&self) -> &[Value] {
        self.body["Members"].as_array().unwrap()
    }
}
