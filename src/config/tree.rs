//! YAML text to a plain tree: keys in their order, none twice, no tags, bounded in memory.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Visitor};

/// Bytes that the tree of one file may take. A file of the largest size fits; aliases of aliases,
/// by which a few lines of YAML stand for gigabytes, do not.
const TREE_BYTES_MAX: usize = 64 << 20;
/// Open brackets that nobody needs. The parser looks at all of them at each step, so that a file of
/// nothing else would take it hours.
const BRACKETS_MAX: usize = 1000;
/// What a node costs beside its text.
const NODE_BYTES: usize = 24;

/// One value as written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// Nothing, or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Whole(u64),
    /// A number that is negative, has a fraction, or is very large.
    Number(String),
    /// Anything else that is one word or one line.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping.
    Map(Vec<Entry>),
}

/// One key of a mapping. It knows its file, because mappings of several files become one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    /// The key.
    pub(super) key: String,
    /// The number of the file it is written in.
    pub(super) file: usize,
    /// Its value.
    pub(super) node: Node,
}

/// Why a text is no tree.
#[derive(Debug)]
pub(super) struct NoTree {
    /// Line and column, from 1, where they are known.
    pub(super) location: Option<(usize, usize)>,
    /// What is wrong.
    pub(super) text: String,
}

/// Reads one file's text.
pub(super) fn parse(text: &str, file: usize) -> Result<Node, NoTree> {
    if brackets_open_at_once(text) > BRACKETS_MAX {
        return Err(NoTree { location: None, text: String::from("this is not YAML: it is nested too deeply") });
    }
    if let Some(name) = anchor_set_twice(text) {
        return Err(NoTree {
            location: None,
            text: format!("the anchor `&{name}` is set twice; give each its own name"),
        });
    }
    let growth = Growth { file, left: Cell::new(TREE_BYTES_MAX), problem: RefCell::new(None) };
    let grown = Grow(&growth).deserialize(serde_yaml::Deserializer::from_str(text));
    grown.map_err(|error| {
        let location = error.location().map(|found| (found.line(), found.column()));
        let ours = growth.problem.take();
        NoTree { location, text: ours.unwrap_or_else(|| format!("this is not YAML: {}", without_location(&error))) }
    })
}

/// Brackets that are open at once at most, wherever they stand.
fn brackets_open_at_once(text: &str) -> usize {
    let mut open = 0_usize;
    let mut most = 0;
    for byte in text.bytes() {
        match byte {
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        most = most.max(open);
    }
    most
}

/// An anchor's name that is set twice in a file with aliases. YAML allows it, but the parser then mixes up
/// what later aliases stand for, without a word. In doubt (`&` in quotes) a second name is asked for.
fn anchor_set_twice(text: &str) -> Option<&str> {
    let lines = text.lines().map(|line| line.split(" #").next().unwrap_or_default());
    let words: Vec<&str> = lines.flat_map(|line| line.split([' ', '\t', '[', ']', '{', '}', ','])).collect();
    let mut names = words.iter().filter_map(|word| word.strip_prefix('&')).filter(|name| !name.is_empty());
    let has_alias = words.iter().any(|word| word.len() > 1 && word.starts_with('*'));
    let mut seen = HashSet::new();
    names.find(|name| has_alias && !seen.insert(*name))
}

/// The parser's own words, without the place that stands in front of the mistake anyway.
fn without_location(error: &serde_yaml::Error) -> String {
    let text = error.to_string();
    if text.contains("more than one document") {
        return String::from("it holds more than one document (`---`)");
    }
    let Some(location) = error.location() else { return text };
    text.replacen(&format!(" at line {} column {}", location.line(), location.column()), "", 1)
}

struct Growth {
    file: usize,
    left: Cell<usize>,
    /// What we found wrong, in our words; the parser adds the place.
    problem: RefCell<Option<String>>,
}

impl Growth {
    fn spend<E: Error>(&self, text: &str) -> Result<(), E> {
        match self.left.get().checked_sub(NODE_BYTES + text.len()) {
            Some(left) => self.left.set(left),
            None => return Err(self.refuse(String::from("this holds too much, by aliases (`*name`) of large values"))),
        }
        Ok(())
    }

    fn refuse<E: Error>(&self, problem: String) -> E {
        self.problem.replace(Some(problem));
        E::custom("refused")
    }
}

#[derive(Clone, Copy)]
struct Grow<'a>(&'a Growth);

impl<'de> DeserializeSeed<'de> for Grow<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Grow<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        self.0.spend("").map(|()| Node::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Node, E> {
        self.visit_unit()
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        self.0.spend("").map(|()| Node::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        self.0.spend("").map(|()| Node::Whole(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        self.0.spend("").map(|()| Node::Number(value.to_string()))
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<Node, E> {
        self.0.spend("").map(|()| Node::Number(value.to_string()))
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<Node, E> {
        self.0.spend("").map(|()| Node::Number(value.to_string()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        self.0.spend("").map(|()| Node::Number(format!("{value:?}")))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
        self.0.spend(value).map(|()| Node::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        self.0.spend("")?;
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(self)? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        self.0.spend("")?;
        let mut entries = Vec::new();
        let mut seen = HashSet::new();
        while let Some(key) = access.next_key_seed(NewKey { growth: self.0, seen: &seen })? {
            seen.insert(key.clone());
            entries.push(Entry { key, file: self.0.file, node: access.next_value_seed(self)? });
        }
        Ok(Node::Map(entries))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, _access: A) -> Result<Node, A::Error> {
        Err(self.0.refuse(String::from("a YAML tag (`!name`) has no meaning here")))
    }
}

/// A key that its mapping does not have yet. Raised while the key is visited, the mistake gets its place.
struct NewKey<'a> {
    growth: &'a Growth,
    seen: &'a HashSet<String>,
}

impl<'de> DeserializeSeed<'de> for NewKey<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl NewKey<'_> {
    fn refuse<E: Error>(&self) -> E {
        self.growth.refuse(String::from("a key must be a word; put it in quotes if it is meant as one"))
    }
}

impl<'de> Visitor<'de> for NewKey<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<String, E> {
        self.growth.spend(key)?;
        if self.seen.contains(key) {
            return Err(self.growth.refuse(format!("the key `{key}` is written twice")));
        }
        Ok(key.to_owned())
    }

    fn visit_unit<E: Error>(self) -> Result<String, E> {
        Err(self.refuse())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<String, E> {
        Err(self.refuse())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<String, E> {
        Err(self.refuse())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<String, E> {
        Err(self.refuse())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<String, E> {
        Err(self.refuse())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<String, A::Error> {
        Err(self.refuse())
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<String, A::Error> {
        Err(self.refuse())
    }

    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<String, A::Error> {
        Err(self.refuse())
    }
}
