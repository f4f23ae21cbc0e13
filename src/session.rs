//! What an iLO tells about who is logged in: sessions, and one look at all of them.
//!
//! All text here came from an iLO, which is not trusted: it is cleaned and cut on the way in.

use std::fmt;
use std::net::IpAddr;

use crate::time::Timestamp;

/// Bytes of foreign text kept in an owner, an id, a kind.
pub const FOREIGN_TEXT_MAX: usize = 256;

/// One member of the Sessions collection, as far as the iLO told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The last segment of its path.
    pub id: SessionId,
    /// The account it logged in as.
    pub owner: Option<Owner>,
    /// The client's address (`UserIP`).
    pub origin: Option<IpAddr>,
    /// How it came in (`UserTag`).
    pub kind: Kind,
    /// Where its account lives (`UserType`).
    pub user_type: UserType,
    /// When it logged in (`LoginTime`).
    pub login: Option<Timestamp>,
    /// When it was last used (`AccessTime`). It stands still for SSH.
    pub access: Option<Timestamp>,
    /// Whether the iLO says that this is the session that asks.
    pub mine: Mine,
}

/// Whether a session is the one that asks, by the iLO's word (`MySession`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mine {
    /// It is.
    Yes,
    /// It is another one.
    No,
    /// Nothing is said.
    Untold,
    /// What is said is neither yes nor no. It may be ours, so that it is spared; and it proves nothing.
    Odd,
}

impl Mine {
    /// Whether it is reason enough to spare a session.
    pub fn may_be(self) -> bool {
        matches!(self, Self::Yes | Self::Odd)
    }
}

impl Session {
    /// The last access, where it proves anything. An SSH session's `AccessTime` does not move
    /// while it is used (HPE iLO 5 v3.14 capture), and a remote console with virtual media is live
    /// whatever it says (HPE iLO 5 user guide, idle time-out), so there it is no evidence.
    pub fn proven_access(&self) -> Option<Timestamp> {
        match self.kind {
            Kind::Ssh | Kind::Console => None,
            _ => self.access,
        }
    }

    /// The facts that must stand unchanged between the plan and the DELETE.
    pub fn same_as_seen(&self, seen: &Self) -> bool {
        self.id == seen.id
            && self.owner == seen.owner
            && self.login == seen.login
            && self.access == seen.access
            && self.origin == seen.origin
            && self.kind == seen.kind
            && self.user_type == seen.user_type
            && self.mine == seen.mine
    }
}

/// The id of a session. Only an id of plain characters can become part of a path of ours.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId {
    text: String,
    plain: bool,
}

impl SessionId {
    /// Takes any text, and remembers whether it is plain: letters, digits, `.`, `_`, `-`, at most 128 of them.
    pub fn read(raw: &str) -> Self {
        let plain = !raw.is_empty()
            && raw.len() <= 128
            && raw != "."
            && raw != ".."
            && raw.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        Self { text: clean(raw, FOREIGN_TEXT_MAX), plain }
    }

