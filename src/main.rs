//! The program: argv to exit code.

fn main() {}
