//! The configuration, told to people: each key with what it means, its form, its default and an example.
//!
//! This is the one source of `ilo-reaper.yaml(5)` and of `config/reference.md`. `tests/reference.rs` holds it to the
//! parser: the same keys in the same order, the same defaults, and examples that load.
//!
//! In all texts, `backticks` are around what is written as it stands.

mod fleet;
mod rules;

/// What a file of the configuration is, before its keys.
pub const ABOUT: [&str; 5] = [
    "The configuration is `/etc/ilo-reaper/ilo-reaper.yaml`, then each `conf.d/*.yaml` beside it in the order of their \
     names. Further files add groups and policies. A name or a value that is set twice is a mistake.",
    "Every key has a default, but for the fleet. A key that is unknown or written twice, a bare number where a unit \
     belongs, and options that contradict each other are mistakes. `ilo-reaper check` tells all of them, with file, line \
     and column. A reload that finds one changes nothing.",
    "A duration has its unit: `90s`, `5m`, `2h 30m`, `1d`. Room in a session table is written as free places, `3 free`, or \
     as the share in use, `70%`, which is rounded so that more is free. Where several values are possible, one alone needs \
     no brackets.",
    "The files and their directory may be written by root and the service's own user only. Password files may be read by \
     nobody else.",
    "Changes take effect with `systemctl reload ilo-reaper`. Passwords that come as systemd credentials need a restart.",
];

/// Some keys that stand in one mapping.
pub struct Section {
    /// Where the mapping stands, as in `poll` or `fleet.GROUP`; empty at the top.
    pub path: &'static str,
    /// What it is about, in a few words.
    pub title: &'static str,
    /// What is to be known before its keys, a paragraph each.
    pub prose: &'static [&'static str],
    /// Its keys, in the parser's order.
    pub keys: &'static [Key],
    /// YAML to begin with, or nothing.
    pub sample: &'static str,
}

/// One key.
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// The form of its value, with its unit and bounds.
    pub form: &'static str,
    /// What holds where it is not written.
    pub unset: Unset,
    /// A value to copy.
    pub example: &'static str,
    /// What it does.
    pub meaning: &'static str,
}

