//! The screen: bars of both halves, the score and the last events, drawn again and again in one place.
//!
//! What is drawn is a pure function of a [`Scene`]; the rest is a few escape sequences.

use std::io::{self, Write};
use std::time::Duration;

use super::score::Tally;

/// The width where the environment tells none.
const WIDTH: usize = 100;
/// Rows of iLOs at most; the others are only counted.
const ROWS_MAX: usize = 8;
/// Events shown at most.
pub(super) const EVENTS_MAX: usize = 8;

const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";
const BOLD: &str = "1";
const DIM: &str = "2";

/// One table at one moment.
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) used: usize,
    pub(super) limit: usize,
    pub(super) refused: usize,
}

/// All that is shown at one moment.
pub(super) struct Scene {
    pub(super) since: Duration,
    pub(super) length: Duration,
    pub(super) seed: u64,
    pub(super) bars: Vec<(Bar, Bar)>,
    pub(super) guarded: Tally,
    pub(super) bare: Tally,
    pub(super) events: Vec<String>,
}

/// How lines are made.
#[derive(Clone, Copy)]
pub(super) struct Look {
    pub(super) width: usize,
    pub(super) colour: bool,
}

impl Look {
    /// As the environment asks for.
    pub(super) fn of_environment() -> Self {
        let width = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { width: width.unwrap_or(WIDTH).clamp(40, 250), colour }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// The left half of a line, and the right one.
    fn beside(self, left: &[(&str, String)], right: &[(&str, String)]) -> String {
        let half = self.width / 2;
        let mut line = self.piece(left, half, true);
        line.push_str(&self.piece(right, self.width - half, false));
        line
    }

    /// Texts with their colours, cut to a width, and filled up to it where something follows.
    fn piece(self, parts: &[(&str, String)], width: usize, fill: bool) -> String {
        let (mut line, mut room) = (String::new(), width);
        for (code, text) in parts {
            let cut = cut(text, room);
            room -= cut.chars().count();
            line.push_str(&if code.is_empty() { cut } else { self.paint(code, &cut) });
        }
        if fill {
            line.push_str(&" ".repeat(room));
        }
        line
    }
}

/// The lines of a scene, none wider than the screen.
pub(super) fn lines(scene: &Scene, look: Look) -> Vec<String> {
    let clock = format!("  {} of {}   seed {}", minutes(scene.since), minutes(scene.length), scene.seed);
    let mut lines =
        vec![look.piece(&[(BOLD, String::from("ilo-reaper demo")), (DIM, clock)], look.width, false), String::new()];
    for (guarded, bare) in scene.bars.iter().take(ROWS_MAX) {
        lines.push(look.beside(&bar("guarded", guarded), &bar("bare   ", bare)));
    }
    if scene.bars.len() > ROWS_MAX {
        let more = format!("and {} more of each", scene.bars.len() - ROWS_MAX);
        lines.push(look.piece(&[(DIM, more)], look.width, false));
    }
    lines.push(String::new());
    lines.push(look.beside(&score(&scene.guarded), &score(&scene.bare)));
    let guarded = &scene.guarded;
    let live = if guarded.live_sessions_ended == 0 { GREEN } else { RED };
    let own = format!("   our logins per iLO {}", guarded.own_logins);
    lines.push(look.piece(
        &[
            ("", format!("orphans ended {}   ", guarded.sessions_reaped)),
            (live, format!("live sessions ended {}", guarded.live_sessions_ended)),
            ("", own),
        ],
        look.width,
        false,
    ));
    lines.push(String::new());
    let skipped = scene.events.len().saturating_sub(EVENTS_MAX);
    lines.extend(scene.events.iter().skip(skipped).map(|event| look.piece(&[(DIM, event.clone())], look.width, false)));
    lines.resize(lines.len() + EVENTS_MAX.saturating_sub(scene.events.len()), String::new());
    lines
}

fn bar(half: &str, bar: &Bar) -> Vec<(&'static str, String)> {
    let used = bar.used.min(bar.limit);
    let is_full = bar.used >= bar.limit;
    let code = if is_full {
        RED
    } else if bar.used + 4 > bar.limit {
        YELLOW
    } else {
        GREEN
    };
    let count = if is_full { String::from(" FULL ") } else { format!(" {:>2}/{:<2}", bar.used, bar.limit) };
    let refused = if bar.refused > 0 { format!(" refused {}", bar.refused) } else { String::new() };
    vec![
        ("", format!("{half} {:<7}[", bar.name)),
        (code, "#".repeat(used)),
        (DIM, ".".repeat(bar.limit - used)),
        ("", String::from("]")),
        (if is_full { RED } else { "" }, count),
        (RED, refused),
    ]
}

fn score(tally: &Tally) -> Vec<(&'static str, String)> {
    let code = if tally.refused_logins == 0 { GREEN } else { RED };
    vec![(code, format!("lock-outs {}   refused logins {}", tally.lock_outs, tally.refused_logins))]
}

fn minutes(time: Duration) -> String {
    format!("{}:{:02}", time.as_secs() / 60, time.as_secs() % 60)
}

/// At most so many characters, with a sign where there were more.
pub(super) fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(room.saturating_sub(1)).collect();
    cut.extend((room > 0).then_some('…'));
    cut
}

