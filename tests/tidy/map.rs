//! The map: every room is in the table of `src/lib.rs`, and imports go downward only.

use std::collections::BTreeMap;

use crate::Finding;
use crate::source::{Source, has, is_word, positions};

/// The floor of each room.
type Floors = BTreeMap<String, u32>;

pub(crate) fn check(lib: &Source, sources: &[Source]) -> Vec<Finding> {
    let floors = floors(lib);
    let mut findings = check_rooms(&floors, lib, sources);
    for source in sources {
        if let Some(room) = source.room() {
            findings.extend(check_imports(&floors, room, source));
        }
    }
    findings
}

/// Reads rows like ``//! | 4 | `policy` | … |``.
fn floors(lib: &Source) -> Floors {
    let row = |line: &str| {
        let mut cells = line.strip_prefix("//! |")?.split('|').map(str::trim);
        let floor = cells.next()?.parse().ok()?;
        Some((cells.next()?.trim_matches('`').to_owned(), floor))
    };
    lib.raw.lines().filter_map(row).collect()
}

/// The table, the `pub mod` lines and the files name the same rooms.
fn check_rooms(floors: &Floors, lib: &Source, sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut complain = |path: &str, line: usize, what: String| {
        findings.push(Finding { path: path.to_owned(), line, what });
    };
    if floors.is_empty() {
        complain(&lib.path, 0, "the table of rooms is gone; write it as `//! | floor | `room` | what it is |`".into());
    }
    for source in sources {
        let Some(room) = source.room() else { continue };
        if !floors.contains_key(room) {
            complain(
                &source.path,
                0,
                format!("room `{room}` is not in the table of src/lib.rs; give it a floor there"),
            );
        }
    }
    for room in floors.keys() {
        if !sources.iter().any(|source| source.room() == Some(room)) {
            complain(&lib.path, 0, format!("room `{room}` is in the table and not in src/; take it out"));
        }
    }
    for (line, code) in lib.code_lines() {
        let Some((_, name)) = code.split_once("mod ") else { continue };
        let room = name.trim_end_matches(';').trim();
        if !floors.contains_key(room) {
            complain(&lib.path, line, format!("room `{room}` is not in the table above; give it a floor"));
        }
    }
    findings
}

fn check_imports(floors: &Floors, room: &str, source: &Source) -> Vec<Finding> {
    let own = floors.get(room).copied();
    let mut findings = Vec::new();
    let mut complain = |at: usize, what: String| {
        findings.push(Finding { path: source.path.clone(), line: source.line_of(at), what });
    };
    for (at, target) in references(&source.code) {
        match (floors.get(target), own) {
            _ if target == room => {}
            (None, _) => complain(at, format!("`crate::{target}` is no room; name the room that you import from")),
            (Some(theirs), Some(own)) if *theirs >= own => complain(
                at,
                format!(
                    "`{room}` (floor {own}) imports `{target}` (floor {theirs}); imports go downward only: \
                     hand it in as an argument, or move what both need to a lower room"
                ),
            ),
            _ => {}
        }
    }
    for at in climbs(source) {
        complain(at, "`super` climbs out of the room; write `crate::ROOM`, which the map is checked against".into());
    }
    findings
}

/// Each name behind `crate::` or `ilo_reaper::`, also in groups, and where it stands.
fn references(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for root in ["crate", "ilo_reaper"] {
        for at in positions(code, root) {
            let behind = at + root.len();
            // `pub(crate)` and `extern crate` name no room.
            let Some(path) = code[behind..].trim_start().strip_prefix("::") else { continue };
            let path_at = code.len() - path.len();
            let items = if path.trim_start().starts_with('{') { group(path) } else { vec![0] };
            found.extend(items.into_iter().map(|item| (path_at + item, first_word(&path[item..]))));
        }
    }
    found
}

/// Where the items of a group `{a, b::{c, d}}` begin; inner groups belong to their item.
fn group(text: &str) -> Vec<usize> {
    let mut items = Vec::new();
    let mut depth = 0_usize;
    let mut expects_item = false;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && at > 0 && c == '}' {
            break;
        }
        if depth == 1 && matches!(c, '{' | ',') {
            expects_item = true;
        } else if expects_item && !c.is_whitespace() {
            items.push(at);
            expects_item = false;
        }
    }
    items
}

fn first_word(text: &str) -> &str {
    let text = text.trim_start();
    let end = text.find(|c| !is_word(c)).unwrap_or(text.len());
    // What is no name (`*`) is shown as it is.
    if end == 0 { text.get(..1).unwrap_or(text) } else { &text[..end] }
}

/// Where a chain of `super::` reaches the top: there are as many as modules around it.
fn climbs(source: &Source) -> Vec<usize> {
    let inside = source.path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    let of_file = inside.split('/').count();
    let mut tops = Vec::new();
    for at in positions(&source.code, "super") {
        let before = source.code[..at].trim_end();
        if before.ends_with("super::") {
            continue;
        }
        let chain = source.code[at..].split("::").take_while(|segment| segment.trim() == "super").count();
        if chain >= of_file + modules_around(&source.code[..at]) {
            tops.push(at);
        }
    }
    tops
}

