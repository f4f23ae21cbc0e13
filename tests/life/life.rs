//! One life, from its script to its end: the driver, which moves time and everything in it.

mod at_ilo;

use std::collections::BTreeMap;
use std::collections::btree_map::OccupiedEntry;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::config;
use crate::crowd::Client;
use crate::host::Host;
use crate::oracle::{Broken, Calm, Counts};
use crate::script::{Act, ConfigScript, Deed, Script, What};
use crate::trail::Step;
use crate::world::{Due, Inner, World};

/// The longest wait of the daemon's that is worth waiting for.
const A_LONG_CALM: Duration = Duration::from_secs(4200);

/// What came of a life.
pub(crate) struct Ended {
    pub(crate) broken: Option<Broken>,
    pub(crate) counts: Counts,
    pub(crate) digest: u64,
    /// How long it lasted, times the iLOs that there were.
    pub(crate) ilo_seconds: u64,
    /// The last exchanges, where a rule was broken.
    pub(crate) story: String,
}

/// Lives it.
pub(crate) fn live(script: &Script) -> Ended {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let mut driver = Driver::new(script);
        driver.run().await;
        driver.end().await
    })
}

/// Something that is to be done at its time.
enum Task {
    Act(usize),
    Client(usize),
    FlashEnds(usize),
    Recertified(usize),
    ClockSet(usize, i64),
    Start,
    DiskWell,
    Calm,
    /// People take back what they ordered.
    Unorder,
    Judge(Calm),
}

struct Driver<'a> {
    script: &'a Script,
    world: World,
    host: Host,
    clients: Vec<Client>,
    tasks: BTreeMap<(u64, u64), Task>,
    number: u64,
    /// How long the daemon is down after what kills it next.
    down_s: u64,
    is_calm: bool,
    /// How many clients were there when it became calm: those of them that leak do so no more.
    leave_at_calm: usize,
    is_over: bool,
}

impl<'a> Driver<'a> {
    fn new(script: &'a Script) -> Self {
        let world = World::new(script);
        let mut driver = Self {
            script,
            host: Host::new(world.clone(), script.config.clone()),
            world,
            clients: Vec::new(),
            tasks: BTreeMap::new(),
            number: 0,
            down_s: 1,
            is_calm: false,
            leave_at_calm: 0,
            is_over: false,
        };
        for (number, act) in script.acts.iter().enumerate() {
            driver.plan(act.at_ms, Task::Act(number));
        }
        driver.plan(script.calm_at_s * 1000, Task::Calm);
        driver.plan(0, Task::Start);
        driver
    }

    fn plan(&mut self, at_ms: u64, task: Task) {
        self.number += 1;
        self.tasks.insert((at_ms, self.number), task);
    }

    fn plan_in(&mut self, wait: Duration, task: Task) {
        let at_ms = self.ran_ms() + u64::try_from(wait.as_millis()).expect("a life is short");
        self.plan(at_ms, task);
    }

    fn ran_ms(&self) -> u64 {
        u64::try_from(self.world.ran().as_millis()).expect("a life is short")
    }

    async fn run(&mut self) {
        while !self.is_over {
            let next = self.tasks.first_key_value().map_or(u64::MAX / 4, |((at_ms, _), _)| *at_ms);
            let straggler = self.world.lock().stragglers.iter().map(|straggler| straggler.at).min();
            let wake = straggler.map_or(self.world.instant(next), |at| at.min(self.world.instant(next)));
            tokio::select! {
                biased;
                () = self.world.urgent.notified() => {}
                () = self.host.stopped() => self.stopped(),
                () = sleep_until(wake) => {}
            }
            self.attend().await;
            while let Some(task) = self.due() {
                self.perform(task).await;
            }
            self.is_over |= self.world.lock().oracle.broken.is_some();
        }
    }

    fn due(&mut self) -> Option<Task> {
        let now_ms = self.ran_ms();
        self.tasks.first_entry().filter(|entry| entry.key().0 <= now_ms).map(OccupiedEntry::remove)
    }

