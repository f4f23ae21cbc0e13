//! The socket: made so that nobody else can take it or be taken in by it.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

/// A socket that is listened on. It is removed with this.
pub struct Socket {
    path: PathBuf,
    uid: u32,
}

impl Socket {
    /// Whose it is: ours.
    pub fn uid(&self) -> u32 {
        self.uid
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // The next start replaces what is left.
        let _left = fs::remove_file(&self.path);
    }
}

/// Listens at `path`, in a directory that is made if only it is missing. A socket that nobody answers at is replaced,
/// as a killed daemon leaves it; anything else is left alone.
pub fn listen(path: &Path) -> io::Result<(UnixListener, Socket)> {
    if let Some(directory) = path.parent() {
        match DirBuilder::new().mode(0o755).create(directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    match path.symlink_metadata() {
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(io::Error::other("something that is no socket lies there; remove it"));
        }
        Ok(_) if UnixStream::connect(path).is_ok() => {
            return Err(io::Error::other("another ilo-reaper answers there; stop it, or set RUNTIME_DIRECTORY"));
        }
        _ => {}
    }
    // It takes its name only when it is closed to others.
    let draft = path.with_extension("sock.new");
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&draft)?;
    fs::set_permissions(&draft, Permissions::from_mode(0o600))?;
    let uid = fs::symlink_metadata(&draft)?.uid();
    fs::rename(&draft, path)?;
    Ok((listener, Socket { path: path.to_owned(), uid }))
}
