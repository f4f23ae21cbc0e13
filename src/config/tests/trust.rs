use expect_test::expect;

use super::{Desk, FLEET};
use crate::settings::Trust;

/// Certificates of two authorities, made by
/// `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500 -subj /CN=…`.
const AUTHORITIES: &str = include_str!("authorities.pem");

fn desk(tls: &str, pem: &str) -> Desk {
    let desk = Desk::new();
    desk.config("ilo-reaper.yaml", &FLEET.replace("insecure", tls));
    desk.write("ca.pem", 0o644, pem);
    desk
}

fn trust(desk: &Desk) -> Trust {
    let loaded = desk.load().map_err(|_| desk.said()).expect("good");
    loaded.settings.targets.values().next().expect("one").trust.clone()
}

#[test]
fn authorities_are_read_from_a_file() {
    let desk = desk("{ ca: DIR/ca.pem }", AUTHORITIES);
    let Trust::Roots(roots) = trust(&desk) else { panic!("{:?}", trust(&desk)) };
    assert_eq!(roots.certificates.len(), 2);
    assert_eq!(roots.from, desk.path("ca.pem").display().to_string());
    assert_eq!(desk.load().expect("good").warnings, []);

    // The same authorities are the same trust, whatever stands around them.
    desk.write("ca.pem", 0o644, format!("# theirs\n{AUTHORITIES}{AUTHORITIES}"));
    assert_eq!(trust(&desk), Trust::Roots(roots.clone()));
    let one = AUTHORITIES.split_inclusive("-----END CERTIFICATE-----\n").next().expect("one");
    desk.write("ca.pem", 0o644, one);
    assert_ne!(trust(&desk), Trust::Roots(roots));
}

#[test]
fn a_file_that_holds_no_authorities_is_a_mistake_at_its_line() {
    let broken = AUTHORITIES.replacen("MII", "M!I", 1);
    let no_end = AUTHORITIES.trim_end().trim_end_matches("-----END CERTIFICATE-----");
    for (pem, expected) in [
        (
            String::new(),
            expect![[r#"
            ca.pem: holds no certificate (`-----BEGIN CERTIFICATE-----`)
        "#]],
        ),
        (
            String::from("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
            expect![[r#"
            ca.pem:1: this is a PRIVATE KEY; only certificates belong here
        "#]],
        ),
        (
            String::from("\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            expect![[r#"
            ca.pem:2: this is no certificate of an authority: invalid peer certificate: BadEncoding
        "#]],
        ),
        (
            broken,
            expect![[r#"
            ca.pem:1: this is no PEM: base64 decode error: InvalidCharacter(33)
        "#]],
        ),
        (
            no_end.to_owned(),
            expect![[r#"
            ca.pem:12: this certificate has no end
        "#]],
        ),
    ] {
        expected.assert_eq(&desk("{ ca: DIR/ca.pem }", &pem).said());
    }
    let desk = desk("{ ca: DIR/nowhere.pem }", "");
    expect![[r#"
        ilo-reaper.yaml:6:16: fleet.lab.tls.ca: nowhere.pem does not exist
    "#]]
    .assert_eq(&desk.said());
    desk.config("ilo-reaper.yaml", &FLEET.replace("insecure", "{ ca: DIR/ca.pem }"));
    desk.write("ca.pem", 0o666, AUTHORITIES);
    expect![[r#"
        ilo-reaper.yaml:6:16: fleet.lab.tls.ca: ca.pem has mode 0666 with group OURS: everybody may write it; expected 0644
    "#]].assert_eq(&desk.said());
}

#[test]
fn a_pin_below_trust_is_told_where_it_belongs() {
    let desk = desk("{ trust: { pin: x }, legacy: false }", "");
    expect![[r#"
        ilo-reaper.yaml:6:19: fleet.lab.tls.trust: a pin or a file stands here itself: `{ pin: "sha256:…", legacy: true }`
    "#]]
    .assert_eq(&desk.said());
}

#[test]
fn this_system_may_be_trusted() {
    let desk = desk("system", "");
    match desk.load() {
        Ok(_) => assert!(matches!(trust(&desk), Trust::Roots(roots) if !roots.certificates.is_empty())),
        Err(_) => assert!(desk.said().contains("fleet.lab.tls: this system names no authorities"), "{}", desk.said()),
    }
}

#[test]
fn old_tls_is_named_for_any_trust_where_this_build_has_it() {
    let pin = format!("{{ pin: 'sha256:{}', legacy: true }}", "0a".repeat(32));
    for tls in [pin.as_str(), "{ trust: known, legacy: true }", "{ ca: DIR/ca.pem, legacy: true }"] {
        let desk = desk(tls, AUTHORITIES);
        if cfg!(feature = "legacy-tls") {
            let loaded = desk.load().map_err(|_| desk.said()).expect("good");
            assert!(loaded.settings.targets.values().all(|target| target.legacy));
        } else {
            let said = desk.said();
            assert!(said.contains("fleet.lab.tls.legacy: this build has no old TLS; `legacy: true` takes"), "{said}");
        }
    }
    let desk = desk("{ trust: known, legacy: false }", "");
    assert!(desk.load().expect("good").settings.targets.values().all(|target| !target.legacy));
}
