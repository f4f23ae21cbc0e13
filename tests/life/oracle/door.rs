//! Our own sessions: who logs in when, with which password, and what the state knows of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use ilo_reaper::state::{Memory, Span};
use ilo_sim::{Moment, Session, SessionId};

use super::Oracle;
use super::book::{Book, LostLogin, Ours};
use crate::script::{ConfigScript, host};
use crate::world::{ACCOUNTS, Site};

/// More of ours than this must never be in a table, whatever goes wrong.
const OURS_MAX: usize = 6;
/// A rejected password is not tried again on that iLO before this, and twice as long each time.
const WAIT: Duration = Duration::from_secs(600);
const WAIT_MAX: Duration = Duration::from_secs(12 * 3600);
/// A visit that fails late tells late: from the rejection to the loop's knowing.
const GRACE: Duration = Duration::from_secs(1);

/// What is known of passwords in one life of the daemon.
#[derive(Default)]
pub(super) struct Passwords {
    groups: BTreeMap<usize, Group>,
    /// Which group and name in the configuration each login under way is of.
    trying: BTreeMap<usize, (usize, usize)>,
}

/// One password, in one group.
#[derive(Default)]
struct Group {
    works: bool,
    known_by: BTreeSet<usize>,
    /// How often, and when last, each iLO rejected it.
    rejected: BTreeMap<usize, (u32, Moment)>,
    /// Rejections in a row by iLOs that should know it.
    telling: Vec<(Moment, usize)>,
    /// No login before that.
    suspended: Option<(Moment, Moment)>,
    /// When it was accepted again after that: from then on the others are visited, each in its turn.
    resumed_at: Option<Moment>,
}

impl Passwords {
    /// Another password is another beginning, and so is one that nobody had for a while.
    pub(super) fn changed(&mut self, before: &ConfigScript, after: &ConfigScript) {
        for number in 0..before.groups.len().max(after.groups.len()) {
            let password = |config: &ConfigScript| {
                let is_used = config.members.contains(&Some(number));
                config.groups.get(number).filter(|_| is_used).map(|group| (group.password, group.account))
            };
            if password(before) != password(after) {
                self.groups.remove(&number);
                // What becomes of a login under way says nothing about the new one.
                self.trying.retain(|_, (group, _)| *group != number);
            }
        }
    }

    pub(super) fn answered(&mut self, ilo: usize) {
        self.trying.remove(&ilo);
    }
}

impl Book {
    /// Whose token it is; `None` where this iLO never gave it to us.
    pub(super) fn owner_of(&self, token: &[u8]) -> Option<SessionId> {
        let owns = |ours: &Ours| ours.token.as_ref().is_some_and(|own| own.as_bytes() == token);
        self.ours.iter().find(|(_, ours)| owns(ours)).map(|(id, _)| id.clone())
    }

    /// Whether a session of ours is asked for under the name that its login gave it.
    pub(super) fn is_door(&self, ours: &SessionId, asked: &SessionId) -> bool {
        ours == asked || self.ours.get(ours).is_some_and(|ours| ours.misnamed.as_deref() == Some(asked.as_str()))
    }

    /// The state has these logins when somebody is asked who is on. Where that is asked twice, it is one visit still.
    pub(super) fn knows_intents(&mut self, now: Vec<(i64, i64)>, is_first: bool) {
        if is_first {
            self.intents.clear();
        }
        self.intents.extend(std::mem::replace(&mut self.intents_since, now));
    }

    /// Logins that nobody knows the end of can't be proven to be ours any more.
    pub(super) fn lose_proofs(&mut self) {
        let is_open = |ours: &&mut Ours| ours.is_excused || ours.is_named_once;
        self.ours.values_mut().filter(is_open).for_each(|ours| ours.is_unprovable = true);
    }

    pub(super) fn excuse_all(&mut self) {
        for ours in self.ours.values_mut() {
            ours.is_excused = true;
            // A login that was answered explains nobody but whom its token shows, and that is lost now.
            ours.is_unprovable |= ours.misnamed.is_some();
        }
    }
}

impl Oracle {
    /// A login leaves the host.
    pub(super) fn logs_in(&mut self, now: Moment, number: usize, site: &Site, body: &Bytes) {
        self.counts.logins += 1;
        let shown_s = site.ilo.clock(now).epoch_s() + site.script.date_ahead_s;
        let was_set = self.books[number].clock_set.is_some_and(|set| now.since(set) < Duration::from_secs(120));
        if !was_set && !self.records.intends(&host(number), shown_s) {
            self.breaks("rule 2", format!("a login to ilo-{number:02} that the state knows nothing of"));
        }
        let current = self.now_in_force();
        let name = current.config.places.iter().position(|place| *place == number);
        let Some((group, name)) = name.and_then(|name| Some((current.config.members[name]?, name))) else { return };
        self.books[number].logins_since += 1;
        self.books[number].logs_in = true;
        let asked = self.books[number].asked_root_at;
        self.books[number].lost_logins.push(LostLogin { sent: now, asked, waits: site.ilo.login_delay() });
        self.books[number].unsent_login = None;
        // A visit that began before a reload still tries the password of before: that says nothing about this one.
        let group_now = &self.now_in_force().config.groups[group];
        let (password, account) = (crate::config::password(group_now.password), ACCOUNTS[group_now.account]);
        let body = String::from_utf8_lossy(body);
        if body.contains(&format!("\"{password}\"")) && body.contains(&format!("\"{account}\"")) {
            if let Some(what) = self.passwords.objection(now, group, name) {
                self.breaks("I9", format!("a login to ilo-{number:02}: {what}"));
            }
            self.passwords.trying.insert(number, (group, name));
        }
    }

