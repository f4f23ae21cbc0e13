//! From a seed to a script: random fleets, policies, clocks, crowds and misfortunes.
//!
//! Every kind of chance has a stream of its own per iLO, so that another kind of fault or client changes nothing
//! about the ones that are there.

use crate::chance::Chance;
use crate::crowd::{ClientScript, Habit};
use crate::plots;
use crate::policies::{group, protect, rule};
use crate::script::{Act, ConfigScript, CrashAt, Deed, Expand, Fault, IloScript, On, Phase, Script, What};

const OWNERS: [&str; 6] = ["svc-backup", "svc-inventory", "SVC-Backup", "ansible", "alice", "bob"];
const ORIGINS: [&str; 5] = ["192.0.2.50", "192.0.2.51", "198.51.100.7", "2001:db8::5", "192.0.2.50"];

/// Draws the life of a seed. It has about so many visits.
pub(crate) fn script(seed: u64, visits: u64) -> Script {
    let mut shape = Chance::of(seed, "shape", 0);
    let count = 1 + shape.index(10);
    let every_s = shape.of_these(&[5, 10, 20, 30, 60, 60, 60, 60, 120, 300]);
    let calm_at_s = (visits * every_s / count as u64).clamp(1800, 6 * 86_400);
    let mut config = config(seed, count, every_s);
    let ilos: Vec<IloScript> = (0..count).map(|number| ilo(seed, number)).collect();
    let mut acts = Vec::new();
    for (number, ilo) in ilos.iter().enumerate() {
        clients(seed, number, calm_at_s, &mut acts);
        faults(seed, number, calm_at_s, &config, &mut acts);
        moves(seed, number, calm_at_s, &mut acts);
        // Where iLOs change their names, what is known of clocks goes with them: one confusion at a time.
        if !mixes(seed) {
            misfortunes(seed, number, calm_at_s, ilo, &mut acts);
            plots::lay(seed, number, ilo, &config, calm_at_s, &mut acts);
            plots::at_last(seed, number, &config, calm_at_s, &mut acts);
        }
    }
    host(seed, calm_at_s, &config, &mut acts);
    orders(seed, count, calm_at_s, &mut acts);
    if !mixes(seed) {
        plots::come_late(seed, calm_at_s, &ilos, &mut config, &mut acts);
    }
    acts.sort_by_key(|act| act.at_ms);
    Script { seed, ilos, config, acts, calm_at_s }
}

fn ilo(seed: u64, number: usize) -> IloScript {
    let mut chance = Chance::of(seed, "ilo", number as u64);
    let way = chance.of_these(&[(1, 5), (5, 30), (5, 30), (20, 200), (300, 900)]);
    IloScript {
        seed: chance.next(),
        limit: chance.of_these(&[6, 8, 10, 10, 13, 16]),
        timeout_min: chance.of_these(&[0, 0, 30, 30, 30, 15, 120]),
        clock_offset_s: chance.of_these(&[0, 0, 0, 3, -40, 3600, -86_400, -770_000_000, 7200]),
        date_ahead_s: Chance::of(seed, "date", number as u64)
            .perhaps(24, |chance| chance.of_these(&[3600, 600, -3600]))
            .unwrap_or(0),
        expand: chance.of_these(&[
            Expand::Does,
            Expand::Does,
            Expand::Does,
            Expand::Does,
            Expand::Does,
            Expand::Does,
            Expand::Ignores,
            Expand::Refuses,
        ]),
        wrong_password_status: chance.of_these(&[400, 401]),
        table_full_status: chance.of_these(&[503, 400, 500]),
        boot_s: chance.of_these(&[0, 30, 120]),
        way_ms: way,
        is_operator: chance.one_in(30),
        admits_late: Chance::of(seed, "late", number as u64).one_in(2),
        is_dead: Chance::of(seed, "dead rack", 0).one_in(10) && Chance::of(seed, "dead", number as u64).one_in(2),
    }
}

fn config(seed: u64, count: usize, every_s: u64) -> ConfigScript {
    let mut chance = Chance::of(seed, "config", 0);
    let groups = 1 + chance.index(3);
    let exchange_s = chance.of_these(&[5, 15, 15, 30]);
    ConfigScript {
        every_s,
        fastest_s: 5.min(every_s),
        at_once: chance.of_these(&[1, 2, 4, 16, 64]),
        exchange_s,
        visit_s: exchange_s * chance.within((2, 8)),
        per_visit: chance.of_these(&[1, 2, 5, 5, 20]),
        per_ilo_minute: chance.of_these(&[2, 12, 12, 40]),
        per_minute: chance.of_these(&[3, 200, 200, 20]),
        share_percent: chance.of_these(&[50, 50, 20, 100]),
        limit: chance.of_these(&[None, Some(10), Some(6), Some(8)]),
        near: 3,
        critical: 1,
        keeps_on_stop: chance.one_in(4),
        groups: (0..groups).map(|number| group(seed, number as u64)).collect(),
        members: (0..count).map(|_| Some(chance.index(groups))).collect(),
        places: (0..count).collect(),
    }
}

