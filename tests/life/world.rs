//! The world of a life: simulated iLOs, the wires to them, time, and the host that the daemon runs on.
//!
//! Everybody acts on it under one lock and in virtual time: the daemon through [`Wire`] and
//! [`Disk`](crate::disk::Disk), the clients and the faults through the driver. The oracle sits on the wire and
//! judges each request by what is true.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use ilo_sim::{Account, Ilo, Moment, Spec, Stamp, UpdateState};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::chance::Chance;
use crate::config;
use crate::oracle::Oracle;
use crate::script::{CrashAt, Deed, Expand, Fault, IloScript, On, Script, host};
use crate::trail::Trail;

/// The true time at which every life begins.
pub(crate) const BEGIN_S: u64 = 1_750_709_294;
/// Our account on every iLO, and another one that we may be given.
pub(crate) const ACCOUNTS: [&str; 2] = [OURS, "svc-ilo-reaper-2"];
pub(crate) const OURS: &str = "svc-ilo-reaper";
/// Where we come from.
pub(crate) const US: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 200));

/// The world, shared by everybody who is in it.
#[derive(Clone)]
pub(crate) struct World {
    inner: Arc<Mutex<Inner>>,
    /// Something happened that the driver must see to now.
    pub(crate) urgent: Arc<Notify>,
    zero: Instant,
}

/// What is in it.
pub(crate) struct Inner {
    pub(crate) sites: Vec<Site>,
    by_host: BTreeMap<String, usize>,
    /// How far true time is ahead of the host's running time: it sleeps now and then.
    pub(crate) slept_ms: u64,
    /// What of that no clock of the host's counts but the one that is set afterwards.
    pub(crate) stood_ms: u64,
    /// How far the host's clock is ahead of true time.
    pub(crate) host_ahead_s: i64,
    /// The number of the daemon's life that is alive.
    pub(crate) alive: Option<u64>,
    pub(crate) crash: Option<CrashAt>,
    /// Requests that arrive later than anybody waits for.
    pub(crate) stragglers: Vec<Straggler>,
    /// What the world asked the driver to do at once.
    pub(crate) orders: VecDeque<(Deed, usize)>,
    pub(crate) oracle: Oracle,
    pub(crate) trail: Trail,
}

/// One simulated iLO and the wire to it.
pub(crate) struct Site {
    pub(crate) ilo: Ilo,
    pub(crate) script: IloScript,
    /// How long each way of an exchange takes.
    pub(crate) ways: Chance,
    pub(crate) spoiling: Chance,
    pub(crate) is_recertified: bool,
    pub(crate) is_flashing: bool,
    pub(crate) meets: Vec<Due<Fault>>,
    pub(crate) betweens: Vec<Due<Deed>>,
    /// The last answer to the question who is on.
    pub(crate) last: Option<(http::Response<Bytes>, crate::oracle::Picture)>,
}

/// What the next requests of a kind meet.
pub(crate) struct Due<T> {
    pub(crate) on: On,
    pub(crate) what: T,
    pub(crate) times: u32,
}

/// Takes the first that a request meets.
pub(crate) fn take<T: Copy>(dues: &mut Vec<Due<T>>, on: On) -> Option<T> {
    let due = dues.iter_mut().find(|due| due.on.fits(on))?;
    let what = due.what;
    due.times -= 1;
    dues.retain(|due| due.times > 0);
    Some(what)
}

/// Takes all that a request meets, each once.
pub(crate) fn take_each<T: Copy>(dues: &mut Vec<Due<T>>, on: On) -> Vec<T> {
    let mut met = Vec::new();
    for due in dues.iter_mut().filter(|due| due.on.fits(on)) {
        due.times -= 1;
        met.push(due.what);
    }
    dues.retain(|due| due.times > 0);
    met
}

/// A request that nobody waits for any more.
pub(crate) struct Straggler {
    pub(crate) at: Instant,
    pub(crate) site: usize,
    pub(crate) life: u64,
    pub(crate) request: Request<Bytes>,
}

impl World {
    pub(crate) fn new(script: &Script) -> Self {
        let sites: Vec<Site> = script.ilos.iter().enumerate().map(|(number, ilo)| Site::new(number, ilo)).collect();
        let by_host = (0..sites.len()).map(|number| (host(number), number)).collect();
        let inner = Inner {
            oracle: Oracle::new(script),
            sites,
            by_host,
            slept_ms: 0,
            stood_ms: 0,
            host_ahead_s: 0,
            alive: None,
            crash: None,
            stragglers: Vec::new(),
            orders: VecDeque::new(),
            trail: Trail::default(),
        };
        Self { inner: Arc::new(Mutex::new(inner)), urgent: Arc::new(Notify::new()), zero: Instant::now() }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("nobody panicked in the world")
    }

    /// Something happens to it now.
    pub(crate) fn at_once(&self, happens: impl FnOnce(&mut Inner, Moment)) {
        let mut inner = self.lock();
        let now = self.now(&inner);
        happens(&mut inner, now);
    }

    /// How long the host has been running.
    pub(crate) fn ran(&self) -> Duration {
        self.zero.elapsed()
    }

    pub(crate) fn instant(&self, ran_ms: u64) -> Instant {
        self.zero + Duration::from_millis(ran_ms)
    }

    /// True time.
    pub(crate) fn now(&self, inner: &Inner) -> Moment {
        Moment::from_secs(BEGIN_S) + self.ran() + Duration::from_millis(inner.slept_ms)
    }

