//! The real program, in a process of its own.

use std::io::{BufRead, BufReader, Read};
use std::process::{ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ilo_sim::Logged;
use serde_json::Value;

use super::bell::Bell;
use super::site::{Requests, SESSIONS, Site};

/// A process of ours. It is killed when this is dropped.
pub(super) struct Program {
    pid: u32,
    said: Arc<Mutex<Said>>,
    bell: Bell,
    requests: Requests,
    /// Its standard output, where nobody reads it.
    unread: Option<ChildStdout>,
}

/// Who reads what a process says.
#[derive(Clone, Copy)]
enum Readers {
    /// The story.
    Listen,
    /// Somebody who does not.
    Hang,
    /// Nobody any more.
    Gone,
}

/// What a process said so far.
#[derive(Clone, Default)]
pub(super) struct Said {
    /// Standard output, in lines.
    pub(super) lines: Vec<String>,
    /// Standard error.
    pub(super) complaints: String,
    /// How many of the two are still open.
    open: usize,
    /// How it ended, once it did.
    status: Option<ExitStatus>,
}

/// A process that ended.
pub(super) struct Ended {
    /// Its exit code; `None` where a signal ended it.
    pub(super) code: Option<i32>,
    /// Standard output.
    pub(super) out: String,
    /// Standard error.
    pub(super) err: String,
}

impl Site {
    /// The daemon, when it is ready.
    pub(super) fn daemon(&self) -> Program {
        let daemon = self.start(&["run"], &[]);
        daemon.hears("daemon.ready");
        daemon
    }

    /// Runs a command to its end.
    pub(super) fn ask(&self, args: &[&str]) -> Ended {
        self.start(args, &[]).ended()
    }

    /// Starts the program with the files of this site.
    pub(super) fn start(&self, args: &[&str], environment: &[(&str, &str)]) -> Program {
        self.program(args, environment, Readers::Listen)
    }

    /// Starts the program with outputs whose readers are gone, and a trace on.
    pub(super) fn start_unheard(&self, args: &[&str]) -> Program {
        self.program(args, &[("ILO_REAPER_LOG", "trace")], Readers::Gone)
    }

    /// Starts the daemon with a standard output whose reader hangs.
    pub(super) fn start_unread(&self) -> Program {
        self.program(&["run"], &[], Readers::Hang)
    }

    fn program(&self, args: &[&str], environment: &[(&str, &str)], readers: Readers) -> Program {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ilo-reaper"))
            .args(args)
            .env_clear()
            .env("ILO_REAPER_CONFIG", self.config_path())
            .env("STATE_DIRECTORY", self.state())
            .env("RUNTIME_DIRECTORY", self.path("run"))
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = Arc::new(Mutex::new(Said::default()));
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let mut unread = None;
        match readers {
            Readers::Listen => {
                listen(out, &said, &self.bell, |said, line| said.lines.push(line.trim_end().to_owned()));
                listen(err, &said, &self.bell, |said, line| said.complaints.push_str(line));
            }
            Readers::Hang => {
                listen(err, &said, &self.bell, |said, line| said.complaints.push_str(line));
                unread = Some(out);
            }
            Readers::Gone => {}
        }
        let (bell, requests) = (self.bell.clone(), Arc::clone(&self.requests));
        let program = Program { pid: child.id(), said, bell, requests, unread };
        let (said, bell) = (Arc::clone(&program.said), self.bell.clone());
        std::thread::spawn(move || {
            let status = child.wait().unwrap();
            lock(&said).status = Some(status);
            bell.ring();
        });
        program
    }
}

/// Takes in what comes from `pipe`, on a thread of its own.
fn listen(
    pipe: impl Read + Send + 'static,
    said: &Arc<Mutex<Said>>,
    bell: &Bell,
    take: impl Fn(&mut Said, &str) + Send + 'static,
) {
    let (said, bell) = (Arc::clone(said), bell.clone());
    lock(&said).open += 1;
    std::thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = String::new();
        while pipe.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
            take(&mut lock(&said), &line);
            line.clear();
            bell.ring();
        }
        lock(&said).open -= 1;
        bell.ring();
    });
}

impl Program {
    /// Sends it a signal, so many times.
    pub(super) fn signal(&self, name: &str, times: usize) {
        assert!(self.runs(), "{}", self.story());
        let script = r#"n=0; while [ "$n" -lt "$2" ]; do kill -s "$0" "$1" || exit 1; n=$((n + 1)); done"#;
        let (pid, times) = (self.pid.to_string(), times.to_string());
        let sent = Command::new("sh").args(["-c", script, name, &pid, &times]).status().unwrap();
        assert!(sent.success(), "{}", self.story());
    }

