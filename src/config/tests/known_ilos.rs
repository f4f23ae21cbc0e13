use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use expect_test::expect;

use super::super::known_ilos::{KnownIlos, Lock};
use super::Desk;
use crate::settings::{Fingerprint, IloName, Trust};
use crate::time::Timestamp;

/// A fleet of three whose certificates are known or not.
const FLEET: &str = "
fleet:
  lab:
    username: svc
    password_file: DIR/password
    ilos: ['ilo-[1-3].example.net', { name: db, address: 192.0.2.7, port: 8443 }]
";

fn desk(known: &str) -> Desk {
    let desk = Desk::new();
    desk.config("ilo-reaper.yaml", FLEET);
    desk.write("known_ilos", 0o644, known);
    desk
}

fn digits(pair: &str) -> String {
    format!("sha256:{}", pair.repeat(32))
}

fn locked(desk: &Desk) -> Lock {
    KnownIlos::lock(&desk.path("ilo-reaper.yaml")).expect("ours")
}

/// How each iLO is trusted, and the warnings.
fn trusted(desk: &Desk) -> String {
    let loaded = desk.load().map_err(|_| desk.said()).expect("good");
    let trusts = loaded.settings.targets.values().map(|target| format!("{}: {:?}\n", target.name, target.trust));
    let warnings = loaded.warnings.iter().map(|warning| format!("{warning}\n"));
    let here = desk.path("").display().to_string();
    trusts.chain(warnings).collect::<String>().replace(&here, "")
}

