//! `ETag`s: every resource carries one that is made of its own text.

use http::HeaderValue;

use crate::json::Object;
use crate::personality::traits::EtagForm;

/// An `ETag`: 32 bits, in the form of its firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Etag {
    hash: u32,
    form: EtagForm,
}

/// Digits of an `ETag`: those behind the zeros that its form leaves out.
struct Digits {
    all: [u8; 10],
    from: usize,
}

impl Digits {
    fn as_bytes(&self) -> &[u8] {
        &self.all[self.from..]
    }
}

impl Etag {
    /// The `ETag` of bodies that only carry messages: the same in a capture of a login from 2018 and in one
    /// of a refusal from 2023 (HPE Redfish docs).
    pub(crate) const fn of_message(form: EtagForm) -> Self {
        Self { hash: 0x02c2_d1bb, form }
    }

    /// As it stands in the header.
    pub(crate) fn header(self) -> Option<HeaderValue> {
        let digits = self.digits();
        let digits = digits.as_bytes();
        let mut value = *b"W/\"..........\"";
        let end = 3 + digits.len();
        value[3..end].copy_from_slice(digits);
        value[end] = b'"';
        HeaderValue::from_bytes(&value[..=end]).ok()
    }

    /// Appends the property, which stands behind `@odata.context`.
    fn push_property(self, json: &mut Vec<u8>) {
        json.extend_from_slice(br#","@odata.etag":"W/\""#);
        json.extend_from_slice(self.digits().as_bytes());
        json.extend_from_slice(br#"\"""#);
    }

    fn digits(self) -> Digits {
        let mut digits = Digits { all: [b'0'; 10], from: 2 };
        match self.form {
            EtagForm::Hex => {
                for (place, digit) in digits.all[2..].iter_mut().enumerate() {
                    *digit = b"0123456789ABCDEF"[(self.hash >> (28 - 4 * place) & 0xf) as usize];
                }
            }
            EtagForm::Decimal => {
                let mut rest = self.hash;
                digits.from = digits.all.len() - 1;
                for (place, digit) in digits.all.iter_mut().enumerate().rev() {
                    *digit = b"0123456789"[(rest % 10) as usize];
                    rest /= 10;
                    digits.from = place;
                    if rest == 0 {
                        break;
                    }
                }
            }
        }
        digits
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

/// How resources of a firmware begin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) context: Option<&'static str>,
    /// The form of the `ETag`, where there is one.
    pub(crate) etag: Option<EtagForm>,
    /// Whether it stands in the resource as well, behind the context.
    pub(crate) etag_in_body: bool,
}

/// A resource that lacks its `ETag`.
#[derive(Debug)]
pub(crate) struct Draft {
    text: Text,
    etag: Option<EtagForm>,
    /// Where the `ETag` goes, if anywhere: behind the first property.
    etag_at: Option<usize>,
}

/// The text of a resource, and its `ETag`.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) json: Vec<u8>,
    pub(crate) etag: Option<Etag>,
}

impl Draft {
    /// A resource that begins so; `fill` puts in all other properties.
    pub(crate) fn new(head: Head, fill: impl FnOnce(&mut Object<'_>)) -> Self {
        let mut text = Text::with_capacity(1024);
        let mut etag_at = None;
        Object::write(&mut text, |object| {
            if let Some(context) = head.context {
                object.put("@odata.context", context);
                etag_at = head.etag_in_body.then(|| object.text_len());
            }
            fill(object);
        });
        Self { text, etag: head.etag, etag_at }
    }

    /// Puts the `ETag` in. It is made of all the rest, so that it changes exactly when the resource does.
    pub(crate) fn seal(self) -> Sealed {
        let mut json = Vec::with_capacity(self.text.json.len() + 32);
        let etag = self.seal_into(&mut json);
        Sealed { json, etag }
    }

    fn seal_into(mut self, json: &mut Vec<u8>) -> Option<Etag> {
        let etag = self.etag.map(|form| Etag { hash: self.text.hash(), form });
        let (context, rest) = self.text.json.split_at(self.etag_at.unwrap_or_default());
        json.extend_from_slice(context);
        if let (Some(etag), Some(_)) = (etag, self.etag_at) {
            etag.push_property(json);
        }
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
        let head = Head { context: Some("c"), etag: Some(EtagForm::Hex), etag_in_body: true };
        let draft = |head| Draft::new(head, |object| object.put("Id", "1"));
        let etag = Etag { hash: fnv(r#"{"@odata.context":"c","Id":"1"}"#), form: EtagForm::Hex };
        let sealed = draft(head).seal();
        assert_eq!(sealed.etag, Some(etag));
        let digits = String::from_utf8(etag.digits().as_bytes().to_vec()).unwrap();
        assert_eq!(etag.header().unwrap(), format!("W/\"{digits}\""));
        let whole = format!(r#"{{"@odata.context":"c","@odata.etag":"W/\"{digits}\"","Id":"1"}}"#);
        assert_eq!(String::from_utf8(sealed.json).unwrap(), whole);
        let list = Object::text(|object| object.resources("Members", [draft(head), draft(head)]));
        assert_eq!(String::from_utf8(list).unwrap(), format!(r#"{{"Members":[{whole},{whole}]}}"#));
        let bare = Head { context: None, ..head };
        let sealed = draft(bare).seal();
        assert_eq!(String::from_utf8(sealed.json).unwrap(), r#"{"Id":"1"}"#);
        assert!(sealed.etag.is_some());
        assert_eq!(draft(Head { etag: None, ..head }).seal().etag, None);
    }

    #[test]
    fn digits_are_eight_and_upper_case_or_decimal_without_zeros_in_front() {
        let header = |hash, form| Etag { hash, form }.header().unwrap();
        assert_eq!(Etag::of_message(EtagForm::Hex).header().unwrap(), "W/\"02C2D1BB\"");
        assert_eq!(header(0xf, EtagForm::Hex), "W/\"0000000F\"");
        assert_eq!(header(763_333_962, EtagForm::Decimal), "W/\"763333962\"");
        assert_eq!(header(0, EtagForm::Decimal), "W/\"0\"");
        assert_eq!(header(u32::MAX, EtagForm::Decimal), "W/\"4294967295\"");
    }
}
