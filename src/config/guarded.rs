//! Files that only root and we may have written: configuration, lists of iLOs, passwords.

use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What the room needs to know of the process, passed in so that it reads no environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// What the service manager gave us.
    pub credentials: Credentials,
    /// The user we run as.
    pub uid: u32,
    /// Our group.
    pub gid: u32,
}

/// Credentials of the service manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// They are here (`$CREDENTIALS_DIRECTORY`).
    In(PathBuf),
    /// It gave us none.
    Missing,
    /// It gave us none, and none is needed: whoever asks logs in nowhere. Their passwords are empty.
    Unread,
}

impl Surroundings {
    /// The same for a command that logs in nowhere, and that people run outside the service.
    #[must_use]
    pub fn without_logins(self) -> Self {
        let credentials = match self.credentials {
            Credentials::Missing => Credentials::Unread,
            given => given,
        };
        Self { credentials, ..self }
    }
}

/// Who may read a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// Anybody.
    Open,
    /// Root, we, and our group.
    Secret,
}

const ROOT: u32 = 0;
const GROUP_READ: u32 = 0o040;
const GROUP_WRITE: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
const OTHERS_ANY: u32 = 0o007;

/// Reads a regular file after judging it. The file judged is the one read: it is opened once.
pub(super) fn read(
    path: &Path,
    reading: Reading,
    bytes_max: usize,
    surroundings: &Surroundings,
) -> Result<Vec<u8>, String> {
    // Opening a fifo waits for its writer and opening a device may do anything, so look before; what counts is the look after.
    let look = std::fs::metadata(path).map_err(|error| why(&error))?;
    is_regular(&look)?;
    let file = File::open(path).map_err(|error| why(&error))?;
    let metadata = file.metadata().map_err(|error| why(&error))?;
    is_regular(&metadata)?;
    judge(&metadata, reading, surroundings)?;
    // With room for all of it the buffer never moves, and leaves no copy of a password behind.
    let mut bytes = Vec::with_capacity(bytes_max.min(usize::try_from(metadata.len()).unwrap_or(bytes_max)) + 64);
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut bytes).map_err(|error| why(&error))?;
    if bytes.len() > bytes_max {
        return Err(format!("is larger than {} KiB", bytes_max >> 10));
    }
    Ok(bytes)
}

/// Judges a directory that holds configuration: who can write there can replace it.
pub(super) fn directory(path: &Path, surroundings: &Surroundings) -> Result<(), String> {
    let metadata = std::fs::metadata(path).map_err(|error| why(&error))?;
    judge(&metadata, Reading::Open, surroundings)
}

fn is_regular(metadata: &Metadata) -> Result<(), String> {
    if metadata.is_file() { Ok(()) } else { Err(String::from("is not a regular file")) }
}

fn judge(metadata: &Metadata, reading: Reading, surroundings: &Surroundings) -> Result<(), String> {
    let Surroundings { uid, gid, .. } = *surroundings;
    let mode = metadata.mode() & 0o7777;
    if ![ROOT, uid].contains(&metadata.uid()) {
        return Err(format!("belongs to user {}; expected root or user {uid}", metadata.uid()));
    }
    let group_is_trusted = [ROOT, gid].contains(&metadata.gid());
    let fault = if mode & OTHERS_WRITE != 0 {
        "everybody may write it"
    } else if reading == Reading::Secret && mode & OTHERS_ANY != 0 {
        "everybody may use it"
    } else if mode & GROUP_WRITE != 0 && (reading == Reading::Secret || !group_is_trusted) {
        "its group may write it"
    } else if reading == Reading::Secret && mode & GROUP_READ != 0 && !group_is_trusted {
        "its group may read it"
    } else {
        return Ok(());
    };
    let expected = match reading {
        Reading::Open if metadata.is_dir() => "0755",
        Reading::Open => "0644",
        Reading::Secret => "0600",
    };
    Err(format!("has mode {mode:04o} with group {}: {fault}; expected {expected}", metadata.gid()))
}

/// The cause in words that do not depend on the system's language.
fn why(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => String::from("does not exist"),
        std::io::ErrorKind::PermissionDenied => String::from("may not be read by us"),
        _ => format!("can't be read: {error}"),
    }
}
