//! A survey as metrics: `OpenMetrics` 1.0, or the older text format 0.0.4 for whoever does not ask for it (`promtool
//! check metrics` and curl among them; a library that writes one of the two writes not the other).
//!
//! Labels hold names of the configuration and words of ours: no owner, no origin, nothing that an iLO says.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};

use crate::event::{Fill, Histogram, Standing, Survey, VERSION};
use crate::session::clean;
use crate::settings::{Mode, Pressure};
use crate::time::Timestamp;

/// Bytes of a label's value at most.
const LABEL_MAX: usize = 256;

/// How metrics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposition {
    /// `OpenMetrics` 1.0.
    OpenMetrics,
    /// Prometheus' text format 0.0.4.
    Text,
}

impl Exposition {
    /// What a client that sends this `Accept` wants.
    pub fn accepted(accept: Option<&str>) -> Self {
        let wants = accept.is_some_and(|accept| accept.contains("application/openmetrics-text"));
        if wants { Self::OpenMetrics } else { Self::Text }
    }

    /// What the answer says it is.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// The whole page.
pub fn metrics(survey: &Survey, exposition: Exposition) -> String {
    let mut page = Page { text: String::new(), exposition };
    page.daemon(survey);
    page.counters(survey);
    page.ilos(&survey.ilos);
    if exposition == Exposition::OpenMetrics {
        page.text.push_str("# EOF\n");
    }
    page.text
}

struct Page {
    text: String,
    exposition: Exposition,
}

impl Page {
    fn daemon(&mut self, survey: &Survey) {
        let version = labels(&[("version", VERSION)]);
        self.gauge("build_info", "What runs: always 1.", [(version.as_str(), 1)]);
        let whole = |value: bool| [("", u8::from(value))];
        self.gauge(
            "config_last_reload_successful",
            "Whether the configuration that was offered last is in force.",
            whole(survey.reload.is_good),
        );
        self.gauge(
            "config_last_reload_success_timestamp_seconds",
            "When the configuration in force came in.",
            [("", survey.reload.last_good.unix_s())],
        );
        self.gauge(
            "paused",
            "1 while nothing is deleted, whatever the mode: a person paused it, or the state was lost.",
            whole(survey.paused.is_some()),
        );
        self.gauge(
            "state_writable",
            "0 while the state can't be written; nothing is deleted meanwhile.",
            whole(survey.state_writable),
        );
        self.gauge(
            "credentials_suspended",
            "Credentials that no new login is made with, because several iLOs rejected them.",
            [("", survey.credentials_suspended.len())],
        );
        let modes: BTreeMap<&str, u8> =
            survey.ilos.iter().map(|ilo| (ilo.at.group.as_str(), u8::from(ilo.mode == Mode::Enforce))).collect();
        let modes: Vec<(String, u8)> =
            modes.into_iter().map(|(group, mode)| (labels(&[("group", group)]), mode)).collect();
        let modes = modes.iter().map(|(labels, mode)| (labels.as_str(), *mode));
        self.gauge("mode", "What the group does: 0 observes, 1 deletes.", modes);
    }

    fn counters(&mut self, survey: &Survey) {
        let counts = &survey.counts;
        let by_rule = ["group", "rule"];
        self.pairs("sessions_reaped", "Sessions that were ended.", by_rule, &counts.reaped);
        self.pairs("sessions_would_reap", "Mode observe: sessions that would have gone.", by_rule, &counts.would_reap);
        self.pairs(
            "sessions_came_back",
            "Mode observe: sessions that would have gone and were used again. Each was a wrong verdict.",
            by_rule,
            &counts.came_back,
        );
        self.pairs(
            "sessions_spared",
            "Sessions that were to go and stayed, by what was found at the last moment.",
            ["group", "reason"],
            &counts.spared,
        );
        self.pairs("visits", "Visits that ended, by outcome.", ["group", "outcome"], &counts.visits);
        self.singles("reaps_capped", "Deletions held back by a cap, at each visit again.", "cap", &counts.capped);
        self.head("counter", "leakers_found", "Clients that left many sessions behind in a day, each once a day.");
        self.sample("leakers_found", "_total", "", counts.leakers_found);
        self.singles(
            "exchanges",
            "Requests sent to iLOs, by the status of the answer or why there is none.",
            "code",
            &counts.exchanges,
        );
        self.singles("logins", "Logins sent, by outcome.", "outcome", &counts.logins);
        self.head("counter", "events_lost", "Events that the log did not take.");
        self.sample("events_lost", "_total", "", survey.events_lost);
        self.histogram("visit_duration_seconds", "How long visits took.", &counts.visit_duration);
        self.histogram("visit_lag_seconds", "How long after their turn visits began.", &counts.visit_lag);
    }

