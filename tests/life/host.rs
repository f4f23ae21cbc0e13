//! The management host: the daemon on it, started, reloaded, stopped, killed, and started again.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ilo_reaper::event::{Event, Tell};
use ilo_reaper::fleet::{Asked, Command, Fleet, Start, Turns, Wish};
use ilo_reaper::settings::{Conditions, Glob, IloName, Order, Protection, Shield};
use ilo_reaper::state::model::Model;
use ilo_reaper::time::{HostClock, Timestamp};
use ilo_reaper::visit::MayEnd;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::config;
use crate::disk::Disk;
use crate::oracle::Oracle;
use crate::script::{ConfigScript, host};
use crate::trail::Step;
use crate::wire::Wire;
use crate::world::{Inner, World};

/// The host.
pub(crate) struct Host {
    world: World,
    pub(crate) disk: Disk,
    /// What a start or a reload reads.
    pub(crate) config: ConfigScript,
    /// The state was lost, and no person said that it may delete again.
    is_observing: Arc<AtomicBool>,
    running: Option<(mpsc::Sender<Command>, JoinHandle<()>)>,
    is_stopping: bool,
    life: u64,
}

impl Host {
    pub(crate) fn new(world: World, config: ConfigScript) -> Self {
        let disk = Disk { world: world.clone(), model: Model::default() };
        Self { world, disk, config, is_observing: Arc::default(), running: None, is_stopping: false, life: 0 }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    pub(crate) fn wire(&self, life: u64) -> Wire {
        Wire { world: self.world.clone(), life }
    }

    pub(crate) fn start(&mut self) {
        self.life += 1;
        self.is_stopping = false;
        self.disk = self.disk.restarted();
        {
            let mut inner = self.world.lock();
            let now = self.world.now(&inner);
            inner.alive = Some(self.life);
            inner.oracle.born(now, self.life, &self.config, self.is_observing());
        }
        let clock = {
            let (world, up) = (self.world.clone(), self.world.clone());
            HostClock::new(move || Timestamp::from_unix_s(world.host_now_s()), move || up.host_up())
        };
        let (commands, receiver) = mpsc::channel(16);
        let fleet = Fleet::new(Start {
            settings: config::settings(&self.config),
            observing: self.is_observing().then(|| String::from("the state was lost")),
            remembered: self.disk.model.remembered(),
            ended_lately: self.disk.model.ended_lately(clock.now()),
            orders: self.disk.model.orders(),
            transport: self.wire(self.life),
            state: self.disk.clone(),
            state_path: String::from("state"),
            clock,
            teller: Arc::new(Ear { world: self.world.clone(), life: self.life }),
            turns: Turns::Own,
            pulse: None,
        });
        self.running = Some((commands, tokio::spawn(fleet.run(receiver))));
    }

    /// Loads another configuration: now, or at the next start.
    pub(crate) async fn reload(&mut self, config: &ConfigScript) {
        self.config = config.clone();
        let Some((commands, _)) = &self.running else { return };
        if self.is_stopping {
            return;
        }
        {
            let mut inner = self.world.lock();
            let now = self.world.now(&inner);
            inner.oracle.in_force(now, config, self.is_observing());
        }
        // A loop that is gone needs no telling.
        let _gone = commands.send(Command::Replace(config::settings(config))).await;
    }

    /// Begins a clean stop.
    pub(crate) async fn stop(&mut self) {
        let Some((commands, _)) = &self.running else { return };
        self.is_stopping = true;
        {
            let mut inner = self.world.lock();
            let now = self.world.now(&inner);
            inner.oracle.stops(now);
        }
        let _gone = commands.send(Command::Drain).await;
    }

    /// Waits for the end of a clean stop.
    pub(crate) async fn stopped(&mut self) {
        match &mut self.running {
            Some((_, task)) if self.is_stopping => {
                let ended = task.await;
                if let Err(error) = ended {
                    self.world.lock().oracle.breaks("panic", error.to_string());
                }
            }
            _ => pending().await,
        }
    }

    /// It ended by itself.
    pub(crate) fn rest(&mut self) {
        self.running = None;
        self.is_stopping = false;
        let mut inner = self.world.lock();
        inner.alive = None;
        let now = self.world.now(&inner);
        let Inner { oracle, sites, .. } = &mut *inner;
        oracle.has_stopped(now, sites);
    }

    /// It is killed, or already dead: nothing more is done.
    pub(crate) async fn bury(&mut self) {
        let Some((_, task)) = self.running.take() else { return };
        self.is_stopping = false;
        self.world.lock().alive = None;
        task.abort();
        if let Err(error) = task.await
            && error.is_panic()
        {
            self.world.lock().oracle.breaks("panic", error.to_string());
        }
    }

    /// A person puts the brake on.
    pub(crate) fn pause(&self, for_s: Option<u64>) {
        let order = self.order(for_s);
        let until = order.until.map(Timestamp::unix_s);
        // It takes the place of the one that stands.
        self.world.lock().oracle.resumes();
        self.ask(Wish::Pause(order), move |oracle| oracle.paused(until));
    }

    /// A person takes it off, or says after a lost state that it may delete again.
    pub(crate) fn resume(&self) {
        {
            let mut inner = self.world.lock();
            let now = self.world.now(&inner);
            inner.oracle.resumes();
            if self.is_observing() && self.running.is_some() && !self.is_stopping {
                inner.oracle.may_end_again(now);
            }
        }
        let is_observing = Arc::clone(&self.is_observing);
        self.ask(Wish::Resume(String::from("a person")), move |_| is_observing.store(false, Ordering::Relaxed));
    }

    /// A person wants an iLO visited at once, and perhaps swept, whatever the mode.
    pub(crate) fn sweep(&self, ilo: usize, ends: bool) {
        let Some((commands, _)) = self.running.as_ref().filter(|_| !self.is_stopping) else { return };
        let (world, commands, life) = (self.world.clone(), commands.clone(), self.life);
        let may_end = if ends { MayEnd::InAnyMode } else { MayEnd::No };
        let asked = Asked { ilos: [IloName::new(&host(ilo))].into(), may_end };
        world.lock().oracle.visits_at_once(ilo);
        if ends {
            world.lock().oracle.sweeps(ilo);
        }
        tokio::spawn(async move {
            let (answer, heard) = oneshot::channel();
            let _gone = commands.send(Command::Visit(asked, answer)).await;
            // Whatever comes of it, it is over.
            let _round = heard.await;
            let mut inner = world.lock();
            if ends && inner.alive == Some(life) {
                inner.oracle.swept(ilo);
            }
        });
    }

    /// A reload finds a configuration that is wrong.
    pub(crate) async fn refuse(&self) {
        let Some((commands, _)) = self.running.as_ref().filter(|_| !self.is_stopping) else { return };
        let _gone = commands.send(Command::Refused).await;
    }

    /// A person protects the session that has the highest id there.
    pub(crate) fn shield_one(&self, ilo: usize) {
        let id = {
            let inner = self.world.lock();
            let now = self.world.now(&inner);
            inner.sites[ilo].ilo.sessions(now).map(|session| session.id.clone()).max()
        };
        let Some(id) = id else { return };
        let order = self.order(None);
        let protection = Protection { id: String::new(), conditions: Conditions::default(), until: order.until };
        let session = Some(ilo_reaper::session::SessionId::read(id.as_str()));
        let shield = Shield { protection, ilo: Some(IloName::new(&host(ilo))), session, order };
        self.ask(Wish::Protect(Box::new(shield)), move |oracle| oracle.shielded_one(ilo, id));
    }

    fn is_observing(&self) -> bool {
        self.is_observing.load(Ordering::Relaxed)
    }

    /// A person protects an account.
    pub(crate) fn shield(&self, owner: &str, ilo: Option<usize>, for_s: Option<u64>) {
        let conditions = Conditions { owner: Some(vec![Glob::new(owner)]), ..Conditions::default() };
        let order = self.order(for_s);
        let until = order.until;
        let protection = Protection { id: String::new(), conditions, until };
        let ilo_name = ilo.map(|ilo| IloName::new(&host(ilo)));
        let (shield, owner) = (Shield { protection, ilo: ilo_name, session: None, order }, owner.to_owned());
        self.ask(Wish::Protect(Box::new(shield)), move |oracle| {
            oracle.shielded(owner, ilo, until.map(Timestamp::unix_s));
        });
    }

    /// A person ends the first protection that stands.
    pub(crate) fn unshield(&self) {
        if let Some(shield) = self.disk.model.orders().shields.first() {
            self.end(shield);
        }
    }

    /// All that was ordered is taken back.
    pub(crate) fn unorder(&self) {
        self.resume();
        self.disk.model.orders().shields.iter().for_each(|shield| self.end(shield));
    }

    fn end(&self, shield: &Shield) {
        let owner = shield.protection.conditions.owner.iter().flatten().next().map(ToString::to_string);
        let session = shield.session.as_ref().map(ToString::to_string);
        self.world.lock().oracle.unshields(&owner.or(session).unwrap_or_default());
        self.ask(Wish::Unprotect(shield.protection.id.clone(), String::from("a person")), |_| {});
    }

    fn order(&self, for_s: Option<u64>) -> Order {
        let since = Timestamp::from_unix_s(self.world.host_now_s());
        let until = for_s.map(|for_s| since.plus(Duration::from_secs(for_s)));
        Order { by: String::from("a person"), reason: String::from("a change"), since, until }
    }

    /// Orders, and tells the oracle when the answer comes, if this life lives to hear it.
    fn ask(&self, wish: Wish, granted: impl FnOnce(&mut Oracle) + Send + 'static) {
        let Some((commands, _)) = self.running.as_ref().filter(|_| !self.is_stopping) else { return };
        let (world, commands, life) = (self.world.clone(), commands.clone(), self.life);
        let taken_back = world.lock().oracle.taken_back();
        tokio::spawn(async move {
            let (answer, heard) = oneshot::channel();
            let _gone = commands.send(Command::Wish(wish, answer)).await;
            if matches!(heard.await, Ok(Ok(_))) {
                let mut inner = world.lock();
                // What was taken back meanwhile may be so already.
                if inner.alive == Some(life) && inner.oracle.taken_back() == taken_back {
                    granted(&mut inner.oracle);
                }
            }
        });
    }

    /// The state is set aside, and the next life only observes.
    pub(crate) fn lose_state(&mut self) {
        self.is_observing.store(true, Ordering::Relaxed);
        self.disk.model = Model::default();
        self.world.lock().oracle.state_lost();
    }
}

/// Where events go.
struct Ear {
    world: World,
    life: u64,
}

impl Tell for Ear {
    fn tell(&self, event: Event) {
        let mut inner = self.world.lock();
        if inner.alive != Some(self.life) {
            return;
        }
        inner.oracle.heard(&event);
        let at_ms = u64::try_from(self.world.ran().as_millis()).expect("a life is short");
        let name = event.name();
        let detail = match &event {
            Event::FleetSummary(_) => String::new(),
            event => format!("{event:?}").chars().take(300).collect(),
        };
        inner.trail.step(at_ms, Step::Told(name, detail));
    }
}
