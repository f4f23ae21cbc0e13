//! Policies: who is protected, who may go.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::at::{At, Fields, Spot};
use super::hosts::network;
use super::sections::{kinds, some_of};
use super::tree::Node;
use super::values::PLACES_MAX;
use super::words::listed;
use crate::session::{Kind, UserType};
use crate::settings::{Conditions, Glob, Policy, Pressure, Protection, Rule};
use crate::time::Timestamp;

/// The name of the policy of groups that name none.
pub(super) const DEFAULT_POLICY: &str = "default";
/// The keys of one policy.
pub(super) const POLICY: [&str; 2] = ["protect", "reap"];
/// The keys of one rule or protection.
pub(super) const RULE: [&str; 14] = [
    "id",
    "owner",
    "origin",
    "kind",
    "user_type",
    "age",
    "idle",
    "superseded",
    "never_used",
    "when",
    "until",
    "keep_latest",
    "down_to",
    "accept_risk",
];
/// Those of them that are conditions.
const CONDITIONS: &[&str] =
    &["owner", "origin", "kind", "user_type", "age", "idle", "superseded", "never_used", "when"];
const ONLY_PROTECT: &[&str] = &["until"];
const ONLY_REAP: &[&str] = &["keep_latest", "down_to", "accept_risk"];

/// Session times are whole seconds.
const AGE_LEAST: Duration = Duration::from_secs(1);
/// A rule that points at nobody and at no sign of abandonment must ask for this much idle time.
const SAFE_IDLE: Duration = Duration::from_secs(600);
const NAME_CHARS_MAX: usize = 64;
const GLOB_BYTES_MAX: usize = 256;

/// The rules of a policy that writes none.
pub fn built_in_policy() -> Policy {
    let rule = |id: &str, idle_min: u64, superseded, keep_latest| Rule {
        id: id.to_owned(),
        conditions: Conditions {
            kinds: vec![Kind::Rest],
            user_types: vec![UserType::Local],
            idle: Some(Duration::from_secs(idle_min * 60)),
            superseded,
            never_used: !superseded,
            ..Conditions::default()
        },
        keep_latest,
        down_to: None,
    };
    Policy {
        name: String::from(DEFAULT_POLICY),
        protect: Vec::new(),
        reap: vec![
            rule("superseded", 10, true, None),
            rule("piling-up", 3, true, Some(3)),
            rule("never-used", 15, false, None),
        ],
    }
}

/// Reads `policies`. A policy with a mistake in it is there too, so that its name is known.
pub(super) fn policies(at: Option<&At<'_>>) -> BTreeMap<String, Arc<Policy>> {
    let mut policies = BTreeMap::from([(String::from(DEFAULT_POLICY), Arc::new(built_in_policy()))]);
    for at in at.and_then(At::open_fields).iter().flat_map(Fields::all) {
        name_is_plain(&at);
        policies.insert(at.key.to_owned(), Arc::new(policy(&at)));
    }
    policies
}

/// Notes where the name of a policy or group is not plain: it becomes part of records and labels.
pub(super) fn name_is_plain(at: &At<'_>) {
    if !is_plain(at.key) {
        at.wrong_key(format!("a name must be {PLAIN}"));
    }
}

const PLAIN: &str = "letters, digits, `.`, `_` and `-`, 64 of them at most, and begin with a letter or digit";

