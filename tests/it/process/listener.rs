//! `report.listen`: metrics and status of the real program over HTTP.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use super::site::Site;

/// An address where nobody listens. Somebody else may take it before we do, which a test then says.
fn free() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

fn listen(site: &Site, address: SocketAddr) {
    let path = site.config_path();
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, behind) = text.split_once("report: { ").unwrap();
    let behind = behind.split_once("log: json").unwrap().1;
    std::fs::write(path, format!("{before}report: {{ listen: \"{address}\", log: json{behind}")).unwrap();
}

/// One request, and the whole answer.
fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(format!("{request} HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn metrics_and_status_are_served_where_the_configuration_says() {
    let site = Site::of(&["r1", "r2"]);
    let address = free();
    listen(&site, address);
    let leaked = site.leaked("r1", 1200);
    let daemon = site.daemon();
    daemon.until_true("the end of the leaked", || !site.lives("r1", &leaked));
    daemon.visits("r1", 1);
    let text = ask(address, "GET /metrics");
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    assert!(text.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{text}");
    assert!(text.contains("ilo_reaper_sessions_reaped_total{group=\"rack-r1\",rule=\"never-used\"} 1\n"), "{text}");
    assert!(text.contains("ilo_reaper_ilo_up{ilo=\"r1\",group=\"rack-r1\"} 1\n"), "{text}");
    let open = ask(address, "GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text;version=1.0.0\r\nX: y");
    assert!(open.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"), "{open}");
    assert!(open.contains("# TYPE ilo_reaper_sessions_reaped counter\n") && open.ends_with("\n# EOF\n"), "{open}");
    assert!(open.contains("# UNIT ilo_reaper_visit_lag_seconds seconds\n"), "{open}");
    for path in ["/healthz", "/readyz"] {
        assert!(ask(address, &format!("GET {path}")).ends_with("\r\n\r\nok\n"), "{path}");
    }
    let page = ask(address, "GET /");
    assert!(
        page.contains("content-type: text/html; charset=utf-8\r\n") && page.contains("<td>r1<td>rack-r1"),
        "{page}"
    );
    let json = ask(address, "GET /status.json");
    let json: serde_json::Value = serde_json::from_str(json.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!((&json["ilos"][0]["ilo"], &json["ilos"][0]["up"]), (&"r1".into(), &true.into()), "{json}");
    assert_eq!(json["counts"]["reaped"][0]["rule"], "never-used", "{json}");
    for (request, status) in [
        ("GET /metrics/", "404"),
        ("GET /../etc/passwd", "404"),
        ("POST /metrics", "405"),
        ("DELETE /", "405"),
        ("HEAD /metrics", "200"),
    ] {
        assert!(ask(address, request).starts_with(&format!("HTTP/1.1 {status} ")), "{request}");
    }
    daemon.stop();
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
}

#[test]
fn nothing_listens_unless_the_configuration_says_so() {
    let site = Site::of(&["r1"]);
    let daemon = site.daemon();
    daemon.visits("r1", 1);
    assert_eq!(daemon.listening(), 0);
    daemon.stop();
}

#[test]
fn an_address_that_somebody_has_is_told_before_any_ilo_is_asked() {
    let site = Site::of(&["r1"]);
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap();
    listen(&site, address);
    let ended = site.ask(&["run"]);
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    let told = format!("ilo-reaper: cannot start: cannot listen on {address}: ");
    assert!(ended.err.contains(&told) && ended.err.contains("choose another port"), "{}", ended.err);
    assert_eq!(site.requests_to("r1").len(), 0);
}

#[test]
fn a_reload_moves_the_listener_or_changes_nothing() {
    let site = Site::of(&["r1"]);
    let daemon = site.daemon();
    let first = free();
    listen(&site, first);
    daemon.signal("HUP", 1);
    daemon.hears("config.reloaded");
    daemon.until_true("the listener", || TcpStream::connect(first).is_ok());
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listen(&site, taken.local_addr().unwrap());
    daemon.signal("HUP", 1);
    let rejected = daemon.hears("config.rejected");
    assert!(rejected["mistake"].as_str().is_some_and(|mistake| mistake.contains("cannot listen on")), "{rejected}");
    let text = ask(first, "GET /metrics");
    assert!(text.contains("\nilo_reaper_config_last_reload_successful 0\n"), "{text}");
    let second = free();
    listen(&site, second);
    daemon.signal("HUP", 1);
    daemon.hears_more("config.reloaded", 1);
    daemon.until_true("the new one alone", || TcpStream::connect(second).is_ok() && TcpStream::connect(first).is_err());
    assert!(ask(second, "GET /metrics").contains("\nilo_reaper_config_last_reload_successful 1\n"));
    site.write(&site.config());
    daemon.signal("HUP", 1);
    daemon.until_true("nobody", || TcpStream::connect(second).is_err());
    daemon.stop();
}
