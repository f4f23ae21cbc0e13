//! `known_ilos`: the certificates of iLOs, a line each, as `ilo-reaper trust --write` takes them down.
//!
//! ```text
//! NAME sha256:HEX  # since 2026-11-25T10:00:00Z
//! ```

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::at::{Notes, Spot};
use super::guarded::{Reading, Surroundings, directory, read};
use super::hosts::host_and_port;
use super::mistake::{Mistake, Warning};
use super::words::some_names;
use crate::settings::{Fingerprint, IloName, Trust};
use crate::time::Timestamp;

/// The file beside the main file of the configuration.
const FILE: &str = "known_ilos";
/// 100,000 lines are 14 MB.
const FILE_BYTES_MAX: usize = 32 << 20;
const MODE: u32 = 0o644;
/// Stands before the time in the comment of a line.
const SINCE: &str = "since ";
const HEADER: &str = "# The certificates of iLOs: NAME sha256:HEX. `ilo-reaper trust --write` takes them down.";

/// The file `known_ilos`, and what its lines say.
#[derive(Clone, Debug, Default)]
pub struct KnownIlos {
    path: PathBuf,
    /// As they are written.
    written: Vec<String>,
    /// What they say, by name without case, as in the fleet.
    lines: BTreeMap<String, Line>,
}

/// The right to write `known_ilos`, which one process has at a time.
#[derive(Debug)]
pub struct Lock {
    _folder: File,
}

#[derive(Clone, Debug)]
struct Line {
    name: String,
    fingerprint: Fingerprint,
    since: Option<Timestamp>,
    /// From 0.
    index: usize,
}

impl KnownIlos {
    /// Reads the file beside this main file of a configuration. Where it is not there, no iLO is known.
    pub fn beside(main_file: &Path, surroundings: &Surroundings) -> Result<Self, Vec<Mistake>> {
        let notes = Notes::default();
        let known = Self::noted(main_file, surroundings, &notes);
        let mistakes = notes.told(&[]);
        if mistakes.is_empty() { Ok(known) } else { Err(mistakes) }
    }

