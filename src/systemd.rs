//! What the service manager is told: `sd_notify(3)` over `NOTIFY_SOCKET`, where there is one.
//!
//! It is told from a thread of its own: a manager that hangs must not hold the loop. The watchdog is fed with the
//! loop's own beats (see [`crate::fleet::Pulse`]), so a loop that does not turn starves it.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::sync::oneshot;

use crate::event::{Event, Tell, Teller};
use crate::fleet::{Beat, Pulse};
use crate::report::sentence;
use crate::session::clean;

/// Words that wait for the thread at most.
const QUEUE_MAX: usize = 64;
/// Bytes of `STATUS=`, which is one line for people.
const STATUS_MAX: usize = 512;
/// How often the loop beats where nobody watches it.
const UNWATCHED: Duration = Duration::from_secs(3600);
/// The watchdog is fed so many times in its time.
const BEATS: u32 = 3;
/// Beyond what the loop still needs for a clean stop: the state and the log are closed after it.
const LAST_STEPS: Duration = Duration::from_secs(5);

/// A way to the service manager. Where there is none, nothing is told.
#[derive(Clone)]
pub struct Manager {
    queue: Option<SyncSender<Word>>,
    watchdog: Option<Duration>,
}

/// What it is told.
enum Word {
    Ready,
    Reloading,
    Stopping(Duration),
    Status(String),
    Alive,
    Extend(Duration),
}

impl Manager {
    /// The manager that started this process, by its environment. A watchdog that is meant for another process
    /// (`WATCHDOG_PID`) is none of ours.
    pub fn of_environment() -> io::Result<Self> {
        if std::env::var_os("NOTIFY_SOCKET").is_none() {
            return Ok(Self { queue: None, watchdog: None });
        }
        let (queue, words) = sync_channel(QUEUE_MAX);
        Builder::new().name(String::from("manager")).spawn(move || pass_on(&words))?;
        Ok(Self { queue: Some(queue), watchdog: sd_notify::watchdog_enabled() })
    }

    /// The configuration is in force, the state is ours, the loop runs; or a reload is over, however it went.
    pub fn ready(&self) {
        self.say(Word::Ready);
    }

    /// The configuration is being read again.
    pub fn reloading(&self) {
        self.say(Word::Reloading);
    }

    /// A clean stop begins, and is over after so long at the latest.
    pub fn stopping(&self, within: Duration) {
        self.say(Word::Stopping(within + LAST_STEPS));
    }

    /// What the loop's beats become; and the first of them, which says that it runs.
    pub fn pulse(&self) -> (Pulse, oneshot::Receiver<()>) {
        let (manager, (first, runs)) = (self.clone(), oneshot::channel());
        let first = Mutex::new(Some(first));
        let told = move |beat| {
            if let Some(first) = first.lock().unwrap_or_else(PoisonError::into_inner).take() {
                // Who does not wait for it, need not know.
                let _gone = first.send(());
            }
            if manager.watchdog.is_some() {
                manager.say(Word::Alive);
            }
            if let Beat::Stopping(left) = beat {
                manager.say(Word::Extend(left + LAST_STEPS));
            }
        };
        let every = self.watchdog.map_or(UNWATCHED, |watchdog| watchdog / BEATS);
        (Pulse { every, told: Box::new(told) }, runs)
    }

    /// Tells events on to `teller`, and shows people who ask for the service's status what matters of them.
    pub fn with_status(&self, teller: Teller) -> Teller {
        match self.queue {
            Some(_) => Arc::new(Status { manager: self.clone(), teller, lasting: Mutex::default() }),
            None => teller,
        }
    }

    fn say(&self, word: Word) {
        if let Some(queue) = &self.queue {
            // Who does not take 64 words, takes none; then its own watchdog sees to it.
            let _full = queue.try_send(word);
        }
    }
}

fn pass_on(words: &Receiver<Word>) {
    for word in words {
        let usec = |span: Duration| NotifyState::ExtendTimeoutUsec(u32::try_from(span.as_micros()).unwrap_or(u32::MAX));
        // A manager that can't be told is about to end us, or is gone itself.
        let _untold = match &word {
            Word::Ready => sd_notify::notify(&[NotifyState::Ready]),
            // In one datagram, as managers from 253 on ask for; older ones ignore the time.
            Word::Reloading => {
                NotifyState::monotonic_usec_now().and_then(|now| sd_notify::notify(&[NotifyState::Reloading, now]))
            }
            Word::Stopping(within) => sd_notify::notify(&[NotifyState::Stopping, usec(*within)]),
            Word::Status(text) => sd_notify::notify(&[NotifyState::Status(text)]),
            Word::Alive => sd_notify::notify(&[NotifyState::Watchdog]),
            Word::Extend(within) => sd_notify::notify(&[usec(*within)]),
        };
    }
}

/// Events on their way, read for the service's status.
struct Status {
    manager: Manager,
    teller: Teller,
    lasting: Mutex<Lasting>,
}

/// What people must go on seeing while it lasts.
#[derive(Clone, Copy, Default)]
struct Lasting {
    /// The last reload was refused.
    is_refused: bool,
    is_paused: bool,
}

impl Tell for Status {
    fn tell(&self, event: Event) {
        let lasting = {
            let mut lasting = self.lasting.lock().unwrap_or_else(PoisonError::into_inner);
            match &event {
                Event::ConfigRejected { .. } => lasting.is_refused = true,
                Event::ConfigReloaded { .. } => lasting.is_refused = false,
                Event::DaemonPaused { .. } => lasting.is_paused = true,
                Event::DaemonResumed { .. } => lasting.is_paused = false,
                Event::DaemonReady { .. } | Event::DaemonStopping { .. } | Event::FleetSummary(_) => {}
                _ => return self.teller.tell(event),
            }
            *lasting
        };
        let mut text = sentence(&event);
        if lasting.is_refused && !matches!(event, Event::ConfigRejected { .. }) {
            text.push_str(" The last reload was refused: an older configuration is in force.");
        }
        if lasting.is_paused && !matches!(event, Event::DaemonPaused { .. }) {
            text.push_str(" The daemon is paused.");
        }
        self.manager.say(Word::Status(clean(&text, STATUS_MAX)));
        self.teller.tell(event);
    }

    fn lost(&self) -> u64 {
        self.teller.lost()
    }
}
