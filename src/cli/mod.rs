//! Argv to exit code.
//!
//! | module | what it is |
//! | --- | --- |
//! | `args` | the command line |
//! | `visits` | `sweep` and `list`: one round, as a table or JSON |
//! | `running` | what is asked of the daemon that runs |
//! | `trust` | `trust`: fingerprints, what changed, `known_ilos` |
//! | `pages` | `man` and `completions`: made from the command line and the configuration as they are |
//! | `demo` | a simulated fleet on loopback (a feature, on by default) |

mod args;
#[cfg(feature = "demo")]
mod demo;
mod pages;
mod running;
mod trust;
mod visits;

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use clap::Parser;
use http::StatusCode;
use serde_json::json;

use self::args::{Args, What};
use crate::config::{Credentials, Surroundings};
use crate::control::Failed;
use crate::daemon::{self, Places, StartError};
use crate::event::Teller;
use crate::report::{Form, Journal, Journald, Lines, QUEUE_MAX, Sink};
use crate::settings::LogFormat;
use crate::time::HostClock;

/// Exit codes, as `sysexits.h` has them where it has one.
mod exit {
    pub(super) const FAILED: u8 = 1;
    pub(super) const USAGE: u8 = 2;
    pub(super) const NO_DAEMON: u8 = 69;
    pub(super) const BUG: u8 = 70;
    pub(super) const CONFIGURATION: u8 = 78;
}

/// Where the configuration is unless something else is said.
const CONFIG: &str = "/etc/ilo-reaper/ilo-reaper.yaml";
/// Where the state is, unless the service manager says so.
const STATE: &str = "/var/lib/ilo-reaper";

/// Where the control socket is, unless the service manager says so.
const RUN: &str = "/run/ilo-reaper";
/// Its name there.
const SOCKET: &str = "control.sock";

/// How long the last events may take on their way out.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Why a command failed.
#[derive(Debug)]
enum Failure {
    /// The command line makes no sense.
    Usage(String),
    /// The daemon's parts did not start.
    Start(StartError),
    /// The running daemon did not do it.
    Asked(Failed),
    /// Another failure, told whole.
    Plain(String),
    /// Told already, in the command's own output.
    Told,
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Asked(Failed::Refused(StatusCode::BAD_REQUEST, _)) => exit::USAGE,
            Self::Start(StartError::Mistakes(_))
            | Self::Asked(Failed::Refused(StatusCode::UNPROCESSABLE_ENTITY, _)) => exit::CONFIGURATION,
            Self::Asked(Failed::NoDaemon(..)) => exit::NO_DAEMON,
            Self::Start(StartError::Bug(_)) => exit::BUG,
            Self::Start(_) | Self::Asked(_) | Self::Plain(_) | Self::Told => exit::FAILED,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) | Self::Plain(text) => f.write_str(text),
            Self::Start(error) => error.fmt(f),
            Self::Asked(failed) => failed.fmt(f),
            Self::Told => Ok(()),
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        Self::Start(error)
    }
}

impl From<Failed> for Failure {
    fn from(failed: Failed) -> Self {
        Self::Asked(failed)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Plain(error.to_string())
    }
}

/// Runs the command that `argv` asks for. A bug that panics is told as one.
pub fn main(argv: impl IntoIterator<Item = OsString> + std::panic::UnwindSafe) -> ExitCode {
    or_bug(|| run(argv))
}

fn or_bug(run: impl FnOnce() -> ExitCode + std::panic::UnwindSafe) -> ExitCode {
    std::panic::catch_unwind(run).unwrap_or_else(|_| {
        complain("this is a bug: please report it with the lines above");
        ExitCode::from(exit::BUG)
    })
}

fn run(argv: impl IntoIterator<Item = OsString>) -> ExitCode {
    let asked = match Args::try_parse_from(argv) {
        Ok(asked) => asked,
        Err(error) => return explain(&error),
    };
    if let Err(failure) = trace() {
        complain(&failure);
        return ExitCode::from(failure.code());
    }
    match obey(asked) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !matches!(failure, Failure::Told) {
                complain(&failure);
            }
            ExitCode::from(failure.code())
        }
    }
}

