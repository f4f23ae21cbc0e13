//! The daemon: configuration, state, log and loop, started and stopped in order.

mod reload;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot};

use self::reload::Reloader;
use crate::config::{self, Loaded, Mistake, Surroundings};
use crate::control::{self, Desk};
use crate::event::{Event, Teller, VERSION};
use crate::fleet::{Command, Fleet, Pulse, STOP_DEADLINE, Start, Turns};
use crate::listener::{ListenError, Listener};
use crate::redfish::Https;
use crate::settings::{Mode, Order, Settings};
use crate::signals::{self, Listening};
use crate::state::sqlite::{OpenError, Opened, Reset, Sqlite, StateThread};
use crate::systemd::Manager;
use crate::time::{HostClock, host_now};
use crate::visit::InForce;

/// What nothing is deleted for after the state was found unreadable.
const STATE_LOST: &str = "the state was unreadable and set aside; `ilo-reaper resume` lets deletions begin again";

/// How long a service waits for a state that a command has in use.
const IN_USE_WAIT: Duration = Duration::from_secs(40);

/// Rounds of visits that people ask for, at once.
const ROUNDS_MAX: usize = 4;
/// How long names that are being looked up may hold the end up.
const LOOKUPS_END: Duration = Duration::from_secs(2);

/// Where a daemon finds its things.
#[derive(Clone, Debug)]
pub struct Places {
    /// The configuration's main file.
    pub config: PathBuf,
    /// The directory of the state.
    pub state: PathBuf,
    /// The control socket.
    pub control: PathBuf,
    /// Somebody named the configuration, and means that one.
    pub is_config_named: bool,
    /// What the configuration needs to know of the process.
    pub surroundings: Surroundings,
}

/// Why a daemon did not start.
#[derive(Debug)]
pub enum StartError {
    /// The configuration is wrong.
    Mistakes(Vec<Mistake>),
    /// The state can't be used.
    State(OpenError),
    /// Metrics and status can't be served where the configuration says.
    Listen(ListenError),
    /// The control socket can't be made there.
    Control(PathBuf, io::Error),
    /// The system refused a thread, a signal or a runtime.
    System(io::Error),
    /// The loop broke.
    Bug(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mistakes(mistakes) => {
                write!(f, "cannot use the configuration:")?;
                mistakes.iter().try_for_each(|mistake| write!(f, "\n  {mistake}"))
            }
            Self::State(error) => write!(f, "cannot use the state: {error}"),
            Self::Control(path, error) => write!(f, "cannot listen at {}: {error}", path.display()),
            Self::Listen(error) => write!(f, "cannot start: {error}"),
            Self::System(error) => write!(f, "cannot start: {error}"),
            Self::Bug(what) => write!(f, "the daemon broke: {what}; this is a bug, please report it"),
        }
    }
}

impl std::error::Error for StartError {}

impl From<ListenError> for StartError {
    fn from(error: ListenError) -> Self {
        Self::Listen(error)
    }
}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

/// Loads the configuration.
pub fn load(places: &Places) -> Result<Loaded, StartError> {
    config::load(&places.config, &places.surroundings).map_err(StartError::Mistakes)
}

/// Opens the state, which is ours alone from here on.
pub fn open(places: &Places) -> Result<Opened, StartError> {
    Sqlite::open(&places.state, host_now()).map_err(StartError::State)
}

/// The same for a service: a command that a person runs meanwhile ends soon.
pub fn await_state(places: &Places, told: impl FnOnce()) -> Result<Opened, StartError> {
    match open(places) {
        Err(StartError::State(OpenError::InUse(_))) => {
            told();
            Sqlite::await_free(&places.state, IN_USE_WAIT);
            open(places)
        }
        opened => opened,
    }
}

