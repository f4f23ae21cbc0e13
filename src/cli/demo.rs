//! `ilo-reaper demo`: simulated iLOs on loopback HTTPS, clients that leak, and the daemon as it ships.
//!
//! The simulated fleet and its clients live in this process; the daemon is this program started once more,
//! with a configuration that is printed. What is told at the end is the simulator's own truth.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ilo_sim::front::{Front, World};
use ilo_sim::{Account, Effect, Ilo, Logged, Moment, Refusal, SessionSpec, Spec};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::args::Demo;
use super::{Failure, say};
use crate::redfish::{self, Https, LoginError, Patience, Peer};
use crate::secret::Secret;
use crate::settings::{Authority, Credential, CredentialId, Fingerprint, Trust};
use crate::signals;
use crate::time::host_now;

const OURS: &str = "svc-ilo-reaper";
const LEAKER: &str = "svc-backup";
const PASSWORD: &str = "demo-password";
/// The address that clients on loopback are shown with, of a documentation range.
const SHOWN: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 50));
const LIMIT: usize = 10;
/// Between two leaks on one iLO.
const LEAK_EVERY: Duration = Duration::from_millis(900);
/// A policy in seconds, so that an hour's work can be seen in a minute.
const POLICY: &str = "
mode: enforce
poll: { every: 2s, fastest: 1s }
caps: { per_ilo_minute: 120, per_minute: 2000, share_of_seen: 90% }
policies:
  demo:
    reap:
      - { id: superseded, superseded: true, idle: 3s }
";

/// What happened on the simulated side.
#[derive(Clone, Copy, Default)]
struct Score {
    lock_outs: usize,
    refused_logins: usize,
    sessions_reaped: usize,
    live_sessions_ended: usize,
    own_logins: usize,
    locked: usize,
}

type Scores = Arc<Mutex<std::collections::BTreeMap<String, (bool, Score)>>>;

pub(super) fn run(demo: &Demo) -> Result<(), Failure> {
    super::daemon::runtime()?.block_on(show(demo))
}

async fn show(demo: &Demo) -> Result<(), Failure> {
    let scores = Scores::default();
    let mut fronts = Vec::new();
    for number in 0..demo.ilos {
        fronts.push(switch_on(number, &scores).await?);
    }
    let folder = Folder::make()?;
    let config = folder.write(&fronts)?;
    if !demo.json {
        say(&format!(
            "{} simulated iLOs with {LIMIT} places each; the daemon's configuration:\n{}",
            demo.ilos,
            fs::read_to_string(&config)?
        ))?;
    }
    let mut daemon = Daemon::start(&config, &folder.0, !demo.json)?;
    let end = Instant::now() + demo.length;
    let mut crowd = tokio::task::JoinSet::new();
    for front in &fronts {
        crowd.spawn(leak(Arc::clone(front), end));
        crowd.spawn(work(Arc::clone(front), end));
    }
    tokio::select! {
        () = async { while crowd.join_next().await.is_some() {} } => {}
        () = interrupted() => crowd.abort_all(),
    }
    // The daemon says goodbye to the simulated iLOs, which live on this thread: it must not wait.
    let stopped = tokio::task::spawn_blocking(move || daemon.stop()).await;
    stopped.map_err(|error| Failure::Plain(error.to_string()))??;
    let total = total(&scores);
    let left: usize = fronts.iter().map(|front| ours_left(front)).sum();
    if demo.json {
        return say(&json!({ "guarded": {
            "lock_outs": total.lock_outs,
            "refused_logins": total.refused_logins,
            "sessions_reaped": total.sessions_reaped,
            "live_sessions_ended": total.live_sessions_ended,
            "own_logins_per_ilo": total.own_logins / usize::from(demo.ilos),
        }}));
    }
    say(&format!(
        "\nleaked sessions ended: {}   live sessions ended: {}   refused logins: {}   our logins per iLO: {}   ours left behind: {left}",
        total.sessions_reaped,
        total.live_sessions_ended,
        total.refused_logins,
        total.own_logins / usize::from(demo.ilos),
    ))
}

/// Returns when the process is asked to stop.
async fn interrupted() {
    let Ok(listening) = signals::listen() else { return std::future::pending().await };
    listening.stop().await;
}

