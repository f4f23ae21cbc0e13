//! What is asked of the daemon that runs.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use serde_json::Value;

use super::program::Ended;
use super::site::{OURS, Site, rights};

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error} in {} {}", ended.out, ended.err))
}

#[test]
fn without_a_daemon_each_says_so_and_exits_69() {
    let site = Site::of(&["r1"]);
    for args in [
        &["reload"][..],
        &["status"],
        &["pause", "--reason", "x"],
        &["protect", "--owner", "a", "--reason", "x"],
        &["protect", "list"],
        &["protect", "remove", "by-hand-1"],
    ] {
        let ended = site.ask(args);
        assert_eq!((ended.code, ended.out.as_str()), (Some(69), ""), "{args:?}: {}", ended.err);
        assert!(
            ended.err.contains("no ilo-reaper answers at") && ended.err.contains("systemctl start"),
            "{}",
            ended.err
        );
    }
}

#[test]
fn reload_waits_for_the_verdict() {
    let site = Site::of(&["r1", "r2"]);
    let daemon = site.daemon();
    let good = std::fs::read_to_string(site.config_path()).unwrap();
    let path = site.config_path().display().to_string();
    site.write_config(&good.replace("mode: enforce", "mode: destroy").replace("every: 200ms", "every: 200"));
    let ended = site.ask(&["reload"]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(78), ""), "{}", ended.err);
    let lines: Vec<&str> = ended.err.lines().collect();
    assert_eq!(lines[0], "ilo-reaper: the configuration was refused, and the old one stays in force:");
    assert!(lines[1].starts_with(&format!("  {path}:1:7: ")) && lines[1].contains("destroy"), "{}", ended.err);
    assert!(lines[2].starts_with(&format!("  {path}:2:16: ")) && lines.len() == 3, "{}", ended.err);
    assert_eq!(daemon.hears_more("config.rejected", 1).len(), 2);

    let mut observing = site.config();
    observing.mode = "observe";
    observing.pins.remove("r2");
    site.write(&observing);
    let ended = site.ask(&["reload"]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    assert_eq!(ended.out, "the configuration is in force (iLOs added: 0, removed: 1, changed: 1)");
    // It is in force: nobody goes from here on.
    let before = site.deletes("r1").len();
    let leaked = site.leaked("r1", 1200);
    daemon.visits("r1", 8);
    assert!(site.lives("r1", &leaked) && site.deletes("r1").len() == before);

    site.write(&site.config());
    let ended = site.ask(&["reload"]);
    assert_eq!(ended.code, Some(0));
    assert!(ended.err.contains("ilo-reaper: warning: this deletes more than before: "), "{}", ended.err);
    daemon.until_true("the end of the leaked", || !site.lives("r1", &leaked));
    daemon.stop();
}

#[test]
fn status_shows_the_fleet_and_what_was_ordered() {
    let site = Site::of(&["r1", "r2"]);
    let daemon = site.daemon();
    site.used("r1");
    daemon.visits("r1", 2);
    daemon.visits("r2", 2);
    site.ask(&["pause", "--reason", "change 4711"]);
    site.ask(&["protect", "--owner", "svc-fw", "--reason", "change 4712"]);
    let status = json(&site.ask(&["status", "--json"]));
    let of = |key: &str| status["ilos"].as_array().unwrap().iter().map(|ilo| ilo[key].clone()).collect::<Vec<_>>();
    assert_eq!((of("ilo"), of("up")), (vec!["r1".into(), "r2".into()], vec![true.into(), true.into()]));
    assert_eq!((&of("used")[0], &of("pressure")[0], &of("mode")[0]), (&2.into(), &"calm".into(), &"enforce".into()));
    assert!(status["paused"].as_str().is_some_and(|paused| paused.contains("change 4711")), "{status}");
    assert_eq!(status["protections"][0]["owner"], "svc-fw");
    let text = site.ask(&["status"]);
    assert_eq!((text.code, text.err.as_str()), (Some(0), ""));
    assert!(text.out.contains("2 iLOs: ") && text.out.contains("change 4711"), "{}", text.out);
    let row = text.out.lines().find(|line| line.starts_with("r1 ")).unwrap();
    let words: Vec<&str> = row.split_whitespace().take(7).collect();
    assert_eq!(words, ["r1", "rack-r1", "enforce", "calm", "2", "of", "10"]);
    daemon.stop();
}