/// How many inline modules are open at the end of this code.
fn modules_around(code: &str) -> usize {
    let mut open = Vec::new();
    for (at, c) in code.char_indices() {
        match c {
            '{' => {
                let head = code[..at].trim_end().rsplit(['\n', ';', '{', '}', ']']).next().unwrap_or_default();
                open.push(has(head, "mod"));
            }
            '}' => drop(open.pop()),
            _ => {}
        }
    }
    open.into_iter().filter(|is_module| *is_module).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIB: &str = "//! | floor | room | what it is |\n//! | --- | --- | --- |\n//! | 0 | `time` | … |\n\
                       //! | 4 | `policy` | … |\n//! | 4 | `state` | … |\n//! | 5 | `visit` | … |\n";

    fn check_one(path: &str, raw: &str) -> Vec<String> {
        let floors = floors(&Source::new("src/lib.rs", LIB));
        let source = Source::new(path, raw);
        let room = source.room().expect("a room's file");
        check_imports(&floors, room, &source).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_table_is_read() {
        let floors = floors(&Source::new("src/lib.rs", LIB));
        assert_eq!(
            floors.into_iter().map(|(room, floor)| format!("{floor} {room}")).collect::<Vec<_>>(),
            ["4 policy", "4 state", "0 time", "5 visit"]
        );
    }

    #[test]
    fn imports_downward_and_within_the_room_pass() {
        let good = "use crate::{policy::{plan, rule}, time::Timestamp};\npub(crate) fn f(_: crate::visit::Visit) {}\n\
                    // crate::daemon is only told of\nconst A: &str = \"crate::daemon\";\n";
        assert_eq!(check_one("src/visit.rs", good), [""; 0]);
    }

    #[test]
    fn imports_upward_or_beside_fail_with_their_line() {
        for (bad, line, target) in [
            ("use crate::visit::Visit;\n", 1, "visit"),
            ("\nfn f() { crate :: visit::go() }\n", 2, "visit"),
            ("use crate::{\n    time::Timestamp,\n    visit::{self, Visit},\n};\n", 3, "visit"),
            ("use crate::time; use ilo_reaper::state::State;", 1, "state"),
            ("#[cfg(test)]\nmod tests {\n    use crate::{time, state};\n}\n", 3, "state"),
            ("macro_rules! m { () => { $crate::visit::go() } }\n", 1, "visit"),
        ] {
            let findings = check_one("src/policy/rule.rs", bad);
            assert_eq!(findings.len(), 1, "{bad}: {findings:?}");
            assert!(findings[0].starts_with(&format!("src/policy/rule.rs:{line}: ")), "{findings:?}");
            assert!(findings[0].contains(&format!("imports `{target}`")), "{findings:?}");
        }
    }

    #[test]
    fn what_is_no_room_fails() {
        for bad in ["use crate::*;", "use crate::{self, time};", "use crate::nowhere::X;"] {
            let findings = check_one("src/policy/mod.rs", bad);
            assert!(findings.len() == 1 && findings[0].contains("is no room"), "{bad}: {findings:?}");
        }
    }

    #[test]
    fn super_may_not_leave_the_room() {
        assert_eq!(check_one("src/policy/rule.rs", "use super::plan;\n"), [""; 0]);
        assert_eq!(check_one("src/visit.rs", "#[cfg(test)]\nmod tests {\n    use super::*;\n}\n"), [""; 0]);
        for (path, bad) in [
            ("src/visit.rs", "use super::daemon;"),
            ("src/policy/mod.rs", "use super::visit;"),
            ("src/policy/rule.rs", "use super::super::visit;"),
            ("src/visit.rs", "#[cfg(test)]\nmod tests {\n    use super::super::daemon;\n}\n"),
        ] {
            let findings = check_one(path, bad);
            assert!(findings.len() == 1 && findings[0].contains("climbs out"), "{bad}: {findings:?}");
        }
    }

    #[test]
    fn table_and_files_must_name_the_same_rooms() {
        let lib = Source::new("src/lib.rs", &format!("{LIB}pub mod attic;\n"));
        let sources = ["src/time.rs", "src/policy/mod.rs", "src/state/mod.rs", "src/cellar.rs", "src/main.rs"]
            .map(|path| Source::new(path, ""));
        let findings: Vec<String> = check(&lib, &sources).iter().map(ToString::to_string).collect();
        assert_eq!(
            findings,
            [
                "src/cellar.rs: room `cellar` is not in the table of src/lib.rs; give it a floor there",
                "src/lib.rs: room `visit` is in the table and not in src/; take it out",
                "src/lib.rs:7: room `attic` is not in the table above; give it a floor",
            ]
        );
        let blank = Source::new("src/lib.rs", "");
        assert!(check(&blank, &[]).iter().any(|finding| finding.what.contains("table of rooms is gone")));
    }
}
