//! The reference is what the parser reads: the same keys, the same defaults, and examples that load.

use std::fmt::Write as _;

use expect_test::expect_file;

use super::super::reference::{ABOUT, Key, SECTIONS, Section, Unset};
use super::super::{Loaded, TOP, built_in_policy, entries, fleet, rules, sections, trust};
use super::{Credentials, Desk};

const FLEET: &str = "
fleet:
  lab:
    username: svc
    password_file: DIR/password
    policy: busy
    ilos: ilo-1.example.net
";
const BUSY: &str = "
  busy:
    reap: [{ id: some, superseded: true }]
";

/// A desk with every file that an example names.
fn desk() -> Desk {
    let mut desk = Desk::new();
    desk.write("secrets/rack-1", 0o600, "hunter2\n");
    desk.write("rack-1", 0o600, "hunter2\n");
    desk.write("rack-1.hosts", 0o644, "ilo-from-file.example.net\n");
    desk.write("site-ca.pem", 0o644, include_bytes!("authorities.pem"));
    desk.surroundings.credentials = Credentials::In(desk.path(""));
    desk
}

/// A configuration in which this key of this section has this value, or is not written.
fn written(section: &Section, key: &str, value: Option<&str>) -> String {
    let line = |key: &str, value: &str| format!("{key}: {value}");
    let asked = value.map(|value| line(key, value)).unwrap_or_default();
    // What its mapping needs beside it, but for the key itself and what can't stand beside it.
    let beside = |needed: &[(&str, &str)]| {
        let others = needed.iter().filter(|(other, _)| *other != key);
        let lines = others.map(|(other, value)| line(other, value)).chain((!asked.is_empty()).then(|| asked.clone()));
        lines.collect::<Vec<_>>()
    };
    let policies = format!("policies:{BUSY}");
    match section.path {
        "" if key == "fleet" => asked,
        "" if key == "policies" && !asked.is_empty() => format!("{asked}\n{}", FLEET.replace("    policy: busy\n", "")),
        "" if key == "policies" => FLEET.replace("    policy: busy\n", ""),
        "" => format!("{asked}\n{policies}{FLEET}"),
        "policies.NAME" => format!("policies:\n  busy: {{ {asked} }}\n{FLEET}"),
        "policies.NAME.reap[]" => {
            let list = if key == "until" { "protect" } else { "reap" };
            let rule = beside(&[("id", "some"), ("owner", "svc-some"), ("idle", "1h")]).join(", ");
            format!("policies:\n  busy: {{ {list}: [{{ {rule} }}] }}\n{FLEET}")
        }
        "fleet.NAME" => {
            let password = if key == "password_credential" { "username" } else { "password_file" };
            let password = if password == "username" { ("username", "svc") } else { (password, "DIR/password") };
            let ilos = if key == "ilos_file" { ("username", "svc") } else { ("ilos", "ilo-1.example.net") };
            let mut lines = beside(&[("username", "svc"), password, ilos]);
            lines.sort();
            lines.dedup();
            format!("{policies}fleet:\n  lab:\n    {}\n", lines.join("\n    "))
        }
        "fleet.NAME.ilos[]" => {
            let ilo = beside(&[("name", "db-1"), ("address", "192.0.2.7")]).join(", ");
            format!("{policies}{}", FLEET.replace("ilo-1.example.net", &format!("{{ {ilo} }}")))
        }
        "fleet.NAME.tls" => {
            let is_anchor = ["pin", "ca", "trust"].contains(&key);
            let tls = beside(if is_anchor { &[] } else { &[("trust", "insecure")] }).join(", ");
            format!("{policies}{FLEET}    tls: {{ {tls} }}\n")
        }
        path => format!("{path}: {{ {asked} }}\n{policies}{FLEET}"),
    }
}

fn load(yaml: &str) -> Result<Loaded, String> {
    let desk = desk();
    desk.config("ilo-reaper.yaml", &yaml.replace("/etc/ilo-reaper", "DIR"));
    desk.load().map_err(|_| format!("{}\n{yaml}", desk.said()))
}

/// All that a configuration sets, to be compared. Paths of desks differ.
fn all_of(loaded: &Loaded) -> String {
    let settings = &loaded.settings;
    let mut all = format!("{:?} {:?} {:?}", settings.poll, settings.pressure, settings.caps);
    let _ = write!(all, " {:?} {:?}", settings.report, settings.on_stop);
    for target in settings.targets.values() {
        let (name, authority, legacy) = (&target.name, &target.authority, target.legacy);
        let trust = match &target.trust {
            crate::settings::Trust::Roots(_) => String::from("roots"),
            trust => format!("{trust:?}"),
        };
        let _ = write!(all, " {name:?} {authority:?} {:?} {trust} {legacy}", target.credential.username);
        let file = target.credential.id.to_string();
        let _ = write!(all, " {:?} {:?} {:?}", file.rsplit('/').next(), target.policy, target.mode);
    }
    all
}

