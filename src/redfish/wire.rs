//! An iLO's JSON, read with suspicion. PURE.
//!
//! A field of a session that is missing or of another type is unknown, and unknown spares. A body that is
//! not of the right shape as a whole is an error. Members that contradict each other cut the observation.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::once::Once;
use crate::session::{Extent, FOREIGN_TEXT_MAX, Kind, Mine, Owner, Session, SessionId, UserType, Uuid, clean};
use crate::time::Timestamp;

/// The most members that are looked at. A real table has about ten places.
const MEMBERS_MAX: usize = 512;

/// Bytes of an error's text, which may quote what the iLO sent.
const WHY_BYTES_MAX: usize = 256;

/// The longest wait that an iLO may ask for, in seconds.
pub(super) const WAIT_MAX_S: u64 = 600;
/// No login is waited for longer, whatever the iLO says of itself.
pub const LOGIN_DELAY_MAX: Duration = Duration::from_secs(WAIT_MAX_S);

/// The Sessions collection, as one answer showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    /// Its members, each id once, in the iLO's order.
    pub members: Vec<Member>,
    /// Whether this was all of it.
    pub extent: Extent,
}

/// One member of the collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Member {
    /// Only where it is: the iLO did not expand.
    Link(SessionId),
    /// All of it.
    Whole(Box<Session>),
}

impl Member {
    /// Its id.
    pub fn id(&self) -> &SessionId {
        match self {
            Self::Link(id) => id,
            Self::Whole(session) => &session.id,
        }
    }
}

#[derive(Deserialize)]
struct RawCollection {
    #[serde(rename = "Members")]
    members: Vec<Once>,
    #[serde(rename = "Members@odata.count")]
    count: Option<Value>,
    #[serde(rename = "Members@odata.nextLink")]
    next: Option<Value>,
    #[serde(rename = "@odata.nextLink")]
    old_next: Option<Value>,
}

/// Reads the Sessions collection at `path` (without a trailing slash).
pub fn collection(body: &[u8], path: &str) -> Result<Collection, String> {
    let raw: RawCollection = serde_json::from_slice(body).map_err(|error| told("no Sessions collection", &error))?;
    let mut cut = None;
    if raw.next.or(raw.old_next).is_some() {
        cut = Some(String::from("the collection comes in pages"));
    } else if raw.count.as_ref().is_some_and(|count| count.as_u64() != u64::try_from(raw.members.len()).ok()) {
        cut = Some(String::from("the number of members is not the number told"));
    } else if raw.members.len() > MEMBERS_MAX {
        cut = Some(format!("more than {MEMBERS_MAX} members"));
    }
    let mut seen = BTreeSet::new();
    let mut members = Vec::new();
    for Once(raw) in raw.members.iter().take(MEMBERS_MAX) {
        match member(raw, path) {
            Ok(member) if seen.insert(member.id().clone()) => members.push(member),
            Ok(member) => cut = Some(format!("{} is listed twice", member.id())),
            Err(why) => cut = Some(why),
        }
    }
    Ok(Collection { members, extent: cut.map_or(Extent::Whole, Extent::Cut) })
}

fn member(raw: &Value, path: &str) -> Result<Member, String> {
    let raw = raw.as_object().ok_or("a member is no object")?;
    let id = id_of(raw, path)?;
    if raw.keys().all(|key| key == "@odata.id") {
        return Ok(Member::Link(id));
    }
    Ok(Member::Whole(Box::new(read(raw, id))))
}

/// Reads one member that was asked for by its id.
pub fn session(body: &[u8], path: &str, asked: &SessionId) -> Result<Session, String> {
    let Once(raw) = serde_json::from_slice(body).map_err(|error| told("no session", &error))?;
    let raw = raw.as_object().ok_or("no session: it is no object")?;
    let id = id_of(raw, path)?;
    if id != *asked {
        return Err(format!("asked for {asked}, got {id}"));
    }
    Ok(read(raw, id))
}