    /// Asks it to stop, and waits until it did, well.
    pub(super) fn stop(self) -> Ended {
        self.signal("TERM", 1);
        let ended = self.ended();
        assert_eq!(ended.code, Some(0), "{}\n{}", ended.out, ended.err);
        ended
    }

    /// Kills it, and waits until it is gone.
    pub(super) fn kill(self) {
        self.signal("KILL", 1);
        assert_eq!(self.ended().code, None);
    }

    /// Waits for its end.
    pub(super) fn ended(mut self) -> Ended {
        let mut ended = self.until("its end", || {
            let said = lock(&self.said);
            let status = said.status.filter(|_| said.open == 0)?;
            Some(Ended { code: status.code(), out: said.lines.join("\n"), err: said.complaints.clone() })
        });
        if let Some(mut unread) = self.unread.take() {
            unread.read_to_string(&mut ended.out).unwrap();
        }
        ended
    }

    /// How many TCP sockets it listens on.
    pub(super) fn listening(&self) -> usize {
        let links = std::fs::read_dir(format!("/proc/{}/fd", self.pid)).unwrap();
        let own: Vec<String> = links
            .filter_map(|link| std::fs::read_link(link.ok()?.path()).ok()?.to_str().map(str::to_owned))
            .filter_map(|link| Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
            .collect();
        let tables =
            ["tcp", "tcp6"].map(|table| std::fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default());
        let fields =
            tables.iter().flat_map(|table| table.lines()).map(|line| line.split_whitespace().collect::<Vec<_>>());
        // Field 3 is the state, 0A a listener, and field 9 the inode (proc(5)).
        fields.filter(|fields| fields.get(3) == Some(&"0A") && own.iter().any(|inode| fields[9] == inode)).count()
    }

    /// Whether it goes on.
    pub(super) fn runs(&self) -> bool {
        lock(&self.said).status.is_none()
    }

    /// The events of this name so far.
    pub(super) fn heard(&self, name: &str) -> Vec<Value> {
        let events = lock(&self.said).lines.iter().map(|line| event(line)).collect::<Vec<_>>();
        events.into_iter().filter(|event| event["event"] == name).collect()
    }

    /// The first event of this name, as soon as it is told.
    pub(super) fn hears(&self, name: &str) -> Value {
        self.hears_more(name, 0).remove(0)
    }

    /// All events of this name, as soon as there are more than so many.
    pub(super) fn hears_more(&self, name: &str, than: usize) -> Vec<Value> {
        self.until(name, || Some(self.heard(name)).filter(|heard| heard.len() > than))
    }

    /// Waits until this iLO got so many visits more, from beginning to end.
    pub(super) fn visits(&self, ilo: &str, times: usize) {
        let looks = || {
            let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
            let is_look = |logged: &Logged| logged.path == SESSIONS && logged.method == "GET";
            requests.iter().filter(|(name, logged)| name == ilo && is_look(logged)).count()
        };
        let before = looks();
        // The first may be of a visit that is on its way, and the last of one that has only begun.
        self.until("visits", || (looks() >= before + times + 2).then_some(()));
    }

    /// Waits until something holds.
    pub(super) fn until_true(&self, what: &str, holds: impl Fn() -> bool) {
        self.until(what, || holds().then_some(()));
    }

    /// Waits until `look` finds something.
    pub(super) fn until<T>(&self, what: &str, look: impl FnMut() -> Option<T>) -> T {
        self.bell.until(look).unwrap_or_else(|| panic!("waited in vain for {what}\n{}", self.story()))
    }

    /// What happened, for a failing test to show.
    pub(super) fn story(&self) -> String {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let requests: Vec<String> = requests.iter().map(|(ilo, logged)| format!("{ilo} {logged:?}")).collect();
        let said = lock(&self.said);
        format!("{}\n\n{}\n{}", requests.join("\n"), said.lines.join("\n"), said.complaints)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.runs() {
            let pid = self.pid.to_string();
            let _killed = Command::new("sh").args(["-c", r#"kill -s KILL "$0""#, &pid]).status();
            self.bell.until(|| (!self.runs()).then_some(()));
        }
    }
}

/// A line of the log.
pub(super) fn event(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"))
}

fn lock(said: &Mutex<Said>) -> MutexGuard<'_, Said> {
    said.lock().unwrap_or_else(PoisonError::into_inner)
}