    /// Sees to what can't wait.
    async fn attend(&mut self) {
        if self.host.is_running() && self.world.lock().alive.is_none() {
            self.dead("kill -9").await;
        }
        let due = {
            let mut inner = self.world.lock();
            let now = Instant::now();
            let (due, later) = std::mem::take(&mut inner.stragglers).into_iter().partition(|one| one.at <= now);
            inner.stragglers = later;
            let due: Vec<_> = due;
            due
        };
        for straggler in due {
            self.host.wire(straggler.life).arrive_late(straggler.site, &straggler.request);
        }
        let orders: Vec<_> = self.world.lock().orders.drain(..).collect();
        for (deed, site) in orders {
            match deed {
                Deed::Flash => self.plan_in(Duration::from_secs(300), Task::FlashEnds(site)),
                Deed::Observe => {
                    self.change(|config| config.groups.iter_mut().for_each(|group| group.enforces = false)).await;
                }
                Deed::Protect => self.change(protect_all).await,
                Deed::Mistype => self.change(|config| mistype(config, site)).await,
                Deed::Pause => self.host.pause(None),
                _ => {
                    self.down_s = 60;
                    self.host.stop().await;
                }
            }
        }
    }

    async fn change(&mut self, change: impl FnOnce(&mut ConfigScript)) {
        let mut config = self.host.config.clone();
        change(&mut config);
        self.host.reload(&config).await;
        // A person puts it right again a while later.
        self.plan_in(Duration::from_secs(600), Task::Act(usize::MAX));
    }

    async fn dead(&mut self, how: &str) {
        self.say(how.to_owned());
        self.host.bury().await;
        self.rest();
        self.plan_in(Duration::from_secs(self.down_s), Task::Start);
    }

    fn stopped(&mut self) {
        self.say(String::from("stopped cleanly"));
        self.host.rest();
        self.rest();
        self.plan_in(Duration::from_secs(self.down_s), Task::Start);
    }

    /// The daemon does nothing: what it left behind is judged.
    fn rest(&mut self) {
        let mut inner = self.world.lock();
        let now = self.world.now(&inner);
        let Inner { oracle, sites, .. } = &mut *inner;
        oracle.at_rest(now, sites);
    }

    fn say(&self, what: String) {
        let at_ms = self.ran_ms();
        self.world.lock().trail.step(at_ms, Step::Act(what));
    }

    async fn perform(&mut self, task: Task) {
        match task {
            Task::Act(usize::MAX) => {
                let config = self.script.config.clone();
                self.host.reload(&config).await;
            }
            Task::Act(number) => {
                let script = self.script;
                // Nobody's coming or going is a fault.
                if !self.is_calm || matches!(script.acts[number].what, What::Client { .. }) {
                    self.act(&script.acts[number]).await;
                }
            }
            Task::Client(number) => self.client(number),
            Task::FlashEnds(site) => self.world.lock().sites[site].flash(false),
            Task::Recertified(site) => self.world.lock().sites[site].is_recertified = false,
            Task::ClockSet(site, offset_s) => self.set_clock(site, offset_s),
            Task::Start if !self.host.is_running() => {
                self.host.start();
                if self.is_calm {
                    self.unorder_soon();
                }
            }
            Task::Start => {}
            Task::DiskWell => {
                self.host.disk.fill(false);
                self.host.disk.slow(Duration::ZERO);
            }
            Task::Calm => self.calm(),
            Task::Unorder => self.host.unorder(),
            Task::Judge(calm) => self.judge(calm),
        }
    }

    fn client(&mut self, number: usize) {
        let client = &mut self.clients[number];
        if number < self.leave_at_calm && !client.is_well_behaved() {
            return;
        }
        let wait = {
            let mut inner = self.world.lock();
            let now = self.world.now(&inner);
            client.step(&mut inner.sites[client.ilo], now)
        };
        if let Some(wait) = wait {
            self.plan_in(wait, Task::Client(number));
        }
    }

