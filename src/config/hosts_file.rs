//! `ilos_file`: iLOs listed in a file of their own, a line each or as Prometheus writes its targets.

use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::at::Spot;
use super::guarded::{Reading, Surroundings, read};
use super::hosts::{expand, host_and_port};
use crate::settings::Authority;

const FILE_BYTES_MAX: usize = 4 << 20;

/// iLOs that one entry stands for, and where it is written.
pub(super) struct Listing {
    pub(super) spot: Spot,
    pub(super) hosts: Vec<Host>,
}

/// One iLO by name and address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    pub(super) name: String,
    pub(super) authority: Authority,
}

impl Host {
    /// An iLO whose name is its address.
    pub(super) fn plain(name: String) -> Self {
        Self { authority: Authority { host: name.clone(), port: HTTPS }, name }
    }
}

/// The port of HTTPS.
pub(super) const HTTPS: u16 = 443;

/// A wrong entry: its place, and why.
pub(super) type Wrong = (Spot, String);

/// Reads a list of iLOs.
pub(super) fn hosts_file(path: &Path, surroundings: &Surroundings) -> Result<Vec<Result<Listing, Wrong>>, String> {
    let bytes = read(path, Reading::Open, FILE_BYTES_MAX, surroundings)?;
    let text = String::from_utf8(bytes).map_err(|_| String::from("holds bytes that are not UTF-8 text"))?;
    if is_json(&text) { Ok(targets(path, &text)) } else { Ok(lines(path, &text)) }
}

/// A line may begin with a range, as in `[01-42].example.net`; a list of targets begins with `[{`.
fn is_json(text: &str) -> bool {
    let after = text.trim_start().strip_prefix('[').map(str::trim_start);
    after.is_some_and(|after| after.starts_with(['{', ']', '"']) || after.is_empty())
}

fn lines(path: &Path, text: &str) -> Vec<Result<Listing, Wrong>> {
    let mut listings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let said = line.split('#').next().unwrap_or_default();
        let entry = said.trim();
        if entry.is_empty() {
            continue;
        }
        let indent = said.chars().take_while(|c| c.is_whitespace()).count();
        let spot = Spot::Exact { file: path.to_owned(), line: Some(index + 1), column: Some(indent + 1) };
        listings.push(match expand(entry) {
            Ok(hosts) => Ok(Listing { spot, hosts: hosts.into_iter().map(Host::plain).collect() }),
            Err(why) => Err((spot, format!("`{entry}` is not an iLO: {why}"))),
        });
    }
    listings
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetGroup {
    targets: Vec<String>,
    #[serde(rename = "labels", default)]
    _labels: Option<IgnoredAny>,
}

fn targets(path: &Path, text: &str) -> Vec<Result<Listing, Wrong>> {
    let groups: Vec<TargetGroup> = match serde_json::from_str(text) {
        Ok(groups) => groups,
        Err(error) => {
            let spot = Spot::Exact { file: path.to_owned(), line: Some(error.line()), column: Some(error.column()) };
            let why = error.to_string();
            let why = why.split(" at line ").next().unwrap_or_default();
            return vec![Err((spot, format!("this is not a list of targets as Prometheus reads them: {why}")))];
        }
    };
    let targets = groups.iter().flat_map(|group| &group.targets);
    targets.map(|target| one_target(path, text, target)).collect()
}

fn one_target(path: &Path, text: &str, target: &str) -> Result<Listing, Wrong> {
    match host_and_port(target) {
        Ok((host, port)) => {
            let authority = Authority { host, port: port.unwrap_or(HTTPS) };
            let name = match authority.port {
                HTTPS => authority.host.clone(),
                _ => authority.to_string(),
            };
            Ok(Listing { spot: spot_of(path, text, target), hosts: vec![Host { name, authority }] })
        }
        Err(why) => Err((spot_of(path, text, target), format!("`{target}` is not an iLO: {why}"))),
    }
}

/// Where a target is written, unless it is written with escapes.
fn spot_of(path: &Path, text: &str, target: &str) -> Spot {
    let before = text.find(&format!("\"{target}\"")).and_then(|index| text.get(..index));
    let line = before.map(|before| before.matches('\n').count() + 1);
    let column = before.map(|before| before.rsplit('\n').next().unwrap_or_default().chars().count() + 1);
    Spot::Exact { file: path.to_owned(), line, column }
}