/// Passwords of the service manager are handed out once, at the start.
#[test]
fn reload_says_which_passwords_need_a_restart() {
    let site = Site::of(&["r1"]);
    let text = std::fs::read_to_string(site.config_path()).unwrap();
    let password = site.path("password").display().to_string();
    site.write_config(&text.replace(&format!("password_file: {password}"), "password_credential: password"));
    let credentials = site.path("").display().to_string();
    let daemon = site.start(&["run"], &[("CREDENTIALS_DIRECTORY", &credentials)]);
    daemon.visits("r1", 1);
    let ended = site.ask(&["reload"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.err.contains("`password_credential` (password)") && ended.err.contains("restart"), "{}", ended.err);
    daemon.stop();
}

#[test]
fn a_pause_holds_over_a_restart_and_until_resume() {
    let site = Site::of(&["r1"]);
    let daemon = site.daemon();
    let ended = site.ask(&["pause", "--reason", "change 4711"]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    assert_eq!(ended.out, "paused: no session of others is ended until `ilo-reaper resume`");
    let leaked = site.leaked("r1", 1200);
    let told = daemon.hears("session.would_reap");
    assert_eq!(told["because"], format!("the daemon was paused by uid {}: change 4711", own_uid()), "{told}");
    assert_eq!(daemon.hears("daemon.paused")["reason"], "change 4711");
    daemon.visits("r1", 3);
    daemon.kill();

    // It says so again, else nobody knows why nothing is deleted.
    let daemon = site.daemon();
    assert_eq!((&daemon.hears("daemon.ready")["mode"], daemon.heard("daemon.paused").len()), (&"observe".into(), 1));
    daemon.hears("session.would_reap");
    daemon.visits("r1", 3);
    assert!(site.lives("r1", &leaked) && site.deletes("r1").is_empty());
    let listed = site.ask(&["protect", "list"]);
    assert!(listed.err.contains("paused by uid") && listed.err.contains("change 4711"), "{}", listed.err);
    let ended = site.ask(&["resume"]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(0), "deletions may begin again where the mode is enforce"));
    daemon.until_true("the end of the leaked", || !site.lives("r1", &leaked));
    daemon.stop();

    // Also by a command that runs alone, and it can be ended so, too.
    let daemon = site.daemon();
    site.ask(&["pause", "--for", "1h", "--reason", "again"]);
    daemon.stop();
    let leaked = site.leaked("r1", 1200);
    let swept = site.ask(&["sweep", "--json"]);
    assert!(swept.err.contains("paused the daemon: again"), "{}", swept.err);
    assert!(site.lives("r1", &leaked) && json(&swept)["ilos"][0]["sessions"].is_array(), "{}", swept.out);
    assert_eq!(site.ask(&["resume"]).out, "deletions may begin again where the mode is enforce");
    assert_eq!(site.ask(&["resume"]).out, "nothing was held back");
}

fn own_uid() -> u32 {
    std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap())
}

