use expect_test::expect;

use super::{Desk, FLEET, said};

#[test]
fn what_is_not_yaml() {
    for (yaml, expected) in [
        (
            "",
            expect![[r#"
            ilo-reaper.yaml: there is no `fleet`; it names the groups of iLOs
        "#]],
        ),
        (
            "# nothing\n",
            expect![[r#"
            ilo-reaper.yaml: there is no `fleet`; it names the groups of iLOs
        "#]],
        ),
        (
            "- a\n- b\n",
            expect![[r#"
            ilo-reaper.yaml: this is not a mapping (`key: value` lines)
        "#]],
        ),
        (
            "poll:\n  every: 1m\n every: 2m\n",
            expect![[r#"
            ilo-reaper.yaml:3:2: this is not YAML: did not find expected key, while parsing a block mapping
        "#]],
        ),
        (
            "poll: { every: 1m\n",
            expect![[r#"
            ilo-reaper.yaml:2:1: this is not YAML: did not find expected ',' or '}', while parsing a flow mapping at line 1 column 7
        "#]],
        ),
        (
            "poll:\n\tevery: 1m\n",
            expect![[r#"
            ilo-reaper.yaml:2:1: this is not YAML: found character that cannot start any token, while scanning for the next token
        "#]],
        ),
        (
            "poll: *nowhere\n",
            expect![[r#"
            ilo-reaper.yaml:1:7: this is not YAML: unknown anchor
        "#]],
        ),
        (
            "--- {}\n--- {}\n",
            expect![[r#"
                ilo-reaper.yaml: this is not YAML: it holds more than one document (`---`)
            "#]],
        ),
        (
            "[[a]: b]: c",
            expect![[r#"
            ilo-reaper.yaml:1:1: a key must be a word; put it in quotes if it is meant as one
        "#]],
        ),
        (
            "poll: { every: &x 1m, fastest: &x 5s, visit_timeout: *x }",
            expect![[r#"
            ilo-reaper.yaml: the anchor `&x` is set twice; give each its own name
        "#]],
        ),
        (
            &"[".repeat(2000),
            expect![[r#"
     ilo-reaper.yaml: this is not YAML: it is nested too deeply
 "#]],
        ),
        (
            &"[".repeat(200),
            expect![[r#"
            ilo-reaper.yaml:1:129: this is not YAML: recursion limit exceeded
        "#]],
        ),
    ] {
        expected.assert_eq(&said(yaml));
    }
}

#[test]
fn aliases_of_aliases_do_not_fill_the_memory() {
    let mut lines = vec![format!("a0: &a0 [{}]\n", vec!["x"; 500].join(","))];
    for level in 1..40 {
        lines.push(format!("a{level}: &a{level} [*a{0}, *a{0}]\n", level - 1));
    }
    let said = said(&lines.concat());
    assert!(said.contains("this holds too much, by aliases"), "{said}");
}

#[test]
fn several_files_add_up_and_set_each_key_once() {
    let desk = Desk::new();
    desk.config("ilo-reaper.yaml", "mode: observe\npoll:\n  every: 1m\npolicies:\n  p: {}\nfleet:\n");
    desk.config("conf.d/20-b.yaml", "mode: enforce\npoll:\n  fastest: 2s\n  every: 5m\nfleet:\n  lab: {}\n");
    desk.config("conf.d/10-a.yaml", &FLEET.replace("username", "policy: p\n    username"));
    desk.config("conf.d/30-c.yaml", "policies:\n  p: {}\n  q:\n    reap: { id: x }\n");
    desk.config("conf.d/.hidden.yaml", "mode: nonsense");
    desk.config("conf.d/notes.txt", "mode: nonsense");
    desk.config("conf.d/empty.yaml", "");
    expect![[r#"
        conf.d/20-b.yaml:1:1: mode: this is set in another file too; first at ilo-reaper.yaml:1:1
        conf.d/20-b.yaml:4:3: poll.every: this is set in another file too; first at ilo-reaper.yaml:3:3
        conf.d/20-b.yaml:6:3: fleet.lab: a group of this name is written in another file too; first at conf.d/10-a.yaml:3:3
        conf.d/30-c.yaml:2:3: policies.p: a policy of this name is written in another file too; first at ilo-reaper.yaml:5:3
        conf.d/30-c.yaml:4:11: policies.q.reap: this has no condition, so everybody would go; expected one of `owner`, `origin`, `kind`, `user_type`, `age`, `idle`, `superseded`, `never_used`, `when`
    "#]].assert_eq(&desk.said());
    desk.config("conf.d/20-b.yaml", "poll:\n  fastest: 2s\n");
    desk.config("conf.d/30-c.yaml", "on_stop: keep\n");
    expect![[r#"
        ilo-1.example.net at ilo-1.example.net: lab, p, observe, svc (password)
    "#]]
    .assert_eq(&desk.said());
}

#[test]
fn files_that_cannot_be_read() {
    let desk = Desk::new();
    expect![[r#"
        ilo-reaper.yaml: does not exist
    "#]]
    .assert_eq(&desk.said());
    desk.write("ilo-reaper.yaml", 0o644, b"mode: observe\nx: \xff");
    expect![[r#"
        ilo-reaper.yaml: holds bytes that are not UTF-8 text, in line 2
    "#]]
    .assert_eq(&desk.said());
    desk.write("ilo-reaper.yaml", 0o644, "#".repeat((4 << 20) + 1));
    expect![[r#"
        ilo-reaper.yaml: is larger than 4096 KiB
    "#]]
    .assert_eq(&desk.said());
    std::fs::remove_file(desk.path("ilo-reaper.yaml")).expect("a file");
    std::fs::create_dir(desk.path("ilo-reaper.yaml")).expect("a directory");
    desk.config("conf.d/a.yaml/b", "");
    expect![[r#"
        ilo-reaper.yaml: is not a regular file
        conf.d/a.yaml: is not a regular file
    "#]]
    .assert_eq(&desk.said());
}
