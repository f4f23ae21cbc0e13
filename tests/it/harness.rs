//! The world of a story: simulated iLOs, a host, a state, and a fleet that can be started, stopped and killed.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use ilo_reaper::event::{Cause, Event, Tell};
use ilo_reaper::fleet::{Beat, Command, Fleet, Pulse, Start, Turns};
use ilo_reaper::redfish::{ExchangeError, Patience, Peer, Transport};
use ilo_reaper::secret::Secret;
use ilo_reaper::session::{Kind, UserType};
use ilo_reaper::settings::{
    Authority, Caps, Conditions, Credential, CredentialId, IloName, Mode, OnStop, Policy, Poll, PressureSettings,
    Report, Rule, Settings, Target, Trust,
};
use ilo_reaper::state::model::Model;
use ilo_reaper::time::{HostClock, Timestamp};
use ilo_sim::{Account, Delivery, Effect, Ilo, Logged, Moment, Reply, SessionId, SessionSpec, Spec};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// The host's clock when a story begins, and the iLOs' too unless the story says otherwise.
pub(crate) const BEGIN_S: u64 = 1_750_709_294;
/// Our account on every iLO.
pub(crate) const OURS: &str = "svc-ilo-reaper";
/// Where we come from.
pub(crate) const US: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 200));
/// How long an answer takes that meets a bug of ours.
pub(crate) const BREAKS: Duration = Duration::MAX;
/// Where a script comes from.
pub(crate) const SCRIPT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 50));

/// Runs a story on one thread, in virtual time.
pub(crate) fn story<F: Future<Output = ()>>(tell: impl FnOnce() -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(tell());
}

type Hook = Box<dyn FnMut(&Request<Bytes>, &mut Ilo, Moment) + Send>;
type AnswerHook = Box<dyn FnMut(&Request<Bytes>, &mut Response<Bytes>) -> Duration + Send>;

/// Simulated iLOs, reached without a network.
#[derive(Clone)]
pub(crate) struct Sky {
    ilos: Arc<BTreeMap<String, Mutex<Ilo>>>,
    zero: Instant,
    slept_s: Arc<AtomicU64>,
    /// Called before an iLO handles a request of ours.
    before: Arc<Mutex<Option<Hook>>>,
    expand: Arc<Mutex<Expand>>,
    /// Called with each answer, which it may change, and says how long it is on its way; `BREAKS` breaks us.
    after: Arc<Mutex<Option<AnswerHook>>>,
    /// Exchanges under way, and the most there were at once.
    under_way: Arc<Mutex<(usize, usize)>>,
    /// No iLO can be reached.
    is_down: Arc<AtomicBool>,
    /// Whom it was told to trust last.
    pub(crate) settled: Arc<Mutex<Vec<Peer>>>,
}

/// One exchange under way.
struct UnderWay(Arc<Mutex<(usize, usize)>>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.lock().unwrap().0 -= 1;
    }
}

/// What iLOs do when they are asked to expand a collection.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Expand {
    /// An iLO 5 and later.
    Does,
    /// An iLO 4: it answers links.
    Ignores,
    /// Others: 501.
    Refuses,
}

impl Sky {
    pub(crate) fn now(&self) -> Moment {
        Moment::from_secs(BEGIN_S) + self.lasted()
    }

    /// The host sleeps for so long, while everybody else goes on.
    pub(crate) fn sleeps(&self, for_s: u64) {
        self.slept_s.fetch_add(for_s, Ordering::Relaxed);
    }

    /// How long the story lasts by now, the host's sleep included.
    fn lasted(&self) -> Duration {
        self.zero.elapsed() + Duration::from_secs(self.slept_s.load(Ordering::Relaxed))
    }

    /// The most exchanges at once since this was asked last.
    pub(crate) fn most_at_once(&self) -> usize {
        let mut under_way = self.under_way.lock().unwrap();
        std::mem::replace(&mut under_way.1, 0)
    }

    fn begin(&self) -> UnderWay {
        let mut under_way = self.under_way.lock().unwrap();
        under_way.0 += 1;
        under_way.1 = under_way.1.max(under_way.0);
        UnderWay(Arc::clone(&self.under_way))
    }

    pub(crate) fn ilo(&self, name: &str) -> MutexGuard<'_, Ilo> {
        self.ilos[name].lock().unwrap()
    }
}