#[test]
fn each_ilo_is_trusted_by_its_line_and_without_one_not_at_all() {
    let known = format!(
        "# by hand\n\nilo-1.example.net {}\n  ILO-2.example.net\t{} # since 2026-11-25T10:00:00Z\ndb {} # since then\n",
        digits("0a"),
        digits("0B"),
        digits("0c")
    );
    expect![[r#"
        db: Known(sha256:0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c, None)
        ilo-1.example.net: Known(sha256:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a, None)
        ilo-2.example.net: Known(sha256:0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b, Some(Timestamp(1795600800)))
        ilo-3.example.net: Unknown
        known_ilos has no line for ilo-3.example.net of group `lab`, so nothing is sent there; `ilo-reaper trust --write` takes down those that are new
    "#]].assert_eq(&trusted(&desk(&known)));
}

#[test]
fn without_the_file_nobody_is_known_and_that_is_no_mistake() {
    let desk = desk("");
    fs::remove_file(desk.path("known_ilos")).expect("there");
    expect![[r#"
        db: Unknown
        ilo-1.example.net: Unknown
        ilo-2.example.net: Unknown
        ilo-3.example.net: Unknown
        known_ilos has no line for ilo-1.example.net, ilo-2.example.net, ilo-3.example.net and 1 more of group `lab`, so nothing is sent there; `ilo-reaper trust --write` takes down those that are new
    "#]].assert_eq(&trusted(&desk));
}

#[test]
fn lines_for_nobody_are_warned_of() {
    let lines: Vec<String> = (1..8).map(|number| format!("old-{number} {}\n", digits("0a"))).collect();
    let warnings = desk(&lines.concat()).load().expect("good").warnings;
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[1].text.contains("old-1, old-2, old-3 and 4 more"), "{}", warnings[1]);
}

#[test]
fn a_wrong_line_is_a_mistake_at_its_place() {
    let good = digits("0a");
    for (known, expected) in [
        (
            String::from("ilo-1.example.net\n"),
            expect![[r#"
            known_ilos:1:1: expected `NAME sha256:HEX`, as `ilo-reaper trust --write` writes it
        "#]],
        ),
        (
            format!("\n{good} ilo-1.example.net\n"),
            expect![[r#"
            known_ilos:2:1: `sha256:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a` is not the name of an iLO: a port is a number from 1 to 65535
        "#]],
        ),
        (
            String::from("ilo-1.example.net   sha1:00\n"),
            expect![[r#"
            known_ilos:1:21: `sha1:00` is not the SHA-256 of a certificate: `sha256:` and 64 hexadecimal digits
        "#]],
        ),
        (
            format!("ilo-1.example.net {} # short\n", &good[..70]),
            expect![[r#"
            known_ilos:1:19: `sha256:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0` is not the SHA-256 of a certificate: `sha256:` and 64 hexadecimal digits
        "#]],
        ),
        (
            format!("ilo-1.example.net {good} ssh-rsa\n"),
            expect![[r#"
            known_ilos:1:91: `ssh-rsa` stands behind the fingerprint; a comment begins with `#`
        "#]],
        ),
        (
            format!("ü/ {good}\n"),
            expect![[r#"
            known_ilos:1:1: `ü/` is not the name of an iLO: `\u{fc}` can't be in a host name
        "#]],
        ),
        (
            format!("ilo-1.example.net {good}\n\nIlo-1.Example.net {good}\n"),
            expect![[r#"
            known_ilos:3:1: `Ilo-1.Example.net` has a line already; first at known_ilos:1
        "#]],
        ),
    ] {
        expected.assert_eq(&desk(&known).said());
    }
}

#[test]
fn who_may_write_it_is_judged_like_any_configuration() {
    let desk = desk("");
    desk.write("known_ilos", 0o666, "");
    expect![[r#"
        known_ilos: has mode 0666 with group OURS: everybody may write it; expected 0644
    "#]]
    .assert_eq(&desk.said());
    desk.write("known_ilos", 0o644, b"ilo-1 \xff");
    expect![[r#"
        known_ilos: holds bytes that are not UTF-8 text
    "#]]
    .assert_eq(&desk.said());
}

#[test]
fn what_is_taken_down_stands_in_its_place_and_the_rest_stays() {
    let before = format!("# by hand\nilo-2.example.net {}\n# the end", digits("0a"));
    let desk = desk(&before);
    let mut known = KnownIlos::beside(&desk.path("ilo-reaper.yaml"), &desk.surroundings).expect("good");
    let now = Timestamp::parse_rfc3339("2026-11-25T10:00:00Z").expect("a time");
    known.take_down(&IloName::new("Ilo-2.example.net"), Fingerprint([0xbb; 32]), now);
    known.take_down(&IloName::new("db"), Fingerprint([0xcc; 32]), now);
    known.write(&desk.surroundings, &locked(&desk)).expect("ours");
    expect![[r#"
        # by hand
        Ilo-2.example.net sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb  # since 2026-11-25T10:00:00Z
        # the end
        db sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc  # since 2026-11-25T10:00:00Z
    "#]].assert_eq(&fs::read_to_string(desk.path("known_ilos")).expect("text"));
    let again = KnownIlos::beside(&desk.path("ilo-reaper.yaml"), &desk.surroundings).expect("good");
    assert_eq!(again.trust(&IloName::new("db")), Trust::Known(Fingerprint([0xcc; 32]), Some(now)));
    assert_eq!(known.trust(&IloName::new("db")), again.trust(&IloName::new("db")));
    assert_eq!(fs::metadata(desk.path("known_ilos")).expect("there").permissions().mode() & 0o777, 0o644);
    assert!(left_over(&desk).is_empty());
}

#[test]
fn what_can_not_take_its_place_is_not_left_over() {
    let desk = desk("");
    let mut known = KnownIlos::beside(&desk.path("ilo-reaper.yaml"), &desk.surroundings).expect("good");
    known.take_down(&IloName::new("db"), Fingerprint([0xcc; 32]), Timestamp::from_unix_s(0));
    fs::remove_file(desk.path("known_ilos")).expect("there");
    fs::create_dir(desk.path("known_ilos")).expect("ours");
    assert!(known.write(&desk.surroundings, &locked(&desk)).is_err());
    assert!(left_over(&desk).is_empty(), "{:?}", left_over(&desk));
}

/// What is behind a link may come back, and with it the certificates that were known.
#[test]
fn a_link_that_leads_nowhere_is_no_empty_file() {
    let desk = desk("");
    fs::remove_file(desk.path("known_ilos")).expect("there");
    symlink(desk.path("nowhere"), desk.path("known_ilos")).expect("linked");
    let mistakes = KnownIlos::beside(&desk.path("ilo-reaper.yaml"), &desk.surroundings).expect_err("a mistake");
    assert!(mistakes[0].to_string().contains("does not exist"), "{mistakes:?}");
    let known = KnownIlos::default();
    assert!(known.write(&desk.surroundings, &locked(&desk)).is_err());
    assert!(fs::symlink_metadata(desk.path("known_ilos")).expect("there").is_symlink());
}

/// A writer that was killed leaves its half behind, and keeps nobody from writing.
#[test]
fn half_a_file_of_a_writer_that_was_killed_is_in_nobody_s_way() {
    let desk = desk("");
    desk.write(".known_ilos.new", 0o644, "half");
    let mut known = KnownIlos::beside(&desk.path("ilo-reaper.yaml"), &desk.surroundings).expect("good");
    known.take_down(&IloName::new("db"), Fingerprint([0xcc; 32]), Timestamp::from_unix_s(0));
    known.write(&desk.surroundings, &locked(&desk)).expect("ours");
    assert!(left_over(&desk).is_empty(), "{:?}", left_over(&desk));
}

fn left_over(desk: &Desk) -> Vec<OsString> {
    let folder = fs::read_dir(desk.path("")).expect("ours");
    let names = folder.map(|entry| entry.expect("readable").file_name());
    names.filter(|name| name.to_string_lossy().ends_with(".new")).collect()
}

#[test]
fn a_new_file_says_what_it_is_and_a_link_stays_one() {
    let desk = desk("");
    fs::remove_file(desk.path("known_ilos")).expect("there");
    let file = desk.path("ilo-reaper.yaml");
    for pair in [0xaa, 0xbb] {
        let mut known = KnownIlos::beside(&file, &desk.surroundings).expect("good");
        known.take_down(&IloName::new("db"), Fingerprint([pair; 32]), Timestamp::from_unix_s(0));
        known.take_down(&IloName::new("db2"), Fingerprint([pair; 32]), Timestamp::from_unix_s(0));
        known.write(&desk.surroundings, &locked(&desk)).expect("ours");
        let text = fs::read_to_string(desk.path("known_ilos")).expect("text");
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.starts_with("# "), "{text}");
        if pair == 0xaa {
            fs::rename(desk.path("known_ilos"), desk.path("elsewhere")).expect("ours");
            symlink(desk.path("elsewhere"), desk.path("known_ilos")).expect("linked");
        }
    }
    assert!(fs::symlink_metadata(desk.path("known_ilos")).expect("there").is_symlink());
    assert!(fs::read_to_string(desk.path("elsewhere")).expect("text").contains("bbbb"));
}
