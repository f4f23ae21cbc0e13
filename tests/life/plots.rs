//! Misfortunes that belong together: single ones would meet like this once in a million lives.

use crate::chance::Chance;
use crate::crowd::{ClientScript, Habit};
use crate::script::{Act, ConfigScript, CrashAt, Deed, Fault, IloScript, On, What};

/// What happens, and how many seconds after the first of it.
type Plot = Vec<(u64, What)>;

/// What a plot is laid for.
struct At {
    ilo: usize,
    /// What its clock is ahead by when it is right.
    right_s: i64,
    exchange_s: u64,
}

type Lay = fn(&At, &mut Chance) -> Plot;

/// Each has a chance of its own, so that another one changes nothing about those that are there.
const PLOTS: [(&str, u64, Lay); 24] = [
    ("two habits", 6, two_habits),
    ("twin", 7, twin),
    ("twin of a known one", 7, twin_of_a_known_one),
    ("heir", 14, heir),
    ("misnamed", 14, misnamed),
    ("hidden", 7, hidden),
    ("guessed", 7, guessed),
    ("slow looks", 7, slow_looks),
    ("slow ends", 7, slow_ends),
    ("nods", 10, nods),
    ("slow answers", 7, slow_answers),
    ("no service", 10, no_service),
    ("vague", 7, vague),
    ("ahead", 14, ahead),
    ("to come", 10, to_come),
    ("behind", 7, behind),
    ("away", 7, away),
    ("full disk", 10, full_disk),
    ("slow disk", 14, slow_disk),
    ("denied", 10, denied),
    ("log-out", 14, log_out),
    ("mistyped", 40, mistyped),
    ("nobody knows", 40, nobody_knows),
    ("one time", 20, one_time),
];

/// Lays some of them for one iLO.
pub(crate) fn lay(seed: u64, ilo: usize, script: &IloScript, config: &ConfigScript, until_s: u64, acts: &mut Vec<Act>) {
    let at = At { ilo, right_s: script.clock_offset_s, exchange_s: config.exchange_s };
    for (name, one_in, plot) in PLOTS {
        let mut chance = Chance::of(seed, name, ilo as u64);
        if chance.one_in(one_in) {
            let at_ms = chance.below(until_s * 1000);
            let plot = plot(&at, &mut chance);
            acts.extend(plot.into_iter().map(|(later_s, what)| Act { at_ms: at_ms + later_s * 1000, what }));
        }
    }
}

