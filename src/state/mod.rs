//! What must outlive us: the session we hold on each iLO, logins whose outcome is unknown, what was
//! learned, what people ordered, and the record of deletions.
//!
//! It is read once, at the start; from then on the loop remembers, and every change is written before
//! it is relied on. [`State`] is a seam: `SQLite` on a thread of its own in the daemon, a model in
//! simulation.

pub mod model;
pub mod sqlite;

use std::fmt;
use std::future::Future;

use crate::event::{Case, Gone};
use crate::secret::Secret;
use crate::session::{FOREIGN_TEXT_MAX, Owner, Session, SessionId, Uuid, clean};
use crate::settings::{Authority, IloName, Orders};
use crate::time::Timestamp;

/// How many sessions that were ours are remembered of one iLO.
const FORMER_MAX: usize = 16;

/// What is remembered of one iLO.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Memory {
    /// The session that we hold.
    pub held: Option<Held>,
    /// Logins that were sent, and whose outcome we do not know.
    pub intents: Vec<Intent>,
    /// Sessions that were ours and that we hold no more: they may still be in the table.
    pub former: Vec<Former>,
    /// Where all that follows was learned. It says nothing about another iLO.
    pub place: Option<Authority>,
    /// Which iLO it is, as its service root told at our last login.
    pub uuid: Option<Uuid>,
    /// Whether it expands collections; `None` where it was not tried.
    pub expands: Option<bool>,
    /// Its clock less the host's, in seconds, at the last look at the whole table.
    pub clock_offset_s: Option<i64>,
    /// The same, where another answer told a jump since: nobody knows yet who was on then.
    pub jumped_to_s: Option<i64>,
    /// How many seconds the answer took that told its clock, where that was long: it may show too little by that.
    pub offset_took_s: u64,
    /// Its now at a look at the whole table, not long ago ...
    pub looked_at: Option<Timestamp>,
    /// ... and who was there then.
    pub known: Vec<Known>,
    /// Nobody looked again since: the run that did was ended in order. After a kill nobody knows.
    pub is_last_look: bool,
    /// Sessions that were there when its clock jumped: their times are of two clocks and prove nothing.
    pub suspects: Vec<SessionId>,
    /// The entries in its table when it named its limit by refusing a login.
    pub limit_seen: Option<usize>,
    /// The most entries that were ever seen in its table.
    pub most_used: usize,
    /// When it last refused us a login because its table is full, by the host's clock.
    pub refused_at: Option<Timestamp>,
}

/// A session that was there at a look. An id may be given again, so its login belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its id.
    pub session: SessionId,
    /// Its login, where that was told.
    pub login: Option<Timestamp>,
    /// Its last use, where that was told.
    pub access: Option<Timestamp>,
}

impl Known {
    /// Whether it is this one, as far as the iLO tells.
    pub fn may_be(&self, session: &Session) -> bool {
        self.session == session.id && (session.login.is_none() || self.login == session.login)
    }
}

impl From<&Session> for Known {
    fn from(session: &Session) -> Self {
        Self { session: session.id.clone(), login: session.login, access: session.access }
    }
}

/// The one session of ours on an iLO. Its token rests here and nowhere else.
#[derive(Clone, PartialEq, Eq)]
pub struct Held {
    /// Its id.
    pub session: SessionId,
    /// Its `X-Auth-Token`.
    pub token: Secret,
    /// The account it belongs to, as configured at its login.
    pub account: Owner,
    /// Where it was made. A token is never sent anywhere else.
    pub authority: Authority,
    /// Its login told the id once, and nobody saw yet that the session of that name is ours: it may be somebody else's.
    pub named_once: Option<Span>,
}

impl Held {
    /// What is left to know it by, if it is ours no more to use. A name that may be somebody else's proves nothing.
    pub fn former(&self) -> Option<Former> {
        let Self { session, account, authority, named_once, token: _ } = self.clone();
        named_once.is_none().then_some(Former { session, account, authority })
    }
}

/// When a login happened, on the iLO's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Not before this.
    pub from: Timestamp,
    /// Nor after this.
    pub to: Timestamp,
    /// The clock was set since, and shows this time again: whoever logs in then is not ours for that, and no intent is left
    /// of it.
    pub is_over: bool,
}

