//! A signal's way to the loop: a thread that waits for signals, and a channel.
//!
//! SIGHUP reloads, SIGTERM and SIGINT stop cleanly. A second SIGINT ends the process at once, even where the
//! loop is stuck: the handler itself does that.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::{Handle, Signals};
use tokio::sync::mpsc;

/// 128 and the number of SIGINT, as shells report it.
const ENDED_BY_SIGINT: i32 = 130;

/// Wishes that wait for the loop. A reload that does not fit is covered by those that wait.
const WAITING_MAX: usize = 16;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Take the configuration again.
    Reload,
    /// Stop cleanly.
    Stop,
}

/// The signals of this process, as long as it lives.
pub struct Listening {
    handle: Handle,
    /// What signals ask for, in order.
    pub wishes: mpsc::Receiver<Wish>,
}

impl Listening {
    /// Returns when a signal asks to stop.
    pub async fn stopped(&mut self) {
        while self.wishes.recv().await.is_some_and(|wish| wish != Wish::Stop) {}
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.handle.close();
    }
}

/// Starts to listen. Signals that came before are handled as the system does.
pub fn listen() -> io::Result<Listening> {
    let interrupted = Arc::new(AtomicBool::new(false));
    // In this order: the first SIGINT finds the flag down and raises it, the second finds it up.
    flag::register_conditional_shutdown(SIGINT, ENDED_BY_SIGINT, Arc::clone(&interrupted))?;
    flag::register(SIGINT, interrupted)?;
    let mut signals = Signals::new([SIGHUP, SIGTERM, SIGINT])?;
    let handle = signals.handle();
    let (sender, wishes) = mpsc::channel(WAITING_MAX);
    thread::Builder::new().name(String::from("signals")).spawn(move || {
        for signal in signals.forever() {
            let gone = match signal {
                SIGHUP => matches!(sender.try_send(Wish::Reload), Err(mpsc::error::TrySendError::Closed(_))),
                _ => sender.blocking_send(Wish::Stop).is_err(),
            };
            if gone {
                return;
            }
        }
    })?;
    Ok(Listening { handle, wishes })
}