    pub(super) fn noted(main_file: &Path, surroundings: &Surroundings, notes: &Notes) -> Self {
        let mut known = Self { path: main_file.with_file_name(FILE), ..Self::default() };
        let wrong = |why: String| {
            notes.add(Spot::Exact { file: main_file.with_file_name(FILE), line: None, column: None }, why);
        };
        // A link that leads nowhere is there, and what it led to may come back.
        if fs::symlink_metadata(&known.path).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            return known;
        }
        match read(&known.path, Reading::Open, FILE_BYTES_MAX, surroundings).map(String::from_utf8) {
            Ok(Ok(text)) => known.written = text.lines().map(str::to_owned).collect(),
            Ok(Err(_)) => wrong(String::from("holds bytes that are not UTF-8 text")),
            Err(why) => wrong(why),
        }
        known.take_lines(notes);
        known
    }

    fn take_lines(&mut self, notes: &Notes) {
        for (index, written) in self.written.iter().enumerate() {
            let spot = |word: &str| {
                // A word of the line lies inside of it.
                let before = word.as_ptr().addr().saturating_sub(written.as_ptr().addr());
                let column = written.get(..before).map(|before| before.chars().count() + 1);
                Spot::Exact { file: self.path.clone(), line: Some(index + 1), column }
            };
            match line(written, index) {
                Ok(None) => {}
                Ok(Some((word, line))) => {
                    let name = line.name.to_lowercase();
                    if let Some(first) = self.lines.get(&name) {
                        let first = Spot::Exact { file: self.path.clone(), line: Some(first.index + 1), column: None };
                        notes.again(spot(word), first, format!("`{word}` has a line already"));
                    } else {
                        self.lines.insert(name, line);
                    }
                }
                Err((word, why)) => notes.add(spot(word), why),
            }
        }
    }

    /// What is known of an iLO's certificate.
    pub fn trust(&self, ilo: &IloName) -> Trust {
        match self.lines.get(&ilo.as_str().to_lowercase()) {
            Some(line) => Trust::Known(line.fingerprint, line.since),
            None => Trust::Unknown,
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What must be said of lines that are for nobody.
    pub(super) fn strangers(&self, is_there: impl Fn(&str) -> bool) -> Option<Warning> {
        let strangers = self.lines.iter().filter(|(name, _)| !is_there(name));
        let names: Vec<&str> = strangers.map(|(_, line)| line.name.as_str()).collect();
        (!names.is_empty()).then(|| Warning {
            text: format!(
                "{} knows what is no iLO of this configuration: {}; take the lines out, or correct the names",
                self.path.display(),
                some_names(&names)
            ),
        })
    }

    /// Takes down the certificate of an iLO, in the place of what stood there for it.
    pub fn take_down(&mut self, ilo: &IloName, fingerprint: Fingerprint, now: Timestamp) {
        let written = format!("{ilo} {fingerprint}  # {SINCE}{now}");
        if self.written.is_empty() {
            self.written.push(HEADER.to_owned());
        }
        let known = self.lines.get(&ilo.as_str().to_lowercase());
        let index = known.map_or(self.written.len(), |line| line.index);
        match self.written.get_mut(index) {
            Some(line) => *line = written,
            None => self.written.push(written),
        }
        let line = Line { name: ilo.to_string(), fingerprint, since: Some(now), index };
        self.lines.insert(ilo.as_str().to_lowercase(), line);
    }

    /// Keeps all others from writing until it is dropped. What is read before is not what will be changed.
    pub fn lock(main_file: &Path) -> io::Result<Lock> {
        let folder =
            File::open(main_file.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new(".")))?;
        folder.lock()?;
        Ok(Lock { _folder: folder })
    }

    /// Writes the file: whoever reads it meanwhile, or after a crash, finds the old one or the new one.
    pub fn write(&self, surroundings: &Surroundings, _lock: &Lock) -> io::Result<()> {
        // Behind a link the file itself is written anew, not the link.
        let path = match fs::symlink_metadata(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => self.path.clone(),
            _ => fs::canonicalize(&self.path)?,
        };
        let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
        directory(folder, surroundings)
            .map_err(|why| io::Error::new(ErrorKind::PermissionDenied, format!("{} {why}", folder.display())))?;
        // One that is there already is of a writer that was killed.
        let new = folder.join(format!(".{FILE}.new"));
        match fs::remove_file(&new) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&new)?;
        let replaced = self.fill(&file).and_then(|()| fs::rename(&new, &path));
        if replaced.is_err() {
            // What is half written is for nobody. That the disk does not even let go of it changes nothing.
            let _left = fs::remove_file(&new);
        }
        replaced?;
        File::open(folder)?.sync_all()
    }

    fn fill(&self, file: &File) -> io::Result<()> {
        let mut text = BufWriter::new(file);
        self.written.iter().try_for_each(|line| writeln!(text, "{line}"))?;
        text.flush()?;
        file.set_permissions(Permissions::from_mode(MODE))?;
        file.sync_all()
    }
}

/// A line that says something, with its first word; or the word that is wrong, and why.
fn line(written: &str, index: usize) -> Result<Option<(&str, Line)>, (&str, String)> {
    let (said, comment) = written.split_once('#').unwrap_or((written, ""));
    let mut words = said.split_whitespace();
    let Some(name) = words.next() else { return Ok(None) };
    let (Some(word), rest) = (words.next(), words.next()) else {
        return Err((name, String::from("expected `NAME sha256:HEX`, as `ilo-reaper trust --write` writes it")));
    };
    if let Err(why) = host_and_port(name) {
        return Err((name, format!("`{name}` is not the name of an iLO: {why}")));
    }
    let Some(fingerprint) = Fingerprint::parse(word) else {
        let why = "is not the SHA-256 of a certificate: `sha256:` and 64 hexadecimal digits";
        return Err((word, format!("`{word}` {why}")));
    };
    if let Some(rest) = rest {
        return Err((rest, format!("`{rest}` stands behind the fingerprint; a comment begins with `#`")));
    }
    let since = comment.trim().strip_prefix(SINCE).and_then(Timestamp::parse_rfc3339);
    Ok(Some((name, Line { name: name.to_owned(), fingerprint, since, index })))
}
