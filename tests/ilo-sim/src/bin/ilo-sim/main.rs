//! Simulated iLOs on loopback addresses, for unmodified Redfish clients to talk to.

mod accounts;
mod args;

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use ilo_sim::front::{Authority, Front, World};
use ilo_sim::{Account, Ilo, Logged, Moment, Spec};
use serde::Serialize;
use tokio::net::TcpListener;

use args::{Args, Asked};

fn main() -> ExitCode {
    let args = match Asked::of(std::env::args_os()) {
        Ok(Asked::World(args)) => *args,
        Ok(Asked::Text(text)) => return tell(&text),
        Err(error) => return explain(&error),
    };
    let outcome = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|why| Failure::new("cannot start", why))
        .and_then(|runtime| runtime.block_on(run(args)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(&failure);
            ExitCode::FAILURE
        }
    }
}

/// What failed, and why.
#[derive(Debug)]
struct Failure {
    what: String,
    why: String,
}

impl Failure {
    fn new(what: impl Into<String>, why: impl fmt::Display) -> Self {
        Self { what: what.into(), why: why.to_string() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}

/// Help goes to stdout, a mistake in the arguments to stderr in the form of all our messages.
fn explain(error: &clap::Error) -> ExitCode {
    if error.use_stderr() {
        let text = error.to_string();
        complain(text.strip_prefix("error: ").unwrap_or(&text).trim_end());
    } else if let Err(error) = error.print() {
        complain(format_args!("cannot write the help: {error}"));
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

fn tell(text: &[u8]) -> ExitCode {
    match io::stdout().write_all(text) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(format_args!("cannot write to standard output: {error}"));
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

fn complain(message: impl fmt::Display) {
    // Where stderr is gone there is nobody left to tell.
    let _gone = writeln!(io::stderr(), "ilo-sim: {message}");
}

async fn run(args: Args) -> Result<(), Failure> {
    let file = args.accounts.display();
    let text = fs::read_to_string(&args.accounts).map_err(|why| Failure::new(format!("cannot read {file}"), why))?;
    let accounts =
        accounts::parse(&text).map_err(|mistake| Failure::new(format!("{file}:{}", mistake.line), mistake.why))?;
    let world = world(&args)?;
    let authority = args.site_authority.as_deref().map(authority).transpose()?;
    let mut fronts = Vec::new();
    for (index, &address) in args.ilos.iter().enumerate() {
        let front = switch_on(&args, index, address, &accounts, world.clone()).await?;
        if let Some(authority) = &authority {
            let certified = authority.issue(address).and_then(|certificate| front.replace_certificate(certificate));
            certified.map_err(|why| Failure::new(format!("no certificate for {address}"), why))?;
        }
        fronts.push(front);
    }
    announce(&fronts).map_err(|why| Failure::new("cannot write to standard output", why))?;
    std::future::pending().await
}

/// An authority for the iLOs, and its certificate in a file.
fn authority(file: &Path) -> Result<Authority, Failure> {
    let authority = Authority::new().map_err(|why| Failure::new("no authority", why))?;
    fs::write(file, authority.pem()).map_err(|why| Failure::new(format!("cannot write {}", file.display()), why))?;
    Ok(authority)
}

async fn switch_on(
    args: &Args,
    index: usize,
    address: IpAddr,
    accounts: &[Account],
    world: World,
) -> Result<Front, Failure> {
    let ilo = ilo(args, index, address, accounts);
    let place = format!("{}:{}", ilo.spec().host, args.port);
    let cannot = |why| Failure::new(format!("cannot listen on {place}"), why);
    let listener = TcpListener::bind((address, args.port)).await.map_err(cannot)?;
    Front::serve(listener, Arc::new(Mutex::new(ilo)), world).map_err(cannot)
}

/// The iLO of this number, as the arguments want it.
fn ilo(args: &Args, index: usize, address: IpAddr, accounts: &[Account]) -> Ilo {
    let personality = args.personality.get(index % args.personality.len().max(1)).copied().unwrap_or_default();
    let mut ilo = Ilo::new(Spec {
        personality,
        limit: args.limit,
        kind_limits: args.kind_limit.clone(),
        session_timeout_min: args.timeout,
        rest_tag: args.rest_tag.clone(),
        basic_leaves_every: args.basic_leaves_every,
        basic_auth: args.basic_auth,
        two_factor: args.two_factor.clone(),
        wrong_password_status: args.wrong_password_status,
        table_full_status: args.full_status,
        clock_offset_s: args.clock_offset,
        utc_offset_min: args.utc_offset,
        managed_by: args.managed_by.clone(),
        app_accounts: args.app_account.clone(),
        busy_while_flashing: args.busy_while_flashing,
        seed: args.seed.wrapping_add(index as u64),
        accounts: accounts.to_vec(),
        host: if address.is_ipv6() { format!("[{address}]") } else { address.to_string() },
        ..Spec::new(format!("ilo-{}", index + 1))
    });
    ilo.set_update_state(args.update_state);
    for session in &args.session {
        ilo.admit(host_now(), session.clone());
    }
    ilo
}

/// Tells scripts where each iLO is, and that all are there.
fn announce(fronts: &[Front]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for front in fronts {
        let ilo = front.ilo().lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(out, "{} {} {}", front.address(), ilo.spec().name, front.fingerprint())?;
    }
    writeln!(out, "ready")?;
    out.flush()
}

fn world(args: &Args) -> Result<World, Failure> {
    let log = match &args.log {
        None => None,
        Some(path) if path.as_os_str() == "-" => Some(Log::to(io::stdout())),
        Some(path) => {
            let file =
                File::create(path).map_err(|why| Failure::new(format!("cannot write {}", path.display()), why))?;
            Some(Log::to(file))
        }
    };
    // Observed also without a log, so that the iLOs do not keep one that nobody reads.
    let world = World::new(host_now).observed_by(move |ilo, logged| {
        if let Some(log) = &log {
            log.write(ilo, logged);
        }
    });
    Ok(args.seen_as.iter().fold(world, |world, seen| world.seen_as(seen.from, seen.shown)))
}

/// The request log: one JSON object a line, each written at once, for scripts that wait for it.
struct Log(Mutex<Box<dyn Write + Send>>);

/// A line of the log.
#[derive(Serialize)]
struct Line<'a> {
    ilo: &'a str,
    #[serde(flatten)]
    logged: &'a Logged,
}

impl Log {
    fn to(out: impl Write + Send + 'static) -> Self {
        Self(Mutex::new(Box::new(out)))
    }

    fn write(&self, ilo: &str, logged: &Logged) {
        let mut out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let written = serde_json::to_string(&Line { ilo, logged })
            .map_err(io::Error::from)
            .and_then(|line| writeln!(out, "{line}"))
            .and_then(|()| out.flush());
        if let Err(why) = written {
            complain(format_args!("cannot write the log: {why}"));
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the program's only reading of the host's clock")]
fn host_now() -> Moment {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment::default() + since_epoch
}

#[cfg(test)]
mod tests {
    use ilo_sim::{BasicAuth, Personality, UpdateState};

    use super::*;

    #[test]
    fn ilos_take_turns_in_personality_and_share_all_other_choices() {
        let line = "ilo-sim --ilos 127.0.1.1-3 --accounts a --personality ilo4-2.55,generic --limit 3 --timeout 0 \
            --kind-limit REST=2 --rest-tag Odd --basic-auth disabled --two-factor 123 --full-status 500 \
            --wrong-password-status 400 --utc-offset 60 --managed-by https://oneview.example.net --app-account AMS \
            --update-state writing --busy-while-flashing --session SSH:alice@192.0.2.9 --seed 7";
        let Ok(Asked::World(args)) = Asked::of(line.split_whitespace().map(Into::into)) else { panic!("no world") };
        let ilos: Vec<_> = (0..3).map(|index| ilo(&args, index, args.ilos[index], &[])).collect();
        let personalities: Vec<_> = ilos.iter().map(|ilo| ilo.spec().personality).collect();
        assert_eq!(personalities, [Personality::Ilo4V255, Personality::Generic, Personality::Ilo4V255]);
        let spec = ilos[1].spec();
        assert_eq!((spec.name.as_str(), spec.host.as_str(), spec.seed), ("ilo-2", "127.0.1.2", 8));
        assert_eq!((spec.limit, spec.session_timeout_min, spec.utc_offset_min), (3, 0, 60));
        assert_eq!((spec.kind_limits.len(), spec.rest_tag.as_deref()), (1, Some("Odd")));
        assert_eq!((spec.basic_auth, spec.two_factor.as_deref()), (BasicAuth::Disabled, Some("123")));
        assert_eq!((spec.table_full_status.as_u16(), spec.wrong_password_status.as_u16()), (500, 400));
        assert_eq!((spec.managed_by.is_some(), spec.app_accounts.len(), spec.busy_while_flashing), (true, 1, true));
        assert_eq!(args.update_state, UpdateState::Writing);
        let there: Vec<_> = ilos[1].sessions(host_now()).map(|session| session.owner.as_str()).collect();
        assert_eq!(there, ["alice"]);
    }
}
