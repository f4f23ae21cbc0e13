//! A hand on one node of the tree: it reads typed values, knows its path, and notes what is wrong.
//!
//! Readers return `None` after they noted a mistake, and the reading goes on, so that one run tells all mistakes.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

use super::locate::locate;
use super::mistake::Mistake;
use super::tree::{Entry, Node};
use super::words::{choice, listed, nearest};
use crate::session::clean;

/// Mistakes that are told of one configuration; each costs a parse to find its place.
const MISTAKES_MAX: usize = 50;
/// Bytes of a wrong value that a mistake repeats.
const SHOWN_MAX: usize = 80;

/// One step down the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// To the value of a key.
    Key(String),
    /// To an item of a list, from 0.
    Item(usize),
}

/// A file of the configuration and its text.
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

/// Where something is written.
#[derive(Clone, Debug)]
pub(super) enum Spot {
    /// A value of the tree, or its key; line and column are looked up when a mistake is told.
    Node { file: usize, path: Path, on_key: bool },
    /// A place that is known already.
    Exact { file: PathBuf, line: Option<usize>, column: Option<usize> },
}

impl Spot {
    /// The place of a key, by the keys that lead to it.
    pub(super) fn key<'k>(file: usize, keys: impl Iterator<Item = &'k str>) -> Self {
        let path = keys.fold(Path::default(), |path, key| path.down(Step::Key(key.to_owned())));
        Self::Node { file, path, on_key: true }
    }
}

/// All mistakes found so far.
#[derive(Default)]
pub(super) struct Notes {
    pending: RefCell<Vec<Pending>>,
}

struct Pending {
    spot: Spot,
    text: String,
    first: Option<Spot>,
}

impl Notes {
    /// Notes a mistake at a place.
    pub(super) fn add(&self, spot: Spot, text: String) {
        self.pending.borrow_mut().push(Pending { spot, text, first: None });
    }

    /// Notes that something was there before, and where.
    pub(super) fn again(&self, spot: Spot, first: Spot, text: String) {
        self.pending.borrow_mut().push(Pending { spot, text, first: Some(first) });
    }

    /// All of it with lines and columns, in the order of the files.
    pub(super) fn told(self, sources: &[Source]) -> Vec<Mistake> {
        let pending = self.pending.into_inner();
        let left_out = pending.len().saturating_sub(MISTAKES_MAX);
        let mut mistakes = Vec::new();
        for Pending { spot, text, first } in pending.into_iter().take(MISTAKES_MAX) {
            let text = match first {
                Some(first) => format!("{text}; first at {}", spot_to_mistake(first, sources, String::new()).place()),
                None => text,
            };
            mistakes.push(spot_to_mistake(spot, sources, text));
        }
        let order = |file: &PathBuf| sources.iter().position(|source| source.path == *file).unwrap_or(usize::MAX);
        mistakes.sort_by_key(|told| (order(&told.file), told.file.clone(), told.line, told.column));
        if let (1.., Some(main)) = (left_out, sources.first()) {
            mistakes.push(Mistake::whole(&main.path, format!("and {left_out} more mistakes")));
        }
        mistakes
    }
}

fn spot_to_mistake(spot: Spot, sources: &[Source], text: String) -> Mistake {
    let (file, path, on_key) = match spot {
        Spot::Exact { file, line, column } => return Mistake::new(file, line, column, &text),
        Spot::Node { file, path, on_key } => (file, path, on_key),
    };
    let Some(source) = sources.get(file) else { return Mistake::whole("", text) };
    let steps = path.steps();
    let text = match path.to_string() {
        dotted if dotted.is_empty() || text.is_empty() => text,
        dotted => format!("{dotted}: {text}"),
    };
    match locate(&source.text, &steps, on_key) {
        Some((line, column)) if !steps.is_empty() => Mistake::at(&source.path, line, column, text),
        _ => Mistake::whole(&source.path, text),
    }
}

/// A path from the top of the tree. Cheap to copy: every iLO of a large fleet has one.
#[derive(Clone, Debug, Default)]
pub(super) struct Path(Option<Rc<(Path, Step)>>);

impl Path {
    fn down(&self, step: Step) -> Self {
        Self(Some(Rc::new((self.clone(), step))))
    }

    fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut here = self;
        while let Some(link) = &here.0 {
            steps.push(link.1.clone());
            here = &link.0;
        }
        steps.reverse();
        steps
    }
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, step) in self.steps().iter().enumerate() {
            match step {
                Step::Key(key) if index == 0 => f.write_str(&clean(key, SHOWN_MAX))?,
                Step::Key(key) => write!(f, ".{}", clean(key, SHOWN_MAX))?,
                Step::Item(item) => write!(f, "[{item}]")?,
            }
        }
        Ok(())
    }
}

/// One node and where it is.
#[derive(Clone)]
pub(super) struct At<'a> {
    pub(super) node: &'a Node,
    /// The key that this is the value of; empty at the top.
    pub(super) key: &'a str,
    file: usize,
    path: Path,
    notes: &'a Notes,
}

impl<'a> At<'a> {
    /// The top of the tree.
    pub(super) fn top(node: &'a Node, notes: &'a Notes) -> Self {
        Self { node, key: "", file: 0, path: Path::default(), notes }
    }

    /// The place of this value.
    pub(super) fn spot(&self) -> Spot {
        Spot::Node { file: self.file, path: self.path.clone(), on_key: false }
    }

    /// The place of this value's key.
    pub(super) fn key_spot(&self) -> Spot {
        Spot::Node { file: self.file, path: self.path.clone(), on_key: true }
    }

