//! The log's own thread. Whoever tells an event never waits for it: a journald that hangs, or whoever else reads us,
//! must not stop the loop.

use std::io;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use super::sink::Sink;
use crate::event::{Event, Tell};
use crate::time::{HostClock, Timestamp};

/// Events that wait for the writer at most; a mass failure of a large fleet fits.
pub const QUEUE_MAX: usize = 4096;

/// Tells events to a sink, from a thread of its own.
pub struct Journal {
    queue: Mutex<Queue>,
    lost: Arc<AtomicU64>,
    now: HostClock,
}

/// Where events go until the end.
enum Queue {
    Open(SyncSender<Told>, JoinHandle<()>),
    Closed,
}

/// An event and when it was told.
struct Told {
    event: Event,
    at: Timestamp,
}

impl Journal {
    /// Starts the thread that writes to `sink`. At most `queue_max` events wait.
    pub fn start(sink: Box<dyn Sink>, now: HostClock, queue_max: usize) -> io::Result<Self> {
        let (sender, receiver) = sync_channel(queue_max);
        let lost = Arc::new(AtomicU64::new(0));
        let scribe = Scribe { sink, now: now.clone(), lost: Arc::clone(&lost), told_lost: 0, since_lost: 0, queue_max };
        let thread = Builder::new().name(String::from("journal")).spawn(move || scribe.write_all_of(&receiver))?;
        Ok(Self { queue: Mutex::new(Queue::Open(sender, thread)), lost, now })
    }

    /// Writes what waits and ends. It takes as long as the sink does: who has a deadline, calls it from a
    /// thread that can be left behind. What is told afterwards is counted and not written.
    pub fn close(&self) {
        let queue = mem::replace(&mut *self.queue.lock().unwrap_or_else(PoisonError::into_inner), Queue::Closed);
        if let Queue::Open(sender, thread) = queue {
            drop(sender);
            // It fails only if the thread panicked, and then all is lost that could be.
            let _ = thread.join();
        }
    }
}

impl Tell for Journal {
    fn tell(&self, event: Event) {
        let told = Told { event, at: self.now.now() };
        // Held for one try_send, which never waits: tellers hold each other up for nanoseconds.
        let is_taken = match &*self.queue.lock().unwrap_or_else(PoisonError::into_inner) {
            Queue::Open(sender, _) => sender.try_send(told).is_ok(),
            Queue::Closed => false,
        };
        if !is_taken {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// The one who writes.
struct Scribe {
    sink: Box<dyn Sink>,
    now: HostClock,
    /// All that were lost; it only grows.
    lost: Arc<AtomicU64>,
    /// Those of them that were told.
    told_lost: u64,
    /// Events since the last time that losses were told.
    since_lost: usize,
    queue_max: usize,
}

impl Scribe {
    fn write_all_of(mut self, queue: &Receiver<Told>) {
        loop {
            let told = match queue.try_recv() {
                Ok(told) => told,
                Err(TryRecvError::Disconnected) => break,
                Err(TryRecvError::Empty) => {
                    self.tell_lost();
                    let Ok(told) = queue.recv() else { break };
                    told
                }
            };
            if self.sink.put(&told.event, told.at).is_err() {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
            self.since_lost += 1;
            if self.since_lost >= self.queue_max {
                // The queue may never run empty under a flood, and then the losses matter most.
                self.tell_lost();
            }
        }
        self.tell_lost();
    }

    /// Tells how many events were lost, if the sink works; else it is told later.
    fn tell_lost(&mut self) {
        self.since_lost = 0;
        let lost = self.lost.load(Ordering::Relaxed);
        let count = lost - self.told_lost;
        if count > 0 && self.sink.put(&Event::EventsLost { count }, self.now.now()).is_ok() {
            self.told_lost = lost;
        }
    }
}