    /// A login made a session.
    pub(super) fn logged_in(&mut self, now: Moment, number: usize, site: &Site, id: &SessionId) {
        let (sent, asked) = self.books[number].lost_logins.pop().map(|login| (login.sent, login.asked)).unzip();
        let token = site.ilo.session(id, now).and_then(|session| session.token.clone());
        // Until we are told.
        // A clock that was set between our question for its time and the login takes the proof away.
        let book = &self.books[number];
        let unseen = |set: Moment| book.told_at.is_none_or(|told_at| told_at < set);
        // Whoever guessed passwords since we asked how long a login waits makes it wait for longer.
        let is_held_up = book.guessed_at.is_some_and(|at| asked.flatten().is_none_or(|asked| asked <= at));
        let is_in_doubt = is_held_up
            || book.clock_set.is_some_and(|set| unseen(set) || now.since(set) < Duration::from_secs(120))
            || book.host_set.is_some() && book.is_new
            || self.slept_at.is_some_and(|slept_at| now.since(slept_at) < Duration::from_secs(30))
            // An iLO that makes it wait is asleep with the host here.
            || sent.is_some_and(|sent| self.slept_at.is_some_and(|slept_at| slept_at >= sent));
        let ours = Ours {
            login: now,
            token,
            is_excused: true,
            is_unprovable: is_in_doubt,
            misnamed: None,
            is_named_once: false,
            hidden_since: None,
        };
        self.books[number].ours.insert(id.clone(), ours);
        let alive: Vec<&Ours> = self.ours_alive(now, number, site).map(|(ours, _)| ours).collect();
        let (all, excused) = (alive.len(), alive.iter().filter(|ours| ours.is_excused).count());
        let provable = alive.iter().filter(|ours| !ours.is_unprovable).count();
        if all > excused + 1 || provable > OURS_MAX && !self.is_mixed_up() {
            self.breaks("I7", format!("{all} sessions of ours on ilo-{number:02}, of which {excused} may be lost"));
        }
    }

    /// Before a log-out it may look whether that session is ours. If that is not answered, nobody knows.
    pub(super) fn looks_at_door(&mut self, now: Moment, number: usize, site: &Site, id: &SessionId) {
        let current = self.now_in_force();
        let is_needed = site.ilo.session(id, now).is_some_and(|session| current.is_of_our_account(number, session));
        if is_needed && !current.stops {
            return;
        }
        let book = &mut self.books[number];
        if let Some(ours) = book.ours.get_mut(id).filter(|ours| !ours.is_excused) {
            (ours.is_excused, book.looked_at) = (true, Some(id.clone()));
        }
    }

    pub(super) fn ours_alive<'a>(
        &'a self,
        now: Moment,
        number: usize,
        site: &'a Site,
    ) -> impl Iterator<Item = (&'a Ours, &'a Session)> {
        self.books[number].ours.iter().filter_map(move |(id, ours)| {
            let session = site.ilo.session(id, now).filter(|session| session.login == ours.login)?;
            Some((ours, session))
        })
    }

    /// The daemon is told what became of its login.
    pub(super) fn told_of_login(&mut self, now: Moment, number: usize, site: &Site, response: &Response<Bytes>) {
        // What ends in the middle tells nothing.
        let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap_or_default();
        let body = body.to_string();
        let is_full = body.contains("SessionLimitExceeded");
        if is_full || response.status().is_client_error() {
            let book = &mut self.books[number];
            book.refused_logins.extend(book.lost_logins.pop());
        }
        let group = self.passwords.trying.get(&number).copied();
        let token = response.headers().get("x-auth-token").and_then(|token| token.to_str().ok());
        if response.status() == 201 && token.is_some_and(|token| !token.contains(' ')) {
            let book = &mut self.books[number];
            // Where it names another one, that is no answer.
            let location = response.headers().get(http::header::LOCATION).and_then(|location| location.to_str().ok());
            let named = location.and_then(|location| location.trim_end_matches('/').rsplit('/').next());
            for (id, ours) in book.ours.iter_mut().filter(|(_, ours)| ours.token.as_deref() == token) {
                ours.misnamed = (named != Some(id.as_str())).then(|| named.unwrap_or_default().to_owned());
                ours.is_excused &= ours.misnamed.is_some();
                ours.is_named_once = ours.misnamed.is_some() || !body.contains(id.as_str());
            }
            let held: Vec<SessionId> = self
                .ours_alive(now, number, site)
                .filter(|(ours, _)| !ours.is_excused)
                .map(|(_, session)| session.id.clone())
                .collect();
            if held.len() > 1 {
                self.breaks("I7", format!("we hold {held:?} on ilo-{number:02}"));
            }
            if let Some((group, name)) = group {
                self.passwords.accepted(now, group, name);
            }
        } else if is_full {
            self.books[number].refused_full = Some(now);
        } else if (body.contains("UnauthorizedLoginAttempt") || matches!(response.status().as_u16(), 400 | 401 | 403))
            && let Some((group, name)) = group
        {
            // Firmware is not agreed on the status of a wrong password, and not every refusal has words.
            self.passwords.rejected(now, group, name);
        }
    }

    /// Everything of ours that is in a table must be known to the state: held, or lost and provable.
    pub(super) fn nothing_leaks(&mut self, now: Moment, number: usize, site: &Site, memories: &[Memory]) {
        let unknown = self.ours_alive(now, number, site).find(|(ours, session)| {
            !ours.is_unprovable
                && !memories.iter().any(|memory| knows(memory, &host(number), session, site.script.date_ahead_s))
        });
        if let Some(id) = unknown.map(|(_, session)| session.id.clone()) {
            self.breaks("rule 2", format!("{id} of ours is on ilo-{number:02}, and the state knows nothing of it"));
        }
    }
}

