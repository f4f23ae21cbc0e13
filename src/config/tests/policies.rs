use expect_test::{Expect, expect};

use super::said_before_fleet;

fn check(table: &[(&str, Expect)]) {
    for (yaml, expected) in table {
        expected.assert_eq(&said_before_fleet(yaml));
    }
}

#[test]
fn rules() {
    check(&[
        (
            "policies: { p: { reap: [ { idle: 10m } ] } }",
            expect![[r#"
            ilo-reaper.yaml:1:26: policies.p.reap[0]: this has no `id`; records name the rule that decided by it
        "#]],
        ),
        (
            "policies: { p: { reap: [ { id: a b, idle: 10m } ] } }",
            expect![[r#"
            ilo-reaper.yaml:1:32: policies.p.reap[0].id: `a b` is no id; it must be letters, digits, `.`, `_` and `-`, 64 of them at most, and begin with a letter or digit
        "#]],
        ),
        (
            "policies: { p: { reap: [ { id: a } ] } }",
            expect![[r#"
            ilo-reaper.yaml:1:26: policies.p.reap[0]: this has no condition, so everybody would go; expected one of `owner`, `origin`, `kind`, `user_type`, `age`, `idle`, `superseded`, `never_used`, `when`
        "#]],
        ),
        (
            "policies: { p: { protect: [ { id: a, until: 2026-12-01T06:00:00Z } ] } }",
            expect![[r#"
            ilo-reaper.yaml:1:29: policies.p.protect[0]: this has no condition, so everybody would be protected, and nothing ever go; expected one of `owner`, `origin`, `kind`, `user_type`, `age`, `idle`, `superseded`, `never_used`, `when`
        "#]],
        ),
        (
            "policies: { p: { reap: [ { id: a, idle: 10m, until: 2026-12-01T06:00:00Z } ] } }",
            expect![[r#"
            ilo-reaper.yaml:1:46: policies.p.reap[0].until: this belongs to `protect` only
        "#]],
        ),
        (
            "policies: { p: { protect: [ { id: a, owner: x, keep_latest: 1, down_to: 1 free, accept_risk: true } ] } }",
            expect![[r#"
            ilo-reaper.yaml:1:48: policies.p.protect[0].keep_latest: this belongs to `reap` only
            ilo-reaper.yaml:1:64: policies.p.protect[0].down_to: this belongs to `reap` only
            ilo-reaper.yaml:1:81: policies.p.protect[0].accept_risk: this belongs to `reap` only
        "#]],
        ),
        (
            "policies:\n  p:\n    protect:\n      - { id: a, owner: x }\n    reap:\n      - { id: a, idle: 10m }\n",
            expect![[r#"
                ilo-reaper.yaml:6:15: policies.p.reap[0].id: the id `a` is used twice in this policy; first at ilo-reaper.yaml:4:15
            "#]],
        ),
        (
            "policies: { p: { reap: [ { id: a, idle: 9m } ] } }",
            expect![[r#"
            ilo-reaper.yaml:1:26: policies.p.reap[0]: this names neither `owner`, `origin`, `superseded` nor `never_used`, so it must ask for `idle: 10m` or more; `accept_risk: true` allows less
        "#]],
        ),
        (
            "policies: { p: { reap: [ { id: a, age: 1d, owner: '*', origin: 0.0.0.0/0 } ] } }",
            expect![[r#"
            ilo-reaper.yaml:1:26: policies.p.reap[0]: this names neither `owner`, `origin`, `superseded` nor `never_used`, so it must ask for `idle: 10m` or more; `accept_risk: true` allows less
        "#]],
        ),
    ]);
}

#[test]
fn conditions() {
    check(&[
        (
            "policies: { p: { reap: [ { id: a, superseded: false, never_used: 1 } ] } }",
            expect![[r#"
            ilo-reaper.yaml:1:47: policies.p.reap[0].superseded: this can only be `true`; leave it out where it does not matter
            ilo-reaper.yaml:1:66: policies.p.reap[0].never_used: `1` is not `true` or `false`
        "#]],
        ),
        (
            "policies: { p: { reap: [ { id: a, idle: 10m, kind: [rest, sssh], user_type: system } ] } }",
            expect![[r#"
            ilo-reaper.yaml:1:59: policies.p.reap[0].kind[1]: `sssh` is not one of `rest`, `web`, `ssh`, `console`, `ipmi`, `host`; did you mean `ssh`?
            ilo-reaper.yaml:1:77: policies.p.reap[0].user_type: `system` sessions always stay; expected `local` or `directory`
        "#]],
        ),
        (
            "policies: { p: { reap: [ { id: a, idle: 10m, user_type: [Single Sign On, locl] } ] } }",
            expect![[r#"
            ilo-reaper.yaml:1:58: policies.p.reap[0].user_type[0]: `Single Sign On` sessions always stay; expected `local` or `directory`
            ilo-reaper.yaml:1:74: policies.p.reap[0].user_type[1]: `locl` is not `local` or `directory`; did you mean `local`?
        "#]],
        ),
        (
            "policies: { p: { reap: [ { id: a, owner: ['svc-[ab]', '', 5] } ] } }",
            expect![[r#"
            ilo-reaper.yaml:1:43: policies.p.reap[0].owner[0]: `svc-[ab]`: only `*` and `?` are patterns; list several names instead
            ilo-reaper.yaml:1:55: policies.p.reap[0].owner[1]: `` is no account name or pattern (`*`, `?`)
            ilo-reaper.yaml:1:59: policies.p.reap[0].owner[2]: `5` is not text; write it in quotes if it is an account name
        "#]],
        ),
        (
            "policies: { p: { reap: [ { id: a, origin: [192.0.2.300, 192.0.2.5/28, 192.0.2.0/33] } ] } }",
            expect![[r#"
            ilo-reaper.yaml:1:44: policies.p.reap[0].origin[0]: `192.0.2.300` is not an address or network: expected the form `192.0.2.7` or `192.0.2.0/24`
            ilo-reaper.yaml:1:57: policies.p.reap[0].origin[1]: `192.0.2.5/28` is not an address or network: 192.0.2.5 lies inside a network; did you mean `192.0.2.0/28`?
            ilo-reaper.yaml:1:71: policies.p.reap[0].origin[2]: `192.0.2.0/33` is not an address or network: expected the form `192.0.2.7` or `192.0.2.0/24`
        "#]],
        ),
        (
            "policies: { p: { reap: [ { id: a, idle: 10m, when: calm, keep_latest: 0, down_to: 0 free } ] } }",
            expect![[r#"
            ilo-reaper.yaml:1:52: policies.p.reap[0].when: `calm` is not one of `near`, `critical`, `full`
            ilo-reaper.yaml:1:71: policies.p.reap[0].keep_latest: `0` is not a whole number from 1 to 1000
            ilo-reaper.yaml:1:83: policies.p.reap[0].down_to: `0 free` is not from `1 free` to `1000 free`
        "#]],
        ),
        (
            "policies: { p: { protect: [ { id: a, owner: x, until: tomorrow } ] } }",
            expect![[r#"
            ilo-reaper.yaml:1:55: policies.p.protect[0].until: `tomorrow` is not a time with its zone, such as `2026-12-01T06:00:00Z`
        "#]],
        ),
        (
            "policies: { p: { reep: [] } }",
            expect![[r#"
            ilo-reaper.yaml:1:18: policies.p.reep: unknown key; did you mean `reap`?
        "#]],
        ),
        (
            "policies: { 'p q': { reap: [] } }",
            expect![[r#"
            ilo-reaper.yaml:1:13: policies.p q: a name must be letters, digits, `.`, `_` and `-`, 64 of them at most, and begin with a letter or digit
        "#]],
        ),
        (
            "policies: [ default ]",
            expect![[r#"
            ilo-reaper.yaml:1:11: policies: a list is not a mapping (`key: value` lines)
        "#]],
        ),
    ]);
}
