use expect_test::{Expect, expect};

use super::{Desk, said};

/// A group around some lines.
pub(super) fn group(lines: &str) -> String {
    format!("fleet:\n  lab:\n    username: svc\n    password_file: DIR/password\n    tls: insecure\n{lines}")
}

fn check(table: &[(&str, Expect)]) {
    for (lines, expected) in table {
        expected.assert_eq(&said(&group(lines)));
    }
}

#[test]
fn entries_of_every_form() {
    check(&[
        (
            "    ilos: ilo-[01-02].example.net\n",
            expect![[r#"
            ilo-01.example.net at ilo-01.example.net: lab, default, observe, svc (password)
            ilo-02.example.net at ilo-02.example.net: lab, default, observe, svc (password)
        "#]],
        ),
        (
            "    ilos:\n      - 192.0.2.16/30\n      - 2001:db8::7\n      - '[2001:db8::9]'\n      - 'fe80::1%eth0'\n      - { name: db, address: 192.0.2.7, port: 8443, policy: default }\n      - { address: 192.0.2.8 }\n      - { name: web }\n",
            expect![[r#"
                192.0.2.17 at 192.0.2.17: lab, default, observe, svc (password)
                192.0.2.18 at 192.0.2.18: lab, default, observe, svc (password)
                192.0.2.8 at 192.0.2.8: lab, default, observe, svc (password)
                2001:db8::7 at [2001:db8::7]: lab, default, observe, svc (password)
                2001:db8::9 at [2001:db8::9]: lab, default, observe, svc (password)
                db at 192.0.2.7:8443: lab, default, observe, svc (password)
                fe80::1%eth0 at [fe80::1%eth0]: lab, default, observe, svc (password)
                web at web: lab, default, observe, svc (password)
            "#]],
        ),
    ]);
}

#[test]
fn entries_that_are_wrong() {
    check(&[
        (
            "    ilos: u[9-1]\n",
            expect![[r#"
            ilo-reaper.yaml:6:11: fleet.lab.ilos: `u[9-1]` is not an iLO: the range `[9-1]` runs backwards
        "#]],
        ),
        (
            "    ilos: [ 'u[]', 'u[1-]', 'u[a-b]', 'u[1-2', 'u1-2]' ]\n",
            expect![[r#"
            ilo-reaper.yaml:6:13: fleet.lab.ilos[0]: `u[]` is not an iLO: `[]` is no range; expected `[01-42]` or `[1,3,5]`
            ilo-reaper.yaml:6:20: fleet.lab.ilos[1]: `u[1-]` is not an iLO: `[1-]` is no range; expected `[01-42]` or `[1,3,5]`
            ilo-reaper.yaml:6:29: fleet.lab.ilos[2]: `u[a-b]` is not an iLO: `[a-b]` is no range; expected `[01-42]` or `[1,3,5]`
            ilo-reaper.yaml:6:39: fleet.lab.ilos[3]: `u[1-2` is not an iLO: a `[` has no `]`
            ilo-reaper.yaml:6:48: fleet.lab.ilos[4]: `u1-2]` is not an iLO: `u1-2]`: `]` can't be in a host name
        "#]],
        ),
        (
            "    ilos: [ 'u[1-01]', 'u[10-9]', 'u[1-999999999]', 'u[1-999]-[1-999]' ]\n",
            expect![[r#"
            ilo-reaper.yaml:6:13: fleet.lab.ilos[0]: `u[1-01]` is not an iLO: `[1-01]` does not tell how wide its numbers are; write both ends with as many digits
            ilo-reaper.yaml:6:24: fleet.lab.ilos[1]: `u[10-9]` is not an iLO: `[10-9]` does not tell how wide its numbers are; write both ends with as many digits
            ilo-reaper.yaml:6:35: fleet.lab.ilos[2]: `u[1-999999999]` is not an iLO: it stands for more than 100000 iLOs
            ilo-reaper.yaml:6:53: fleet.lab.ilos[3]: `u[1-999]-[1-999]` is not an iLO: it stands for more than 100000 iLOs
        "#]],
        ),
        (
            "    ilos: [ 'a b', 'a..b', '-a', 'a:443', 'ä', '' ]\n",
            expect![[r#"
            ilo-reaper.yaml:6:13: fleet.lab.ilos[0]: `a b` is not an iLO: ` ` can't be in a host name
            ilo-reaper.yaml:6:20: fleet.lab.ilos[1]: `a..b` is not an iLO: between two dots of a host name stand 1 to 63 characters, no `-` first or last
            ilo-reaper.yaml:6:28: fleet.lab.ilos[2]: `-a` is not an iLO: between two dots of a host name stand 1 to 63 characters, no `-` first or last
            ilo-reaper.yaml:6:34: fleet.lab.ilos[3]: `a:443` is not an iLO: expected a host name or an address; a port is written as `{ name: …, address: …, port: … }`
            ilo-reaper.yaml:6:43: fleet.lab.ilos[4]: `ä` is not an iLO: `\u{e4}` can't be in a host name
            ilo-reaper.yaml:6:48: fleet.lab.ilos[5]: `` is not an iLO: a host name has 1 to 253 characters
        "#]],
        ),
        (
            "    ilos: [ 10.1, '10.1', 192.0.2.300, 0x7f.1, 0.0.0.0, 'a.0x7f' ]\n",
            expect![[r#"
                ilo-reaper.yaml:6:13: fleet.lab.ilos[0]: `10.1` is not an iLO (a name, `name-[01-42]`, an address, a network, or `{ name: …, address: … }`)
                ilo-reaper.yaml:6:19: fleet.lab.ilos[1]: `10.1` is not an iLO: this looks like an address, but is none
                ilo-reaper.yaml:6:27: fleet.lab.ilos[2]: `192.0.2.300` is not an iLO: this looks like an address, but is none
                ilo-reaper.yaml:6:40: fleet.lab.ilos[3]: `0x7f.1` is not an iLO: this looks like an address, but is none
                ilo-reaper.yaml:6:48: fleet.lab.ilos[4]: `0.0.0.0` is not an iLO: this address belongs to no single machine
                ilo-reaper.yaml:6:57: fleet.lab.ilos[5]: `a.0x7f` is not an iLO: this looks like an address, but is none
            "#]],
        ),
        (
            "    ilos: [ 'fe80::1%eth0/3', 'fe80::1%', 'fe80::1%a b', '2001:db8::7%eth0', 'a%b', '[192.0.2.7]' ]\n",
            expect![[r#"
                ilo-reaper.yaml:6:13: fleet.lab.ilos[0]: `fe80::1%eth0/3` is not an iLO: expected the form `192.0.2.7` or `192.0.2.0/24`
                ilo-reaper.yaml:6:31: fleet.lab.ilos[1]: `fe80::1%` is not an iLO: after the `%` stands the name of one of this host's network interfaces
                ilo-reaper.yaml:6:43: fleet.lab.ilos[2]: `fe80::1%a b` is not an iLO: after the `%` stands the name of one of this host's network interfaces
                ilo-reaper.yaml:6:58: fleet.lab.ilos[3]: `2001:db8::7%eth0` is not an iLO: only addresses of one link (fe80::/10) have a zone; write `2001:db8::7`
                ilo-reaper.yaml:6:78: fleet.lab.ilos[4]: `a%b` is not an iLO: a `%` names the network of an IPv6 address: `fe80::1%eth0`
                ilo-reaper.yaml:6:85: fleet.lab.ilos[5]: `[192.0.2.7]` is not an iLO: `[192.0.2.7]` is no range; expected `[01-42]` or `[1,3,5]`
            "#]],
        ),
        (
            "    ilos: [ 192.0.2.1/28, 10.0.0.0/8, '2001:db8::/64', 192.0.2.0/x ]\n",
            expect![[r#"
            ilo-reaper.yaml:6:13: fleet.lab.ilos[0]: `192.0.2.1/28` is not an iLO: 192.0.2.1 lies inside a network; did you mean `192.0.2.0/28`?
            ilo-reaper.yaml:6:27: fleet.lab.ilos[1]: `10.0.0.0/8` is not an iLO: a network of /8 has too many addresses to be a list of iLOs
            ilo-reaper.yaml:6:39: fleet.lab.ilos[2]: `2001:db8::/64` is not an iLO: a network of /64 has too many addresses to be a list of iLOs
            ilo-reaper.yaml:6:56: fleet.lab.ilos[3]: `192.0.2.0/x` is not an iLO: expected the form `192.0.2.7` or `192.0.2.0/24`
        "#]],
        ),
    ]);
}

#[test]
fn groups_that_are_wrong() {
    check(&[
        (
            "    ilos: [ 42, null, [ a ] ]\n",
            expect![[r#"
                ilo-reaper.yaml:6:13: fleet.lab.ilos[0]: `42` is not an iLO (a name, `name-[01-42]`, an address, a network, or `{ name: …, address: … }`)
                ilo-reaper.yaml:6:17: fleet.lab.ilos[1]: nothing is written here; expected an iLO (a name, `name-[01-42]`, an address, a network, or `{ name: …, address: … }`)
                ilo-reaper.yaml:6:23: fleet.lab.ilos[2]: a list is not an iLO (a name, `name-[01-42]`, an address, a network, or `{ name: …, address: … }`)
            "#]],
        ),
        (
            "    ilos: [ {}, { port: 1 }, { name: a, port: 0 }, { name: a b }, { name: c, policy: x }, { nam: c } ]\n",
            expect![[r#"
            ilo-reaper.yaml:6:13: fleet.lab.ilos[0]: this iLO has no `name` and no `address`
            ilo-reaper.yaml:6:17: fleet.lab.ilos[1]: this iLO has no `name` and no `address`
            ilo-reaper.yaml:6:47: fleet.lab.ilos[2].port: `0` is not a whole number from 1 to 65535
            ilo-reaper.yaml:6:60: fleet.lab.ilos[3].name: `a b` is not a host: ` ` can't be in a host name
            ilo-reaper.yaml:6:86: fleet.lab.ilos[4].policy: there is no policy `x`; expected `default`
            ilo-reaper.yaml:6:91: fleet.lab.ilos[5]: this iLO has no `name` and no `address`
            ilo-reaper.yaml:6:93: fleet.lab.ilos[5].nam: unknown key; did you mean `name`?
        "#]],
        ),
        (
            "    ilos: []\n",
            expect![[r#"
            ilo-reaper.yaml:2:3: fleet.lab: this group has no iLOs; expected some in `ilos` or `ilos_file`
        "#]],
        ),
        (
            "",
            expect![[r#"
            ilo-reaper.yaml:2:3: fleet.lab: this group has no iLOs; expected some in `ilos` or `ilos_file`
        "#]],
        ),
        (
            "    ilos: a\n    policy: defautl\n",
            expect![[r#"
                ilo-reaper.yaml:7:13: fleet.lab.policy: there is no policy `defautl`; expected `default`
            "#]],
        ),
        (
            "    ilos: a\n    password: hunter2\n",
            expect![[r#"
            ilo-reaper.yaml:7:5: fleet.lab.password: unknown key; a password stands in a file of its own, named by `password_file`
        "#]],
        ),
    ]);
}

#[test]
fn an_ilo_stands_in_the_fleet_once() {
    check(&[
        (
            "    ilos:\n      - u[1-3]\n      - U[2-4]\n",
            expect![[r#"
            ilo-reaper.yaml:8:9: fleet.lab.ilos[1]: `U2` is in the fleet twice (and 1 more of this entry); first at ilo-reaper.yaml:7:9
        "#]],
        ),
        (
            "    ilos:\n      - 192.0.2.7\n      - { name: db, address: 192.0.2.7 }\n",
            expect![[r#"
            ilo-reaper.yaml:8:9: fleet.lab.ilos[1]: `db` has the address of `192.0.2.7`, 192.0.2.7; first at ilo-reaper.yaml:7:9
        "#]],
        ),
        (
            "    ilos:\n      - { name: a, address: 192.0.2.7 }\n      - { name: b, address: 192.0.2.7, port: 444 }\n",
            expect![[r#"
            a at 192.0.2.7: lab, default, observe, svc (password)
            b at 192.0.2.7:444: lab, default, observe, svc (password)
        "#]],
        ),
    ]);
    let two = group("    ilos: a\n") + &group("    ilos: [ b, A ]\n").replace("fleet:\n", "").replace("lab", "other");
    expect![[r#"
        ilo-reaper.yaml:11:16: fleet.other.ilos[1]: `A` is in the fleet twice; first at ilo-reaper.yaml:6:11
    "#]]
    .assert_eq(&said(&two));
}

#[test]
fn a_fleet_may_not_be_too_large() {
    let said = said(&group("    ilos: [ 10.1.0.0/16, 10.2.0.0/16, 10.3.0.0/16 ]\n"));
    expect![[r#"
        ilo-reaper.yaml:6:26: fleet.lab.ilos[1]: with these the fleet has more than 100000 iLOs
    "#]]
    .assert_eq(&said);
}

#[test]
fn no_fleet_at_all() {
    for (yaml, expected) in [
        (
            "mode: observe\n",
            expect![[r#"
            ilo-reaper.yaml: there is no `fleet`; it names the groups of iLOs
        "#]],
        ),
        (
            "fleet:\n",
            expect![[r#"
            ilo-reaper.yaml:1:1: fleet: there is no group of iLOs here
        "#]],
        ),
        (
            "fleet: {}\n",
            expect![[r#"
            ilo-reaper.yaml:1:1: fleet: there is no group of iLOs here
        "#]],
        ),
        (
            "fleet: [ lab ]\n",
            expect![[r#"
            ilo-reaper.yaml:1:8: fleet: a list is not a mapping (`key: value` lines)
        "#]],
        ),
        (
            "fleet:\n  lab:\n",
            expect![[r#"
                ilo-reaper.yaml:2:3: fleet.lab: this group has no `username`
                ilo-reaper.yaml:2:3: fleet.lab: this group has no `password_file` and no `password_credential`
                ilo-reaper.yaml:2:3: fleet.lab: this group has no iLOs; expected some in `ilos` or `ilos_file`
            "#]],
        ),
        (
            "fleet:\n  'a b': 5\n",
            expect![[r#"
            ilo-reaper.yaml:2:3: fleet.a b: a name must be letters, digits, `.`, `_` and `-`, 64 of them at most, and begin with a letter or digit
            ilo-reaper.yaml:2:10: fleet.a b: `5` is not a mapping (`key: value` lines)
        "#]],
        ),
    ] {
        expected.assert_eq(&said(yaml));
    }
}

#[test]
fn trust_is_explicit() {
    let tls = |tls: &str| said(&group("    ilos: a\n").replace("insecure", tls));
    let pin = format!("sha256:{}", "0a".repeat(32));
    for (written, expected) in [
        (
            format!("{{ pin: '{pin}' }}").as_str(),
            expect![[r#"
            a at a: lab, default, observe, svc (password)
        "#]],
        ),
        (
            "{ trust: insecure, legacy: false }",
            expect![[r#"
            a at a: lab, default, observe, svc (password)
        "#]],
        ),
        (
            "known",
            expect![[r#"
                a at a: lab, default, observe, svc (password)
            "#]],
        ),
        (
            "{ trust: known }",
            expect![[r#"
                a at a: lab, default, observe, svc (password)
            "#]],
        ),
        (
            "{ ca: ca.pem }",
            expect![[r#"
                ilo-reaper.yaml:5:16: fleet.lab.tls.ca: `ca.pem` is not the absolute path of a file
            "#]],
        ),
        (
            "{ trust: { ca: /etc/ca.pem } }",
            expect![[r#"
                ilo-reaper.yaml:5:19: fleet.lab.tls.trust: a pin or a file stands here itself: `{ pin: "sha256:…", legacy: true }`
            "#]],
        ),
        (
            "{ trust: knwon, legacy: 1 }",
            expect![[r#"
                ilo-reaper.yaml:5:19: fleet.lab.tls.trust: `knwon` is not `known`, `system` or `insecure`
                ilo-reaper.yaml:5:34: fleet.lab.tls.legacy: `1` is not `true` or `false`
            "#]],
        ),
        (
            "{ legacy: maybe }",
            expect![[r#"
                ilo-reaper.yaml:5:10: fleet.lab.tls: this does not say whom to trust; expected `trust`, `ca` or `pin`
                ilo-reaper.yaml:5:20: fleet.lab.tls.legacy: `maybe` is not `true` or `false`
            "#]],
        ),
        (
            "insecur",
            expect![[r#"
            ilo-reaper.yaml:5:10: fleet.lab.tls: `insecur` is not `known`, `system`, `insecure`, `{ ca: FILE }` or `{ pin: "sha256:…" }`
        "#]],
        ),
        (
            "{ pin: sha256:00 }",
            expect![[r#"
            ilo-reaper.yaml:5:17: fleet.lab.tls.pin: `sha256:00` is not the SHA-256 of a certificate: `sha256:` and 64 hexadecimal digits
        "#]],
        ),
        (
            &pin,
            expect![[r#"
            ilo-reaper.yaml:5:10: fleet.lab.tls: a pin is written `{ pin: "sha256:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a" }`
        "#]],
        ),
        (
            &format!("{{ pin: '{pin}', ca: /etc/ca.pem, trust: insecure }}"),
            expect![[r#"
                ilo-reaper.yaml:5:109: fleet.lab.tls.trust: this stands beside `pin`; one of them must go
            "#]],
        ),
        (
            "{}",
            expect![[r#"
                ilo-reaper.yaml:5:10: fleet.lab.tls: this does not say whom to trust; expected `trust`, `ca` or `pin`
            "#]],
        ),
    ] {
        expected.assert_eq(&tls(written));
    }
}

#[test]
fn insecure_is_said_per_group() {
    let desk = Desk::new();
    desk.config("ilo-reaper.yaml", super::FLEET);
    let warnings: Vec<String> = desk.load().expect("good").warnings.iter().map(ToString::to_string).collect();
    expect!["group `lab` has `tls: insecure`: whoever answers in place of its iLOs gets the password of `svc`"]
        .assert_eq(&warnings.join("\n"));
}

#[test]
fn a_group_may_go_ahead_with_its_own_mode_and_policy() {
    let desk = Desk::new();
    let group = |name: &str, lines: &str| {
        format!(
            "  {name}:\n    username: svc\n    password_file: DIR/password\n    tls: insecure\n    ilos: {name}\n{lines}"
        )
    };
    let groups = group("a", "") + &group("b", "    mode: observe\n") + &group("c", "    policy: mine\n");
    desk.config("ilo-reaper.yaml", &format!("mode: enforce\npolicies: {{ mine: {{ reap: [] }} }}\nfleet:\n{groups}"));
    expect![[r#"
        a at a: a, default, enforce, svc (password)
        b at b: b, default, observe, svc (password)
        c at c: c, mine, enforce, svc (password)
    "#]]
    .assert_eq(&desk.said());
}
