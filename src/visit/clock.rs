//! Whether an iLO's times can be true together. PURE.
//!
//! An iLO's clock is often wrong and sometimes jumps; session members keep the times of the clock as it
//! was. A constant error does no harm, since ages are differences on one clock. A jump does: a session
//! used a minute before its clock went a day forward looks idle for a day.

use std::time::Duration;

use crate::session::{Clock, Session, SessionId};
use crate::time::Timestamp;

/// Times that agree within this can be true together: who sets an iLO's clock by hand may be minutes off.
pub(super) const TOLERANCE: Duration = Duration::from_secs(120);

/// A change of the clock that is not worth a write: clocks drift by less between two visits.
pub(super) const DRIFT_S: u64 = 2;

/// A clock that nobody sets goes wrong by a second in so many: 20 in a million, as quartz crystals are sold.
const SECOND_IN: u64 = 50_000;

/// The most that it is taken to have gone wrong while nobody looked.
const ASTRAY_MAX_S: u64 = 15;

/// Whether a change of the clock is a jump: more than it may have drifted since what is remembered, two readings in whole
/// seconds, and the time that an answer was on its way. Each shows too little by that at most: this one as if the clock had
/// gone back, and the last one as if it had gone forward. A rule may ask for half a minute of idleness, so a jump of that
/// size must not go unseen.
fn is_jump(readings: &Readings<'_>, changed_s: i64, last_took_s: u64) -> bool {
    let on_its_way_s = if changed_s < 0 { whole_seconds(readings.answer_took) } else { last_took_s.max(1) };
    let astray_s = (readings.last_ago.as_secs() / SECOND_IN).min(ASTRAY_MAX_S);
    changed_s.unsigned_abs() > (DRIFT_S + 1).saturating_add(on_its_way_s.max(astray_s))
}

/// Whether a change of the clock is one that an answer shows which was on its way for `took_s`, and no drift.
pub(super) fn is_slow_reading(changed_s: i64, took_s: u64) -> bool {
    let allowed_s = if changed_s < 0 { DRIFT_S.saturating_add(took_s) } else { DRIFT_S };
    changed_s.unsigned_abs() <= allowed_s
}

/// An answer that came within this tells the time as well as any.
const TELLS_TIME: Duration = Duration::from_secs(1);

/// How long an answer was asked for, where that matters.
pub(super) fn long_on_its_way_s(took: Duration) -> u64 {
    if took <= TELLS_TIME { 0 } else { whole_seconds(took) }
}

/// Rounded up.
fn whole_seconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis().div_ceil(1000)).unwrap_or(u64::MAX)
}

/// What one answer and the last visit tell about an iLO's clock.
pub(super) struct Readings<'a> {
    /// `Date` of the answer.
    pub(super) date: Option<Timestamp>,
    /// The host's clock when it came.
    pub(super) host_now: Timestamp,
    /// How long it was asked for.
    pub(super) answer_took: Duration,
    /// The iLO's clock less the host's, at the last visit.
    pub(super) last_offset_s: Option<i64>,
    /// How long the answer took that told that; nothing where it took no time that matters.
    pub(super) last_took_s: u64,
    /// How long that is ago.
    pub(super) last_ago: Duration,
    /// A clock of the host's that nobody sets, when the answer came.
    pub(super) host_up: Duration,
    /// How its clock went against that one, in this run.
    pub(super) last_pace: Option<Pace>,
    /// The session we hold, as the answer shows it: it was used for this very request.
    pub(super) held: Option<&'a Session>,
    /// Everybody else.
    pub(super) others: &'a [Session],
    /// It told before when that session was used.
    pub(super) told_our_use: bool,
    /// Those whose times are of a clock that is no more.
    pub(super) suspects: &'a [SessionId],
    /// From one visit to the next; an iLO that shows our last access shows one as old as that.
    pub(super) poll_every: Duration,
}

/// An iLO's clock against one of the host's that nobody sets. Where that one goes on, so does this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    /// The iLO's clock less the other.
    pub(super) ahead_s: i64,
    /// How long the answer took that told it; nothing where it took no time that matters.
    pub(super) took_s: u64,
}

impl Pace {
    /// Whether an answer that was longer on its way tells the same.
    pub(super) fn explains(self, told: Self) -> bool {
        told.took_s > self.took_s && is_slow_reading(told.ahead_s.saturating_sub(self.ahead_s), told.took_s)
    }

    /// The same as the host's other clock has it, which the iLO's is ahead of by `offset_s`.
    pub(super) fn by_host(offset_s: i64, took_s: u64, host_now: Timestamp, host_up: Duration) -> Self {
        let ahead_s = host_now.unix_s().saturating_add(offset_s).saturating_sub_unsigned(host_up.as_secs());
        Self { ahead_s, took_s }
    }
}

/// The judgement.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Judgement {
    pub(super) clock: Clock,
    /// Its clock less the host's now.
    pub(super) offset_s: Option<i64>,
    /// How its clock goes against the one of the host's that nobody sets, where the answer tells it.
    pub(super) pace: Option<Pace>,
    /// The clock jumped since the last visit: whoever is on now is suspect from now on.
    pub(super) jumped: bool,
}

