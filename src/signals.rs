//! A signal's way to the loop: a thread that waits for signals, and a channel.
//!
//! SIGHUP reloads, SIGTERM and SIGINT stop cleanly. A second SIGINT ends the process at once, even where the
//! loop is stuck: the handler itself does that.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::{Handle, Signals};
use tokio::sync::{mpsc, watch};

/// 128 and the number of SIGINT, as shells report it.
const ENDED_BY_SIGINT: i32 = 130;

/// The signals of this process, as long as it lives.
pub struct Listening {
    handle: Handle,
    reloads: mpsc::Receiver<()>,
    stop: watch::Receiver<bool>,
}

impl Listening {
    /// A wish to take the configuration again. One that waits covers all that come before it is heard.
    pub async fn reload(&mut self) {
        if self.reloads.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }

    /// A wish to stop. It waits behind no reload, and stays.
    pub fn stop(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut stop = self.stop.clone();
        async move {
            // The thread that listens is gone only when we are going.
            let _gone = stop.wait_for(|stop| *stop).await;
        }
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
    let (reload, reloads) = mpsc::channel(1);
    let (stopping, stop) = watch::channel(false);
    thread::Builder::new().name(String::from("signals")).spawn(move || {
        for signal in signals.forever() {
            match signal {
                // Where one waits already, that one will see all that this one would.
                SIGHUP => drop(reload.try_send(())),
                _ => drop(stopping.send_replace(true)),
            }
        }
    })?;
    Ok(Listening { handle, reloads, stop })
}
