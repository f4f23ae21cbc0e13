use super::super::{TOP, built_in_policy, entries, fleet, rules, sections, trust};
use super::{Credentials, Desk};
use crate::settings::{Caps, Mode, OnStop, Poll, PressureSettings, Report, Trust};

const EXAMPLE: &str = include_str!("../../../config/ilo-reaper.yaml");

/// A desk with the example, its files moved to the desk.
fn desk(yaml: &str) -> Desk {
    let mut desk = Desk::new();
    desk.config("ilo-reaper.yaml", &yaml.replace("/etc/ilo-reaper", "DIR"));
    desk.write("secrets/rack-1", 0o600, "hunter2\n");
    desk.write("rack-2", 0o600, "hunter2\n");
    desk.write("rack-1.hosts", 0o644, "ilo-from-file.example.net\n");
    desk.surroundings.credentials = Credentials::In(desk.path(""));
    desk
}

/// The example with every key turned on.
fn everything_on() -> String {
    let turned_on = |line: &str| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with("  ") && !rest.starts_with("   ") || rest.starts_with("    ") => rest.to_owned(),
        _ => line.to_owned(),
    };
    let in_prose = |line: &&str| !line.starts_with("#   ") || line.starts_with("#    ");
    EXAMPLE.lines().filter(in_prose).map(turned_on).fold(String::new(), |text, line| text + &line + "\n")
}

#[test]
fn what_the_example_writes_are_the_defaults() {
    let loaded = desk(EXAMPLE).load().expect("good");
    let settings = loaded.settings;
    assert_eq!(settings.poll, Poll::default());
    assert_eq!(settings.pressure, PressureSettings::default());
    assert_eq!(settings.caps, Caps::default());
    assert_eq!(settings.report, Report::default());
    assert_eq!(settings.on_stop, OnStop::default());
    assert_eq!(settings.targets.len(), 42 + 14 + 1);
    for target in settings.targets.values() {
        assert_eq!(*target.policy, built_in_policy());
        // Whoever starts the service before this file is edited gives no password to anybody.
        assert_eq!((&target.trust, target.legacy), (&Trust::Unknown, false));
        assert_eq!(target.mode, Mode::Observe);
    }
    assert!(matches!(loaded.warnings.as_slice(), [one] if one.text.contains("known_ilos has no line for")));
}

#[test]
fn an_address_to_listen_on_may_be_any_that_is_written() {
    for address in ["127.0.0.1:9709", "192.0.2.7:9709", "[::1]:9709", "0.0.0.0:80"] {
        let loaded = desk(&EXAMPLE.replace("listen: none", &format!("listen: \"{address}\""))).load().expect("good");
        assert_eq!(loaded.settings.report.listen, address.parse().ok());
    }
}

#[test]
fn an_address_that_others_reach_is_said() {
    let said = |address: &str| {
        let loaded = desk(&EXAMPLE.replace("listen: none", &format!("listen: \"{address}\""))).load().expect("good");
        let texts = loaded.warnings.iter().map(ToString::to_string);
        texts.filter(|text| text.contains("listen")).collect::<Vec<_>>()
    };
    for address in ["127.0.0.1:9709", "127.9.9.9:9709", "[::1]:9709", "[::ffff:127.0.0.1]:9709"] {
        assert_eq!(said(address), [""; 0], "{address}");
    }
    for address in ["0.0.0.0:9709", "192.0.2.7:9709", "[::]:9709"] {
        let start = format!("`report.listen` is open to the network at {address} and asks for no password");
        assert!(said(address)[0].starts_with(&start), "{address}: {:?}", said(address));
    }
}

#[test]
fn the_example_with_everything_on_is_good_too() {
    let desk = desk(&everything_on());
    let loaded = desk.load().map_err(|_| desk.said()).expect("good");
    assert_eq!(loaded.settings.targets.len(), 42 + 14 + 1 + 1 + 42);
}

#[test]
fn the_example_shows_every_key() {
    let text = everything_on();
    let keys = [
        &TOP[..],
        &sections::POLL,
        &sections::PRESSURE,
        &sections::CAPS,
        &sections::REPORT,
        &rules::POLICY,
        &rules::RULE,
        &fleet::GROUP,
        &entries::ILO,
        &trust::TLS,
    ];
    for key in keys.concat() {
        let shown = text.lines().any(|line| line.contains(&format!("{key}: ")) || line.ends_with(&format!("{key}:")));
        assert!(shown, "the example does not show `{key}`");
    }
}

/// A small generator: the same bytes at every run.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(sides.max(1)).expect("small")).expect("small")
    }
}

#[test]
fn no_damage_to_the_example_panics() {
    let desk = desk("");
    let whole = everything_on().replace("/etc/ilo-reaper", &desk.path("").display().to_string()).into_bytes();
    let snippets = [
        "{",
        "}",
        "[",
        "]",
        ": ",
        "- ",
        "#",
        "\n",
        "\t",
        "&a ",
        "*a",
        "!x ",
        "'",
        "\"",
        "0",
        "-1",
        "99999999999999999999",
        "%",
        "free",
        "\u{202e}",
    ];
    let mut dice = Dice(0x5eed);
    let mut good = 0;
    for round in 0..2_000 {
        let mut damaged = whole.clone();
        for _ in 0..=dice.throw(4) {
            let at = dice.throw(damaged.len());
            match dice.throw(5) {
                0 => damaged[at] = u8::try_from(dice.throw(256)).expect("a byte"),
                1 => drop(damaged.remove(at)),
                2 => damaged.truncate(at.max(1)),
                3 => drop(damaged.drain(at..(at + dice.throw(40)).min(damaged.len()))),
                _ => drop(damaged.splice(at..at, snippets[dice.throw(snippets.len())].bytes())),
            }
        }
        desk.write("ilo-reaper.yaml", 0o644, &damaged);
        match desk.load() {
            Ok(_) => good += 1,
            Err(mistakes) => {
                assert!(!mistakes.is_empty(), "round {round}");
                let said = mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().concat();
                assert!(!said.contains("hunter2") && !said.contains(['\n', '\u{202e}']), "round {round}: {said}");
            }
        }
    }
    // Much damage is in comments; if nearly none or nearly all were refused, the test would look at nothing.
    assert!((200..1_800).contains(&good), "{good}");
}
