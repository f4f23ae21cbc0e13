//! Passwords: where a group says that they are, read and shared.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::at::{At, Fields};
use super::guarded::{Credentials, Reading, Surroundings, read};
use super::tree::Node;
use crate::secret::Secret;
use crate::settings::{Credential, CredentialId};

const PASSWORD_BYTES_MAX: usize = 64 << 10;
const NAME_BYTES_MAX: usize = 255;
/// Stands for the iLO's name in `password_file`.
const ILO: &str = "{ilo}";

/// Where the passwords of a group are.
pub(super) enum Whence {
    /// In a file; `{ilo}` in its path stands for the iLO's name.
    File(String),
    /// In a credential of the service manager.
    /// `None` where it is left unread.
    Credential { name: String, path: Option<PathBuf> },
}

/// Reads which of the two a group uses. What is written is never shown: it may be the password itself.
pub(super) fn whence(group: &At<'_>, fields: &Fields<'_>, surroundings: &Surroundings) -> Option<Whence> {
    match (fields.get("password_file"), fields.get("password_credential")) {
        (Some(_), Some(credential)) => {
            credential.wrong_key("this group has a `password_file` too; one of them must go");
            None
        }
        (None, None) => {
            group.wrong_key("this group has no `password_file` and no `password_credential`");
            None
        }
        (Some(file), None) => file_path(&file).map(Whence::File),
        (None, Some(credential)) => credential_name(&credential, surroundings),
    }
}

fn file_path(at: &At<'_>) -> Option<String> {
    let Node::Text(path) = at.node else {
        return at.none("expected the absolute path of a file that holds the password, not the password");
    };
    if !path.starts_with('/') || path.chars().any(char::is_control) {
        return at.none("expected the absolute path of a file that holds the password, not the password");
    }
    if path.replace(ILO, "").contains(['{', '}']) {
        return at.none(format!("{}: only `{ILO}` stands for something in a path", at.shown()));
    }
    Some(path.clone())
}

fn credential_name(at: &At<'_>, surroundings: &Surroundings) -> Option<Whence> {
    let plain = |name: &&String| {
        !name.starts_with('.')
            && (1..=NAME_BYTES_MAX).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    };
    let text = if let Node::Text(text) = at.node { Some(text) } else { None };
    let Some(name) = text.filter(plain) else {
        return at.none(
            "expected the plain name of a credential (`LoadCredential=NAME:FILE` in the unit), not the password",
        );
    };
    let path = match &surroundings.credentials {
        Credentials::In(directory) => Some(directory.join(name)),
        Credentials::Unread => None,
        Credentials::Missing => {
            return at.none(format!(
                "no credential `{name}`: the service manager gave us none; `LoadCredential={name}:FILE` in the unit must \
                 name it, and only the service has it: by hand, `systemd-run --pipe --property=LoadCredential={name}:FILE \
                 ilo-reaper …`"
            ));
        }
    };
    Some(Whence::Credential { name: name.clone(), path })
}

impl Whence {
    /// Whether each iLO has a password of its own.
    pub(super) fn is_per_ilo(&self) -> bool {
        matches!(self, Self::File(path) if path.contains(ILO))
    }

    /// `None` where it is left unread.
    fn path(&self, ilo: &str) -> Option<PathBuf> {
        match self {
            Self::File(path) => Some(PathBuf::from(path.replace(ILO, ilo))),
            Self::Credential { path, .. } => path.clone(),
        }
    }

    fn told(&self, ilo: &str) -> String {
        match self {
            Self::File(path) => path.replace(ILO, ilo),
            Self::Credential { name, .. } => format!("credential {name}"),
        }
    }
}

/// Every credential read so far. iLOs with the same account and password file share one.
#[derive(Default)]
pub(super) struct Keyring(BTreeMap<CredentialId, Arc<Credential>>);

impl Keyring {
    /// The credential of one iLO.
    pub(super) fn credential(
        &mut self,
        username: &str,
        whence: &Whence,
        ilo: &str,
        surroundings: &Surroundings,
    ) -> Result<Arc<Credential>, String> {
        let id = CredentialId(format!("{username} ({})", whence.told(ilo)));
        if let Some(known) = self.0.get(&id) {
            return Ok(Arc::clone(known));
        }
        let password = match whence.path(ilo) {
            Some(path) => password(&path, surroundings).map_err(|why| match whence {
                Whence::Credential { name, .. } if !path.exists() => {
                    format!("credential `{name}` {why}; `LoadCredential={name}:FILE` in the unit must name it")
                }
                _ => format!("{} {why}", path.display()),
            })?,
            None => Secret::new(String::new()),
        };
        let credential = Arc::new(Credential { id: id.clone(), username: username.to_owned(), password });
        self.0.insert(id, Arc::clone(&credential));
        Ok(credential)
    }
}

fn password(path: &Path, surroundings: &Surroundings) -> Result<Secret, String> {
    let bytes = read(path, Reading::Secret, PASSWORD_BYTES_MAX, surroundings)?;
    let mut text = match String::from_utf8(bytes) {
        Ok(text) => Zeroizing::new(text),
        Err(error) => {
            drop(Zeroizing::new(error.into_bytes()));
            return Err(String::from("holds bytes that are not UTF-8 text"));
        }
    };
    if text.ends_with('\n') {
        text.pop();
    }
    if text.is_empty() {
        return Err(String::from("is empty"));
    }
    // A second line or a carriage return is an accident, and a wrong password has a price: it locks accounts.
    if text.chars().any(char::is_control) {
        return Err(String::from("holds a control character, such as a line end inside or a Windows line end"));
    }
    Ok(Secret::new(std::mem::take(&mut *text)))
}
