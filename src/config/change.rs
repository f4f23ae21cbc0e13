//! What a reload changes, and what of it deletes more than before.

use std::collections::BTreeMap;

use super::bolder::{bolder_policy, more_room, spares};
use crate::settings::{Caps, IloName, Mode, PressureSettings, Rule, Settings};

/// The difference between two configurations.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Change {
    /// iLOs that only the new one has.
    pub added: Vec<IloName>,
    /// iLOs that only the old one has.
    pub removed: Vec<IloName>,
    /// iLOs that both have, but with another address, credential, trust, policy, group or mode.
    pub altered: Vec<IloName>,
    /// What now deletes more, a sentence each.
    pub bolder: Vec<String>,
}

/// Compares the configuration in force with the one that takes its place.
pub fn change(old: &Settings, new: &Settings) -> Change {
    let only_in = |one: &Settings, other: &Settings| {
        one.targets.keys().filter(|name| !other.targets.contains_key(*name)).cloned().collect()
    };
    let in_both = new.targets.iter().filter_map(|(name, after)| Some((name, old.targets.get(name)?, after)));
    let altered = in_both.filter(|(_, before, after)| before != after).map(|(name, ..)| name.clone()).collect();
    let mut bolder = bolder_modes(old, new);
    bolder.extend(bolder_policies(old, new));
    bolder.extend(bolder_caps(&old.caps, &new.caps));
    bolder.extend(bolder_pressure(&old.pressure, &new.pressure));
    bolder.extend(bolder_calm(old, new));
    Change { added: only_in(new, old), removed: only_in(old, new), altered, bolder }
}

fn bolder_modes(old: &Settings, new: &Settings) -> Vec<String> {
    let mut enforcing: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, after) in &new.targets {
        let observed = old.targets.get(name).is_some_and(|before| before.mode == Mode::Observe);
        if observed && after.mode == Mode::Enforce {
            *enforcing.entry(&after.group).or_default() += 1;
        }
    }
    let sentence = |(group, ilos)| format!("group `{group}` goes from observe to enforce on {ilos} of its iLOs");
    enforcing.into_iter().map(sentence).collect()
}

fn bolder_policies(old: &Settings, new: &Settings) -> Vec<String> {
    // Many iLOs share few policies: each pair of an old and a new one is compared once.
    let mut pairs = BTreeMap::new();
    for (name, after) in &new.targets {
        if let Some(before) = old.targets.get(name) {
            pairs.entry((&before.policy.name, &after.policy.name)).or_insert((&before.policy, after));
        }
    }
    let mut sentences = Vec::new();
    for ((old_name, new_name), (before, after)) in pairs {
        let about = if old_name == new_name {
            format!("policy `{new_name}`")
        } else {
            format!("policy `{new_name}` instead of `{old_name}` in group `{}`", after.group)
        };
        sentences.extend(bolder_policy(before, &after.policy).into_iter().map(|how| format!("{about}: {how}")));
    }
    sentences
}

fn bolder_caps(old: &Caps, new: &Caps) -> Vec<String> {
    let percent = |caps: &Caps| usize::from(caps.share_of_seen_percent);
    [
        ("per_visit", old.per_visit, new.per_visit),
        ("per_ilo_minute", old.per_ilo_minute, new.per_ilo_minute),
        ("share_of_seen", percent(old), percent(new)),
        ("per_minute", old.per_minute, new.per_minute),
    ]
    .into_iter()
    .filter(|(_, before, after)| after > before)
    .map(|(cap, before, after)| format!("cap `{cap}` goes from {before} to {after}"))
    .collect()
}

/// Pressure deletes nothing by itself, but it arms the rules that ask for it.
fn bolder_pressure(old: &PressureSettings, new: &PressureSettings) -> Vec<String> {
    let mut sentences = Vec::new();
    match (old.limit, new.limit) {
        (None, Some(limit)) => sentences.push(format!("`limit` is {limit} instead of `learn`, which arms `when`")),
        (Some(before), Some(after)) if after < before => {
            sentences.push(format!("`limit` goes from {before} to {after}, so that `when` is armed sooner"));
        }
        (Some(before), None) => {
            sentences.push(format!("`limit` is `learn` instead of {before}, and may turn out less"));
        }
        _ => {}
    }
    if new.counts.iter().any(|kind| !old.counts.contains(kind)) {
        sentences.push(String::from("`counts` names more kinds, so that `when` is armed sooner"));
    }
    for (level, before, after) in [("near", old.near, new.near), ("critical", old.critical, new.critical)] {
        if more_room(before, after) {
            sentences.push(format!("`{level}` asks for more room, so that `when` is armed sooner"));
        }
    }
    sentences
}

/// A rule that also spares does so only while it is armed: a table that counts as calm for longer lets the rules
/// behind it decide.
fn bolder_calm(old: &Settings, new: &Settings) -> Vec<String> {
    if bolder_pressure(&new.pressure, &old.pressure).is_empty() {
        return Vec::new();
    }
    let policies: BTreeMap<_, _> =
        new.targets.values().map(|target| (&target.policy.name, &target.policy.reap)).collect();
    let mut sentences = Vec::new();
    for (policy, reap) in policies {
        let waits = |rule: &Rule| spares(rule) && (rule.conditions.when.is_some() || rule.down_to.is_some());
        let with_others_behind = reap.iter().rev().skip(1).rev();
        sentences.extend(
            with_others_behind
                .filter(|rule| waits(rule))
                .map(|rule| format!("rule `{}` of policy `{policy}`, which also spares, is armed later", rule.id)),
        );
    }
    sentences
}
