use expect_test::expect;

use super::super::{Change, change};
use super::{Desk, FLEET};

/// What changes from one configuration to another.
fn between(old: &str, new: &str) -> Change {
    let desk = Desk::new();
    let settings = |yaml: &str| {
        desk.config("ilo-reaper.yaml", yaml);
        desk.load().map_err(|mistakes| format!("{mistakes:?}")).expect("good").settings
    };
    change(&settings(old), &settings(new))
}

/// What is bolder from some lines before the fleet to others.
fn bolder(old: &str, new: &str) -> String {
    between(&format!("{old}{FLEET}"), &format!("{new}{FLEET}")).bolder.join("\n")
}

#[test]
fn nothing_changed() {
    assert_eq!(between(FLEET, FLEET), Change::default());
}

#[test]
fn ilos_come_go_and_differ() {
    let entries = |entries: &str| FLEET.replace("ilo-1.example.net", entries);
    let change = between(
        &entries("[ a, b, { name: c, address: 192.0.2.1 } ]"),
        &entries("[ b, { name: c, address: 192.0.2.2 }, d ]"),
    );
    let names =
        |names: &[crate::settings::IloName]| names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    assert_eq!(
        (names(&change.added), names(&change.removed), names(&change.altered)),
        ("d".into(), "a".into(), "c".into())
    );
    assert_eq!(change.bolder, Vec::<String>::new());
}