/// A place on a terminal. The terminal is as it was when this is dropped.
pub(super) struct Screen {
    look: Look,
    drawn: usize,
}

impl Screen {
    /// Begins where the cursor is.
    pub(super) fn open() -> io::Result<Self> {
        // No cursor, and no wrapping: a line that is too wide after all must stay one line.
        write(b"\x1b[?25l\x1b[?7l")?;
        Ok(Self { look: Look::of_environment(), drawn: 0 })
    }

    /// Draws over what was drawn before.
    pub(super) fn draw(&mut self, scene: &Scene) -> io::Result<()> {
        let lines = lines(scene, self.look);
        let mut frame = if self.drawn > 0 { format!("\x1b[{}A\r", self.drawn) } else { String::new() };
        for line in &lines {
            frame.push_str(line);
            frame.push_str("\x1b[K\n");
        }
        self.drawn = lines.len();
        write(frame.as_bytes())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Where the terminal is gone, there is nothing to restore.
        let _gone = write(b"\x1b[?7h\x1b[?25h");
    }
}

fn write(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene(used: usize) -> Scene {
        let bar = |name: &str, used, refused| Bar { name: name.to_owned(), used, limit: 16, refused };
        Scene {
            since: Duration::from_secs(83),
            length: Duration::from_secs(120),
            seed: 7,
            bars: vec![(bar("ilo-1", used, 0), bar("ilo-2", 16, 12))],
            guarded: Tally { sessions_reaped: 40, own_logins: 1, ..Tally::default() },
            bare: Tally { lock_outs: 1, refused_logins: 12, ..Tally::default() },
            events: vec!["notice   ".repeat(30)],
        }
    }

    #[test]
    fn both_halves_are_side_by_side() {
        let shown = lines(&scene(6), Look { width: 100, colour: false });
        assert_eq!(shown[0], "ilo-reaper demo  1:23 of 2:00   seed 7");
        let bars =
            "guarded ilo-1  [######..........]  6/16           bare    ilo-2  [################] FULL  refused 12";
        assert_eq!(shown[2], bars);
        assert!(
            shown[4].contains("lock-outs 0   refused logins 0") && shown[4].contains("lock-outs 1   refused logins 12")
        );
        assert_eq!(shown[5], "orphans ended 40   live sessions ended 0   our logins per iLO 1");
        assert_eq!(shown.len(), 7 + EVENTS_MAX);
    }

    #[test]
    fn no_line_is_wider_than_the_screen_and_each_has_one_height() {
        for (used, width) in [(0, 40), (6, 60), (13, 80), (17, 100)] {
            let plain = lines(&scene(used), Look { width, colour: false });
            assert!(plain.iter().all(|line| line.chars().count() <= width), "{plain:?}");
            let coloured = lines(&scene(used), Look { width, colour: true });
            assert_eq!((plain.len(), coloured.join("").contains('\x1b')), (coloured.len(), true));
        }
    }
}
