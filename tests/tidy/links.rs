//! Pages for people: what they point at is there, and the runbook has a section for each event.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::Finding;

/// Where pages are, and what points at the runbook.
const FOLDERS: [&str; 6] = [".", ".github", "config", "config/alerts", "config/dashboards", "systemd"];
const RUNBOOK: &str = "config/runbook.md";
const EVENTS: &str = "src/event/facts.rs";

/// A file of the tree, with its path from the root.
pub(crate) struct Page {
    path: String,
    text: String,
}

/// All pages and all that may name the runbook.
pub(crate) fn read(root: &Path) -> io::Result<Vec<Page>> {
    let mut pages = Vec::new();
    for folder in FOLDERS {
        for entry in fs::read_dir(root.join(folder))? {
            let path = entry?.path();
            if path.is_file() {
                let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
                let path =
                    path.strip_prefix(root).unwrap_or(&path).to_string_lossy().trim_start_matches("./").to_owned();
                pages.push(Page { path, text });
            }
        }
    }
    pages.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(pages)
}

/// Links of pages lead to files and sections that are there; so does whatever names `runbook.md#…`.
pub(crate) fn check(root: &Path, pages: &[Page]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for page in pages {
        for (line, link) in links(page) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.path.clone() } else { beside(&page.path, file) };
            let Some(there) = pages.iter().find(|other| other.path == target) else {
                if !root.join(&target).exists() {
                    findings.push(Finding { path: page.path.clone(), line, what: format!("there is no {target}") });
                }
                continue;
            };
            if !anchor.is_empty() && !anchors(&there.text).iter().any(|known| known == anchor) {
                let what = format!("{target} has no section `#{anchor}`");
                findings.push(Finding { path: page.path.clone(), line, what });
            }
        }
    }
    findings
}

/// Each event of `src/event` has a section of its name in the runbook, and an anchor that outlives its wording.
pub(crate) fn check_events(facts: &str, pages: &[Page]) -> Vec<Finding> {
    let runbook = pages.iter().find(|page| page.path == RUNBOOK).map_or("", |page| &page.text);
    let events = events(facts);
    let finding = |path: &str, what: String| Finding { path: path.to_owned(), line: 0, what };
    if events.len() < 10 {
        return vec![finding(EVENTS, String::from("the names of events are not found here; see tests/tidy/links.rs"))];
    }
    let missing = events.iter().filter(|event| {
        let section = format!("<a id=\"{}\"></a>\n### {event}\n", event.replace('.', "-"));
        !runbook.contains(&section)
    });
    missing
        .map(|event| finding(RUNBOOK, format!("`{event}` has no section; say what a person does about it")))
        .collect()
}

/// Names of events, as in `=> ("ilo.full", 0x…`.
fn events(facts: &str) -> Vec<&str> {
    let quoted = facts.split("=> (\"").skip(1).filter_map(|rest| rest.split('"').next());
    quoted
        .filter(|name| name.contains('.') && name.chars().all(|c| c.is_ascii_lowercase() || ".-_".contains(c)))
        .collect()
}

/// What a page points at within the tree, with its line.
fn links(page: &Page) -> Vec<(usize, &str)> {
    let is_page = Path::new(&page.path).extension().is_some_and(|extension| extension == "md");
    let mut links = Vec::new();
    for (line, text) in (1..).zip(page.text.lines()) {
        if is_page {
            let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
            links.extend(targets.filter(|target| !target.contains("://")).map(|target| (line, target)));
        } else {
            links.extend(text.match_indices("runbook.md#").map(|(at, _)| {
                let end = text[at..].find(|c: char| c.is_whitespace() || "\"')>`".contains(c));
                (line, end.map_or(&text[at..], |end| &text[at..at + end]))
            }));
        }
    }
    links
}

/// A path as it is written in a page. What names the runbook without a path means the one.
fn beside(page: &str, file: &str) -> String {
    if file == "runbook.md" {
        return RUNBOOK.to_owned();
    }
    let mut path = PathBuf::from(page);
    path.pop();
    for part in Path::new(file).components() {
        if part.as_os_str() == ".." {
            path.pop();
        } else {
            path.push(part);
        }
    }
    path.to_string_lossy().into_owned()
}

/// The sections of a page: ids that are set, and those that GitHub gives to headings.
fn anchors(text: &str) -> Vec<String> {
    let set = text.split("<a id=\"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned);
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let given = headings.map(|line| {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    });
    set.chain(given).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(path: &str, text: &str) -> Page {
        Page { path: path.to_owned(), text: text.to_owned() }
    }

    fn said(pages: &[Page]) -> Vec<String> {
        check(Path::new("/nonexistent"), pages).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn links_to_what_is_there_pass() {
        let runbook =
            page(RUNBOOK, "<a id=\"ilo-full\"></a>\n### ilo.full\n\nSee [it](#ilo-full), [also](#ilofull).\n");
        let readme = page("README.md", "[a](config/runbook.md#ilo-full) [b](https://example.net/#x)\n");
        let catalog = page("systemd/x.catalog", "Documentation: file:///usr/share/doc/x/runbook.md#ilofull\n");
        let security = page(".github/SECURITY.md", "[up](../README.md)\n");
        assert_eq!(said(&[runbook, readme, catalog, security]), [""; 0]);
    }

    #[test]
    fn links_to_nowhere_fail_with_their_line() {
        let runbook = page(RUNBOOK, "### ilo.full\n");
        for (path, text, what) in [
            ("README.md", "\n[a](config/gone.md)", "README.md:2: there is no config/gone.md"),
            ("README.md", "[a](config/runbook.md#gone)", "README.md:1: config/runbook.md has no section `#gone`"),
            ("config/a.yml", "url: x/runbook.md#gone\"", "config/a.yml:1: config/runbook.md has no section `#gone`"),
        ] {
            assert_eq!(said(&[page(RUNBOOK, &runbook.text), page(path, text)]), [what]);
        }
    }

    #[test]
    fn an_event_without_a_section_fails() {
        let names: Vec<String> = (0..10_u8).map(|n| format!("ilo.{}", char::from(b'a' + n))).collect();
        let mut facts = String::new();
        let mut sections = String::new();
        for name in &names {
            facts = facts + "Self::X => (\"" + name + "\", 0x0),\n";
            sections = sections + "<a id=\"" + &name.replace('.', "-") + "\"></a>\n### " + name + "\n";
        }
        assert_eq!(check_events(&facts, &[page(RUNBOOK, &sections)]), []);
        let one_less = sections.replace("ilo.c\n", "ilo.x\n");
        let findings = check_events(&facts, &[page(RUNBOOK, &one_less)]);
        assert!(findings.len() == 1 && findings[0].what.contains("`ilo.c`"), "{findings:?}");
        assert_eq!(check_events("", &[page(RUNBOOK, &sections)]).len(), 1);
    }
}
