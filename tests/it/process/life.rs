//! The daemon's life: it starts, works, is stopped or killed, and starts again.

use std::fs;
use std::time::Duration;

use http::Method;
use ilo_sim::FaultKind;
use tokio::time::Instant;

use super::program::event;
use super::site::Site;

#[test]
fn what_was_leaked_goes_over_https_and_a_clean_stop_leaves_nothing_of_ours() {
    let site = Site::of(&["r1"]);
    let leaked: Vec<_> = (0..4).map(|number| site.leaked("r1", 1200 + number)).collect();
    let used = site.used("r1");
    let daemon = site.daemon();
    daemon.until_true("the end of the leaked", || leaked.iter().all(|id| !site.lives("r1", id)));
    daemon.hears_more("session.reaped", 3);
    assert_eq!(site.our_tokens("r1").len(), 1, "{}", daemon.story());
    let began = Instant::now();
    let ended = daemon.stop();
    assert!(began.elapsed() < Duration::from_secs(40));
    assert!(site.lives("r1", &used));
    assert_eq!(site.our_tokens("r1").len(), 0, "{}", ended.out);
    assert_eq!((site.logins("r1"), site.deletes("r1").len()), (1, 4));
    assert_eq!(ended.err, "");

    let lines: Vec<&str> = ended.out.lines().collect();
    for line in &lines {
        let event = event(line);
        assert_eq!(event["v"], 1, "{line}");
        let keys = ["\"v\":", ",\"ts\":", ",\"level\":", ",\"event\":", ",\"message\":"];
        let places: Vec<_> = keys.iter().map(|key| line.find(key)).collect();
        assert!(places.iter().all(Option::is_some) && places.is_sorted() && places[0] == Some(1), "{line}");
    }
    assert_eq!(event(lines[0])["event"], "daemon.ready");
    assert_eq!(event(lines[lines.len() - 1])["event"], "daemon.stopping");
}

#[test]
fn a_killed_daemon_finds_its_session_again_and_makes_no_other() {
    let site = Site::of(&["r1"]);
    let mut ours = None;
    for _ in 0..3 {
        let daemon = site.daemon();
        daemon.visits("r1", 1);
        daemon.kill();
        let now = site.our_tokens("r1");
        assert_eq!((ours.get_or_insert(now.clone()), site.logins("r1")), (&mut now.clone(), 1));
    }
    let daemon = site.daemon();
    daemon.visits("r1", 1);
    daemon.stop();
    assert_eq!((site.our_tokens("r1").len(), site.logins("r1")), (0, 1));
}

#[test]
fn a_second_daemon_or_sweep_on_one_state_ends_and_says_what_to_do() {
    let site = Site::of(&["r1"]);
    let daemon = site.daemon();
    // Where its socket is elsewhere, commands do not find it.
    let elsewhere = site.path("").display().to_string();
    for command in ["run", "sweep", "list"] {
        let ended = site.start(&[command], &[("RUNTIME_DIRECTORY", &elsewhere)]).ended();
        assert_eq!(ended.code, Some(1), "{command}: {}", ended.err);
        assert!(ended.err.starts_with("ilo-reaper: cannot use the state: another ilo-reaper uses"), "{}", ended.err);
        assert!(ended.err.contains("stop it, or give this one a directory of its own"), "{}", ended.err);
        assert_eq!(ended.out, "", "{command}");
    }
    let leaked = site.leaked("r1", 1200);
    daemon.until_true("the end of the leaked", || !site.lives("r1", &leaked));
    daemon.stop();
    assert_eq!(site.logins("r1"), 1);
}

#[test]
fn sigint_stops_cleanly() {
    let site = Site::of(&["r1", "r2"]);
    let daemon = site.daemon();
    daemon.until_true("a session on both", || site.our_tokens("r1").len() + site.our_tokens("r2").len() == 2);
    daemon.signal("INT", 1);
    let ended = daemon.ended();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_eq!(site.our_tokens("r1").len() + site.our_tokens("r2").len(), 0);
}

