//! The directory of the state: who may see it, who has it, and what lies in it.

use std::fmt;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::Builder;
use std::time::Duration;

use super::Reset;
use super::judge::{self, Found, Rejected};
use super::schema::SCHEMA_VERSION;
use crate::time::Timestamp;

const DATABASE: &str = "state.db";
/// A new database, until it is complete.
const DRAFT: &str = "state.db.new";
const LOCK: &str = "lock";
/// What `SQLite` keeps beside a database.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];
/// Written into the lock file once there is a database, so that one which vanishes is missed.
const LOCK_TEXT: &[u8] = b"Locked by the ilo-reaper that uses the state beside it.\n";
/// Lost states that are kept at most.
const ASIDE_MAX: u32 = 999;

/// Why the state can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// Another process has it.
    InUse(PathBuf),
    /// A newer ilo-reaper wrote it.
    Newer {
        /// The database.
        path: PathBuf,
        /// The version of its tables.
        version: i32,
    },
    /// Something lies there that we did not put there: a link, or no file.
    NotAFile(PathBuf),
    /// Others may enter the directory, and it is not only ours to close.
    Exposed(PathBuf),
    /// It can't be opened or written.
    Unwritable {
        /// What can't.
        path: PathBuf,
        /// Why.
        cause: String,
    },
}

impl OpenError {
    pub(super) fn unwritable(path: &Path, cause: &impl fmt::Display) -> Self {
        Self::Unwritable { path: path.to_owned(), cause: cause.to_string() }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse(directory) => write!(
                f,
                "another ilo-reaper uses the state in {}: stop it, or give this one a directory of its own \
                 (`ilo-reaper status` asks the one that runs)",
                directory.display()
            ),
            Self::Newer { path, version } => write!(
                f,
                "a newer ilo-reaper wrote {} (version {version}, this one knows {SCHEMA_VERSION}): install that one \
                 again, or move the file away and begin anew in observe",
                path.display()
            ),
            Self::NotAFile(path) => write!(f, "{} is a link or no file: remove it", path.display()),
            Self::Exposed(directory) => write!(
                f,
                "others may enter {}, and it holds more than our state: choose another directory, or run \
                 `chmod 0700` on it",
                directory.display()
            ),
            Self::Unwritable { path, cause } => {
                write!(f, "{} can't be used: {cause}: make room, or mend its permissions", path.display())
            }
        }
    }
}

impl std::error::Error for OpenError {}

/// The directory, while it is ours alone.
pub(super) struct Ground {
    directory: PathBuf,
    lock: File,
}

impl Ground {
    /// Makes the directory if only it is missing, closes it to others, and locks it.
    pub(super) fn take(directory: &Path) -> Result<Self, OpenError> {
        let unwritable = |error: io::Error| OpenError::unwritable(directory, &error);
        match DirBuilder::new().mode(0o700).create(directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(unwritable(error)),
            _ => {}
        }
        // The directory itself may be a link (systemd makes one, administrators do); nothing in it may.
        let directory = directory.canonicalize().map_err(unwritable)?;
        close_to_others(&directory)?;
        for name in [LOCK, DATABASE, DRAFT] {
            for path in with_beside(&directory.join(name)) {
                exists(&path)?;
            }
        }
        let path = directory.join(LOCK);
        let lock = own_file(&path).map_err(|error| OpenError::unwritable(&path, &error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { directory, lock }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse(directory)),
            Err(TryLockError::Error(error)) => Err(OpenError::unwritable(&path, &error)),
        }
    }

    pub(super) fn database_path(&self) -> PathBuf {
        self.directory.join(DATABASE)
    }

    /// The database, made anew where there is none yet or where it was lost.
    pub(super) fn database(&self, now: Timestamp) -> Result<(Found, Option<Reset>), OpenError> {
        let unwritable = |error: io::Error| OpenError::unwritable(&self.directory, &error);
        let path = self.database_path();
        let lost = if exists(&path)? {
            own_file(&path).map_err(|error| OpenError::unwritable(&path, &error))?;
            match judge::judge(&path, now) {
                Ok(found) => {
                    self.mark().map_err(unwritable)?;
                    let reset = partly_lost(&path, found.dropped);
                    return Ok((found, reset));
                }
                Err(Rejected::Damaged(cause)) => Some(cause),
                Err(Rejected::Newer { version }) => return Err(OpenError::Newer { path, version }),
                Err(Rejected::Unwritable(cause)) => return Err(OpenError::Unwritable { path, cause }),
            }
        } else {
            self.had_database().map_err(unwritable)?.then(|| String::from("it is missing"))
        };
        let reset = match lost {
            Some(cause) => {
                let is_left = exists(&path)?;
                let aside = self.set_aside().map_err(unwritable)?;
                Some(Reset { path: if is_left { aside } else { path.clone() }, cause })
            }
            None => None,
        };
        self.make(now, reset.as_ref()).map_err(unwritable)?;
        match judge::judge(&path, now) {
            Ok(found) => Ok((found, reset)),
            Err(Rejected::Damaged(cause) | Rejected::Unwritable(cause)) => Err(OpenError::Unwritable { path, cause }),
            Err(Rejected::Newer { version }) => Err(OpenError::Newer { path, version }),
        }
    }