/// What holds where a key is not written.
#[derive(Clone, Copy)]
pub enum Unset {
    /// The same as this value, in YAML.
    Is(&'static str),
    /// Something that no value says.
    Means(&'static str),
}

const fn key(
    name: &'static str,
    form: &'static str,
    unset: Unset,
    example: &'static str,
    meaning: &'static str,
) -> Key {
    Key { name, form, unset, example, meaning }
}

use Unset::{Is, Means};

/// All of it, in reading order.
pub const SECTIONS: [Section; 11] = [
    TOP,
    POLL,
    PRESSURE,
    CAPS,
    rules::POLICY,
    rules::RULE,
    fleet::GROUP,
    fleet::ILO,
    fleet::TLS,
    REPORT,
    Section {
        path: "",
        title: "The least that works",
        prose: &["One group with its account, its password and its iLOs. Everything else has a default."],
        keys: &[],
        sample: "\
fleet:
  rack-1:
    username: svc-ilo-reaper
    password_file: /etc/ilo-reaper/secrets/rack-1
    ilos: [ilo-r1-u01.oob.example.net]
",
    },
];

const TOP: Section = Section {
    path: "",
    title: "At the top",
    prose: &[],
    keys: &[
        key(
            "mode",
            "`observe` or `enforce`",
            Is("observe"),
            "enforce",
            "`observe` tells what would go and deletes nothing. `enforce` deletes. A group may have its own.",
        ),
        key("poll", "mapping", Is("{}"), "{ every: 30s }", "How often and how patiently iLOs are visited."),
        key(
            "pressure",
            "mapping",
            Is("{}"),
            "{ limit: 10 }",
            "How large a session table is, and from where on it is full.",
        ),
        key("caps", "mapping", Is("{}"), "{ per_visit: 2 }", "Bounds on deletions."),
        key(
            "policies",
            "mapping of names to policies",
            Is("{}"),
            "{ default: { reap: [{ id: old, superseded: true, idle: 1h }] } }",
            "Who may go and who never. The policy `default` is built in, and is that of groups that name none.",
        ),
        key(
            "fleet",
            "mapping of names to groups",
            Means("a mistake: there must be a group"),
            "{ lab: { username: svc, password_file: /etc/ilo-reaper/secrets/rack-1, ilos: 192.0.2.7 } }",
            "The iLOs, in groups that share an account, a trust and a policy. Each iLO stands here once.",
        ),
        key("report", "mapping", Is("{}"), "{ log: json }", "What is told, where and how often."),
        key(
            "on_stop",
            "`logout` or `keep`",
            Is("logout"),
            "keep",
            "What becomes of our own sessions at a clean stop. `logout` ends them, for 40 seconds at most; what is left stays \
             recorded. `keep` leaves them for the next start.",
        ),
    ],
    sample: "",
};

const POLL: Section = Section {
    path: "poll",
    title: "Visits",
    prose: &["An iLO is visited by one visit at a time. The first round is spread over `every`."],
    keys: &[
        key("every", "duration, from `100ms`", Is("1m"), "2m", "From one visit of a calm iLO to the next."),
        key(
            "fastest",
            "duration, from `100ms` to `every`",
            Is("5s"),
            "10s",
            "An iLO that fills up is visited sooner, and never more often than this.",
        ),
        key(
            "visits_at_once",
            "whole number, 1 to 10000",
            Is("64"),
            "200",
            "Visits in flight at most. iLOs whose last visit failed share a quarter of them.",
        ),
        key(
            "connect_timeout",
            "duration, from `100ms` to `visit_timeout`",
            Is("5s"),
            "10s",
            "For TCP and TLS together.",
        ),
        key(
            "exchange_timeout",
            "duration, from `100ms` to `visit_timeout`",
            Is("15s"),
            "30s",
            "For one request, to the last byte of its answer.",
        ),
        key("visit_timeout", "duration, from `100ms`", Is("2m"), "3m", "For one whole visit."),
    ],
    sample: "",
};

const PRESSURE: Section = Section {
    path: "pressure",
    title: "How full a table is",
    prose: &[
        "A limit that is only assumed warns and quickens the visits. Rules with `when` or `down_to` are armed by a limit that is \
              configured, or that an iLO itself showed by refusing a login.",
    ],
    keys: &[
        key(
            "limit",
            "`learn`, or a whole number of sessions, 1 to 1000",
            Is("learn"),
            "10",
            "Places in the session table. `learn` assumes 10, takes the number at which an iLO refused a login, and never less \
             than was seen.",
        ),
        key(
            "counts",
            "list of `rest`, `web`, `ssh`, `console`, `ipmi`, `host`",
            Is("[rest, web]"),
            "[rest, web, console]",
            "The kinds of session that share the table.",
        ),
        key("near", "room", Is("3 free"), "70%", "From here on people are warned, and the iLO is visited more often."),
        key("critical", "room, at most that of `near`", Is("1 free"), "2 free", "From here on it is urgent."),
    ],
    sample: "",
};

const CAPS: Section = Section {
    path: "caps",
    title: "Bounds on deletions",
    prose: &["Past a bound nothing more is deleted, and the event `reap.capped` says so."],
    keys: &[
        key("per_visit", "whole number of sessions, 1 to 1000000", Is("5"), "2", "Deletions in one visit."),
        key(
            "per_ilo_minute",
            "whole number of sessions, 1 to 1000000",
            Is("12"),
            "6",
            "Deletions on one iLO in any minute.",
        ),
        key(
            "share_of_seen",
            "share, `1%` to `100%`",
            Is("50%"),
            "30%",
            "Of the sessions seen in one visit that are not ours, but at least one.",
        ),
        key(
            "per_minute",
            "whole number of sessions, 1 to 1000000",
            Is("200"),
            "500",
            "Deletions in the whole fleet in any minute.",
        ),
    ],
    sample: "",
};

const REPORT: Section = Section {
    path: "report",
    title: "What is told",
    prose: &[],
    keys: &[
        key(
            "log",
            "`auto`, `journald`, `text` or `json`",
            Is("auto"),
            "json",
            "The form of the log. `auto` is for the journal where systemd started the daemon, text on a terminal and JSON \
             otherwise. A change takes a restart.",
        ),
        key(
            "remind",
            "duration, from `1s`",
            Is("1h"),
            "30m",
            "How often trouble that lasts is said again: a table that stays full, an iLO out of reach, a state that can't be written.",
        ),
        key(
            "summary",
            "duration, from `1s`",
            Is("5m"),
            "1m",
            "How often `fleet.summary` comes, one line for the whole fleet. Its absence is an alert.",
        ),
        key(
            "listen",
            "`none`, or an address and a port",
            Is("none"),
            "127.0.0.1:9709",
            "Where `/metrics`, `/healthz`, `/readyz` and the status page are served. It asks for no password: whoever \
             reaches it reads the names of iLOs.",
        ),
    ],
    sample: "",
};
