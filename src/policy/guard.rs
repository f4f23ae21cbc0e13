//! The built-in protections: what stays, whatever the rules say.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net};

use super::rule::{Question, sound_now};
use super::witness::GAPS;
use crate::session::{Kind, Observation, Owner, Session, UserType};
use crate::settings::{Policy, Protection};
use crate::time::Timestamp;

/// Why a session stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spared {
    /// It is of our own account.
    Own,
    /// This protection of the policy, or one that somebody ordered, matches it.
    Protected(String),
    /// The iLO did not tell whose it is.
    UnknownOwner,
    /// The iLO did not tell how it came in, or told something that we don't know.
    UnknownKind,
    /// The iLO did not tell where it comes from, so it may come from inside the server.
    UnknownOrigin,
    /// The iLO did not tell when it was last used, so nobody would see that its owner came back.
    UnknownAccess,
    /// Its account is of a type that is never touched.
    UserType(UserType),
    /// Its account is that of a known manager.
    Manager,
    /// Its id is no plain text, and so can't be part of a path of ours.
    OddId,
    /// It paused for so long before, and it is not idle for more than three times that.
    Pauses(Duration),
    /// The observation was not whole, and why.
    Cut(String),
    /// No rule matches it.
    NoRule,
    /// This rule matches it and keeps the latest ones.
    KeptLatest(String),
    /// This rule matches it, but there is room enough.
    RoomEnough(String),
}

impl fmt::Display for Spared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own => f.write_str("our own account"),
            Self::Protected(id) => write!(f, "protected by {id}"),
            Self::UnknownOwner => f.write_str("owner unknown"),
            Self::UnknownKind => f.write_str("kind unknown"),
            Self::UnknownOrigin => f.write_str("origin unknown"),
            Self::UnknownAccess => f.write_str("last access unknown"),
            Self::UserType(user_type) => write!(f, "user type {user_type} is never touched"),
            Self::Manager => f.write_str("account of a manager"),
            Self::OddId => f.write_str("its id is not plain text"),
            Self::Pauses(longest) => {
                write!(f, "it paused for {} s before, and is not idle for {GAPS} times that", longest.as_secs())
            }
            Self::Cut(why) => write!(f, "not all was seen: {why}"),
            Self::NoRule => f.write_str("no rule matches"),
            Self::KeptLatest(rule) => write!(f, "among the latest that {rule} keeps"),
            Self::RoomEnough(rule) => write!(f, "{rule} has room enough"),
        }
    }
}

/// Accounts that managers make on an iLO: `OneView` (HewlettPackard/POSH-HPEOneView issue 502), and the host
/// applications of iLO 7, whose sessions carry the application's name (HPE "managing iLO sessions" article:
/// one of AMS was 34 days old and alive).
const MANAGERS: [&str; 6] = ["_hponeviewadmin", "ams", "ilorest", "isut", "sut", "sum"];

/// What spares `session` before any rule is asked.
pub(super) fn spares(policy: &Policy, question: &Question<'_>) -> Option<Spared> {
    let Question { seen, session, around } = *question;
    if seen.is_own(session) {
        return Some(Spared::Own);
    }
    let ordered = around.shields.iter().filter(|shield| shield.session.as_ref().is_none_or(|only| *only == session.id));
    let mut protections = ordered.map(|shield| &shield.protection).chain(&policy.protect);
    let protection = protections.find(|protection| protects(protection, seen, session, around.host_now));
    if let Some(protection) = protection {
        return Some(Spared::Protected(protection.id.clone()));
    }
    let Some(owner) = &session.owner else { return Some(Spared::UnknownOwner) };
    if is_manager(owner) {
        return Some(Spared::Manager);
    }
    if session.origin.is_none() {
        return Some(Spared::UnknownOrigin);
    }
    if session.access.is_none() {
        return Some(Spared::UnknownAccess);
    }
    match (&session.kind, &session.user_type) {
        (Kind::Unknown | Kind::Other(_), _) => Some(Spared::UnknownKind),
        (_, UserType::Other(_) | UserType::Unknown) => Some(Spared::UserType(session.user_type.clone())),
        _ if session.id.segment().is_none() => Some(Spared::OddId),
        _ => pauses(question),
    }
}

/// Who paused before and came back may do so again.
fn pauses(question: &Question<'_>) -> Option<Spared> {
    let longest = question.around.witness.longest_gap(&question.session.id)?;
    let enough = question.idle().is_some_and(|idle| idle > longest.saturating_mul(GAPS));
    (!enough).then_some(Spared::Pauses(longest))
}

/// Whether a protection covers a session. In doubt it does: a condition on something that the iLO did not
/// tell spares.
fn protects(protection: &Protection, seen: &Observation, session: &Session, host_now: Timestamp) -> bool {
    if protection.until.is_some_and(|until| until <= host_now) {
        return false;
    }
    let asked = &protection.conditions;
    let now = sound_now(seen, session);
    let since = |time: Option<Timestamp>| now.zip(time).and_then(|(now, time)| now.since(time));
    let owner_fits = |globs: &Vec<_>| {
        session.owner.as_ref().is_none_or(|owner| globs.iter().any(|glob: &crate::settings::Glob| glob.matches(owner)))
    };
    let origin_fits =
        |nets: &Vec<IpNet>| session.origin.is_none_or(|origin| nets.iter().any(|net| contains(net, origin)));
    asked.owner.as_ref().is_none_or(owner_fits)
        && asked.origin.as_ref().is_none_or(origin_fits)
        && (asked.kinds.is_empty() || session.kind == Kind::Unknown || asked.kinds.contains(&session.kind))
        && (asked.user_types.is_empty()
            || session.user_type == UserType::Unknown
            || asked.user_types.contains(&session.user_type))
        && asked.age.is_none_or(|age| since(session.login).is_none_or(|since| since >= age))
        && asked.idle.is_none_or(|idle| since(session.proven_access()).is_none_or(|since| since >= idle))
}

fn is_manager(owner: &Owner) -> bool {
    MANAGERS.contains(&owner.folded())
}

/// Whether a network holds an address; an IPv4 address written as IPv6 is the same address.
pub(super) fn contains(net: &IpNet, origin: IpAddr) -> bool {
    canonical(net).contains(&origin.to_canonical())
}

/// A network of IPv4 addresses written as IPv6 is the same network.
fn canonical(net: &IpNet) -> IpNet {
    let IpNet::V6(v6) = net else { return *net };
    let v4 = v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96));
    v4.and_then(|(address, length)| Ipv4Net::new(address, length).ok()).map_or(*net, IpNet::V4)
}

/// Networks inside a server: the virtual NIC between an iLO and its host (16.1.15.0/30, HPE Redfish docs,
/// "vNIC"; configurable in its last part), and loopback, as which an iLO 7 books Basic authentication.
fn inside() -> [IpNet; 3] {
    let v4 = |a, b, c, d, length| IpNet::new_assert(IpAddr::from([a, b, c, d]), length);
    [v4(16, 1, 15, 0, 24), v4(127, 0, 0, 0, 8), IpNet::new_assert(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1u16]), 128)]
}

/// Whether an address is inside the server.
pub(super) fn is_inside(origin: IpAddr) -> bool {
    inside().iter().any(|net| contains(net, origin))
}

/// Whether a rule's network names addresses inside the server, and not just everything.
pub fn names_inside(net: &IpNet) -> bool {
    inside().iter().any(|inside| inside.contains(&canonical(net)))
}
