//! The daemon: configuration, state, log and loop, started and stopped in order.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::config::{self, Loaded, Mistake, Surroundings};
use crate::event::{Event, Teller, VERSION};
use crate::fleet::{Command, First, Fleet, Start};
use crate::listener::{Bound, ListenError, Listener};
use crate::redfish::Https;
use crate::settings::{Mode, Settings, Trust};
use crate::signals::{self, Listening};
use crate::state::sqlite::{OpenError, Opened, Reset, Sqlite, StateThread};
use crate::time::{HostClock, host_now};

/// What nothing is deleted for after the state was found unreadable.
const STATE_LOST: &str = "the state was unreadable and set aside; `ilo-reaper resume` lets deletions begin again";

/// Where a daemon finds its things.
#[derive(Clone, Debug)]
pub struct Places {
    /// The configuration's main file.
    pub config: PathBuf,
    /// The directory of the state.
    pub state: PathBuf,
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
    /// The system refused a thread, a signal or a runtime.
    System(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mistakes(mistakes) => {
                write!(f, "cannot use the configuration:")?;
                mistakes.iter().try_for_each(|mistake| write!(f, "\n  {mistake}"))
            }
            Self::State(error) => write!(f, "cannot use the state: {error}"),
            Self::Listen(error) => write!(f, "cannot start: {error}"),
            Self::System(error) => write!(f, "cannot start: {error}"),
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

/// A runtime of one thread: the loop's.
pub fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// Makes the fleet of a configuration and a state. The thread is to be waited for when the fleet is gone.
pub fn fleet(
    places: &Places,
    settings: Settings,
    opened: Opened,
    teller: Teller,
    first: First,
) -> (Fleet<Https, Sqlite>, StateThread) {
    // Told again at each start until a person resumes: else nobody knows why nothing is deleted.
    let lost_before = || Reset { path: places.state.clone(), cause: String::from("it was lost at an earlier start") };
    if let Some(reset) = opened.reset.or_else(|| opened.observing.then(lost_before)) {
        teller.tell(Event::StateReset { path: reset.path.display().to_string(), cause: reset.cause });
    }
    let fleet = Fleet::new(Start {
        settings: Arc::new(settings),
        observing: opened.observing.then(|| STATE_LOST.to_owned()),
        remembered: opened.remembered,
        ended_lately: opened.ended_lately,
        transport: Https::new(),
        state: opened.state,
        state_path: places.state.display().to_string(),
        clock: HostClock::real(),
        teller,
        first,
    });
    (fleet, opened.thread)
}

/// Runs until a signal stops it.
pub fn run(places: &Places, loaded: Loaded, opened: Opened, teller: &Teller) -> Result<(), StartError> {
    let mut listening = signals::listen()?;
    let runtime = runtime()?;
    let (commands, receiver) = mpsc::channel(16);
    let mut listener = Listener::new(commands.clone());
    // Before anything is asked of any iLO.
    let bound = runtime.block_on(listener.bind(loaded.settings.report.listen))?;
    let (thread, ended) = runtime.block_on(async {
        let (settings, observing) = (loaded.settings.clone(), opened.observing);
        let (fleet, thread) = fleet(places, loaded.settings, opened, Arc::clone(teller), First::Spread);
        let running = tokio::spawn(fleet.run(receiver));
        listener.put(bound).await;
        tell_insecure(&settings, teller);
        teller.tell(Event::DaemonReady {
            version: VERSION,
            ilos: settings.targets.len(),
            mode: mode(&settings, observing),
        });
        let settings = attend(places, settings, &mut listening, (&commands, &mut listener), teller).await;
        teller.tell(Event::DaemonStopping {
            version: VERSION,
            ilos: settings.targets.len(),
            mode: mode(&settings, observing),
        });
        listener.close().await;
        // A loop that is gone needs no telling.
        let _gone = commands.send(Command::Drain).await;
        (thread, running.await.map_err(|error| StartError::System(io::Error::other(error))))
    });
    // Whoever still holds the state goes with the runtime.
    drop(runtime);
    thread.wait();
    ended
}

/// Follows signals until one asks to stop, or the loop is gone. The configuration in force then.
async fn attend(
    places: &Places,
    mut settings: Settings,
    listening: &mut Listening,
    (commands, listener): (&mpsc::Sender<Command>, &mut Listener),
    teller: &Teller,
) -> Settings {
    loop {
        let stop = listening.stop();
        let loaded = tokio::select! {
            biased;
            () = stop => return settings,
            () = commands.closed() => return settings,
            loaded = reload(places, listening, listener) => loaded,
        };
        match loaded {
            Ok((loaded, bound)) => {
                tell_change(&settings, &loaded.settings, teller);
                tell_insecure(&loaded.settings, teller);
                settings = loaded.settings.clone();
                if commands.send(Command::Replace(Arc::new(loaded.settings))).await.is_err() {
                    return settings;
                }
                listener.put(bound).await;
            }
            Err(mistakes) => {
                for mistake in mistakes {
                    tell_mistake(mistake, teller);
                }
                if commands.send(Command::Refused).await.is_err() {
                    return settings;
                }
            }
        }
    }
}

/// Waits for a wish to reload and loads. Whatever goes wrong is a mistake, and changes nothing.
async fn reload(
    places: &Places,
    listening: &mut Listening,
    listener: &Listener,
) -> Result<(Loaded, Bound), Vec<Mistake>> {
    listening.reload().await;
    let again = places.clone();
    // Passwords and lists are read from disk, which the loop must not wait for.
    let loaded = tokio::task::spawn_blocking(move || config::load(&again.config, &again.surroundings)).await;
    let mistake = |text| vec![Mistake { file: places.config.clone(), line: None, column: None, text }];
    let loaded =
        loaded.unwrap_or_else(|_| Err(mistake(String::from("it could not be read; this is a bug of ilo-reaper"))))?;
    match listener.bind(loaded.settings.report.listen).await {
        Ok(bound) => Ok((loaded, bound)),
        Err(error) => Err(mistake(error.to_string())),
    }
}

fn tell_change(old: &Settings, new: &Settings, teller: &Teller) {
    let change = config::change(old, new);
    teller.tell(Event::ConfigReloaded {
        added: change.added.len(),
        removed: change.removed.len(),
        changed: change.altered.len(),
        bolder: change.bolder,
    });
}

fn tell_mistake(mistake: Mistake, teller: &Teller) {
    let Mistake { file, line, column, text } = mistake;
    teller.tell(Event::ConfigRejected { file: file.display().to_string(), line, column, mistake: text });
}

/// Names each group whose passwords go to whoever answers.
fn tell_insecure(settings: &Settings, teller: &Teller) {
    let mut groups: BTreeMap<&str, usize> = BTreeMap::new();
    for target in settings.targets.values().filter(|target| target.trust == Trust::Insecure) {
        *groups.entry(&target.group).or_default() += 1;
    }
    for (group, ilos) in groups {
        teller.tell(Event::TlsInsecure { group: group.to_owned(), ilos });
    }
}

/// The boldest mode of any group; after a lost state that is no more than observing.
fn mode(settings: &Settings, observing: bool) -> Mode {
    let enforces = !observing && settings.targets.values().any(|target| target.mode == Mode::Enforce);
    if enforces { Mode::Enforce } else { Mode::Observe }
}