fn obey(args: Args) -> Result<(), Failure> {
    match args.what {
        What::Run => run_daemon(&places(args.config)?),
        What::Sweep(sweep) => visits::sweep(&places(args.config)?, &sweep),
        What::List(list) => visits::list(&places(args.config)?, &list),
        What::Trust(asked) => trust::trust(&without_logins(places(args.config)?), &asked),
        What::Check { json } => check(&without_logins(places(args.config)?), json),
        What::Reload => running::reload(&places(args.config)?),
        What::Status { json } => running::status(&places(args.config)?, json),
        What::Pause(pause) => running::pause(&places(args.config)?, &pause),
        What::Resume => running::resume(&places(args.config)?),
        What::Protect(protect) => running::protect(&places(args.config)?, &protect),
        #[cfg(feature = "demo")]
        What::Demo(demo) => demo::run(&demo),
        What::Man { dir } => pages::man(dir.as_deref()),
        What::Completions { shell } => pages::completions(shell),
    }
}

/// What the environment says, read once.
fn places(config: Option<PathBuf>) -> Result<Places, Failure> {
    let of = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    // The owner of our own entry in /proc is who we run as.
    let own = fs::metadata("/proc/self").map_err(|error| Failure::Plain(format!("cannot read /proc/self: {error}")))?;
    // systemd separates several directories by colons; ours is the first.
    let first = |name| of(name)?.into_string().ok()?.split(':').next().map(PathBuf::from);
    let state = first("STATE_DIRECTORY");
    // Where a person runs it on a state of its own, it has a socket of its own too.
    let run = first("RUNTIME_DIRECTORY").or_else(|| state.clone()).unwrap_or_else(|| PathBuf::from(RUN));
    let state = state.unwrap_or_else(|| PathBuf::from(STATE));
    // Root judges files as the service will: by the user that the state belongs to.
    let service = fs::metadata(&state).ok().filter(|service| own.uid() == 0 && service.uid() != 0);
    let user = service.as_ref().unwrap_or(&own);
    let named = config.or_else(|| of("ILO_REAPER_CONFIG").map(PathBuf::from));
    let named = named.map(|named| std::path::absolute(&named).unwrap_or(named));
    Ok(Places {
        is_config_named: named.is_some(),
        config: named.unwrap_or_else(|| PathBuf::from(CONFIG)),
        control: run.join(SOCKET),
        state,
        surroundings: Surroundings {
            credentials: of("CREDENTIALS_DIRECTORY").map_or(Credentials::Missing, |at| Credentials::In(at.into())),
            uid: user.uid(),
            gid: user.gid(),
        },
    })
}

/// The same for a command that logs in nowhere: credentials that only the service has are not missing there.
fn without_logins(places: Places) -> Places {
    Places { surroundings: places.surroundings.without_logins(), ..places }
}

fn run_daemon(places: &Places) -> Result<(), Failure> {
    let loaded = daemon::load(places)?;
    let opened = if std::env::var_os("NOTIFY_SOCKET").is_some() {
        daemon::await_state(places, || complain("another ilo-reaper has the state; waiting until it ends"))?
    } else {
        daemon::open(places)?
    };
    let journal = Arc::new(Journal::start(sink(loaded.settings.report.log)?, HostClock::real(), QUEUE_MAX)?);
    let teller: Teller = journal.clone();
    let ended = daemon::run(places, loaded, opened, &teller);
    say_goodbye(journal);
    Ok(ended?)
}

/// Where the log goes.
fn sink(log: LogFormat) -> Result<Box<dyn Sink>, Failure> {
    match Form::choose(log, has_journal_stream(), io::stdout().is_terminal()) {
        Form::Lines(format) => Ok(Box::new(Lines::new(Box::new(io::stdout()), format))),
        Form::Journald => {
            let journald = Journald::new(PathBuf::from(Journald::PATH))?;
            if !journald.is_heard() {
                complain(format_args!(
                    "warning: nobody listens at {}, and events are lost until somebody does; where no systemd runs, \
                     set `report: {{ log: json }}`",
                    Journald::PATH
                ));
            }
            Ok(Box::new(journald))
        }
    }
}

/// The journal for a command that does the daemon's work without one; `None` where nobody listens.
fn journal_beside() -> Result<Option<Arc<Journal>>, Failure> {
    let journald = Journald::new(PathBuf::from(Journald::PATH))?;
    if !journald.is_heard() {
        return Ok(None);
    }
    Ok(Some(Arc::new(Journal::start(Box::new(journald), HostClock::real(), QUEUE_MAX)?)))
}

