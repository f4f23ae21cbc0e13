//! What must hold for any configuration and any change of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::{Change, change};
use crate::law::{Said, holds};
use crate::policy::Plan;
use crate::policy::tests::{Story, any as tables};
use crate::secret::Secret;
use crate::settings::{
    Authority, Caps, Conditions, Credential, CredentialId, Fingerprint, IloName, Mode, OnStop, Policy, Poll, Pressure,
    PressureSettings, Protection, Report, Room, Rule, Settings, Target, Trust,
};

/// One iLO as a configuration may have it, in numbers: 0 is the plain choice.
#[derive(Clone, Copy, Debug)]
struct Entry {
    address: u8,
    port: u16,
    password: u8,
    pin: u8,
    policy: u8,
    group: u8,
    mode: Mode,
}

fn an_entry() -> impl Strategy<Value = Entry> {
    let mode = select(vec![Mode::Observe, Mode::Enforce]);
    (0..2u8, 443..445u16, 0..2u8, 0..2u8, 0..2u8, 0..2u8, mode).prop_map(
        |(address, port, password, pin, policy, group, mode)| Entry {
            address,
            port,
            password,
            pin,
            policy,
            group,
            mode,
        },
    )
}

fn target(name: &str, entry: Entry, policy: Policy) -> Target {
    Target {
        name: IloName::new(name),
        group: format!("group-{}", entry.group),
        authority: Authority { host: format!("192.0.2.{}", entry.address), port: entry.port },
        credential: Arc::new(Credential {
            id: CredentialId(String::from("svc")),
            username: String::from("svc"),
            password: Secret::new(format!("password-{}", entry.password)),
        }),
        trust: Trust::Pin(Fingerprint([entry.pin; 32])),
        legacy: false,
        policy: Arc::new(policy),
        mode: entry.mode,
    }
}

fn settings(targets: impl IntoIterator<Item = Target>, caps: Caps, pressure: PressureSettings) -> Settings {
    let targets = targets.into_iter().map(|target| (target.name.clone(), Arc::new(target))).collect();
    let (poll, report, on_stop) = (Poll::default(), Report::default(), OnStop::default());
    Settings { poll, pressure, caps, targets, report, on_stop }
}

#[test]
fn a_change_leads_from_the_old_fleet_to_the_new_one_and_the_reverse_back() {
    let fleet = || vec(option::weighted(0.8, an_entry()), 1..6);
    holds(300, &(fleet(), fleet()), |(old, new)| {
        let of = |entries: &[Option<Entry>]| {
            let named = entries.iter().enumerate().filter_map(|(number, entry)| Some((number, (*entry)?)));
            let targets = named.map(|(number, entry)| {
                let name = format!("policy-{}", entry.policy);
                target(&format!("ilo-{number}"), entry, Policy { name, protect: Vec::new(), reap: Vec::new() })
            });
            settings(targets, Caps::default(), PressureSettings::default())
        };
        let (old, new) = (of(&old), of(&new));
        let there = change(&old, &new);
        let mut targets = old.targets.clone();
        for name in &there.removed {
            prop_assert!(targets.remove(name).is_some(), "{} was not there", name);
        }
        for name in &there.added {
            prop_assert!(targets.insert(name.clone(), new.targets[name].clone()).is_none(), "{} was there", name);
        }
        for name in &there.altered {
            let before = targets.insert(name.clone(), new.targets[name].clone());
            prop_assert!(before.is_some_and(|before| before != new.targets[name]), "{} is as it was", name);
        }
        prop_assert!(targets == new.targets, "{:?}", there);
        let back = change(&new, &old);
        prop_assert_eq!((&back.added, &back.removed, &back.altered), (&there.removed, &there.added, &there.altered));
        prop_assert_eq!(change(&old, &old), Change::default());
        Ok(!there.altered.is_empty())
    });
}

/// A hand on a policy or on what bounds it.
#[derive(Clone, Debug)]
enum Edit {
    DropRule(usize),
    MoveRule(usize),
    NewRule(usize, Rule),
    Conditions(usize, Conditions),
    Longer(usize, Duration),
    Superseded(usize),
    NeverUsed(usize),
    Origin(usize, Vec<IpNet>),
    KeepLatest(usize, Option<usize>),
    DownTo(usize, Option<Room>),
    DropProtection,
    NewProtection(Protection),
    Caps(Caps),
    Pressure(PressureSettings),
    Limit(Option<usize>),
    Near(Room),
}

fn an_edit() -> impl Strategy<Value = Edit> {
    let place = || 0..4usize;
    prop_oneof![
        place().prop_map(Edit::DropRule),
        place().prop_map(Edit::MoveRule),
        (place(), tables::a_rule()).prop_map(|(place, rule)| Edit::NewRule(place, rule)),
        (place(), tables::conditions()).prop_map(|(place, conditions)| Edit::Conditions(place, conditions)),
        (place(), 1..5u64).prop_map(|(place, minutes)| Edit::Longer(place, Duration::from_secs(60 * minutes))),
        place().prop_map(Edit::Superseded),
        place().prop_map(Edit::NeverUsed),
        (place(), tables::origin_nets()).prop_map(|(place, nets)| Edit::Origin(place, nets)),
        (place(), option::of(0..4usize)).prop_map(|(place, kept)| Edit::KeepLatest(place, kept)),
        (place(), option::of(tables::room())).prop_map(|(place, room)| Edit::DownTo(place, room)),
        Just(Edit::DropProtection),
        tables::a_protection().prop_map(Edit::NewProtection),
        tables::caps().prop_map(Edit::Caps),
        tables::pressure().prop_map(Edit::Pressure),
        option::of(4..16usize).prop_map(Edit::Limit),
    ]
}