/// Every key, and the section that it is in.
fn keys() -> impl Iterator<Item = (&'static Section, &'static Key)> {
    static ALL: [Section; SECTIONS.len()] = SECTIONS;
    ALL.iter().flat_map(|section| section.keys.iter().map(move |key| (section, key)))
}

#[test]
fn the_reference_has_the_parsers_keys() {
    let parsers: [(&str, &[&str]); 10] = [
        ("", &TOP),
        ("poll", &sections::POLL),
        ("pressure", &sections::PRESSURE),
        ("caps", &sections::CAPS),
        ("report", &sections::REPORT),
        ("policies.NAME", &rules::POLICY),
        ("policies.NAME.reap[]", &rules::RULE),
        ("fleet.NAME", &fleet::GROUP),
        ("fleet.NAME.ilos[]", &entries::ILO),
        ("fleet.NAME.tls", &trust::TLS),
    ];
    for (path, expected) in parsers {
        let told: Vec<&str> = keys().filter(|(section, _)| section.path == path).map(|(_, key)| key.name).collect();
        assert_eq!(told, expected, "the keys of `{path}` in src/config/reference");
    }
    let all: usize = parsers.iter().map(|(_, keys)| keys.len()).sum();
    assert_eq!(keys().count(), all, "a section of the reference that no parser reads");
}

#[test]
fn defaults_are_as_the_reference_says() {
    let mut compared = 0;
    for (section, key) in keys() {
        let Unset::Is(value) = key.unset else { continue };
        let unwritten = load(&written(section, key.name, None)).unwrap_or_else(|why| panic!("{why}"));
        let default = load(&written(section, key.name, Some(value))).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(all_of(&default), all_of(&unwritten), "the default of {}.{}", section.path, key.name);
        compared += 1;
    }
    assert!(compared > 25, "{compared}");
}

#[test]
fn examples_load_and_say_something_else_than_the_default() {
    for (section, key) in keys() {
        if key.name == "legacy" && cfg!(not(feature = "legacy-tls")) {
            continue;
        }
        let example = load(&written(section, key.name, Some(key.example))).unwrap_or_else(|why| panic!("{why}"));
        // It only allows what would be a mistake.
        let same = key.name == "accept_risk";
        let Ok(unwritten) = load(&written(section, key.name, None)) else { continue };
        assert_eq!(all_of(&example) == all_of(&unwritten), same, "the example of {}.{}", section.path, key.name);
    }
}

#[test]
fn what_may_not_be_left_out_is_a_mistake_as_the_reference_says() {
    for (section, key) in keys() {
        let is_needed = matches!(key.unset, Unset::Means(what) if what.starts_with("a mistake"));
        let without = written(section, key.name, None);
        assert!(!is_needed || load(&without).is_err(), "{without}");
    }
}

#[test]
fn samples_are_what_they_say() {
    for section in SECTIONS.iter().filter(|section| !section.sample.is_empty()) {
        let has_fleet = section.sample.contains("fleet:");
        let fleet = FLEET.replace("    policy: busy\n", "");
        let loaded = load(&format!("{}{}", section.sample, if has_fleet { "" } else { &fleet }));
        let loaded = loaded.unwrap_or_else(|why| panic!("{why}"));
        let policies: Vec<_> = loaded.settings.targets.values().map(|target| (*target.policy).clone()).collect();
        assert_eq!(policies, [built_in_policy()], "{}", section.title);
    }
}

/// Where it differs, `UPDATE_EXPECT=1 cargo test --lib reference` writes it anew.
#[test]
fn the_page_for_people_is_made_from_it() {
    expect_file!["../../../config/reference.md"].assert_eq(&page());
}

fn paragraphs(all: &[&str]) -> String {
    all.iter().fold(String::new(), |text, paragraph| text + paragraph + "\n\n")
}

fn page() -> String {
    let mut page = String::from(
        "<!-- Made from src/config/reference, and held to it by a test. -->\n\n# Configuration reference\n\n",
    );
    let _ = writeln!(
        page,
        "The manual page `ilo-reaper.yaml(5)` says the same. [ilo-reaper.yaml](ilo-reaper.yaml) is all of it as a file.\n"
    );
    page += &paragraphs(&ABOUT);
    for Section { path, title, prose, keys, sample } in SECTIONS {
        let _ = match path {
            "" => writeln!(page, "## {title}\n"),
            path => writeln!(page, "## {title}: `{path}`\n"),
        };
        page += &paragraphs(prose);
        if !sample.is_empty() {
            let _ = writeln!(page, "```yaml\n{sample}```\n");
        }
        if keys.is_empty() {
            continue;
        }
        let _ = writeln!(page, "| key | value | unless written | example | meaning |\n| --- | --- | --- | --- | --- |");
        for Key { name, form, unset, example, meaning } in keys {
            let unset = match unset {
                Unset::Is(value) => format!("`{value}`"),
                Unset::Means(what) => (*what).to_owned(),
            };
            let _ = writeln!(page, "| `{name}` | {form} | {unset} | `{example}` | {meaning} |");
        }
        page.push('\n');
    }
    page.truncate(page.trim_end().len());
    page + "\n"
}