#[test]
fn a_second_sigint_ends_at_once_though_an_ilo_hangs() {
    let site = Site::of(&["r1"]);
    let daemon = site.daemon();
    daemon.visits("r1", 1);
    site.fault("r1", &Method::DELETE, FaultKind::Hang);
    daemon.signal("INT", 1);
    daemon.until_true("the log-out", || site.faults_left("r1") == 0);
    let began = Instant::now();
    daemon.signal("INT", 1);
    let ended = daemon.ended();
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(ended.code, Some(130), "{}", ended.err);

    // The next start finds the session, and ends it.
    let daemon = site.daemon();
    daemon.visits("r1", 1);
    daemon.stop();
    assert_eq!((site.our_tokens("r1").len(), site.logins("r1")), (0, 1));
}

#[test]
fn outputs_that_nobody_reads_stop_neither_the_daemon_nor_deletions() {
    let site = Site::of(&["r1"]);
    let daemon = site.start_unheard(&["run"]);
    for number in 0..3 {
        let leaked = site.leaked("r1", 1200 + number);
        daemon.until_true("the end of the leaked", || !site.lives("r1", &leaked));
    }
    assert!(daemon.runs());
    daemon.signal("TERM", 1);
    daemon.until_true("the log-out", || site.our_tokens("r1").is_empty());
    assert_eq!(daemon.ended().code, Some(0));
    assert_eq!(site.logins("r1"), 1);
}

/// Rule 10 of the design.
#[test]
fn a_reader_that_hangs_stops_neither_deletions_nor_the_end() {
    let site = Site::of(&["r1"]);
    let daemon = site.start_unread();
    daemon.until_true("our session", || site.our_tokens("r1").len() == 1);
    let good = fs::read_to_string(site.config_path()).unwrap();
    let mistakes: Vec<String> = (0..50).map(|number| format!("unknown-{number}: {}\n", "x".repeat(50))).collect();
    site.write_config(&(good + &mistakes.concat()));
    for number in 0..10 {
        daemon.signal("HUP", 20);
        let leaked = site.leaked("r1", 1200 + number);
        daemon.until_true("the end of the leaked", || !site.lives("r1", &leaked));
    }
    daemon.signal("TERM", 1);
    daemon.until_true("the log-out", || site.our_tokens("r1").is_empty());
    let ended = daemon.ended();
    assert_eq!(ended.code, Some(0));
    assert!(!ended.out.contains("daemon.stopping"), "all that was told found room in the pipe");
}

#[test]
fn a_stop_waits_for_an_ilo_that_hangs_no_longer_than_its_exchange() {
    for method in [Method::GET, Method::DELETE] {
        let site = Site::of(&["r1", "r2"]);
        let mut config = site.config();
        config.poll = String::from("{ every: 200ms, fastest: 200ms, exchange_timeout: 1s }");
        site.write(&config);
        let daemon = site.daemon();
        daemon.until_true("a session on both", || site.our_tokens("r1").len() + site.our_tokens("r2").len() == 2);
        site.fault("r1", &method, FaultKind::Hang);
        if method == Method::GET {
            daemon.until_true("a visit that hangs", || site.faults_left("r1") == 0);
        }
        daemon.stop();
        assert_eq!((site.faults_left("r1"), site.our_tokens("r2").len()), (0, 0));
        // A log-out that was not answered is left to the next start.
        assert_eq!(site.our_tokens("r1").len(), usize::from(method == Method::DELETE));
        site.daemon().stop();
        assert_eq!((site.our_tokens("r1").len(), site.logins("r1")), (0, 1));
    }
}

#[test]
fn the_state_is_closed_to_others() {
    let site = Site::of(&["r1"]);
    let daemon = site.daemon();
    daemon.visits("r1", 1);
    assert_eq!(super::site::rights(&site.state()), 0o700);
    let files = site.state_files();
    assert!(files.iter().any(|path| path.ends_with("state.db")), "{files:?}");
    for path in files {
        assert_eq!(super::site::rights(&path), 0o600, "{}", path.display());
        assert!(fs::symlink_metadata(&path).unwrap().is_file(), "{}", path.display());
    }
    daemon.stop();
}

/// A shell that a service started inherits the variable, and so does what is started from it.
#[test]
fn whoever_inherits_a_journal_stream_that_is_not_its_own_is_no_service() {
    let site = Site::of(&["r1"]);
    let config = fs::read_to_string(site.config_path()).unwrap();
    site.write_config(&config.replace("log: json", "log: auto"));
    let daemon = site.start(&["run"], &[("JOURNAL_STREAM", "8:12345")]);
    daemon.hears("daemon.ready");
    daemon.stop();
}