/// One simulated iLO on a free port of loopback.
async fn switch_on(number: u8, scores: &Scores) -> Result<Arc<Front>, Failure> {
    let name = format!("ilo-{}", number + 1);
    let accounts = [OURS, LEAKER, "alice"].map(|name| Account::administrator(name, PASSWORD)).to_vec();
    let spec = Spec {
        accounts,
        limit: LIMIT,
        session_timeout_min: 0,
        seed: u64::from(number) + 1,
        host: Ipv4Addr::LOCALHOST.to_string(),
        ..Spec::new(name)
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let scores = Arc::clone(scores);
    let world = World::new(moment)
        .seen_as(IpAddr::V4(Ipv4Addr::LOCALHOST), SHOWN)
        .observed_by(move |ilo, logged| count(&scores, ilo, logged));
    Ok(Arc::new(Front::serve(listener, Arc::new(Mutex::new(Ilo::new(spec))), world)?))
}

fn moment() -> Moment {
    Moment::from_secs(u64::try_from(host_now().unix_s()).unwrap_or(0))
}

/// Keeps the score from what the simulated iLOs did.
fn count(scores: &Scores, ilo: &str, logged: &Logged) {
    let mut scores = scores.lock().unwrap_or_else(PoisonError::into_inner);
    let (full, score) = scores.entry(ilo.to_owned()).or_default();
    match &logged.effect {
        Some(Effect::LoggedIn { id }) => {
            *full = false;
            score.own_logins += usize::from(id.as_str().starts_with(OURS));
        }
        Some(Effect::Refused(Refusal::TableFull)) => {
            score.refused_logins += 1;
            score.lock_outs += usize::from(!std::mem::replace(full, true));
        }
        Some(Effect::Ended { owner, by, .. }) if by == OURS && owner != OURS => {
            score.sessions_reaped += usize::from(owner == LEAKER);
            score.live_sessions_ended += usize::from(owner != LEAKER);
        }
        _ => {}
    }
}

fn total(scores: &Scores) -> Score {
    let scores = scores.lock().unwrap_or_else(PoisonError::into_inner);
    scores.values().fold(Score::default(), |mut total, (full, score)| {
        total.lock_outs += score.lock_outs;
        total.refused_logins += score.refused_logins;
        total.sessions_reaped += score.sessions_reaped;
        total.live_sessions_ended += score.live_sessions_ended;
        total.own_logins += score.own_logins;
        total.locked += usize::from(*full);
        total
    })
}

fn ours_left(front: &Front) -> usize {
    let ilo = front.ilo().lock().unwrap_or_else(PoisonError::into_inner);
    ilo.sessions(moment()).filter(|session| session.owner == OURS).count()
}

/// A script that logs in, forgets its token and comes back.
async fn leak(front: Arc<Front>, end: Instant) {
    let (https, credential) = (Https::new(), account(LEAKER));
    while Instant::now() < end {
        let ilo = redfish::Ilo::new(&https, peer(&front), PATIENCE, end + PATIENCE.total);
        // Refused or not, this script does not care: the simulator keeps the score.
        let _leaked: Result<_, LoginError> = ilo.log_in(&credential, Duration::ZERO).await;
        tokio::time::sleep_until((Instant::now() + LEAK_EVERY).min(end)).await;
    }
}

/// A person who works, in one session, all the time.
async fn work(front: Arc<Front>, end: Instant) {
    let id = {
        let mut ilo = front.ilo().lock().unwrap_or_else(PoisonError::into_inner);
        ilo.admit(moment(), SessionSpec::rest("alice", SHOWN))
    };
    while Instant::now() < end {
        front.ilo().lock().unwrap_or_else(PoisonError::into_inner).touch(&id, moment());
        tokio::time::sleep_until((Instant::now() + Duration::from_secs(1)).min(end)).await;
    }
}

const PATIENCE: Patience = Patience { connect: Duration::from_secs(5), total: Duration::from_secs(10) };

fn peer(front: &Front) -> Peer {
    let authority = Authority { host: front.address().ip().to_string(), port: front.address().port() };
    Peer { authority, trust: Fingerprint::parse(&front.fingerprint()).map_or(Trust::Insecure, Trust::Pin) }
}

fn account(name: &str) -> Credential {
    let (id, password) = (CredentialId(name.to_owned()), Secret::new(PASSWORD.to_owned()));
    Credential { id, username: name.to_owned(), password }
}

/// A folder of the demo's own, that goes when it ends.
struct Folder(PathBuf);

impl Folder {
    fn make() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("ilo-reaper-demo-{}", std::process::id()));
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    /// Writes the daemon's configuration: each iLO with the pin of its certificate.
    fn write(&self, fronts: &[Arc<Front>]) -> Result<PathBuf, Failure> {
        let password = self.0.join("password");
        fs::write(&password, PASSWORD)?;
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600))?;
        let mut text = POLICY.trim_start().to_owned();
        text.push_str("report: { log: json, summary: 10s }\nfleet:\n");
        for (number, front) in fronts.iter().enumerate() {
            let (name, address, port) = (number + 1, front.address().ip(), front.address().port());
            let pin = front.fingerprint();
            let written = write!(
                text,
                "  demo-{name}:\n    username: {OURS}\n    password_file: {}\n    policy: demo\n    tls: {{ pin: \"{pin}\" }}\n    ilos: [{{ name: ilo-{name}, address: {address}, port: {port} }}]\n",
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

/// The daemon, as it ships, in a process of its own.
struct Daemon {
    child: Child,
    reader: Option<std::thread::JoinHandle<()>>,
}

impl Daemon {
    fn start(config: &Path, folder: &Path, is_shown: bool) -> Result<Self, Failure> {
        let program = std::env::current_exe()?;
        let mut child = Command::new(program)
            .args(["run", "--config"])
            .arg(config)
            .env("STATE_DIRECTORY", folder.join("state"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take();
        let reader = std::thread::Builder::new().name(String::from("demo")).spawn(move || {
            for line in output.into_iter().flat_map(|output| BufReader::new(output).lines()).map_while(Result::ok) {
                if let Some(line) = shown(&line).filter(|_| is_shown) {
                    let _gone = say(&line);
                }
            }
        })?;
        Ok(Self { child, reader: Some(reader) })
    }

    /// Stops it cleanly and waits for its last words.
    fn stop(&mut self) -> Result<(), Failure> {
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

/// A line of the daemon's log, as people like to read it.
fn shown(line: &str) -> Option<String> {
    let event: Value = serde_json::from_str(line).ok()?;
    Some(format!("{:<8} {}", event["level"].as_str()?, event["message"].as_str()?))
}
