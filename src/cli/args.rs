//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

/// Deletes the HPE iLO sessions that nobody uses any more, before the table is full.
#[derive(Parser)]
#[command(name = "ilo-reaper", version, about, disable_help_subcommand = true)]
pub(super) struct Args {
    /// The configuration
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        help = "The configuration [ILO_REAPER_CONFIG=] [default: /etc/ilo-reaper/ilo-reaper.yaml]"
    )]
    pub(super) config: Option<PathBuf>,
    #[command(subcommand)]
    pub(super) what: What,
}

#[derive(Subcommand)]
pub(super) enum What {
    /// The daemon
    Run,
    /// One visit to each iLO, by the running daemon if there is one; deletes only where the mode is enforce, or with --enforce
    Sweep(Sweep),
    /// One visit to each iLO, by the running daemon if there is one: who is on, and which rule would let them go; deletes nothing
    List(List),
    /// Fetches the fingerprints of certificates, and shows which are new or changed
    Trust(Trust),
    /// Reads the configuration and tells every mistake
    Check {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Asks the running daemon to take the configuration now, and waits for the verdict
    Reload,
    /// The fleet at a glance, as the running daemon has it
    Status {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// The brake: no session of others is ended until `resume`, or for so long; it survives a restart
    Pause(Pause),
    /// Takes the brake off, also after a state was lost
    Resume,
    /// Protects sessions on the running daemon; it survives a restart
    Protect(Protect),
    /// A simulated fleet with leaking clients, one half guarded by the daemon and one bare, side by side
    #[cfg(feature = "demo")]
    Demo(Demo),
    /// The manual page of this program on standard output, or all pages as files
    Man {
        /// Writes every page into this directory: of the program, of each command, and of its configuration
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Completions for a shell, on standard output
    Completions {
        /// bash, zsh or fish
        #[arg(hide_possible_values = true)]
        shell: Shell,
    },
}

/// Shells that completions are written for.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Shell {
    Bash,
    Zsh,
    Fish,
}

#[derive(ClapArgs)]
pub(super) struct Sweep {
    #[command(flatten)]
    pub(super) list: List,
    /// Deletes also where the mode is observe
    #[arg(long)]
    pub(super) enforce: bool,
}

#[derive(ClapArgs)]
pub(super) struct List {
    /// Only these iLOs of the configuration
    #[arg(value_name = "ILO")]
    pub(super) ilos: Vec<String>,
    /// One JSON document
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(ClapArgs)]
pub(super) struct Trust {
    #[command(flatten)]
    pub(super) list: List,
    /// Writes them down where `tls: known` looks for them
    #[arg(long)]
    pub(super) write: bool,
}

#[derive(ClapArgs)]
pub(super) struct Pause {
    /// It ends by itself after so long
    #[arg(long = "for", value_name = "TIME", value_parser = crate::config::parse_duration)]
    pub(super) length: Option<Duration>,
    /// Why: it stands in the log, and in what `protect list` and `status` show
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: String,
}

#[derive(ClapArgs)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Protect {
    #[command(subcommand)]
    pub(super) what: Option<Protections>,
    /// Sessions of this account; `*` and `?` stand for any
    #[arg(long, value_name = "NAME")]
    pub(super) owner: Option<String>,
    /// Sessions from this address or network
    #[arg(long, value_name = "ADDRESS")]
    pub(super) origin: Option<String>,
    /// Sessions on this iLO
    #[arg(long, value_name = "ILO")]
    pub(super) ilo: Option<String>,
    /// This session on that iLO
    #[arg(long, value_name = "ID", requires = "ilo")]
    pub(super) session: Option<String>,
    /// It ends by itself after so long
    #[arg(long = "for", value_name = "TIME", value_parser = crate::config::parse_duration)]
    pub(super) length: Option<Duration>,
    /// It ends by itself then, as in 2026-12-01T06:00:00Z
    #[arg(long, value_name = "TIME", conflicts_with = "length")]
    pub(super) until: Option<String>,
    /// Why: it stands in the log and in the list
    #[arg(long, value_name = "TEXT", required = true)]
    pub(super) reason: Option<String>,
}

#[derive(Subcommand)]
pub(super) enum Protections {
    /// All protections by hand, and whether the daemon is paused
    List {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Ends one, by its id
    Remove {
        /// As `protect list` shows it
        id: String,
    },
}

#[cfg(feature = "demo")]
#[derive(ClapArgs)]
pub(super) struct Demo {
    /// Simulated iLOs in each half
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=50))]
    pub(super) ilos: u8,
    /// How long it runs
    #[arg(long = "for", value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    pub(super) length: Duration,
    /// Where the crowd's chance begins: the same seed is the same crowd
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) seed: u64,
    /// Ends with one JSON object, and says nothing before
    #[arg(long)]
    pub(super) json: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }
}
