//! Holds the sources to the map in `src/lib.rs` and to the rules of the house. It reads text, not types: what it
//! forbids is what a reader would stumble over.
//!
//! Each rule has a test here that runs it over the tree, and tests beside it that prove that it fails on bad samples.

mod links;
mod map;
mod size;
mod source;
mod top;
mod words;

use std::path::Path;
use std::{fmt, io};

use source::Source;

/// What is wrong, where, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    path: String,
    /// Counted from one; 0 where the whole file is meant.
    line: usize,
    /// What is wrong, and the remedy.
    what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.what),
            line => write!(f, "{}:{line}: {}", self.path, self.what),
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file under `folder`. There must be some: a check over nothing proves nothing.
fn sources(folder: &str) -> io::Result<Vec<Source>> {
    let sources = source::read_all(root(), folder)?;
    if sources.is_empty() {
        return Err(io::Error::other(format!("{folder} holds no Rust file")));
    }
    Ok(sources)
}

/// Fails with one line per finding.
fn none_of(findings: &[Finding]) {
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "\n{}\n", lines.join("\n"));
}

#[test]
fn rooms_import_only_from_lower_floors() -> io::Result<()> {
    let sources = sources("src")?;
    let lib = sources.iter().find(|source| source.path == "src/lib.rs").expect("the map is in src/lib.rs");
    none_of(&map::check(lib, &sources));
    Ok(())
}

#[test]
fn libraries_stay_in_their_rooms() -> io::Result<()> {
    none_of(&words::check_homes(&sources("src")?));
    Ok(())
}

#[test]
fn policy_is_pure() -> io::Result<()> {
    none_of(&words::check_purity(&sources("src")?));
    Ok(())
}

#[test]
fn only_one_file_can_send_a_delete() -> io::Result<()> {
    none_of(&words::check_delete(&sources("src")?));
    Ok(())
}

#[test]
fn functions_and_files_fit_on_few_screens() -> io::Result<()> {
    for folder in ["src", "tests"] {
        none_of(&size::check(&sources(folder)?));
    }
    Ok(())
}

#[test]
fn names_say_something() -> io::Result<()> {
    for folder in ["src", "tests"] {
        none_of(&words::check_names(&sources(folder)?));
    }
    Ok(())
}

#[test]
fn nothing_is_left_undone() -> io::Result<()> {
    for folder in ["src", "tests/ilo-sim/src"] {
        none_of(&words::check_undone(&sources(folder)?));
    }
    Ok(())
}

#[test]
fn nothing_waits_by_sleeping() -> io::Result<()> {
    for folder in ["src", "tests"] {
        none_of(&words::check_sleep(&sources(folder)?));
    }
    Ok(())
}

#[test]
fn the_top_level_holds_what_belongs_there() -> io::Result<()> {
    none_of(&top::check(root())?);
    Ok(())
}

#[test]
fn pages_point_at_what_is_there() -> io::Result<()> {
    let pages = links::read(root())?;
    none_of(&links::check(root(), &pages));
    none_of(&links::check_events(&std::fs::read_to_string(root().join("src/event/facts.rs"))?, &pages));
    Ok(())
}