    /// How long the host is up, its sleep included.
    pub(crate) fn host_up(&self) -> Duration {
        let inner = self.lock();
        self.ran() + Duration::from_millis(inner.slept_ms - inner.stood_ms)
    }

    /// What the host's clock shows, in seconds since 1970.
    pub(crate) fn host_now_s(&self) -> i64 {
        let inner = self.lock();
        i64::try_from(self.now(&inner).0 / 1000).expect("a time of this age") + inner.host_ahead_s
    }
}

impl Inner {
    pub(crate) fn site_at(&self, host: &str) -> Option<usize> {
        self.by_host.get(host).copied()
    }

    /// The host sleeps from now on for so long.
    pub(crate) fn sleeps(&mut self, now: Moment, for_s: u64) {
        let slept = Duration::from_secs(for_s);
        self.slept_ms += for_s * 1000;
        self.oracle.slept(now + slept, slept);
    }

    /// The host is a virtual machine and stands still, and its clock is set right afterwards.
    pub(crate) fn stands(&mut self, now: Moment, for_s: u64) {
        self.stood_ms += for_s * 1000;
        self.sleeps(now, for_s);
        self.oracle.host_clock(now + Duration::from_secs(for_s), self.host_ahead_s);
    }

    /// The daemon dies here. Whatever it still does counts for nothing.
    pub(crate) fn die(&mut self, urgent: &Notify) {
        self.alive = None;
        self.crash = None;
        urgent.notify_one();
    }
}

impl Site {
    fn new(number: usize, script: &IloScript) -> Self {
        Self {
            ilo: ilo(number, script, script.seed),
            script: script.clone(),
            ways: Chance::of(script.seed, "ways", 0),
            spoiling: Chance::of(script.seed, "spoiling", 0),
            is_recertified: false,
            is_flashing: false,
            meets: Vec::new(),
            betweens: Vec::new(),
            last: None,
        }
    }

    /// Another iLO of the same make, under the same name.
    pub(crate) fn swap(&mut self, number: usize, seed: u64) {
        let (clock, limit) = (self.ilo.spec().clock_offset_s, self.ilo.spec().limit);
        let password = self.ilo.spec().accounts[0].password.clone();
        self.ilo = ilo(number, &self.script, seed);
        self.ilo.set_clock_offset(clock);
        self.ilo.set_limit(limit);
        self.set_password(&password);
        (self.last, self.is_flashing) = (None, false);
    }

    /// Our accounts there have this password from now on.
    pub(crate) fn set_password(&mut self, password: &str) {
        for account in ACCOUNTS {
            self.ilo.set_password(account, password);
        }
    }

    /// Somebody who does not know any tries to log in.
    pub(crate) fn guess(&mut self, now: Moment) {
        let body = serde_json::json!({ "UserName": "alice", "Password": "guess" }).to_string();
        let request = Request::post("/redfish/v1/SessionService/Sessions/").header("Content-Type", "application/json");
        self.ilo.handle(now, US, &request.body(Bytes::from(body)).expect("a good request"));
        self.ilo.take_log();
    }

    /// It answers links where it is asked to expand.
    pub(crate) fn expands_not(&self) -> bool {
        self.script.expand != Expand::Does
    }

    /// Firmware begins to be flashed, or is done.
    pub(crate) fn flash(&mut self, is_flashing: bool) {
        self.is_flashing = is_flashing;
        self.ilo.set_update_state(if is_flashing { UpdateState::Writing } else { UpdateState::Complete });
    }

    /// What the iLO answers, by its generation's way with `$expand`.
    pub(crate) fn serve(&mut self, now: Moment, request: &Request<Bytes>) -> ilo_sim::Reply {
        let mut reply = self.serve_in_time(now, request);
        if self.script.date_ahead_s != 0 {
            let shown = Stamp::read(now, self.ilo.spec().clock_offset_s + self.script.date_ahead_s).http_date();
            reply.response.headers_mut().insert(http::header::DATE, shown.parse().expect("a date"));
        }
        reply
    }

    fn serve_in_time(&mut self, now: Moment, request: &Request<Bytes>) -> ilo_sim::Reply {
        if request.uri().query().is_none() || self.script.expand == Expand::Does {
            return self.ilo.handle(now, US, request);
        }
        let mut plain = Request::builder().method(request.method()).uri(request.uri().path());
        plain.headers_mut().expect("a good request").clone_from(request.headers());
        let mut reply = self.ilo.handle(now, US, &plain.body(request.body().clone()).expect("a good request"));
        if self.script.expand == Expand::Refuses && reply.response.status() == 200 {
            reply.response = http::Response::builder().status(501).body(Bytes::new()).expect("a good answer");
        }
        reply
    }
}

fn ilo(number: usize, script: &IloScript, seed: u64) -> Ilo {
    let ours = config::password(0);
    let account = |name| {
        if script.is_operator {
            Account::operator(name, ours.clone())
        } else {
            Account::administrator(name, ours.clone())
        }
    };
    Ilo::new(Spec {
        accounts: ACCOUNTS.map(account).to_vec(),
        limit: script.limit,
        session_timeout_min: script.timeout_min,
        clock_offset_s: script.clock_offset_s,
        seed,
        wrong_password_status: status(script.wrong_password_status),
        table_full_status: status(script.table_full_status),
        boot_time: Duration::from_secs(script.boot_s),
        ..Spec::new(host(number))
    })
}

fn status(code: u16) -> http::StatusCode {
    http::StatusCode::from_u16(code).expect("a status")
}
