//! `trust`: which certificates iLOs show, how they differ from what `known_ilos` has, and taking them down.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::args::Trust as Asked;
use super::{Failure, complain, say};
use crate::config::{self, KnownIlos};
use crate::daemon::{self, Places, StartError};
use crate::redfish::{ExchangeError, Https, Peer, Shown};
use crate::settings::{IloName, Settings, Target, Trust};
use crate::time::host_now;

/// What each iLO showed.
type Found = BTreeMap<IloName, Result<Shown, ExchangeError>>;

pub(super) fn trust(places: &Places, asked: &Asked) -> Result<(), Failure> {
    let settings = daemon::load(places)?.settings;
    let known = KnownIlos::beside(&places.config, &places.surroundings);
    let mut known = known.map_err(StartError::Mistakes)?;
    let targets = targets(&settings, &asked.list.ilos)?;
    let found = daemon::runtime()?.block_on(look(&settings, &targets));
    let rows: Vec<Row<'_>> = found.iter().map(|(name, shown)| Row::new(&targets[name], &known, shown)).collect();
    let (differ, failed) = (rows.iter().any(|row| row.news.differs()), found.values().any(Result::is_err));
    if !asked.list.json {
        // Nothing is taken down that nobody could see.
        print(&rows)?;
    }
    let document = Value::from(rows.iter().map(Row::document).collect::<Vec<_>>());
    let is_wanted = |row: &&Row<'_>| row.news == News::New || row.news == News::Changed && !asked.list.ilos.is_empty();
    let wanted: Vec<&Row<'_>> = rows.iter().filter(|row| asked.write && is_wanted(row)).collect();
    let written = wanted.len();
    if written > 0 {
        write(places, &mut known, &wanted)?;
    }
    let path = known.path().display();
    if asked.list.json {
        say(&json!({ "v": 1, "file": path.to_string(), "written": written, "ilos": document }))?;
    } else if written > 0 {
        complain(format_args!("{path}: wrote {written}; a running daemon takes them in at its next reload"));
    } else if differ && !asked.write {
        complain(format_args!("{path} is as it was; compare what was found with the iLOs' own pages, then --write"));
    }
    let left = rows.iter().filter(|row| asked.write && row.news == News::Changed && !is_wanted(row));
    let left: Vec<String> = left.map(|row| row.target.name.to_string()).collect();
    if !left.is_empty() {
        complain(format_args!(
            "not written, since it is not the certificate that was known: {}; find out why it changed, and then name \
             the iLO: `ilo-reaper trust {} --write`",
            left.join(", "),
            left[0]
        ));
    }
    if failed || !left.is_empty() || (differ && !asked.write) { Err(Failure::Told) } else { Ok(()) }
}

/// The iLOs that were asked for, or all that `known_ilos` is for.
fn targets(settings: &Settings, asked: &[String]) -> Result<BTreeMap<IloName, Arc<Target>>, Failure> {
    let is_asked = |target: &Target| !asked.is_empty() || matches!(target.trust, Trust::Known(..) | Trust::Unknown);
    let targets = config::named(settings, asked)
        .map_err(Failure::Usage)?
        .into_iter()
        .filter_map(|name| settings.targets.get(&name).cloned());
    let targets: BTreeMap<_, _> =
        (targets.filter(|target| is_asked(target))).map(|target| (target.name.clone(), target)).collect();
    if targets.is_empty() {
        return Err(Failure::Plain(String::from(
            "no group has `tls: known`, so known_ilos is for nobody; name the iLOs to look at them all the same",
        )));
    }
    Ok(targets)
}

/// Looks at each, as many at once as are visited at once.
async fn look(settings: &Settings, targets: &BTreeMap<IloName, Arc<Target>>) -> Found {
    let (https, connect) = (Https::new(), settings.poll.connect_timeout);
    let mut found = Found::new();
    let mut looks = JoinSet::new();
    for target in targets.values() {
        if looks.len() >= settings.poll.visits_at_once.max(1) {
            found.extend(looks.join_next().await.and_then(Result::ok));
        }
        let (https, peer) = (https.clone(), Peer::from(target.as_ref()));
        looks.spawn(async move {
            let shown = https.look(&peer, connect).await;
            (peer.name, shown)
        });
    }
    while let Some(joined) = looks.join_next().await {
        found.extend(joined.ok());
    }
    found
}

