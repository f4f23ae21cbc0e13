//! The daemon, as it ships, in a process of its own: its folder, its configuration, and what it says.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use ilo_sim::front::Front;
use serde_json::Value;
use tokio::sync::oneshot;

use super::{Failure, OURS, PASSWORD};

/// A policy in seconds, so that a day's work can be seen in a minute.
pub(super) const POLICY: &str = "\
mode: enforce
poll: { every: 1s, fastest: 1s }
pressure: { limit: 16 }
caps: { per_visit: 12, per_ilo_minute: 240, share_of_seen: 90%, per_minute: 12000 }
policies:
  demo:
    reap:
      - { id: superseded, superseded: true, idle: 1s }
      - { id: never-used, never_used: true, idle: 3s }
";

/// A folder of the demo's own, that goes when it ends.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn make() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("ilo-reaper-demo-{}", std::process::id()));
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    /// Writes the daemon's configuration: each iLO with the pin of its certificate.
    fn write(&self, fronts: &[(String, Front)]) -> Result<PathBuf, Failure> {
        let password = self.0.join("password");
        fs::write(&password, PASSWORD)?;
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600))?;
        let mut text = POLICY.to_owned();
        text.push_str("report: { log: json, summary: 10s }\nfleet:\n");
        for (name, front) in fronts {
            let (address, port, pin) = (front.address().ip(), front.address().port(), front.fingerprint());
            let written = write!(
                text,
                "  demo-{name}:\n    username: {OURS}\n    password_file: {}\n    policy: demo\n    \
                 tls: {{ pin: \"{pin}\" }}\n    ilos: [{{ name: {name}, address: {address}, port: {port} }}]\n",
                password.display()
            );
            written.map_err(|error| Failure::Plain(error.to_string()))?;
        }
        let config = self.0.join("ilo-reaper.yaml");
        fs::write(&config, text)?;
        fs::set_permissions(&config, fs::Permissions::from_mode(0o600))?;
        Ok(config)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What can't be removed is a small folder among temporary ones.
        let _left = fs::remove_dir_all(&self.0);
    }
}

/// The process. It is gone when this is.
pub(super) struct Daemon {
    child: Child,
    reader: Option<JoinHandle<()>>,
}

impl Daemon {
    /// Starts it on these iLOs. Each event is handed to `listener`, on a thread of its own; the channel ends
    /// when the daemon says no more.
    pub(super) fn start(
        folder: &Folder,
        fronts: &[(String, Front)],
        listener: impl Fn(Told) + Send + 'static,
    ) -> Result<(Self, oneshot::Receiver<()>), Failure> {
        let config = folder.write(fronts)?;
        let mut child = run(&config, &folder.0.join("state"))?;
        let output = child.stdout.take();
        let mut daemon = Self { child, reader: None };
        let (open, silent) = oneshot::channel();
        let reader = std::thread::Builder::new().name(String::from("events")).spawn(move || {
            for line in output.into_iter().flat_map(|output| BufReader::new(output).lines()).map_while(Result::ok) {
                if let Some(told) = told(&line) {
                    listener(told);
                }
            }
            drop(open);
        })?;
        daemon.reader = Some(reader);
        Ok((daemon, silent))
    }

    /// Stops it cleanly and waits for its last words.
    pub(super) fn stop(mut self) -> Result<(), Failure> {
        let pid = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status()?;
        let status = self.child.wait()?;
        if let Some(reader) = self.reader.take() {
            let _panicked = reader.join();
        }
        if asked.success() && status.success() {
            return Ok(());
        }
        Err(Failure::Plain(format!("the daemon of the demo ended with {status}")))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // After a stop it is gone already, and both fail or tell so.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn run(config: &Path, state: &Path) -> io::Result<Child> {
    Command::new(std::env::current_exe()?)
        .args(["run", "--config"])
        .arg(config)
        .env("STATE_DIRECTORY", state)
        // Those are of whoever runs the demo.
        .env_remove("RUNTIME_DIRECTORY")
        .env_remove("NOTIFY_SOCKET")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
}

/// An event of the daemon's log, as people like to read it.
pub(super) struct Told {
    /// Priority and sentence.
    pub(super) line: String,
    /// The same for a narrow place.
    pub(super) short: String,
}

fn told(line: &str) -> Option<Told> {
    let event: Value = serde_json::from_str(line).ok()?;
    let line = format!("{:<8} {}", event["level"].as_str()?, event["message"].as_str()?);
    let short = short(&event).unwrap_or_else(|| line.clone());
    Some(Told { line, short })
}

/// A deletion without the id of its session, which takes a third of a screen.
fn short(event: &Value) -> Option<String> {
    if event["event"] != "session.reaped" {
        return None;
    }
    let text = |key: &str| event[key].as_str();
    Some(format!(
        "{:<8} {}: ended {} from {}, idle {} s, by rule {}",
        text("level")?,
        text("ilo")?,
        text("owner")?,
        text("origin")?,
        event["idle_s"],
        text("rule")?
    ))
}

/// Lines that threads hand to each other; the last ones are kept.
pub(super) type Lines = Arc<Mutex<VecDeque<String>>>;