    /// Where mistakes are noted that have another place than this.
    pub(super) fn notes(&self) -> &'a Notes {
        self.notes
    }

    /// Notes that this value is wrong.
    pub(super) fn wrong(&self, text: impl Into<String>) {
        self.notes.add(self.spot(), text.into());
    }

    /// Notes that this value is wrong, as the tail of a reader that has nothing to return.
    pub(super) fn none<T>(&self, text: impl Into<String>) -> Option<T> {
        self.wrong(text);
        None
    }

    /// Notes that what this key says as a whole is wrong.
    pub(super) fn wrong_key(&self, text: impl Into<String>) {
        self.notes.add(self.key_spot(), text.into());
    }

    /// Notes that this value is not of the form that was expected.
    pub(super) fn unexpected<T>(&self, expected: &str) -> Option<T> {
        match self.node {
            Node::Null => self.none(format!("nothing is written here; expected {expected}")),
            _ => self.none(format!("{} is not {expected}", self.shown())),
        }
    }

    /// The value as a mistake shows it.
    pub(super) fn shown(&self) -> String {
        match self.node {
            Node::Null => String::from("nothing"),
            Node::Bool(value) => format!("`{value}`"),
            Node::Whole(value) => format!("`{value}`"),
            Node::Number(value) | Node::Text(value) => format!("`{}`", clean(value, SHOWN_MAX)),
            Node::List(_) => String::from("a list"),
            Node::Map(_) => String::from("a mapping"),
        }
    }

    /// Text, as it is.
    pub(super) fn text(&self, expected: &str) -> Option<&'a str> {
        match self.node {
            Node::Text(text) => Some(text),
            Node::Bool(_) | Node::Whole(_) | Node::Number(_) => {
                self.none(format!("{} is not text; write it in quotes if it is {expected}", self.shown()))
            }
            _ => self.unexpected(expected),
        }
    }

    /// `true` or `false`.
    pub(super) fn flag(&self) -> Option<bool> {
        match self.node {
            Node::Bool(value) => Some(*value),
            _ => self.unexpected("`true` or `false`"),
        }
    }

    /// A whole number within bounds.
    pub(super) fn count(&self, least: usize, most: usize) -> Option<usize> {
        let expected = format!("a whole number from {least} to {most}");
        match self.node {
            Node::Whole(value) => match usize::try_from(*value) {
                Ok(count) if (least..=most).contains(&count) => Some(count),
                _ => self.unexpected(&expected),
            },
            _ => self.unexpected(&expected),
        }
    }

    /// One of some words.
    pub(super) fn word<T: Clone>(&self, words: &[(&str, T)]) -> Option<T> {
        let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
        let Node::Text(text) = self.node else { return self.unexpected(&listed(&names)) };
        if let Some((_, value)) = words.iter().find(|(name, _)| name == text) {
            return Some(value.clone());
        }
        self.unexpected(&choice(text, &names))
    }

    /// The items of a list; one value alone is a list of one, and nothing is an empty one.
    pub(super) fn items(&self) -> Vec<Self> {
        let down = |(index, node)| Self { node, path: self.path.down(Step::Item(index)), ..self.clone() };
        match self.node {
            Node::List(items) => items.iter().enumerate().map(down).collect(),
            Node::Null => Vec::new(),
            _ => vec![self.clone()],
        }
    }

    /// The keys of a mapping, each of which must be known.
    pub(super) fn fields(&self, known: &[&str]) -> Option<Fields<'a>> {
        let fields = self.open_fields()?;
        for field in fields.all() {
            let key = field.key;
            if known.contains(&key) {
                continue;
            }
            field.wrong_key(match (nearest(key, known), key) {
                (_, "password") => {
                    String::from("unknown key; a password stands in a file of its own, named by `password_file`")
                }
                (Some(near), _) => format!("unknown key; did you mean `{near}`?"),
                (None, _) => format!("unknown key; expected {}", listed(known)),
            });
        }
        Some(fields)
    }

    /// The keys of a mapping, whatever they are; nothing written is an empty mapping.
    pub(super) fn open_fields(&self) -> Option<Fields<'a>> {
        match self.node {
            Node::Map(entries) => Some(Fields { at: self.clone(), entries }),
            Node::Null => Some(Fields { at: self.clone(), entries: &[] }),
            _ => self.unexpected("a mapping (`key: value` lines)"),
        }
    }
}

/// The keys of one mapping.
pub(super) struct Fields<'a> {
    at: At<'a>,
    entries: &'a [Entry],
}

impl<'a> Fields<'a> {
    /// Whether no key is written.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Every key's value, in order.
    pub(super) fn all(&self) -> impl Iterator<Item = At<'a>> {
        self.entries.iter().map(|entry| self.down(entry))
    }

    /// The value of a key, where it is written.
    pub(super) fn get(&self, key: &str) -> Option<At<'a>> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| self.down(entry))
    }

    /// Replaces a default by the value of a key, where it is written and right.
    pub(super) fn set<T>(&self, key: &str, slot: &mut T, read: impl FnOnce(&At<'a>) -> Option<T>) {
        if let Some(value) = self.get(key).and_then(|at| read(&at)) {
            *slot = value;
        }
    }

    /// The value of a key, where it is written and right.
    pub(super) fn read<T>(&self, key: &str, read: impl FnOnce(&At<'a>) -> Option<T>) -> Option<T> {
        self.get(key).and_then(|at| read(&at))
    }

    fn down(&self, entry: &'a Entry) -> At<'a> {
        let path = self.at.path.down(Step::Key(entry.key.clone()));
        At { node: &entry.node, file: entry.file, path, key: &entry.key, ..self.at.clone() }
    }
}