impl Transport for Sky {
    async fn exchange(
        &self,
        peer: &Peer,
        mut request: Request<Bytes>,
        patience: Patience,
    ) -> Result<Response<Bytes>, ExchangeError> {
        let timeout = || Err(ExchangeError::Failed(Cause::Timeout, String::from("no answer in time")));
        let _under_way = self.begin();
        // As the real one: nothing goes to whom nobody knows, nor under a trust that the configuration took back.
        let settled = self.settled.lock().unwrap().iter().find(|settled| settled.authority == peer.authority).cloned();
        if peer.trust == Trust::Unknown || settled.is_some_and(|settled| !settled.trust.takes_the_same(&peer.trust)) {
            return Err(ExchangeError::Failed(Cause::Tls, String::from("not trusted")));
        }
        // Every exchange takes a while, so that things can happen meanwhile.
        tokio::time::sleep(Duration::from_millis(20)).await;
        if self.is_down.load(Ordering::Relaxed) {
            return Err(ExchangeError::Failed(Cause::Refused, String::from("no route to host")));
        }
        let expand = *self.expand.lock().unwrap();
        if request.uri().query().is_some() && expand != Expand::Does {
            if expand == Expand::Refuses {
                return Ok(Response::builder().status(501).body(Bytes::new()).unwrap());
            }
            *request.uri_mut() = request.uri().path().parse().unwrap();
        }
        let (reply, slow) = {
            let now = self.now();
            let mut ilo = self.ilo(&peer.authority.host);
            if let Some(before) = self.before.lock().unwrap().as_mut() {
                before(&request, &mut ilo, now);
            }
            let mut reply = ilo.handle(self.now(), US, &request);
            let slow = self.after.lock().unwrap().as_mut().map(|after| after(&request, &mut reply.response));
            (reply, slow.unwrap_or_default())
        };
        assert!(slow != BREAKS, "a bug, as the story wants it");
        let reply = Reply { after: reply.after + slow, ..reply };
        if reply.after > patience.total || reply.delivery == Delivery::Never {
            tokio::time::sleep(patience.total).await;
            return timeout();
        }
        tokio::time::sleep(reply.after).await;
        match reply.delivery {
            Delivery::Whole => Ok(reply.response),
            _ => Err(ExchangeError::Failed(Cause::Http, String::from("the connection was closed"))),
        }
    }

    fn settle(&self, peers: Vec<Peer>) {
        *self.settled.lock().unwrap() = peers;
    }
}

/// Events as they were told, each with its time since the story began.
#[derive(Clone)]
pub(crate) struct Ear {
    heard: Arc<Mutex<Vec<(Duration, Event)>>>,
    zero: Instant,
}

impl Tell for Ear {
    fn tell(&self, event: Event) {
        self.heard.lock().unwrap().push((self.zero.elapsed(), event));
    }
}

/// Everything that a story is about.
pub(crate) struct World {
    pub(crate) sky: Sky,
    pub(crate) state: Model,
    pub(crate) settings: Settings,
    /// Why nothing may be deleted, as after a state that was lost.
    pub(crate) observing: Option<String>,
    /// How far the host's clock is ahead of true time.
    pub(crate) host_ahead_s: Arc<AtomicI64>,
    /// When the loop beat, since the story began, where it is watched.
    pub(crate) beats: Arc<Mutex<Vec<(Duration, Beat)>>>,
    /// From one beat to the next, where it is watched.
    pub(crate) watched: Option<Duration>,
    ear: Ear,
}

/// A fleet that runs.
pub(crate) struct Running {
    pub(crate) commands: mpsc::Sender<Command>,
    task: JoinHandle<()>,
}

impl World {
    /// iLOs of these names, in mode enforce, polled each minute, under the policy that is built in.
    pub(crate) fn of(names: &[&str]) -> Self {
        Self::with(names, |_| {})
    }

    /// The same, with changed simulated iLOs.
    pub(crate) fn with(names: &[&str], change: impl Fn(&mut Spec)) -> Self {
        let zero = Instant::now();
        let ilos = names.iter().enumerate().map(|(number, name)| {
            let mut spec = Spec {
                accounts: vec![
                    Account::administrator(OURS, "right"),
                    Account::administrator("svc-backup", "secret123"),
                    Account::administrator("alice", "secret123"),
                ],
                limit: 10,
                session_timeout_min: 0,
                seed: number as u64 + 1,
                ..Spec::new(*name)
            };
            change(&mut spec);
            ((*name).to_owned(), Mutex::new(Ilo::new(spec)))
        });
        let sky = Sky {
            ilos: Arc::new(ilos.collect()),
            zero,
            slept_s: Arc::default(),
            before: Arc::default(),
            after: Arc::default(),
            expand: Arc::new(Mutex::new(Expand::Does)),
            under_way: Arc::default(),
            is_down: Arc::default(),
            settled: Arc::default(),
        };
        let ear = Ear { heard: Arc::default(), zero };
        let settings = Settings {
            poll: Poll::default(),
            pressure: PressureSettings::default(),
            caps: Caps::default(),
            targets: names.iter().map(|name| (IloName::new(name), target(name))).collect(),
            report: Report::default(),
            on_stop: OnStop::Logout,
        };
        Self {
            sky,
            state: Model::default(),
            settings,
            observing: None,
            host_ahead_s: Arc::default(),
            beats: Arc::default(),
            watched: None,
            ear,
        }
    }

