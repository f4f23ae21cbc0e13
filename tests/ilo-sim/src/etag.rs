//! `ETag`s: every resource carries one that is made of its own text.

use crate::json::Object;

/// An `ETag` of eight hexadecimal digits, as in every capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Etag(u32);

impl Etag {
    /// The `ETag` of bodies that only carry messages: the same in a capture of a login from 2018 and in one
    /// of a refusal from 2023 (HPE Redfish docs).
    pub(crate) const MESSAGE: Self = Self(0x02c2_d1bb);

    /// As it stands in the header.
    pub(crate) fn header(self) -> [u8; 12] {
        let mut value = *b"W/\"........\"";
        value[3..11].copy_from_slice(&self.digits());
        value
    }

    /// Appends the property, which stands behind `@odata.context`.
    fn push_property(self, json: &mut Vec<u8>) {
        json.extend_from_slice(br#","@odata.etag":"W/\""#);
        json.extend_from_slice(&self.digits());
        json.extend_from_slice(br#"\"""#);
    }

    fn digits(self) -> [u8; 8] {
        std::array::from_fn(|place| b"0123456789ABCDEF"[(self.0 >> (28 - 4 * place) & 0xf) as usize])
    }
}

/// A JSON text that is being written, with the hash of its first bytes.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) json: Vec<u8>,
    hash: Fnv,
    /// How many bytes are in the hash.
    hashed: usize,
}

impl Text {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self { json: Vec::with_capacity(bytes), hash: Fnv::EMPTY, hashed: 0 }
    }

    /// Appends a whole resource.
    pub(crate) fn push_sealed(&mut self, mut draft: Draft) {
        hash_both(self.unhashed(), draft.text.unhashed());
        draft.seal_into(&mut self.json);
    }

    fn hash(&mut self) -> u32 {
        let (hash, bytes) = self.unhashed();
        hash.add(bytes);
        hash.0
    }

    /// The bytes that are not in the hash yet, and the hash that they are to be added to.
    fn unhashed(&mut self) -> (&mut Fnv, &[u8]) {
        let from = std::mem::replace(&mut self.hashed, self.json.len());
        (&mut self.hash, &self.json[from..])
    }
}

/// A resource that lacks its `ETag`.
#[derive(Debug)]
pub(crate) struct Draft {
    text: Text,
    /// Where the `ETag` goes: behind the first property.
    etag_at: usize,
}

/// The text of a resource, and the `ETag` in it.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) json: Vec<u8>,
    pub(crate) etag: Etag,
}

impl Draft {
    /// A resource of this `@odata.context`; `fill` puts in all other properties.
    pub(crate) fn new(context: &'static str, fill: impl FnOnce(&mut Object<'_>)) -> Self {
        let mut text = Text::with_capacity(1024);
        let mut etag_at = 0;
        Object::write(&mut text, |object| {
            object.put("@odata.context", context);
            etag_at = object.text_len();
            fill(object);
        });
        Self { text, etag_at }
    }

    /// Puts the `ETag` in. It is made of all the rest, so that it changes exactly when the resource does.
    pub(crate) fn seal(self) -> Sealed {
        let mut json = Vec::with_capacity(self.text.json.len() + 32);
        let etag = self.seal_into(&mut json);
        Sealed { json, etag }
    }

    fn seal_into(mut self, json: &mut Vec<u8>) -> Etag {
        let etag = Etag(self.text.hash());
        let (context, rest) = self.text.json.split_at(self.etag_at);
        json.extend_from_slice(context);
        etag.push_property(json);
        json.extend_from_slice(rest);
        etag
    }
}

/// A hash of 32 bits: FNV-1a.
#[derive(Clone, Copy, Debug)]
struct Fnv(u32);

impl Fnv {
    const EMPTY: Self = Self(0x811c_9dc5);

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.step(*byte);
        }
    }

    fn step(&mut self, byte: u8) {
        self.0 = (self.0 ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }
}

/// Adds to two hashes in the time of one. Hashing is most of what a long answer costs, and each step waits
/// for the one before it; while one hash waits, the other can take its step.
fn hash_both((one, ones): (&mut Fnv, &[u8]), (other, others): (&mut Fnv, &[u8])) {
    let both = ones.len().min(others.len());
    for (a, b) in ones.iter().zip(others) {
        one.step(*a);
        other.step(*b);
    }
    one.add(&ones[both..]);
    other.add(&others[both..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fnv(text: &str) -> u32 {
        let mut hash = Fnv::EMPTY;
        hash.add(text.as_bytes());
        hash.0
    }

    /// Values from the reference of Fowler, Noll and Vo.
    #[test]
    fn is_the_published_hash() {
        assert_eq!([fnv(""), fnv("a"), fnv("foobar")], [0x811c_9dc5, 0xe40c_292c, 0xbf9c_f968]);
    }

    #[test]
    fn two_hashes_at_once_are_those_of_each_alone() {
        for (one, other) in [("", "abc"), ("abc", ""), ("abc", "defgh"), ("abcdef", "ghi"), ("abc", "def")] {
            let (mut a, mut b) = (Fnv::EMPTY, Fnv::EMPTY);
            hash_both((&mut a, one.as_bytes()), (&mut b, other.as_bytes()));
            assert_eq!((a.0, b.0), (fnv(one), fnv(other)));
        }
    }

    #[test]
    fn an_etag_stands_behind_the_context_and_in_the_header() {
        let draft = || Draft::new("c", |object| object.put("Id", "1"));
        let etag = Etag(fnv(r#"{"@odata.context":"c","Id":"1"}"#));
        let sealed = draft().seal();
        assert_eq!(sealed.etag, etag);
        let digits = String::from_utf8(etag.digits().to_vec()).unwrap();
        assert_eq!(etag.header(), *format!("W/\"{digits}\"").as_bytes());
        let whole = format!(r#"{{"@odata.context":"c","@odata.etag":"W/\"{digits}\"","Id":"1"}}"#);
        assert_eq!(String::from_utf8(sealed.json).unwrap(), whole);
        let list = Object::text(|object| object.resources("Members", [draft(), draft()]));
        assert_eq!(String::from_utf8(list).unwrap(), format!(r#"{{"Members":[{whole},{whole}]}}"#));
    }

    #[test]
    fn digits_are_eight_and_upper_case() {
        assert_eq!(Etag::MESSAGE.header(), *b"W/\"02C2D1BB\"");
        assert_eq!(Etag(0xf).header(), *b"W/\"0000000F\"");
    }
}
