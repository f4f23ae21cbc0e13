//! Policies and their rules.

use super::Unset::{self, Is, Means};
use super::{Key, Section, key};

/// The policy that is built in.
const BUILT_IN: &str = "\
policies:
  default:
    protect: []
    reap:
      - { id: superseded, superseded: true, idle: 10m }
      - { id: piling-up, superseded: true, idle: 3m, keep_latest: 3 }
      - { id: never-used, never_used: true, idle: 15m }
";

pub(super) const POLICY: Section = Section {
    path: "policies.NAME",
    title: "Policies",
    prose: &[
        "Names of policies, groups and rules are letters, digits, `.`, `_` and `-`, 64 of them at most, and begin with a letter \
         or digit.",
        "This is what is built in where no policy `default` is written:",
    ],
    keys: &[
        key(
            "protect",
            "list of rules",
            Is("[]"),
            "[{ id: admin-desk, origin: 192.0.2.0/28 }]",
            "What one of these matches is never deleted, whatever `reap` says.",
        ),
        key(
            "reap",
            "list of rules",
            Means("the rules of `default` above"),
            "[{ id: superseded, superseded: true, idle: 5m }]",
            "The first rule that matches decides, and every record names it. `[]` lets nothing go.",
        ),
    ],
    sample: BUILT_IN,
};

/// What holds where a condition is not written.
const ANY: Unset = Means("not asked");

pub(super) const RULE: Section = Section {
    path: "policies.NAME.reap[]",
    title: "Rules",
    prose: &[
        "The same keys stand in `protect`, unless one says that it does not. A rule matches when all its conditions do. Times \
         are the iLO's own. A session that does not tell what a rule asks for, or contradicts itself there, does not match.",
        "A rule of `reap` that names neither `owner`, `origin`, `superseded` nor `never_used` must ask for `idle: 10m` or more.",
    ],
    keys: RULE_KEYS,
    sample: "",
};

const RULE_KEYS: &[Key] = &[
    key("id", "name", Means("a mistake"), "burst", "Its name in records. Each is used once in a policy."),
    key(
        "owner",
        "one or more account names, with `*` and `?`, case ignored",
        ANY,
        "[\"svc-*\", ansible]",
        "The account of the session.",
    ),
    key("origin", "one or more addresses or networks", ANY, "192.0.2.0/28", "The address that the client came from."),
    key(
        "kind",
        "one or more of `rest`, `web`, `ssh`, `console`, `ipmi`, `host`",
        Is("rest"),
        "[rest, web]",
        "The kind of session. In `protect` it is any unless said.",
    ),
    key(
        "user_type",
        "one or more of `local`, `directory`",
        Is("local"),
        "[local, directory]",
        "The type of its account. In `protect` it is any unless said. Sessions of single sign-on, federation and the system \
         always stay.",
    ),
    key("age", "duration, from `1s`", ANY, "12h", "The login is at least so long ago."),
    key("idle", "duration, from `1s`", ANY, "5m", "The last access is at least so long ago."),
    key(
        "superseded",
        "`true`",
        ANY,
        "true",
        "A newer session of the same owner, origin and kind exists, and this one was not used since it logged in.",
    ),
    key("never_used", "`true`", ANY, "true", "The last access is the login."),
    key(
        "when",
        "`near`, `critical` or `full`",
        ANY,
        "near",
        "The table is at least so full, by a limit that is configured or was seen.",
    ),
    key(
        "until",
        "time with its zone",
        Means("without an end"),
        "2026-12-01T06:00:00Z",
        "In `protect` only: the protection ends then, by this host's clock.",
    ),
    key(
        "keep_latest",
        "whole number of sessions, 1 to 1000",
        Means("spares none"),
        "3",
        "In `reap` only: spares so many with the latest access among all sessions of that owner, origin and kind.",
    ),
    key(
        "down_to",
        "room",
        Means("all that match may go"),
        "5 free",
        "In `reap` only: deletes only as many as it takes to have this much room, the longest idle first. What it spares falls \
         to no later rule.",
    ),
    key(
        "accept_risk",
        "`true` or `false`",
        Is("false"),
        "true",
        "In `reap` only: allows a rule that points at nobody and at no sign of abandonment to ask for less than `idle: 10m`.",
    ),
];