/// A runtime of one thread: the loop's.
pub fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// Makes the fleet of a configuration and a state. The thread is to be waited for when the fleet is gone.
pub fn fleet(
    places: &Places,
    settings: Arc<Settings>,
    opened: Opened,
    teller: Teller,
    turns: Turns,
    pulse: Option<Pulse>,
) -> (Fleet<Https, Sqlite>, StateThread) {
    // Both are told again at each start until a person resumes: else nobody knows why nothing is deleted.
    let lost_before = || Reset { path: places.state.clone(), cause: String::from("it was lost at an earlier start") };
    if let Some(reset) = opened.reset.or_else(|| opened.observing.then(lost_before)) {
        teller.tell(Event::StateReset { path: reset.path.display().to_string(), cause: reset.cause });
    }
    if let Some(Order { by, reason, until, .. }) = opened.orders.paused(host_now()).cloned() {
        teller.tell(Event::DaemonPaused { by, until, reason });
    }
    let fleet = Fleet::new(Start {
        settings,
        observing: opened.observing.then(|| STATE_LOST.to_owned()),
        orders: opened.orders,
        remembered: opened.remembered,
        ended_lately: opened.ended_lately,
        transport: Https::new(),
        state: opened.state,
        state_path: places.state.display().to_string(),
        clock: HostClock::real(),
        teller,
        turns,
        pulse,
    });
    (fleet, opened.thread)
}

/// Runs until a signal stops it.
pub fn run(places: &Places, loaded: Loaded, opened: Opened, teller: &Teller) -> Result<(), StartError> {
    let mut listening = signals::listen()?;
    let manager = Manager::of_environment()?;
    let teller = manager.with_status(Arc::clone(teller));
    let runtime = runtime()?;
    let (thread, ended) =
        runtime.block_on(live(places, (loaded.settings, opened), &manager, &teller, &mut listening))?;
    // Whoever still holds the state goes with the runtime. A resolver that hangs does not.
    runtime.shutdown_timeout(LOOKUPS_END);
    thread.wait();
    ended
}

/// The daemon's life inside its runtime.
async fn live(
    places: &Places,
    (settings, opened): (Settings, Opened),
    manager: &Manager,
    teller: &Teller,
    listening: &mut Listening,
) -> Result<(StateThread, Result<(), StartError>), StartError> {
    let (listener, socket) =
        control::listen(&places.control).map_err(|error| StartError::Control(places.control.clone(), error))?;
    let (commands, receiver) = mpsc::channel(16);
    let mut metrics = Listener::new(commands.clone());
    // Before anything is asked of any iLO.
    let bound = metrics.bind(settings.report.listen).await?;
    let settings = Arc::new(settings);
    let (pulse, runs) = manager.pulse();
    let (fleet, thread) = fleet(places, Arc::clone(&settings), opened, Arc::clone(teller), Turns::Own, Some(pulse));
    let (reloads, mut asked) = mpsc::channel(1);
    let force = fleet.force();
    let clock = HostClock::real();
    let desk = Desk {
        commands: commands.clone(),
        reloads,
        force: force.clone(),
        clock,
        uid: socket.uid(),
        config: places.config.clone(),
        rounds: Semaphore::new(ROUNDS_MAX),
    };
    let (stop, stopped) = oneshot::channel();
    let serving = tokio::spawn(control::serve(listener, desk, async { drop(stopped.await) }));
    let running = tokio::spawn(fleet.run(receiver));
    metrics.put(bound).await;
    // Where the loop is gone already, its end is told below.
    let _gone = runs.await;
    reload::tell_insecure(&settings, teller);
    teller.tell(Event::DaemonReady { version: VERSION, ilos: settings.targets.len(), mode: mode(&force.now()) });
    manager.ready();
    let reloader =
        Reloader { places, commands: &commands, force: force.clone(), metrics: &mut metrics, manager, teller };
    reloader.attend(settings, listening, &mut asked).await;
    manager.stopping(STOP_DEADLINE);
    let in_force = force.now();
    let ilos = in_force.settings.targets.len();
    teller.tell(Event::DaemonStopping { version: VERSION, ilos, mode: mode(&in_force) });
    // Who waits for a reload is told that there is none.
    drop(asked);
    drop(socket);
    metrics.close().await;
    // A loop or a server that is gone needs no telling.
    let _gone = (stop.send(()), commands.send(Command::Drain).await);
    let ended = running.await.map_err(|error| StartError::Bug(error.to_string()));
    let _broken = serving.await;
    Ok((thread, ended))
}

/// The boldest mode of any group; while something holds all of them back, that is no more than observing.
fn mode(in_force: &InForce) -> Mode {
    let enforces = in_force.settings.targets.values().any(|target| target.mode == Mode::Enforce);
    if enforces && in_force.brake(host_now()).is_none() { Mode::Enforce } else { Mode::Observe }
}
