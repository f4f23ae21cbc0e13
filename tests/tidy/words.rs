//! Words that may stand only in some places, or in none.

use crate::Finding;
use crate::source::{Source, has};

/// A library, and where its name may stand.
struct Home {
    library: &'static str,
    folders: &'static [&'static str],
    tests_too: bool,
}

const HOMES: [Home; 11] = [
    Home { library: "sd_notify", folders: &["src/systemd"], tests_too: false },
    Home { library: "serde_yaml", folders: &["src/config"], tests_too: false },
    Home { library: "rusqlite", folders: &["src/state"], tests_too: false },
    Home { library: "reqwest", folders: &["src/redfish"], tests_too: false },
    Home { library: "rustls", folders: &["src/redfish"], tests_too: false },
    Home { library: "rustls_native_certs", folders: &["src/redfish"], tests_too: false },
    Home { library: "hyper", folders: &["src/redfish", "src/serve", "src/control"], tests_too: false },
    Home { library: "hyper_util", folders: &["src/redfish", "src/serve", "src/control"], tests_too: false },
    Home { library: "openssl", folders: &["src/redfish/legacy"], tests_too: false },
    Home { library: "tokio_openssl", folders: &["src/redfish/legacy"], tests_too: false },
    Home { library: "ilo_sim", folders: &["src/cli/demo"], tests_too: true },
];

/// Libraries that belong to one room.
pub(crate) fn check_homes(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources {
        for Home { library, folders, tests_too } in HOMES {
            if folders.iter().any(|folder| is_in(source, folder)) {
                continue;
            }
            for (line, code) in source.code_lines() {
                if has(code, library) && !(tests_too && source.is_test(line)) {
                    let what = format!("`{library}` belongs to {}; call that room instead", folders.join(" and "));
                    findings.push(finding(source, line, what));
                }
            }
        }
    }
    findings
}

/// A file of this room or part: `src/state` means `src/state.rs` and all in `src/state/`.
fn is_in(source: &Source, folder: &str) -> bool {
    source.path.strip_prefix(folder).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

/// What a pure room does without.
const IMPURE: [(&str, &str); 12] = [
    ("async", "let the caller await, and take what it got"),
    ("await", "let the caller await, and take what it got"),
    ("tokio", "let the caller await, and take what it got"),
    ("Instant", "take `now` as an argument"),
    ("SystemTime", "take `now` as an argument"),
    ("host_now()", "take `now` as an argument"),
    ("time::host_now", "take `now` as an argument"),
    ("std::fs", "take what was read as an argument"),
    ("std::io", "take what was read as an argument"),
    ("std::env", "take what was read as an argument"),
    ("std::thread", "take what was computed as an argument"),
    ("tracing", "return what happened; the caller tells it"),
];

/// `policy` awaits nothing, reads no clock and does no I/O.
pub(crate) fn check_purity(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| source.room() == Some("policy")) {
        for (line, code) in source.code_lines() {
            for (word, remedy) in IMPURE {
                if has(code, word) {
                    findings.push(finding(source, line, format!("`{word}` in policy, which is pure; {remedy}")));
                }
            }
        }
    }
    findings
}

/// One file sends DELETE, and it is in `redfish`: whoever reviews that file has reviewed every deletion.
/// Tests may name the method, to expect it or to make it fail.
pub(crate) fn check_delete(sources: &[Source]) -> Vec<Finding> {
    let mut home: Option<&str> = None;
    let mut findings = Vec::new();
    for source in sources {
        for (line, (code, raw)) in (1..).zip(source.code.lines().zip(source.raw.lines())) {
            // As a string only where the code is a string, too: comments are blank there.
            let spelled = raw.match_indices("\"DELETE\"").any(|(at, _)| code.get(at..=at) == Some("\""));
            if source.is_test(line) || !(spelled || has(code, "Method::DELETE")) {
                continue;
            }
            let first = *home.get_or_insert(&source.path);
            if !is_in(source, "src/redfish") {
                let what = "a DELETE outside src/redfish; only its one function may send one".to_owned();
                findings.push(finding(source, line, what));
            } else if first != source.path {
                let what = format!("a second file with a DELETE beside {first}; call the function there");
                findings.push(finding(source, line, what));
            }
        }
    }
    findings
}

