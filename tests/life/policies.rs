//! Random policies: the built-in one, such as people write, and such as nobody would.

use crate::chance::Chance;
use crate::script::{ConditionsScript, GroupScript, ProtectScript, RuleScript};

/// What the iLOs of one group share.
pub(crate) fn group(seed: u64, number: u64) -> GroupScript {
    let mut chance = Chance::of(seed, "policy", number);
    let protects = chance.of_these(&[0, 0, 1, 2]);
    let rules = 1 + chance.index(3);
    let mut chance_of_old = Chance::of(seed, "old ones", number);
    GroupScript {
        enforces: !chance.one_in(6),
        // Now and then it is wrong from the first day on.
        password: u32::from(Chance::of(seed, "password", number).one_in(20)),
        account: 0,
        is_pinned: chance.one_in(2),
        protect: chance_of_old
            .perhaps(6, old_ones)
            .into_iter()
            .chain((0..protects).map(|_| protect(&mut chance)))
            .collect(),
        reap: match chance.index(13) {
            0..=2 => built_in(),
            3 => makes_room(),
            4 => keeps_some(&mut chance),
            5 => bold(&mut chance),
            6 => impatient(),
            _ => (0..rules).map(|_| rule(&mut chance)).collect(),
        },
    }
}

/// What is in force where nothing is configured.
fn built_in() -> Vec<RuleScript> {
    let rest =
        || ConditionsScript { tags: vec!["REST".into()], user_types: vec!["Local".into()], ..Default::default() };
    vec![
        RuleScript {
            conditions: ConditionsScript { superseded: true, idle_s: Some(600), ..rest() },
            keep_latest: None,
            down_to: None,
        },
        RuleScript {
            conditions: ConditionsScript { superseded: true, idle_s: Some(180), when: Some(1), ..rest() },
            keep_latest: None,
            down_to: Some(5),
        },
    ]
}

/// Two rules that make room, one after the other.
fn makes_room() -> Vec<RuleScript> {
    let room = |idle_s: u64, down_to: Option<usize>| RuleScript {
        conditions: ConditionsScript {
            tags: vec!["REST".into()],
            user_types: vec!["Local".into()],
            idle_s: Some(idle_s),
            ..Default::default()
        },
        keep_latest: None,
        down_to,
    };
    vec![room(600, None), room(60, Some(4)), room(30, Some(3))]
}

/// The latest of each client stay, whatever else is true.
fn keeps_some(chance: &mut Chance) -> Vec<RuleScript> {
    let conditions = ConditionsScript {
        tags: vec!["REST".into()],
        user_types: vec!["Local".into(), "Directory".into()],
        idle_s: Some(chance.of_these(&[30, 120, 300])),
        ..Default::default()
    };
    let all = ConditionsScript { idle_s: Some(chance.of_these(&[30, 600])), ..conditions.clone() };
    let mut rules = vec![RuleScript { conditions, keep_latest: Some(1 + chance.index(3)), down_to: None }];
    // Whom the first rule keeps, no later one ends.
    rules.extend(chance.one_in(2).then_some(RuleScript { conditions: all, keep_latest: None, down_to: None }));
    rules
}

/// Whoever is seen twice at rest goes.
fn impatient() -> Vec<RuleScript> {
    let conditions = ConditionsScript {
        tags: vec!["REST".into()],
        user_types: vec!["Local".into()],
        idle_s: Some(70),
        ..Default::default()
    };
    vec![RuleScript { conditions, keep_latest: None, down_to: None }]
}

/// Whoever is old enough goes, used or not: what the linter warns of.
fn bold(chance: &mut Chance) -> Vec<RuleScript> {
    let conditions = ConditionsScript {
        tags: vec!["REST".into()],
        user_types: vec!["Local".into()],
        age_s: Some(chance.of_these(&[60, 600])),
        ..Default::default()
    };
    vec![RuleScript { conditions, keep_latest: None, down_to: None }]
}

/// Whoever is there for long stays: those whose age nobody knows as well.
fn old_ones(chance: &mut Chance) -> ProtectScript {
    let age_s = Some(chance.of_these(&[3600, 7200]));
    let conditions = ConditionsScript { owner: Some(String::from("*")), age_s, ..ConditionsScript::default() };
    ProtectScript { conditions, until_s: None }
}

fn conditions(chance: &mut Chance) -> ConditionsScript {
    ConditionsScript {
        owner: chance.perhaps(3, |chance| chance.of_these(&["svc-*", "SVC-backup", "*", "ansibl?", "bob"]).to_owned()),
        origin: chance.perhaps(4, |chance| {
            chance.of_these(&["192.0.2.0/24", "0.0.0.0/0", "192.0.2.50/32", "127.0.0.0/8", "2001:db8::/32"]).to_owned()
        }),
        ..ConditionsScript::default()
    }
}

pub(crate) fn protect(chance: &mut Chance) -> ProtectScript {
    let mut conditions = conditions(chance);
    if conditions.owner.is_none() && conditions.origin.is_none() {
        conditions.owner = Some("bob".to_owned());
    }
    conditions.age_s = chance.perhaps(6, |chance| chance.within((60, 7200)));
    conditions.idle_s = chance.perhaps(8, |chance| chance.within((60, 3600)));
    conditions.tags = chance.perhaps(6, |chance| chance.of_these(&["REST", "Web UI"]).to_owned()).into_iter().collect();
    conditions.user_types =
        chance.perhaps(8, |chance| chance.of_these(&["Local", "Directory"]).to_owned()).into_iter().collect();
    ProtectScript { conditions, until_s: chance.perhaps(3, |chance| chance.within((0, 20_000)).cast_signed()) }
}

pub(crate) fn rule(chance: &mut Chance) -> RuleScript {
    let conditions = ConditionsScript {
        tags: chance
            .of_these::<&[&str]>(&[
                &["REST"],
                &["REST"],
                &["REST", "Web UI"],
                &["REST", "SSH", "Remote Console", "IPMI/RMCP"],
            ])
            .iter()
            .map(|tag| (*tag).to_owned())
            .collect(),
        user_types: chance
            .of_these::<&[&str]>(&[&["Local"], &["Local"], &["Local", "Directory"]])
            .iter()
            .map(|user_type| (*user_type).to_owned())
            .collect(),
        // Without it a rule is bold; some are.
        idle_s: (!chance.one_in(8)).then(|| chance.of_these(&[5, 30, 60, 70, 180, 300, 600, 1800])),
        age_s: chance.perhaps(5, |chance| chance.of_these(&[60, 600, 3600])),
        superseded: chance.one_in(2),
        never_used: chance.one_in(6),
        when: chance.perhaps(4, |chance| chance.of_these(&[0, 1, 1, 2, 3])),
        ..conditions(chance)
    };
    RuleScript {
        conditions,
        keep_latest: chance.perhaps(4, |chance| chance.index(4)),
        down_to: chance.perhaps(4, |chance| chance.index(8)),
    }
}