#[test]
fn protections_by_hand_are_added_listed_and_removed() {
    let site = Site::of(&["r1"]);
    let daemon = site.daemon();
    let ended = site.ask(&["protect", "--owner", "SVC-*", "--ilo", "r1", "--for", "2h", "--reason", "firmware"]);
    let id = ended.out.strip_prefix("protected as ").unwrap().to_owned();
    assert!(ended.code == Some(0) && id.starts_with("by-hand-"), "{}", ended.err);
    let ended =
        site.ask(&["protect", "--origin", "192.0.2.0/28", "--until", "2100-01-01T00:00:00Z", "--reason", "desk"]);
    assert!(ended.code == Some(0) && ended.out != format!("protected as {id}"), "{}", ended.err);
    let leaked = site.leaked("r1", 1200);
    daemon.visits("r1", 10);
    assert!(site.lives("r1", &leaked));

    let listed = json(&site.ask(&["protect", "list", "--json"]));
    let protections = listed["protections"].as_array().unwrap();
    assert_eq!((&listed["paused"], protections.len()), (&Value::Null, 2));
    let first = &protections[0];
    assert_eq!((&first["id"], &first["owner"], &first["ilo"]), (&id.as_str().into(), &"SVC-*".into(), &"r1".into()));
    assert_eq!((&first["reason"], &first["session"]), (&"firmware".into(), &Value::Null));
    assert_eq!(protections[1]["until"], "2100-01-01T00:00:00Z");
    let table = site.ask(&["protect", "list"]).out;
    let rows: Vec<&str> = table.lines().collect();
    assert!(rows.len() == 3 && rows[0].starts_with("ID") && rows[2].contains("192.0.2.0/28"), "{table}");

    assert_eq!(site.ask(&["protect", "remove", &id]).code, Some(0));
    daemon.until_true("the end of the leaked", || !site.lives("r1", &leaked));
    assert_eq!(daemon.hears("protection.ended")["protection"], id);
    let ended = site.ask(&["protect", "remove", &id]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains(&format!("there is no protection {id}")), "{}", ended.err);

    for (args, word) in [
        (&["protect", "--reason", "x"][..], "name an owner"),
        (&["protect", "--owner", "a"], "--reason"),
        (&["protect", "--owner", "a[b]", "--reason", "x"], "only `*` and `?`"),
        (&["protect", "--origin", "192.0.2.7/28", "--reason", "x"], "did you mean `192.0.2.0/28`?"),
        (&["protect", "--ilo", "r9", "--reason", "x"], "there is no iLO 'r9'"),
        (&["protect", "--session", "a", "--reason", "x"], "--ilo"),
        (&["protect", "--ilo", "r1", "--session", "a/b", "--reason", "x"], "no id of a session"),
        (&["protect", "--owner", "a", "--until", "tomorrow", "--reason", "x"], "no time with its zone"),
        (&["protect", "--owner", "a", "--until", "2001-01-01T00:00:00Z", "--reason", "x"], "over already"),
        (&["pause", "--for", "10", "--reason", "x"], "did you mean `10s`?"),
        (&["pause", "--reason", " "], "no reason"),
        (&["pause", "--for", "0s", "--reason", "x"], "over already"),
    ] {
        let ended = site.ask(args);
        assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{args:?}: {}", ended.err);
        assert!(ended.err.contains(word), "{args:?}: {}", ended.err);
    }
    daemon.stop();
}

#[test]
fn the_socket_is_closed_to_others_and_one_that_was_left_is_replaced() {
    let site = Site::of(&["r1"]);
    let socket = site.path("run").join("control.sock");
    let daemon = site.daemon();
    assert_eq!(rights(&socket), 0o600);
    daemon.kill();
    assert!(socket.exists(), "nobody removed it");
    assert_eq!(site.ask(&["reload"]).code, Some(69));
    let daemon = site.daemon();
    assert_eq!(site.ask(&["reload"]).code, Some(0));

    // Another one, with a state of its own, does not take it away.
    let other = site.path("other").display().to_string();
    let ended = site.start(&["run"], &[("STATE_DIRECTORY", &other)]).ended();
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains("another ilo-reaper answers there"), "{}", ended.err);
    assert_eq!(site.ask(&["reload"]).code, Some(0));
    daemon.stop();
    assert!(!socket.exists());
}

