use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::Arc;

use expect_test::expect;

use super::{Credentials, Desk, FLEET};

#[test]
fn a_password_loses_one_line_end_and_is_shared() {
    let desk = Desk::new();
    desk.config("ilo-reaper.yaml", &FLEET.replace("ilo-1", "ilo-[1-3]"));
    for (written, expected) in [("hunter2\n", "hunter2"), ("hunter2", "hunter2"), (" ü ", " ü ")] {
        desk.write("password", 0o600, written);
        let settings = desk.load().expect("good").settings;
        let credentials: Vec<_> = settings.targets.values().map(|target| &target.credential).collect();
        assert_eq!(credentials[0].password.reveal(), expected);
        assert!(credentials.iter().all(|credential| Arc::ptr_eq(credential, credentials[0])));
    }
}

#[test]
fn each_ilo_may_have_a_password_of_its_own() {
    let desk = Desk::new();
    let fleet = FLEET.replace("ilo-1.example.net", "u[1-3]").replace("/password", "/secrets/{ilo}");
    desk.config("ilo-reaper.yaml", &fleet);
    desk.write("secrets/u1", 0o600, "one");
    expect![[r#"
        ilo-reaper.yaml:5:20: fleet.lab.password_file: secrets/u2 does not exist (and 1 more)
    "#]]
    .assert_eq(&desk.said());
    desk.write("secrets/u2", 0o600, "two");
    desk.write("secrets/u3", 0o600, "three");
    expect![[r#"
        u1 at u1: lab, default, observe, svc (secrets/u1)
        u2 at u2: lab, default, observe, svc (secrets/u2)
        u3 at u3: lab, default, observe, svc (secrets/u3)
    "#]]
    .assert_eq(&desk.said());
}

#[test]
fn contents_that_are_no_password() {
    let desk = Desk::new();
    desk.config("ilo-reaper.yaml", FLEET);
    for (contents, expected) in [
        (
            &b""[..],
            expect![[r#"
            ilo-reaper.yaml:5:20: fleet.lab.password_file: password is empty
        "#]],
        ),
        (
            b"\n",
            expect![[r#"
            ilo-reaper.yaml:5:20: fleet.lab.password_file: password is empty
        "#]],
        ),
        (
            b"hunter2\r\n",
            expect![[r#"
            ilo-reaper.yaml:5:20: fleet.lab.password_file: password holds a control character, such as a line end inside or a Windows line end
        "#]],
        ),
        (
            b"hunter2\nhunter3\n",
            expect![[r#"
            ilo-reaper.yaml:5:20: fleet.lab.password_file: password holds a control character, such as a line end inside or a Windows line end
        "#]],
        ),
        (
            b"hunter\xff",
            expect![[r#"
            ilo-reaper.yaml:5:20: fleet.lab.password_file: password holds bytes that are not UTF-8 text
        "#]],
        ),
        (
            "x".repeat(65_537).as_bytes(),
            expect![[r#"
            ilo-reaper.yaml:5:20: fleet.lab.password_file: password is larger than 64 KiB
        "#]],
        ),
    ] {
        desk.write("password", 0o600, contents);
        let said = desk.said();
        assert!(!said.contains("hunter"), "{said}");
        expected.assert_eq(&said);
    }
}

#[test]
fn where_a_password_may_be() {
    let desk = Desk::new();
    let with = |line: &str| {
        desk.config("ilo-reaper.yaml", &FLEET.replace("password_file: DIR/password", line));
        desk.said()
    };
    for (line, expected) in [
        (
            "mode: observe",
            expect![[r#"
            ilo-reaper.yaml:3:3: fleet.lab: this group has no `password_file` and no `password_credential`
        "#]],
        ),
        (
            "password_file: hunter2",
            expect![[r#"
            ilo-reaper.yaml:5:20: fleet.lab.password_file: expected the absolute path of a file that holds the password, not the password
        "#]],
        ),
        (
            "password_file: 1234",
            expect![[r#"
            ilo-reaper.yaml:5:20: fleet.lab.password_file: expected the absolute path of a file that holds the password, not the password
        "#]],
        ),
        (
            "password_file: DIR/{name}",
            expect![[r#"
            ilo-reaper.yaml:5:20: fleet.lab.password_file: `{name}`: only `{ilo}` stands for something in a path
        "#]],
        ),
        (
            "password_file: DIR/nowhere",
            expect![[r#"
            ilo-reaper.yaml:5:20: fleet.lab.password_file: nowhere does not exist
        "#]],
        ),
        (
            "password_file: DIR",
            expect![[r#"
                ilo-reaper.yaml:5:20: fleet.lab.password_file: DIR is not a regular file
            "#]],
        ),
        (
            "password_credential: hunter/2",
            expect![[r#"
            ilo-reaper.yaml:5:26: fleet.lab.password_credential: expected the plain name of a credential (`LoadCredential=NAME:FILE` in the unit), not the password
        "#]],
        ),
        (
            "password_credential: ../password",
            expect![[r#"
            ilo-reaper.yaml:5:26: fleet.lab.password_credential: expected the plain name of a credential (`LoadCredential=NAME:FILE` in the unit), not the password
        "#]],
        ),
        (
            "password_credential: lab",
            expect![[r#"
                ilo-reaper.yaml:5:26: fleet.lab.password_credential: no credential `lab`: the service manager gave us none; `LoadCredential=lab:FILE` in the unit must name it, and only the service has it: by hand, `systemd-run --pipe --property=LoadCredential=lab:FILE ilo-reaper …`
            "#]],
        ),
        (
            "{ password_credential: lab",
            expect![[r#"
            ilo-reaper.yaml:6:8: this is not YAML: could not find expected ':', while scanning a simple key at line 5 column 5
        "#]],
        ),
        (
            "password_credential: lab\n    password_file: DIR/password",
            expect![[r#"
            ilo-reaper.yaml:5:5: fleet.lab.password_credential: this group has a `password_file` too; one of them must go
        "#]],
        ),
    ] {
        expected.assert_eq(&with(line));
    }
}

#[test]
fn a_credential_comes_from_the_service_manager() {
    let mut desk = Desk::new();
    desk.config("ilo-reaper.yaml", &FLEET.replace("password_file: DIR/password", "password_credential: lab"));
    desk.write("credentials/other", 0o400, "hunter2");
    expect![[r#"
        ilo-reaper.yaml:5:26: fleet.lab.password_credential: no credential `lab`: the service manager gave us none; `LoadCredential=lab:FILE` in the unit must name it, and only the service has it: by hand, `systemd-run --pipe --property=LoadCredential=lab:FILE ilo-reaper …`
    "#]].assert_eq(&desk.said());
    desk.surroundings = desk.surroundings.clone().without_logins();
    expect![[r#"
        ilo-1.example.net at ilo-1.example.net: lab, default, observe, svc (credential lab)
    "#]]
    .assert_eq(&desk.said());
    desk.surroundings.credentials = Credentials::In(desk.path("credentials"));
    desk.surroundings = desk.surroundings.clone().without_logins();
    expect![[r#"
        ilo-reaper.yaml:5:26: fleet.lab.password_credential: credential `lab` does not exist; `LoadCredential=lab:FILE` in the unit must name it
    "#]].assert_eq(&desk.said());
    desk.write("credentials/lab", 0o400, "hunter2");
    expect![[r#"
        ilo-1.example.net at ilo-1.example.net: lab, default, observe, svc (credential lab)
    "#]]
    .assert_eq(&desk.said());
}

#[test]
fn a_link_is_judged_by_its_target_and_a_fifo_is_refused() {
    let desk = Desk::new();
    desk.config("ilo-reaper.yaml", FLEET);
    fs::rename(desk.path("password"), desk.path("elsewhere")).expect("renamed");
    symlink(desk.path("elsewhere"), desk.path("password")).expect("linked");
    expect![[r#"
        ilo-1.example.net at ilo-1.example.net: lab, default, observe, svc (password)
    "#]]
    .assert_eq(&desk.said());
    desk.write("elsewhere", 0o644, "hunter2");
    expect![[r#"
        ilo-reaper.yaml:5:20: fleet.lab.password_file: password has mode 0644 with group OURS: everybody may use it; expected 0600
    "#]].assert_eq(&desk.said());
    fs::remove_file(desk.path("password")).expect("removed");
    let made = Command::new("mkfifo").arg(desk.path("password")).status().expect("mkfifo");
    assert!(made.success());
    expect![[r#"
        ilo-reaper.yaml:5:20: fleet.lab.password_file: password is not a regular file
    "#]]
    .assert_eq(&desk.said());
}
