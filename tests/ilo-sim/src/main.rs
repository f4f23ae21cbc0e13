//! The `ilo-sim` program.
fn main() {}