fn is_plain(name: &str) -> bool {
    name.len() <= NAME_CHARS_MAX
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

fn policy(at: &At<'_>) -> Policy {
    let mut policy = Policy { name: at.key.to_owned(), ..built_in_policy() };
    let Some(fields) = at.fields(&POLICY) else { return policy };
    let mut ids = BTreeMap::new();
    if let Some(at) = fields.get("protect") {
        policy.protect = at.items().iter().filter_map(|item| protection(item, &mut ids)).collect();
    }
    if let Some(at) = fields.get("reap") {
        policy.reap = at.items().iter().filter_map(|item| rule(item, &mut ids)).collect();
    }
    policy
}

fn protection(at: &At<'_>, ids: &mut BTreeMap<String, Spot>) -> Option<Protection> {
    let fields = at.fields(&RULE)?;
    belongs_elsewhere(&fields, ONLY_REAP, "reap");
    let id = id(at, &fields, ids);
    has_condition(at, &fields, "everybody would be protected, and nothing ever go");
    Some(Protection {
        id: id?,
        conditions: conditions(&fields),
        until: fields.read("until", |at| {
            let text = at.text("a time")?;
            let time = Timestamp::parse_rfc3339(text);
            time.or_else(|| at.unexpected("a time with its zone, such as `2026-12-01T06:00:00Z`"))
        }),
    })
}

fn rule(at: &At<'_>, ids: &mut BTreeMap<String, Spot>) -> Option<Rule> {
    let fields = at.fields(&RULE)?;
    belongs_elsewhere(&fields, ONLY_PROTECT, "protect");
    let id = id(at, &fields, ids);
    let mut conditions = conditions(&fields);
    if fields.get("kind").is_none() {
        conditions.kinds = vec![Kind::Rest];
    }
    if fields.get("user_type").is_none() {
        conditions.user_types = vec![UserType::Local];
    }
    let accept_risk = fields.read("accept_risk", At::flag);
    if has_condition(at, &fields, "everybody would go") && accept_risk != Some(true) {
        is_cautious(at, &fields, &conditions);
    }
    Some(Rule {
        id: id?,
        conditions,
        keep_latest: fields.read("keep_latest", |at| at.count(1, PLACES_MAX)),
        down_to: fields.read("down_to", At::room),
    })
}

fn belongs_elsewhere(fields: &Fields<'_>, keys: &[&str], list: &str) {
    for at in keys.iter().filter_map(|key| fields.get(key)) {
        at.wrong_key(format!("this belongs to `{list}` only"));
    }
}

fn id(at: &At<'_>, fields: &Fields<'_>, ids: &mut BTreeMap<String, Spot>) -> Option<String> {
    let Some(id_at) = fields.get("id") else {
        return at.none("this has no `id`; records name the rule that decided by it");
    };
    let id = id_at.text("an id")?;
    if !is_plain(id) {
        return id_at.none(format!("{} is no id; it must be {PLAIN}", id_at.shown()));
    }
    if let Some(first) = ids.insert(id.to_owned(), id_at.spot()) {
        id_at.notes().again(id_at.spot(), first, format!("the id `{id}` is used twice in this policy"));
    }
    Some(id.to_owned())
}

fn has_condition(at: &At<'_>, fields: &Fields<'_>, so: &str) -> bool {
    let has_one = CONDITIONS.iter().any(|key| fields.get(key).is_some());
    if !has_one {
        at.wrong(format!("this has no condition, so {so}; expected {}", listed(CONDITIONS)));
    }
    has_one
}

/// Notes where a rule reaps anybody soon, with no sign that the session is abandoned.
fn is_cautious(at: &At<'_>, fields: &Fields<'_>, conditions: &Conditions) {
    // What is written but wrong is told already, and may be what makes the rule cautious.
    let wrong = (fields.get("owner").is_some() && conditions.owner.is_none())
        || (fields.get("origin").is_some() && conditions.origin.is_none())
        || (fields.get("superseded").is_some() && !conditions.superseded)
        || (fields.get("never_used").is_some() && !conditions.never_used)
        || (fields.get("idle").is_some() && conditions.idle.is_none());
    let names_owner = conditions.owner.as_ref().is_some_and(|globs| globs.iter().all(|glob| !is_anybody(glob)));
    let names_origin = conditions.origin.as_ref().is_some_and(|nets| nets.iter().all(|net| net.prefix_len() > 0));
    let asks = conditions.idle.unwrap_or_default();
    if wrong || names_owner || names_origin || conditions.superseded || conditions.never_used || asks >= SAFE_IDLE {
        return;
    }
    at.wrong(
        "this names neither `owner`, `origin`, `superseded` nor `never_used`, so it must ask for `idle: 10m` or more; \
         `accept_risk: true` allows less",
    );
}

fn is_anybody(glob: &Glob) -> bool {
    glob.to_string().chars().all(|c| c == '*')
}

fn conditions(fields: &Fields<'_>) -> Conditions {
    let only_true = |at: &At<'_>| match at.flag() {
        Some(false) => at.none("this can only be `true`; leave it out where it does not matter"),
        flag => flag,
    };
    let levels = [("near", Pressure::Near), ("critical", Pressure::Critical), ("full", Pressure::Full)];
    Conditions {
        owner: fields.read("owner", |at| some_of(at, glob)),
        origin: fields.read("origin", |at| some_of(at, origin)),
        kinds: fields.read("kind", kinds).unwrap_or_default(),
        user_types: fields.read("user_type", |at| some_of(at, user_type)).unwrap_or_default(),
        age: fields.read("age", |at| at.duration(AGE_LEAST)),
        idle: fields.read("idle", |at| at.duration(AGE_LEAST)),
        superseded: fields.read("superseded", only_true).unwrap_or(false),
        never_used: fields.read("never_used", only_true).unwrap_or(false),
        when: fields.read("when", |at| at.word(&levels)),
    }
}

fn glob(at: &At<'_>) -> Option<Glob> {
    let pattern = at.text("an account name")?;
    account_pattern(pattern).map_or_else(|why| at.none(format!("{}{why}", at.shown())), Some)
}

/// A pattern over account names, as somebody wrote it; or what is wrong with it, to be told right behind it.
pub fn account_pattern(pattern: &str) -> Result<Glob, &'static str> {
    if pattern.is_empty() || pattern.len() > GLOB_BYTES_MAX || pattern.chars().any(char::is_control) {
        return Err(" is no account name or pattern (`*`, `?`)");
    }
    if pattern.contains(['[', ']', '{', '}']) {
        return Err(": only `*` and `?` are patterns; list several names instead");
    }
    Ok(Glob::new(pattern))
}

fn origin(at: &At<'_>) -> Option<IpNet> {
    let text = at.text("an address")?;
    match network(text) {
        Ok(network) => Some(network),
        Err(why) => at.none(format!("{} is not an address or network: {why}", at.shown())),
    }
}

fn user_type(at: &At<'_>) -> Option<UserType> {
    let never = ["single sign on", "single_sign_on", "sso", "federation", "system"];
    if let Node::Text(text) = at.node
        && never.contains(&text.to_lowercase().as_str())
    {
        return at.none(format!("{} sessions always stay; expected `local` or `directory`", at.shown()));
    }
    at.word(&[("local", UserType::Local), ("directory", UserType::Directory)])
}