    fn ilos(&mut self, ilos: &[Standing]) {
        let named: Vec<(String, &Standing)> =
            ilos.iter().map(|ilo| (labels(&[("ilo", ilo.at.ilo.as_str()), ("group", &ilo.at.group)]), ilo)).collect();
        let seen = || named.iter().filter_map(|(labels, ilo)| Some((labels.as_str(), ilo.table.as_ref()?)));
        let mut each = |name: &str, help: &str, value: fn(&Standing) -> Option<i64>| {
            let samples = named.iter().filter_map(|(labels, ilo)| Some((labels.as_str(), value(ilo)?)));
            self.gauge(name, help, samples);
        };
        each("ilo_up", "Whether the last visit went well.", |ilo| ilo.is_up().map(i64::from));
        each("ilo_last_visit_timestamp_seconds", "When the last visit ended, whatever came of it.", |ilo| {
            ilo.last_visit.map(Timestamp::unix_s)
        });
        each("ilo_pressure", "How full the table is: 0 calm, 1 near its limit, 2 critical, 3 full.", |ilo| {
            ilo.pressure().map(level)
        });
        let failing = named.iter().filter_map(|(labels, ilo)| {
            // A word of ours, and needs no escaping.
            Some((format!("{labels},outcome=\"{}\"", ilo.failing.as_ref()?.outcome), 1))
        });
        let failing: Vec<(String, u8)> = failing.collect();
        let failing = failing.iter().map(|(labels, one)| (labels.as_str(), *one));
        self.gauge("ilo_failing", "1 while visits fail, with the outcome of the last one.", failing);
        let of = |value: fn(&Fill) -> usize| seen().map(move |(labels, table)| (labels, value(table)));
        self.gauge(
            "ilo_session_limit",
            "Places in the table: configured, seen when a login was refused, or assumed.",
            of(|table| table.limit),
        );
        self.gauge(
            "ilo_blocked",
            "1 while the table is near its limit and the policy lets nothing go.",
            of(|table| usize::from(table.is_blocked)),
        );
        let growing = seen().filter_map(|(labels, table)| Some((labels, table.full_in?.as_secs())));
        self.gauge(
            "ilo_full_in_seconds",
            "When the table is full if it goes on as it did in the last minutes; absent where it does not grow.",
            growing,
        );
        self.head("gauge", "ilo_sessions", "Entries in the table, by kind of session, ours among them.");
        for (labels, table) in seen() {
            for (kind, count) in &table.sessions {
                // A kind is a word of ours, and needs no escaping.
                let _ = writeln!(self.text, "ilo_reaper_ilo_sessions{{{labels},kind=\"{kind}\"}} {count}");
            }
        }
    }

    fn head(&mut self, kind: &str, name: &str, help: &str) {
        let family = match (self.exposition, kind) {
            // There the family has no suffix, and here it has that of its samples.
            (Exposition::Text, "counter") => format!("ilo_reaper_{name}_total"),
            _ => format!("ilo_reaper_{name}"),
        };
        let _ = writeln!(self.text, "# HELP {family} {help}\n# TYPE {family} {kind}");
        if self.exposition == Exposition::OpenMetrics && family.ends_with("_seconds") {
            let _ = writeln!(self.text, "# UNIT {family} seconds");
        }
    }

    fn gauge<'a, V: Display>(&mut self, name: &str, help: &str, samples: impl IntoIterator<Item = (&'a str, V)>) {
        self.head("gauge", name, help);
        for (labels, value) in samples {
            self.sample(name, "", labels, value);
        }
    }

    fn singles(&mut self, name: &str, help: &str, label: &str, counter: &BTreeMap<&'static str, u64>) {
        self.head("counter", name, help);
        for (word, count) in counter {
            self.sample(name, "_total", &labels(&[(label, word)]), count);
        }
    }

    fn pairs(
        &mut self,
        name: &str,
        help: &str,
        [one, two]: [&str; 2],
        counter: &BTreeMap<(String, impl AsRef<str>), u64>,
    ) {
        self.head("counter", name, help);
        for ((group, word), count) in counter {
            self.sample(name, "_total", &labels(&[(one, group), (two, word.as_ref())]), count);
        }
    }

    fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.head("histogram", name, help);
        for (bound, count) in histogram.cumulative() {
            let bound = bound.map_or(String::from("+Inf"), |bound| format!("{:?}", bound.as_secs_f64()));
            self.sample(name, "_bucket", &labels(&[("le", &bound)]), count);
        }
        self.sample(name, "_sum", "", histogram.sum().as_secs_f64());
        self.sample(name, "_count", "", histogram.count());
    }

    fn sample(&mut self, name: &str, suffix: &str, labels: &str, value: impl Display) {
        // Writing into memory does not fail.
        let _ = if labels.is_empty() {
            writeln!(self.text, "ilo_reaper_{name}{suffix} {value}")
        } else {
            writeln!(self.text, "ilo_reaper_{name}{suffix}{{{labels}}} {value}")
        };
    }
}

fn level(pressure: Pressure) -> i64 {
    match pressure {
        Pressure::Calm => 0,
        Pressure::Near => 1,
        Pressure::Critical => 2,
        Pressure::Full => 3,
    }
}

/// `name="value",…`, as both formats escape values.
fn labels(pairs: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        if !text.is_empty() {
            text.push(',');
        }
        let value = clean(value, LABEL_MAX).replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let _ = write!(text, "{name}=\"{value}\"");
    }
    text
}
