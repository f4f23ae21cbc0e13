//! When nothing goes wrong any more: whether everything was put right.

use std::collections::BTreeSet;
use std::time::Duration;

use ilo_sim::{Moment, Session, SessionId};

use super::book::Book;
use super::truth::{self, Duty};
use super::{Oracle, Picture};
use crate::script::{ConfigScript, host};
use crate::world::Site;

/// A full table of which a fifth may go takes a visit for every one or two.
const VISITS_OF_A_FIFTH: u64 = 12;

/// How long nobody is ended where our account may not.
const NO_END_S: u64 = 3700;

/// For how long it has been calm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Calm {
    Short,
    /// An hour more, for whoever waits so long after lost logins or refused deletions.
    Long,
}

impl Oracle {
    /// From now on nothing goes wrong.
    pub(crate) fn calms_down(&mut self) {
        self.books.iter_mut().for_each(|book| book.logins_before_calm = book.logins_since);
    }

    /// All has been calm for long enough, or for an hour more. Whether some iLO is to be judged only then.
    pub(crate) fn judges(&mut self, now: Moment, sites: &[Site], is_running: bool, calm: Calm) -> bool {
        if !is_running {
            self.breaks("I13", String::from("the daemon does not run"));
            return false;
        }
        self.at_rest(now, sites);
        let config = (*self.now_in_force().config).clone();
        let (mut excused, mut will_be_ready) = (0, false);
        for (number, site) in sites.iter().enumerate() {
            let name = config.places.iter().position(|place| *place == number);
            let Some(group) = name.and_then(|name| config.members[name]) else {
                self.judges_stranger(now, number, site);
                continue;
            };
            if site.script.is_dead || self.may_wait(now, number, site, group, calm) {
                excused += 1;
                will_be_ready |= !site.script.is_dead;
            } else {
                self.judges_member(now, number, site, &config, group);
            }
        }
        let is_last = calm == Calm::Long || !will_be_ready;
        self.counts.excused += if is_last { excused } else { 0 };
        !is_last
    }

    fn judges_member(&mut self, now: Moment, number: usize, site: &Site, config: &ConfigScript, group: usize) {
        let book = &self.books[number];
        let every = Duration::from_secs(config.every_s);
        let last = book.told_at.map_or(now.since(Moment(0)), |at| now.since(at));
        if last > every * 2 + Duration::from_secs(60) {
            return self.breaks("I13", format!("ilo-{number:02} was not visited for {} s", last.as_secs()));
        }
        let (all, provable) = {
            let alive: Vec<_> = self.ours_alive(now, number, site).collect();
            (alive.len(), alive.iter().filter(|(ours, _)| !ours.is_unprovable).count())
        };
        // Where dates are of another clock than logins, no lost login explains a session.
        if all == 0 || provable > 1 && site.script.date_ahead_s == 0 {
            return self
                .breaks("I7", format!("{all} sessions of ours on ilo-{number:02}, {provable} of them provable"));
        }
        if let Some(what) = self.left_behind(now, number, site, config, group) {
            self.breaks("I13", what);
        }
    }

    /// The name in the configuration that an iLO goes by.
    pub(super) fn name_of(&self, number: usize) -> usize {
        let current = self.history.last();
        current.and_then(|one| one.config.places.iter().position(|place| *place == number)).unwrap_or(number)
    }

    fn judges_stranger(&mut self, now: Moment, number: usize, site: &Site) {
        // Whoever left while we were down can't be proven to be who it was, and nobody sends it a token.
        let has_left = self.books[number].has_left;
        let kept = self.ours_alive(now, number, site).find(|(ours, _)| has_left && !ours.is_excused);
        if let Some(what) = kept.map(|(_, session)| format!("{} on ilo-{number:02}, which left the fleet", session.id))
        {
            self.breaks("rule 2", format!("we still hold {what}"));
        }
    }

    /// Reasons to leave an iLO alone for longer than a calm lasts.
    fn may_wait(&self, now: Moment, number: usize, site: &Site, group: usize, calm: Calm) -> bool {
        let book = &self.books[number];
        let every = Duration::from_secs(self.now_in_force().config.every_s);
        let within = |at: Option<Moment>, wait_s: u64| at.is_some_and(|at| now.since(at) < Duration::from_secs(wait_s));
        let is_full = site.ilo.sessions(now).count() >= site.script.limit;
        let (asked, way_ms) = (site.script.limit as u64 + 9, site.script.way_ms.1);
        // One by one over a slow wire takes longer than a visit may.
        let is_slow = book.is_told_links && asked * way_ms * 2 > self.now_in_force().config.visit_s * 1000;
        // After two logins that were lost the next one waits for an hour, after three for four hours.
        let (lost, logins) = (self.lost_logins(number), book.logins_before_calm.min(book.logins_since));
        is_slow
            || is_full && within(book.refused_full, 180)
            // A place that became free is asked for within half a minute.
            || within(book.refused_full, 60)
            || if calm == Calm::Short { logins >= 2 || lost >= 2 } else { lost >= 3 }
            // Where both clocks were set by the same while no daemon ran, it waits once more when that time comes again.
            || lost >= 2 && book.clock_set.is_some() && book.host_set.is_some()
            || within(book.forbidden, NO_END_S + if calm == Calm::Short { self.a_full_table_s(site) } else { 0 })
            || self.passwords.may_wait(now, group, self.name_of(number), every * 2 + Duration::from_secs(60))
    }