/// The id in the body that comes with a new session. On some iLOs that is a message, or nothing.
pub(super) fn new_session(body: &[u8], path: &str) -> Option<SessionId> {
    let Once(raw) = serde_json::from_slice(body).ok()?;
    id_of(raw.as_object()?, path).ok()
}

/// The id by which a member can be asked for: the last segment of its path, which must be in our collection
/// and must not contradict its `Id`.
fn id_of(raw: &Map<String, Value>, path: &str) -> Result<SessionId, String> {
    let named = |key| raw.get(key).map(|id| id.as_str().ok_or("a member has an id that is no text")).transpose();
    let told = named("Id")?;
    let id = match named("@odata.id")? {
        Some(link) => {
            // Some documents write links with a trailing slash, captures without.
            let link = link.strip_suffix('/').unwrap_or(link);
            let (head, id) = link.rsplit_once('/').unwrap_or(("", link));
            if !head.eq_ignore_ascii_case(path) {
                return Err(format!("a member is not in the collection: {}", clean(link, FOREIGN_TEXT_MAX)));
            }
            id
        }
        None => told.ok_or("a member has no id")?,
    };
    if told.is_some_and(|told| told != id) {
        return Err(format!("a member has two ids: {}", clean(id, FOREIGN_TEXT_MAX)));
    }
    Ok(SessionId::read(id))
}

fn read(raw: &Map<String, Value>, id: SessionId) -> Session {
    let nothing = Map::new();
    // `Hpe` from iLO 5 on, `Hp` on iLO 4 (HPE REST API documents).
    let oem = raw.get("Oem").and_then(|oem| oem.get("Hpe").or_else(|| oem.get("Hp")));
    let oem = oem.and_then(Value::as_object).unwrap_or(&nothing);
    // What the maker does not tell the standard may (DMTF Session schema 1.1 to 1.7). It has no last access.
    let told = |of_maker, of_standard| {
        if oem.contains_key(of_maker) { text(oem, of_maker) } else { text(raw, of_standard) }
    };
    Session {
        id,
        owner: text(raw, "UserName").and_then(owner),
        origin: told("UserIP", "ClientOriginIPAddress").and_then(address),
        kind: match oem.get("UserTag") {
            Some(tag) => Kind::read(tag.as_str().unwrap_or_default()),
            None => kind_of_standard(raw),
        },
        user_type: UserType::read(text(oem, "UserType").unwrap_or_default()),
        login: told("LoginTime", "CreatedTime").and_then(Timestamp::parse_rfc3339),
        access: text(oem, "AccessTime").and_then(Timestamp::parse_rfc3339),
        mine: match oem.get("MySession") {
            Some(Value::Bool(true)) => Mine::Yes,
            Some(Value::Bool(false)) => Mine::No,
            Some(Value::Null) | None => Mine::Untold,
            Some(_) => Mine::Odd,
        },
    }
}

/// The kind by `SessionType` of the DMTF schema. Both kinds of console show a screen; a shell is one by whatever
/// protocol. Virtual media and what is the maker's own are of no kind of ours.
fn kind_of_standard(raw: &Map<String, Value>) -> Kind {
    match text(raw, "SessionType").unwrap_or_default() {
        "Redfish" => Kind::Rest,
        "WebUI" => Kind::Web,
        "ManagerConsole" => Kind::Ssh,
        "HostConsole" | "KVMIP" => Kind::Console,
        "IPMI" => Kind::Ipmi,
        "" => Kind::Unknown,
        other => Kind::Other(clean(other, FOREIGN_TEXT_MAX)),
    }
}

/// An account name. One too long to be kept whole is unknown, as two such names might look the same.
fn owner(name: &str) -> Option<Owner> {
    let whole = clean(name, usize::MAX).len() <= FOREIGN_TEXT_MAX && name.to_lowercase().len() <= FOREIGN_TEXT_MAX;
    (whole && !name.is_empty()).then(|| Owner::new(name))
}

