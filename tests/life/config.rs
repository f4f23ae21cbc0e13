//! From a script's configuration to the daemon's settings.

use std::sync::Arc;
use std::time::Duration;

use ilo_reaper::secret::Secret;
use ilo_reaper::session::{Kind, UserType};
use ilo_reaper::settings::{
    Authority, Caps, Conditions, Credential, CredentialId, Fingerprint, Glob, IloName, Mode, OnStop, Policy, Poll,
    Pressure, PressureSettings, Protection, Report, Room, Rule, Settings, Target, Trust,
};
use ilo_reaper::time::Timestamp;

use crate::script::{ConditionsScript, ConfigScript, GroupScript, RuleScript, host};
use crate::world::{ACCOUNTS, BEGIN_S};

pub(crate) fn settings(script: &ConfigScript) -> Arc<Settings> {
    let seconds = Duration::from_secs;
    let groups: Vec<_> = script.groups.iter().enumerate().map(|(number, group)| Group::of(number, group)).collect();
    let targets = script.members.iter().enumerate().filter_map(|(ilo, member)| {
        let target = groups[(*member)?].target(ilo, script.places[ilo]);
        Some((target.name.clone(), Arc::new(target)))
    });
    Arc::new(Settings {
        poll: Poll {
            every: seconds(script.every_s),
            fastest: seconds(script.fastest_s),
            visits_at_once: script.at_once,
            connect_timeout: seconds(5),
            exchange_timeout: seconds(script.exchange_s),
            visit_timeout: seconds(script.visit_s),
        },
        pressure: PressureSettings {
            limit: script.limit,
            near: Room::Free(script.near),
            critical: Room::Free(script.critical),
            ..PressureSettings::default()
        },
        caps: Caps {
            per_visit: script.per_visit,
            per_ilo_minute: script.per_ilo_minute,
            share_of_seen_percent: script.share_percent,
            per_minute: script.per_minute,
        },
        targets: targets.collect(),
        report: Report::default(),
        on_stop: if script.keeps_on_stop { OnStop::Keep } else { OnStop::Logout },
    })
}

/// The certificate that the n-th simulated iLO shows, and another one.
pub(crate) fn certificate(ilo: usize, is_changed: bool) -> Fingerprint {
    let mut print = [u8::from(is_changed); 32];
    print[0] = u8::try_from(ilo).expect("a small fleet");
    Fingerprint(print)
}

/// A password of ours. The number is what scripts tell of it.
pub(crate) fn password(number: u32) -> String {
    format!("right-horse-{number}")
}

/// What the iLOs of one group share.
struct Group {
    name: String,
    credential: Arc<Credential>,
    is_pinned: bool,
    policy: Arc<Policy>,
    mode: Mode,
}

impl Group {
    fn of(number: usize, script: &GroupScript) -> Self {
        let name = format!("group-{number}");
        let protect = script.protect.iter().enumerate().map(|(number, protect)| Protection {
            id: format!("p{number}"),
            conditions: conditions(&protect.conditions),
            until: protect.until_s.map(|until_s| Timestamp::from_unix_s(BEGIN_S.cast_signed() + until_s)),
        });
        let policy = Policy {
            name: name.clone(),
            protect: protect.collect(),
            reap: script.reap.iter().enumerate().map(|(number, script)| rule(number, script)).collect(),
        };
        Self {
            credential: Arc::new(Credential {
                id: CredentialId(format!("{} ({name})", ACCOUNTS[script.account])),
                username: ACCOUNTS[script.account].to_owned(),
                password: Secret::new(password(script.password)),
            }),
            name,
            is_pinned: script.is_pinned,
            policy: Arc::new(policy),
            mode: if script.enforces { Mode::Enforce } else { Mode::Observe },
        }
    }

    fn target(&self, ilo: usize, place: usize) -> Target {
        Target {
            name: IloName::new(&host(ilo)),
            group: self.name.clone(),
            authority: Authority { host: host(place), port: 443 },
            credential: Arc::clone(&self.credential),
            trust: if self.is_pinned { Trust::Pin(certificate(place, false)) } else { Trust::Insecure },
            legacy: false,
            policy: Arc::clone(&self.policy),
            mode: self.mode,
        }
    }
}

fn rule(number: usize, script: &RuleScript) -> Rule {
    Rule {
        id: format!("r{number}"),
        conditions: conditions(&script.conditions),
        keep_latest: script.keep_latest,
        down_to: script.down_to.map(Room::Free),
    }
}

fn conditions(script: &ConditionsScript) -> Conditions {
    let levels = [Pressure::Calm, Pressure::Near, Pressure::Critical, Pressure::Full];
    Conditions {
        owner: script.owner.as_ref().map(|glob| vec![Glob::new(glob)]),
        origin: script.origin.as_ref().map(|net| vec![net.parse().expect("a network")]),
        kinds: script.tags.iter().map(|tag| Kind::read(tag)).collect(),
        user_types: script.user_types.iter().map(|user_type| UserType::read(user_type)).collect(),
        age: script.age_s.map(Duration::from_secs),
        idle: script.idle_s.map(Duration::from_secs),
        superseded: script.superseded,
        never_used: script.never_used,
        when: script.when.map(|level| levels[usize::from(level)]),
    }
}