/// Names that say nothing about what is in a file.
const EMPTY_NAMES: [&str; 6] = ["util", "utils", "helper", "helpers", "misc", "common"];

pub(crate) fn check_names(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources {
        for name in source.path.trim_end_matches(".rs").split('/').filter(|name| EMPTY_NAMES.contains(name)) {
            findings.push(finding(source, 0, format!("`{name}` says nothing; name the file after what it does")));
        }
    }
    findings
}

/// What is begun and not finished is written down elsewhere, not in the sources.
pub(crate) fn check_undone(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources {
        for (line, raw) in (1..).zip(source.raw.lines()) {
            for word in ["TODO", "FIXME", "XXX", "todo!", "unimplemented!"] {
                if has(raw, word) {
                    findings.push(finding(source, line, format!("`{word}`; finish it, or open an issue and say less")));
                }
            }
        }
    }
    findings
}

/// Where stories let virtual time pass. They themselves call it, or wait for a fact.
const WORLD_OF_STORIES: &str = "tests/it/harness.rs";

/// Nothing waits by sleeping, and the tests of the daemon not in virtual time either, but for the one place.
pub(crate) fn check_sleep(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources {
        for (line, code) in source.code_lines() {
            if has(code, "thread::sleep") {
                findings.push(finding(source, line, "`thread::sleep`; wait for a fact, with a deadline".to_owned()));
            } else if is_daemon_test(source, line) && has(code, "sleep(") {
                let what = format!("a test that sleeps; wait for a fact, or let {WORLD_OF_STORIES} pass time");
                findings.push(finding(source, line, what));
            }
        }
    }
    findings
}

fn is_daemon_test(source: &Source, line: usize) -> bool {
    let is_story = source.path.starts_with("tests/it/") && source.path != WORLD_OF_STORIES;
    is_story || (source.path.starts_with("src/") && source.is_test(line))
}