    /// Whether there once was a database here.
    fn had_database(&self) -> io::Result<bool> {
        let is_left = with_beside(&self.database_path()).iter().any(|path| path.symlink_metadata().is_ok());
        Ok(is_left || self.lock.metadata()?.len() > 0)
    }

    /// Moves a lost database away, with all that belongs to it. The database goes first: should we be killed
    /// in between, it is missing, and not one that looks whole without its log.
    fn set_aside(&self) -> io::Result<PathBuf> {
        let from = with_beside(&self.database_path());
        for number in 1..=ASIDE_MAX {
            let path = self.directory.join(format!("{DATABASE}.bad-{number}"));
            let to = with_beside(&path);
            if to.iter().any(|path| path.symlink_metadata().is_ok()) {
                continue;
            }
            for (from, to) in from.iter().zip(&to) {
                if from.symlink_metadata().is_ok() {
                    fs::rename(from, to)?;
                }
            }
            File::open(&self.directory)?.sync_all()?;
            return Ok(path);
        }
        Err(io::Error::other(format!("{ASIDE_MAX} lost states lie here already; remove some ({DATABASE}.bad-*)")))
    }

    /// Makes a new database under another name, and moves it in when it is complete: an empty or half one
    /// under the right name is always a loss.
    fn make(&self, now: Timestamp, reset: Option<&Reset>) -> io::Result<()> {
        let draft = self.directory.join(DRAFT);
        for path in with_beside(&draft) {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        own_file(&draft)?;
        judge::create(&draft, now, reset.map(|reset| reset.cause.as_str())).map_err(io::Error::other)?;
        fs::rename(&draft, self.database_path())?;
        File::open(&self.directory)?.sync_all()?;
        self.mark()
    }

    /// Notes in the lock file that there is a database.
    fn mark(&self) -> io::Result<()> {
        if self.lock.metadata()?.len() == 0 {
            (&self.lock).write_all(LOCK_TEXT)?;
            self.lock.sync_all()?;
        }
        Ok(())
    }
}

/// Waits until nobody holds the lock in a directory, for so long at most. Where it can't be waited for, nothing is.
pub(super) fn await_free(directory: &Path, patience: Duration) {
    let Ok(lock) = File::open(directory.join(LOCK)) else { return };
    let (sender, free) = mpsc::channel();
    // A lock has no wait with an end. Who waits too long is left behind, and lets go of what it gets.
    let waiting = Builder::new().name(String::from("lock")).spawn(move || {
        let locked = lock.lock();
        drop(lock);
        sender.send(locked)
    });
    if waiting.is_ok() {
        let _late = free.recv_timeout(patience);
    }
}

fn partly_lost(path: &Path, dropped: usize) -> Option<Reset> {
    let cause = format!("{dropped} of its rows made no sense and were dropped");
    (dropped > 0).then(|| Reset { path: path.to_owned(), cause })
}

/// A database, and the files that `SQLite` keeps beside it.
fn with_beside(path: &Path) -> Vec<PathBuf> {
    let beside = BESIDE.iter().map(|suffix| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    });
    std::iter::once(path.to_owned()).chain(beside).collect()
}

/// Whether a file is there; an error if it is no file of its own.
fn exists(path: &Path) -> Result<bool, OpenError> {
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_file() => Ok(true),
        Ok(_) => Err(OpenError::NotAFile(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(OpenError::unwritable(path, &error)),
    }
}

/// Takes group's and others' rights away, but never from a directory that was not made for us.
fn close_to_others(directory: &Path) -> Result<(), OpenError> {
    let unwritable = |error: io::Error| OpenError::unwritable(directory, &error);
    if !is_open_to_others(&directory.metadata().map_err(unwritable)?) {
        return Ok(());
    }
    let is_empty = fs::read_dir(directory).map_err(unwritable)?.next().is_none();
    let is_ours = directory.join(LOCK).is_file() && directory.join(DATABASE).is_file();
    if !is_empty && !is_ours {
        return Err(OpenError::Exposed(directory.to_owned()));
    }
    fs::set_permissions(directory, Permissions::from_mode(0o700)).map_err(unwritable)
}

fn is_open_to_others(metadata: &Metadata) -> bool {
    metadata.mode() & 0o077 != 0
}

/// Opens a file of ours, made if missing, readable for nobody else. Where root runs a command once, it
/// belongs to whom the directory belongs to, so that the daemon can open it again.
fn own_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    let metadata = file.metadata()?;
    if is_open_to_others(&metadata) {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    if let Some(owner) = path.parent().and_then(|directory| directory.metadata().ok())
        && owner.uid() != metadata.uid()
    {
        // Only root may; for all others it is no loss.
        let _ = fchown(&file, Some(owner.uid()), Some(owner.gid()));
    }
    Ok(file)
}
