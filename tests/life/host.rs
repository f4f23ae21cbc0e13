//! The management host: the daemon on it, started, reloaded, stopped, killed, and started again.

use std::future::pending;
use std::sync::Arc;

use ilo_reaper::event::{Event, Tell};
use ilo_reaper::fleet::{Command, First, Fleet, Start};
use ilo_reaper::state::model::Model;
use ilo_reaper::time::{HostClock, Timestamp};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::config;
use crate::disk::Disk;
use crate::script::ConfigScript;
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
    is_observing: bool,
    running: Option<(mpsc::Sender<Command>, JoinHandle<()>)>,
    is_stopping: bool,
    life: u64,
}

impl Host {
    pub(crate) fn new(world: World, config: ConfigScript) -> Self {
        let disk = Disk { world: world.clone(), model: Model::default() };
        Self { world, disk, config, is_observing: false, running: None, is_stopping: false, life: 0 }
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
            inner.oracle.born(now, self.life, &self.config, self.is_observing);
        }
        let clock = {
            let world = self.world.clone();
            HostClock::from(move || Timestamp::from_unix_s(world.host_now_s()))
        };
        let (commands, receiver) = mpsc::channel(16);
        let fleet = Fleet::new(Start {
            settings: config::settings(&self.config),
            observing: self.is_observing.then(|| String::from("the state was lost")),
            remembered: self.disk.model.remembered(),
            ended_lately: self.disk.model.ended_lately(clock.now()),
            transport: self.wire(self.life),
            state: self.disk.clone(),
            state_path: String::from("state"),
            clock,
            teller: Arc::new(Ear { world: self.world.clone(), life: self.life }),
            first: First::Spread,
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
            inner.oracle.in_force(now, config, self.is_observing);
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

    /// The state is set aside, and the next life only observes.
    pub(crate) fn lose_state(&mut self) {
        self.is_observing = true;
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