    /// Changes every target.
    pub(crate) fn targets(&mut self, change: impl Fn(&mut Target)) {
        for target in self.settings.targets.values_mut() {
            let mut changed = Target::clone(target);
            change(&mut changed);
            *target = Arc::new(changed);
        }
    }

    /// Changes the policy of every target.
    pub(crate) fn policy(&mut self, change: impl Fn(&mut Policy)) {
        self.targets(|target| {
            let mut policy = Policy::clone(&target.policy);
            change(&mut policy);
            target.policy = Arc::new(policy);
        });
    }

    /// What iLOs do from now on when they are asked to expand.
    pub(crate) fn expand(&self, expand: Expand) {
        *self.sky.expand.lock().unwrap() = expand;
    }

    /// What happens before an iLO handles each request of ours from now on.
    pub(crate) fn before(&self, hook: impl FnMut(&Request<Bytes>, &mut Ilo, Moment) + Send + 'static) {
        *self.sky.before.lock().unwrap() = Some(Box::new(hook));
    }

    /// What becomes of each answer to us from now on, and how much later it comes.
    pub(crate) fn after(&self, hook: impl FnMut(&Request<Bytes>, &mut Response<Bytes>) -> Duration + Send + 'static) {
        *self.sky.after.lock().unwrap() = Some(Box::new(hook));
    }

    /// From now on each login is answered with the name of its session once, and no table is told as long as the flag is
    /// set.
    pub(crate) fn is_blind_and_names_once(&self) -> Arc<AtomicBool> {
        let is_blind = Arc::new(AtomicBool::new(true));
        let blind = Arc::clone(&is_blind);
        self.after(move |request, answer| {
            if request.method() == http::Method::POST {
                *answer.body_mut() = "{}".into();
            } else if request.uri().path().ends_with("/Sessions/") && blind.load(Ordering::Relaxed) {
                *answer.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
            }
            Duration::ZERO
        });
        is_blind
    }

    /// The host sleeps for so long, while everybody else goes on.
    pub(crate) fn host_sleeps(&self, for_s: u64) {
        self.sky.sleeps(for_s);
    }

    /// From now on no iLO can be reached, or all can.
    pub(crate) fn network_is_down(&self, is_down: bool) {
        self.sky.is_down.store(is_down, Ordering::Relaxed);
    }

    /// Puts a token session of a script into the table, that logged in and was last used so long ago.
    pub(crate) fn leaked(&self, ilo: &str, owner: &str, ago_s: u64) -> SessionId {
        self.admit(ilo, SessionSpec::rest(owner, SCRIPT), ago_s)
    }

    /// Puts any session into the table.
    pub(crate) fn admit(&self, ilo: &str, spec: SessionSpec, ago_s: u64) -> SessionId {
        let then = Moment::from_secs(BEGIN_S + self.sky.lasted().as_secs() - ago_s);
        self.sky.ilo(ilo).admit(then, spec)
    }

    /// Whether a session lives.
    pub(crate) fn lives(&self, ilo: &str, id: &SessionId) -> bool {
        self.sky.ilo(ilo).session(id, self.sky.now()).is_some()
    }

    /// Our own sessions on an iLO.
    pub(crate) fn ours(&self, ilo: &str) -> usize {
        self.sky.ilo(ilo).sessions(self.sky.now()).filter(|session| session.owner == OURS).count()
    }

    /// The iLO's log of requests.
    pub(crate) fn log(&self, ilo: &str) -> Vec<Logged> {
        self.sky.ilo(ilo).log().to_vec()
    }

    /// Logins of ours that made a session.
    pub(crate) fn logins(&self, ilo: &str) -> usize {
        self.log(ilo).iter().filter(|logged| matches!(logged.effect, Some(Effect::LoggedIn { .. }))).count()
    }

    /// Login requests of ours, whatever came of them.
    pub(crate) fn login_requests(&self, ilo: &str) -> usize {
        self.log(ilo).iter().filter(|logged| logged.method == "POST").count()
    }

