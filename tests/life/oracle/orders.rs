//! What people ordered by hand: from the answer on, no DELETE goes against it, until they take it back or its time
//! is over.

use ilo_sim::{Moment, SessionId};

use super::Oracle;
use crate::world::Site;

/// By the host's clock, which both read in whole seconds.
const UNSURE_S: i64 = 2;

/// The orders that were answered.
#[derive(Default)]
pub(super) struct Orders {
    pause: Option<Until>,
    shields: Vec<(String, Option<usize>, Until)>,
    /// Sessions that are protected one by one, and where.
    ones: Vec<(usize, SessionId)>,
    /// iLOs that are swept, whatever the mode, each as often as it was asked for.
    sweeps: Vec<usize>,
    /// How often something was taken back.
    taken_back: u64,
}

/// When it ends, by the host's clock in seconds since 1970; `None` where somebody must end it.
type Until = Option<i64>;

impl Orders {
    /// The state that kept them is lost.
    pub(super) fn forget(&mut self) {
        *self = Self { taken_back: self.taken_back + 1, ..Self::default() };
    }

    /// What may be over is no order any more, also where the clock is set back later.
    pub(super) fn end(&mut self, host_s: i64) {
        let is_over = |until: &Until| until.is_some_and(|until| until <= host_s + UNSURE_S);
        self.pause.take_if(|until| is_over(until));
        self.shields.retain(|(_, _, until)| !is_over(until));
    }
}

impl Oracle {
    /// The brake is on, and somebody was told so.
    pub(crate) fn paused(&mut self, until: Option<i64>) {
        self.orders.pause = Some(until);
    }

    /// Somebody asks to take it off: from now on it may be.
    pub(crate) fn resumes(&mut self) {
        self.orders.pause = None;
        self.orders.taken_back += 1;
    }

    /// An account is protected, and somebody was told so.
    pub(crate) fn shielded(&mut self, owner: String, ilo: Option<usize>, until: Option<i64>) {
        self.orders.shields.push((owner, ilo, until));
    }

    /// One session is protected, and somebody was told so.
    pub(crate) fn shielded_one(&mut self, ilo: usize, id: SessionId) {
        self.orders.ones.push((ilo, id));
    }

    /// A person asks for a visit at once, whatever the iLO asked for.
    pub(crate) fn visits_at_once(&mut self, ilo: usize) {
        if let Some(place) = self.now_in_force().config.places.get(ilo).copied() {
            self.books[place].rest_until = None;
        }
    }

    /// A sweep is asked for; and it is over.
    pub(crate) fn sweeps(&mut self, ilo: usize) {
        self.orders.sweeps.push(ilo);
    }

    pub(crate) fn swept(&mut self, ilo: usize) {
        if let Some(place) = self.orders.sweeps.iter().position(|other| *other == ilo) {
            self.orders.sweeps.remove(place);
        }
    }

    /// Whether somebody sweeps what goes by this name.
    pub(super) fn is_swept(&self, name: usize) -> bool {
        self.orders.sweeps.contains(&name)
    }

    /// Whoever asked for a sweep is gone with the daemon.
    pub(super) fn ends_sweeps(&mut self) {
        self.orders.sweeps.clear();
    }

    /// Somebody asks to end one of those of this account, or that of one session.
    pub(crate) fn unshields(&mut self, owner: &str) {
        self.orders.shields.retain(|(other, _, _)| other != owner);
        self.orders.ones.retain(|(_, id)| id.as_str() != owner);
        self.orders.taken_back += 1;
    }

    /// How often something was taken back.
    pub(crate) fn taken_back(&self) -> u64 {
        self.orders.taken_back
    }

    pub(super) fn host_s(&self, now: Moment) -> i64 {
        (now.0 / 1000).cast_signed() + self.host_ahead_s
    }

    pub(super) fn goes_against_no_order(
        &mut self,
        now: Moment,
        number: usize,
        site: &Site,
        id: &SessionId,
    ) -> Result<(), (&'static str, String)> {
        let host_s = self.host_s(now);
        self.orders.end(host_s);
        if self.orders.pause.is_some() {
            return Err(("pause", String::from("the daemon is paused, and said so")));
        }
        let is_mixed_up = self.is_mixed_up();
        if self.orders.ones.iter().any(|(ilo, one)| *ilo == number && one == id) && !is_mixed_up {
            return Err(("I2", format!("{id} is protected by hand, and somebody was told so")));
        }
        let Some(session) = site.ilo.session(id, now) else { return Ok(()) };
        let covers = |(owner, ilo, _): &&(String, Option<usize>, Until)| {
            owner.eq_ignore_ascii_case(&session.owner) && ilo.is_none_or(|ilo| ilo == number && !is_mixed_up)
        };
        match self.orders.shields.iter().find(covers) {
            Some((owner, ..)) => Err(("I2", format!("{owner} is protected by hand, and somebody was told so"))),
            None => Ok(()),
        }
    }
}
