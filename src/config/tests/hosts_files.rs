use expect_test::expect;

use super::Desk;
use super::fleets::group;

#[test]
fn ilos_of_a_file_of_lines() {
    let desk = Desk::new();
    desk.config("ilo-reaper.yaml", &group("    ilos: a\n    ilos_file: DIR/hosts\n"));
    expect![[r#"
        ilo-reaper.yaml:7:16: fleet.lab.ilos_file: hosts does not exist
    "#]]
    .assert_eq(&desk.said());
    desk.write("hosts", 0o644, "# rack 1\nu[1-2]  # two\n\n  192.0.2.4/31\n");
    expect![[r#"
        192.0.2.4 at 192.0.2.4: lab, default, observe, svc (password)
        192.0.2.5 at 192.0.2.5: lab, default, observe, svc (password)
        a at a: lab, default, observe, svc (password)
        u1 at u1: lab, default, observe, svc (password)
        u2 at u2: lab, default, observe, svc (password)
    "#]]
    .assert_eq(&desk.said());
    desk.write("hosts", 0o644, "b\n  c d\nu[2-1]\nA\n");
    expect![[r#"
        hosts:2:3: `c d` is not an iLO: ` ` can't be in a host name
        hosts:3:1: `u[2-1]` is not an iLO: the range `[2-1]` runs backwards
        hosts:4:1: `A` is in the fleet twice; first at ilo-reaper.yaml:6:11
    "#]]
    .assert_eq(&desk.said());
    desk.write("hosts", 0o666, "b\n");
    expect![[r#"
        ilo-reaper.yaml:7:16: fleet.lab.ilos_file: hosts has mode 0666 with group OURS: everybody may write it; expected 0644
    "#]].assert_eq(&desk.said());
    desk.config("ilo-reaper.yaml", &group("    ilos_file: DIR/hosts\n"));
    desk.write("hosts", 0o644, "# nobody\n");
    expect![[r#"
        ilo-reaper.yaml:2:3: fleet.lab: this group has no iLOs; expected some in `ilos` or `ilos_file`
    "#]]
    .assert_eq(&desk.said());
    desk.config("ilo-reaper.yaml", &group("    ilos_file: hosts\n"));
    expect![[r#"
        ilo-reaper.yaml:6:16: fleet.lab.ilos_file: `hosts` is not the absolute path of a file
    "#]]
    .assert_eq(&desk.said());
}

#[test]
fn ilos_of_a_file_of_targets() {
    let desk = Desk::new();
    desk.config("ilo-reaper.yaml", &group("    ilos_file: DIR/hosts.json\n"));
    for (json, expected) in [
        (
            r#"[ { "targets": ["a:443", "b", "192.0.2.7:8443", "[2001:db8::7]:443", "[2001:db8::8]"], "labels": { "rack": "1" } } ]"#,
            expect![[r#"
                192.0.2.7:8443 at 192.0.2.7:8443: lab, default, observe, svc (password)
                2001:db8::7 at [2001:db8::7]: lab, default, observe, svc (password)
                2001:db8::8 at [2001:db8::8]: lab, default, observe, svc (password)
                a at a: lab, default, observe, svc (password)
                b at b: lab, default, observe, svc (password)
            "#]],
        ),
        (
            "[]",
            expect![[r#"
            ilo-reaper.yaml:2:3: fleet.lab: this group has no iLOs; expected some in `ilos` or `ilos_file`
        "#]],
        ),
        (
            "[ { \"targets\": [\"ok\",\n  \"a b\", \"a:0\", \"a:99999\", \"[x]:1\", \"[::1]x\", \"\\u0020\"] } ]",
            expect![[r#"
            hosts.json: ` ` is not an iLO: ` ` can't be in a host name
            hosts.json:2:3: `a b` is not an iLO: ` ` can't be in a host name
            hosts.json:2:10: `a:0` is not an iLO: a port is a number from 1 to 65535
            hosts.json:2:17: `a:99999` is not an iLO: a port is a number from 1 to 65535
            hosts.json:2:28: `[x]:1` is not an iLO: expected `[IPv6 address]:port`
            hosts.json:2:37: `[::1]x` is not an iLO: expected `[IPv6 address]:port`
        "#]],
        ),
        (
            "[ { \"target\": [] } ]",
            expect![[r#"
            hosts.json:1:12: this is not a list of targets as Prometheus reads them: unknown field `target`, expected `targets` or `labels`
        "#]],
        ),
        (
            "[ { \"targets\": [1] } ]",
            expect![[r#"
            hosts.json:1:17: this is not a list of targets as Prometheus reads them: invalid type: integer `1`, expected a string
        "#]],
        ),
        (
            "[ {",
            expect![[r#"
            hosts.json:1:3: this is not a list of targets as Prometheus reads them: EOF while parsing an object
        "#]],
        ),
    ] {
        desk.write("hosts.json", 0o644, json);
        expected.assert_eq(&desk.said());
    }
}