/// A login that is about to be sent. It is written first, so that a session which nobody hears of can be
/// proven to be ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// The account that logs in.
    pub account: Owner,
    /// Where. It proves nothing anywhere else.
    pub authority: Authority,
    /// The login can't have happened before this, on the iLO's clock.
    pub from: Timestamp,
    /// Nor after this.
    pub to: Timestamp,
    /// Its session is known by id, but was of no use. It explains no other one; the next login only waits for it.
    pub answered: bool,
}

/// A session that was ours. An id alone proves nothing: another iLO, or the same after a reset, may give it to
/// somebody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Former {
    /// Its id.
    pub session: SessionId,
    /// The account it belongs to.
    pub account: Owner,
    /// Where it was made.
    pub authority: Authority,
}

/// A deletion, or one that a bound held back: who, why, and the numbers compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When, by the host's clock.
    pub at: Timestamp,
    /// Where.
    pub ilo: IloName,
    /// The group of that iLO.
    pub group: String,
    /// Whose session, its ages, and the rule.
    pub case: Case,
}

/// Names one record, to settle it later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordId(pub i64);

/// How a record ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The session is gone.
    Gone(Gone),
    /// It stays, and why.
    Spared(String),
    /// The iLO refused the DELETE with this status.
    Refused(u16),
    /// No answer came; the next visit tells.
    Unknown,
    /// This cap held it back.
    HeldBack(&'static str),
}

/// Deletions of so many seconds before a start count for the caps: a minute, by clocks of whole seconds.
const CAPPED_S: i64 = 61;

/// Why the state could not be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwritable(pub String);

impl fmt::Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unwritable {}

/// The seam. Each call returns when its change will survive a kill.
pub trait State: Clone + Send + Sync + 'static {
    /// Replaces what is remembered of `ilo`.
    fn save(&self, ilo: &IloName, memory: &Memory) -> impl Future<Output = Result<(), Unwritable>> + Send;

    /// Writes a record, before its DELETE is sent.
    fn record(&self, record: &Record) -> impl Future<Output = Result<RecordId, Unwritable>> + Send;

    /// Writes how a record ended.
    fn settle(&self, id: RecordId, settled: Settled) -> impl Future<Output = Result<(), Unwritable>> + Send;

    /// Replaces the orders that stand.
    fn order(&self, orders: &Orders) -> impl Future<Output = Result<(), Unwritable>> + Send;

    /// The same; and a person says that deleting may go on, also where the state was lost before.
    fn resume(&self, orders: &Orders) -> impl Future<Output = Result<(), Unwritable>> + Send;
}

/// Bytes of a token at most; those of iLOs have 32.
const TOKEN_MAX: usize = 4096;

// What makes sense. It is asked twice, of what is to be kept and of what is read back, so that nothing is
// kept that would not come back.

impl Memory {
    fn is_sound(&self) -> bool {
        self.held.as_ref().is_none_or(Held::is_sound)
            && self.intents.iter().all(Intent::is_sound)
            && self.former.iter().all(Former::is_sound)
            && self.place.as_ref().is_none_or(is_place)
    }

    /// The session that we hold is not ours to use any more. What is left proves it: its id, or the time of its login.
    pub fn lose_held(&mut self) {
        let Some(held) = self.held.take() else { return };
        if let Some(former) = held.former() {
            self.lose(former);
        } else if let Some(Span { from, to, is_over: false }) = held.named_once {
            let Held { account, authority, .. } = held;
            self.intents.push(Intent { account, authority, from, to, answered: false });
        }
    }

    /// Remembers a session that was ours. The oldest ones are forgotten for it.
    pub fn lose(&mut self, former: Former) {
        if self.former.contains(&former) {
            return;
        }
        if self.former.len() >= FORMER_MAX {
            self.former.remove(0);
        }
        self.former.push(former);
    }

    /// Its clock less the host's, in seconds, as it was told at last.
    pub fn told_offset_s(&self) -> Option<i64> {
        self.jumped_to_s.or(self.clock_offset_s)
    }