    /// The id as one path segment; `None` where it is not plain, and then nothing is ever sent about it.
    pub fn segment(&self) -> Option<&str> {
        self.plain.then_some(self.text.as_str())
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Which iLO it is, whatever its name or address: `UUID` of the service root.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(String);

impl Uuid {
    /// Reads 32 hexadecimal digits with hyphens where they belong. One byte again and again is a placeholder, and
    /// tells nothing.
    pub fn read(text: &str) -> Option<Self> {
        let parts: Vec<usize> = text.split('-').map(str::len).collect();
        let is_hex = text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
        let lower = text.to_ascii_lowercase();
        let digits = lower.replace('-', "");
        let is_placeholder = digits.as_bytes().chunks(2).all(|byte| Some(byte) == digits.as_bytes().get(..2));
        (parts == [8, 4, 4, 4, 12] && is_hex && !is_placeholder).then_some(Self(lower))
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An account name. Case is kept for people and ignored in comparisons, as iLOs do
/// (HPE iLO 7 v1.17 capture lists `Administrator` and `administrator`).
#[derive(Clone, Debug)]
pub struct Owner {
    shown: String,
    folded: String,
}

impl Owner {
    /// An account name as somebody wrote it.
    pub fn new(raw: &str) -> Self {
        Self { shown: clean(raw, FOREIGN_TEXT_MAX), folded: clean(&raw.to_lowercase(), FOREIGN_TEXT_MAX) }
    }

    /// The name in lower case, as comparisons use it.
    pub fn folded(&self) -> &str {
        &self.folded
    }
}

impl PartialEq for Owner {
    fn eq(&self, other: &Self) -> bool {
        self.folded == other.folded
    }
}

impl Eq for Owner {}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// How a session came in: an open set, read from `UserTag`. What is not known by name is spared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `REST`: a token session, if it came from the network.
    Rest,
    /// `Web UI`. A script that logs in with a certificate is shown so too (HPE Redfish documentation).
    Web,
    /// `SSH`.
    Ssh,
    /// `Remote Console`.
    Console,
    /// `IPMI/RMCP`.
    Ipmi,
    /// `RESTHost`, `RIBCLHost`, `Host Application`, …: from inside the server.
    Host,
    /// Any other tag, as the iLO wrote it.
    Other(String),
    /// The iLO gave no tag.
    Unknown,
}

impl Kind {
    /// Reads a `UserTag`. The values are those of HPE's `HpeiLOSession` schema and of captures of iLO 5, 6 and 7.
    pub fn read(tag: &str) -> Self {
        match tag {
            "REST" => Self::Rest,
            "Web UI" => Self::Web,
            "SSH" => Self::Ssh,
            "Remote Console" => Self::Console,
            "IPMI/RMCP" => Self::Ipmi,
            "RESTHost" | "RIBCLHost" | "Host Application" | "RBSU" => Self::Host,
            "" => Self::Unknown,
            other => Self::Other(clean(other, FOREIGN_TEXT_MAX)),
        }
    }

    /// The words a configuration may use.
    pub const NAMES: [(&str, Self); 6] = [
        ("rest", Self::Rest),
        ("web", Self::Web),
        ("ssh", Self::Ssh),
        ("console", Self::Console),
        ("ipmi", Self::Ipmi),
        ("host", Self::Host),
    ];

    /// One word for it: that of the configuration where it has one.
    pub fn word(&self) -> &'static str {
        let named = Self::NAMES.iter().find(|(_, kind)| kind == self);
        match (self, named) {
            (_, Some((name, _))) => name,
            (Self::Other(_), None) => "other",
            _ => "unknown",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(tag) => write!(f, "other ({tag})"),
            named => f.write_str(named.word()),
        }
    }
}

/// Where a session's account lives: an open set, read from `UserType`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UserType {
    /// An account of the iLO itself.
    Local,
    /// A directory account. Spared unless a rule names them.
    Directory,
    /// `Single Sign On`, `Federation`, `System`, …: spared, whatever the rules say.
    Other(String),
    /// The iLO did not say.
    Unknown,
}

impl UserType {
    /// Reads a `UserType` (HPE `HpeiLOSession` schema: eight values, two of which may be reaped).
    pub fn read(user_type: &str) -> Self {
        match user_type {
            "Local" => Self::Local,
            "Directory" => Self::Directory,
            "" => Self::Unknown,
            other => Self::Other(clean(other, FOREIGN_TEXT_MAX)),
        }
    }
}

impl fmt::Display for UserType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("local"),
            Self::Directory => f.write_str("directory"),
            Self::Other(text) => f.write_str(text),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// What one poll saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The iLO's own now, or why its times prove nothing.
    pub clock: Clock,
    /// Whether all of the collection was seen; where not, nothing is deleted.
    pub extent: Extent,
    /// Which of these sessions are ours.
    pub own: Own,
    /// Everybody who is on, in the iLO's order.
    pub sessions: Vec<Session>,
    /// Sessions that were on when the iLO's clock jumped: their times are of two clocks and prove nothing.
    pub suspects: Vec<SessionId>,
}

impl Observation {
    /// Whether a session belongs to our own account, by any of the signs.
    pub fn is_own(&self, session: &Session) -> bool {
        session.mine.may_be()
            || session.id == self.own.held
            || session.owner.as_ref().is_some_and(|owner| self.own.accounts.contains(owner))
    }
}

/// The iLO's clock at one observation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Its now; ages are measured against it.
    Sound(Timestamp),
    /// Times that can't be true together: no age or idle time is known, and why.
    Contradictory(String),
}

impl Clock {
    /// The iLO's now, where it can be believed.
    pub fn now(&self) -> Option<Timestamp> {
        match self {
            Self::Sound(now) => Some(*now),
            Self::Contradictory(_) => None,
        }
    }
}

/// How much of the collection an observation covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Every member, and the iLO's own count agrees.
    Whole,
    /// Not all, or members that contradict each other, and why.
    Cut(String),
}

/// Our own presence on an iLO.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Own {
    /// The id of the session we hold.
    pub held: SessionId,
    /// The names our account goes by: as configured, and as the iLO shows it.
    pub accounts: Vec<Owner>,
}