/// Whoever may write to the socket can send anything; it is bounded, and harms nothing.
#[test]
fn nonsense_on_the_socket_is_refused_and_harms_nothing() {
    let site = Site::of(&["r1"]);
    let daemon = site.daemon();
    let send = |text: &str| {
        let mut stream = UnixStream::connect(site.path("run").join("control.sock")).unwrap();
        // It may close before all is sent.
        let _sent = stream.write_all(text.as_bytes());
        let mut answer = String::new();
        let _read = stream.read_to_string(&mut answer);
        answer
    };
    let post = |path: &str, body: &str| {
        send(&format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
    };
    for (answer, status) in [
        (post("/v1/pause", "{\"reason\":\"x\",\"fro\":1}"), "400"),
        (post("/v1/pause", "[]"), "400"),
        (post("/v1/pause", "{\"reason\":7}"), "400"),
        (post("/v1/protect", "{\"reason\":\"x\",\"for_s\":-1,\"owner\":\"a\"}"), "400"),
        (post("/v1/nothing", "{}"), "404"),
        (send("GET /v1/pause HTTP/1.1\r\nHost: x\r\n\r\n"), "404"),
        (post("/v1/pause", &"x".repeat(1_100_000)), "413"),
        (send("hello\r\n\r\n"), "400"),
    ] {
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {answer}");
    }
    let _silent: Vec<UnixStream> =
        (0..20).map(|_| UnixStream::connect(site.path("run").join("control.sock")).unwrap()).collect();
    assert_eq!(site.ask(&["protect", "list", "--json"]).code, Some(0));
    let leaked = site.leaked("r1", 1200);
    daemon.until_true("the end of the leaked", || !site.lives("r1", &leaked));
    daemon.stop();
}

/// A site in mode observe whose daemon looks once a minute: whatever happens sooner was asked for.
fn calm(names: &[&str]) -> Site {
    let site = Site::of(names);
    let mut config = site.config();
    (config.mode, config.poll) = ("observe", String::from("{ every: 1m, fastest: 1s }"));
    site.write(&config);
    site
}

fn outcomes(document: &Value) -> Vec<(&str, &str)> {
    let sessions = |ilo: &'_ Value| ilo["sessions"].as_array().map(Vec::as_slice).unwrap_or_default().len();
    let ilos = document["ilos"].as_array().unwrap();
    assert!(ilos.iter().all(|ilo| sessions(ilo) > 0), "{document}");
    let all = ilos.iter().flat_map(|ilo| ilo["sessions"].as_array().unwrap());
    all.map(|session| (session["owner"].as_str().unwrap(), session["outcome"].as_str().unwrap())).collect()
}

/// The daemon's own session and state serve for it, so that a full table keeps nobody from looking.
#[test]
fn list_and_sweep_beside_the_daemon_go_through_it() {
    let site = calm(&["r1", "r2"]);
    let (first, second) = (site.leaked("r1", 1200), site.leaked("r2", 1200));
    let daemon = site.daemon();
    daemon.hears("daemon.ready");
    let listed = json(&site.ask(&["list", "--json"]));
    assert_eq!((&listed["asked"], &listed["v"]), (&2.into(), &1.into()));
    let one = [("svc-backup", "would reap"), (OURS, "keep")];
    assert_eq!(outcomes(&listed), [one, one].concat());
    let table = site.ask(&["list", "r1"]);
    assert_eq!((table.code, table.err.as_str()), (Some(0), ""));
    assert!(table.out.contains(first.as_str()) && !table.out.contains(second.as_str()), "{}", table.out);

    assert_eq!(outcomes(&json(&site.ask(&["sweep", "--json"]))), [one, one].concat());
    assert!(site.deletes("r1").is_empty() && site.deletes("r2").is_empty());
    assert_eq!(site.ask(&["pause", "--reason", "change 4711"]).code, Some(0));
    assert_eq!(outcomes(&json(&site.ask(&["sweep", "--enforce", "--json"]))), [one, one].concat());
    assert!(site.deletes("r1").is_empty() && site.deletes("r2").is_empty());
    assert_eq!(site.ask(&["resume"]).code, Some(0));
    let swept = json(&site.ask(&["sweep", "r1", "--enforce", "--json"]));
    assert_eq!(outcomes(&swept), [("svc-backup", "reaped"), (OURS, "keep")]);
    assert_eq!((site.deletes("r1"), site.deletes("r2").len()), (vec![first.to_string()], 0));
    assert_eq!(daemon.hears("session.reaped")["session"], first.as_str());
    assert_eq!((site.logins("r1"), site.logins("r2")), (1, 1), "one session of ours served for all");

    let ended = site.ask(&["list", "r11"]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""));
    assert!(ended.err.contains("there is no iLO 'r11' in the configuration; did you mean 'r1'?"), "{}", ended.err);
    daemon.stop();
}

