//! Our own login, and answers that are lost, foreign or endless.

use bytes::Bytes;
use http::{Method, Response};
use ilo_sim::FaultKind;

use super::site::{Config, LEGACY, Site};

#[test]
fn a_wrong_password_is_tried_once() {
    let site = Site::of(&["r1"]);
    site.write_password("not-the-password");
    let daemon = site.daemon();
    let told = daemon.hears("ilo.login_rejected");
    assert_eq!((&told["ilo"], &told["username"]), (&"r1".into(), &super::site::OURS.into()));
    assert_eq!(told["retry_in_s"], 600);
    daemon.hears_more("fleet.summary", 1);
    assert_eq!(site.logins("r1"), 1);

    // The right one is tried as soon as it is there.
    site.write_password(super::site::PASSWORD);
    daemon.signal("HUP", 1);
    daemon.visits("r1", 1);
    daemon.stop();
    assert_eq!(site.logins("r1"), 2);
}

#[test]
fn a_command_with_a_wrong_password_says_what_to_check() {
    let site = Site::of(&["r1"]);
    site.write_password("not-the-password");
    let ended = site.ask(&["list"]);
    assert_eq!((ended.code, site.logins("r1")), (Some(1), 1), "{}", ended.err);
    assert!(ended.err.contains("cannot visit r1: it does not accept our account or password"), "{}", ended.err);
    assert!(ended.err.contains("check `username` and the password"), "{}", ended.err);
    assert!(!ended.err.contains("not-the-password"), "{}", ended.err);
}

/// A site whose iLO is spoken to by this adapter.
fn site_by(legacy: bool) -> Site {
    let site = Site::of(&["r1"]);
    site.write(&Config { legacy, ..site.config() });
    site
}

#[test]
fn a_delete_whose_answer_is_lost_is_sent_once() {
    for legacy in LEGACY {
        let site = site_by(*legacy);
        let daemon = site.daemon();
        daemon.visits("r1", 1);
        site.fault("r1", &Method::DELETE, FaultKind::LoseReply);
        let leaked = site.leaked("r1", 1200);
        let told = daemon.hears("reap.failed");
        assert_eq!((&told["session"], &told["status"]), (&leaked.as_str().into(), &().into()));
        daemon.visits("r1", 2);
        daemon.stop();
        assert_eq!(site.deletes("r1"), [leaked.as_str()]);
        assert_eq!((site.logins("r1"), site.our_tokens("r1").len()), (1, 0));
    }
}

#[test]
fn a_login_whose_answer_is_lost_is_sent_once_and_its_session_found() {
    for legacy in LEGACY {
        let site = site_by(*legacy);
        site.fault("r1", &Method::POST, FaultKind::LoseReply);
        let ended = site.ask(&["sweep"]);
        assert_eq!((ended.code, site.logins("r1")), (Some(1), 1), "{}", ended.err);
        assert!(ended.err.contains("cannot visit r1"), "{}", ended.err);
        assert_eq!(site.our_tokens("r1").len(), 1, "the iLO made a session all the same");

        let daemon = site.daemon();
        daemon.hears("session.stray_ended");
        assert_eq!((site.logins("r1"), site.our_tokens("r1").len()), (2, 1));
        daemon.stop();
        assert_eq!(site.our_tokens("r1").len(), 0);
    }
}

#[test]
fn an_ilo_that_answers_a_web_page_is_named_and_nothing_deleted() {
    let mut page = Response::new(Bytes::from_static(b"<html><body>Please log in</body></html>"));
    page.headers_mut().insert("Content-Type", "text/html".parse().unwrap());
    for command in [&["list"][..], &["sweep", "--enforce"]] {
        let site = Site::of(&["r1", "r2"]);
        let leaked = site.leaked("r1", 1200);
        site.answers("r1", &Method::GET, 10, &page);
        let ended = site.ask(command);
        assert_eq!(ended.code, Some(1), "{command:?}: {}", ended.err);
        assert!(ended.err.contains("cannot visit r1: its answer makes no sense"), "{}", ended.err);
        assert!(!ended.err.contains("r2"), "{}", ended.err);
        assert!(site.lives("r1", &leaked) && site.deletes("r1").is_empty());
        assert_eq!(site.our_tokens("r1").len() + site.our_tokens("r2").len(), 0);
    }
}

/// Rule 8 of the design: bodies are bounded.
#[test]
fn a_body_without_end_is_cut_and_the_daemon_goes_on() {
    let site = Site::of(&["r1"]);
    let mut json = br#"{"Members":[],"Name":""#.to_vec();
    json.resize(5 << 20, b'x');
    json.extend_from_slice(br#""}"#);
    let mut answer = Response::new(Bytes::from(json));
    answer.headers_mut().insert("Content-Type", "application/json".parse().unwrap());
    site.answers("r1", &Method::GET, 3, &answer);
    let leaked = site.leaked("r1", 1200);
    let daemon = site.daemon();
    let told = daemon.hears("ilo.unreachable");
    assert_eq!(told["cause"], "nonsense", "{told}");
    assert!(told["message"].as_str().is_some_and(|message| message.contains("longer than")), "{told}");
    daemon.until_true("the end of the leaked", || !site.lives("r1", &leaked));
    daemon.hears("ilo.reachable");
    let requests = site.requests_to("r1");
    let first_delete = requests.iter().position(|logged| logged.method == "DELETE").unwrap();
    let looks = requests[..first_delete].iter().filter(|logged| logged.method == "GET" && logged.session.is_some());
    assert!(looks.count() >= 2, "a whole look and another one came before it");
    assert_eq!(site.faults_left("r1"), 0);
    daemon.stop();
}