/// When all is calm and the clocks are told again, a client leaks twice more, and works beside that: nothing takes away
/// the proof of whom it leaves.
pub(crate) fn at_last(seed: u64, ilo: usize, config: &ConfigScript, calm_at_s: u64, acts: &mut Vec<Act>) {
    let mut chance = Chance::of(seed, "at last", ilo as u64);
    let at = At { ilo, right_s: 0, exchange_s: config.exchange_s };
    let at_ms = (calm_at_s + config.every_s * 3 + 400) * 1000;
    let works = What::Client { ilo, client: pair(&mut chance).1 };
    acts.extend([leaks(&at, &mut chance, 60, 2), works].map(|what| Act { at_ms, what }));
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

fn two_habits(at: &At, chance: &mut Chance) -> Plot {
    let (leaks, works) = pair(chance);
    [leaks, works].map(|client| (0, What::Client { ilo: at.ilo, client })).into()
}

/// A client that logs in and never again does anything, so many times.
fn leaks(at: &At, chance: &mut Chance, every_s: u64, times: u32) -> What {
    let habit = Habit::Leaks { every_s, times, uses: 0 };
    What::Client { ilo: at.ilo, client: ClientScript { seed: chance.next(), habit, ..pair(chance).0 } }
}

fn refused(at: &At, times: u32) -> What {
    let fault = Fault::Status { status: 401, retry_after_s: None };
    What::Meet { ilo: at.ilo, on: On::Collection, fault, times }
}

/// Our login's answer is lost.
fn lost(at: &At) -> What {
    What::Meet { ilo: at.ilo, on: On::Login, fault: Fault::ResetAfter, times: 1 }
}

fn slow(at: &At, on: On, ms: u64, times: u32) -> What {
    What::Meet { ilo: at.ilo, on, fault: Fault::Slow { ms }, times }
}

/// We log in, and so does somebody else in the same second; and our new session is refused at once.
fn twin_of_a_known_one(at: &At, _: &mut Chance) -> Plot {
    vec![(0, refused(at, 2)), (0, What::Between { ilo: at.ilo, on: On::Login, deed: Deed::Twin, times: 1 })]
}

/// We log in, and the answer is lost; and the next looks may leave that session out.
fn hidden(at: &At, chance: &mut Chance) -> Plot {
    let times = chance.of_these(&[1, 3, 9]);
    let hidden = What::Meet { ilo: at.ilo, on: On::Collection, fault: Fault::Hidden, times };
    vec![(0, refused(at, 1)), (0, lost(at)), (0, hidden)]
}

/// We log in, and the answer is lost; somebody else logs in with our account in the same second; and of the table
/// only a part is told.
fn twin(at: &At, chance: &mut Chance) -> Plot {
    vec![
        (0, refused(at, 1)),
        (0, lost(at)),
        (0, What::Between { ilo: at.ilo, on: On::Login, deed: Deed::Twin, times: 1 }),
        (0, What::Meet { ilo: at.ilo, on: On::Collection, fault: Fault::Pages, times: chance.of_these(&[1, 3, 9]) }),
    ]
}

/// Our session is refused, so that we make another; it ends, and somebody else gets its id.
fn heir(at: &At, _: &mut Chance) -> Plot {
    vec![(0, refused(at, 1)), (0, What::Between { ilo: at.ilo, on: On::Login, deed: Deed::ReuseOurs, times: 1 })]
}

/// Somebody looks in with our account, and our login is answered with the name of that session; the table that comes then
/// is from before it. Later our session is refused, so that we make another.
fn misnamed(at: &At, chance: &mut Chance) -> Plot {
    let client = ClientScript {
        seed: chance.next(),
        owner: String::from("SVC-ILO-REAPER"),
        origin: String::from("198.51.100.7"),
        tag: String::from("Web UI"),
        user_type: String::from("Local"),
        habit: Habit::Steady { every_s: 5 },
    };
    let meet = |on: On, fault: Fault, times: u32| What::Meet { ilo: at.ilo, on, fault, times };
    vec![
        (0, What::Client { ilo: at.ilo, client }),
        (60, refused(at, 1)),
        (60, meet(On::Login, Fault::OtherSession, 1)),
        (60, meet(On::Collection, Fault::Stale, chance.of_these(&[1, 2, 4]))),
        (chance.of_these(&[150, 600]), refused(at, 1)),
    ]
}

/// Somebody tries wrong passwords, so that our next login waits; and its answer is lost.
fn guessed(at: &At, chance: &mut Chance) -> Plot {
    let times = chance.of_these(&[2, 3, 4, 6]);
    vec![(0, What::Guess { ilo: at.ilo, times }), (0, refused(at, 1)), (0, lost(at))]
}

/// One time server tells the iLO and the host, while a client logs in again and again.
fn one_time(at: &At, chance: &mut Chance) -> Plot {
    let step_s = chance.of_these(&[3600, 3600, 600, -3600]);
    let set = What::Clock { ilo: at.ilo, offset_s: at.right_s + step_s };
    vec![(0, leaks(at, chance, 20, 25)), (100, set), (100, What::HostClock { step_s })]
}

/// Each question for one session takes so long that its answer is old.
fn slow_looks(at: &At, chance: &mut Chance) -> Plot {
    vec![(0, slow(at, On::Member, chance.of_these(&[1100, 1900, 2500]), 8))]
}

/// Many are to be ended, and each takes long: what was asked at the beginning is old at the end.
fn slow_ends(at: &At, chance: &mut Chance) -> Plot {
    let ms = at.exchange_s * 1000 - chance.of_these(&[500, 1500]);
    vec![(0, leaks(at, chance, 5, 8)), (60, slow(at, On::Delete, ms, 12))]
}

/// The host nods off again and again while somebody is looked at, too shortly for anything else to be old.
fn nods(at: &At, chance: &mut Chance) -> Plot {
    let for_s = chance.of_these(&[5, 8]);
    let deed = chance.of_these(&[Deed::Sleep { for_s }, Deed::Stand { for_s }]);
    let nod = |number: u64| (300 + 60 * number, What::Between { ilo: at.ilo, on: On::Member, deed, times: 1 });
    [(0, leaks(at, chance, 60, 15))].into_iter().chain((0..6).map(nod)).collect()
}

/// Whether firmware is on its way can't be told for a while, and there are some to be ended.
fn no_service(at: &At, chance: &mut Chance) -> Plot {
    let fault = Fault::Status { status: chance.of_these(&[404, 404, 405, 500]), retry_after_s: None };
    let on = On::Update;
    vec![(0, leaks(at, chance, 60, 15)), (300, What::Meet { ilo: at.ilo, on, fault, times: 30 })]
}

/// The clock jumps while a client logs in, so that only what is seen to stand still counts; and the second look after
/// that is told late.
fn slow_answers(at: &At, chance: &mut Chance) -> Plot {
    let ms = at.exchange_s * 1000 - chance.of_these(&[500, 1500]);
    let again = |number: u64| {
        let offset_s = at.right_s + if number.is_multiple_of(2) { 3600 } else { 0 };
        let jumps = What::Clock { ilo: at.ilo, offset_s };
        let begins = number * 500;
        [(begins, leaks(at, chance, 5, 12)), (begins, jumps), (begins + 61, slow(at, On::Collection, ms, 1))]
    };
    (0..4).flat_map(again).collect()
}

/// Not all is told of anybody, and perhaps whoever is looked at was used just before.
fn vague(at: &At, chance: &mut Chance) -> Plot {
    let used = What::Between { ilo: at.ilo, on: On::Member, deed: Deed::Use, times: 12 };
    let vague = What::Meet { ilo: at.ilo, on: On::Any, fault: Fault::Vague, times: 60 };
    let leaks = leaks(at, chance, 60, 15);
    chance.perhaps(2, |_| (0, used)).into_iter().chain([(0, leaks), (300, vague)]).collect()
}

/// For a moment the clock is ahead, while a client logs in again and again; it stops before that time has come.
fn ahead(at: &At, chance: &mut Chance) -> Plot {
    a_moment_ahead(at, 600, leaks(at, chance, 20, 25))
}

/// The same for longer than from one look that is written down to the next, and when that time has come nobody knows any
/// more that it was still to come.
fn to_come(at: &At, chance: &mut Chance) -> Plot {
    let crash = (chance.within((70, 200)), What::Crash { at: CrashAt::Now, down_s: 900 });
    a_moment_ahead(at, 900, leaks(at, chance, 30, 40)).into_iter().chain([crash]).collect()
}

fn a_moment_ahead(at: &At, by_s: i64, leaks: What) -> Plot {
    let ahead = What::Clock { ilo: at.ilo, offset_s: at.right_s + by_s };
    let right = What::Clock { ilo: at.ilo, offset_s: at.right_s };
    vec![(0, leaks), (30, ahead), (55, right)]
}

/// While nobody looks, the clock is behind, and a client logs in: it seems to have been there for long.
fn behind(at: &At, chance: &mut Chance) -> Plot {
    let back_s = chance.of_these(&[1500, 1500, 3600, 500]);
    vec![
        (0, What::Crash { at: CrashAt::Now, down_s: 90 }),
        (5, What::Clock { ilo: at.ilo, offset_s: at.right_s - back_s }),
        (10, leaks(at, chance, 10, 4)),
        (60, What::Clock { ilo: at.ilo, offset_s: at.right_s }),
    ]
}

/// While nobody looks, a clock jumps.
fn away(at: &At, chance: &mut Chance) -> Plot {
    let offset_s = chance.of_these(&[3600, -3600, 600, 86_400]);
    let jumps = What::Clock { ilo: at.ilo, offset_s };
    vec![(0, What::Crash { at: CrashAt::Now, down_s: 60 }), (30, jumps)]
}

/// Our session ends while nothing can be written, and so no other one begins for long.
fn full_disk(at: &At, chance: &mut Chance) -> Plot {
    let ends = What::Between { ilo: at.ilo, on: On::Any, deed: Deed::EndOurs, times: 1 };
    vec![(0, What::DiskFull { for_s: chance.of_these(&[600, 5000]) }), (5, ends)]
}

/// Each record takes so long that what was asked before it is old.
fn slow_disk(at: &At, chance: &mut Chance) -> Plot {
    let pace_ms = chance.of_these(&[8000, 12_000, 25_000]);
    vec![(0, leaks(at, chance, 60, 15)), (300, What::DiskSlow { pace_ms, for_s: 900 })]
}

/// Whoever is to be ended is not, with the word that means as well that our own session is dead.
fn denied(at: &At, chance: &mut Chance) -> Plot {
    let fault = Fault::Status { status: 401, retry_after_s: None };
    let denied = What::Meet { ilo: at.ilo, on: On::Delete, fault, times: 30 };
    vec![(0, leaks(at, chance, 60, 15)), (300, denied)]
}

/// A clean stop, and the end of our own session is answered with something else.
fn log_out(at: &At, chance: &mut Chance) -> Plot {
    let fault = Fault::Status { status: chance.of_these(&[401, 404, 410, 500]), retry_after_s: None };
    vec![(0, What::Meet { ilo: at.ilo, on: On::Delete, fault, times: 1 }), (1, What::Stop { down_s: 5 })]
}

/// The state is lost, and somebody pauses the daemon for a while to look why.
fn nobody_knows(_: &At, _: &mut Chance) -> Plot {
    vec![(0, What::StateLost { down_s: 1 }), (30, What::Pause { for_s: Some(60) }), (1800, What::Resume)]
}

/// The daemon starts with nothing and tries its password; before it knows, it gets another one, with a slip in it.
fn mistyped(at: &At, _: &mut Chance) -> Plot {
    let mistyped = What::Between { ilo: at.ilo, on: On::Login, deed: Deed::Mistype, times: 1 };
    vec![(0, What::StateLost { down_s: 1 }), (0, mistyped), (90, What::Resume)]
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
