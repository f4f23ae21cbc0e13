//! A state that was lost, and what is in its files.

use std::fs;

use super::site::{PASSWORD, Site};

#[test]
fn after_a_lost_state_nothing_is_deleted_until_a_person_says_so() {
    let site = Site::of(&["r1"]);
    site.daemon().stop();
    fs::write(site.state().join("state.db"), "this is no database").unwrap();
    let leaked = site.leaked("r1", 1200);

    let daemon = site.daemon();
    let told = daemon.hears("state.reset");
    assert_eq!(told["level"], "crit");
    let aside = told["path"].as_str().unwrap();
    assert_eq!(fs::read_to_string(aside).unwrap(), "this is no database");
    daemon.hears("session.would_reap");
    daemon.visits("r1", 2);
    daemon.stop();
    assert!(site.deletes("r1").is_empty());

    let daemon = site.daemon();
    daemon.hears("session.would_reap");
    daemon.visits("r1", 2);
    assert_eq!(daemon.hears("daemon.ready")["mode"], "observe", "it deletes nothing, and says so");
    let told = daemon.hears("state.reset");
    assert!(told["message"].as_str().is_some_and(|message| message.contains("until `ilo-reaper resume`")), "{told}");
    daemon.stop();
    assert!(site.lives("r1", &leaked) && site.deletes("r1").is_empty(), "a restart is no leave to delete");
    let ended = site.ask(&["sweep", "--enforce"]);
    assert_eq!(ended.code, Some(0));
    assert!(site.lives("r1", &leaked), "nor is a command");
    assert!(ended.err.contains("Nothing is deleted until `ilo-reaper resume`"), "{}", ended.err);

    let ended = site.ask(&["resume"]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(0), "deletions may begin again where the mode is enforce"));
    let daemon = site.daemon();
    daemon.until_true("the end of the leaked", || !site.lives("r1", &leaked));
    assert!(daemon.heard("state.reset").is_empty());
    assert_eq!(daemon.hears("daemon.ready")["mode"], "enforce");
    daemon.stop();
    assert_eq!(site.ask(&["resume"]).out, "nothing was held back");
}

/// Rule 5 of the design.
#[test]
fn what_cannot_be_recorded_is_not_deleted() {
    let site = Site::of(&["r1"]);
    let daemon = site.daemon();
    daemon.visits("r1", 1);
    fs::remove_file(site.state().join("state.db")).unwrap();
    let leaked = site.leaked("r1", 1200);
    let told = daemon.hears("state.unwritable");
    assert_eq!(told["level"], "err", "{told}");
    daemon.visits("r1", 2);
    assert!(site.lives("r1", &leaked) && site.deletes("r1").is_empty());
    daemon.stop();
    assert!(site.our_tokens("r1").is_empty());
}

#[test]
fn neither_password_nor_token_is_seen_anywhere_but_where_it_belongs() {
    let site = Site::of(&["r1"]);
    let trace = [("ILO_REAPER_LOG", "trace")];
    let mut seen = String::new();
    for command in [&["check"][..], &["check", "--json"], &["list"], &["list", "--json"], &["sweep", "--json"]] {
        site.leaked("r1", 1200);
        let ended = site.start(command, &trace).ended();
        assert_eq!(ended.code, Some(0), "{command:?}: {}", ended.err);
        seen += &(ended.out + &ended.err);
    }
    site.leaked("r1", 1200);
    let daemon = site.start(&["run"], &trace);
    daemon.hears("session.reaped");
    daemon.visits("r1", 1);
    let [token] = site.our_tokens("r1").try_into().unwrap();
    let file_holds = |path: &std::path::Path, secret: &str| {
        fs::read(path).unwrap().windows(secret.len()).any(|window| window == secret.as_bytes())
    };
    let files = site.state_files();
    assert!(files.iter().any(|path| file_holds(path, &token)), "a restart needs it");
    for path in &files {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(!file_holds(path, PASSWORD), "{name}");
        assert!(name.starts_with("state.db") || !file_holds(path, &token), "{name}");
    }
    let ended = daemon.stop();
    seen += &(ended.out + &ended.err);
    assert!(ended.err.contains("method=DELETE"), "the trace was on");
    for secret in [PASSWORD, token.as_str()] {
        assert!(!seen.contains(secret), "{seen}");
    }
    for path in site.state_files() {
        assert!(!file_holds(&path, PASSWORD), "{}", path.display());
    }
}
