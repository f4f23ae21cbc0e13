//! The crowd: who does what and when, from a seed alone, and the hands that do it.
//!
//! The plan is PURE: the same seed and number give the same acts, so that an iLO of one half and its twin in
//! the other meet the same crowd. Clients act straight on the simulated iLO, by its door for requests and each
//! from an address of its own; only the daemon comes over the wire.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use ilo_sim::{Effect, Ilo, Logged, Moment, SessionId, SessionSpec};
use serde_json::json;

use super::PASSWORD;
use super::score::Score;

const SESSIONS: &str = "/redfish/v1/SessionService/Sessions/";
const SOMETHING_TO_READ: &str = "/redfish/v1/SessionService/";
const X_AUTH_TOKEN: &str = "x-auth-token";

/// A client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    /// Logs in, reads, logs out: as it should be.
    Tidy,
    /// Logs in often and forgets its token at once.
    Forgetful,
    /// Logs in, reads twice and forgets its token.
    Backup,
    /// Logs in five times within a second, and forgets them all.
    Burst,
    /// A person on the web page.
    Person,
    /// Keeps its one session warm for ever.
    Exporter,
    /// Works, pauses for long, and comes back with the same token.
    Job,
}

impl Who {
    pub(super) const ALL: [Self; 7] =
        [Self::Tidy, Self::Forgetful, Self::Backup, Self::Burst, Self::Person, Self::Exporter, Self::Job];

    pub(super) const fn account(self) -> &'static str {
        match self {
            Self::Tidy => "svc-inventory",
            Self::Forgetful => "svc-ansible",
            Self::Backup => "svc-backup",
            Self::Burst => "svc-deploy",
            Self::Person => "alice",
            Self::Exporter => "svc-metrics",
            Self::Job => "svc-firmware",
        }
    }

    /// Its address, of a documentation range.
    const fn address(self) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(192, 0, 2, 101 + self as u8))
    }
}

/// What a client does. It holds at most one token; one that it holds it will use again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    LogIn,
    Read,
    LogOut,
    Forget,
}

/// One act of one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Act {
    pub(super) at: Duration,
    pub(super) who: Who,
    pub(super) what: What,
}

/// A splitmix64 generator: the same seed gives the same crowd everywhere.
struct Chance(u64);

impl Chance {
    /// Some milliseconds of a range.
    fn between(&mut self, least: u64, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        least + (z ^ (z >> 31)) % (most - least + 1)
    }
}

/// What the crowd does on the iLOs of this number, in order.
pub(super) fn plan(seed: u64, number: u8, length: Duration) -> Vec<Act> {
    let mut chance = Chance(seed.wrapping_mul(1000).wrapping_add(u64::from(number)));
    let end = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
    let mut acts = Vec::new();
    for who in Who::ALL {
        plan_of(who, &mut chance, end, &mut acts);
    }
    acts.retain(|act| act.at < length);
    // Stable: what one client does in one moment stays in its order.
    acts.sort_by_key(|act| act.at);
    acts
}

/// What one client does until `end`. Times are milliseconds.
fn plan_of(who: Who, chance: &mut Chance, end: u64, acts: &mut Vec<Act>) {
    let mut act = |at, what| acts.push(Act { at: Duration::from_millis(at), who, what });
    let mut now = match who {
        Who::Person | Who::Exporter | Who::Job => chance.between(0, 800),
        Who::Burst => chance.between(5_000, 12_000),
        Who::Tidy | Who::Forgetful | Who::Backup => chance.between(200, 3_000),
    };
    // Who keeps one session for ever logs in once.
    if matches!(who, Who::Person | Who::Exporter | Who::Job) {
        act(now, What::LogIn);
    }
    while now < end {
        match who {
            Who::Tidy => {
                act(now, What::LogIn);
                (1..=4).for_each(|read| act(now + read * 400, What::Read));
                act(now + 2_000, What::LogOut);
                now += chance.between(5_000, 7_000);
            }
            Who::Forgetful => {
                act(now, What::LogIn);
                act(now, What::Forget);
                now += chance.between(1_400, 1_700);
            }
            Who::Backup => {
                act(now, What::LogIn);
                act(now + 150, What::Read);
                act(now + 300, What::Read);
                act(now + 300, What::Forget);
                now += chance.between(3_600, 4_400);
            }
            Who::Burst => {
                for login in 0..5 {
                    act(now + login * 150, What::LogIn);
                    act(now + login * 150, What::Forget);
                }
                now += chance.between(18_000, 22_000);
            }
            Who::Person => {
                act(now, What::Read);
                now += chance.between(2_000, 4_000);
            }
            Who::Exporter => {
                act(now, What::Read);
                now += 1_000;
            }
            Who::Job => {
                (0..=6).for_each(|read| act(now + read * 500, What::Read));
                now += 3_000 + chance.between(12_000, 15_000);
            }
        }
    }
}

/// A session that its owner still holds.
struct Held {
    id: SessionId,
    token: String,
}

/// The clients, and the tokens that they hold on each table.
#[derive(Default)]
pub(super) struct Crowd {
    held: BTreeMap<(usize, Who), Held>,
}