#[test]
fn what_deletes_more_is_named() {
    let policy = |lines: &str| format!("policies: {{ default: {{ {lines} }} }}\n");
    let old = policy(
        "protect: [ { id: desk, origin: 192.0.2.0/28 }, { id: svc, owner: x }, { id: change, owner: y, until: 2030-01-01T00:00:00Z } ], \
         reap: [ { id: a, owner: [x, y], superseded: true, idle: 10m, keep_latest: 3 }, \
                 { id: b, idle: 1h, age: 2h, when: critical, origin: 192.0.2.0/24, down_to: 2 free }, { id: c, never_used: true, idle: 5m, down_to: 1 free } ]",
    );
    let new = policy(
        "protect: [ { id: desk, origin: 192.0.2.0/29 }, { id: change, owner: y, until: 2029-01-01T00:00:00Z } ], \
         reap: [ { id: a, owner: [x, z], idle: 5m, kind: [rest, web], user_type: [local, directory], keep_latest: 2 }, \
                 { id: b, idle: 30m, when: near, origin: 192.0.0.0/16, down_to: 3 free }, { id: d, idle: 15m } ]",
    );
    expect![[r#"
        policy `default`: protection `desk` protects less
        policy `default`: protection `svc` is gone
        policy `default`: protection `change` protects less
        policy `default`: rule `a` names more owners, names more kinds, names more user types, asks for `idle: 5m` instead of `10m`, does not ask for `superseded` any more, keeps the latest 2 instead of 3
        policy `default`: rule `b` names more origins, does not ask for `age: 2h` any more, asks for `idle: 30m` instead of `1h`, acts from near on instead of critical, has a bolder `down_to`
        policy `default`: rule `d` is new
        policy `default`: rule `c`, whose `down_to` also spared, is gone"#]].assert_eq(&bolder(&old, &new));
}

#[test]
fn what_deletes_less_is_not() {
    for (old, new) in [
        ("mode: enforce", "mode: observe"),
        ("caps: { per_visit: 5 }", "caps: { per_visit: 4 }"),
        ("pressure: { limit: 10 }", "pressure: { limit: 11 }"),
        ("pressure: { near: 3 free }", "pressure: { near: 2 free }"),
        (
            "policies: { default: { reap: [ { id: a, superseded: true, idle: 5m } ] } }",
            "policies: { default: { protect: [ { id: x, owner: y } ], reap: [ { id: renamed, superseded: true, owner: z, idle: 6m, keep_latest: 1 } ] } }",
        ),
        (
            "policies: { default: { protect: [ { id: x, owner: y, idle: 1m } ], reap: [] } }",
            "policies: { default: { protect: [ { id: z, owner: [y, w] } ], reap: [] } }",
        ),
    ] {
        assert_eq!(bolder(old, new), "", "{new}");
    }
}

#[test]
fn modes_caps_and_pressure() {
    for (old, new, expected) in [
        ("mode: observe", "mode: enforce", expect!["group `lab` goes from observe to enforce on 1 of its iLOs"]),
        (
            "",
            "caps: { per_visit: 6, per_minute: 201, share_of_seen: 51%, per_ilo_minute: 13 }",
            expect![[r#"
            cap `per_visit` goes from 5 to 6
            cap `per_ilo_minute` goes from 12 to 13
            cap `share_of_seen` goes from 50 to 51
            cap `per_minute` goes from 200 to 201"#]],
        ),
        (
            "",
            "pressure: { limit: 10, near: 4 free, critical: 90%, counts: [rest, web, ssh] }",
            expect![[r#"
            `limit` is 10 instead of `learn`, which arms `when`
            `counts` names more kinds, so that `when` is armed sooner
            `near` asks for more room, so that `when` is armed sooner
            `critical` asks for more room, so that `when` is armed sooner"#]],
        ),
        (
            "pressure: { limit: 10 }",
            "pressure: { limit: 9 }",
            expect!["`limit` goes from 10 to 9, so that `when` is armed sooner"],
        ),
    ] {
        expected.assert_eq(&bolder(old, new));
    }
}

#[test]
fn another_policy_is_compared_with_the_one_before() {
    let policies = "policies: { calm: { reap: [] } }\n";
    let with = |name: &str| format!("{policies}{}", FLEET.replace("    tls", &format!("    policy: {name}\n    tls")));
    let change = between(&with("calm"), &with("default"));
    expect![[r#"
        policy `default` instead of `calm` in group `lab`: rule `superseded` is new
        policy `default` instead of `calm` in group `lab`: rule `piling-up` is new
        policy `default` instead of `calm` in group `lab`: rule `never-used` is new"#]]
    .assert_eq(&change.bolder.join("\n"));
    assert_eq!(change.altered.len(), 1);
}

/// What a rule spares no later rule is asked about, so it holds back also those.
#[test]
fn a_rule_that_spares_less_is_named_where_others_decide_instead() {
    let policy = |rules: &str| format!("policies: {{ default: {{ reap: [ {rules} ] }} }}\n");
    let kept = "{ id: kept, superseded: true, idle: 3m, keep_latest: 3 }";
    let rest = "{ id: rest, idle: 15m }";
    for (new, expected) in [
        (format!("{kept}, {rest}"), ""),
        (kept.to_owned(), ""),
        (format!("{kept}, {}", rest.replace("15m", "20m")), ""),
        (format!("{}, {rest}", kept.replace("keep_latest: 3", "keep_latest: 4")), ""),
        (rest.to_owned(), "policy `default`: rule `kept`, whose `keep_latest` also spared, is gone"),
        (
            format!("{rest}, {kept}"),
            "policy `default`: rule `kept`, whose `keep_latest` also spared, comes later or matches less",
        ),
        (
            format!("{}, {rest}", kept.replace("3m", "5m")),
            "policy `default`: rule `kept`, whose `keep_latest` also spared, comes later or matches less",
        ),
    ] {
        assert_eq!(bolder(&policy(&format!("{kept}, {rest}")), &policy(&new)), expected, "{new}");
    }
}

#[test]
fn a_network_inside_the_server_is_named_since_it_permits() {
    let policy = |rule: &str| format!("policies: {{ default: {{ reap: [ {{ id: a, idle: 15m{rule} }} ] }} }}\n");
    let named = "policy `default`: rule `a` names addresses inside the server";
    for (old, new, expected) in [
        ("", ", origin: 192.0.2.0/24", ""),
        ("", ", origin: 127.0.0.1", named),
        (", origin: 0.0.0.0/0", ", origin: 127.0.0.1", named),
        (", origin: 127.0.0.0/8", ", origin: 127.0.0.1", ""),
        (", origin: 127.0.0.1", "", "policy `default`: rule `a` names more origins"),
    ] {
        assert_eq!(bolder(&policy(old), &policy(new)), expected, "{old} to {new}");
    }
}

/// Addresses inside the server are matched only by a rule that names them, so no other one spares them.
#[test]
fn a_rule_that_spared_inside_the_server_is_not_replaced_by_one_that_names_everything() {
    let policy = |rules: &str| format!("policies: {{ default: {{ reap: [ {rules} ] }} }}\n");
    let (all, inside) = ("{ id: all, idle: 15m, keep_latest: 3 }", "{ id: inside, idle: 15m, origin: 127.0.0.1 }");
    let kept = "{ id: kept, idle: 15m, origin: 127.0.0.1, keep_latest: 3 }";
    assert_eq!(
        bolder(&policy(&format!("{all}, {kept}, {inside}")), &policy(&format!("{all}, {inside}"))),
        "policy `default`: rule `kept`, whose `keep_latest` also spared, is gone"
    );
}

#[test]
fn a_limit_that_is_learned_again_may_be_less_and_a_calmer_table_arms_no_rule_that_spares() {
    let change = |policies: &str, old: &str, new: &str| {
        let with = |pressure: &str| format!("pressure: {{ {pressure} }}\n{policies}");
        bolder(&with(old), &with(new))
    };
    assert_eq!(change("", "limit: 10", "limit: learn"), "`limit` is `learn` instead of 10, and may turn out less");
    let waits = "policies: { default: { reap: [ { id: kept, idle: 15m, when: near, keep_latest: 3 }, { id: rest, idle: 15m } ] } }\n";
    let named = "rule `kept` of policy `default`, which also spares, is armed later";
    assert_eq!(change(waits, "limit: 10", "limit: 11"), named);
    assert_eq!(change(waits, "near: 3 free", "near: 2 free"), named);
    assert_eq!(change(waits, "near: 3 free", "near: 3 free"), "");
    let last = waits.replace(", { id: rest, idle: 15m }", "");
    assert_eq!(change(&last, "limit: 10", "limit: 11"), "", "nobody decides instead");
}
