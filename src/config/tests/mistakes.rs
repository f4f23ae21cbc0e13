use expect_test::{Expect, expect};

use super::{Desk, said, said_before_fleet};

fn check(table: &[(&str, Expect)]) {
    for (yaml, expected) in table {
        expected.assert_eq(&said_before_fleet(yaml));
    }
}

#[test]
fn words_and_keys() {
    check(&[
        (
            "mode: enforced",
            expect![[r#"
            ilo-reaper.yaml:1:7: mode: `enforced` is not `observe` or `enforce`; did you mean `enforce`?
        "#]],
        ),
        (
            "mode: [observe]",
            expect![[r#"
            ilo-reaper.yaml:1:7: mode: a list is not `observe` or `enforce`
        "#]],
        ),
        (
            "mode:",
            expect![[r#"
            ilo-reaper.yaml:1:6: mode: nothing is written here; expected `observe` or `enforce`
        "#]],
        ),
        (
            "mode: true",
            expect![[r#"
            ilo-reaper.yaml:1:7: mode: `true` is not `observe` or `enforce`
        "#]],
        ),
        (
            "moed: observe",
            expect![[r#"
            ilo-reaper.yaml:1:1: moed: unknown key; did you mean `mode`?
        "#]],
        ),
        (
            "cluster: {}",
            expect![[r#"
            ilo-reaper.yaml:1:1: cluster: unknown key; expected one of `mode`, `poll`, `pressure`, `caps`, `policies`, `fleet`, `report`, `on_stop`
        "#]],
        ),
        (
            "poll: { evry: 1m, interval: 5m }",
            expect![[r#"
            ilo-reaper.yaml:1:9: poll.evry: unknown key; did you mean `every`?
            ilo-reaper.yaml:1:19: poll.interval: unknown key; expected one of `every`, `fastest`, `visits_at_once`, `connect_timeout`, `exchange_timeout`, `visit_timeout`
        "#]],
        ),
        (
            "poll: 1m",
            expect![[r#"
            ilo-reaper.yaml:1:7: poll: `1m` is not a mapping (`key: value` lines)
        "#]],
        ),
        (
            "on_stop: log-out",
            expect![[r#"
            ilo-reaper.yaml:1:10: on_stop: `log-out` is not `logout` or `keep`; did you mean `logout`?
        "#]],
        ),
        (
            "mode: observe\nmode: enforce",
            expect![[r#"
            ilo-reaper.yaml:2:1: the key `mode` is written twice
        "#]],
        ),
        (
            "poll:\n  every: 1m\n  every: 2m",
            expect![[r#"
            ilo-reaper.yaml:3:3: the key `every` is written twice
        "#]],
        ),
        (
            "poll: !fast { every: 1m }",
            expect![[r#"
            ilo-reaper.yaml:1:7: a YAML tag (`!name`) has no meaning here
        "#]],
        ),
        (
            "1: 2",
            expect![[r#"
            ilo-reaper.yaml:1:1: a key must be a word; put it in quotes if it is meant as one
        "#]],
        ),
        (
            "mode: \"\\e[2J\\u202e\"",
            expect![[r#"
            ilo-reaper.yaml:1:7: mode: `\u{1b}[2J\u{202e}` is not `observe` or `enforce`
        "#]],
        ),
    ]);
}

#[test]
fn durations() {
    check(&[
        (
            "poll: { every: 90 }",
            expect![[r#"
            ilo-reaper.yaml:1:16: poll.every: `90` has no unit; did you mean `90s`?
        "#]],
        ),
        (
            "poll: { every: '90' }",
            expect![[r#"
            ilo-reaper.yaml:1:16: poll.every: `90` is not a duration such as `90s`, `5m` or `2h 30m`: `90` has no unit; did you mean `90s`?
        "#]],
        ),
        (
            "poll: { every: 1.5 }",
            expect![[r#"
            ilo-reaper.yaml:1:16: poll.every: `1.5` is not a duration such as `90s`, `5m` or `2h 30m`
        "#]],
        ),
        (
            "poll: { every: 5x }",
            expect![[r#"
            ilo-reaper.yaml:1:16: poll.every: `5x` is not a duration such as `90s`, `5m` or `2h 30m`: `x` is no unit; there are `ms`, `s`, `m`, `h`, `d` and `w`
        "#]],
        ),
        (
            "poll: { every: soon }",
            expect![[r#"
            ilo-reaper.yaml:1:16: poll.every: `soon` is not a duration such as `90s`, `5m` or `2h 30m`: a number must come before each unit
        "#]],
        ),
        (
            "poll: { every: 0s }",
            expect![[r#"
            ilo-reaper.yaml:1:16: poll.every: `0s` is too short; the least is `100ms`
        "#]],
        ),
        (
            "poll: { every: -1m }",
            expect![[r#"
            ilo-reaper.yaml:1:16: poll.every: `-1m` is not a duration such as `90s`, `5m` or `2h 30m`: a number must come before each unit
        "#]],
        ),
        (
            "poll: { every: 20y }",
            expect![[r#"
            ilo-reaper.yaml:1:16: poll.every: `20y` is too long; the most is ten years
        "#]],
        ),
        (
            "poll: { every: 18446744073709551615s 1000ms }",
            expect![[r#"
            ilo-reaper.yaml:1:16: poll.every: `18446744073709551615s 1000ms` is not a duration such as `90s`, `5m` or `2h 30m`: it is too long
        "#]],
        ),
        (
            "poll: { every: 5s, fastest: 10s }",
            expect![[r#"
            ilo-reaper.yaml:1:29: poll.fastest: `fastest` (10s) is longer than `every` (5s)
        "#]],
        ),
        (
            "poll: { every: 2s }",
            expect![[r#"
            ilo-reaper.yaml:1:16: poll.every: `fastest` (5s) is longer than `every` (2s)
        "#]],
        ),
        (
            "poll: { connect_timeout: 5m }",
            expect![[r#"
            ilo-reaper.yaml:1:26: poll.connect_timeout: `connect_timeout` (5m) is longer than `visit_timeout` (2m)
        "#]],
        ),
        (
            "poll: { exchange_timeout: 1m, visit_timeout: 30s }",
            expect![[r#"
            ilo-reaper.yaml:1:27: poll.exchange_timeout: `exchange_timeout` (1m) is longer than `visit_timeout` (30s)
        "#]],
        ),
        (
            "report: { summary: 0s, remind: 60 }",
            expect![[r#"
            ilo-reaper.yaml:1:20: report.summary: `0s` is too short; the least is `1s`
            ilo-reaper.yaml:1:32: report.remind: `60` has no unit; did you mean `60s`?
        "#]],
        ),
    ]);
}

#[test]
fn numbers_room_and_shares() {
    check(&[
        (
            "poll: { visits_at_once: 0 }",
            expect![[r#"
            ilo-reaper.yaml:1:25: poll.visits_at_once: `0` is not a whole number from 1 to 10000
        "#]],
        ),
        (
            "poll: { visits_at_once: many }",
            expect![[r#"
            ilo-reaper.yaml:1:25: poll.visits_at_once: `many` is not a whole number from 1 to 10000
        "#]],
        ),
        (
            "pressure: { limit: 0 }",
            expect![[r#"
            ilo-reaper.yaml:1:20: pressure.limit: `0` is not a whole number from 1 to 1000
        "#]],
        ),
        (
            "pressure: { limit: lern }",
            expect![[r#"
            ilo-reaper.yaml:1:20: pressure.limit: `lern` is not `learn` or the number of places in the table
        "#]],
        ),
        (
            "pressure: { near: 3 }",
            expect![[r#"
            ilo-reaper.yaml:1:19: pressure.near: `3` has no unit; did you mean `3 free`?
        "#]],
        ),
        (
            "pressure: { near: 0 free }",
            expect![[r#"
            ilo-reaper.yaml:1:19: pressure.near: `0 free` is not from `1 free` to `1000 free`
        "#]],
        ),
        (
            "pressure: { near: 100% }",
            expect![[r#"
            ilo-reaper.yaml:1:19: pressure.near: `100%` is not a share from `1%` to `99%`
        "#]],
        ),
        (
            "pressure: { near: few }",
            expect![[r#"
            ilo-reaper.yaml:1:19: pressure.near: `few` is not room such as `3 free` or `70%`
        "#]],
        ),
        (
            "pressure: { near: 1 free, critical: 2 free }",
            expect![[r#"
            ilo-reaper.yaml:1:19: pressure.near: `near` leaves less room than `critical`; a table must be near its limit first
        "#]],
        ),
        (
            "pressure: { near: 90%, critical: 80% }",
            expect![[r#"
            ilo-reaper.yaml:1:19: pressure.near: `near` leaves less room than `critical`; a table must be near its limit first
        "#]],
        ),
        (
            "pressure: { limit: 10, near: 95%, critical: 3 free }",
            expect![[r#"
            ilo-reaper.yaml:1:30: pressure.near: `near` leaves less room than `critical`; a table must be near its limit first
        "#]],
        ),
        (
            "pressure: { limit: 3 }",
            expect![[r#"
            ilo-reaper.yaml:1:20: pressure.limit: a table of 3 with `near` at 3 free is never calm
        "#]],
        ),
    ]);
}

#[test]
fn counts_caps_and_report() {
    check(&[
        (
            "pressure: { counts: [rest, REST, rest] }",
            expect![[r#"
            ilo-reaper.yaml:1:28: pressure.counts[1]: `REST` is not one of `rest`, `web`, `ssh`, `console`, `ipmi`, `host`; did you mean `rest`?
        "#]],
        ),
        (
            "pressure: { counts: [] }",
            expect![[r#"
            ilo-reaper.yaml:1:21: pressure.counts: nothing is listed here; leave the key out if none is meant
        "#]],
        ),
        (
            "caps: { per_visit: 0, per_minute: -1, share_of_seen: 0% }",
            expect![[r#"
            ilo-reaper.yaml:1:20: caps.per_visit: `0` would delete nothing; `mode: observe` says so
            ilo-reaper.yaml:1:35: caps.per_minute: `-1` is not a whole number from 1 to 1000000
            ilo-reaper.yaml:1:54: caps.share_of_seen: `0%` is not a share from `1%` to `100%`
        "#]],
        ),
        (
            "caps: { share_of_seen: 50, per_ilo_minute: 99999999999999999999 }",
            expect![[r#"
            ilo-reaper.yaml:1:24: caps.share_of_seen: `50` has no unit; did you mean `50%`?
            ilo-reaper.yaml:1:44: caps.per_ilo_minute: `99999999999999999999` is not a whole number from 1 to 1000000
        "#]],
        ),
        (
            "report: { log: jornald, listen: 9709 }",
            expect![[r#"
            ilo-reaper.yaml:1:16: report.log: `jornald` is not one of `auto`, `journald`, `text`, `json`; did you mean `journald`?
            ilo-reaper.yaml:1:33: report.listen: `9709` has no address; did you mean `127.0.0.1:9709`?
        "#]],
        ),
        (
            "report: { listen: localhost:9709 }",
            expect![[r#"
            ilo-reaper.yaml:1:19: report.listen: `localhost:9709` is not `none` or an address and a port, such as `127.0.0.1:9709`
        "#]],
        ),
    ]);
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

#[test]
fn all_mistakes_are_told_at_once_in_their_order() {
    let yaml = "
on_stop: never
poll:
  every: 90
caps:
  per_visit: none
";
    expect![[r#"
        ilo-reaper.yaml:2:10: on_stop: `never` is not `logout` or `keep`
        ilo-reaper.yaml:4:10: poll.every: `90` has no unit; did you mean `90s`?
        ilo-reaper.yaml:6:14: caps.per_visit: `none` is not a whole number from 1 to 1000000
    "#]]
    .assert_eq(&said_before_fleet(yaml));
}

#[test]
fn many_mistakes_are_counted() {
    let rules: Vec<String> = (0..200).map(|number| format!("      - {{ id: r{number} }}\n")).collect();
    let rules = rules.concat();
    let said = said_before_fleet(&format!("policies:\n  p:\n    reap:\n{rules}"));
    assert_eq!(said.lines().count(), 51);
    assert_eq!(said.lines().last(), Some("ilo-reaper.yaml: and 150 more mistakes"));
}

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
    desk.config("conf.d/10-a.yaml", &super::FLEET.replace("username", "policy: p\n    username"));
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
