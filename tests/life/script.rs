//! A life as data: the fleet, its configuration, and everything that happens to it, moment by moment.
//!
//! Nothing else decides what a life is: the same script is the same life, on every machine. What looks like chance
//! comes from streams that each thing carries its own seed of: leaving one out changes nothing about the others.

use serde::{Deserialize, Serialize};

use crate::crowd::ClientScript;

/// A whole life.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Script {
    /// Where it was drawn from.
    pub(crate) seed: u64,
    /// The simulated iLOs. The n-th answers at the host name that [`host`] gives it.
    pub(crate) ilos: Vec<IloScript>,
    /// The configuration that the daemon starts with.
    pub(crate) config: ConfigScript,
    /// What happens, in the order of time.
    pub(crate) acts: Vec<Act>,
    /// From here on nothing goes wrong any more, and the daemon must put everything right.
    pub(crate) calm_at_s: u64,
}

/// The host name of a simulated iLO.
pub(crate) fn host(ilo: usize) -> String {
    format!("ilo-{ilo:02}.example.net")
}

/// One simulated iLO.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct IloScript {
    pub(crate) seed: u64,
    pub(crate) limit: usize,
    pub(crate) timeout_min: u32,
    pub(crate) clock_offset_s: i64,
    /// How far the clock of its `Date` headers is ahead of the one of its sessions, which is the same one elsewhere.
    #[serde(default)]
    pub(crate) date_ahead_s: i64,
    pub(crate) expand: Expand,
    pub(crate) wrong_password_status: u16,
    pub(crate) table_full_status: u16,
    pub(crate) boot_s: u64,
    /// How long half an exchange takes, at least and at most.
    pub(crate) way_ms: (u64, u64),
    /// Our account may not end the sessions of others.
    pub(crate) is_operator: bool,
    /// It makes everybody wait after wrong passwords before it lets them in, and not after.
    #[serde(default)]
    pub(crate) admits_late: bool,
    /// Nothing ever reaches it.
    #[serde(default)]
    pub(crate) is_dead: bool,
}

/// What an iLO does when it is asked to expand a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Expand {
    /// An iLO 5 and later.
    Does,
    /// An iLO 4: it answers links.
    Ignores,
    /// Others: 501.
    Refuses,
}

/// A configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ConfigScript {
    pub(crate) every_s: u64,
    pub(crate) fastest_s: u64,
    pub(crate) at_once: usize,
    pub(crate) exchange_s: u64,
    pub(crate) visit_s: u64,
    pub(crate) per_visit: usize,
    pub(crate) per_ilo_minute: usize,
    pub(crate) per_minute: usize,
    pub(crate) share_percent: u8,
    pub(crate) limit: Option<usize>,
    pub(crate) near: usize,
    pub(crate) critical: usize,
    pub(crate) keeps_on_stop: bool,
    pub(crate) groups: Vec<GroupScript>,
    /// For each iLO: the group it belongs to, if it is configured at all.
    pub(crate) members: Vec<Option<usize>>,
    /// For each iLO: whose host name it is configured with; itself, unless two were mixed up.
    pub(crate) places: Vec<usize>,
}

/// iLOs that share password, trust, mode and policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct GroupScript {
    pub(crate) enforces: bool,
    /// The number of our password; the iLOs have one too.
    pub(crate) password: u32,
    /// The number of our account.
    #[serde(default)]
    pub(crate) account: usize,
    pub(crate) is_pinned: bool,
    pub(crate) protect: Vec<ProtectScript>,
    pub(crate) reap: Vec<RuleScript>,
}

/// A protection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ProtectScript {
    pub(crate) conditions: ConditionsScript,
    /// It ends so long after the beginning of the life, by the host's clock.
    pub(crate) until_s: Option<i64>,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RuleScript {
    pub(crate) conditions: ConditionsScript,
    pub(crate) keep_latest: Option<usize>,
    pub(crate) down_to: Option<usize>,
}

/// What a session must be like.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ConditionsScript {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) origin: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) user_types: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) age_s: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) idle_s: Option<u64>,
    #[serde(default, skip_serializing_if = "is_not")]
    pub(crate) superseded: bool,
    #[serde(default, skip_serializing_if = "is_not")]
    pub(crate) never_used: bool,
    /// 0 calm, 1 near, 2 critical, 3 full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) when: Option<u8>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for this form")]
fn is_not(flag: &bool) -> bool {
    !flag
}

/// Something happens.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Act {
    pub(crate) at_ms: u64,
    pub(crate) what: What,
}