    async fn act(&mut self, act: &Act) {
        if !matches!(act.what, What::Client { .. } | What::Meet { .. } | What::Between { .. }) {
            self.say(format!("{:?}", act.what).chars().take(120).collect());
        }
        match &act.what {
            What::Client { ilo, client } => {
                self.clients.push(Client::new(*ilo, client));
                self.plan(act.at_ms, Task::Client(self.clients.len() - 1));
            }
            What::Meet { ilo, on, fault, times } => {
                let due = Due { on: *on, what: *fault, times: *times };
                self.world.lock().sites[*ilo].meets.push(due);
            }
            What::Between { ilo, on, deed, times } => {
                let due = Due { on: *on, what: *deed, times: *times };
                self.world.lock().sites[*ilo].betweens.push(due);
            }
            What::Reload { config } => self.host.reload(config).await,
            What::Crash { at, down_s } => {
                self.down_s = *down_s;
                let mut inner = self.world.lock();
                if *at == crate::script::CrashAt::Now {
                    inner.die(&self.world.urgent);
                } else {
                    inner.crash = Some(*at);
                }
            }
            What::Stop { down_s } => {
                self.down_s = *down_s;
                self.host.stop().await;
            }
            What::StateLost { down_s } => {
                if self.host.is_running() {
                    self.down_s = *down_s;
                    self.dead("kill -9").await;
                    self.host.lose_state();
                }
            }
            What::Pause { for_s } => self.host.pause(*for_s),
            What::Resume => self.host.resume(),
            What::Sweep { ilo, ends } => self.host.sweep(*ilo, *ends),
            What::BadReload => self.host.refuse().await,
            What::ShieldOne { ilo } => self.host.shield_one(*ilo),
            What::Shield { owner, ilo, for_s } => self.host.shield(owner, *ilo, *for_s),
            What::Unshield => self.host.unshield(),
            What::HostClock { step_s } => {
                let mut inner = self.world.lock();
                inner.host_ahead_s += step_s;
                let (now, ahead_s) = (self.world.now(&inner), inner.host_ahead_s);
                inner.oracle.host_clock(now, ahead_s);
            }
            What::Suspend { for_s } => self.world.at_once(|inner, now| inner.sleeps(now, *for_s)),
            What::Stand { for_s } => self.world.at_once(|inner, now| inner.stands(now, *for_s)),
            What::DiskFull { for_s } => {
                self.host.disk.fill(true);
                self.plan_in(Duration::from_secs(*for_s), Task::DiskWell);
            }
            What::DiskSlow { pace_ms, for_s } => {
                self.host.disk.slow(Duration::from_millis(*pace_ms));
                self.plan_in(Duration::from_secs(*for_s), Task::DiskWell);
            }
            at_ilo => self.act_at_ilo(at_ilo),
        }
    }

    /// Nothing goes wrong any more.
    fn calm(&mut self) {
        self.is_calm = true;
        self.leave_at_calm = self.clients.len();
        self.say(String::from("calm"));
        self.host.disk.fill(false);
        self.host.disk.slow(Duration::ZERO);
        let config = self.host.config.clone();
        {
            let mut inner = self.world.lock();
            inner.crash = None;
            for (number, site) in inner.sites.iter_mut().enumerate() {
                site.meets.clear();
                site.betweens.clear();
                site.is_recertified = false;
                site.flash(false);
                let name = config.places.iter().position(|place| *place == number);
                if let Some(group) = name.and_then(|name| config.members[name]) {
                    site.set_password(&config::password(config.groups[group].password));
                }
            }
        }
        self.unorder_soon();
        let settle_s = 1500 + 4 * config.every_s;
        self.world.lock().oracle.calms_down();
        self.plan_in(Duration::from_secs(settle_s), Task::Judge(Calm::Short));
    }

    /// Again a while later, for what was on its way.
    fn unorder_soon(&mut self) {
        for wait_s in [0, 30, 120] {
            self.plan_in(Duration::from_secs(wait_s), Task::Unorder);
        }
    }

    fn judge(&mut self, calm: Calm) {
        let somebody_waits = {
            let mut inner = self.world.lock();
            let now = self.world.now(&inner);
            let Inner { oracle, sites, .. } = &mut *inner;
            oracle.judges(now, sites, self.host.is_running(), calm)
        };
        self.is_over = calm == Calm::Long || !somebody_waits;
        if !self.is_over {
            self.plan_in(A_LONG_CALM, Task::Judge(Calm::Long));
        }
    }

    async fn end(mut self) -> Ended {
        let ilo_seconds = self.ran_ms() / 1000 * self.script.ilos.len() as u64;
        self.host.bury().await;
        let inner = self.world.lock();
        let broken = inner.oracle.broken.clone();
        let story = if broken.is_some() { inner.trail.story() } else { String::new() };
        Ended { counts: inner.oracle.counts, digest: inner.trail.digest(), ilo_seconds, story, broken }
    }
}

fn mistype(config: &mut ConfigScript, site: usize) {
    let name = config.places.iter().position(|place| *place == site);
    if let Some(group) = name.and_then(|name| config.members[name]) {
        config.groups[group].password ^= 1;
    }
}

fn protect_all(config: &mut ConfigScript) {
    for group in &mut config.groups {
        let conditions = crate::script::ConditionsScript::default();
        group.protect.push(crate::script::ProtectScript { conditions, until_s: None });
    }
}
