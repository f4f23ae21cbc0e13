//! Certificates and redirects: a password and a token go to whom they are meant for.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::sync::PoisonError;

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use ilo_sim::FaultKind;
use ilo_sim::front::Certificate;

use super::site::{Config, Site};

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
fn a_proxy_that_the_environment_names_is_not_asked() {
    let (site, proxy) = (Site::of(&["r1"]), TcpListener::bind("127.0.0.1:0").unwrap());
    proxy.set_nonblocking(true).unwrap();
    let there = format!("http://{}", proxy.local_addr().unwrap());
    let names = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
    let daemon = site.start(&["run"], &names.map(|name| (name, there.as_str())));
    daemon.visits("r1", 1);
    daemon.stop();
    assert_eq!(proxy.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn an_ilo_that_nobody_knows_gets_no_request_until_its_certificate_is_taken_down() {
    let site = Site::of(&["r1", "r2"]);
    let mut config = site.config();
    config.known = true;
    site.write(&config);
    std::fs::remove_file(site.path("known_ilos")).unwrap();
    let ended = site.ask(&["check"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.err.contains("known_ilos has no line for r1 of group `rack-r1`"), "{}", ended.err);
    let daemon = site.daemon();
    for told in daemon.hears_more("ilo.unreachable", 1) {
        let (ilo, detail) = (told["ilo"].as_str().unwrap(), told["detail"].as_str().unwrap());
        assert_eq!(told["cause"], "tls");
        assert!(detail.contains(&format!("`ilo-reaper trust {ilo} --write`")), "{detail}");
    }

    let ended = site.ask(&["trust"]);
    let lines = ["r1", "r2"].map(|ilo| format!("+{ilo} {}", site.front(ilo).fingerprint()));
    assert_eq!((ended.code, &ended.out), (Some(1), &lines.join("\n")), "{}", ended.err);
    assert!(site.requests_to("r1").is_empty() && site.requests_to("r2").is_empty());
    assert_eq!(site.ask(&["trust", "r1", "--write"]).code, Some(0));
    assert_eq!(site.ask(&["trust", "r1"]).code, Some(0));
    let ended = site.ask(&["trust"]);
    assert!(ended.code == Some(1) && ended.out.starts_with(" r1 ") && ended.out.ends_with(&lines[1]), "{}", ended.out);
    assert!(site.requests_to("r1").is_empty());

    daemon.signal("HUP", 1);
    daemon.visits("r1", 1);
    daemon.stop();
    assert!(site.requests_to("r2").is_empty());
}

#[test]
fn a_known_certificate_that_changes_ends_all_requests_until_the_new_one_is_taken_down() {
    let site = Site::of(&["r1"]);
    let mut config = site.config();
    config.known = true;
    site.write(&config);
    let old = site.front("r1").fingerprint();
    let daemon = site.daemon();
    daemon.visits("r1", 1);
    site.front("r1").replace_certificate(Certificate::factory("OTHER").unwrap()).unwrap();
    let new = site.front("r1").fingerprint();
    site.fault("r1", &Method::GET, FaultKind::LoseReply);
    let told = daemon.hears("ilo.certificate_changed");
    assert_eq!((&told["pinned_in"], &told["found"]), (&"known_ilos".into(), &new.as_str().into()));
    assert!(told["message"].as_str().is_some_and(|text| text.contains("ilo-reaper trust r1 --write")), "{told}");
    let asked = site.requests_to("r1").len();

    let ended = site.ask(&["trust"]);
    assert_eq!((ended.code, ended.out), (Some(1), format!("-r1 {old}\n+r1 {new}")));
    let ended = site.ask(&["trust", "--write"]);
    assert!(ended.code == Some(1) && ended.err.contains("`ilo-reaper trust r1 --write`"), "{}", ended.err);
    assert!(
        std::fs::read_to_string(site.path("known_ilos")).unwrap().contains(&old),
        "unasked, no certificate is replaced"
    );
    let ended = site.ask(&["trust", "r1", "--write", "--json"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let document: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    let row = &document["ilos"][0];
    assert_eq!(
        (&document["written"], &row["news"], &row["needs_legacy"]),
        (&1.into(), &"changed".into(), &false.into())
    );
    assert_eq!((&row["known"], &row["found"]), (&old.into(), &new.into()));
    assert_eq!(site.requests_to("r1").len(), asked);
    daemon.signal("HUP", 1);
    daemon.visits("r1", 1);
    daemon.stop();
    let lines = std::fs::read_to_string(site.path("known_ilos")).unwrap();
    assert!(lines.contains("  # since 2"), "{lines}");
}

#[test]
fn a_pin_that_changes_closes_what_it_had_opened() {
    let site = Site::of(&["r1", "r2"]);
    for known in [false, true] {
        let mut config = site.config();
        config.known = known;
        site.write(&config);
        let daemon = site.daemon();
        daemon.visits("r1", 1);
        // The connection that is open shows nothing any more; only a handshake could.
        config.pins.insert(String::from("r1"), site.front("r2").fingerprint());
        site.write(&config);
        daemon.signal("HUP", 1);
        daemon.hears("ilo.certificate_changed");
        let asked = site.requests_to("r1").len();
        daemon.visits("r2", 3);
        daemon.stop();
        assert_eq!(site.requests_to("r1").len(), asked, "not even a log-out");
    }
}

/// As `xargs -P` does.
#[test]
fn several_that_write_at_once_lose_no_line() {
    let names = ["r1", "r2", "r3", "r4", "r5", "r6"];
    let site = Site::of(&names);
    let known = Config { known: true, ..site.config() };
    site.write(&known);
    std::fs::remove_file(site.path("known_ilos")).unwrap();
    let ended = std::thread::scope(|scope| {
        let writers = names.map(|name| scope.spawn(|| site.ask(&["trust", name, "--write"])));
        writers.map(|writer| writer.join().unwrap())
    });
    assert!(ended.iter().all(|ended| ended.code == Some(0)), "{:?}", ended.map(|ended| ended.err));
    let written = std::fs::read_to_string(site.path("known_ilos")).unwrap();
    assert_eq!(written.lines().filter(|line| line.starts_with('r')).count(), names.len(), "{written}");
}

#[test]
fn trust_tells_whom_it_could_not_reach() {
    let site = Site::of(&["r1", "r2"]);
    let mut config = site.config();
    config.known = true;
    site.write(&config);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = nobody.local_addr().unwrap().port();
    drop(nobody);
    let text = std::fs::read_to_string(site.config_path()).unwrap();
    site.write_config(&text.replace(&format!("port: {}", site.front("r2").address().port()), &format!("port: {gone}")));
    for args in [&["trust"][..], &["trust", "--write"], &["trust", "r2", "--json"]] {
        let ended = site.ask(args);
        assert_eq!(ended.code, Some(1), "{args:?}");
        assert!(ended.err.contains("cannot fetch the certificate of r2") != args.contains(&"--json"), "{}", ended.err);
    }
    site.write(&site.config());
    assert_eq!(site.ask(&["trust", "r1"]).code, Some(0));
    let ended = site.ask(&["trust"]);
    assert!(ended.code == Some(1) && ended.err.contains("no group has `tls: known`"), "{}", ended.err);
    assert_eq!(site.ask(&["trust", "r3"]).code, Some(2));
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