impl Crowd {
    /// Carries out one act on one table.
    pub(super) fn act(
        &mut self,
        table: usize,
        ilo: &Mutex<Ilo>,
        score: &Arc<Mutex<Score>>,
        act: Act,
        now: Moment,
        since: Duration,
    ) {
        let key = (table, act.who);
        // The order of locks is that of the fronts, which call the score while they hold the iLO.
        let mut ilo = ilo.lock().unwrap_or_else(PoisonError::into_inner);
        match act.what {
            What::LogIn => {
                if let Some(held) = log_in(&mut ilo, act.who, now) {
                    lock(score).holds(table, held.id.clone());
                    self.held.insert(key, held);
                }
            }
            What::Read => {
                if let Some(held) = self.held.get(&key) {
                    ask(&mut ilo, act.who, now, Method::GET, SOMETHING_TO_READ, Some(&held.token), Bytes::new());
                }
            }
            What::LogOut => {
                if let Some(held) = self.held.remove(&key) {
                    lock(score).lets_go(table, &held.id);
                    ilo.end(&held.id);
                }
            }
            What::Forget => {
                if let Some(held) = self.held.remove(&key) {
                    lock(score).lets_go(table, &held.id);
                }
            }
        }
        for logged in ilo.take_log() {
            lock(score).note(table, &logged, since);
        }
    }
}

fn lock(score: &Mutex<Score>) -> std::sync::MutexGuard<'_, Score> {
    score.lock().unwrap_or_else(PoisonError::into_inner)
}

fn log_in(ilo: &mut Ilo, who: Who, now: Moment) -> Option<Held> {
    // Browsers log in by another door than Redfish clients, which the simulator does not have.
    if who == Who::Person {
        let id = ilo.admit(now, SessionSpec::web(who.account(), who.address()));
        let token = ilo.session(&id, now)?.token.clone()?;
        return Some(Held { id, token });
    }
    let body = json!({ "UserName": who.account(), "Password": PASSWORD }).to_string();
    let headers = ask(ilo, who, now, Method::POST, SESSIONS, None, Bytes::from(body));
    let Some(Logged { effect: Some(Effect::LoggedIn { id }), .. }) = ilo.log().last() else { return None };
    Some(Held { id: id.clone(), token: headers.get(X_AUTH_TOKEN)?.to_str().ok()?.to_owned() })
}

/// One request of a client, and the headers of its answer.
fn ask(
    ilo: &mut Ilo,
    who: Who,
    now: Moment,
    method: Method,
    path: &str,
    token: Option<&str>,
    body: Bytes,
) -> HeaderMap {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header(X_AUTH_TOKEN, token);
    }
    // Built of constants and of what the simulator made: it can only be a request.
    let Ok(request) = request.body(body) else { return HeaderMap::new() };
    ilo.handle(now, who.address(), &request).response.into_parts().0.headers
}

#[cfg(test)]
mod tests {
    use super::*;
    use ilo_sim::{Account, Spec};

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn the_same_seed_is_the_same_crowd_and_another_is_another() {
        assert_eq!(plan(1, 0, MINUTE), plan(1, 0, MINUTE));
        assert_ne!(plan(1, 0, MINUTE), plan(2, 0, MINUTE));
        assert_ne!(plan(1, 0, MINUTE), plan(1, 1, MINUTE));
    }

    #[test]
    fn everybody_comes_in_time_and_in_order() {
        for seed in 1..=20 {
            let acts = plan(seed, 0, MINUTE);
            assert!(acts.is_sorted_by_key(|act| act.at) && acts.iter().all(|act| act.at < MINUTE));
            for who in Who::ALL {
                let of_this = || acts.iter().filter(move |act| act.who == who);
                assert!(of_this().next().is_some_and(|first| first.what == What::LogIn), "{who:?}");
                let logins = of_this().filter(|act| act.what == What::LogIn).count();
                let is_kept = matches!(who, Who::Person | Who::Exporter | Who::Job);
                assert!(if is_kept { logins == 1 } else { logins > 5 }, "{who:?}: {logins}");
            }
        }
    }

    #[test]
    fn both_halves_see_the_same_crowd() {
        let ilo = || {
            let accounts = Who::ALL.map(|who| Account::administrator(who.account(), PASSWORD)).to_vec();
            Mutex::new(Ilo::new(Spec { accounts, limit: 16, session_timeout_min: 0, ..Spec::new("ilo") }))
        };
        let (guarded, bare, score) = (ilo(), ilo(), Arc::new(Mutex::new(Score::new(1))));
        let mut crowd = Crowd::default();
        for act in plan(1, 0, MINUTE) {
            let now = Moment::from_secs(1_750_709_294 + act.at.as_secs());
            crowd.act(0, &guarded, &score, act, now, act.at);
            crowd.act(1, &bare, &score, act, now, act.at);
        }
        // Where no daemon makes a difference there is none, and everybody but the leakers logs out or stays.
        let now = Moment::from_secs(1_750_709_294 + 60);
        let who = |ilo: &Mutex<Ilo>| {
            let ilo = ilo.lock().unwrap();
            ilo.sessions(now).map(|session| (session.owner.clone(), session.origin, session.access)).collect::<Vec<_>>()
        };
        assert_eq!(who(&guarded), who(&bare));
        assert_eq!(who(&bare).len(), 16);
        let score = score.lock().unwrap();
        let (guarded, bare) = score.halves();
        assert_eq!(guarded, bare);
        assert!(bare.lock_outs > 0);
    }
}