/// Foreign text made safe for a terminal, a log field and a page: control, escape and direction
/// characters are written as `\u{…}`, and what exceeds `bytes_max` is cut with an ellipsis.
pub fn clean(raw: &str, bytes_max: usize) -> String {
    let mut cleaned = String::with_capacity(raw.len().min(bytes_max));
    for character in raw.chars() {
        let before = cleaned.len();
        if is_harmful(character) {
            cleaned.extend(character.escape_unicode());
        } else {
            cleaned.push(character);
        }
        if cleaned.len() > bytes_max {
            cleaned.truncate(before);
            while cleaned.len() + '…'.len_utf8() > bytes_max && cleaned.pop().is_some() {}
            cleaned.push('…');
            break;
        }
    }
    cleaned
}

/// Characters that move a cursor, reverse a line, hide, or end one.
fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use proptest::{prop_assert, prop_assert_eq, prop_oneof};

    use super::*;
    use crate::law::holds;

    #[test]
    fn only_plain_ids_become_a_path_segment() {
        assert_eq!(SessionId::read("svc000000006859b3f1c51eb85").segment(), Some("svc000000006859b3f1c51eb85"));
        let long = "a".repeat(129);
        for evil in [
            "", ".", "..", "a/b", "a%2fb", "a?b", "a#b", "a b", "a\\b", "a\r\nb", "a\0b", "ä", "a;b", "a@b", "//evil",
            &long,
        ] {
            assert_eq!(SessionId::read(evil).segment(), None, "{evil:?}");
        }
    }

    #[test]
    fn owners_compare_without_case_and_show_as_written() {
        assert_eq!(Owner::new("Ctobmaas"), Owner::new("cTOBmaas"));
        assert_eq!(Owner::new("Ctobmaas").to_string(), "Ctobmaas");
    }

    #[test]
    fn foreign_text_is_harmless_and_bounded() {
        let cleaned = clean("x\nILO=1\u{1b}]0;\u{202e}\u{2028}\u{7f}é", 256);
        assert_eq!(cleaned, "x\\u{a}ILO=1\\u{1b}]0;\\u{202e}\\u{2028}\\u{7f}é");
        for bytes_max in 3..40 {
            let cut = clean(&"\u{202e}ß漢".repeat(10), bytes_max);
            assert!(cut.len() <= bytes_max && cut.ends_with('…'), "{cut}");
        }
    }

    #[test]
    fn any_text_is_harmless_and_bounded_and_what_was_cleaned_stays_as_it_is() {
        let text = prop_oneof![
            ".{0,40}",
            "[a-z\\u{0}-\\u{20}\\u{61c}\\u{200b}-\\u{200f}\\u{2028}-\\u{206f}\\u{feff}é漢]{0,40}"
        ];
        // Written once more, and as numbers: what moves a cursor, turns a line around, hides or ends one.
        let shows = |c: char| {
            !c.is_control()
                && !matches!(u32::from(c), 0x61c | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xfeff)
        };
        holds(500, &(text, 3..60usize), |(text, bytes_max)| {
            let cleaned = clean(&text, bytes_max);
            prop_assert!(cleaned.len() <= bytes_max && cleaned.chars().all(shows), "{:?}", cleaned);
            prop_assert_eq!(clean(&cleaned, bytes_max), cleaned.clone());
            Ok(cleaned != text)
        });
    }

    #[test]
    fn an_id_is_a_path_segment_as_it_is_or_not_at_all() {
        let id = prop_oneof!["[A-Za-z0-9._-]{1,140}", "[.]{1,3}", ".{0,20}", "[a-z0-9./%?#\\\\]{1,20}"];
        holds(500, &id, |id| {
            let segment = SessionId::read(&id).segment().map(str::to_owned);
            prop_assert!(segment.is_none() || segment.as_ref() == Some(&id), "{:?}", segment);
            let path = format!("/redfish/v1/SessionService/Sessions/{id}");
            let uri = path.parse::<http::Uri>().ok().filter(|uri| uri.path() == path && !id.is_empty());
            let one_more = uri.is_some_and(|uri| uri.path().split('/').count() == 6 && id != "." && id != "..");
            prop_assert!(segment.is_none() || one_more, "{}", path);
            Ok(segment.is_none() || id.len() > 100)
        });
    }

    #[test]
    fn tags_nobody_declared_are_kept_apart() {
        assert_eq!(Kind::read("REST"), Kind::Rest);
        assert_eq!(Kind::read("rest"), Kind::Other(String::from("rest")));
        assert_eq!(Kind::read("WSMgmt").to_string(), "other (WSMgmt)");
        assert_eq!(UserType::read("Single Sign On").to_string(), "Single Sign On");
    }
}
