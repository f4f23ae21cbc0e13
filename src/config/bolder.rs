//! Whether a policy deletes more than another. In doubt it does: nobody is harmed by a sentence too many.

use std::time::Duration;

use ipnet::IpNet;

use super::values::written;
use crate::policy::names_inside;
use crate::settings::{Conditions, Policy, Pressure, Protection, Room, Rule};

/// How the new policy may delete what the old one kept.
pub(super) fn bolder_policy(old: &Policy, new: &Policy) -> Vec<String> {
    let mut how = Vec::new();
    for protection in &old.protect {
        if new.protect.iter().any(|other| protects_all_of(other, protection)) {
            continue;
        }
        let is_there = new.protect.iter().any(|other| other.id == protection.id);
        let what = if is_there { "protects less" } else { "is gone" };
        how.push(format!("protection `{}` {what}", protection.id));
    }
    let is_bolder = |rule: &Rule| !old.reap.iter().any(|other| bolder_rule(other, rule).is_empty());
    for rule in new.reap.iter().filter(|rule| is_bolder(rule)) {
        match old.reap.iter().find(|other| other.id == rule.id) {
            Some(before) => how.push(format!("rule `{}` {}", rule.id, bolder_rule(before, rule).join(", "))),
            None => how.push(format!("rule `{}` is new", rule.id)),
        }
    }
    for (place, rule) in old.reap.iter().enumerate().filter(|(_, rule)| spares(rule)) {
        let now = new.reap.iter().find(|other| other.id == rule.id);
        if now.is_some_and(is_bolder) || !spares_less(&old.reap[..=place], rule, &new.reap) {
            continue;
        }
        let by = if rule.down_to.is_some() { "down_to" } else { "keep_latest" };
        let what = if now.is_some() { "comes later or matches less" } else { "is gone" };
        how.push(format!("rule `{}`, whose `{by}` also spared, {what}", rule.id));
    }
    how
}

/// Whether a rule may match a session and let it stay. No later rule is asked about that one.
pub(super) fn spares(rule: &Rule) -> bool {
    rule.keep_latest.is_some() || rule.down_to.is_some()
}

/// Whether a rule of `new` may let go what `rule` spared, which was the last of `until_it`. Not if it is no bolder
/// than `rule` or one before it, nor if another comes first that spares as much.
fn spares_less(until_it: &[Rule], rule: &Rule, new: &[Rule]) -> bool {
    let is_no_bolder = |new: &Rule| until_it.iter().any(|old| bolder_rule(old, new).is_empty());
    let first_bolder = new.iter().position(|new| !is_no_bolder(new));
    first_bolder.is_some_and(|first| !new[..first].iter().any(|new| spares_all_of(new, rule)))
}

fn spares_all_of(new: &Rule, old: &Rule) -> bool {
    let as_much = match (old.down_to, new.down_to) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(before), Some(after)) => !more_room(before, after),
    };
    as_much
        && new.keep_latest >= old.keep_latest
        && reaches_further(&new.conditions, &old.conditions).is_empty()
        && !permits_more(&new.conditions, &old.conditions)
}

/// Whether `after` asks for more free places than `before`.
pub(super) fn more_room(before: Room, after: Room) -> bool {
    match (before, after) {
        (Room::Free(before), Room::Free(after)) => after > before,
        (Room::UsedPercent(before), Room::UsedPercent(after)) => after < before,
        _ => true,
    }
}

fn protects_all_of(new: &Protection, old: &Protection) -> bool {
    let lasts = match (new.until, old.until) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(new), Some(old)) => new >= old,
    };
    lasts && reaches_further(&new.conditions, &old.conditions).is_empty()
}

fn bolder_rule(old: &Rule, new: &Rule) -> Vec<String> {
    let mut how = reaches_further(&old.conditions, &new.conditions);
    if permits_more(&old.conditions, &new.conditions) {
        how.push(String::from("names addresses inside the server"));
    }
    let (before, after) = (old.keep_latest.unwrap_or(0), new.keep_latest.unwrap_or(0));
    if after < before {
        how.push(format!("keeps the latest {after} instead of {before}"));
    }
    match (old.down_to, new.down_to) {
        (Some(_), None) => how.push(String::from("has no `down_to` any more")),
        (Some(before), Some(after)) if more_room(before, after) => how.push(String::from("has a bolder `down_to`")),
        _ => {}
    }
    how
}

/// Whether `new` names a network inside the server that `old` does not. Such a network does not only limit a rule:
/// it permits what no rule matches without it.
fn permits_more(old: &Conditions, new: &Conditions) -> bool {
    let inside = |asked: &Conditions| -> Vec<IpNet> {
        asked.origin.iter().flatten().filter(|net| names_inside(net)).copied().collect()
    };
    let permitted = inside(old);
    inside(new).iter().any(|net| !permitted.iter().any(|wide| wide.contains(net)))
}

/// In which ways `new` may match what `old` does not.
fn reaches_further(old: &Conditions, new: &Conditions) -> Vec<String> {
    let mut how = Vec::new();
    let wider = |old: bool, new_within: Option<bool>| old && !new_within.unwrap_or(false);
    let owners_within =
        new.owner.as_ref().zip(old.owner.as_ref()).map(|(new, old)| new.iter().all(|glob| old.contains(glob)));
    if wider(old.owner.is_some(), owners_within) {
        how.push(String::from("names more owners"));
    }
    let origins_within = new
        .origin
        .as_ref()
        .zip(old.origin.as_ref())
        .map(|(new, old)| new.iter().all(|net| old.iter().any(|wide| wide.contains(net))));
    if wider(old.origin.is_some(), origins_within) {
        how.push(String::from("names more origins"));
    }
    if names_more(&old.kinds, &new.kinds) {
        how.push(String::from("names more kinds"));
    }
    if names_more(&old.user_types, &new.user_types) {
        how.push(String::from("names more user types"));
    }
    how.extend(shorter("age", old.age, new.age));
    how.extend(shorter("idle", old.idle, new.idle));
    if old.superseded && !new.superseded {
        how.push(String::from("does not ask for `superseded` any more"));
    }
    if old.never_used && !new.never_used {
        how.push(String::from("does not ask for `never_used` any more"));
    }
    let level = |when: Option<Pressure>| when.unwrap_or(Pressure::Calm);
    if level(new.when) < level(old.when) {
        how.push(format!("acts from {} on instead of {}", level(new.when), level(old.when)));
    }
    how
}

/// An empty list names everything.
fn names_more<T: PartialEq>(old: &[T], new: &[T]) -> bool {
    !old.is_empty() && (new.is_empty() || new.iter().any(|one| !old.contains(one)))
}

fn shorter(key: &str, old: Option<Duration>, new: Option<Duration>) -> Option<String> {
    let old = old?;
    match new {
        Some(new) if new >= old => None,
        Some(new) => Some(format!("asks for `{key}: {}` instead of `{}`", written(new), written(old))),
        None => Some(format!("does not ask for `{key}: {}` any more", written(old))),
    }
}