fn finding(source: &Source, line: usize, what: String) -> Finding {
    Finding { path: source.path.clone(), line, what }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Check = fn(&[Source]) -> Vec<Finding>;

    fn lines(check: Check, path: &str, raw: &str) -> Vec<usize> {
        check(&[Source::new(path, raw)]).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_library_outside_its_room_fails() {
        for (path, bad) in [
            ("src/cli/check.rs", "use serde_yaml::Value;"),
            ("src/configuration.rs", "use serde_yaml::Value;"),
            ("src/visit.rs", "type E = rusqlite::Error;"),
            ("src/fleet/mod.rs", "use reqwest::Client;"),
            ("src/config/tls.rs", "use rustls::RootCertStore;"),
            ("src/cli/mod.rs", "use ilo_sim::Ilo;"),
            ("src/redfish/https.rs", "use openssl::ssl::Ssl;"),
            ("src/fleet/mod.rs", "use hyper::Error;"),
        ] {
            assert_eq!(lines(check_homes, path, &format!("\n{bad}\n")), [2], "{path}: {bad}");
        }
        for (path, good) in [
            ("src/config/mod.rs", "use serde_yaml::Value;"),
            ("src/state.rs", "use rusqlite::Connection;"),
            ("src/redfish/tls.rs", "use rustls::ClientConfig; use tokio_rustls::x;"),
            ("src/redfish/legacy.rs", "use openssl::ssl::Ssl; use hyper::Error;"),
            ("src/cli/demo.rs", "use ilo_sim::Ilo;"),
            ("src/visit.rs", "// reqwest is not here\n#[cfg(test)]\nmod tests {\n    use ilo_sim::Ilo;\n}\n"),
        ] {
            assert_eq!(lines(check_homes, path, good), [0; 0], "{path}: {good}");
        }
    }

    #[test]
    fn an_impure_policy_fails() {
        for (bad, count) in [
            ("pub async fn plan() {}", 1),
            ("use tokio::time::Instant;", 2),
            ("let now = SystemTime::now();", 1),
            ("let now = host_now();", 1),
            ("policy.plan(crate::time::host_now)", 1),
            ("use std::fs;", 1),
        ] {
            assert_eq!(lines(check_purity, "src/policy/plan.rs", bad).len(), count, "{bad}");
            assert_eq!(lines(check_purity, "src/visit.rs", bad), [0; 0], "{bad}");
        }
        assert_eq!(
            lines(
                check_purity,
                "src/policy/plan.rs",
                "/// Never async.\nfn f(host_now: Timestamp) -> &str { \"tokio\" }"
            ),
            [0; 0]
        );
    }

    #[test]
    fn a_delete_in_two_files_or_outside_redfish_fails() {
        let ilo = || Source::new("src/redfish/ilo.rs", "Method::DELETE\nMethod::DELETE\n");
        assert_eq!(check_delete(&[ilo(), Source::new("src/state/mod.rs", "\"DELETE FROM held\"")]), []);
        assert_eq!(check_delete(&[ilo(), Source::new("src/visit.rs", "// Method::DELETE, \"DELETE\"\n")]), []);
        let tests = "#[cfg(test)]\nmod tests {\n    Method::DELETE\n}\n";
        assert_eq!(check_delete(&[ilo(), Source::new("src/visit.rs", tests)]), []);

        let second = check_delete(&[ilo(), Source::new("src/redfish/wire.rs", "\nhttp::Method::DELETE\n")]);
        assert_eq!(second.len(), 1);
        assert!(second[0].what.contains("beside src/redfish/ilo.rs"), "{}", second[0]);
        for bad in ["Method::DELETE", "Method::from_bytes(b\"DELETE\")"] {
            assert_eq!(lines(check_delete, "src/visit.rs", bad), [1], "{bad}");
        }
    }

    #[test]
    fn an_empty_name_fails() {
        for path in ["src/utils.rs", "src/policy/helpers.rs", "src/common/mod.rs", "tests/ilo-sim/src/misc.rs"] {
            assert_eq!(lines(check_names, path, ""), [0], "{path}");
        }
        assert_eq!(lines(check_names, "src/uncommon.rs", ""), [0; 0]);
    }

    #[test]
    fn undone_work_fails() {
        for bad in ["// TODO: later", "/// FIXME", "let x = 1; // XXX", "todo!()", "unimplemented!(\"x\")"] {
            assert_eq!(lines(check_undone, "src/a.rs", bad), [1], "{bad}");
        }
        assert_eq!(lines(check_undone, "src/a.rs", "// mktemp -d /tmp/x.XXXXXX, TODOS"), [0; 0]);
    }

    #[test]
    fn sleep_fails() {
        assert_eq!(lines(check_sleep, "src/a.rs", "std::thread::sleep(x);"), [1]);
        assert_eq!(lines(check_sleep, "tests/ilo-sim/src/a.rs", "thread::sleep(x);"), [1]);
        assert_eq!(lines(check_sleep, "tests/it/main.rs", "tokio::time::sleep(x).await;"), [1]);
        assert_eq!(lines(check_sleep, WORLD_OF_STORIES, "tokio::time::sleep(x).await;"), [0; 0]);
        assert_eq!(lines(check_sleep, WORLD_OF_STORIES, "std::thread::sleep(x);"), [1]);
        let in_tests = "fn f() { sleep(x) }\n#[cfg(test)]\nmod tests {\n    fn f() { sleep(x) }\n}\n";
        assert_eq!(lines(check_sleep, "src/a.rs", in_tests), [4]);
        assert_eq!(lines(check_sleep, "tests/ilo-sim/src/front/mod.rs", "tokio::time::sleep(x).await;"), [0; 0]);
    }
}
