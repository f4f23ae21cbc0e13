//! One event, one line.

use std::fmt::{Display, Write};

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::fields::{Fields, TEXT_MAX, Value, fields};
use super::sentence::sentence;
use crate::event::{Event, Priority};
use crate::session::{FOREIGN_TEXT_MAX, clean};
use crate::time::Timestamp;

/// The version of the JSON: it changes only when a field changes its meaning or goes.
const JSON_VERSION: u8 = 1;

/// Bytes of a sentence with its fields at most. `journalctl -o json` leaves out what is longer than 4 KiB.
const WORDED_MAX: usize = 4000;
/// Bytes that a sentence keeps at least, where something must be cut.
const SENTENCE_LEAST: usize = 512;

/// How a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Time, priority, sentence and fields.
    Text,
    /// One object.
    Json,
}

impl Format {
    /// The event as one line, with its end.
    pub fn line(self, event: &Event, at: Timestamp) -> String {
        let mut line = match self {
            Self::Text => format!("{at} {} {}", event.priority().name(), worded(event)),
            Self::Json => json(event, at),
        };
        line.push('\n');
        line
    }
}

/// The sentence, the name of the event, and its fields as logfmt. Where that is too long, all that is long in it is cut.
pub(super) fn worded(event: &Event) -> String {
    let fields = fields(event);
    let mut value_max = 2 * TEXT_MAX;
    loop {
        let worded = worded_within(event, &fields, value_max);
        // With values this short it fits, whatever they are.
        if worded.len() <= WORDED_MAX || value_max < 16 {
            return worded;
        }
        value_max /= 2;
    }
}

fn worded_within(event: &Event, fields: &Fields, value_max: usize) -> String {
    let (whole, sentence_max) = (sentence(event), value_max.max(SENTENCE_LEAST));
    // A quote that the cut left open would swallow the fields behind it.
    let mut line = if whole.len() > sentence_max { clean(&whole.replace('"', "'"), sentence_max) } else { whole };
    let text = |text: &str| quoted(&unforged(&clean(text, value_max)));
    // Writing to a String can't fail.
    let _ = write!(line, " event={}", event.name());
    for (key, value) in fields.iter() {
        let value = match value {
            Value::Unknown => String::from("null"),
            Value::Number(number) => number.to_string(),
            Value::Text(value) => text(value),
            Value::List(elements) => text(&format!("[{}]", elements.join(","))),
        };
        let _ = write!(line, " {key}={value}");
    }
    line
}

/// A line of JSON, which serialises its keys in this order.
struct Object<'a> {
    ts: String,
    level: Priority,
    event: &'a Event,
    message: String,
    fields: Fields,
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("v", &JSON_VERSION)?;
        object.serialize_entry("ts", &self.ts)?;
        object.serialize_entry("level", self.level.name())?;
        object.serialize_entry("event", self.event.name())?;
        object.serialize_entry("message", &self.message)?;
        for (key, value) in self.fields.iter() {
            object.serialize_entry(key, value)?;
        }
        object.end()
    }
}

fn json(event: &Event, at: Timestamp) -> String {
    let (level, fields) = (event.priority(), fields(event));
    let object = Object { ts: at.to_string(), level, event, message: sentence(event), fields };
    // Text and whole numbers always serialise; should that ever change, the event is still named.
    serde_json::to_string(&object).unwrap_or_else(|_| format!(r#"{{"v":{JSON_VERSION},"event":"{}"}}"#, event.name()))
}

/// A name inside a sentence: quoted unless it is one plain word.
pub(super) fn name(raw: impl Display) -> String {
    quoted(&unforged(&clean(&raw.to_string(), FOREIGN_TEXT_MAX)))
}

/// A phrase inside a sentence. Its quotes become single ones, so that none can swallow the fields behind it.
pub(super) fn prose(raw: &str) -> String {
    let phrase = unforged(&clean(raw, TEXT_MAX)).replace('"', "'");
    phrase.trim().trim_end_matches('.').to_owned()
}

/// Text that can't pass for a field, not even for a tool that looks for `key=` without reading quotes:
/// an equals sign right behind a word is written as `\u{3d}`.
fn unforged(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match (character, safe.chars().next_back()) {
            ('=', Some(before)) if !matches!(before, ' ' | '<' | '>' | '=' | '!') => safe.push_str("\\u{3d}"),
            _ => safe.push(character),
        }
    }
    safe
}

/// A logfmt value: quoted unless it is one plain word, and `"null"` is quoted because null is not.
fn quoted(text: &str) -> String {
    let is_word = |character: char| !character.is_whitespace() && !matches!(character, '"' | '=' | '`');
    if !text.is_empty() && text != "null" && text.chars().all(is_word) {
        return text.to_owned();
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
