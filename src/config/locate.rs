//! From a path in the tree to its line and column.
//!
//! The YAML parser tells no positions, except in errors: an error raised while a value is visited
//! gets the line and column where that value begins. So the text is read a second time by a visitor
//! that follows the path and raises an error at its end. This costs a second parse for each mistake
//! and nothing where there is none, and it spares us a parser of our own.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::at::Step;

/// Line and column, from 1, of the value at the end of a path, or of its key.
pub(super) fn locate(text: &str, path: &[Step], on_key: bool) -> Option<(usize, usize)> {
    let walk = Walk { path, on_key };
    let error = walk.deserialize(serde_yaml::Deserializer::from_str(text)).err()?;
    let location = error.location()?;
    Some((location.line(), location.column()))
}

/// Visits one value; with an empty path left, any visit is an error (the default of every method).
#[derive(Clone, Copy)]
struct Walk<'a> {
    path: &'a [Step],
    on_key: bool,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("something else")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        let Some((Step::Item(wanted), rest)) = self.path.split_first() else { return Err(found()) };
        for _ in 0..*wanted {
            access.next_element::<IgnoredAny>()?;
        }
        access.next_element_seed(Walk { path: rest, ..self })?;
        Err(found())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        let Some((Step::Key(wanted), rest)) = self.path.split_first() else { return Err(found()) };
        let stop = self.on_key && rest.is_empty();
        while let Some(is_it) = access.next_key_seed(Key { wanted, stop })? {
            if is_it {
                access.next_value_seed(Walk { path: rest, ..self })?;
            } else {
                access.next_value::<IgnoredAny>()?;
            }
        }
        Err(found())
    }
}

fn found<E: Error>() -> E {
    E::custom("here")
}

/// Tells whether a key is the wanted one, and stops there if the key itself is looked for.
struct Key<'a> {
    wanted: &'a str,
    stop: bool,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<bool, E> {
        let is_it = key == self.wanted;
        if is_it && self.stop { Err(found()) } else { Ok(is_it) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_and_key_is_found_where_it_is_written() {
        let text = "# first\na: 1\nb:\n  - x\n  - { c: true, d: [~, 2.5] }\n\"e f\":\n  g: >\n    long\n  h: *here\n";
        let text = text.replace("- x", "- &here x");
        let key = |key: &str| Step::Key(key.to_owned());
        for (path, on_key, expected) in [
            (vec![key("a")], true, (2, 1)),
            (vec![key("a")], false, (2, 4)),
            (vec![key("b")], false, (4, 3)),
            (vec![key("b"), Step::Item(0)], false, (4, 5)),
            (vec![key("b"), Step::Item(1), key("c")], false, (5, 10)),
            (vec![key("b"), Step::Item(1), key("d"), Step::Item(0)], false, (5, 20)),
            (vec![key("b"), Step::Item(1), key("d"), Step::Item(1)], false, (5, 23)),
            (vec![key("e f"), key("g")], false, (7, 6)),
            (vec![key("e f"), key("h")], true, (9, 3)),
            (vec![], false, (2, 1)),
        ] {
            assert_eq!(locate(&text, &path, on_key), Some(expected), "{path:?}");
        }
    }
}