/// Whether our standard error goes to journald. That the variable is set is not enough: a shell that a service started
/// inherits it.
fn has_journal_stream() -> bool {
    let stream = io::stderr().as_fd().try_clone_to_owned().and_then(|stream| File::from(stream).metadata());
    let own = stream.ok().map(|stream| format!("{}:{}", stream.dev(), stream.ino()));
    own.is_some() && std::env::var("JOURNAL_STREAM").ok() == own
}

/// Lets the log write what waits, unless its reader hangs.
fn say_goodbye(journal: Arc<Journal>) {
    let (sender, closed) = mpsc::channel();
    let closing = thread::Builder::new().name(String::from("goodbye")).spawn(move || {
        journal.close();
        sender.send(())
    });
    if closing.is_ok() {
        // Who does not read by then, will not: the process ends, and its threads with it.
        let _late = closed.recv_timeout(LAST_WORDS);
    }
}

fn check(places: &Places, as_json: bool) -> Result<(), Failure> {
    match daemon::load(places) {
        Ok(loaded) => {
            let groups: std::collections::BTreeSet<&str> =
                loaded.settings.targets.values().map(|target| target.group.as_str()).collect();
            let ilos = loaded.settings.targets.len();
            if as_json {
                let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
                return say(
                    &json!({ "v": 1, "good": true, "ilos": ilos, "groups": groups.len(), "mistakes": [], "warnings": warnings }),
                );
            }
            for warning in &loaded.warnings {
                complain(format_args!("warning: {warning}"));
            }
            say(&format!("{}: good (iLOs: {ilos}, groups: {})", places.config.display(), groups.len()))
        }
        Err(StartError::Mistakes(mistakes)) if as_json => {
            let told: Vec<_> = (mistakes.iter())
                .map(|one| json!({ "file": one.file.display().to_string(), "line": one.line, "column": one.column, "mistake": one.text }))
                .collect();
            say(&json!({ "v": 1, "good": false, "mistakes": told }))?;
            Err(Failure::Start(StartError::Mistakes(mistakes)))
        }
        Err(error) => Err(error.into()),
    }
}

/// Writes a document or a line to standard output.
fn say(text: &(impl fmt::Display + ?Sized)) -> Result<(), Failure> {
    let written = writeln!(io::stdout(), "{text}");
    match written {
        // Whoever reads us has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

fn complain(message: impl fmt::Display) {
    // Where stderr is gone there is nobody left to tell.
    let _gone = writeln!(io::stderr(), "ilo-reaper: {message}");
}

/// Help goes to standard output, a mistake to standard error in the form of all our messages.
fn explain(error: &clap::Error) -> ExitCode {
    if error.use_stderr() {
        let text = error.to_string();
        complain(text.strip_prefix("error: ").unwrap_or(&text).trim_end());
        return ExitCode::from(exit::USAGE);
    }
    if let Err(error) = error.print() {
        complain(format_args!("cannot write the help: {error}"));
    }
    ExitCode::SUCCESS
}

/// `ILO_REAPER_LOG=debug` shows each exchange on standard error. Only our own code is shown: what libraries
/// say was not read for secrets.
fn trace() -> Result<(), Failure> {
    let Some(level) = std::env::var_os("ILO_REAPER_LOG").filter(|level| !level.is_empty()) else { return Ok(()) };
    let level = level.to_string_lossy().to_ascii_lowercase();
    if !["error", "warn", "info", "debug", "trace", "off"].contains(&level.as_str()) {
        return Err(Failure::Usage(format!(
            "ILO_REAPER_LOG is '{level}', expected off, error, warn, info, debug or trace"
        )));
    }
    let filter = tracing_subscriber::EnvFilter::new(format!("ilo_reaper={level}"));
    // Else it complains about a stderr that is gone on stderr, and panics in the middle of a visit.
    let quiet = tracing_subscriber::fmt().log_internal_errors(false);
    quiet.with_env_filter(filter).with_writer(io::stderr).with_ansi(false).init();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bug_exits_with_70_and_nothing_else_does() {
        assert_eq!(or_bug(|| panic!("a bug")), ExitCode::from(70));
        assert_eq!(or_bug(|| ExitCode::from(exit::USAGE)), ExitCode::from(2));
    }
}