/// An address as `UserIP` writes it; link-local ones may name an interface behind `%`. The unspecified one is
/// nobody's.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.split('%').next().unwrap_or(text);
    let text = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = text.parse::<IpAddr>().ok()?.to_canonical();
    (!address.is_unspecified()).then_some(address)
}

fn told(what: &str, error: &serde_json::Error) -> String {
    clean(&format!("{what}: {error}"), WHY_BYTES_MAX)
}

fn text<'a>(raw: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    raw.get(key)?.as_str()
}

/// The `MessageId`s of an answer's extended information. Success too comes in an object named `error`;
/// iLO 4 writes `MessageID`, and to old clients a list of `Messages` alone.
pub fn message_ids(body: &[u8]) -> Vec<String> {
    const INFO: &str = "@Message.ExtendedInfo";
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return Vec::new() };
    let infos = body.get("error").and_then(|error| error.get(INFO)).or_else(|| body.get(INFO));
    let infos = infos.or_else(|| body.get("Messages")).and_then(Value::as_array);
    let ids = infos.into_iter().flatten().filter_map(|info| info.get("MessageId").or_else(|| info.get("MessageID")));
    ids.filter_map(Value::as_str).take(16).map(|id| clean(id, FOREIGN_TEXT_MAX)).collect()
}

/// Whether firmware may be on its way into the iLO.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flashing {
    /// The update service rests.
    No,
    /// It works, or did not tell; and its word.
    Perhaps(String),
}

/// Reads `Oem.Hpe.State` of the update service. Idle, Complete and Error are at rest; Uploading, Verifying,
/// Writing, Updating, and whatever else may come, are not (HPE iLO 6 resource definitions). An iLO 4 has its `State` at
/// the top and in capitals (HPE iLO 4 resource definitions, `HpiLOFirmwareUpdate`).
pub(super) fn flashing(body: &[u8]) -> Flashing {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let oem = body.get("Oem").and_then(|oem| oem.get("Hpe").or_else(|| oem.get("Hp")));
    let state = |of: Option<&Value>| of.and_then(|of| of.get("State")?.as_str().map(ToOwned::to_owned));
    let mut types = ["@odata.type", "Type"].iter().filter_map(|key| body.get(key)?.as_str());
    let is_old = types.any(|name| name.contains("HpiLOFirmwareUpdate"));
    let (state, at_rest): (_, &[&str]) = match state(oem) {
        None if is_old => (state(Some(&body)), &["IDLE", "COMPLETED", "FAILED", "ERROR"]),
        state => (state, &["Idle", "Complete", "Error"]),
    };
    match state {
        Some(state) if at_rest.contains(&state.as_str()) => Flashing::No,
        Some(other) => Flashing::Perhaps(clean(&other, 64)),
        None => Flashing::Perhaps(String::from("unknown")),
    }
}

/// Reads a service root: how long a login waits now (`LoginFailureDelay`, seconds), and which iLO it is. A root that
/// names no wait has none; of one that is cut nobody knows, and a login that waits unknown to us would be lost.
pub(super) fn root(root: &[u8]) -> Result<(u64, Option<Uuid>), String> {
    let root: Value = serde_json::from_slice(root).map_err(|error| format!("the service root: {error}"))?;
    let oem = root.get("Oem").and_then(|oem| oem.get("Hpe").or_else(|| oem.get("Hp")));
    let delay = oem.and_then(|oem| oem.get("Sessions")).and_then(|sessions| sessions.get("LoginFailureDelay"));
    let uuid = root.get("UUID").and_then(Value::as_str).and_then(Uuid::read);
    Ok((delay.and_then(Value::as_u64).unwrap_or(0).min(WAIT_MAX_S), uuid))
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "standard_tests.rs"]
mod standard_tests;

#[cfg(test)]
#[path = "evil_tests.rs"]
mod evil_tests;
