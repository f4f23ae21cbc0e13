use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, Mutex};

use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderName;
use serde_json::json;

use super::*;
use crate::redfish::BODY_BYTES_MAX;
use crate::redfish::answer::TOKEN_BYTES_MAX;
use crate::settings::{Authority, CredentialId, IloName, Trust};

type Answered = Result<Response<Bytes>, ExchangeError>;

/// Plays an iLO: gives the answers it was told to, in order, and keeps what it was sent.
#[derive(Clone, Default)]
struct Script {
    answers: Arc<Mutex<VecDeque<Answered>>>,
    sent: Arc<Mutex<Vec<Request<Bytes>>>>,
}

impl Transport for Script {
    async fn exchange(&self, _: &Peer, request: Request<Bytes>, _: Patience) -> Answered {
        self.sent.lock().expect("the list").push(request);
        self.answers.lock().expect("the answers").pop_front().expect("no more is asked than the story answers")
    }
}

impl Script {
    fn answers(answers: impl IntoIterator<Item = Answered>) -> Self {
        Self { answers: Arc::new(Mutex::new(answers.into_iter().collect())), ..Self::default() }
    }

    fn ilo(&self) -> Ilo<'_, Self> {
        let authority = Authority { host: String::from("ilo.example.net"), port: 443 };
        let patience = Patience { connect: Duration::from_secs(5), total: Duration::from_secs(15) };
        let (name, trust) = (IloName::new("ilo"), Trust::Insecure);
        let peer = Peer { name, authority, trust, legacy: false };
        Ilo::new(self, peer, patience, Instant::now() + Duration::from_secs(60))
    }

    /// The requests, as `METHOD path`.
    fn lines(&self) -> Vec<String> {
        let sent = self.sent.lock().expect("the list");
        sent.iter().map(|request| format!("{} {}", request.method(), request.uri())).collect()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "as the transport gives it")]
fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Answered {
    let mut answer = Response::new(Bytes::from(body.to_owned()));
    *answer.status_mut() = StatusCode::from_u16(status).expect("a status");
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    for (name, value) in headers {
        let value = HeaderValue::from_bytes(value.as_bytes()).expect("a value");
        answer.headers_mut().insert(HeaderName::from_static(name), value);
    }
    Ok(answer)
}

fn lost() -> Answered {
    Err(ExchangeError::Failed(Cause::Timeout, String::from("no answer")))
}

