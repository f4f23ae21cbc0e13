//! The score: what truly happened on the tables, by the simulator's own word. PURE: times come in.

use std::collections::BTreeSet;
use std::time::Duration;

use ilo_sim::{Effect, Logged, Refusal, SessionId};
use serde_json::{Value, json};

use super::OURS;

/// What happened on one table, or on several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Spans in which the table refused logins: from a refusal to the next login that it took.
    pub(super) lock_outs: usize,
    /// Logins that found no place.
    pub(super) refused_logins: usize,
    /// Sessions that the daemon ended and nobody held any more.
    pub(super) sessions_reaped: usize,
    /// Sessions that the daemon ended although their owner held the token and would have used it.
    pub(super) live_sessions_ended: usize,
    /// Logins of the daemon; of several tables, on the one with the most.
    pub(super) own_logins: usize,
    /// How long the ended spans lasted.
    pub(super) locked: Duration,
}

/// One table.
#[derive(Debug, Default)]
struct Table {
    tally: Tally,
    locked_since: Option<Duration>,
    /// Sessions whose owners hold their tokens.
    held: BTreeSet<SessionId>,
}

/// All tables: those of the guarded half come first, then as many of the bare one.
#[derive(Debug)]
pub(super) struct Score {
    tables: Vec<Table>,
}

impl Score {
    /// For two halves of so many iLOs each.
    pub(super) fn new(per_half: usize) -> Self {
        Self { tables: std::iter::repeat_with(Table::default).take(per_half * 2).collect() }
    }

    /// A client holds the token of this session.
    pub(super) fn holds(&mut self, table: usize, id: SessionId) {
        if let Some(table) = self.tables.get_mut(table) {
            table.held.insert(id);
        }
    }

    /// The client forgets the token, or is about to log out.
    pub(super) fn lets_go(&mut self, table: usize, id: &SessionId) {
        if let Some(table) = self.tables.get_mut(table) {
            table.held.remove(id);
        }
    }

    /// Takes in what a table did, so long since the start.
    pub(super) fn note(&mut self, table: usize, logged: &Logged, at: Duration) {
        let Some(Table { tally, locked_since, held }) = self.tables.get_mut(table) else { return };
        match &logged.effect {
            Some(Effect::LoggedIn { id }) => {
                tally.own_logins += usize::from(id.as_str().starts_with(OURS));
                if let Some(since) = locked_since.take() {
                    tally.locked += at.saturating_sub(since);
                }
            }
            Some(Effect::Refused(Refusal::TableFull)) => {
                tally.refused_logins += 1;
                tally.lock_outs += usize::from(locked_since.is_none());
                locked_since.get_or_insert(at);
            }
            Some(Effect::Ended { id, owner, by }) if by == OURS && owner != OURS => {
                let was_held = held.remove(id);
                tally.live_sessions_ended += usize::from(was_held);
                tally.sessions_reaped += usize::from(!was_held);
            }
            _ => {}
        }
    }

    /// Logins that this table refused.
    pub(super) fn refused(&self, table: usize) -> usize {
        self.tables.get(table).map_or(0, |table| table.tally.refused_logins)
    }

    /// One half together: 0 is the guarded one.
    fn total(&self, half: usize) -> Tally {
        let per_half = self.tables.len() / 2;
        self.tables.iter().skip(half * per_half).take(per_half).fold(Tally::default(), |sum, table| Tally {
            lock_outs: sum.lock_outs + table.tally.lock_outs,
            refused_logins: sum.refused_logins + table.tally.refused_logins,
            sessions_reaped: sum.sessions_reaped + table.tally.sessions_reaped,
            live_sessions_ended: sum.live_sessions_ended + table.tally.live_sessions_ended,
            own_logins: sum.own_logins.max(table.tally.own_logins),
            locked: sum.locked + table.tally.locked,
        })
    }

    /// The guarded half, and the bare one.
    pub(super) fn halves(&self) -> (Tally, Tally) {
        (self.total(0), self.total(1))
    }

    /// Ends the spans that last.
    pub(super) fn close(&mut self, at: Duration) {
        for Table { tally, locked_since, .. } in &mut self.tables {
            if let Some(since) = locked_since.take() {
                tally.locked += at.saturating_sub(since);
            }
        }
    }

    /// What `--json` ends with.
    pub(super) fn document(&self) -> Value {
        let (guarded, bare) = self.halves();
        json!({
            "guarded": {
                "lock_outs": guarded.lock_outs,
                "refused_logins": guarded.refused_logins,
                "sessions_reaped": guarded.sessions_reaped,
                "live_sessions_ended": guarded.live_sessions_ended,
                "own_logins_per_ilo": guarded.own_logins,
            },
            "bare": { "lock_outs": bare.lock_outs, "refused_logins": bare.refused_logins },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ilo_sim::{Delivery, Moment};

    fn logged(effect: Effect) -> Logged {
        Logged {
            at: Moment::from_secs(0),
            peer: [192, 0, 2, 1].into(),
            method: String::from("POST"),
            path: String::from("/"),
            query: None,
            status: None,
            delivery: Delivery::Whole,
            session: None,
            effect: Some(effect),
        }
    }

    fn login(id: &str) -> Logged {
        logged(Effect::LoggedIn { id: SessionId::from(id) })
    }

    fn ended(id: &str, owner: &str) -> Logged {
        logged(Effect::Ended { id: SessionId::from(id), owner: owner.to_owned(), by: OURS.to_owned() })
    }

    #[test]
    fn a_lock_out_is_a_span_of_refusals() {
        let mut score = Score::new(1);
        let refused = logged(Effect::Refused(Refusal::TableFull));
        for (at, what) in [(1, &refused), (2, &refused), (5, &login("a1")), (8, &refused), (9, &refused)] {
            score.note(1, what, Duration::from_secs(at));
        }
        score.note(1, &logged(Effect::Refused(Refusal::WrongPassword)), Duration::from_secs(10));
        score.close(Duration::from_secs(10));
        let bare = score.total(1);
        assert_eq!((bare.lock_outs, bare.refused_logins, bare.locked), (2, 4, Duration::from_secs(6)));
        assert_eq!(score.total(0), Tally::default());
    }

    #[test]
    fn a_session_is_live_while_its_token_is_held() {
        let mut score = Score::new(2);
        score.holds(0, SessionId::from("job1"));
        score.holds(0, SessionId::from("backup1"));
        score.lets_go(0, &SessionId::from("backup1"));
        for what in [ended("job1", "job"), ended("backup1", "backup"), ended("ours1", OURS)] {
            score.note(0, &what, Duration::ZERO);
        }
        let guarded = score.total(0);
        assert_eq!((guarded.live_sessions_ended, guarded.sessions_reaped), (1, 1));
    }

    #[test]
    fn our_logins_are_those_of_the_ilo_with_the_most() {
        let mut score = Score::new(2);
        for (table, id) in [(0, "svc-ilo-reaper1"), (1, "svc-ilo-reaper2"), (1, "svc-ilo-reaper3"), (0, "svc-other1")] {
            score.note(table, &login(id), Duration::ZERO);
        }
        assert_eq!(score.total(0).own_logins, 2);
    }
}
