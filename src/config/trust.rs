//! `tls`: how the certificates of a group are judged.

use super::at::At;
use super::tree::Node;
use crate::settings::{Fingerprint, Trust};

/// The keys of `tls` where it is a mapping.
pub(super) const TLS: [&str; 4] = ["pin", "ca", "trust", "legacy"];

const NOT_YET: &str = "not supported yet by this version; use `{ pin: \"sha256:…\" }` or `insecure`";

/// Reads `tls`.
pub(super) fn trust(at: &At<'_>) -> Option<Trust> {
    match at.node {
        Node::Text(word) if word == "insecure" => Some(Trust::Insecure),
        Node::Text(word) if word == "known" || word == "system" => at.none(format!("`{word}` is {NOT_YET}")),
        Node::Map(_) => long_form(at),
        Node::Text(word) if word.starts_with("sha256:") => at.none(format!("a pin is written `{{ pin: \"{word}\" }}`")),
        _ => at.unexpected("`known`, `system`, `insecure`, `{ ca: FILE }` or `{ pin: \"sha256:…\" }`"),
    }
}

fn long_form(at: &At<'_>) -> Option<Trust> {
    let fields = at.fields(&TLS)?;
    if let Some(ca) = fields.get("ca") {
        ca.wrong_key(format!("`ca` is {NOT_YET}"));
        return None;
    }
    let legacy = fields.read("legacy", |at| match at.flag() {
        Some(true) => at.none("`legacy: true` is not supported yet by this version"),
        flag => flag,
    });
    let trust = match (fields.get("pin"), fields.get("trust")) {
        (Some(_), Some(trust)) => {
            trust.wrong_key("this stands beside `pin`; one of them must go");
            None
        }
        (Some(pin), None) => fingerprint(&pin),
        (None, Some(nested)) => trust(&nested),
        (None, None) => at.none("this does not say whom to trust; expected `pin` or `trust`"),
    };
    trust.filter(|_| legacy.is_some() || fields.get("legacy").is_none())
}

fn fingerprint(at: &At<'_>) -> Option<Trust> {
    let expected = "the SHA-256 of a certificate: `sha256:` and 64 hexadecimal digits";
    let text = at.text(expected)?;
    Fingerprint::parse(text).map(Trust::Pin).or_else(|| at.unexpected(expected))
}
