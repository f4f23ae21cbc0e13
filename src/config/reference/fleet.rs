//! Groups and their iLOs.

use super::Unset::{Is, Means};
use super::{Section, key};

pub(super) const GROUP: Section = Section {
    path: "fleet.NAME",
    title: "Groups",
    prose: &[
        "A group has `username`, either `password_file` or `password_credential`, and iLOs in `ilos`, `ilos_file` or both.",
    ],
    keys: &[
        key(
            "username",
            "account name",
            Means("a mistake"),
            "svc-ilo-reaper",
            "The account on the iLOs. It needs the privileges Login and, to delete, Administer User Accounts. Nobody else may \
             use it.",
        ),
        key(
            "password_file",
            "absolute path",
            Means("a mistake, unless there is a `password_credential`"),
            "/etc/ilo-reaper/secrets/rack-1",
            "A file that holds the password and that nobody can read but root or the service's user. `{ilo}` in it stands for the \
             iLO's name. It is read again at a reload.",
        ),
        key(
            "password_credential",
            "name",
            Means("a mistake, unless there is a `password_file`"),
            "rack-1",
            "A credential of the service manager, which `LoadCredential=rack-1:FILE` in the unit names. It is read at the start \
             only.",
        ),
        key("policy", "name of a policy", Is("default"), "busy", "Who may go on these iLOs."),
        key("mode", "`observe` or `enforce`", Means("the `mode` at the top"), "enforce", "Whether they do."),
        key(
            "tls",
            "`known`, `system`, `insecure`, or a mapping",
            Is("known"),
            "system",
            "How certificates are judged. `known`: by each iLO's line in `known_ilos` beside the main file, which `ilo-reaper \
             trust --write` takes down. To an iLO without a line nothing is sent. `system`: by the authorities that this system \
             trusts, by name and dates. `insecure`: not at all. Whoever answers in place of an iLO gets the password, and every \
             start says so.",
        ),
        key(
            "ilos",
            "one or more iLOs",
            Means("none but those in `ilos_file`"),
            "[\"ilo-r1-u[01-42].oob.example.net\", 192.0.2.16/28]",
            "Names, which may have ranges. Addresses. Networks, which stand for their host addresses. Or an iLO by its parts.",
        ),
        key(
            "ilos_file",
            "absolute path",
            Means("none but those in `ilos`"),
            "/etc/ilo-reaper/rack-1.hosts",
            "More of them: a line each, where `#` begins a comment, or targets as Prometheus reads them (JSON of file_sd). It is \
             read again at a reload.",
        ),
    ],
    sample: "",
};

pub(super) const ILO: Section = Section {
    path: "fleet.NAME.ilos[]",
    title: "An iLO by its parts",
    prose: &["As in `{ name: db-primary, address: 192.0.2.7, port: 8443 }`. One of `name` and `address` is enough."],
    keys: &[
        key("name", "host name or address", Means("the `address`"), "db-primary", "Its name in records, and in DNS."),
        key("address", "host name or address", Means("the `name`"), "192.0.2.8", "Where it answers."),
        key("port", "whole number, 1 to 65535", Is("443"), "8443", "Its port for HTTPS."),
        key("policy", "name of a policy", Means("the `policy` of its group"), "default", "Who may go on this one."),
    ],
    sample: "",
};

pub(super) const TLS: Section = Section {
    path: "fleet.NAME.tls",
    title: "Trust, the long form",
    prose: &["As in `{ trust: known, legacy: true }`. One of `pin`, `ca` and `trust` says whom to trust."],
    keys: &[
        key(
            "pin",
            "`sha256:` and 64 hexadecimal digits",
            Means("not this way"),
            "\"sha256:0000000000000000000000000000000000000000000000000000000000000000\"",
            "The SHA-256 of the one certificate that all iLOs of this group show.",
        ),
        key(
            "ca",
            "absolute path",
            Means("not this way"),
            "/etc/ilo-reaper/site-ca.pem",
            "Certificates of authorities, in PEM. Names and dates of an iLO's certificate must be right.",
        ),
        key("trust", "`known`, `system` or `insecure`", Means("not this way"), "known", "As the short form of `tls`."),
        key(
            "legacy",
            "`true` or `false`",
            Is("false"),
            "true",
            "Speaks the TLS of iLO 4 and older too: 1.0 and 1.1, CBC, RSA key exchange, 1024 bits, SHA-1. Packages can; a build \
             of your own needs the feature `legacy-tls`.",
        ),
    ],
    sample: "",
};
