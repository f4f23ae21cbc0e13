//! Years of life in minutes: the whole daemon and a fleet of simulated iLOs in one process, under virtual time, with
//! every fault on, judged after every request by an oracle that shares no code with the daemon.
//!
//! ```text
//! cargo life                          the lives that every change must survive
//! cargo life --seeds 2000             as many, from seed 1 on
//! cargo life --minutes 60             for so long
//! cargo life --seed 17                one life; if it breaks a rule, the shortest that still does, as a story
//! cargo life --script FILE            the same from a script, as a story prints it
//! ```
//!
//! | module | what it is |
//! | --- | --- |
//! | `script` | a life as data |
//! | `draw`, `policies`, `plots`, `chance` | from a seed to a script |
//! | `life` | the driver: moves time, and everything in it |
//! | `world`, `wire`, `disk`, `host` | iLOs and time; the two seams, with all that can go wrong there; the daemon's host |
//! | `crowd`, `deeds`, `spoil` | those who use the iLOs; who comes at the worst moment; answers that lie |
//! | `oracle` | the second opinion |
//! | `shrink`, `trail` | from a broken rule to a story |

#![expect(clippy::disallowed_methods, reason = "the report tells how long all lives took; no life knows")]
#![expect(clippy::struct_excessive_bools, reason = "what is true of an iLO is a list of facts")]
#![expect(clippy::expect_used, clippy::print_stdout, reason = "it is a test, with a main of its own")]

mod chance;
mod config;
mod crowd;
mod deeds;
mod disk;
mod draw;
mod host;
mod life;
mod oracle;
mod plots;
mod policies;
mod script;
mod shrink;
mod spoil;
mod trail;
mod wire;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use clap::Parser;

use crate::life::{Ended, live};
use crate::oracle::{Broken, Counts};
use crate::script::Script;

/// A fifth of a life is spent on allocations, all of one thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The rule that a seed is one life.
const REPLAY: &str = "replay";

/// Years of life in minutes.
#[derive(Parser)]
struct Args {
    /// How many lives.
    #[arg(long, default_value_t = 40)]
    seeds: u64,
    /// The seed of the first one.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// About how many visits each has.
    #[arg(long, default_value_t = 300)]
    visits: u64,
    /// This one life.
    #[arg(long)]
    seed: Option<u64>,
    /// The life of this file.
    #[arg(long)]
    script: Option<PathBuf>,
    /// Go on for so long, whatever the number of lives.
    #[arg(long, conflicts_with = "seeds")]
    minutes: Option<u64>,
    /// End at the first life that breaks a rule.
    #[arg(long)]
    until_broken: bool,
    /// Tell it as it was drawn.
    #[arg(long)]
    no_shrink: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(path) = &args.script {
        let text = std::fs::read_to_string(path).expect("a script");
        let script: Script = serde_json::from_str(&text).expect("a script");
        return tell_one(&script, true);
    }
    if let Some(seed) = args.seed {
        return tell_one(&draw::script(seed, args.visits), args.no_shrink);
    }
    many(&args)
}

/// One life, as a story if it broke a rule.
fn tell_one(script: &Script, no_shrink: bool) -> ExitCode {
    let ended = live(script);
    println!("seed {}: digest {:016x}, {:?}", script.seed, ended.digest, ended.counts);
    if ended.broken.is_none() {
        return ExitCode::SUCCESS;
    }
    tell(script, ended, no_shrink);
    ExitCode::FAILURE
}

fn tell(script: &Script, ended: Ended, no_shrink: bool) {
    let (script, ended) = if no_shrink { (script.clone(), ended) } else { shrink::shrink(script, &ended) };
    let broken = ended.broken.expect("a broken rule");
    println!("{}", serde_json::to_string(&script).expect("a script"));
    println!("{}", ended.story);
    println!("seed {} breaks {}: {}", script.seed, broken.rule, broken.what);
    println!("at {}; again: put the line that begins with {{ into a file, and `cargo life --script FILE`", commit());
}

/// What these sources are.
fn commit() -> String {
    let asked = std::process::Command::new("git").args(["describe", "--always", "--dirty"]).output();
    let told = asked.ok().and_then(|told| String::from_utf8(told.stdout).ok());
    told.map_or_else(|| String::from("an unknown commit"), |commit| format!("commit {}", commit.trim()))
}

