//! Commands: what they print, and how they exit.

use http::Method;
use ilo_sim::FaultKind;
use serde_json::Value;

use super::program::Ended;
use super::site::Site;

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error} in {}", ended.out))
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn check_tells_every_mistake_with_its_place() {
    let site = Site::of(&["r1"]);
    let ended = site.ask(&["check"]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    assert!(ended.out.ends_with(": good (iLOs: 1, groups: 1)"), "{}", ended.out);
    let good = json(&site.ask(&["check", "--json"]));
    assert_eq!((&good["good"], &good["ilos"], &good["mistakes"]), (&true.into(), &1.into(), &Value::Array(vec![])));

    let text = std::fs::read_to_string(site.config_path()).unwrap();
    let path = site.config_path().display().to_string();
    for (from, to, place, word) in [
        ("mode: enforce", "mode: destroy", ":1:7: ", "destroy"),
        ("poll: {", "pol: {", ":2:1: ", "poll"),
        ("every: 200ms", "every: 200", ":2:16: ", "200"),
        ("share_of_seen: 90%", "share_of_seen: 900%", ":3:24: ", "900%"),
        ("log: json", "log: jason", ":4:16: ", "json"),
        ("    tls: ", "    tsl: ", ":9:5: ", "tls"),
        ("sha256:", "sha512:", ":9:17: ", "sha256:"),
    ] {
        assert!(text.contains(from), "{text}");
        site.write_config(&text.replace(from, to));
        let ended = site.ask(&["check"]);
        assert_eq!((ended.code, ended.out.as_str()), (Some(78), ""), "{to}: {}", ended.err);
        assert!(ended.err.starts_with("ilo-reaper: cannot use the configuration:"), "{}", ended.err);
        let line = ended.err.lines().find(|line| line.contains(&format!("{path}{place}")));
        assert!(line.is_some_and(|line| line.contains(word)), "{place} {word}: {}", ended.err);
        for command in ["run", "list", "sweep"] {
            assert_eq!(site.ask(&[command]).code, Some(78), "{command} with {to}");
        }
    }
    let ended = site.ask(&["check", "--json"]);
    assert_eq!(ended.code, Some(78));
    let bad = json(&ended);
    assert_eq!((&bad["v"], &bad["good"]), (&1.into(), &false.into()));
    let mistake = &bad["mistakes"][0];
    assert_eq!(keys(mistake), ["column", "file", "line", "mistake"]);
    assert_eq!((&mistake["file"], &mistake["line"]), (&path.as_str().into(), &9.into()));
    assert!(site.requests_to("r1").is_empty());
}

#[test]
fn two_mistakes_are_told_at_once_and_a_missing_file_is_one() {
    let site = Site::of(&["r1"]);
    let text = std::fs::read_to_string(site.config_path()).unwrap();
    site.write_config(&text.replace("mode: enforce", "mode: destroy").replace("log: json", "log: jason"));
    let ended = site.ask(&["check"]);
    assert!(ended.err.contains(":1:7: ") && ended.err.contains(":4:16: "), "{}", ended.err);
    let ended = site.ask(&["check", "--config", "/nonexistent/ilo-reaper.yaml"]);
    assert_eq!(ended.code, Some(78));
    assert!(ended.err.contains("/nonexistent/ilo-reaper.yaml"), "{}", ended.err);
    std::fs::remove_file(site.path("password")).unwrap();
    site.write(&site.config());
    let ended = site.ask(&["check"]);
    assert_eq!(ended.code, Some(78));
    let password = site.path("password").display().to_string();
    assert!(ended.err.contains(":8:20: ") && ended.err.contains(&password), "{}", ended.err);
}

#[test]
fn usage_errors_are_two_and_help_is_zero() {
    let site = Site::of(&["r1"]);
    for args in [&["frobnicate"][..], &[], &["list", "--enforce"], &["run", "now"], &["check", "--jso"]] {
        let ended = site.ask(args);
        assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{args:?}: {}", ended.err);
        assert!(ended.err.starts_with("ilo-reaper: "), "{args:?}: {}", ended.err);
    }
    for args in [&["--help"][..], &["--version"], &["list", "--help"]] {
        let ended = site.ask(args);
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{args:?}");
        assert!(ended.out.contains("ilo-reaper"), "{args:?}: {}", ended.out);
    }
    let ended = site.ask(&["list", "r11"]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""));
    assert!(ended.err.contains("there is no iLO 'r11' in the configuration; did you mean 'r1'?"), "{}", ended.err);
    let ended = site.start(&["check"], &[("ILO_REAPER_LOG", "loud")]).ended();
    assert_eq!(ended.code, Some(2), "{}", ended.err);
    assert!(site.requests_to("r1").is_empty());
}

