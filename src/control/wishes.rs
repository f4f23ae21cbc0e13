//! What people write, to orders. PURE.

use std::time::Duration;

use serde::Deserialize;

use crate::config;
use crate::fleet::{Asked, Wish};
use crate::session::{FOREIGN_TEXT_MAX, SessionId, clean};
use crate::settings::{Conditions, IloName, Order, Protection, Settings, Shield};
use crate::time::Timestamp;
use crate::visit::MayEnd;

/// Nothing is ordered for longer: a hundred years.
const SPAN_MAX: Duration = Duration::from_secs(100 * 366 * 86_400);

/// A pause.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pause {
    reason: String,
    for_s: Option<u64>,
    until: Option<String>,
}

/// A protection.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Protect {
    reason: String,
    for_s: Option<u64>,
    until: Option<String>,
    owner: Option<String>,
    origin: Option<String>,
    ilo: Option<String>,
    session: Option<String>,
}

/// The end of one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Unprotect {
    pub(super) id: String,
}

/// A round of visits.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Visits {
    ilos: Vec<String>,
    end: End,
}

/// Whose sessions may be ended there.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum End {
    Nobody,
    InMode,
    InAnyMode,
}

/// What is known where a wish is read: who has it, the host's clock, the configuration in force.
pub(super) struct Around<'a> {
    pub(super) by: String,
    pub(super) now: Timestamp,
    pub(super) settings: &'a Settings,
}

impl Pause {
    pub(super) fn wish(self, around: Around<'_>) -> Result<Wish, String> {
        Ok(Wish::Pause(order(&self.reason, (self.for_s, self.until.as_deref()), around)?))
    }
}

impl Protect {
    pub(super) fn wish(self, around: Around<'_>) -> Result<Wish, String> {
        if [&self.owner, &self.origin, &self.ilo, &self.session].iter().all(|condition| condition.is_none()) {
            return Err(String::from("everybody would be protected; name an owner, an origin, an iLO or a session"));
        }
        if self.session.is_some() && self.ilo.is_none() {
            return Err(String::from("the id of a session means something on one iLO only; name that iLO too"));
        }
        let owner = self.owner.map(|pattern| {
            config::account_pattern(&pattern).map_err(|why| format!("owner '{}'{why}", clean(&pattern, 64)))
        });
        let origin = self.origin.map(|net| {
            config::network(&net).map_err(|why| format!("origin '{}' is no address or network: {why}", clean(&net, 64)))
        });
        let ilo = self.ilo.map(|name| {
            let ilo = IloName::new(&name);
            let unknown = || format!("there is no iLO '{}' in the configuration", clean(&name, FOREIGN_TEXT_MAX));
            if around.settings.targets.contains_key(&ilo) { Ok(ilo) } else { Err(unknown()) }
        });
        let session = self.session.map(|id| {
            let session = SessionId::read(&id);
            let odd = || format!("'{}' is no id of a session", clean(&id, 64));
            if session.segment().is_some() { Ok(session) } else { Err(odd()) }
        });
        let order = order(&self.reason, (self.for_s, self.until.as_deref()), around)?;
        let conditions = Conditions {
            owner: owner.transpose()?.map(|glob| vec![glob]),
            origin: origin.transpose()?.map(|net| vec![net]),
            ..Conditions::default()
        };
        Ok(Wish::Protect(Box::new(Shield {
            protection: Protection { id: String::new(), conditions, until: order.until },
            ilo: ilo.transpose()?,
            session: session.transpose()?,
            order,
        })))
    }
}

impl Visits {
    pub(super) fn asked(&self, settings: &Settings) -> Result<Asked, String> {
        let may_end = match self.end {
            End::Nobody => MayEnd::No,
            End::InMode => MayEnd::InMode,
            End::InAnyMode => MayEnd::InAnyMode,
        };
        Ok(Asked { ilos: config::named(settings, &self.ilos)?, may_end })
    }
}

fn order(reason: &str, end: (Option<u64>, Option<&str>), around: Around<'_>) -> Result<Order, String> {
    let Around { by, now, .. } = around;
    let reason = clean(reason.trim(), FOREIGN_TEXT_MAX);
    if reason.is_empty() {
        return Err(String::from("there is no reason; whoever meets this next wants to know it"));
    }
    let until = match end {
        (Some(_), Some(_)) => return Err(String::from("it can last for so long or until then, not both")),
        (Some(for_s), None) => Some(now.plus(Duration::from_secs(for_s))),
        (None, Some(text)) => {
            let form = || format!("'{}' is no time with its zone, such as 2026-12-01T06:00:00Z", clean(text, 64));
            Some(Timestamp::parse_rfc3339(text).ok_or_else(form)?)
        }
        (None, None) => None,
    };
    match until {
        Some(until) if until <= now => Err(format!("{until} is over already; it is {now}")),
        Some(until) if until > now.plus(SPAN_MAX) => Err(String::from("a hundred years are the most")),
        until => Ok(Order { by, reason, since: now, until }),
    }
}