/// What can happen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum What {
    /// Somebody begins to use an iLO.
    Client { ilo: usize, client: ClientScript },
    /// The next exchanges of a kind meet this.
    Meet { ilo: usize, on: On, fault: Fault, times: u32 },
    /// The world moves just before an iLO handles the next requests of a kind.
    Between { ilo: usize, on: On, deed: Deed, times: u32 },
    /// The iLO's clock is set.
    Clock { ilo: usize, offset_s: i64 },
    /// It restarts, and its clock comes up so, for a while, until the time service sets it.
    Reboot { ilo: usize, boot_offset_s: i64, set_after_s: u64 },
    /// Another iLO is put in its place, with this seed.
    Swapped { ilo: usize, seed: u64 },
    /// Firmware is flashed.
    Flash { ilo: usize, for_s: u64 },
    /// It shows another certificate.
    Certificate { ilo: usize, for_s: u64 },
    /// Our account gets another password there.
    Password { ilo: usize, number: u32 },
    /// Somebody tries wrong passwords.
    Guess { ilo: usize, times: u32 },
    /// A person's hand: another idle time-out.
    Timeout { ilo: usize, minutes: u32 },
    /// Another configuration is loaded.
    Reload { config: Box<ConfigScript> },
    /// kill -9, and a start later.
    Crash { at: CrashAt, down_s: u64 },
    /// A clean stop, and a start later.
    Stop { down_s: u64 },
    /// The state is found unreadable at a start, which comes after a kill.
    StateLost { down_s: u64 },
    /// A person puts the brake on, until somebody resumes or for so long.
    Pause { for_s: Option<u64> },
    /// A person takes it off again; after a lost state, for the first time.
    Resume,
    /// A person asks for a visit at once; and that it end whom the rules find, whatever the mode.
    Sweep { ilo: usize, ends: bool },
    /// A reload whose configuration is wrong.
    BadReload,
    /// A person protects one session there.
    ShieldOne { ilo: usize },
    /// A person protects an account, on one iLO where that is named.
    Shield { owner: String, ilo: Option<usize>, for_s: Option<u64> },
    /// A person ends the first of the protections that stand.
    Unshield,
    /// The host's clock is set.
    HostClock { step_s: i64 },
    /// The host sleeps.
    Suspend { for_s: u64 },
    /// The host is a virtual machine, and stands still.
    Stand { for_s: u64 },
    /// The state can't be written.
    DiskFull { for_s: u64 },
    /// The state is slow.
    DiskSlow { pace_ms: u64, for_s: u64 },
}

/// Where a kill comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum CrashAt {
    /// Now, whatever goes on.
    Now,
    /// At the next request of a kind: when it is sent, done, or answered.
    Exchange(On, Phase),
    /// At the so-many-th commit from now, before it or after it.
    Commit { number: u32, is_after: bool },
}

/// How far an exchange has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Phase {
    /// Not a byte has arrived, nor will any.
    Unsent,
    /// The request is on its way, and will arrive.
    Sent,
    /// The iLO has done it, and its answer is lost.
    Done,
}

/// Which requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum On {
    Any,
    Root,
    Login,
    Collection,
    Member,
    Update,
    Delete,
}

impl On {
    pub(crate) const ALL: [Self; 7] =
        [Self::Any, Self::Root, Self::Login, Self::Collection, Self::Member, Self::Update, Self::Delete];

    /// What a request is, by its method and path.
    pub(crate) fn of(method: &http::Method, path: &str) -> Self {
        let path = path.trim_end_matches('/');
        match *method {
            http::Method::POST => Self::Login,
            http::Method::DELETE => Self::Delete,
            _ if path.ends_with("/v1") => Self::Root,
            _ if path.ends_with("/Sessions") => Self::Collection,
            _ if path.ends_with("/UpdateService") => Self::Update,
            _ => Self::Member,
        }
    }

    pub(crate) fn fits(self, other: Self) -> bool {
        self == Self::Any || self == other
    }
}

/// What goes wrong with an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Fault {
    /// No address, no connection, no TLS: nothing arrives.
    NoDns,
    Refused,
    NoTls,
    /// Nothing arrives, and nothing comes back.
    BlackHole,
    /// Nothing arrives and the connection is reset.
    ResetBefore,
    /// The iLO does it, and the connection is reset.
    ResetAfter,
    /// The iLO does it, and no answer ever comes.
    Silence,
    /// It arrives so much later; we may have given up by then.
    Late {
        ms: u64,
    },
    /// The answer takes so much longer.
    Slow {
        ms: u64,
    },
    /// The iLO does nothing and answers this status, perhaps with Retry-After.
    Status {
        status: u16,
        retry_after_s: Option<u64>,
    },
    /// The iLO does it, and what answers is something else: this status.
    StatusAfter {
        status: u16,
    },
    /// A page for people, with status 200.
    Html,
    /// The body ends in the middle.
    Torn,
    /// The body is empty.
    Empty,
    /// The body does not end.
    Huge,
    /// A redirect to somewhere else.
    Redirect,
    /// No `Date` header.
    NoDate,
    /// A login's answer without its token, or with a token that is no header.
    NoToken,
    OddToken,
    /// It names somebody else's session, and the body ours; or the body tells none.
    OtherLocation,
    OtherSession,
    /// The collection tells another number of members than it has.
    CountLies,
    /// It says that there is a further page, and lacks what may be on that.
    Pages,
    /// A member stands there twice.
    Twice,
    /// A member of another collection.
    Foreign,
    /// A member with an id that is a path.
    EvilId,
    /// A member that ended a while ago.
    Dangling,
    /// Members lack their user, kind, address or a time.
    Vague,
    /// A member is missing, and the number agrees.
    Hidden,
    /// Another session's body.
    Mixed,
    /// The answer is as old as the last one to the same question.
    Stale,
    /// The update service tells no state.
    NoUpdateState,
}

/// What the world does between two requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Deed {
    /// The session that the request names, or every one, is used.
    Use,
    /// It ends by itself.
    End,
    /// It ends, and its id is given to somebody else's new session.
    Reuse,
    /// The table fills up.
    Fill,
    /// Somebody else logs in with our account, from our own host.
    Twin,
    /// Sessions of ours end, and their ids are given to somebody else.
    ReuseOurs,
    /// Our own session is ended by somebody.
    EndOurs,
    /// Firmware begins to be flashed, for five minutes.
    Flash,
    /// The configuration is replaced by one that only observes.
    Observe,
    /// The configuration is replaced by one that protects everybody.
    Protect,
    /// The configuration is replaced by one with another password for this iLO's group.
    Mistype,
    /// A clean stop begins.
    Stop,
    /// A person puts the brake on.
    Pause,
    /// The host sleeps.
    Sleep { for_s: u64 },
    /// The same on a virtual machine that stands still.
    Stand { for_s: u64 },
}