/// Takes certificates down in the file as it is now: looking took a while.
fn write(places: &Places, known: &mut KnownIlos, wanted: &[&Row<'_>]) -> Result<(), Failure> {
    let failed = |error| {
        Failure::Plain(format!("cannot write {}: {error}", places.config.with_file_name("known_ilos").display()))
    };
    let lock = KnownIlos::lock(&places.config).map_err(failed)?;
    *known = KnownIlos::beside(&places.config, &places.surroundings).map_err(StartError::Mistakes)?;
    for row in wanted {
        let name = &row.target.name;
        if known.trust(name).pin() != row.known.pin() {
            let why = format!("{}: somebody else wrote a line for {name}; try again", known.path().display());
            return Err(Failure::Plain(why));
        }
        if let Ok(Shown { fingerprint, .. }) = row.shown {
            known.take_down(name, *fingerprint, host_now());
        }
    }
    known.write(&places.surroundings, &lock).map_err(failed)
}

/// What is new about one iLO.
#[derive(Clone, Copy, PartialEq, Eq)]
enum News {
    Same,
    New,
    Changed,
    Failed,
}

impl News {
    fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::New => "new",
            Self::Changed => "changed",
            Self::Failed => "failed",
        }
    }

    fn differs(self) -> bool {
        matches!(self, Self::New | Self::Changed)
    }
}

/// One iLO: what is known, what was found.
struct Row<'a> {
    target: &'a Target,
    known: Trust,
    shown: &'a Result<Shown, ExchangeError>,
    news: News,
}

impl<'a> Row<'a> {
    fn new(target: &'a Target, known: &KnownIlos, shown: &'a Result<Shown, ExchangeError>) -> Self {
        let known = known.trust(&target.name);
        let news = match (shown, known.pin()) {
            (Err(_), _) => News::Failed,
            (Ok(_), None) => News::New,
            (Ok(shown), Some(pin)) if shown.fingerprint == pin => News::Same,
            (Ok(_), Some(_)) => News::Changed,
        };
        Self { target, known, shown, news }
    }

    fn lacks_legacy(&self) -> bool {
        !self.target.legacy && self.shown.as_ref().is_ok_and(|shown| shown.needs_legacy)
    }

    fn document(&self) -> Value {
        let since = match self.known {
            Trust::Known(_, since) => since.map(|since| since.to_string()),
            _ => None,
        };
        json!({
            "ilo": self.target.name.as_str(),
            "group": self.target.group,
            "news": self.news.name(),
            "known": self.known.pin().map(|pin| pin.to_string()),
            "known_since": since,
            "found": self.shown.as_ref().ok().map(|shown| shown.fingerprint.to_string()),
            "needs_legacy": self.shown.as_ref().ok().map(|shown| shown.needs_legacy),
            "error": self.shown.as_ref().err().map(ToString::to_string),
        })
    }
}

/// Lines as `known_ilos` has them, marked as in a diff; what could not be fetched is complained of.
fn print(rows: &[Row<'_>]) -> Result<(), Failure> {
    for row in rows {
        let name = &row.target.name;
        let since = match row.known {
            Trust::Known(_, Some(since)) => format!("  # since {since}"),
            _ => String::new(),
        };
        match (row.shown, row.known.pin()) {
            (Ok(shown), Some(pin)) if row.news == News::Changed => {
                say(&format!("-{name} {pin}{since}\n+{name} {}", shown.fingerprint))?;
            }
            (Ok(shown), _) if row.news == News::New => say(&format!("+{name} {}", shown.fingerprint))?,
            (Ok(shown), _) => say(&format!(" {name} {}{since}", shown.fingerprint))?,
            (Err(error), _) => complain(format_args!("cannot fetch the certificate of {name}: {error}")),
        }
        if row.lacks_legacy() {
            complain(format_args!(
                "{name} speaks only old TLS: group `{}` needs `tls: {{ trust: known, legacy: true }}`",
                row.target.group
            ));
        }
    }
    Ok(())
}
