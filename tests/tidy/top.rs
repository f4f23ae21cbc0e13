//! What the top level holds.

use std::path::Path;
use std::{fs, io};

use crate::Finding;

const ENTRIES: [&str; 15] = [
    ".cargo",
    ".ci",
    ".clippy.toml",
    ".github",
    ".gitignore",
    ".rustfmt.toml",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "config",
    "src",
    "systemd",
    "tests",
];

/// Whatever else lies there, unless `.gitignore` names it as `/ENTRY`.
pub(crate) fn check(root: &Path) -> io::Result<Vec<Finding>> {
    let ignored = fs::read_to_string(root.join(".gitignore")).unwrap_or_default();
    let mut names = Vec::new();
    for entry in fs::read_dir(root)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(strangers(&names, &ignored))
}

fn strangers(names: &[String], ignored: &str) -> Vec<Finding> {
    let is_ignored = |name: &str| {
        ignored.lines().any(|line| line.trim().strip_prefix('/').map(|entry| entry.trim_end_matches('/')) == Some(name))
    };
    let belongs = |name: &str| name == ".git" || ENTRIES.contains(&name) || is_ignored(name);
    let strange = names.iter().filter(|name| !belongs(name));
    strange
        .map(|name| Finding {
            path: name.clone(),
            line: 0,
            what: "does not belong to the top level; move it into a folder that is there (see tests/tidy/top.rs)"
                .into(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_at_the_top_fails() {
        let names = [".git", "Cargo.toml", "docs", "rust-toolchain.toml", "src", "target"].map(str::to_owned);
        let strange: Vec<String> = strangers(&names, "/target\n").into_iter().map(|finding| finding.path).collect();
        assert_eq!(strange, ["docs", "rust-toolchain.toml"]);
        assert_eq!(strangers(&names, "").len(), 3);
    }
}
