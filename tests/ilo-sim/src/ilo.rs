//! One simulated iLO: the state, the door for requests, and the hand on its world.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};

use crate::chance::Chance;
use crate::fault::{Fault, FaultKind};
use crate::gate::Gate;
use crate::log::Logged;
use crate::moment::{Moment, Stamp};
use crate::reply::{Delivery, Reply};
use crate::service::Outcome;
use crate::session::{Session, SessionId, SessionSpec, Table};
use crate::spec::{Account, Spec};

/// A simulated iLO.
///
/// Requests come in by [`handle`](Self::handle); everything else here is the world around the iLO: other
/// people's sessions, a clock that jumps, firmware that is being flashed, replies that get lost, and a
/// log of what truly happened.
#[derive(Clone, Debug)]
pub struct Ilo {
    pub(crate) spec: Spec,
    pub(crate) serial: String,
    pub(crate) uuid: String,
    pub(crate) chance: Chance,
    pub(crate) table: Table,
    pub(crate) gate: Gate,
    pub(crate) update: UpdateState,
    /// Requests with Basic authentication so far.
    pub(crate) basic_seen: u32,
    up_at: Moment,
    faults: VecDeque<Fault>,
    log: Vec<Logged>,
}

/// `Oem.Hpe.State` of the update service (HPE Redfish docs, `HpeiLOUpdateServiceExt`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UpdateState {
    /// Nothing is going on.
    #[default]
    Idle,
    /// An image arrives. HPE: "Clients likely won't see this State".
    Uploading,
    /// The image is being checked.
    Verifying,
    /// The image is being stored.
    Writing,
    /// Firmware is being flashed.
    Updating,
    /// The last update worked.
    Complete,
    /// The last update failed.
    Error,
}

impl UpdateState {
    /// Every state.
    pub const ALL: [Self; 7] =
        [Self::Idle, Self::Uploading, Self::Verifying, Self::Writing, Self::Updating, Self::Complete, Self::Error];

    /// Its name in the iLO's JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "Idle",
            Self::Uploading => "Uploading",
            Self::Verifying => "Verifying",
            Self::Writing => "Writing",
            Self::Updating => "Updating",
            Self::Complete => "Complete",
            Self::Error => "Error",
        }
    }

    /// What an iLO 4 calls it: `State` of its `HpiLOFirmwareUpdate`. The values are a guess.
    pub(crate) const fn old_name(self) -> &'static str {
        match self {
            Self::Idle => "IDLE",
            Self::Uploading => "UPLOADING",
            Self::Verifying | Self::Writing | Self::Updating => "PROGRESSING",
            Self::Complete => "COMPLETED",
            Self::Error => "FAILED",
        }
    }

    /// Whether firmware is being written.
    pub(crate) const fn is_flashing(self) -> bool {
        matches!(self, Self::Writing | Self::Updating)
    }
}

impl Ilo {
    /// An iLO as `spec` describes it, with an empty session table.
    pub fn new(spec: Spec) -> Self {
        let mut chance = Chance::new(spec.seed);
        let serial = format!("SIM{:07X}", chance.next() & 0x0fff_ffff);
        let uuid = chance.uuid();
        Self {
            spec,
            serial,
            uuid,
            chance,
            table: Table::default(),
            gate: Gate::default(),
            update: UpdateState::default(),
            basic_seen: 0,
            up_at: Moment::default(),
            faults: VecDeque::new(),
            log: Vec::new(),
        }
    }

