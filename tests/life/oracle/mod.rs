//! The second opinion: independent of the daemon's code, it judges each of its requests by what is true.
//!
//! It reads the requests on the wire, the commits of the state, and the simulator's own tables, and it knows the
//! script's configurations. What the daemon believes it never asks.
//!
//! | module | what it judges |
//! | --- | --- |
//! | `end` | a DELETE of somebody's session: everything that must be true when it is sent |
//! | `history` | what is in force, and was lately |
//! | `book`, `seen` | what is kept about one iLO, and about its sessions over several visits |
//! | `truth` | whether a policy lets a session go, by true times |
//! | `door` | our own sessions: logins, passwords, strays, what the state knows |
//! | `record` | records and events: each deletion exactly once |
//! | `orders` | what people ordered by hand, once they were answered |
//! | `calm` | when nothing goes wrong any more: whether everything was put right |

mod book;
mod calm;
mod door;
mod end;
mod history;
mod orders;
mod path;
mod record;
mod seen;
mod truth;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use ilo_sim::{Effect, Moment, Session, SessionId};

pub(crate) use book::Picture;
use book::{Book, Look, Ours};
pub(crate) use calm::Calm;
use door::Passwords;
use history::InForce;
use orders::Orders;
use path::told_path;
use record::Records;

use crate::script::{ConfigScript, On, Script, host};
use crate::world::Site;

/// A clean stop that takes so long may leave something undone.
const STOP_AT_LEAST: Duration = Duration::from_secs(30);

/// An iLO that asks for more rest than that gets no more.
const RETRY_AFTER_MAX_S: u64 = 600;

/// A step of a clock that two readings in whole seconds, and the way of an answer, do not tell.
const UNTOLD_S: i64 = 5;

/// A rule that was broken.
#[derive(Clone, Debug)]
pub(crate) struct Broken {
    /// Which one, by its name in DESIGN and the fault matrix.
    pub(crate) rule: &'static str,
    pub(crate) what: String,
}

/// What a request truly came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Truth {
    pub(crate) effect: Option<Effect>,
    /// Who was on, where that was asked and told.
    pub(crate) picture: Option<Picture>,
    /// The session that was asked for, where it was told.
    pub(crate) look: Option<Session>,
    /// Fields that spare are missing from what was told.
    pub(crate) is_vague: bool,
    /// What was told is as old as the last answer.
    pub(crate) is_stale: bool,
    /// The update service told that it is flashed, or nothing that says that it rests.
    pub(crate) is_flashing: bool,
}

/// What is counted, for the report.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) visits: u64,
    pub(crate) requests: u64,
    pub(crate) ended: u64,
    /// Used between our last look and the arrival of our DELETE, which nobody can prevent.
    pub(crate) raced: u64,
    pub(crate) logins: u64,
    pub(crate) lives: u64,
    /// iLOs that the end of a life could not judge, since the daemon may leave them alone for longer.
    pub(crate) excused: u64,
}

/// The oracle.
pub(crate) struct Oracle {
    books: Vec<Book>,
    history: Vec<InForce>,
    passwords: Passwords,
    records: Records,
    orders: Orders,
    /// Every DELETE of others in the last minute.
    ended: Vec<(Moment, usize)>,
    life: u64,
    /// When something last changed that excuses a disorder: a reload, a start.
    unsettled: Moment,
    slept_at: Option<Moment>,
    host_ahead_s: i64,
    pub(crate) counts: Counts,
    pub(crate) broken: Option<Broken>,
}

impl Oracle {
    pub(crate) fn new(script: &Script) -> Self {
        Self {
            books: script.ilos.iter().map(|_| Book::default()).collect(),
            history: Vec::new(),
            passwords: Passwords::default(),
            records: Records::default(),
            orders: Orders::default(),
            ended: Vec::new(),
            life: 0,
            unsettled: Moment(0),
            slept_at: None,
            host_ahead_s: 0,
            counts: Counts::default(),
            broken: None,
        }
    }