fn clients(seed: u64, ilo: usize, calm_at_s: u64, acts: &mut Vec<Act>) {
    let mut chance = Chance::of(seed, "clients", ilo as u64);
    for _ in 0..3 + chance.index(5) {
        let every_s = chance.of_these(&[20, 60, 120, 300, 600, 1800]);
        let times = u32::try_from(calm_at_s / every_s).unwrap_or(u32::MAX);
        let habit = match chance.index(8) {
            0 | 1 => Habit::Leaks { every_s, times, uses: chance.of_these(&[0, 0, 2, 9]) },
            2 => Habit::Bursts { every_s: every_s * 4, times, burst: u32::try_from(2 + chance.below(5)).expect("few") },
            3 | 4 => Habit::Steady { every_s: chance.of_these(&[5, 20, 60, 110, 170, 290, 600]) },
            5 => Habit::Tidy { every_s, work_s: chance.of_these(&[2, 20, 90]) },
            6 => Habit::Fades { first_s: chance.of_these(&[10, 60, 200]), times: 6 },
            _ => Habit::Streams { for_s: chance.of_these(&[120, 900, 4000]) },
        };
        let (tag, user_type) = chance.of_these(&[
            ("REST", "Local"),
            ("REST", "Local"),
            ("REST", "Local"),
            ("REST", "Local"),
            ("REST", "Directory"),
            ("REST", "Single Sign On"),
            ("Web UI", "Local"),
            ("SSH", "Local"),
            ("Remote Console", "Local"),
            ("IPMI/RMCP", "Local"),
            ("Host Application", "Local"),
            ("Telepathy", "Local"),
        ]);
        let client = ClientScript {
            seed: chance.next(),
            owner: match chance.index(20) {
                0 => "AMS".to_owned(),
                1 => "_HPOneViewAdmin".to_owned(),
                2 => crate::world::OURS.to_uppercase(),
                _ => chance.of_these(&OWNERS).to_owned(),
            },
            origin: match chance.index(16) {
                0 => "16.1.15.2".to_owned(),
                1 => "127.0.0.1".to_owned(),
                _ => chance.of_these(&ORIGINS).to_owned(),
            },
            tag: tag.to_owned(),
            user_type: user_type.to_owned(),
            habit,
        };
        acts.push(Act { at_ms: chance.below(calm_at_s * 500), what: What::Client { ilo, client } });
    }
}

/// What exchanges meet: one in a few dozen, and now and then many in a row.
fn faults(seed: u64, ilo: usize, calm_at_s: u64, config: &ConfigScript, acts: &mut Vec<Act>) {
    let mut chance = Chance::of(seed, "faults", ilo as u64);
    let density = chance.of_these(&[15, 40, 80, 200]);
    for _ in 0..=calm_at_s / config.every_s / density {
        let fault = fault(&mut chance, config.exchange_s);
        let on = match fault {
            Fault::CountLies | Fault::Pages | Fault::Twice | Fault::Foreign | Fault::EvilId | Fault::Dangling => {
                On::Collection
            }
            Fault::Hidden | Fault::Stale => On::Collection,
            Fault::NoToken | Fault::OddToken | Fault::OtherLocation | Fault::OtherSession => On::Login,
            Fault::NoUpdateState => On::Update,
            Fault::Vague => On::Any,
            _ => chance.of_these(&[
                On::Any,
                On::Any,
                On::Login,
                On::Collection,
                On::Member,
                On::Update,
                On::Delete,
                On::Root,
            ]),
        };
        let times = match fault {
            Fault::Vague => chance.within((5, 40)),
            _ if chance.one_in(8) => chance.within((3, 40)),
            _ => chance.within((1, 2)),
        };
        let what = What::Meet { ilo, on, fault, times: u32::try_from(times).expect("few") };
        acts.push(Act { at_ms: chance.below(calm_at_s * 1000), what });
    }
}

