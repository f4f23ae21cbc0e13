//! `ilo-reaper demo`: one fleet in two halves, one crowd on both, and the daemon as it ships on one of them.
//!
//! The simulated iLOs and the crowd live in this process. The daemon is this program started once more, with a
//! configuration whose policy is printed, and knows of the guarded half only, which it reaches over HTTPS. The
//! crowd needs no sockets: it hands its requests straight to the simulated iLOs, so that each client can come
//! from an address of its own. What is told at the end is the simulator's own truth.
//!
//! | module | what it is |
//! | --- | --- |
//! | `crowd` | who does what and when, from a seed; and the hands that do it |
//! | `score` | PURE: lock-outs, refusals, who was ended |
//! | `daemon` | the other process: its folder, its configuration, what it says |
//! | `screen` | bars, score and events on a terminal |

mod crowd;
mod daemon;
mod score;
mod screen;

use std::io::{self, IsTerminal};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ilo_sim::front::{Front, World};
use ilo_sim::{Account, Ilo, Moment, Spec};
use tokio::net::TcpListener;
use tokio::time::{Instant, MissedTickBehavior};

use self::crowd::{Act, Crowd, Who};
use self::daemon::{Daemon, Folder, Lines, POLICY, Told};
use self::score::Score;
use self::screen::{Bar, EVENTS_MAX, Scene, Screen};
use super::args::Demo;
use super::{Failure, say};
use crate::signals;
use crate::time::host_now;

const OURS: &str = "svc-ilo-reaper";
const PASSWORD: &str = "demo-password";
/// The address that the daemon is shown with, of a documentation range.
const SHOWN: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 10));
/// Places in a table. Reports speak of ten, which a burst of five beside four steady sessions and what two leakers
/// last left can fill at once: no reaper wins that without ending live ones.
const LIMIT: usize = 16;
/// Between two drawings, and between two plain lines.
const FRAME: Duration = Duration::from_millis(250);
const STATUS: Duration = Duration::from_secs(5);

/// The fleet: the guarded half first, then as many bare ones.
struct Fleet {
    ilos: Vec<Arc<Mutex<Ilo>>>,
    score: Arc<Mutex<Score>>,
    started: Instant,
}

/// Who is shown what.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Output {
    /// A terminal: bars.
    Screen,
    /// Lines.
    Plain,
    /// `--json`: nothing before the end.
    Silent,
}

pub(super) fn run(demo: &Demo) -> Result<(), Failure> {
    crate::daemon::runtime()?.block_on(show(demo))
}

async fn show(demo: &Demo) -> Result<(), Failure> {
    // Before anything is there that must be cleaned up.
    let listening = signals::listen()?;
    let output = output(demo);
    if output != Output::Silent {
        say(&introduction(demo))?;
    }
    let fleet = Arc::new(Fleet {
        ilos: (0..demo.ilos * 2).map(|number| Arc::new(Mutex::new(ilo(demo, number)))).collect(),
        score: Arc::new(Mutex::new(Score::new(usize::from(demo.ilos)))),
        started: Instant::now(),
    });
    let fronts = switch_on(demo, &fleet).await?;
    let folder = Folder::make()?;
    let events = Lines::default();
    let (daemon, silent) = Daemon::start(&folder, &fronts, listener(output, &events))?;
    let crowd = tokio::spawn(act(demo.seed, demo.length, Arc::clone(&fleet)));
    let shown = tokio::select! {
        () = tokio::time::sleep_until(fleet.started + demo.length) => Ok(()),
        () = listening.stop() => Ok(()),
        // A daemon that is gone early is told by its stop.
        _ = silent => Ok(()),
        shown = watch(demo, output, &fleet, &events) => shown,
    };
    crowd.abort();
    let since = fleet.started.elapsed();
    lock(&fleet.score).close(since);
    // The daemon says goodbye to the simulated iLOs, which live on this thread: it must not wait.
    let stopped = tokio::task::spawn_blocking(move || daemon.stop()).await;
    stopped.map_err(|error| Failure::Plain(error.to_string()))??;
    shown?;
    if demo.json {
        return say(&lock(&fleet.score).document());
    }
    say(&summary(&fleet, since))
}

fn output(demo: &Demo) -> Output {
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    match (demo.json, io::stdout().is_terminal() && !is_dumb) {
        (true, _) => Output::Silent,
        (false, true) => Output::Screen,
        (false, false) => Output::Plain,
    }
}

fn introduction(demo: &Demo) -> String {
    let n = demo.ilos;
    format!(
        "Two halves of {n} simulated iLOs each, with {LIMIT} places and no idle time-out, and the same crowd on both: \
         leaking\nscripts, and people and programs whose sessions are alive. The daemon guards one half, by this \
         policy in seconds.\nThat is for the demo: real policies count in minutes.\n\n{POLICY}"
    )
}

/// One simulated iLO. Twins of the two halves differ in their names only.
fn ilo(demo: &Demo, number: u8) -> Ilo {
    let accounts = Who::ALL.map(Who::account).into_iter().chain([OURS]);
    Ilo::new(Spec {
        accounts: accounts.map(|name| Account::administrator(name, PASSWORD)).collect(),
        limit: LIMIT,
        session_timeout_min: 0,
        seed: demo.seed.wrapping_add(u64::from(number % demo.ilos)),
        host: Ipv4Addr::LOCALHOST.to_string(),
        ..Spec::new(format!("ilo-{}", number + 1))
    })
}

