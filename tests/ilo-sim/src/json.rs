//! JSON written straight as text.
//!
//! To build a tree of values and then serialise it costs more than all the rest of an answer, and a long
//! simulation is made of answers. So an [`Object`] is written property by property, in the order of the
//! wire: sorted by name, byte for byte.

#![expect(
    clippy::inline_always,
    reason = "names and most texts are constants, and copied in one move where seen as such"
)]

use std::net::IpAddr;

use serde_json::Value;

use crate::etag::{Draft, Text};

/// What can be the value of a property.
pub(crate) trait Json {
    /// Appends the value.
    fn write(self, out: &mut Vec<u8>);
}

impl Json for &str {
    #[inline(always)]
    fn write(self, out: &mut Vec<u8>) {
        out.push(b'"');
        escape(self, out);
        out.push(b'"');
    }
}

impl Json for &String {
    #[inline(always)]
    fn write(self, out: &mut Vec<u8>) {
        self.as_str().write(out);
    }
}

impl Json for bool {
    #[inline(always)]
    fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self { b"true" } else { b"false" });
    }
}

/// Null.
impl Json for () {
    fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"null");
    }
}

impl Json for u32 {
    fn write(self, out: &mut Vec<u8>) {
        if self > 9 {
            (self / 10).write(out);
        }
        out.push(b"0123456789"[(self % 10) as usize]);
    }
}

impl Json for usize {
    fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.to_string().as_bytes());
    }
}

impl Json for IpAddr {
    fn write(self, out: &mut Vec<u8>) {
        match self {
            // Nearly every session comes from such an address; the formatter would take its time for each.
            Self::V4(address) => {
                for (before, octet) in b"\"...".iter().zip(address.octets()) {
                    out.push(*before);
                    u32::from(octet).write(out);
                }
                out.push(b'"');
            }
            Self::V6(address) => address.to_string().as_str().write(out),
        }
    }
}

/// Appends `text` as it stands between the quotes of a JSON string.
#[inline(always)]
pub(crate) fn escape(text: &str, out: &mut Vec<u8>) {
    // Looking at every byte, also behind one that is odd, lets many be looked at in one go.
    let odd = text.bytes().fold(0, |odd, byte| odd | u8::from(matches!(byte, 0..=0x1f | b'"' | b'\\')));
    if odd == 0 {
        out.extend_from_slice(text.as_bytes());
    } else {
        escape_odd(text, out);
    }
}

#[cold]
fn escape_odd(text: &str, out: &mut Vec<u8>) {
    let quoted = Value::from(text).to_string();
    out.extend_from_slice(&quoted.as_bytes()[1..quoted.len() - 1]);
}

/// A JSON object that is being written.
pub(crate) struct Object<'a> {
    text: &'a mut Text,
    /// The property written last; empty before the first.
    last: &'static str,
}

impl Object<'_> {
    /// Appends an object whose properties `fill` puts in.
    pub(crate) fn write(text: &mut Text, fill: impl FnOnce(&mut Object<'_>)) {
        text.json.push(b'{');
        fill(&mut Object { text, last: "" });
        text.json.push(b'}');
    }

    /// The text of an object by itself.
    pub(crate) fn text(fill: impl FnOnce(&mut Object<'_>)) -> Vec<u8> {
        let mut text = Text::with_capacity(256);
        Object::write(&mut text, fill);
        text.json
    }

    /// A property. They must come in the order of their names.
    #[inline(always)]
    pub(crate) fn put(&mut self, name: &'static str, value: impl Json) {
        self.name(name);
        value.write(&mut self.text.json);
    }

    /// A property that is an object itself.
    pub(crate) fn object(&mut self, name: &'static str, fill: impl FnOnce(&mut Object<'_>)) {
        self.name(name);
        Object::write(self.text, fill);
    }

    /// A property that is a list of texts.
    pub(crate) fn texts(&mut self, name: &'static str, items: &[&str]) {
        self.array(name, items, |text, item| item.write(&mut text.json));
    }

    /// A property that is a list of objects, one for each item.
    pub(crate) fn objects<T>(
        &mut self,
        name: &'static str,
        items: impl IntoIterator<Item = T>,
        fill: impl Fn(&mut Object<'_>, T),
    ) {
        self.array(name, items, |text, item| Object::write(text, |object| fill(object, item)));
    }

    /// A property that is a list of whole resources.
    pub(crate) fn resources(&mut self, name: &'static str, drafts: impl IntoIterator<Item = Draft>) {
        self.array(name, drafts, Text::push_sealed);
    }

    /// The same, where some are only linked.
    pub(crate) fn resources_or_links(
        &mut self,
        name: &'static str,
        members: impl IntoIterator<Item = Result<Draft, impl Json>>,
    ) {
        self.array(name, members, |text, member| match member {
            Ok(draft) => text.push_sealed(draft),
            Err(path) => Object::write(text, |link| link.put("@odata.id", path)),
        });
    }

    /// How long the text is so far.
    pub(crate) const fn text_len(&self) -> usize {
        self.text.json.len()
    }

    fn array<T>(&mut self, name: &'static str, items: impl IntoIterator<Item = T>, write: impl Fn(&mut Text, T)) {
        self.name(name);
        self.text.json.push(b'[');
        for (place, item) in items.into_iter().enumerate() {
            if place > 0 {
                self.text.json.push(b',');
            }
            write(self.text, item);
        }
        self.text.json.push(b']');
    }

    /// Names are this crate's own and plain, so nothing in them is escaped.
    #[inline(always)]
    fn name(&mut self, name: &'static str) {
        debug_assert!(self.last < name, "{name} comes before {}", self.last);
        let json = &mut self.text.json;
        if !self.last.is_empty() {
            json.push(b',');
        }
        json.push(b'"');
        json.extend_from_slice(name.as_bytes());
        json.extend_from_slice(b"\":");
        self.last = name;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: impl Json) -> String {
        let mut out = Vec::new();
        value.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_text_is_escaped_as_the_library_does() {
        let low: String = (0..=0x7f_u8).map(char::from).collect();
        for text in ["", "plain", "\"", "\\", "a\"b\\", "tab\t", "\u{1}", "\u{7f}", "größe 日本", "\u{2028}", &low]
        {
            assert_eq!(written(text), serde_json::to_string(text).unwrap());
        }
    }

    #[test]
    fn numbers_and_addresses_are_written_as_usual() {
        for number in [0, 9, 10, 99, 100, 65_535, u32::MAX] {
            assert_eq!(written(number), number.to_string());
        }
        assert_eq!(written(usize::MAX), usize::MAX.to_string());
        for address in ["0.0.0.0", "192.0.2.53", "255.255.255.255", "::1", "2001:db8::53", "::ffff:192.0.2.1"] {
            assert_eq!(written(address.parse::<IpAddr>().unwrap()), format!("\"{address}\""));
        }
    }

    #[test]
    fn objects_nest_and_may_be_empty() {
        let text = Object::text(|object| {
            object.put("A", true);
            object.object("B", |_| {});
            object.objects("C", [1, 2_u32], |item, number| item.put("N", number));
            object.texts("D", &["x", "y"]);
        });
        assert_eq!(String::from_utf8(text).unwrap(), r#"{"A":true,"B":{},"C":[{"N":1},{"N":2}],"D":["x","y"]}"#);
    }

    #[test]
    #[should_panic(expected = "A comes before B")]
    fn properties_out_of_order_are_a_mistake() {
        Object::text(|object| {
            object.put("B", 1_u32);
            object.put("A", 2_u32);
        });
    }
}