    /// The first rule that is broken is the one that counts.
    pub(crate) fn breaks(&mut self, rule: &'static str, what: String) {
        self.broken.get_or_insert(Broken { rule, what });
    }

    /// The daemon starts.
    pub(crate) fn born(&mut self, now: Moment, life: u64, config: &ConfigScript, observes: bool) {
        self.counts.lives += 1;
        self.life = life;
        self.forgets_what_was_not_written(now);
        for (number, book) in self.books.iter_mut().enumerate() {
            book.forget();
            // What the state does not hold was lost by the life before.
            let held = self.records.held_at(&host(number));
            let is_lost = |id: &SessionId| !held.iter().any(|held| held == id.as_str());
            book.ours.iter_mut().for_each(|(id, ours)| ours.is_excused |= is_lost(id));
            let is_in_order = std::mem::take(&mut book.was_left_in_order);
            book.looked_before = self.records.last_look(&host(number)).filter(|_| !is_in_order);
        }
        for number in 0..self.books.len() {
            let open = self.records.intents_at(&host(number)).len();
            self.books[number].unsent_logins = open.saturating_sub(self.truly_lost(number));
        }
        self.passwords = Passwords::default();
        self.records.forget_events();
        self.ends_sweeps();
        self.in_force(now, config, observes);
        self.books.iter_mut().for_each(|book| book.has_left = false);
        // By a clock that was set since, nobody can tell whether a deletion is a minute old.
        let set = self.books.iter().filter_map(|book| book.host_set).max();
        self.ended.retain(|(at, _)| set.is_none_or(|set| *at > set));
    }

    /// A clean stop is over, and had time for everything: none of ours is left that nobody tried to end.
    pub(crate) fn has_stopped(&mut self, now: Moment, sites: &[Site]) {
        let current = self.now_in_force();
        if now.since(current.since) >= STOP_AT_LEAST || self.is_mixed_up() {
            return;
        }
        let keeps = current.config.keeps_on_stop;
        let members = Arc::clone(&current.config);
        for (number, site) in sites.iter().enumerate().filter(|(number, _)| members.members[*number].is_some()) {
            let is_left = |(ours, _): &(&Ours, &Session)| !ours.is_excused;
            self.leaves_in_order(number);
            let left = self.ours_alive(now, number, site).find(is_left).map(|(_, session)| session.id.clone());
            if let Some(id) = left.filter(|_| !keeps) {
                self.breaks("rule 2", format!("{id} of ours is left on ilo-{number:02} after a clean stop"));
            }
        }
    }

    /// A session is used just before a request about it arrives.
    pub(crate) fn came_back(&mut self, number: usize, id: &SessionId) {
        if let Some(ending) = self.books[number].ending.as_mut().filter(|ending| ending.0 == *id) {
            ending.2 = true;
        }
    }

    /// An iLO's clock is set, or the iLO replaced: a login that nobody knows the end of can't be proven any more.
    pub(crate) fn clock_set(&mut self, now: Moment, number: usize, step_s: i64) {
        let is_known = if self.is_mixed_up() {
            self.records.knows_clock(&host(number))
        } else {
            self.books[number].is_clock_written
        };
        let book = &mut self.books[number];
        book.clock_set = Some(now);
        book.drift_s += if step_s.abs() <= UNTOLD_S { step_s.unsigned_abs() } else { 0 };
        book.blind_until = if is_known { book.blind_until } else { Some(now) };
        book.lose_proofs();
    }

    /// What the state knew is gone.
    pub(crate) fn state_lost(&mut self) {
        self.records.forget_memories();
        self.orders.forget();
        for book in &mut self.books {
            book.ours.values_mut().for_each(|ours| (ours.is_excused, ours.is_unprovable) = (true, true));
            (book.is_clock_told, book.is_clock_written) = (false, false);
            book.forgets_who_was_on();
        }
    }

    /// Somebody tried wrong passwords.
    pub(crate) fn guessed(&mut self, now: Moment, number: usize) {
        self.books[number].guessed_at = Some(now);
    }

