//! The session table: the scarce thing.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use serde::Serialize;

use crate::chance::Chance;
use crate::moment::{Moment, Stamp};
use crate::personality::traits::{IdForm, Sessions, Token, Traits};

/// The name of a session in its table and its URL.
///
/// On an iLO it is the user's name in lower case, hexadecimal digits of the login time on the iLO's clock, and
/// some of chance: `administrator000000006859b3f1c51eb85` (HPE iLO 6 capture v1.66). How many depends on the
/// firmware; other services have other ids.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct SessionId(String);

impl SessionId {
    /// The id as it stands in a URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for SessionId {
    fn from(id: &str) -> Self {
        Self(id.to_owned())
    }
}

impl PartialEq<str> for SessionId {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

/// A session to put into the table by hand.
#[derive(Clone, Debug)]
pub struct SessionSpec {
    /// The user, as typed at login.
    pub owner: String,
    /// The address it is used from.
    pub origin: IpAddr,
    /// `UserTag`. Captures show `REST`, `Web UI`, `Remote Console`, `SSH` and `IPMI/RMCP`; schemas
    /// declare more.
    pub tag: String,
    /// `UserType`, mostly `Local`.
    pub user_type: String,
    /// A Remote Console with virtual media attached: no idle time-out ends it (HPE iLO 5 User Guide,
    /// "Idle Connection Timeout").
    pub virtual_media: bool,
    /// The collection lists it, and reading it or ending it is answered as if it were gone. Five of seven captures
    /// have such a member.
    pub dangling: bool,
}

impl SessionSpec {
    /// A session that a client opened with a POST.
    pub fn rest(owner: impl Into<String>, origin: IpAddr) -> Self {
        Self::tagged(owner, origin, "REST")
    }

    /// A session of a browser.
    pub fn web(owner: impl Into<String>, origin: IpAddr) -> Self {
        Self::tagged(owner, origin, "Web UI")
    }

    /// A session of an SSH client.
    pub fn ssh(owner: impl Into<String>, origin: IpAddr) -> Self {
        Self::tagged(owner, origin, "SSH")
    }

    /// A session of a remote console.
    pub fn console(owner: impl Into<String>, origin: IpAddr) -> Self {
        Self::tagged(owner, origin, "Remote Console")
    }

    /// A session of a program inside the server, such as `AMS` on an iLO 7, over its virtual NIC. HPE's web page calls
    /// the kind so; what the JSON says no public source tells.
    pub fn host_application(name: impl Into<String>) -> Self {
        Self::tagged(name, IpAddr::from([16, 1, 15, 2]), "Host Application")
    }

    /// A local user's session with this `UserTag`, which may be one that no schema declares.
    pub fn tagged(owner: impl Into<String>, origin: IpAddr, tag: impl Into<String>) -> Self {
        Self {
            owner: owner.into(),
            origin,
            tag: tag.into(),
            user_type: "Local".to_owned(),
            virtual_media: false,
            dangling: false,
        }
    }
}

/// A session as it truly is, whatever the iLO shows of it.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its name.
    pub id: SessionId,
    /// The user, as typed at login.
    pub owner: String,
    /// The address it is used from.
    pub origin: IpAddr,
    /// `UserTag`.
    pub tag: String,
    /// `UserType`.
    pub user_type: String,
    /// When it began.
    pub login: Moment,
    /// When it was last used.
    pub access: Moment,
    /// `LoginTime`: `login` as the iLO's clock showed it then. A clock set later does not move it.
    pub login_shown: Stamp,
    /// `AccessTime` as the iLO shows it; it stands still for SSH.
    pub access_shown: Stamp,
    /// The `X-Auth-Token` that acts for it, where its kind has one.
    pub token: Option<String>,
    /// No idle time-out ends it.
    pub virtual_media: bool,
    /// It is listed and cannot be read.
    pub dangling: bool,
}

impl Session {
    /// Whether an idle time-out of `timeout_min` minutes (0: none) has ended it at `now`.
    ///
    /// Idleness is true time: that an iLO's clock was set does not end a session. What a real one
    /// does then is not documented.
    fn expired(&self, now: Moment, timeout_min: u32) -> bool {
        timeout_min != 0
            && !self.virtual_media
            && now.since(self.access) >= Duration::from_secs(u64::from(timeout_min) * 60)
    }

    fn touch(&mut self, now: Moment, shown: Stamp) {
        self.access = self.access.max(now);
        // HPE iLO 5 capture v3.14: an SSH session of 6.6 hours whose AccessTime is its LoginTime.
        if self.tag != "SSH" {
            self.access_shown = shown;
        }
    }
}

/// The table. A session keeps its place and a new one takes the first free place, so the order of the
/// collection is neither that of logins nor that of ids, as in captures.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    places: Vec<Option<Session>>,
}

