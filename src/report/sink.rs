//! Where the log goes: lines to an output, or entries to journald.

use std::fmt::{Display, Write as _};
use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use super::fields::{Value, fields};
use super::line::{Format, worded};
use crate::event::Event;
use crate::settings::LogFormat;
use crate::time::Timestamp;

/// Takes one event after another.
pub trait Sink: Send {
    /// Writes an event that was told at that time. What fails is not tried again.
    fn put(&mut self, event: &Event, at: Timestamp) -> io::Result<()>;
}

/// The form of the log, once it is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Entries with fields, to journald.
    Journald,
    /// Lines, to standard output.
    Lines(Format),
}

impl Form {
    /// What `log` means for a process whose standard error is journald's stream or not (`JOURNAL_STREAM` names its
    /// device and inode, `systemd.exec(5)`), and whose standard output is a terminal or not.
    pub const fn choose(log: LogFormat, has_journal_stream: bool, is_terminal: bool) -> Self {
        match (log, has_journal_stream, is_terminal) {
            (LogFormat::Journald, _, _) | (LogFormat::Auto, true, _) => Self::Journald,
            (LogFormat::Text, _, _) | (LogFormat::Auto, false, true) => Self::Lines(Format::Text),
            (LogFormat::Json, _, _) | (LogFormat::Auto, false, false) => Self::Lines(Format::Json),
        }
    }
}

/// Lines to an output.
pub struct Lines {
    output: Box<dyn Write + Send>,
    format: Format,
    /// The last write failed, perhaps in the middle of a line.
    is_torn: bool,
}

impl Lines {
    /// Writes lines of this format, each at once.
    pub fn new(output: Box<dyn Write + Send>, format: Format) -> Self {
        Self { output, format, is_torn: false }
    }
}

impl Sink for Lines {
    fn put(&mut self, event: &Event, at: Timestamp) -> io::Result<()> {
        let mut line = self.format.line(event, at);
        if self.is_torn {
            line.insert(0, '\n');
        }
        let written = self.output.write_all(line.as_bytes()).and_then(|()| self.output.flush());
        self.is_torn = written.is_err();
        written
    }
}

/// Entries to journald, over its own protocol.
///
/// A journald that hangs makes [`put`](Sink::put) wait until it goes on, so that nothing is lost which the queue before
/// it still holds. One that is stopped makes it fail; one that comes back gets the next entry, because each finds its
/// way anew.
pub struct Journald {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Journald {
    /// Where journald listens.
    pub const PATH: &'static str = "/run/systemd/journal/socket";

    /// Sends to whoever listens at `path`, now or later.
    pub fn new(path: PathBuf) -> io::Result<Self> {
        Ok(Self { socket: UnixDatagram::unbound()?, path })
    }

    /// Whether somebody listens there now.
    pub fn is_heard(&self) -> bool {
        UnixDatagram::unbound().and_then(|probe| probe.connect(&self.path)).is_ok()
    }
}

impl Sink for Journald {
    fn put(&mut self, event: &Event, at: Timestamp) -> io::Result<()> {
        self.socket.send_to(entry(event, at).as_bytes(), &self.path).map(drop)
    }
}

/// An event in journald's protocol (<https://systemd.io/JOURNAL_NATIVE_PROTOCOL>): a line for each field, which does
/// because no value of ours has a line end in it. All are bounded, so that an entry always fits into one datagram.
///
/// A list becomes a field for each element, which is how the journal finds entries by any of them. What is not known
/// has no field.
pub(super) fn entry(event: &Event, at: Timestamp) -> String {
    let mut entry = String::new();
    let mut field = |key: &str, value: &dyn Display| {
        // Writing to a String can't fail.
        let _ = writeln!(entry, "{key}={value}");
    };
    field("MESSAGE", &worded(event));
    field("PRIORITY", &event.priority().syslog());
    field("MESSAGE_ID", &format_args!("{:032x}", event.label().message_id));
    field("SYSLOG_IDENTIFIER", &"ilo-reaper");
    field("ILO_REAPER_EVENT", &event.name());
    // The journal's own time is when it took the entry, which may have waited.
    field("ILO_REAPER_TS", &at);
    for (key, value) in fields(event).iter() {
        let key = format!("ILO_REAPER_{}", key.to_ascii_uppercase());
        match value {
            Value::Unknown => {}
            Value::Number(number) => field(&key, number),
            Value::Text(text) => field(&key, text),
            Value::List(elements) => elements.iter().for_each(|element| field(&key, element)),
        }
    }
    entry
}
