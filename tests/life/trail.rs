//! What happened, for people: the last exchanges and events of a life, and one number for all of them.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};

/// How much of it a story shows.
const SHOWN: usize = 400;

/// The end of a life's story, and a digest of all of it.
#[derive(Default)]
pub(crate) struct Trail {
    last: VecDeque<(u64, Step)>,
    digest: u64,
    steps: u64,
}

/// One thing that happened.
pub(crate) enum Step {
    /// A request of ours, and what became of it.
    Exchange { ilo: usize, method: http::Method, path: String, status: Option<u16>, note: Option<String> },
    /// Something that the daemon told.
    Told(&'static str, String),
    /// Something that the world did.
    Act(String),
}

impl Trail {
    pub(crate) fn step(&mut self, at_ms: u64, step: Step) {
        self.steps += 1;
        self.mix(&at_ms.to_le_bytes());
        match &step {
            Step::Exchange { ilo, method, path, status, note: _ } => {
                self.mix(&[u8::try_from(*ilo).unwrap_or(u8::MAX)]);
                self.mix(method.as_str().as_bytes());
                self.mix(path.as_bytes());
                self.mix(&status.unwrap_or_default().to_le_bytes());
            }
            Step::Told(name, detail) => {
                self.mix(name.as_bytes());
                self.mix(detail.as_bytes());
            }
            Step::Act(what) => self.mix(what.as_bytes()),
        }
        if self.last.len() == SHOWN {
            self.last.pop_front();
        }
        self.last.push_back((at_ms, step));
    }

    /// FNV-1a over everything: two runs with the same digest took the same way.
    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    fn mix(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.digest = (self.digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// The last steps, one a line.
    pub(crate) fn story(&self) -> String {
        let mut story = String::new();
        for (at_ms, step) in &self.last {
            // Writing into a string does not fail.
            let _ = writeln!(story, "{} {step}", clock(*at_ms));
        }
        story
    }
}

/// `hh:mm:ss.mmm` since the beginning.
pub(crate) fn clock(at_ms: u64) -> String {
    let (seconds, ms) = (at_ms / 1000, at_ms % 1000);
    format!("{:02}:{:02}:{:02}.{ms:03}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exchange { ilo, method, path, status, note } => {
                write!(f, "   ilo-{ilo:02} {method} {path} → ")?;
                match status {
                    Some(status) => write!(f, "{status}")?,
                    None => f.write_str("no answer")?,
                }
                note.as_ref().map_or(Ok(()), |note| write!(f, "   ({note})"))
            }
            Self::Told(name, detail) => write!(f, "   told: {name} {detail}"),
            Self::Act(what) => write!(f, "** {what}"),
        }
    }
}