fn fault(chance: &mut Chance, exchange_s: u64) -> Fault {
    match chance.index(31) {
        0 => Fault::NoDns,
        1 => Fault::Refused,
        2 => Fault::NoTls,
        3 => Fault::BlackHole,
        4 => Fault::ResetBefore,
        5 | 6 => Fault::ResetAfter,
        7 | 8 => Fault::Silence,
        // Up to what the daemon allows for: an iLO that does what it was asked even later can't be told from another.
        9 => Fault::Late { ms: chance.of_these(&[500, 1500, 4000, exchange_s * 1000 + 500, exchange_s * 1000 + 3000]) },
        10 => Fault::Slow { ms: chance.of_these(&[300, 1200, 2500, 8000, 14_000, 40_000]) },
        11 | 12 => Fault::Status { status: 401, retry_after_s: None },
        13 => Fault::Status { status: chance.of_these(&[403, 404, 405, 410, 429, 500]), retry_after_s: None },
        14 => Fault::Status { status: 503, retry_after_s: chance.of_these(&[None, Some(5), Some(120), Some(100_000)]) },
        15 => Fault::StatusAfter { status: chance.of_these(&[500, 502, 503, 504]) },
        16 => Fault::Html,
        17 => Fault::Torn,
        18 => Fault::Empty,
        19 => Fault::Huge,
        20 => Fault::Redirect,
        21 => Fault::NoDate,
        22 => chance.of_these(&[Fault::NoToken, Fault::OddToken, Fault::OtherLocation, Fault::OtherSession]),
        23 => Fault::CountLies,
        24 => Fault::Pages,
        25 => chance.of_these(&[Fault::Twice, Fault::Foreign]),
        26 => Fault::EvilId,
        27 => chance.of_these(&[Fault::Dangling, Fault::Hidden]),
        28 => Fault::Vague,
        29 => chance.of_these(&[Fault::Mixed, Fault::NoUpdateState]),
        _ => Fault::Stale,
    }
}

/// Somebody comes back between two requests.
fn moves(seed: u64, ilo: usize, calm_at_s: u64, acts: &mut Vec<Act>) {
    let mut chance = Chance::of(seed, "moves", ilo as u64);
    for _ in 0..chance.index(12) {
        let deed = chance.of_these(&[
            Deed::Use,
            Deed::Use,
            Deed::Use,
            Deed::End,
            Deed::Reuse,
            Deed::Fill,
            Deed::EndOurs,
            Deed::Flash,
        ]);
        let on = match deed {
            Deed::Fill => On::Login,
            Deed::EndOurs | Deed::Flash => chance.of_these(&On::ALL),
            _ => chance.of_these(&[On::Member, On::Member, On::Update, On::Delete]),
        };
        let what = What::Between { ilo, on, deed, times: u32::try_from(chance.within((1, 4))).expect("few") };
        acts.push(Act { at_ms: chance.below(calm_at_s * 1000), what });
    }
    // Somebody on our host has our account as well.
    let mut chance = Chance::of(seed, "twins", ilo as u64);
    if chance.one_in(4) {
        let on = chance.of_these(&[On::Any, On::Collection, On::Login, On::Root]);
        let what = What::Between { ilo, on, deed: Deed::Twin, times: 1 };
        acts.push(Act { at_ms: chance.below(calm_at_s * 1000), what });
    }
    let mut chance = Chance::of(seed, "hands", ilo as u64);
    // A hand on the daemon while it is about to delete.
    if chance.one_in(4) {
        let (sleep, stand) = (Deed::Sleep { for_s: 3600 }, Deed::Stand { for_s: 3600 });
        let deed = chance.of_these(&[Deed::Observe, Deed::Protect, Deed::Stop, sleep, stand]);
        let on = chance.of_these(&[On::Member, On::Update]);
        acts.push(Act { at_ms: chance.below(calm_at_s * 1000), what: What::Between { ilo, on, deed, times: 1 } });
    }
}

fn misfortunes(seed: u64, ilo: usize, calm_at_s: u64, script: &IloScript, acts: &mut Vec<Act>) {
    let mut chance = Chance::of(seed, "misfortunes", ilo as u64);
    for _ in 0..chance.index(7) {
        let what = match chance.index(9) {
            0 | 1 => {
                let step_s = chance.of_these(&[5, 30, 100, -100, 3600, -3600, 86_400, -86_400, 770_000_000, -30]);
                What::Clock { ilo, offset_s: script.clock_offset_s + step_s }
            }
            2 | 3 => What::Reboot {
                ilo,
                boot_offset_s: chance.of_these(&[0, 0, -7200, 3600, -770_000_000]),
                set_after_s: chance.of_these(&[10, 40, 200]),
            },
            4 => What::Swapped { ilo, seed: chance.next() },
            5 => What::Flash { ilo, for_s: chance.of_these(&[60, 600]) },
            6 => What::Certificate { ilo, for_s: chance.of_these(&[60, 900]) },
            7 => What::Password { ilo, number: u32::try_from(chance.below(2)).expect("few") },
            _ => What::Timeout { ilo, minutes: chance.of_these(&[0, 15, 30]) },
        };
        acts.push(Act { at_ms: chance.below(calm_at_s * 1000), what });
    }
}