#[test]
fn a_list_ends_with_the_daemon_and_an_ilo_that_fails_is_told() {
    let site = calm(&["r1", "r2"]);
    let daemon = site.daemon();
    daemon.hears("daemon.ready");
    site.fault("r1", &http::Method::GET, ilo_sim::FaultKind::LoseReply);
    let ended = site.ask(&["list"]);
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(ended.err.starts_with("ilo-reaper: cannot visit r1: "), "{}", ended.err);
    assert!(ended.out.contains(OURS) && ended.out.contains("r2"), "{}", ended.out);

    site.fault("r1", &http::Method::GET, ilo_sim::FaultKind::Hang);
    let list = site.start(&["list"], &[]);
    list.until_true("a visit that hangs", || site.faults_left("r1") == 0);
    daemon.signal("TERM", 1);
    let ended = list.ended();
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(ended.err.contains("of 2 iLOs were visited"), "{}", ended.err);
    daemon.ended();
}

/// Whoever names another configuration means another fleet, and must not sweep this one.
#[test]
fn a_daemon_of_another_configuration_is_not_asked() {
    let site = calm(&["r1"]);
    let leaked = site.leaked("r1", 1200);
    let daemon = site.daemon();
    daemon.hears("daemon.ready");
    let other = site.path("lab.yaml");
    std::fs::copy(site.config_path(), &other).unwrap();
    let other = other.display().to_string();
    for command in [&["sweep", "--enforce"][..], &["list"], &["status"], &["reload"], &["pause", "--reason", "x"]] {
        let args = [command, &["--config", &other]].concat();
        let ended = site.ask(&args);
        assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""), "{args:?}: {}", ended.err);
        let has = site.config_path().display().to_string();
        assert!(ended.err.contains(&format!("has another configuration, {has}")), "{args:?}: {}", ended.err);
    }
    assert!(site.lives("r1", &leaked) && site.deletes("r1").is_empty() && daemon.heard("daemon.paused").is_empty());
    // Where neither is there any more, nobody knows that they are the same.
    let (aside, gone) = (site.path("aside.yaml"), site.path("gone.yaml").display().to_string());
    std::fs::rename(site.config_path(), &aside).unwrap();
    assert_eq!(site.ask(&["sweep", "--enforce", "--config", &gone]).code, Some(1));
    assert!(site.lives("r1", &leaked) && site.deletes("r1").is_empty());
    std::fs::rename(&aside, site.config_path()).unwrap();
    // The same by another way is the same.
    let linked = site.path("linked.yaml");
    std::os::unix::fs::symlink(site.config_path(), &linked).unwrap();
    assert_eq!(site.ask(&["list", "--config", &linked.display().to_string()]).code, Some(0));
    daemon.stop();
}

#[test]
fn a_reload_that_renames_a_protected_ilo_says_so() {
    let site = Site::of(&["r1", "r2"]);
    let daemon = site.daemon();
    site.ask(&["protect", "--ilo", "r2", "--reason", "firmware"]);
    let mut fewer = site.config();
    fewer.pins.remove("r2");
    site.write(&fewer);
    let ended = site.ask(&["reload"]);
    assert_eq!(ended.code, Some(0));
    assert!(ended.err.contains("(ilo r2) spares nobody: the configuration names no such iLO"), "{}", ended.err);
    daemon.stop();
}

/// The file of the state is damaged while no daemon runs, and somebody wants to end a pause.
#[test]
fn a_resume_that_finds_the_state_lost_resumes_nothing() {
    let site = Site::of(&["r1"]);
    site.daemon().stop();
    std::fs::write(site.state().join("state.db"), b"damaged").unwrap();
    let ended = site.ask(&["resume"]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""), "{}", ended.err);
    assert!(ended.err.contains("the state was lost just now") && ended.err.contains("again"), "{}", ended.err);
    let leaked = site.leaked("r1", 1200);
    let daemon = site.daemon();
    daemon.visits("r1", 3);
    assert!(site.lives("r1", &leaked) && daemon.heard("state.reset").len() == 1);
    assert_eq!(site.ask(&["resume"]).code, Some(0));
    daemon.until_true("the end of the leaked", || !site.lives("r1", &leaked));
    daemon.stop();
}
