//! The request log: what was asked of an iLO, and what came of it.

use std::net::IpAddr;

use serde::Serialize;

use crate::moment::Moment;
use crate::reply::Delivery;
use crate::session::SessionId;

/// One request, as the iLO saw it. The login attempt that the body or header carried is not kept, so
/// a log can be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Logged {
    /// When it arrived, in true time.
    pub at: Moment,
    /// Where it came from.
    pub peer: IpAddr,
    /// Its method.
    pub method: String,
    /// Its path, without the query.
    pub path: String,
    /// The query, without the question mark.
    pub query: Option<String>,
    /// The status of the answer; `None` where the iLO made none.
    pub status: Option<u16>,
    /// What became of the answer.
    pub delivery: Delivery,
    /// The session that acted: of the token, or the passing one of Basic authentication.
    pub session: Option<SessionId>,
    /// What the request changed, or was refused.
    pub effect: Option<Effect>,
}

/// What a request did to the session table, or failed to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Effect {
    /// A login made this session.
    LoggedIn {
        /// The new session.
        id: SessionId,
    },
    /// A DELETE ended this session.
    Ended {
        /// The session that is gone.
        id: SessionId,
        /// Whose it was, as typed at its login.
        owner: String,
        /// The user who ended it. The session used for it is [`Logged::session`].
        by: String,
    },
    /// Basic authentication left its session in the table.
    LeftBehind {
        /// The session that stayed.
        id: SessionId,
    },
    /// The iLO refused.
    Refused(Refusal),
}

/// Why an iLO refused a login or a DELETE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Refusal {
    /// The session table is full.
    TableFull,
    /// The password, or the user, is wrong.
    WrongPassword,
    /// The token belongs to no session.
    NoValidSession,
    /// The account may not do this.
    InsufficientPrivilege,
    /// The password is right, and a passcode is asked for as well.
    PasscodeSent,
}