    /// Another iLO is here now: forgets what was learned of the one before.
    pub fn forget(&mut self, here: &Authority) {
        let Self { held, intents, former, .. } = std::mem::take(self);
        *self = Self { held, intents, former, place: Some(here.clone()), ..Self::default() };
    }

    /// Another board is in its place: forgets how many sessions the one before could have.
    pub fn forget_size(&mut self) {
        (self.limit_seen, self.most_used, self.refused_at) = (None, 0, None);
    }

    /// When its whole table was seen, by the host's clock, as far as that is remembered.
    pub fn seen_at_s(&self) -> Option<i64> {
        Some(self.looked_at?.unix_s().saturating_sub(self.clock_offset_s?))
    }

    /// The same iLO is at another address now: what was learned there is true here, and our lost sessions are here.
    pub fn follow_to(&mut self, authority: &Authority) {
        let Some(before) = self.place.replace(authority.clone()) else { return };
        let places = self.intents.iter_mut().map(|intent| &mut intent.authority);
        let places = places.chain(self.former.iter_mut().map(|former| &mut former.authority));
        places.filter(|place| **place == before).for_each(|place| place.clone_from(authority));
    }

    /// Takes over what was learned of the same iLO under another name, where that is more recent, and our sessions there.
    /// Whether it was.
    pub fn inherit(&mut self, mut other: Self) -> bool {
        // What was held there may have been ended since. Its id tells; when it logged in would tell of somebody else.
        if let Some(former) = other.held.take().as_ref().and_then(Held::former) {
            other.lose(former);
        }
        let is_newer = other.seen_at_s() > self.seen_at_s() || self.uuid != other.uuid;
        let Self { intents, former, suspects, place: there, .. } = other.clone();
        let here = self.place.clone();
        if is_newer {
            let Self { held, intents, former, place, .. } = std::mem::take(self);
            *self = Self { held, intents, former, place, ..other };
        } else {
            // What of it came after is not known to be remembered here.
            let news = suspects.into_iter().filter(|suspect| !self.suspects.contains(suspect));
            self.suspects.extend(news.collect::<Vec<_>>());
        }
        let moved =
            |place: Authority| if Some(&place) == there.as_ref() { here.clone().unwrap_or(place) } else { place };
        for Former { session, account, authority } in former {
            self.lose(Former { session, account, authority: moved(authority) });
        }
        // Where more is known here, lost logins of before are done with, or were taken over then.
        for intent in intents.into_iter().filter(|_| is_newer) {
            let intent = Intent { authority: moved(intent.authority.clone()), ..intent };
            if !self.intents.contains(&intent) {
                self.intents.push(intent);
            }
        }
        is_newer
    }
}

impl Held {
    fn is_sound(&self) -> bool {
        let token = self.token.reveal();
        let is_token = (1..=TOKEN_MAX).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic());
        let is_span = self.named_once.as_ref().is_none_or(|span| span.from <= span.to);
        let is_named = self.session.segment().is_some() && is_name(&self.account.to_string());
        is_token && is_named && is_span && is_place(&self.authority)
    }
}

impl Former {
    fn is_sound(&self) -> bool {
        self.session.segment().is_some() && is_name(&self.account.to_string()) && is_place(&self.authority)
    }
}

impl Intent {
    fn is_sound(&self) -> bool {
        is_name(&self.account.to_string()) && is_place(&self.authority) && self.from <= self.to
    }
}

/// Whether a text can be a name of something: harmless, not empty, not too long.
fn is_name(text: &str) -> bool {
    !text.is_empty() && clean(text, FOREIGN_TEXT_MAX) == text
}

fn is_place(authority: &Authority) -> bool {
    is_name(&authority.host) && authority.port > 0
}

/// Refuses what makes no sense; without a word of it, since a token may be in it.
fn keepable(ilo: &IloName, memory: &Memory) -> Result<(), Unwritable> {
    if is_name(ilo.as_str()) && memory.is_sound() {
        return Ok(());
    }
    Err(Unwritable(format!("what is to be remembered of {} makes no sense", clean(ilo.as_str(), FOREIGN_TEXT_MAX))))
}