    /// The host slept: a login that was on its way happened when nobody could know.
    pub(crate) fn slept(&mut self, now: Moment, slept: Duration) {
        self.slept_at = self.slept_at.max(Some(now));
        // A wait of the daemon's goes on where it was.
        self.books.iter_mut().filter_map(|book| book.forbidden.as_mut()).for_each(|at| *at = *at + slept);
        // What ran before is no longer ago for whoever slept.
        self.unsettled = self.unsettled.max(now);
    }

    /// The host's clock is set. To a daemon that starts after it, that looks like a jump of every iLO's clock.
    pub(crate) fn host_clock(&mut self, now: Moment, ahead_s: i64) {
        self.orders.end(self.host_s(now));
        self.host_ahead_s = ahead_s;
        self.orders.end(self.host_s(now));
        for book in &mut self.books {
            book.host_set = Some(now);
            book.lose_proofs();
        }
    }

    /// A request of ours leaves the host.
    pub(crate) fn departs(&mut self, now: Moment, number: usize, site: &Site, on: On, request: &Request<Bytes>) {
        self.counts.requests += 1;
        self.begins(now, number, site);
        let path = request.uri().path();
        if !matches!(request.method().as_str(), "GET" | "POST" | "DELETE") {
            return self.breaks("rule 9", format!("{} {path} to ilo-{number:02}", request.method()));
        }
        let Some(id) = told_path(request, on) else {
            return self.breaks("rule 8", format!("{} {path} is no path of ours", request.method()));
        };
        let acting = match request.headers().get("x-auth-token") {
            None => None,
            Some(token) => match self.books[number].owner_of(token.as_bytes()) {
                Some(ours) => Some(ours),
                None => return self.breaks("rule 2", format!("a token of another iLO is sent to ilo-{number:02}")),
            },
        };
        let is_named = |one: &InForce| {
            one.config
                .places
                .iter()
                .position(|place| *place == number)
                .is_some_and(|name| one.config.members[name].is_some())
        };
        let is_door = acting.as_ref().is_some_and(|acting| self.books[number].is_door(acting, &id));
        if !self.lately_in_force(now).any(is_named) && !is_door {
            let what = format!("{} {path} to ilo-{number:02}, which is not configured", request.method());
            return self.breaks("I10", what);
        }
        if let Some(wait) = self.books[number].asked_to_wait(now).filter(|_| on != On::Delete && !is_door) {
            return self.breaks("rule 4", format!("ilo-{number:02} asked for {} s more of rest", wait.as_secs()));
        }
        // Where the wish to expand is refused, the same is asked without it.
        let wishes = on == On::Collection && request.uri().query().is_some();
        let has_wished = std::mem::replace(&mut self.books[number].has_wished, wishes);
        match on {
            On::Login => self.logs_in(now, number, site, request.body()),
            On::Delete => self.ends(now, number, site, &id, acting.as_ref()),
            On::Member if is_door => self.looks_at_door(now, number, site, &id),
            On::Root => self.books[number].intents_since.extend(self.records.intents_at(&host(number))),
            On::Collection => {
                self.counts.visits += u64::from(wishes || !has_wished);
                self.books[number].visit_begins();
                self.books[number].asking = acting;
                let intents = self.records.intents_at(&host(number));
                self.books[number].knows_intents(intents, wishes || !has_wished);
                self.records.visit_begins(number).into_iter().for_each(|what| self.breaks("I12", what));
            }
            _ => {}
        }
    }

    /// One at a time per iLO, and not more at once than the configuration says.
    fn begins(&mut self, now: Moment, number: usize, site: &Site) {
        self.books[number].under_way += 1;
        let (here, all) = (self.books[number].under_way, self.books.iter().map(|book| book.under_way).sum::<usize>());
        if here > 1 && !self.is_mixed_up() {
            self.breaks("I8", format!("{here} requests to ilo-{number:02} at once"));
        }
        let was_asked = self.books[number].asked_at.replace(now).is_some_and(|at| at > self.unsettled);
        self.books[number].is_known_dead = site.script.is_dead && was_asked;
        let sick = self.books.iter().filter(|book| book.is_known_dead && book.under_way > 0).count();
        let (places, every_s) = (self.now_in_force().config.at_once, self.now_in_force().config.every_s);
        // Who is visited for the first time is not known to be sick; a password that waits may put that off.
        let all_known = now.since(self.unsettled).as_secs() > 300 + 2 * every_s;
        if sick > (places / 4).max(1) && all_known {
            self.breaks("rule 4", format!("{sick} of {places} places are taken by the dead"));
        }
        if all > places && now.since(self.unsettled).as_secs() > 300 {
            self.breaks("rule 4", format!("{all} requests at once, with {places} places"));
        }
    }