/// Lives that once broke a rule, as they were when they were found: all that lie there, each with its name.
fn kept() -> Vec<(String, Script)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/life/once");
    let files = std::fs::read_dir(folder).expect("the kept lives").map(|file| file.expect("a kept life").path());
    let mut files: Vec<PathBuf> = files.collect();
    files.sort();
    let one = |file: PathBuf| {
        let name = file.file_stem().expect("a name").to_string_lossy().replace('-', " ");
        let text = std::fs::read_to_string(&file).expect("a kept life");
        (name, serde_json::from_str(&text).expect("a script"))
    };
    files.into_iter().map(one).collect()
}

/// Lives them again; whether all went well.
fn once() -> bool {
    let kept = kept();
    assert!(!kept.is_empty(), "no life is kept");
    kept.into_iter().all(|(name, script)| {
        let ended = live(&script);
        if let Some(broken) = &ended.broken {
            println!("broken: the kept life '{name}' rule {}: {}", broken.rule, broken.what);
            tell(&script, ended, false);
            return false;
        }
        true
    })
}

/// What all lives came to.
#[derive(Default)]
struct Sum {
    counts: Counts,
    ilo_seconds: u64,
    digest: u64,
    lives: u64,
    broken: Vec<(u64, Ended)>,
}

fn many(args: &Args) -> ExitCode {
    // Who looks for one bug wants to know how many seeds it takes; the kept lives come last then.
    if !args.until_broken && !once() {
        return ExitCode::FAILURE;
    }
    let (next, stop) = (AtomicU64::new(args.first), AtomicBool::new(false));
    let sum = Mutex::new(Sum::default());
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let is_over = match args.minutes {
                        None => seed >= args.first + args.seeds,
                        Some(minutes) => began.elapsed().as_secs() >= minutes * 60,
                    };
                    if is_over {
                        return;
                    }
                    let ended = one(seed, args.visits);
                    let is_broken = ended.broken.is_some();
                    sum.lock().expect("a sum").add(seed, ended);
                    if is_broken && args.until_broken {
                        stop.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let mut sum = sum.into_inner().expect("a sum");
    sum.broken.sort_by_key(|(seed, _)| *seed);
    report(&sum, began.elapsed().as_secs_f64());
    for (seed, ended) in &sum.broken {
        let broken = ended.broken.as_ref().expect("a broken rule");
        println!("broken: seed {seed} rule {} after {} seeds: {}", broken.rule, sum.lives, broken.what);
    }
    let Some((seed, ended)) = sum.broken.into_iter().next() else {
        return if args.until_broken && !once() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    };
    // Where two lives of a script differ, no shorter one says more.
    if !args.no_shrink && ended.broken.as_ref().is_none_or(|broken| broken.rule != REPLAY) {
        tell(&draw::script(seed, args.visits), ended, false);
    }
    ExitCode::FAILURE
}

/// The life of one seed. Now and then it is lived twice, and must be the same.
fn one(seed: u64, visits: u64) -> Ended {
    let script = draw::script(seed, visits);
    let mut ended = live(&script);
    if seed.is_multiple_of(50) && live(&script).digest != ended.digest {
        ended.broken = Some(Broken { rule: REPLAY, what: String::from("two lives of this seed differ") });
    }
    ended
}

impl Sum {
    fn add(&mut self, seed: u64, ended: Ended) {
        self.lives += 1;
        self.ilo_seconds += ended.ilo_seconds;
        self.digest ^= ended.digest.rotate_left(u32::try_from(seed % 64).expect("small"));
        let (all, one) = (&mut self.counts, &ended.counts);
        all.visits += one.visits;
        all.requests += one.requests;
        all.ended += one.ended;
        all.raced += one.raced;
        all.logins += one.logins;
        all.lives += one.lives;
        all.excused += one.excused;
        if ended.broken.is_some() {
            self.broken.push((seed, ended));
        }
    }
}

fn report(sum: &Sum, took_s: f64) {
    let Sum { counts, ilo_seconds, digest, lives, broken } = sum;
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let (years, rate) = (*ilo_seconds as f64 / 31_557_600.0, counts.visits as f64 / took_s);
    println!(
        "{lives} seeds, {} visits, {years:.1} iLO-years in {took_s:.0} s ({rate:.0} visits a second)\n\
         {} requests, {} logins, {} starts of the daemon, {} sessions ended, {} used just before their DELETE arrived\n\
         {} iLOs could not be judged at the end; {} lives broke a rule; digest {digest:016x}",
        counts.visits,
        counts.requests,
        counts.logins,
        counts.lives,
        counts.ended,
        counts.raced,
        counts.excused,
        broken.len(),
    );
}