    /// Handles one request that arrives at `now` from `peer`. The answer is due [`Reply::after`] that.
    ///
    /// Moments should not go backwards from call to call; one that does makes no session younger.
    pub fn handle(&mut self, now: Moment, peer: IpAddr, request: &Request<Bytes>) -> Reply {
        self.table.expire(now, self.spec.idle_limit_min());
        let fault = self.take_fault(request);
        let (delivery, outcome) = if now < self.up_at {
            (Delivery::Lost, None)
        } else {
            match fault {
                None => (Delivery::Whole, Some(self.serve(now, peer, request))),
                Some(FaultKind::LoseReply) => (Delivery::Lost, Some(self.serve(now, peer, request))),
                Some(FaultKind::Hang) => (Delivery::Never, None),
                Some(FaultKind::Answer(response)) => (Delivery::Whole, Some(Outcome::scripted(response))),
            }
        };
        let status = outcome.as_ref().map(|outcome| outcome.response.status().as_u16());
        let Outcome { mut response, after, session, effect } =
            outcome.unwrap_or_else(|| Outcome::scripted(Response::default()));
        self.log.push(Logged {
            at: now,
            peer,
            method: request.method().as_str().to_owned(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().map(ToOwned::to_owned),
            status,
            delivery,
            session,
            effect,
        });
        if request.method() == Method::HEAD {
            *response.body_mut() = Bytes::new();
        }
        Reply { response, after, delivery }
    }

    /// What was chosen for this iLO, with the changes since.
    pub const fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The serial number of the server, which names the factory's certificate. It follows from the seed.
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// How long a login waits now, after wrong passwords.
    pub fn login_delay(&self) -> Duration {
        Duration::from_secs(self.gate.delay_s().into())
    }

    /// What the iLO's clock shows at `now`.
    pub fn clock(&self, now: Moment) -> Stamp {
        Stamp::read(now, self.spec.clock_offset_s)
    }

    /// Puts a session into the table, past password and limit. Where its kind has a token, it gets one.
    ///
    /// A `now` in the past makes an old session.
    pub fn admit(&mut self, now: Moment, session: SessionSpec) -> SessionId {
        let (shown, like) = (self.clock(now), self.spec.traits());
        self.table.admit(now, shown, session, self.spec.rest_tag(), like, &mut self.chance).id.clone()
    }

    /// The same, under an id of one's choice: an iLO may give an id again that it gave before. Whoever has it
    /// now loses it.
    pub fn admit_as(&mut self, id: &SessionId, now: Moment, session: SessionSpec) {
        self.table.end(id);
        let fresh = self.admit(now, session);
        self.table.rename(&fresh, id);
    }

    /// Uses a session, as its owner would. Returns whether it was there.
    pub fn touch(&mut self, id: &SessionId, now: Moment) -> bool {
        self.table.expire(now, self.spec.idle_limit_min());
        let shown = self.clock(now);
        self.table.touch(id, now, shown)
    }

    /// Ends a session, as its owner's log-out or a person at the web page would. Returns what it was.
    pub fn end(&mut self, id: &SessionId) -> Option<Session> {
        self.table.end(id)
    }

    /// The sessions that live at `now`, in the order of the collection, as they truly are.
    pub fn sessions(&self, now: Moment) -> impl Iterator<Item = &Session> {
        self.table.alive(now, self.spec.idle_limit_min())
    }

    /// The session of this id, if it lives at `now`.
    pub fn session(&self, id: &SessionId, now: Moment) -> Option<&Session> {
        self.sessions(now).find(|session| session.id == *id)
    }

    /// Sets the clock: from here on it is `offset_s` seconds ahead of true time. What sessions show stays
    /// as it was on the old clock, until they are used.
    pub const fn set_clock_offset(&mut self, offset_s: i64) {
        self.spec.clock_offset_s = offset_s;
    }

    /// Sets the state of the update service.
    pub const fn set_update_state(&mut self, state: UpdateState) {
        self.update = state;
    }

    /// Sets how many sessions the table holds. Those there are stay.
    pub const fn set_limit(&mut self, limit: usize) {
        self.spec.limit = limit;
    }

    /// Sets the idle time-out in minutes; 0 means never.
    pub const fn set_session_timeout(&mut self, minutes: u32) {
        self.spec.session_timeout_min = minutes;
    }

    /// Changes the password of an account, also of one that had to. Its sessions live on. Returns whether there is such
    /// an account.
    pub fn set_password(&mut self, username: &str, password: impl Into<String>) -> bool {
        let account = self.spec.accounts.iter_mut().find(|account| account.username.eq_ignore_ascii_case(username));
        let change = |account: &mut Account| {
            account.password = password.into();
            account.must_change_password = false;
        };
        account.map(change).is_some()
    }

    /// Restarts the iLO at `now`: all sessions are gone, wrong passwords are forgotten, and until
    /// [`Spec::boot_time`] is over every connection closes without an answer.
    pub fn reboot(&mut self, now: Moment) {
        self.table.clear();
        self.gate = Gate::default();
        self.update = UpdateState::default();
        self.up_at = now + self.spec.boot_time;
    }

    /// Lines up a fault: the first request that it matches meets it, earlier faults first.
    pub fn inject(&mut self, fault: Fault) {
        self.faults.push_back(fault);
    }

    /// The faults that no request has met yet.
    pub fn pending_faults(&self) -> impl Iterator<Item = &Fault> {
        self.faults.iter()
    }

    /// Every request so far, since the last [`take_log`](Self::take_log).
    pub fn log(&self) -> &[Logged] {
        &self.log
    }

    /// The log, leaving an empty one: what keeps the memory of a long run bounded.
    pub fn take_log(&mut self) -> Vec<Logged> {
        std::mem::take(&mut self.log)
    }

    fn take_fault(&mut self, request: &Request<Bytes>) -> Option<FaultKind> {
        let place = self.faults.iter().position(|fault| fault.on.matches(request))?;
        self.faults.remove(place).map(|fault| fault.what)
    }
}

impl Outcome {
    fn scripted(response: Response<Bytes>) -> Self {
        Self { response, after: Duration::ZERO, session: None, effect: None }
    }
}