impl Table {
    /// Puts a session into the first free place. Those of browsers and of clients that log in by POST, which show
    /// `rest_tag`, have a token.
    pub(crate) fn admit(
        &mut self,
        now: Moment,
        shown: Stamp,
        spec: SessionSpec,
        rest_tag: &str,
        like: &Traits,
        chance: &mut Chance,
    ) -> &Session {
        let id = self.fresh_id(&spec.owner, shown, &like.sessions, chance);
        let has_token = matches!(spec.tag.as_str(), "REST" | "Web UI") || spec.tag == rest_tag;
        let token = has_token.then(|| like.login.token.fresh(chance));
        let session = Session {
            id,
            owner: spec.owner,
            origin: spec.origin,
            tag: spec.tag,
            user_type: spec.user_type,
            login: now,
            access: now,
            login_shown: shown,
            access_shown: shown,
            token,
            virtual_media: spec.virtual_media,
            dangling: spec.dangling,
        };
        let place = self.places.iter().position(Option::is_none).unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() - 1
        });
        self.places[place].insert(session)
    }

    pub(crate) fn expire(&mut self, now: Moment, timeout_min: u32) {
        for place in &mut self.places {
            place.take_if(|session| session.expired(now, timeout_min));
        }
    }

    pub(crate) fn touch(&mut self, id: &SessionId, now: Moment, shown: Stamp) -> bool {
        let session = self.places.iter_mut().flatten().find(|session| session.id == *id);
        session.map(|session| session.touch(now, shown)).is_some()
    }

    pub(crate) fn end(&mut self, id: &SessionId) -> Option<Session> {
        self.places.iter_mut().find_map(|place| place.take_if(|session| session.id == *id))
    }

    pub(crate) fn rename(&mut self, id: &SessionId, to: &SessionId) {
        if let Some(session) = self.places.iter_mut().flatten().find(|session| session.id == *id) {
            session.id = to.clone();
        }
    }

    pub(crate) fn clear(&mut self) {
        self.places.clear();
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Session> {
        self.places.iter().flatten()
    }

    pub(crate) fn alive(&self, now: Moment, timeout_min: u32) -> impl Iterator<Item = &Session> {
        self.iter().filter(move |session| !session.expired(now, timeout_min))
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Session> {
        self.iter().find(|session| session.id == *id)
    }

    pub(crate) fn with_token(&self, token: &str) -> Option<&Session> {
        self.iter().find(|session| session.token.as_deref() == Some(token))
    }

    fn fresh_id(&self, owner: &str, shown: Stamp, like: &Sessions, chance: &mut Chance) -> SessionId {
        let mut number = 0_u32;
        loop {
            number += 1;
            let id = match like.id {
                IdForm::Stamped { time, chance: digits } => {
                    let suffix = chance.next() & ((1 << (4 * digits)) - 1);
                    format!("{}{:0time$x}{suffix:0digits$x}", owner.to_lowercase(), shown.epoch_s())
                }
                IdForm::Letters(letters) => chance.letters(letters),
                IdForm::Number => format!("{:06}", chance.next() % 1_000_000),
                IdForm::Member => format!("Member{number}"),
            };
            if self.get(&id).is_none() {
                return SessionId(id);
            }
        }
    }
}

impl Token {
    fn fresh(self, chance: &mut Chance) -> String {
        match self {
            Self::Hex => chance.token(),
            Self::Letters => chance.letters(20),
            Self::Fixed(token) => token.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Personality;

    #[test]
    fn an_id_tells_owner_and_login_time() {
        let (mut table, mut chance) = (Table::default(), Chance::new(1));
        let now = Moment::from_secs(0x6859_b3f1);
        let origin = IpAddr::from([192, 0, 2, 53]);
        let spec = SessionSpec::rest("Administrator", origin);
        let like = Personality::default().traits();
        let session = table.admit(now, Stamp::read(now, 0), spec, "REST", like, &mut chance);
        let (head, suffix) = session.id.as_str().split_at("administrator".len() + 16);
        assert_eq!(head, "administrator000000006859b3f1");
        assert_eq!(suffix.len(), 7);
        assert_eq!(session.token.as_ref().map(String::len), Some(32));
    }

    #[test]
    fn a_new_session_takes_the_first_free_place() {
        let (mut table, mut chance) = (Table::default(), Chance::new(1));
        let origin = IpAddr::from([192, 0, 2, 53]);
        let mut admit = |table: &mut Table, owner: &str| {
            let spec = SessionSpec::rest(owner, origin);
            let like = Personality::default().traits();
            table.admit(Moment(0), Stamp::read(Moment(0), 0), spec, "REST", like, &mut chance).id.clone()
        };
        let first = admit(&mut table, "a");
        admit(&mut table, "b");
        table.end(&first);
        admit(&mut table, "c");
        assert_eq!(table.iter().map(|s| s.owner.as_str()).collect::<Vec<_>>(), ["c", "b"]);
    }
}
