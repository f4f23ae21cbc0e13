use expect_test::{Expect, expect};

use super::said_before_fleet;

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
