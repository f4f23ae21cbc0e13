//! What the daemon could see of each session over several visits: its pauses, and who could be one of ours.

use std::collections::BTreeMap;
use std::time::Duration;

use ilo_sim::{Moment, Session, SessionId, Stamp};

use super::book::{Book, LOST_LOGIN_S};
use crate::spoil::lacks;
use crate::world::{ACCOUNTS, US};

/// One session, as the daemon could see it over several visits of one life.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    login: Moment,
    access: Moment,
    shown: Stamp,
    longest_gap: Option<Duration>,
    /// Its id was told of somebody else before.
    is_heir: bool,
}

impl Book {
    /// Who is on, one by one.
    pub(super) fn sees_all(&mut self, at: Moment, sessions: &[Session], is_vague: bool) {
        // What the iLO did not tell nobody could see.
        let is_told =
            |session: &&Session| !self.vague.contains(&session.id) || lacks(session.id.as_str()) != "AccessTime";
        // Pauses that were seen before its clock moved may be of two clocks.
        if self.moved_at() >= self.pauses_since {
            self.seen.clear();
            self.pauses_since = Some(at);
        }
        let moved_at = self.moved_at();
        for session in sessions.iter().filter(is_told) {
            see(&mut self.seen, session, moved_at);
        }
        let of_our_account =
            |session: &&Session| ACCOUNTS.iter().any(|account| session.owner.eq_ignore_ascii_case(account));
        // Where the session that asks is not told, nobody knows where we come from, and whoever has our account may be us.
        let is_held = |session: &Session| self.ours.get(&session.id).is_some_and(|ours| !ours.is_excused);
        let is_origin_known = sessions.iter().any(is_held);
        // Where two strangers could be the one that was lost, it need not be told itself to be proven no more.
        let strangers: Vec<Moment> = (sessions.iter().filter(of_our_account))
            .filter(|session| !self.ours.contains_key(&session.id))
            .map(|session| session.login)
            .collect();
        for lost in self.ours.values_mut().filter(|ours| ours.is_excused) {
            let apart_s = |login: &Moment| login.0.abs_diff(lost.login.0) / 1000;
            let rivals = strangers.iter().filter(|login| apart_s(login) <= LOST_LOGIN_S).count();
            lost.is_unprovable |= rivals > 1;
        }
        for rival in sessions.iter().filter(of_our_account) {
            let known = self.ours.get(&rival.id);
            let (is_stranger, is_unprovable) = (known.is_none(), known.is_none_or(|ours| ours.is_unprovable));
            for lost in sessions.iter().filter(of_our_account).filter(|lost| lost.id != rival.id) {
                let Some(ours) = self.ours.get_mut(&lost.id).filter(|ours| ours.is_excused) else { continue };
                // Which of the two is ours nobody can tell, now or later. One of ours from another clock may be it too.
                let apart_s = rival.login_shown.epoch_s().abs_diff(lost.login_shown.epoch_s());
                let is_from_elsewhere = is_stranger && is_origin_known && rival.origin != US;
                ours.is_unprovable |= is_unprovable && apart_s <= if is_from_elsewhere { 0 } else { LOST_LOGIN_S };
                if is_stranger && rival.login == lost.login && rival.origin == US && !is_vague {
                    self.twins.insert(rival.id.clone());
                }
            }
        }
    }

    /// The longest time between two accesses that the daemon could see.
    pub(super) fn longest_gap(&self, id: &SessionId) -> Option<Duration> {
        self.seen.get(id)?.longest_gap
    }

    /// Whether its id was told of somebody else before.
    pub(super) fn is_heir(&self, id: &SessionId) -> bool {
        self.seen.get(id).is_some_and(|seen| seen.is_heir)
    }
}

/// Where a clock moved once, a longer pause is taken for another move.
const A_LONG_PAUSE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Only what an iLO shows can be seen: an SSH session's access time stands still.
/// A pause that began before its clock moved is of two clocks.
fn see(seen: &mut BTreeMap<SessionId, Seen>, session: &Session, moved_at: Option<Moment>) {
    let new = || Seen {
        login: session.login,
        access: session.access,
        shown: session.access_shown,
        longest_gap: None,
        is_heir: false,
    };
    let seen = seen.entry(session.id.clone()).or_insert_with(new);
    if seen.login != session.login {
        *seen = Seen { is_heir: true, ..new() };
    }
    if session.access_shown != seen.shown {
        let gap = session.access.since(seen.access);
        let gap = Some(gap).filter(|gap| moved_at.is_none_or(|at| at < seen.access && *gap <= A_LONG_PAUSE));
        seen.longest_gap = seen.longest_gap.max(gap);
        (seen.access, seen.shown) = (session.access, session.access_shown);
    }
}