    /// Logins there of which nobody can know the end: the daemon says so, and they were truly sent.
    fn lost_logins(&self, number: usize) -> usize {
        self.records.intents_at(&host(number)).len().min(self.truly_lost(number) + self.books[number].unsent_logins)
    }

    /// Logins there that were sent, and whose end nobody can know.
    pub(super) fn truly_lost(&self, number: usize) -> usize {
        let book = &self.books[number];
        book.lost_logins.len() + book.ours.values().filter(|ours| ours.is_excused).count()
    }

    /// How long it takes to end everybody in a full table, where nobody was ended for long: a visit ends so many.
    fn a_full_table_s(&self, site: &Site) -> u64 {
        let config = &self.now_in_force().config;
        let by_cap = site.script.limit.div_ceil(config.per_visit.max(1)) as u64;
        let visits = if config.share_percent < 50 { by_cap.max(VISITS_OF_A_FIFTH) } else { by_cap };
        (visits + 2) * config.every_s
    }

    /// A session that a rule covers beyond doubt, and that is still there.
    fn left_behind(
        &self,
        now: Moment,
        number: usize,
        site: &Site,
        config: &ConfigScript,
        group: usize,
    ) -> Option<String> {
        let group = &config.groups[group];
        let may_end = group.enforces && !self.now_in_force().observes && !site.script.is_operator;
        // Where the caps are tight it takes longer, and I5 judges them.
        let can_end = config.per_visit >= 2
            && config.per_minute >= 20
            && config.per_ilo_minute >= 4
            && config.share_percent >= 20;
        // A look that takes a second comes too late to be the last one.
        let is_slow = site.script.way_ms.1 >= 500;
        let visits = if config.share_percent < 50 { VISITS_OF_A_FIFTH } else { 2 };
        let margin = Duration::from_secs(visits * config.every_s + 300);
        // While it refused our logins nobody could be ended.
        let since = |at: Option<Moment>| at.map_or(Duration::MAX, |at| now.since(at));
        let was_shut = since(self.books[number].refused_full) < margin
            || since(self.books[number].forbidden) < Duration::from_secs(NO_END_S + self.a_full_table_s(site));
        if site.script.date_ahead_s != 0 || !may_end || !can_end || is_slow || was_shut {
            return None;
        }
        let picture = Picture {
            at: now,
            sessions: site.ilo.sessions(now).cloned().collect(),
            shown_s: site.ilo.clock(now).epoch_s(),
            hidden: Vec::new(),
            links: None,
            ghosts: 0,
            is_cut: false,
            is_vague: false,
        };
        let book = &self.books[number];
        let (moved_at, told_at) = (book.moved_at(), book.move_told_at);
        let doubtful = &(&book.strangers | &book.unknowable) | &of_before(&picture, book, margin);
        let ours = |session: &Session| self.is_of_our_account(now, number, session);
        picture.sessions.iter().filter(|session| !ours(session)).find_map(|session| {
            let is_doubtful = doubtful.contains(&session.id);
            // What two clocks show of a pause may be hours too much; and where it is not told that an id is somebody else's
            // now, it may be one of both together.
            if is_doubtful && (session.access > session.login || book.is_heir(&session.id)) {
                return None;
            }
            let duty = Duty {
                picture: &picture,
                session,
                doubtful: &doubtful,
                // A clock that was set leaves only what was seen to stand still since then.
                from: is_doubtful
                    .then_some(book.first_told_at.unwrap_or(now).max(moved_at.max(told_at).unwrap_or_default())),
                longest_gap: book.longest_gap(&session.id),
                margin,
            };
            truth::must_go(&duty, group).map(|rule| {
                format!(
                    "{} on ilo-{number:02}, idle for {} s, is covered by r{rule} and still there",
                    session.id,
                    now.since(session.access).as_secs()
                )
            })
        })
    }
}

/// Those whose times are of another clock, or of one that can't be told. Whoever logged in after it was seen that the clock
/// moved has the times of one.
fn of_before(picture: &Picture, book: &Book, margin: Duration) -> BTreeSet<SessionId> {
    let (moved_at, told_at) = (book.moved_at(), book.move_told_at);
    let settled = told_at.filter(|told| moved_at <= Some(*told)).map(|told| told + margin);
    let is_vague = picture.sessions.iter().any(|session| is_to_come(picture, session, margin));
    let is_of_before =
        |session: &&Session| is_vague || moved_at.is_some() && settled.is_none_or(|settled| session.login <= settled);
    picture.sessions.iter().filter(is_of_before).map(|session| session.id.clone()).collect()
}

/// Whether a session is from when the clock was ahead, and its times lie in the future or did so a moment ago: as long
/// as they do, nobody's times there are sound.
fn is_to_come(picture: &Picture, session: &Session, a_moment: Duration) -> bool {
    let until_s = picture.shown_s - i64::try_from(a_moment.as_secs()).unwrap_or(i64::MAX);
    let ahead_s = |shown_s: i64, at: Moment| shown_s - (at.0 / 1000).cast_signed();
    [(session.login_shown, session.login), (session.access_shown, session.access)].into_iter().any(|(shown, at)| {
        shown.epoch_s() > until_s && ahead_s(shown.epoch_s(), at) > ahead_s(picture.shown_s, picture.at) + 60
    })
}
