//! Several files become one configuration: they add groups and policies to each other, and set
//! each key once.

use std::collections::HashMap;

use super::at::{Notes, Source, Spot};
use super::mistake::Mistake;
use super::tree::{Entry, Node, parse};

/// One tree of all files; or what is no YAML in them.
pub(super) fn merge(sources: &[Source], notes: &Notes) -> Result<Node, Vec<Mistake>> {
    let mut merged: Vec<Entry> = Vec::new();
    let mut mistakes = Vec::new();
    for (file, source) in sources.iter().enumerate() {
        match parse(&source.text, file) {
            Ok(Node::Null) => {}
            Ok(Node::Map(entries)) => add(&mut merged, entries, notes),
            Ok(_) => mistakes.push(Mistake::whole(&source.path, "this is not a mapping (`key: value` lines)")),
            Err(no_tree) => mistakes.push(match no_tree.location {
                Some((line, column)) => Mistake::at(&source.path, line, column, no_tree.text),
                None => Mistake::whole(&source.path, no_tree.text),
            }),
        }
    }
    if mistakes.is_empty() { Ok(Node::Map(merged)) } else { Err(mistakes) }
}

/// Adds the sections of one file to those of the files before it.
fn add(merged: &mut Vec<Entry>, sections: Vec<Entry>, notes: &Notes) {
    let places = places(merged);
    for section in sections {
        let Some(before) = places.get(&section.key).and_then(|place| merged.get_mut(*place)) else {
            merged.push(section);
            continue;
        };
        match (&mut before.node, section.node) {
            (_, Node::Null) => {}
            (Node::Map(fields), Node::Map(more)) => add_fields(&section.key, fields, more, notes),
            (slot @ Node::Null, node) => {
                *slot = node;
                before.file = section.file;
            }
            (_, node) => {
                let again = Entry { node, ..section };
                twice(None, before, &again, notes);
            }
        }
    }
}

fn add_fields(section: &str, fields: &mut Vec<Entry>, more: Vec<Entry>, notes: &Notes) {
    let places = places(fields);
    for field in more {
        match places.get(&field.key).and_then(|place| fields.get(*place)) {
            Some(before) => twice(Some(section), before, &field, notes),
            None => fields.push(field),
        }
    }
}

/// Where each key stands. No key stands twice in one file, so what a file adds need not be looked up.
fn places(entries: &[Entry]) -> HashMap<String, usize> {
    entries.iter().enumerate().map(|(place, entry)| (entry.key.clone(), place)).collect()
}

fn twice(section: Option<&str>, before: &Entry, again: &Entry, notes: &Notes) {
    let spot = |entry: &Entry| Spot::key(entry.file, section.into_iter().chain([entry.key.as_str()]));
    let text = match section {
        Some("policies") => "a policy of this name is written in another file too",
        Some("fleet") => "a group of this name is written in another file too",
        _ => "this is set in another file too",
    };
    notes.again(spot(again), spot(before), String::from(text));
}