    /// Starts the fleet.
    pub(crate) fn start(&self) -> Running {
        let (commands, receiver) = mpsc::channel(16);
        let sky = self.sky.clone();
        let clock = {
            let (true_time, ahead_s) = (sky.clone(), Arc::clone(&self.host_ahead_s));
            let up = sky.clone();
            let now_s = move || BEGIN_S + true_time.lasted().as_secs();
            let shown = move || i64::try_from(now_s()).unwrap() + ahead_s.load(Ordering::Relaxed);
            HostClock::new(move || Timestamp::from_unix_s(shown()), move || up.lasted())
        };
        let fleet = Fleet::new(Start {
            settings: Arc::new(self.settings.clone()),
            observing: self.observing.clone(),
            remembered: self.state.remembered(),
            ended_lately: self.state.ended_lately(clock.now()),
            orders: self.state.orders(),
            transport: sky,
            state: self.state.clone(),
            state_path: String::from("state"),
            clock,
            teller: Arc::new(self.ear.clone()),
            turns: Turns::Own,
            pulse: self.pulse(),
        });
        Running { commands, task: tokio::spawn(fleet.run(receiver)) }
    }

    /// How long the story lasts by now.
    pub(crate) fn now(&self) -> Duration {
        self.sky.zero.elapsed()
    }

    fn pulse(&self) -> Option<Pulse> {
        let (beats, zero) = (Arc::clone(&self.beats), self.sky.zero);
        let told = move |beat| beats.lock().unwrap().push((zero.elapsed(), beat));
        self.watched.map(|every| Pulse { every, told: Box::new(told) })
    }

    /// Lets time pass.
    pub(crate) async fn pass(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    /// Lets a moment pass.
    pub(crate) async fn pass_ms(&self, milliseconds: u64) {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }

    /// Stops the fleet cleanly.
    pub(crate) async fn stop(&self, running: Running) {
        running.commands.send(Command::Drain).await.unwrap();
        running.task.await.unwrap();
    }

    /// Kills the fleet: nothing more is done, and only what was committed stays.
    pub(crate) async fn kill(&mut self, running: Running) {
        self.kill_only(running).await;
        self.state = self.state.restarted();
    }

    /// Kills the fleet at the end of a story.
    pub(crate) async fn kill_only(&self, running: Running) {
        running.task.abort();
        assert!(running.task.await.unwrap_err().is_cancelled());
    }

    /// Starts the fleet, lets it run so long, and stops it cleanly.
    pub(crate) async fn run(&self, seconds: u64) {
        let running = self.start();
        self.pass(seconds).await;
        self.stop(running).await;
    }

    /// The names of the events since the last call, which are forgotten.
    pub(crate) fn take_heard(&self) -> Vec<&'static str> {
        self.ear.heard.lock().unwrap().drain(..).map(|(_, event)| event.name()).collect()
    }

    /// The events of this name.
    pub(crate) fn heard(&self, name: &str) -> Vec<Event> {
        let heard = self.ear.heard.lock().unwrap();
        heard.iter().map(|(_, event)| event).filter(|event| event.name() == name).cloned().collect()
    }

    /// All events with their times.
    pub(crate) fn heard_all(&self) -> Vec<(Duration, Event)> {
        self.ear.heard.lock().unwrap().clone()
    }

    /// All events, for a failing test to show.
    pub(crate) fn story(&self) -> String {
        let heard = self.ear.heard.lock().unwrap();
        let lines: Vec<String> = heard.iter().map(|(at, event)| format!("{:>6} s {event:?}", at.as_secs())).collect();
        lines.join("\n")
    }
}

fn target(name: &str) -> Arc<Target> {
    Arc::new(Target {
        name: IloName::new(name),
        group: String::from("rack-1"),
        authority: Authority { host: name.to_owned(), port: 443 },
        credential: credential("right"),
        trust: Trust::Insecure,
        legacy: false,
        policy: Arc::new(ilo_reaper::config::built_in_policy()),
        mode: Mode::Enforce,
    })
}

/// Our account, with this password.
pub(crate) fn credential(password: &str) -> Arc<Credential> {
    Arc::new(Credential {
        id: CredentialId(format!("{OURS} (test)")),
        username: OURS.to_owned(),
        password: Secret::new(password.to_owned()),
    })
}

/// The same under another name, as another file or account makes it.
pub(crate) fn other_credential(id: &str, username: &str, password: &str) -> Arc<Credential> {
    Arc::new(Credential {
        id: CredentialId(id.to_owned()),
        username: username.to_owned(),
        password: Secret::new(password.to_owned()),
    })
}

/// A rule about token sessions of local accounts.
pub(crate) fn rule(id: &str, change: impl FnOnce(&mut Conditions)) -> Rule {
    let mut conditions =
        Conditions { kinds: vec![Kind::Rest], user_types: vec![UserType::Local], ..Default::default() };
    change(&mut conditions);
    Rule { id: id.to_owned(), conditions, keep_latest: None, down_to: None }
}
