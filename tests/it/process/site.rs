//! The place of a story: simulated iLOs on loopback, and a folder with configuration, password and state.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response};
use ilo_reaper::time::host_now;
use ilo_sim::front::{Front, World};
use ilo_sim::{Account, Effect, Fault, FaultKind, Ilo, Logged, Matcher, Moment, SessionId, SessionSpec, Spec};
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::bell::Bell;

/// Our account on every iLO.
pub(super) const OURS: &str = "svc-ilo-reaper";
/// Its password. It must never be seen anywhere but in its file and in a login.
pub(super) const PASSWORD: &str = "canary-Zx81-correct-horse";
/// The collection of sessions.
pub(super) const SESSIONS: &str = "/redfish/v1/SessionService/Sessions/";
/// Whether an iLO is told to be an old one: by rustls, and where it is built by openssl too.
pub(super) const LEGACY: &[bool] = if cfg!(feature = "legacy-tls") { &[false, true] } else { &[false] };
/// Where a script comes from.
const SCRIPT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 50));
/// What the simulated iLOs take our own address for.
const US: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 200));

/// Requests to all simulated iLOs, each with the name of its iLO, in the order in which they took effect.
pub(super) type Requests = Arc<Mutex<Vec<(String, Logged)>>>;

/// Simulated iLOs that answer on loopback, and the files of one installation.
pub(super) struct Site {
    folder: TempDir,
    fronts: BTreeMap<String, Front>,
    pub(super) requests: Requests,
    pub(super) bell: Bell,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

/// What a story can choose in the configuration.
pub(super) struct Config {
    /// `observe` or `enforce`.
    pub(super) mode: &'static str,
    /// `poll`, as it stands in the file.
    pub(super) poll: String,
    /// Further sections.
    pub(super) policies: String,
    /// The iLOs, and the fingerprint of each.
    pub(super) pins: BTreeMap<String, String>,
    /// Whether the fingerprints stand in `known_ilos`, and not in the configuration.
    pub(super) known: bool,
    /// Whether old TLS may be spoken.
    pub(super) legacy: bool,
}

impl Site {
    /// Simulated iLOs of these names, and a configuration in mode enforce with the policy that is built in.
    pub(super) fn of(names: &[&str]) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (requests, bell) = (Requests::default(), Bell::default());
        let fronts = {
            let _inside = runtime.enter();
            names
                .iter()
                .zip(1..)
                .map(|(name, number)| (*name, number))
                .map(|(name, number)| (name.to_owned(), switch_on(name, number, &requests, &bell)))
                .collect()
        };
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            // Ends with the site; how, does not matter.
            let _ended = runtime.block_on(stopped);
        });
        let folder = TempDir::new().unwrap();
        let site = Self { folder, fronts, requests, bell, running: Some((stop, thread)) };
        site.write_password(PASSWORD);
        site.write(&site.config());
        site
    }

    /// A configuration for these iLOs, to be changed and written.
    pub(super) fn config(&self) -> Config {
        Config {
            mode: "enforce",
            poll: String::from("{ every: 200ms, fastest: 200ms }"),
            policies: String::from(
                "policies: { default: { reap: [{ id: never-used, never_used: true, idle: 1s }] } }\n",
            ),
            pins: self.fronts.iter().map(|(name, front)| (name.clone(), front.fingerprint())).collect(),
            known: false,
            legacy: false,
        }
    }

    /// Puts a configuration where the program looks for it.
    pub(super) fn write(&self, config: &Config) {
        let Config { mode, poll, policies, pins, known, legacy } = config;
        let mut text = format!(
            "mode: {mode}\npoll: {poll}\ncaps: {{ share_of_seen: 90% }}\n\
             report: {{ log: json, summary: 1s, remind: 1s }}\nfleet:\n"
        );
        for (name, pin) in pins {
            let (address, password) = (self.front(name).address(), self.path("password"));
            let trust = if *known { String::from("trust: known") } else { format!("pin: \"{pin}\"") };
            let tls = if *legacy { format!("{{ {trust}, legacy: true }}") } else { format!("{{ {trust} }}") };
            write!(
                text,
                "  rack-{name}:\n    username: {OURS}\n    password_file: {}\n    tls: {tls}\n    \
                 ilos: [{{ name: {name}, address: {}, port: {} }}]\n",
                password.display(),
                address.ip(),
                address.port()
            )
            .unwrap();
        }
        text.push_str(policies);
        self.write_config(&text);
        if *known {
            let lines: Vec<String> = pins.iter().map(|(name, pin)| format!("{name} {pin}\n")).collect();
            self.write_own("known_ilos", &lines.concat());
        }
    }

    /// Puts this text where the program looks for its configuration.
    pub(super) fn write_config(&self, text: &str) {
        self.write_own("ilo-reaper.yaml", text);
    }

    /// Puts another password into its file.
    pub(super) fn write_password(&self, password: &str) {
        self.write_own("password", password);
    }

    fn write_own(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), Permissions::from_mode(0o600)).unwrap();
    }

    /// A path in the site's folder.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The configuration's path.
    pub(super) fn config_path(&self) -> PathBuf {
        self.path("ilo-reaper.yaml")
    }

    /// The directory of the state.
    pub(super) fn state(&self) -> PathBuf {
        self.path("state")
    }

    /// All files of the state.
    pub(super) fn state_files(&self) -> Vec<PathBuf> {
        fs::read_dir(self.state()).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    /// A front.
    pub(super) fn front(&self, ilo: &str) -> &Front {
        &self.fronts[ilo]
    }

    /// Does something with a simulated iLO.
    pub(super) fn with<T>(&self, ilo: &str, act: impl FnOnce(&mut Ilo) -> T) -> T {
        act(&mut self.front(ilo).ilo().lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a session into the table that a script opened so long ago and never used; now, if somebody looked since:
    /// it would have been seen.
    pub(super) fn leaked(&self, ilo: &str, ago_s: u64) -> SessionId {
        // Nobody looks while the iLO is locked.
        self.with(ilo, |locked| {
            let was_looked_at =
                self.requests_to(ilo).iter().any(|logged| logged.path == SESSIONS && logged.method == "GET");
            let then = if was_looked_at { now() } else { now() - Duration::from_secs(ago_s) };
            locked.admit(then, SessionSpec::rest("svc-backup", SCRIPT))
        })
    }

    /// Puts a session into the table that is old and was used just now.
    pub(super) fn used(&self, ilo: &str) -> SessionId {
        let then = now() - Duration::from_secs(7200);
        self.with(ilo, |ilo| {
            let id = ilo.admit(then, SessionSpec::rest("alice", SCRIPT));
            ilo.touch(&id, now());
            id
        })
    }

    /// Lines up an answer to so many requests.
    pub(super) fn answers(&self, ilo: &str, method: &Method, times: usize, answer: &Response<Bytes>) {
        for _ in 0..times {
            self.fault(ilo, method, FaultKind::Answer(answer.clone()));
        }
    }

    /// Lines up a fault of the next request with this method to the collection of sessions or below.
    pub(super) fn fault(&self, ilo: &str, method: &Method, what: FaultKind) {
        let on = Matcher::new(method.clone(), SESSIONS);
        self.with(ilo, |ilo| ilo.inject(Fault { on, what }));
    }

    /// Faults that no request has met yet.
    pub(super) fn faults_left(&self, ilo: &str) -> usize {
        self.with(ilo, |ilo| ilo.pending_faults().count())
    }

    /// Whether a session lives.
    pub(super) fn lives(&self, ilo: &str, id: &SessionId) -> bool {
        self.with(ilo, |ilo| ilo.session(id, now()).is_some())
    }

    /// The tokens of our own sessions.
    pub(super) fn our_tokens(&self, ilo: &str) -> Vec<String> {
        self.with(ilo, |ilo| {
            let ours = ilo.sessions(now()).filter(|session| session.owner == OURS);
            ours.filter_map(|session| session.token.clone()).collect()
        })
    }

    /// The requests to one iLO.
    pub(super) fn requests_to(&self, ilo: &str) -> Vec<Logged> {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.iter().filter(|(name, _)| name == ilo).map(|(_, logged)| logged.clone()).collect()
    }

    /// Login requests, whatever came of them.
    pub(super) fn logins(&self, ilo: &str) -> usize {
        self.requests_to(ilo).iter().filter(|logged| logged.method == "POST").count()
    }

    /// Requests to end a session that is not our own: the sessions that they named.
    pub(super) fn deletes(&self, ilo: &str) -> Vec<String> {
        let requests = self.requests_to(ilo);
        let deletes = requests.iter().filter(|logged| {
            let own = matches!(&logged.effect, Some(Effect::Ended { owner, .. }) if owner == OURS);
            logged.method == "DELETE" && !own
        });
        deletes.map(|logged| logged.path.trim_start_matches(SESSIONS).trim_end_matches('/').to_owned()).collect()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.fronts.clear();
        if let Some((stop, thread)) = self.running.take() {
            let _gone = stop.send(());
            let _panicked = thread.join();
        }
    }
}

fn switch_on(name: &str, number: u8, requests: &Requests, bell: &Bell) -> Front {
    let address = Ipv4Addr::new(127, 0, 0, number);
    let spec = Spec {
        accounts: vec![Account::administrator(OURS, PASSWORD), Account::administrator("alice", "secret123")],
        session_timeout_min: 0,
        limit: 20,
        seed: u64::from(number),
        host: address.to_string(),
        ..Spec::new(name)
    };
    let listener = TcpListener::bind((address, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let (requests, bell) = (Arc::clone(requests), bell.clone());
    let world = World::new(now)
        .seen_as(IpAddr::V4(Ipv4Addr::LOCALHOST), US)
        .seen_as(IpAddr::V4(address), US)
        .observed_by(move |ilo, logged| {
            let mut requests = requests.lock().unwrap_or_else(PoisonError::into_inner);
            requests.push((ilo.to_owned(), logged.clone()));
            drop(requests);
            bell.ring();
        });
    Front::serve(listener, Arc::new(Mutex::new(Ilo::new(spec))), world).unwrap()
}

/// The host's time, which is the simulated iLOs' too.
fn now() -> Moment {
    Moment::from_secs(u64::try_from(host_now().unix_s()).unwrap())
}

/// The rights of a file, as `chmod` writes them.
pub(super) fn rights(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}
