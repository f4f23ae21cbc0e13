//! The program: argv to exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    ilo_reaper::cli::main(std::env::args_os().collect::<Vec<_>>())
}