    /// iLOs have changed names; then what is kept by name is not kept by iLO.
    fn is_mixed_up(&self) -> bool {
        self.history.iter().any(|one| one.config.places.iter().enumerate().any(|(name, place)| name != *place))
    }

    /// Nobody waits for it any more.
    pub(crate) fn left(&mut self, life: u64, number: usize, on: On) {
        if life == self.life {
            self.books[number].under_way = self.books[number].under_way.saturating_sub(1);
            if on == On::Login {
                self.passwords.answered(number);
            }
        }
    }

    /// A request reached its iLO, and this came of it.
    pub(crate) fn arrived(&mut self, now: Moment, number: usize, site: &Site, on: On, truth: &Truth) {
        match &truth.effect {
            Some(Effect::LoggedIn { id }) => self.logged_in(now, number, site, id),
            Some(Effect::Ended { id, .. }) if on == On::Delete => {
                let look = self.books[number].ending.take();
                self.counts.raced += u64::from(look.is_some_and(|look| look.0 == *id && look.2));
            }
            _ => {}
        }
    }

    /// The daemon got an answer.
    pub(crate) fn told(
        &mut self,
        now: Moment,
        (number, site): (usize, &Site),
        (on, sent): (On, Moment),
        (response, truth): (&Response<Bytes>, &Truth),
    ) {
        let book = &mut self.books[number];
        match on {
            On::Root => book.asked_root_at = Some(sent),
            On::Login => self.told_of_login(now, number, site, response),
            On::Collection => {
                if let Some(picture) = &truth.picture {
                    book.told_at = Some(now);
                    if truth.is_stale || book.was_stale {
                        // It looks as if the clock had gone back, and then forth.
                        book.doubted_at = Some(now);
                        book.lose_proofs();
                    }
                    book.was_stale = truth.is_stale;
                    book.first_told_at.get_or_insert(now);
                    book.is_clock_told |= response.headers().contains_key(http::header::DATE) && !picture.is_cut;
                    // What does not tell who asks is not the whole.
                    let tells_us = |session: &Session| book.asking.as_ref() == Some(&session.id);
                    let is_cut = picture.is_cut || !picture.sessions.iter().any(tells_us);
                    let picture = Picture { is_cut, ..picture.clone() };
                    book.misses(now, &picture);
                    book.sees(picture, self.host_ahead_s);
                }
            }
            On::Member => {
                if let Some(session) = &truth.look {
                    book.knows_door(&session.id);
                    book.looks(Look { sent, session: session.clone(), is_vague: truth.is_vague });
                }
                book.reads(response.status().as_u16(), truth.look.as_ref());
            }
            On::Update => book.asked = Some((response.status() == 200 && !truth.is_flashing, sent)),
            On::Delete => {
                if self.records.answered(number, response) {
                    book.forbidden = Some(now);
                }
            }
            On::Any => {}
        }
        if matches!(response.status().as_u16(), 429 | 503) && on != On::Delete {
            let wait =
                response.headers().get(http::header::RETRY_AFTER).and_then(|wait| wait.to_str().ok()?.parse().ok());
            let wait = wait.map(|wait_s: u64| Duration::from_secs(wait_s.min(RETRY_AFTER_MAX_S)));
            self.books[number].rest_until = wait.map(|wait| now + wait);
        }
        if response.status() == 401 && on != On::Login {
            // Whatever is made of that, the session may go on without us.
            self.books[number].excuse_all();
        }
    }
}