pub(super) fn judge(readings: &Readings<'_>) -> Judgement {
    let Some(date) = readings.date else {
        let clock = Clock::Contradictory(String::from("the answer has no date"));
        return Judgement { clock, offset_s: readings.last_offset_s, pace: None, jumped: false };
    };
    let offset_s = date.unix_s().saturating_sub(readings.host_now.unix_s());
    let ahead_s = date.unix_s().saturating_sub_unsigned(readings.host_up.as_secs());
    let pace = Pace { ahead_s, took_s: long_on_its_way_s(readings.answer_took) };
    // Between two runs the host's clock is all there is to compare with.
    let (changed_s, last_took_s) = match (readings.last_pace, readings.last_offset_s) {
        (_, None) => (0, 0),
        (Some(last), Some(_)) => (ahead_s.saturating_sub(last.ahead_s), last.took_s),
        (None, Some(last)) => (offset_s.saturating_sub(last), readings.last_took_s),
    };
    let jumped = is_jump(readings, changed_s, last_took_s);
    let clock = if jumped {
        Clock::Contradictory(format!("the clock jumped by {} s since the last visit", changed_s.unsigned_abs()))
    } else {
        contradiction(readings, date).map_or(Clock::Sound(date), Clock::Contradictory)
    };
    Judgement { clock, offset_s: Some(offset_s), pace: Some(pace), jumped }
}