fn message(id: &str) -> String {
    format!(r#"{{"error":{{"code":"iLO.0.10.ExtendedInfo","@Message.ExtendedInfo":[{{"MessageId":"{id}"}}]}}}}"#)
}

fn credential() -> Credential {
    let id = CredentialId(String::from("svc-ilo-reaper"));
    Credential { id, username: String::from("svc-ilo-reaper"), password: Secret::new(String::from("canary\"password")) }
}

/// Logs in against one answer; what was sent is checked to be one login.
async fn log_in(answered: Answered) -> Result<Login, LoginError> {
    let script = Script::answers([answered]);
    let login = script.ilo().log_in(&credential(), Duration::ZERO).await;
    assert_eq!(script.lines(), ["POST /redfish/v1/SessionService/Sessions/"], "one login, whatever the answer");
    let sent = script.sent.lock().expect("the list");
    let body: serde_json::Value = serde_json::from_slice(sent[0].body()).expect("JSON");
    assert_eq!(body, json!({ "UserName": "svc-ilo-reaper", "Password": "canary\"password" }));
    assert!(!sent[0].headers().contains_key("authorization") && !sent[0].headers().contains_key(X_AUTH_TOKEN));
    login
}

#[tokio::test]
async fn a_login_takes_the_id_from_the_path_of_location_alone() {
    for location in [
        "https://192.0.2.7/redfish/v1/SessionService/Sessions/svc57a6a93cd0e56041/",
        "https://[2001:db8::7]/redfish/v1/SessionService/Sessions/svc57a6a93cd0e56041",
        "https://elsewhere.example/redfish/v1/SessionService/Sessions/svc57a6a93cd0e56041/",
        "/redfish/v1/sessionservice/sessions/svc57a6a93cd0e56041",
    ] {
        let login = log_in(answer(201, &[("location", location), ("x-auth-token", "0123abcd")], "{}")).await;
        let Ok(login) = login else { panic!("{location}: no login") };
        assert_eq!(login.session.segment(), Some("svc57a6a93cd0e56041"), "{location}");
        assert_eq!(login.token.reveal(), "0123abcd");
    }
}

#[tokio::test]
async fn a_login_whose_answer_is_odd_may_have_made_a_session() {
    let good = "/redfish/v1/SessionService/Sessions/a";
    let long = "t".repeat(TOKEN_BYTES_MAX + 1);
    for (location, token) in [
        (good, ""),
        (good, "two words"),
        (good, "t\u{e9}"),
        (good, long.as_str()),
        ("", "t"),
        ("/", "t"),
        ("https://ilo.example.net", "t"),
        ("//evil.example/redfish/v1/SessionService/Sessions/a", "t"),
        ("/redfish/v1/Systems/a", "t"),
        ("/redfish/v1/SessionService/Sessions/..", "t"),
        ("/redfish/v1/SessionService/Sessions/../Systems", "t"),
        ("/redfish/v1/SessionService/Sessions/a%2fb", "t"),
        ("/redfish/v1/SessionService/Sessions/a?b", "t"),
        ("/redfish/v1/SessionService/Sessions/", "t"),
    ] {
        let login = log_in(answer(201, &[("location", location), ("x-auth-token", token)], "{}")).await;
        assert!(matches!(login, Err(LoginError::Unknown(IloError::Nonsense(_)))), "{location} {token:.20}");
    }
    let headers = [("location", good), ("x-auth-token", "t")];
    for (body, is_odd) in
        [(r#"{"Id":"a"}"#, false), (r#"{"Id":"b"}"#, true), (r#"{"@odata.id":"/b"}"#, false), ("", false)]
    {
        assert_eq!(log_in(answer(201, &headers, body)).await.is_err(), is_odd, "{body}");
    }
    assert!(matches!(log_in(answer(201, &[("location", good)], "{}")).await, Err(LoginError::Unknown(_))));
    assert!(matches!(log_in(answer(201, &[("x-auth-token", "t")], "{}")).await, Err(LoginError::Unknown(_))));
    assert!(matches!(log_in(lost()).await, Err(LoginError::Unknown(_))));
    assert!(matches!(log_in(answer(500, &[], "")).await, Err(LoginError::Unknown(_))));
}

#[tokio::test]
async fn a_rejected_password_is_known_by_the_message_whatever_the_status() {
    for status in [200, 201, 400, 401, 403, 500] {
        for id in
            ["Base.1.17.OneTimePasscodeSent", "iLO.2.8.UnauthorizedLoginAttempt", "Base.1.5.InsufficientPrivilege"]
        {
            let Err(LoginError::Rejected(told)) = log_in(answer(status, &[], &message(id))).await else {
                panic!("{status} {id}: not rejected")
            };
            assert_eq!(told, id);
        }
        let full = log_in(answer(status, &[], &message("Base.1.4.SessionLimitExceeded"))).await;
        assert!(matches!(full, Err(LoginError::TableFull(_))), "{status}");
    }
    let old = r#"{"Messages":[{"MessageID":"Base.0.10.UnauthorizedLoginAttempt"}],"Type":"ExtendedError.1.0.0"}"#;
    assert!(matches!(log_in(answer(400, &[], old)).await, Err(LoginError::Rejected(_))));
    for status in [400, 401, 403] {
        assert!(matches!(log_in(answer(status, &[], "")).await, Err(LoginError::Rejected(_))), "{status}");
    }
    assert!(matches!(
        log_in(answer(308, &[("location", "https://evil.example/")], "")).await,
        Err(LoginError::Refused(_))
    ));
}

#[tokio::test]
async fn a_token_in_hand_beats_a_message() {
    let odd = answer(201, &[("location", "/"), ("x-auth-token", "t")], &message("Base.1.5.InsufficientPrivilege"));
    assert!(matches!(log_in(odd).await, Err(LoginError::Unknown(_))), "there is a session, wherever it is");
    let headers = [("location", "/redfish/v1/SessionService/Sessions/a"), ("x-auth-token", "t")];
    assert!(log_in(answer(201, &headers, &message("Base.1.5.PasswordChangeRequired"))).await.is_ok());
}

#[tokio::test]
async fn a_wait_that_an_ilo_asks_for_is_bounded() {
    for (asked, wait_s) in [
        ("7", Some(7)),
        ("600", Some(600)),
        ("18446744073709551615", Some(600)),
        ("-1", None),
        ("soon", None),
        ("", None),
    ] {
        let script = Script::answers([answer(503, &[("retry-after", asked)], "")]);
        let busy = script.ilo().root().await.expect_err("busy");
        assert_eq!(busy, IloError::Busy(wait_s.map(Duration::from_secs)), "{asked}");
    }
}

#[tokio::test]
async fn a_delete_goes_to_a_path_of_ours_once() {
    let token = Secret::new(String::from("canary-token"));
    for answered in
        [lost(), answer(200, &[], ""), answer(500, &[], ""), answer(308, &[("location", "//evil.example/")], "")]
    {
        let script = Script::answers([answered]);
        script.ilo().end(&token, &SessionId::read("svc57a6a93c.d-0_1")).await;
        assert_eq!(script.lines(), ["DELETE /redfish/v1/SessionService/Sessions/svc57a6a93c.d-0_1/"]);
        let sent = script.sent.lock().expect("the list");
        assert_eq!(sent[0].headers()[X_AUTH_TOKEN], "canary-token");
        assert!(!format!("{:?}", sent[0]).contains("canary"), "the token hides from Debug");
        assert!(sent[0].body().is_empty());
    }
}

#[tokio::test]
async fn nothing_is_sent_about_an_id_that_is_not_plain() {
    let token = Secret::new(String::from("t"));
    for id in ["", ".", "..", "a/b", "../Systems/1", "a?b", "a#b", "a%2e", "a\r\nb", "\u{2215}"] {
        let script = Script::default();
        let id = SessionId::read(id);
        assert!(matches!(script.ilo().end(&token, &id).await, Ended::Refused(0, _)), "{id}");
        assert!(script.ilo().session(&token, &id).await.is_err(), "{id}");
        assert_eq!(script.lines(), [""; 0], "{id}");
    }
}

#[tokio::test]
async fn a_token_that_is_no_header_is_not_sent() {
    let token = Secret::new(String::from("canary\r\nX-Evil: 1"));
    let script = Script::default();
    let error = script.ilo().sessions(&token, true).await.expect_err("no header");
    assert!(!format!("{error:?} {error}").contains("canary"));
    assert_eq!(script.lines(), [""; 0]);
}

#[tokio::test]
async fn what_an_answer_to_a_delete_means() {
    let (done, unknown) = (Ended::Done, |why: &str| Ended::Unknown(why.to_owned()));
    for (status, body, expected) in [
        (200, message("Base.1.0.Success"), done.clone()),
        (200, message("Base.1.17.SessionTerminated"), done.clone()),
        (200, String::new(), done.clone()),
        (204, String::new(), done),
        (200, String::from("{}"), unknown("200, but no word of success")),
        (202, String::new(), unknown("it answered 202")),
        (500, String::new(), unknown("it answered 500")),
        (503, String::new(), unknown("it answered 503")),
        (404, message("Base.1.4.ResourceMissingAtURI"), Ended::AlreadyGone),
        (410, String::new(), Ended::AlreadyGone),
        (401, message("Base.1.4.NoValidSession"), Ended::NotOurs),
        (401, message("Base.1.4.InsufficientPrivilege"), Ended::Forbidden(401)),
        (403, String::new(), Ended::Forbidden(403)),
        (200, message("Base.1.4.InsufficientPrivilege"), Ended::Forbidden(200)),
        (308, String::new(), Ended::Refused(308, None)),
        (405, String::new(), Ended::Refused(405, None)),
        (400, message("iLO.2.8.ResetInProgress"), Ended::Refused(400, Some(String::from("iLO.2.8.ResetInProgress")))),
    ] {
        let script = Script::answers([answer(status, &[], &body)]);
        let ended = script.ilo().end(&Secret::new(String::from("t")), &SessionId::read("a")).await;
        assert_eq!(ended, expected, "{status} {body}");
    }
}

#[tokio::test]
async fn what_is_no_json_or_no_200_tells_nothing() {
    let token = Secret::new(String::from("t"));
    let html = answer(200, &[("content-type", "text/html")], r#"{"Members":[],"Members@odata.count":0}"#);
    for (name, answered) in [
        ("a login page", html),
        ("created", answer(201, &[], r#"{"Members":[]}"#)),
        ("a redirect", answer(302, &[("location", "https://evil.example/")], r#"{"Members":[]}"#)),
        ("nothing", answer(200, &[], "")),
        ("lost", lost()),
        ("our session is gone", answer(401, &[], "")),
    ] {
        let script = Script::answers([answered]);
        assert!(script.ilo().sessions(&token, true).await.is_err(), "{name}");
        assert_eq!(
            script.lines(),
            ["GET /redfish/v1/SessionService/Sessions/?$expand=."],
            "{name}: and is not asked again"
        );
    }
}

#[tokio::test]
async fn doubt_about_flashing_is_not_rest() {
    let token = Secret::new(String::from("t"));
    for answered in [answer(403, &[], ""), answer(500, &[], ""), answer(200, &[], "{}"), answer(200, &[], "x")] {
        let script = Script::answers([answered]);
        assert!(matches!(script.ilo().flashing(&token).await, Ok(Flashing::Perhaps(_))));
        assert_eq!(script.lines(), ["GET /redfish/v1/UpdateService/"]);
    }
}

#[tokio::test]
async fn an_ilo_4_is_asked_below_its_manager() {
    let token = Secret::new(String::from("t"));
    let both = ["GET /redfish/v1/UpdateService/", "GET /redfish/v1/Managers/1/UpdateService/"];
    let old = r#"{"Type":"HpiLOFirmwareUpdate.1.0.0","State":"IDLE"}"#;
    for (answered, rests) in [
        (answer(200, &[], old), true),
        (answer(200, &[], &old.replace("IDLE", "PROGRESSING")), false),
        (answer(200, &[], r#"{"State":"IDLE"}"#), false),
        (answer(404, &[], ""), false),
        (answer(500, &[], ""), false),
    ] {
        let script = Script::answers([answer(404, &[], ""), answered]);
        assert_eq!(script.ilo().flashing(&token).await == Ok(Flashing::No), rests);
        assert_eq!(script.lines(), both);
    }
}

#[tokio::test]
async fn a_session_is_gone_only_when_the_ilo_says_so() {
    let token = Secret::new(String::from("t"));
    for (status, gone) in
        [(404, true), (410, true), (400, false), (401, false), (403, false), (500, false), (503, false)]
    {
        let script = Script::answers([answer(status, &[], "")]);
        let read = script.ilo().session(&token, &SessionId::read("a")).await;
        assert_eq!(read == Ok(None), gone, "{status}");
        assert_eq!(script.lines(), ["GET /redfish/v1/SessionService/Sessions/a/"]);
    }
}

/// `text`, packed.
fn gzip(text: &str) -> Bytes {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(text.as_bytes()).expect("room");
    Bytes::from(packer.finish().expect("all of it"))
}

/// An answer whose body is said to be packed so.
fn packed(encoding: &str, body: Bytes) -> Answered {
    let mut packed = answer(200, &[("content-encoding", encoding)], "")?;
    *packed.body_mut() = body;
    Ok(packed)
}

#[tokio::test]
async fn an_answer_that_is_packed_though_nobody_asked_reads_the_same() {
    let root = r#"{"Oem":{"Hp":{"Sessions":{"LoginFailureDelay":7}}}}"#;
    for answered in [
        packed("gzip", gzip(root)),
        packed("X-GZip", [gzip(&root[..9]), gzip(&root[9..])].concat().into()),
        packed("identity", Bytes::from(root)),
    ] {
        let script = Script::answers([answered]);
        assert_eq!(script.ilo().root().await.map(|root| root.login_delay), Ok(Duration::from_secs(7)));
        assert!(!script.sent.lock().expect("the list")[0].headers().contains_key("accept-encoding"));
    }
}

#[tokio::test]
async fn what_does_not_unpack_or_unpacks_to_too_much_is_nonsense() {
    // What there is room for would make sense.
    let bomb = gzip(&format!("{{}}{}", " ".repeat(BODY_BYTES_MAX)));
    assert!(bomb.len() < 64 * 1024);
    for (encoding, body) in [
        ("gzip", Bytes::from_static(b"{}")),
        ("gzip", gzip("{}").slice(..9)),
        ("gzip", bomb),
        ("br", Bytes::from_static(b"{}")),
    ] {
        let script = Script::answers([packed(encoding, body)]);
        assert!(matches!(script.ilo().root().await, Err(IloError::Nonsense(_))), "{encoding}");
    }
}