/// Whether iLOs change their names in this life.
fn mixes(seed: u64) -> bool {
    Chance::of(seed, "mixes", 0).one_in(12)
}

/// What happens to the daemon and its host.
fn host(seed: u64, calm_at_s: u64, config: &ConfigScript, acts: &mut Vec<Act>) {
    let mut chance = Chance::of(seed, "host", 0);
    for _ in 0..2 + chance.index(12) {
        let down_s = chance.of_these(&[1, 5, 90, 1200]);
        let what = match chance.index(16) {
            0..=3 => What::Crash { at: crash(&mut chance), down_s },
            4 => What::Crash { at: CrashAt::Now, down_s },
            5 | 6 => What::Stop { down_s },
            7..=11 => What::Reload { config: Box::new(altered(config, &mut chance, mixes(seed))) },
            12 if mixes(seed) => What::Stop { down_s },
            12 => What::HostClock { step_s: chance.of_these(&[-3600, 5, 100, 86_400, -86_400]) },
            13 if chance.one_in(3) => What::Stand { for_s: chance.of_these(&[10, 30, 3600]) },
            13 => What::Suspend { for_s: chance.of_these(&[30, 3600, 86_400]) },
            14 => What::DiskFull { for_s: chance.of_these(&[10, 600]) },
            _ if chance.one_in(4) => What::StateLost { down_s },
            _ => What::DiskSlow { pace_ms: chance.of_these(&[50, 900, 2500, 6000]), for_s: 600 },
        };
        acts.push(Act { at_ms: chance.below(calm_at_s * 1000), what });
    }
}

/// What people order by hand, in one life of four.
fn orders(seed: u64, count: usize, calm_at_s: u64, acts: &mut Vec<Act>) {
    let mut chance = Chance::of(seed, "orders", 0);
    if !chance.one_in(4) {
        return;
    }
    for _ in 0..2 + chance.index(6) {
        let at_ms = chance.below(calm_at_s * 1000);
        let for_s = chance.of_these(&[None, None, Some(60), Some(1800)]);
        let owner = chance.of_these(&OWNERS).to_owned();
        let ilo = chance.of_these(&[None, Some(chance.clone().index(count))]);
        let on = chance.of_these(&[On::Member, On::Member, On::Update, On::Delete]);
        let (what, end) = match chance.index(5) {
            0 => (What::Pause { for_s }, What::Resume),
            1 => (What::Between { ilo: chance.index(count), on, deed: Deed::Pause, times: 1 }, What::Resume),
            2 => (What::ShieldOne { ilo: chance.index(count) }, What::Unshield),
            3 => (What::Sweep { ilo: chance.index(count), ends: chance.one_in(2) }, What::BadReload),
            _ => (What::Shield { owner, ilo, for_s }, What::Unshield),
        };
        let later_ms = chance.of_these(&[1, 5_000, 600_000, 7_200_000]);
        // It outlives whatever comes of the daemon.
        if chance.one_in(2) {
            acts.push(Act { at_ms: at_ms + 3000, what: What::Crash { at: CrashAt::Now, down_s: 5 } });
        }
        acts.push(Act { at_ms, what });
        acts.push(Act { at_ms: at_ms + later_ms, what: end });
    }
}

fn crash(chance: &mut Chance) -> CrashAt {
    let on = chance.of_these(&[On::Any, On::Login, On::Login, On::Collection, On::Member, On::Delete, On::Delete]);
    match chance.index(5) {
        0 => CrashAt::Exchange(on, Phase::Unsent),
        1 => CrashAt::Exchange(on, Phase::Sent),
        2 => CrashAt::Exchange(on, Phase::Done),
        half => CrashAt::Commit { number: u32::try_from(1 + chance.below(12)).expect("few"), is_after: half == 3 },
    }
}

/// The configuration, changed in one or two ways.
fn altered(config: &ConfigScript, chance: &mut Chance, mixes: bool) -> ConfigScript {
    let mut config = config.clone();
    for _ in 0..=chance.index(2) {
        let group = chance.index(config.groups.len());
        let member = chance.index(config.members.len());
        match chance.index(10) {
            9 => config.groups[group].account ^= 1,
            0 => config.groups[group].enforces ^= true,
            1 => config.groups[group].protect.push(protect(chance)),
            2 => config.groups[group].reap = (0..=chance.index(2)).map(|_| rule(chance)).collect(),
            3 => config.members[member] = None,
            4 => config.groups[group].password ^= 1,
            5 => config.groups[group].is_pinned ^= true,
            6 => (config.per_visit, config.per_ilo_minute) = (1, 1),
            7 if mixes => {
                let other = chance.index(config.places.len());
                config.places.swap(member, other);
            }
            _ => config.keeps_on_stop ^= true,
        }
    }
    config
}
