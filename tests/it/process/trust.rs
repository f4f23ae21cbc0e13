//! Certificates and redirects: a password and a token go to whom they are meant for.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::sync::PoisonError;

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use ilo_sim::FaultKind;
use ilo_sim::front::Certificate;

use super::site::Site;

#[test]
fn an_ilo_with_another_certificate_gets_no_request() {
    let site = Site::of(&["r1", "r2"]);
    let mut config = site.config();
    let (right, wrong) = (site.front("r1").fingerprint(), site.front("r2").fingerprint());
    config.pins.insert(String::from("r1"), wrong.clone());
    site.write(&config);
    let daemon = site.daemon();
    let told = daemon.hears_more("ilo.certificate_changed", 1);
    for event in &told {
        assert_eq!((&event["ilo"], &event["group"], &event["level"]), (&"r1".into(), &"rack-r1".into(), &"err".into()));
        assert_eq!((&event["expected"], &event["found"]), (&wrong.as_str().into(), &right.as_str().into()));
    }
    daemon.until_true("the other one's visit", || site.logins("r2") == 1);
    daemon.stop();
    assert!(site.requests_to("r1").is_empty());

    for command in ["list", "sweep"] {
        let ended = site.ask(&[command, "r1"]);
        assert_eq!(ended.code, Some(1), "{command}: {}", ended.err);
        assert!(ended.err.contains("cannot visit r1") && ended.err.contains(&wrong), "{}", ended.err);
        assert!(ended.err.contains(&right), "{}", ended.err);
    }
    assert!(site.requests_to("r1").is_empty());
    assert_eq!(site.ask(&["list", "r2"]).code, Some(0));
}

#[test]
fn a_certificate_that_changes_ends_all_requests_on_new_connections() {
    let site = Site::of(&["r1"]);
    let daemon = site.daemon();
    daemon.visits("r1", 1);
    let before = site.front("r1").fingerprint();
    site.front("r1").replace_certificate(Certificate::factory("OTHER").unwrap()).unwrap();
    // The connection that is open was made under the right certificate. This closes it.
    site.fault("r1", &Method::GET, FaultKind::LoseReply);
    let told = daemon.hears("ilo.certificate_changed");
    assert_eq!((&told["expected"], &told["found"]), (&before.into(), &site.front("r1").fingerprint().into()));
    let asked = site.requests_to("r1").len();
    site.leaked("r1", 1200);
    daemon.hears_more("ilo.certificate_changed", 2);
    daemon.stop();
    assert_eq!(site.requests_to("r1").len(), asked, "not even a log-out");
}

#[test]
fn no_redirect_is_followed() {
    for status in [StatusCode::TEMPORARY_REDIRECT, StatusCode::PERMANENT_REDIRECT, StatusCode::FOUND] {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            let site = Site::of(&["r1"]);
            let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
            elsewhere.set_nonblocking(true).unwrap();
            let mut answer = Response::new(Bytes::new());
            *answer.status_mut() = status;
            let location = format!("https://{}/redfish/v1/SessionService/Sessions/", elsewhere.local_addr().unwrap());
            answer.headers_mut().insert("Location", location.parse().unwrap());
            site.leaked("r1", 1200);
            site.answers("r1", &method, 1, &answer);
            let ended = site.ask(&["sweep", "--enforce"]);
            assert_eq!(site.faults_left("r1"), 0);
            let came = elsewhere.accept().map_err(|error| error.kind());
            assert_eq!(came.unwrap_err(), ErrorKind::WouldBlock, "{status} to {method}");
            assert_eq!(site.deletes("r1").len(), usize::from(method == Method::DELETE), "{}", ended.out);
        }
    }
}

#[test]
fn a_redirect_of_every_question_deletes_nothing_and_goes_nowhere() {
    let site = Site::of(&["r1"]);
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = StatusCode::PERMANENT_REDIRECT;
    answer.headers_mut().insert("Location", format!("https://{}/", elsewhere.local_addr().unwrap()).parse().unwrap());
    let leaked = site.leaked("r1", 1200);
    site.answers("r1", &Method::GET, 100, &answer);
    let daemon = site.daemon();
    daemon.hears("ilo.unreachable");
    daemon.stop();
    assert_eq!(elsewhere.accept().map_err(|error| error.kind()).unwrap_err(), ErrorKind::WouldBlock);
    assert!(site.lives("r1", &leaked) && site.deletes("r1").is_empty());
    let requests = site.requests.lock().unwrap_or_else(PoisonError::into_inner).len();
    assert!(requests > 3);
}
