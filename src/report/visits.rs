//! What a round saw, as one document: what `sweep` and `list` show.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::fleet::Round;
use crate::policy::{Judged, Verdict};
use crate::settings::{IloName, Mode, Target, Trust};
use crate::visit::{Fate, Visit, VisitError};

/// A round through `asked` iLOs, with stable keys. Whoever is no target any more is left out.
pub fn visits_json(round: &Round, targets: &BTreeMap<IloName, Arc<Target>>, asked: usize) -> Value {
    let seen = round.iter().filter_map(|(name, result)| Some((targets.get(name)?, result)));
    let ilos: Vec<Value> = seen.map(|(target, result)| ilo(target, result)).collect();
    json!({ "v": 1, "asked": asked, "ilos": ilos })
}

fn ilo(target: &Target, result: &Result<Visit, VisitError>) -> Value {
    let error = match result {
        Ok(visit) => visit.cut_short.as_ref(),
        Err(error) => Some(error),
    };
    let visit = result.as_ref().ok();
    let sessions = visit.map(|visit| visit.plan.judged.iter().map(|judged| session(visit, judged)).collect::<Vec<_>>());
    json!({
        "ilo": target.name.as_str(),
        "group": target.group,
        "mode": target.mode.to_string(),
        "error": error.map(ToString::to_string),
        "remedy": error.and_then(|error| remedy(error, target)),
        "used": visit.map(|visit| visit.plan.table.used),
        "limit": visit.and_then(|visit| visit.plan.table.limit),
        "sessions": sessions,
    })
}

fn session(visit: &Visit, judged: &Judged) -> Value {
    let session = &judged.session;
    let (outcome, why) = outcome(visit, judged);
    let (killable, rule) = match &judged.verdict {
        Verdict::Reap(reason) => (true, Some(reason.rule.as_str())),
        Verdict::Keep(_) => (false, None),
    };
    json!({
        "session": session.id.to_string(),
        "owner": session.owner.as_ref().map(ToString::to_string),
        "origin": session.origin.map(|origin| origin.to_string()),
        "kind": session.kind.to_string(),
        "user_type": session.user_type.to_string(),
        "age_s": judged.age.map(|age| age.as_secs()),
        "idle_s": judged.idle.map(|idle| idle.as_secs()),
        "killable": killable,
        "rule": rule,
        "outcome": outcome,
        "why": why,
    })
}

/// What was decided and done, in one word, and why.
fn outcome(visit: &Visit, judged: &Judged) -> (&'static str, String) {
    let Verdict::Reap(reason) = &judged.verdict else { return ("keep", judged.verdict.to_string()) };
    let fate = visit.fates.iter().find(|(case, _)| case.session.id == judged.session.id).map(|(_, fate)| fate);
    let held_back = visit.held_back.iter().find(|held_back| held_back.case.session.id == judged.session.id);
    match (fate, held_back) {
        (Some(Fate::Gone(_)), _) => ("reaped", reason.to_string()),
        (Some(Fate::Spared(why)), _) => ("spared", why.to_string()),
        (Some(Fate::Forbidden(_)), _) => {
            ("failed", String::from("our account lacks the privilege Administer User Accounts"))
        }
        (Some(Fate::Refused(status, message)), _) => (
            "failed",
            format!("refused with {status} {}", message.as_deref().unwrap_or_default()).trim_end().to_owned(),
        ),
        (Some(Fate::Unknown(why)), _) => ("unknown", why.clone()),
        (None, Some(held_back)) if visit.mode == Mode::Enforce => {
            ("held back", format!("caps.{}: {reason}", held_back.cap.name()))
        }
        (None, _) => ("would reap", reason.to_string()),
    }
}

/// What a person can do about an error.
fn remedy(error: &VisitError, target: &Target) -> Option<String> {
    let text = match (error, &target.trust) {
        (VisitError::Denied(_), _) => "check `username` and the password, and that the account may log in",
        (VisitError::CertificateChanged(..), Trust::Known(_, since)) => {
            let since = since.map_or_else(String::new, |since| format!("known_ilos has the old one since {since}; "));
            return Some(format!(
                "{since}if it was changed on purpose, compare it and run `ilo-reaper trust {} --write`",
                target.name
            ));
        }
        (VisitError::CertificateChanged(..), _) => {
            "if it was changed on purpose, write the new one into `tls: { pin }`"
        }
        (VisitError::Duplicate(_), _) => {
            "take one of the two names out of the configuration; if they are two iLOs, pin both (`tls: known`)"
        }
        (VisitError::TableFull(_), _) => "end a session at its web page, or wait for one to time out",
        (VisitError::NoLoginNow, _) => "another iLO just rejected it, see above",
        _ => return None,
    };
    Some(text.to_owned())
}