fn contradiction(readings: &Readings<'_>, date: Timestamp) -> Option<String> {
    let latest_sane = date.plus(TOLERANCE);
    match readings.held.map(|held| held.access) {
        Some(Some(access)) => {
            let behind = date.since(access).unwrap_or_default();
            if access > latest_sane || behind > TOLERANCE + readings.poll_every {
                return Some(format!("our own session was used at {access}, and the clock shows {date}"));
            }
        }
        // Where uses are told, ours is what the date is measured by.
        Some(None) if readings.told_our_use || readings.others.iter().any(|other| other.access.is_some()) => {
            return Some(String::from("it does not tell when our own session was used"));
        }
        _ => {}
    }
    let sound = |session: &&Session| !readings.suspects.contains(&session.id);
    let future = readings.others.iter().filter(sound).find(|session| {
        session.login.is_some_and(|login| login > latest_sane)
            || session.access.is_some_and(|access| access > latest_sane)
            || session.login.zip(session.access).is_some_and(|(login, access)| access < login)
    })?;
    Some(format!("the times of {} lie in the future or run backwards", future.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{Kind, Mine, Owner, UserType};

    const NOW: i64 = 1_750_709_294;

    fn session(id: &str, login_s: i64, access_s: i64) -> Session {
        Session {
            id: SessionId::read(id),
            owner: Some(Owner::new("svc")),
            origin: None,
            kind: Kind::Rest,
            user_type: UserType::Local,
            login: Some(Timestamp::from_unix_s(NOW + login_s)),
            access: Some(Timestamp::from_unix_s(NOW + access_s)),
            mine: Mine::No,
        }
    }

    fn judged(skew_s: i64, last_offset_s: Option<i64>, own_access_s: i64, other: &Session, suspect: bool) -> Judgement {
        let suspects = if suspect { vec![other.id.clone()] } else { vec![] };
        judge(&Readings {
            date: Some(Timestamp::from_unix_s(NOW)),
            host_now: Timestamp::from_unix_s(NOW - skew_s),
            answer_took: Duration::from_millis(800),
            last_offset_s,
            last_took_s: 0,
            last_ago: Duration::ZERO,
            host_up: Duration::ZERO,
            last_pace: None,
            held: Some(&session("own", -3600, own_access_s)),
            others: std::slice::from_ref(other),
            told_our_use: true,
            suspects: &suspects,
            poll_every: Duration::from_secs(60),
        })
    }

    #[test]
    fn a_constant_error_is_no_contradiction_and_a_jump_is() {
        let other = session("a", -600, -300);
        for skew_s in [0, 5, -86_400, -800_000_000] {
            assert_eq!(judged(skew_s, Some(skew_s), 0, &other, false).clock, Clock::Sound(Timestamp::from_unix_s(NOW)));
        }
        assert!(!judged(0, Some(4), 0, &other, false).jumped);
        for last in [5, -5, 30, -121, 86_400] {
            let judgement = judged(0, Some(last), 0, &other, false);
            assert!(judgement.jumped && judgement.clock.now().is_none(), "{last}");
            assert_eq!(judgement.offset_s, Some(0));
        }
    }

    /// Each shows too little by the time that it was on its way, at most; and half a minute is always seen.
    #[test]
    fn the_slower_of_two_answers_tells_how_much_is_no_jump() {
        let other = session("a", -600, -300);
        for (answer_took_s, last_took_s, changed_s, jumped) in [
            (0, 0, 4, false),
            (0, 0, 5, true),
            (0, 8, 11, false),
            (0, 8, 12, true),
            (0, 8, -3, false),
            (0, 8, -4, true),
            (8, 0, -11, false),
            (8, 0, -12, true),
            (8, 0, 4, false),
            (8, 0, 5, true),
            (15, 15, 30, true),
            (15, 15, -30, true),
        ] {
            let judgement = judge(&Readings {
                date: Some(Timestamp::from_unix_s(NOW)),
                host_now: Timestamp::from_unix_s(NOW),
                answer_took: Duration::from_secs(answer_took_s),
                last_offset_s: Some(-changed_s),
                last_took_s,
                last_ago: Duration::ZERO,
                host_up: Duration::ZERO,
                last_pace: None,
                held: Some(&session("own", -3600, 0)),
                others: std::slice::from_ref(&other),
                told_our_use: true,
                suspects: &[],
                poll_every: Duration::from_secs(60),
            });
            assert_eq!(judgement.jumped, jumped, "{answer_took_s} {last_took_s} {changed_s}");
        }
    }

    /// In a run the clock that nobody sets tells, and between two runs the other one.
    #[test]
    fn a_step_of_the_hosts_clock_is_no_jump_of_the_ilos_and_hides_none() {
        let other = session("a", -600, -300);
        for (last_ahead_s, last_offset_s, jumped) in [
            (Some(NOW), Some(0), false),
            (Some(NOW), Some(-600), false),
            (Some(NOW), Some(86_400), false),
            (Some(NOW - 600), Some(0), true),
            (Some(NOW + 600), Some(600), true),
            (Some(NOW + 600), None, false),
            (None, Some(0), false),
            (None, Some(600), true),
        ] {
            let judgement = judge(&Readings {
                date: Some(Timestamp::from_unix_s(NOW + 3600)),
                host_now: Timestamp::from_unix_s(NOW + 3600),
                answer_took: Duration::ZERO,
                last_offset_s,
                last_took_s: 0,
                last_ago: Duration::ZERO,
                host_up: Duration::from_secs(3600),
                last_pace: last_ahead_s.map(|ahead_s| Pace { ahead_s, took_s: 0 }),
                held: None,
                others: std::slice::from_ref(&other),
                told_our_use: false,
                suspects: &[],
                poll_every: Duration::from_secs(60),
            });
            assert_eq!(judgement.jumped, jumped, "{last_ahead_s:?} {last_offset_s:?}");
            assert_eq!((judgement.offset_s, judgement.pace), (Some(0), Some(Pace { ahead_s: NOW, took_s: 0 })));
        }
    }

    #[test]
    fn our_own_access_must_agree_with_the_date() {
        let other = session("a", -600, -300);
        for (own_s, sound) in [(0, true), (-60, true), (-180, true), (-181, false), (120, true), (121, false)] {
            assert_eq!(judged(0, None, own_s, &other, false).clock.now().is_some(), sound, "{own_s}");
        }
    }

    /// An iLO that tells no uses at all has a date that is as good as any.
    #[test]
    fn where_uses_are_told_a_date_that_ours_does_not_prove_is_not_sound() {
        for (told_our_use, others_tell, sound) in
            [(false, false, true), (true, false, false), (false, true, false), (true, true, false)]
        {
            let own = Session { access: None, ..session("own", -3600, 0) };
            let mut other = session("a", -600, -300);
            other.access = other.access.filter(|_| others_tell);
            let judgement = judge(&Readings {
                date: Some(Timestamp::from_unix_s(NOW)),
                host_now: Timestamp::from_unix_s(NOW),
                answer_took: Duration::ZERO,
                last_offset_s: None,
                last_took_s: 0,
                last_ago: Duration::ZERO,
                host_up: Duration::ZERO,
                last_pace: None,
                held: Some(&own),
                others: &[other],
                told_our_use,
                suspects: &[],
                poll_every: Duration::from_secs(60),
            });
            assert_eq!(judgement.clock.now().is_some(), sound, "{told_our_use} {others_tell}");
        }
    }

    #[test]
    fn times_in_the_future_contradict_unless_they_are_known_to_be_old() {
        for (login_s, access_s, sound) in
            [(-600, -300, true), (121, 121, false), (-600, 121, false), (-600, -601, false), (-600, -600, true)]
        {
            let other = session("a", login_s, access_s);
            assert_eq!(judged(0, None, 0, &other, false).clock.now().is_some(), sound, "{login_s} {access_s}");
            assert!(judged(0, None, 0, &other, true).clock.now().is_some());
        }
    }

    #[test]
    fn an_answer_without_a_date_proves_nothing() {
        let readings = Readings {
            date: None,
            host_now: Timestamp::from_unix_s(NOW),
            answer_took: Duration::ZERO,
            last_offset_s: Some(7),
            last_took_s: 0,
            last_ago: Duration::ZERO,
            host_up: Duration::ZERO,
            last_pace: None,
            held: None,
            others: &[],
            told_our_use: false,
            suspects: &[],
            poll_every: Duration::from_secs(60),
        };
        let judgement = judge(&readings);
        assert_eq!((judgement.clock.now(), judgement.offset_s, judgement.jumped), (None, Some(7), false));
    }
}
