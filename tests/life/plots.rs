//! Misfortunes that belong together: single ones would meet like this once in a million lives.

use crate::chance::Chance;
use crate::script::{Act, ClientScript, ConfigScript, CrashAt, Deed, Fault, Habit, IloScript, On, What};

/// Lays some of them for one iLO.
pub(crate) fn lay(seed: u64, ilo: usize, right_s: i64, calm_at_s: u64, acts: &mut Vec<Act>) {
    let mut chance = Chance::of(seed, "plots", ilo as u64);
    if chance.one_in(6) {
        let (leaks, works) = pair(&mut chance);
        let at_ms = chance.below(calm_at_s * 500);
        acts.extend([leaks, works].map(|client| Act { at_ms, what: What::Client { ilo, client } }));
    }
    for _ in 0..chance.index(3) {
        let at_ms = chance.below(calm_at_s * 1000);
        let plot = match chance.index(14) {
            13 => vague(ilo),
            12 => ahead(ilo, right_s, &mut chance),
            0 | 1 => twin(ilo, &mut chance),
            2 | 3 => twin_of_a_known_one(ilo),
            4 => heir(ilo),
            5 | 6 => hidden(ilo, &mut chance),
            7 | 8 => guessed(ilo, &mut chance),
            9 | 10 => slow_looks(ilo, &mut chance),
            _ => away(ilo, &mut chance),
        };
        acts.extend(plot.into_iter().map(|(later_s, what)| Act { at_ms: at_ms + later_s * 1000, what }));
    }
}

/// One client with two habits: it leaks, and beside that it works.
fn pair(chance: &mut Chance) -> (ClientScript, ClientScript) {
    let works = ClientScript {
        seed: chance.next(),
        owner: String::from("svc-backup"),
        origin: String::from("192.0.2.50"),
        tag: String::from("REST"),
        user_type: String::from("Local"),
        habit: Habit::Steady { every_s: chance.of_these(&[5, 20]) },
    };
    let habit = Habit::Leaks { every_s: chance.of_these(&[120, 600]), times: 40, uses: 0 };
    (ClientScript { seed: chance.next(), habit, ..works.clone() }, works)
}

fn refused(ilo: usize, times: u32) -> What {
    let fault = Fault::Status { status: 401, retry_after_s: None };
    What::Meet { ilo, on: On::Collection, fault, times }
}

/// Our login's answer is lost.
fn lost(ilo: usize) -> What {
    What::Meet { ilo, on: On::Login, fault: Fault::ResetAfter, times: 1 }
}

/// We log in, and so does somebody else in the same second; and our new session is refused at once.
fn twin_of_a_known_one(ilo: usize) -> Vec<(u64, What)> {
    vec![(0, refused(ilo, 2)), (0, What::Between { ilo, on: On::Login, deed: Deed::Twin, times: 1 })]
}

/// We log in, and the answer is lost; and the next looks may leave that session out.
fn hidden(ilo: usize, chance: &mut Chance) -> Vec<(u64, What)> {
    let times = chance.of_these(&[1, 3, 9]);
    let hidden = What::Meet { ilo, on: On::Collection, fault: Fault::Hidden, times };
    vec![(0, refused(ilo, 1)), (0, lost(ilo)), (0, hidden)]
}

/// We log in, and the answer is lost; somebody else logs in with our account in the same second; and of the table
/// only a part is told.
fn twin(ilo: usize, chance: &mut Chance) -> Vec<(u64, What)> {
    vec![
        (0, refused(ilo, 1)),
        (0, lost(ilo)),
        (0, What::Between { ilo, on: On::Login, deed: Deed::Twin, times: 1 }),
        (0, What::Meet { ilo, on: On::Collection, fault: Fault::Pages, times: chance.of_these(&[1, 3, 9]) }),
    ]
}

/// Our session is refused, so that we make another; it ends, and somebody else gets its id.
fn heir(ilo: usize) -> Vec<(u64, What)> {
    vec![(0, refused(ilo, 1)), (0, What::Between { ilo, on: On::Login, deed: Deed::ReuseOurs, times: 1 })]
}

/// Somebody tries wrong passwords, so that our next login waits; and its answer is lost.
fn guessed(ilo: usize, chance: &mut Chance) -> Vec<(u64, What)> {
    let times = chance.of_these(&[2, 3, 4, 6]);
    vec![(0, What::Guess { ilo, times }), (0, refused(ilo, 1)), (0, lost(ilo))]
}

/// Each question for one session takes so long that its answer is old.
fn slow_looks(ilo: usize, chance: &mut Chance) -> Vec<(u64, What)> {
    let fault = Fault::Slow { ms: chance.of_these(&[1100, 1900, 2500]) };
    vec![(0, What::Meet { ilo, on: On::Member, fault, times: 8 })]
}

/// Not all is told of anybody, and whoever is looked at was used just before.
fn vague(ilo: usize) -> Vec<(u64, What)> {
    let used = What::Between { ilo, on: On::Member, deed: Deed::Use, times: 12 };
    vec![(0, What::Meet { ilo, on: On::Any, fault: Fault::Vague, times: 30 }), (0, used)]
}

/// For a moment the clock is ahead, while a client logs in again and again; it stops before that time has come.
fn ahead(ilo: usize, right_s: i64, chance: &mut Chance) -> Vec<(u64, What)> {
    let habit = Habit::Leaks { every_s: 20, times: 25, uses: 0 };
    let client = ClientScript { seed: chance.next(), habit, ..pair(chance).0 };
    vec![
        (0, What::Client { ilo, client }),
        (30, What::Clock { ilo, offset_s: right_s + 600 }),
        (55, What::Clock { ilo, offset_s: right_s }),
    ]
}

/// While nobody looks, a clock jumps.
fn away(ilo: usize, chance: &mut Chance) -> Vec<(u64, What)> {
    let offset_s = chance.of_these(&[3600, -3600, 600, 86_400]);
    vec![(0, What::Crash { at: CrashAt::Now, down_s: 60 }), (30, What::Clock { ilo, offset_s })]
}

/// Some iLOs are configured later. Before anybody looks, the clock of such a one goes too far and half the way back.
pub(crate) fn come_late(seed: u64, calm_at_s: u64, ilos: &[IloScript], config: &mut ConfigScript, acts: &mut Vec<Act>) {
    let mut chance = Chance::of(seed, "come late", 0);
    if !chance.one_in(5) {
        return;
    }
    let (all, ilo) = (config.clone(), chance.index(ilos.len()));
    config.members[ilo] = None;
    let at_ms = chance.within((calm_at_s * 400, calm_at_s * 700));
    acts.push(Act { at_ms, what: What::Reload { config: Box::new(all) } });
    if chance.one_in(2) {
        let (far_s, back_s) = chance.of_these(&[(7200, 3600), (3600, 1800), (86_400, 3600)]);
        let right_s = ilos[ilo].clock_offset_s;
        let mut clock = |at_ms: u64, offset_s: i64| acts.push(Act { at_ms, what: What::Clock { ilo, offset_s } });
        // Not long before: whoever was there at the beginning must still be young when somebody looks.
        clock(at_ms - chance.within((100_000, 300_000)).min(calm_at_s * 200), right_s + far_s);
        clock(at_ms - chance.within((10_000, 60_000)), right_s + far_s - back_s);
    }
}
