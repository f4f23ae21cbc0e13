//! Stories and tables. Each runs on real files in a directory of its own; `DIR` stands for it.

#![expect(clippy::needless_raw_string_hashes, reason = "snapshots are written by expect-test, with hashes")]

mod changes;
mod example;
mod files;
mod fleets;
mod hosts_files;
mod known_ilos;
mod laws;
mod mistakes;
mod ownership;
mod passwords;
mod policies;
mod reads_back;
mod reference;
mod trust;

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use super::{Credentials, Loaded, Mistake, Surroundings, load};

/// A directory with a configuration in it.
struct Desk {
    dir: tempfile::TempDir,
    surroundings: Surroundings,
}

impl Desk {
    /// A desk with a password in `DIR/password`.
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let metadata = fs::metadata(dir.path()).expect("its owner");
        let surroundings = Surroundings { credentials: Credentials::Missing, uid: metadata.uid(), gid: metadata.gid() };
        let desk = Self { dir, surroundings };
        desk.write("password", 0o600, "hunter2\n");
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, mode: u32, contents: impl AsRef<[u8]>) {
        let path = self.path(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).expect("a directory");
            fs::set_permissions(parent, fs::Permissions::from_mode(0o700)).expect("ours");
        }
        fs::write(&path, contents).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("ours");
    }

    /// Writes a file of the configuration.
    fn config(&self, name: &str, yaml: &str) {
        let here = self.dir.path().display().to_string();
        self.write(name, 0o644, yaml.replace("DIR", &here));
    }

    fn load(&self) -> Result<Loaded, Vec<Mistake>> {
        load(&self.path("ilo-reaper.yaml"), &self.surroundings)
    }

    /// The mistakes of the configuration, a line each; or its iLOs, if it is good.
    fn said(&self) -> String {
        let mut said = String::new();
        match self.load() {
            Ok(loaded) => {
                for target in loaded.settings.targets.values() {
                    let (name, authority, group) = (&target.name, &target.authority, &target.group);
                    let (mode, policy) = (target.mode, &target.policy.name);
                    let _ =
                        writeln!(said, "{name} at {authority}: {group}, {policy}, {mode}, {}", target.credential.id);
                }
            }
            Err(mistakes) => mistakes.iter().for_each(|mistake| {
                let _ = writeln!(said, "{mistake}");
            }),
        }
        let here = self.dir.path().display().to_string();
        let group = format!("group {}:", self.surroundings.gid);
        said.replace(&format!("{here}/"), "").replace(&here, "DIR").replace(&group, "group OURS:")
    }
}

/// What a main file says on a fresh desk.
fn said(yaml: &str) -> String {
    let desk = Desk::new();
    desk.config("ilo-reaper.yaml", yaml);
    desk.said()
}

/// The same with a good fleet behind it.
fn said_before_fleet(yaml: &str) -> String {
    said(&format!("{yaml}{FLEET}"))
}

/// A fleet of one.
const FLEET: &str = "
fleet:
  lab:
    username: svc
    password_file: DIR/password
    tls: insecure
    ilos: ilo-1.example.net
";
