//! `tls`: how the certificates of a group are judged.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::at::{At, Spot};
use super::guarded::{Reading, Surroundings, read};
use super::known_ilos::KnownIlos;
use super::tree::Node;
use crate::redfish::{roots_of_pem, roots_of_system};
use crate::settings::{Fingerprint, IloName, Roots, Trust};

/// The keys of `tls` where it is a mapping.
pub(super) const TLS: [&str; 4] = ["pin", "ca", "trust", "legacy"];
const FORMS: &str = "`known`, `system`, `insecure`, `{ ca: FILE }` or `{ pin: \"sha256:…\" }`";

const FILE_BYTES_MAX: usize = 4 << 20;

/// What `tls` of a group says.
#[derive(Clone)]
pub(super) struct Tls {
    pub(super) anchor: Anchor,
    pub(super) legacy: bool,
}

/// Whom a group trusts.
#[derive(Clone)]
pub(super) enum Anchor {
    /// Each iLO by its line in `known_ilos`.
    Known,
    /// All of them in the same way.
    Same(Trust),
}

impl Anchor {
    /// How the certificate of one iLO is judged.
    pub(super) fn of(&self, ilo: &IloName, known: &KnownIlos) -> Trust {
        match self {
            Self::Known => known.trust(ilo),
            Self::Same(trust) => trust.clone(),
        }
    }
}

/// Authorities read so far; groups that name the same share them.
#[derive(Default)]
pub(super) struct Authorities {
    of_files: BTreeMap<PathBuf, Option<Arc<Roots>>>,
    of_system: Option<Arc<Roots>>,
}

impl Authorities {
    /// Reads `tls`.
    pub(super) fn tls(&mut self, at: &At<'_>, surroundings: &Surroundings) -> Option<Tls> {
        match at.node {
            Node::Map(_) => self.long_form(at, surroundings),
            Node::Text(word) if word.starts_with("sha256:") => {
                at.none(format!("a pin is written `{{ pin: \"{word}\" }}`"))
            }
            _ => self.word(at, FORMS).map(|anchor| Tls { anchor, legacy: false }),
        }
    }

    fn word(&mut self, at: &At<'_>, expected: &str) -> Option<Anchor> {
        match at.node {
            Node::Text(word) if word == "known" => Some(Anchor::Known),
            Node::Text(word) if word == "insecure" => Some(Anchor::Same(Trust::Insecure)),
            Node::Text(word) if word == "system" => self.system(at),
            _ => at.unexpected(expected),
        }
    }

    /// Every key is read before any may fail, so that all mistakes are told.
    fn long_form(&mut self, at: &At<'_>, surroundings: &Surroundings) -> Option<Tls> {
        let fields = at.fields(&TLS)?;
        let legacy = fields.get("legacy").map_or(Some(false), |at| legacy(&at));
        let written: Vec<At<'_>> = ["pin", "ca", "trust"].iter().filter_map(|key| fields.get(key)).collect();
        let anchor = match written.as_slice() {
            [] => at.none("this does not say whom to trust; expected `trust`, `ca` or `pin`"),
            [one] => match one.key {
                "pin" => fingerprint(one),
                "ca" => self.file(one, surroundings),
                _ if matches!(one.node, Node::Map(_)) => {
                    one.none("a pin or a file stands here itself: `{ pin: \"sha256:…\", legacy: true }`")
                }
                _ => self.word(one, "`known`, `system` or `insecure`"),
            },
            [first, .., last] => {
                last.wrong_key(format!("this stands beside `{}`; one of them must go", first.key));
                None
            }
        };
        Some(Tls { anchor: anchor?, legacy: legacy? })
    }

    fn system(&mut self, at: &At<'_>) -> Option<Anchor> {
        if self.of_system.is_none() {
            match roots_of_system() {
                Ok(roots) => self.of_system = Some(Arc::new(roots)),
                Err(why) => at.wrong(why),
            }
        }
        self.of_system.clone().map(Trust::Roots).map(Anchor::Same)
    }

    fn file(&mut self, at: &At<'_>, surroundings: &Surroundings) -> Option<Anchor> {
        let path = at.text("the path of a file with certificates in PEM")?;
        if !path.starts_with('/') {
            return at.none(format!("{} is not the absolute path of a file", at.shown()));
        }
        let read = || authorities(at, path, surroundings).map(Arc::new);
        let roots = self.of_files.entry(PathBuf::from(path)).or_insert_with(read);
        roots.clone().map(Trust::Roots).map(Anchor::Same)
    }
}

/// Reads a file of certificates. Its mistakes are told at its own lines.
fn authorities(at: &At<'_>, path: &str, surroundings: &Surroundings) -> Option<Roots> {
    let bytes = match read(Path::new(path), Reading::Open, FILE_BYTES_MAX, surroundings) {
        Ok(bytes) => bytes,
        Err(why) => return at.none(format!("{path} {why}")),
    };
    match roots_of_pem(path, &String::from_utf8_lossy(&bytes)) {
        Ok(roots) => Some(roots),
        Err(wrong) => {
            for (line, why) in wrong {
                at.notes().add(Spot::Exact { file: PathBuf::from(path), line, column: None }, why);
            }
            None
        }
    }
}

fn legacy(at: &At<'_>) -> Option<bool> {
    match at.flag() {
        Some(true) if cfg!(not(feature = "legacy-tls")) => {
            at.none("this build has no old TLS; `legacy: true` takes one with the feature legacy-tls, as packages have")
        }
        flag => flag,
    }
}

fn fingerprint(at: &At<'_>) -> Option<Anchor> {
    let expected = "the SHA-256 of a certificate: `sha256:` and 64 hexadecimal digits";
    let text = at.text(expected)?;
    let pin = Fingerprint::parse(text).or_else(|| at.unexpected(expected))?;
    Some(Anchor::Same(Trust::Pin(pin)))
}