/// Whether what is remembered tells that a session is ours.
fn knows(memory: &Memory, host: &str, session: &Session, date_ahead_s: i64) -> bool {
    let (id, shown_s) = (session.id.as_str(), session.login_shown.epoch_s() + date_ahead_s);
    memory.held.as_ref().is_some_and(|held| {
        let is_made_by = |span: &Span| span.from.unix_s() <= shown_s && shown_s <= span.to.unix_s();
        held.session.to_string() == id
            || held.authority.host == host && held.named_once.as_ref().is_some_and(is_made_by)
    }) || memory.former.iter().any(|former| former.session.to_string() == id)
        || memory.intents.iter().any(|intent| {
            intent.authority.host == host && intent.from.unix_s() <= shown_s && shown_s <= intent.to.unix_s()
        })
}

impl Passwords {
    /// What speaks against a login now.
    fn objection(&self, now: Moment, number: usize, ilo: usize) -> Option<String> {
        let Some(group) = self.groups.get(&number) else {
            return self
                .is_tried_elsewhere(number, ilo)
                .then(|| String::from("nobody accepted it, and another one tries"));
        };
        if let Some((times, at)) = group.rejected.get(&ilo)
            && now.since(*at) + GRACE < wait(*times)
        {
            return Some(format!("it rejected this password {} s ago, {times} times", now.since(*at).as_secs()));
        }
        if let Some((since, until)) = group.suspended
            && now < until
            && now.since(since) > Duration::from_secs(120)
        {
            return Some(String::from("three iLOs that knew this password rejected it"));
        }
        (!group.works && self.is_tried_elsewhere(number, ilo))
            .then(|| String::from("nobody accepted it, and another one tries"))
    }

    /// Whether a password may rest for longer than a calm lasts.
    pub(super) fn may_wait(&self, now: Moment, number: usize, ilo: usize, turn: Duration) -> bool {
        let is_soon = |at: Moment| now.since(at) < turn;
        self.groups.get(&number).is_some_and(|group| {
            group.suspended.is_some() || group.rejected.contains_key(&ilo) || group.resumed_at.is_some_and(is_soon)
        })
    }

    fn is_tried_elsewhere(&self, number: usize, ilo: usize) -> bool {
        self.trying.values().any(|(group, name)| *name != ilo && *group == number)
    }

    fn accepted(&mut self, now: Moment, number: usize, ilo: usize) {
        let group = self.groups.entry(number).or_default();
        group.resumed_at = group.suspended.map(|_| now).or(group.resumed_at);
        group.works = true;
        group.known_by.insert(ilo);
        group.rejected.remove(&ilo);
        group.telling.clear();
        group.suspended = None;
    }

    fn rejected(&mut self, now: Moment, number: usize, ilo: usize) {
        let group = self.groups.entry(number).or_default();
        let times = group.rejected.get(&ilo).map_or(0, |(times, _)| *times) + 1;
        group.rejected.insert(ilo, (times, now));
        if group.known_by.is_empty() || group.known_by.contains(&ilo) {
            group.telling.retain(|(at, by)| now.since(*at) < WAIT && *by != ilo);
            group.telling.push((now, ilo));
        }
        if group.telling.len() >= 3 {
            group.works = false;
            group.telling.clear();
            group.suspended = Some((now, now + WAIT - GRACE));
        }
    }
}

fn wait(times: u32) -> Duration {
    WAIT.saturating_mul(1 << times.saturating_sub(1).min(10)).min(WAIT_MAX)
}