#[test]
fn list_shows_who_is_on_and_deletes_nothing() {
    let site = Site::of(&["r1"]);
    let (leaked, used) = (site.leaked("r1", 1200), site.used("r1"));
    let ended = site.ask(&["list"]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{}", ended.out);
    let lines: Vec<&str> = ended.out.lines().collect();
    let words: Vec<&str> = lines[0].split_whitespace().collect();
    assert_eq!(words, ["ILO", "SESSION", "OWNER", "ORIGIN", "KIND", "AGE", "IDLE", "VERDICT", "WHY"]);
    let row = |id: &str| lines.iter().find(|line| line.contains(id)).copied().unwrap_or_default();
    assert!(row(leaked.as_str()).contains("would reap"), "{}", ended.out);
    let words: Vec<&str> = row(leaked.as_str()).split_whitespace().take(5).collect();
    assert_eq!(words, ["r1", leaked.as_str(), "svc-backup", "192.0.2.50", "rest"]);
    assert!(row(used.as_str()).contains("keep"), "{}", ended.out);

    let document = json(&site.ask(&["list", "--json"]));
    assert_eq!(keys(&document), ["asked", "ilos", "v"]);
    let ilo = &document["ilos"][0];
    assert_eq!(keys(ilo), ["error", "group", "ilo", "limit", "mode", "remedy", "sessions", "used"]);
    assert_eq!((&ilo["ilo"], &ilo["group"], &ilo["error"]), (&"r1".into(), &"rack-r1".into(), &Value::Null));
    let sessions = ilo["sessions"].as_array().unwrap();
    let session = sessions.iter().find(|session| session["session"] == leaked.as_str()).unwrap();
    assert_eq!(
        keys(session),
        ["age_s", "idle_s", "killable", "kind", "origin", "outcome", "owner", "rule", "session", "user_type", "why"]
    );
    assert_eq!((&session["killable"], &session["rule"]), (&true.into(), &"never-used".into()));
    assert_eq!((&session["outcome"], &session["origin"]), (&"would reap".into(), &"192.0.2.50".into()));
    assert!(site.deletes("r1").is_empty() && site.our_tokens("r1").is_empty());
}

#[test]
fn sweep_deletes_where_the_mode_or_a_person_says_so() {
    let site = Site::of(&["r1", "r2"]);
    let mut config = site.config();
    config.mode = "observe";
    site.write(&config);
    let (first, second) = (site.leaked("r1", 1200), site.leaked("r2", 1200));
    let outcome = |ended: &Ended, id: &str| {
        let document = json(ended);
        let sessions = document["ilos"][0]["sessions"].as_array().unwrap().clone();
        sessions.iter().find(|session| session["session"] == id).map(|session| session["outcome"].clone())
    };
    let ended = site.ask(&["sweep", "--json"]);
    assert_eq!((ended.code, outcome(&ended, first.as_str())), (Some(0), Some("would reap".into())), "{}", ended.err);
    assert!(site.deletes("r1").is_empty());
    let ended = site.ask(&["sweep", "--enforce", "--json", "r1"]);
    assert_eq!((ended.code, outcome(&ended, first.as_str())), (Some(0), Some("reaped".into())), "{}", ended.err);
    assert!(!site.lives("r1", &first));

    config.mode = "enforce";
    site.write(&config);
    let ended = site.ask(&["sweep", "r2"]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    assert!(ended.out.lines().any(|line| line.contains(second.as_str()) && line.contains("reaped")), "{}", ended.out);
    assert_eq!((site.deletes("r1"), site.deletes("r2")), (vec![first.to_string()], vec![second.to_string()]));
    assert!(site.our_tokens("r1").is_empty() && site.our_tokens("r2").is_empty());
}

#[test]
fn a_reader_that_has_read_enough_is_no_failure() {
    let site = Site::of(&["r1"]);
    for args in [&["list"][..], &["sweep", "--json"], &["check"], &["--help"]] {
        assert_eq!(site.start_unheard(args).ended().code, Some(0), "{args:?}");
        assert!(site.our_tokens("r1").is_empty());
    }
}

#[test]
fn a_command_that_is_interrupted_leaves_no_session_of_ours() {
    for (command, signal) in [("list", "INT"), ("sweep", "TERM")] {
        let site = Site::of(&["r1", "r2"]);
        let mut config = site.config();
        config.poll = String::from("{ every: 1m, fastest: 1s, exchange_timeout: 1s }");
        site.write(&config);
        site.fault("r1", &Method::GET, FaultKind::Hang);
        let program = site.start(&[command], &[]);
        program.until_true("a visit that hangs", || site.faults_left("r1") == 0);
        program.signal(signal, 1);
        let ended = program.ended();
        assert_eq!(ended.code, Some(1), "{command} {signal}: {}", ended.err);
        assert!(ended.err.contains("stopped by a signal before"), "{}", ended.err);
        assert_eq!(site.our_tokens("r1").len() + site.our_tokens("r2").len(), 0, "{command} {signal}");
    }
}
