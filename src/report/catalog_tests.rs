//! The journal catalog has an entry for each event, and names no field that there is not.

use std::collections::{BTreeMap, BTreeSet};

use super::fields;
use super::tests::examples;

const CATALOG: &str = include_str!("../../systemd/ilo-reaper.catalog");
/// Where packages put the manual that each entry leads to; its headings are the names of events.
const RUNBOOK: &str = "file:///usr/share/doc/ilo-reaper/runbook.md#";
/// Characters of a line.
const LINE_MAX: usize = 100;

/// An entry: header lines, and the text below them.
struct Entry {
    header: BTreeMap<&'static str, &'static str>,
    text: &'static str,
}

/// Each entry with its id, in the order of the file.
fn entries() -> Vec<(u128, Entry)> {
    let parts = CATALOG.split("\n-- ").skip(1);
    parts
        .map(|part| {
            let (id, rest) = part.split_once('\n').expect("an id");
            let (header, text) = rest.split_once("\n\n").expect("a header");
            let header = header.lines().map(|line| line.split_once(": ").expect("a header line")).collect();
            assert_eq!((id.len(), id.to_lowercase().as_str()), (32, id), "as journald writes it");
            (u128::from_str_radix(id, 16).expect("hexadecimal"), Entry { header, text: text.trim() })
        })
        .collect()
}

/// The words of a text that look like fields.
fn fields_in(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("ILO_REAPER_"))
}

#[test]
fn each_event_has_an_entry_and_each_entry_an_event() {
    let events: BTreeSet<u128> = examples(str::to_owned).iter().map(|event| event.label().message_id).collect();
    let entries = entries();
    let ids: BTreeSet<u128> = entries.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids.len(), entries.len(), "no id twice");
    let hex = |ids: BTreeSet<&u128>| ids.into_iter().map(|id| format!("{id:032x}")).collect::<Vec<_>>();
    assert_eq!(hex(events.difference(&ids).collect()), [""; 0], "events without an entry");
    assert_eq!(hex(ids.difference(&events).collect()), [""; 0], "entries without an event");
}

#[test]
fn each_entry_says_what_happened_what_was_done_and_what_to_do() {
    let names: BTreeMap<u128, &str> =
        examples(str::to_owned).iter().map(|event| (event.label().message_id, event.name())).collect();
    let mut subjects = BTreeSet::new();
    for (id, Entry { header, text }) in entries() {
        let (name, subject) = (names[&id], header["Subject"]);
        assert!(!subject.contains('@') && subject.len() < 80 && subjects.insert(subject), "{name}: {subject}");
        assert_eq!(header["Defined-By"], "ilo-reaper", "{name}");
        assert_eq!(header["Documentation"], format!("{RUNBOOK}{}", name.replace('.', "")), "{name}");
        assert!(text.split("\n\n").count() >= 3, "{name}: {text}");
        assert!(text.lines().all(|line| line.chars().count() <= LINE_MAX), "{name}: a line is too long");
    }
}

#[test]
fn each_field_that_an_entry_names_is_one_of_its_event() {
    let mut known: BTreeMap<u128, BTreeSet<String>> = BTreeMap::new();
    for event in examples(str::to_owned) {
        let keys = known.entry(event.label().message_id).or_default();
        keys.extend(fields(&event).iter().map(|(key, _)| format!("ILO_REAPER_{}", key.to_ascii_uppercase())));
        keys.insert(String::from("ILO_REAPER_EVENT"));
    }
    for (id, Entry { header, text }) in entries() {
        for field in fields_in(text) {
            assert!(known[&id].contains(field), "{}: {field} is no field of it", header["Subject"]);
        }
        // Between two signs stands a field and nothing else: journalctl would show the signs.
        let in_signs = text.split('@').skip(1).step_by(2).collect::<Vec<_>>();
        assert_eq!(text.matches('@').count(), 2 * in_signs.len(), "{}", header["Subject"]);
        assert!(in_signs.iter().all(|word| fields_in(word).eq([*word])), "{}: {in_signs:?}", header["Subject"]);
    }
}