/// Puts the guarded half behind free ports of loopback.
async fn switch_on(demo: &Demo, fleet: &Arc<Fleet>) -> io::Result<Vec<(String, Front)>> {
    let mut fronts = Vec::new();
    for (table, ilo) in fleet.ilos.iter().enumerate().take(usize::from(demo.ilos)) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (score, started) = (Arc::clone(&fleet.score), fleet.started);
        let world = World::new(moment)
            .seen_as(IpAddr::V4(Ipv4Addr::LOCALHOST), SHOWN)
            .observed_by(move |_, logged| lock(&score).note(table, logged, started.elapsed()));
        let name = lock(ilo).spec().name.clone();
        fronts.push((name, Front::serve(listener, Arc::clone(ilo), world)?));
    }
    Ok(fronts)
}

fn moment() -> Moment {
    Moment::from_secs(u64::try_from(host_now().unix_s()).unwrap_or(0))
}

/// What becomes of the daemon's events.
fn listener(output: Output, events: &Lines) -> impl Fn(Told) + Send + 'static {
    let events = Arc::clone(events);
    move |event| match output {
        Output::Screen => {
            let mut events = lock(&events);
            events.push_back(event.short);
            if events.len() > EVENTS_MAX {
                events.pop_front();
            }
        }
        Output::Plain => drop(say(&event.line)),
        Output::Silent => {}
    }
}

/// The crowd's work, on both halves alike, until it is done.
async fn act(seed: u64, length: Duration, fleet: Arc<Fleet>) {
    let per_half = fleet.ilos.len() / 2;
    let mut acts: Vec<(usize, Act)> = (0..per_half)
        .flat_map(|table| {
            let number = u8::try_from(table).unwrap_or(u8::MAX);
            crowd::plan(seed, number, length).into_iter().map(move |act| (table, act))
        })
        .collect();
    acts.sort_by_key(|(_, act)| act.at);
    let mut crowd = Crowd::default();
    for (table, act) in acts {
        tokio::time::sleep_until(fleet.started + act.at).await;
        for table in [table, table + per_half] {
            let now = moment();
            crowd.act(table, &fleet.ilos[table], &fleet.score, act, now, fleet.started.elapsed());
        }
    }
}

/// Shows what goes on, until it is dropped. What is shown is written on another thread: a terminal that is held
/// up must not hold up the simulated iLOs.
async fn watch(demo: &Demo, output: Output, fleet: &Arc<Fleet>, events: &Lines) -> Result<(), Failure> {
    let mut screen = match output {
        Output::Screen => Some(Screen::open()?),
        Output::Plain => None,
        Output::Silent => return std::future::pending().await,
    };
    let mut ticks = tokio::time::interval(if screen.is_some() { FRAME } else { STATUS });
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let scene = scene(demo, fleet, events);
        let drawing = tokio::task::spawn_blocking(move || match screen {
            Some(mut screen) => screen.draw(&scene).map(|()| Some(screen)).map_err(Failure::from),
            None => say(&status(&scene)).map(|()| None),
        });
        screen = drawing.await.map_err(|error| Failure::Plain(error.to_string()))??;
    }
}

fn scene(demo: &Demo, fleet: &Fleet, events: &Lines) -> Scene {
    let per_half = usize::from(demo.ilos);
    let bar = |table: usize| {
        let (name, used) = {
            let ilo = lock(&fleet.ilos[table]);
            (ilo.spec().name.clone(), ilo.sessions(moment()).count())
        };
        Bar { name, used, limit: LIMIT, refused: lock(&fleet.score).refused(table) }
    };
    let (guarded, bare) = lock(&fleet.score).halves();
    Scene {
        since: fleet.started.elapsed().min(demo.length),
        length: demo.length,
        seed: demo.seed,
        bars: (0..per_half).map(|table| (bar(table), bar(table + per_half))).collect(),
        guarded,
        bare,
        events: lock(events).iter().cloned().collect(),
    }
}

/// A scene in one line.
fn status(scene: &Scene) -> String {
    let of = |bars: Vec<&Bar>| bars.iter().map(|bar| bar.used.to_string()).collect::<Vec<_>>().join(" ");
    format!(
        "{:>3} s    guarded: {} of {LIMIT} used, refused logins {}, orphans ended {}, live ended {}   \
         bare: {} of {LIMIT} used, refused logins {}",
        scene.since.as_secs(),
        of(scene.bars.iter().map(|bars| &bars.0).collect()),
        scene.guarded.refused_logins,
        scene.guarded.sessions_reaped,
        scene.guarded.live_sessions_ended,
        of(scene.bars.iter().map(|bars| &bars.1).collect()),
        scene.bare.refused_logins,
    )
}

fn summary(fleet: &Fleet, since: Duration) -> String {
    let (guarded, bare) = lock(&fleet.score).halves();
    let left = |ilo: &Arc<Mutex<Ilo>>| lock(ilo).sessions(moment()).filter(|session| session.owner == OURS).count();
    let row = |what: &str, guarded: String, bare: String| format!("{what:<26}{guarded:>9}{bare:>9}\n");
    let count = |what: &str, guarded: usize, bare: usize| row(what, guarded.to_string(), bare.to_string());
    let only = |what: &str, guarded: usize| row(what, guarded.to_string(), String::from("-"));
    let mut told = format!("\nafter {} s\n", since.as_secs());
    told += &row("", String::from("guarded"), String::from("bare"));
    told += &count("lock-outs", guarded.lock_outs, bare.lock_outs);
    told += &row("seconds locked out", guarded.locked.as_secs().to_string(), bare.locked.as_secs().to_string());
    told += &count("refused logins", guarded.refused_logins, bare.refused_logins);
    told += &only("orphans ended", guarded.sessions_reaped);
    told += &only("live sessions ended", guarded.live_sessions_ended);
    told += &only("our logins per iLO", guarded.own_logins);
    told += &only("our sessions left behind", fleet.ilos.iter().map(left).sum());
    told.trim_end().to_owned()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