impl Edit {
    fn make(self, story: &mut Story) {
        let reap = &mut story.policy.reap;
        let place = |place: usize, reap: &[Rule]| place % reap.len().max(1);
        match self {
            Self::DropRule(at) if !reap.is_empty() => drop(reap.remove(place(at, reap))),
            Self::MoveRule(at) if !reap.is_empty() => {
                let rule = reap.remove(place(at, reap));
                reap.push(rule);
            }
            Self::NewRule(at, rule) => {
                let at = place(at, reap);
                reap.insert(at, Rule { id: String::from("new"), ..rule });
            }
            Self::DropProtection => drop(story.policy.protect.pop()),
            Self::NewProtection(protection) => story.policy.protect.push(protection),
            Self::Caps(caps) => story.caps = caps,
            Self::Pressure(pressure) => story.pressure = pressure,
            Self::Limit(limit) => story.pressure.limit = limit,
            Self::Near(room) => story.pressure.near = room,
            Self::Conditions(at, _)
            | Self::Longer(at, _)
            | Self::Superseded(at)
            | Self::NeverUsed(at)
            | Self::Origin(at, _)
            | Self::KeepLatest(at, _)
            | Self::DownTo(at, _) => {
                let at = place(at, reap);
                let Some(rule) = reap.get_mut(at) else { return };
                match self {
                    Self::Conditions(_, conditions) => rule.conditions = conditions,
                    Self::Longer(_, longer) => {
                        rule.conditions.idle = Some(rule.conditions.idle.unwrap_or_default() + longer);
                    }
                    Self::Superseded(_) => rule.conditions.superseded = true,
                    Self::NeverUsed(_) => rule.conditions.never_used = true,
                    Self::Origin(_, nets) => rule.conditions.origin = Some(nets),
                    Self::KeepLatest(_, kept) => rule.keep_latest = kept,
                    Self::DownTo(_, room) => rule.down_to = room,
                    _ => {}
                }
            }
            Self::DropRule(_) | Self::MoveRule(_) => {}
        }
    }
}

/// What deletes more, as a reload names it.
fn named(old: &Story, new: &Story) -> Vec<String> {
    let of = |story: &Story| {
        let entry = Entry { address: 0, port: 443, password: 0, pin: 0, policy: 0, group: 0, mode: Mode::Enforce };
        settings([target("ilo-1", entry, story.policy.clone())], story.caps.clone(), story.pressure.clone())
    };
    change(&of(old), &of(new)).bolder
}

/// What a reload does not name lets nobody go who stayed before. Whether anybody went.
fn nobody_goes_unnamed(mut old: Story, edits: Vec<Edit>) -> Said {
    let mut new = old.clone();
    for edit in edits {
        edit.make(&mut new);
    }
    for story in [&mut old, &mut new] {
        for rule in &mut story.policy.reap {
            // Nobody can write it.
            rule.conditions.when = rule.conditions.when.filter(|level| *level > Pressure::Calm);
            // It looks for as many elsewhere, whoever is spared.
            rule.down_to = None;
        }
    }
    let (before, after) = (old.plan(), new.plan());
    let goes = |plan: &Plan| -> BTreeSet<_> {
        let all = plan.judged.iter().map(|judged| &judged.session.id);
        all.filter(|id| plan.lets_go(id)).cloned().collect()
    };
    if named(&old, &new).is_empty() {
        let added: Vec<_> = goes(&after).difference(&goes(&before)).cloned().collect();
        prop_assert!(added.is_empty(), "{:?} under {:?}", added, new);
        prop_assert!(after.doomed().len() <= before.doomed().len(), "more at once under {:?}", new);
    }
    Ok(!goes(&before).is_empty())
}

#[test]
fn a_policy_that_is_not_named_bolder_lets_nobody_go_who_stayed_before() {
    holds(1000, &(tables::story(), vec(an_edit(), 1..4)), |(story, edits)| nobody_goes_unnamed(story, edits));
}

/// The rules wait for a table that is near its limit. Either nothing else is there; or they keep some then, and stand
/// before one that keeps nobody.
#[test]
fn a_pressure_that_is_not_named_bolder_lets_nobody_go_who_stayed_before() {
    let edit = prop_oneof![
        tables::pressure().prop_map(Edit::Pressure),
        option::of(4..16usize).prop_map(Edit::Limit),
        tables::room().prop_map(Edit::Near),
    ];
    holds(1000, &(tables::story(), edit, any::<bool>()), |(mut story, edit, keep)| {
        for rule in &mut story.policy.reap {
            rule.keep_latest = keep.then_some(1);
            rule.conditions.when.get_or_insert(Pressure::Near);
        }
        if let Some(last) = story.policy.reap.last_mut().filter(|_| keep) {
            (last.keep_latest, last.conditions.when) = (None, None);
        }
        nobody_goes_unnamed(story, vec![edit])
    });
}
