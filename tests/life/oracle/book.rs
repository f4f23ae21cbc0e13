//! What the oracle keeps about one iLO.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ilo_sim::{Moment, Session, SessionId};

use super::seen::Seen;

/// Whoever a whole table leaves out for so long is gone, for all that anybody can tell.
const HIDDEN_FOR_GOOD: Duration = Duration::from_secs(600);

/// Who is on is written down every ten minutes, and two readings more.
const UNWRITTEN_S: i64 = 606;

/// Who truly was on, when the daemon was told who is.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    pub(crate) at: Moment,
    pub(crate) sessions: Vec<Session>,
    /// What the iLO's clock showed.
    pub(crate) shown_s: i64,
    /// Who was on and was left out.
    pub(crate) hidden: Vec<SessionId>,
    /// Where only links were told: how many are asked for one by one.
    pub(crate) links: Option<usize>,
    /// Members that were told and are not there.
    pub(crate) ghosts: usize,
    /// What was told was not whole, by its own words.
    pub(crate) is_cut: bool,
    /// Fields that spare were missing, of all.
    pub(crate) is_vague: bool,
}

/// A second look at one session.
#[derive(Clone, Debug)]
pub(super) struct Look {
    pub(super) sent: Moment,
    pub(super) session: Session,
    /// Fields that spare were missing.
    pub(super) is_vague: bool,
}

/// A session of ours.
#[derive(Clone, Debug)]
pub(super) struct Ours {
    pub(super) login: Moment,
    pub(super) token: Option<String>,
    /// Something happened that may have lost it: then there may be another one beside it for a while.
    pub(super) is_excused: bool,
    /// Something happened to the iLO's clock or our state that takes the proof away that it is ours.
    pub(super) is_unprovable: bool,
    /// Its login was answered with this name, which is another one's, or no name at all.
    pub(super) misnamed: Option<String>,
    /// Its login's answer did not name it twice, and no table told it since.
    pub(super) is_named_once: bool,
    /// Since when no look at the whole table told it.
    pub(super) hidden_since: Option<Moment>,
}

/// What an iLO's clock showed when it was last written down who was on, and when those had logged in and were used.
pub(super) type LastLook = (i64, BTreeMap<String, (Option<i64>, Option<i64>)>);

/// How long after it was sent a login may happen, on the iLO's clock, and one second more on both sides.
pub(super) const LOST_LOGIN_S: u64 = 90;

/// A login that left, as far as anybody knows, and whose end nobody knows.
pub(super) struct LostLogin {
    pub(super) sent: Moment,
    /// When its iLO was asked for the time.
    pub(super) asked: Option<Moment>,
    /// How long that one makes it wait.
    pub(super) waits: Duration,
}

/// The book of one iLO.
#[derive(Default)]
pub(super) struct Book {
    /// Sessions that logins of ours made.
    pub(super) ours: BTreeMap<SessionId, Ours>,
    /// What the daemon was told in this visit.
    pub(super) picture: Option<Picture>,
    /// What it was told about the update service since then, at rest or not, and when that was asked.
    pub(super) asked: Option<(bool, Moment)>,
    pub(super) looks: BTreeMap<SessionId, Look>,
    /// Those that were told without a field that spares.
    pub(super) vague: BTreeSet<SessionId>,
    /// The DELETE on its way, its look's access, and whether its owner came in between.
    pub(super) ending: Option<(SessionId, Moment, bool)>,
    /// The numbers of the rules by which this visit ended somebody.
    pub(super) ended_by: Vec<usize>,
    /// Logins of ours that made nothing, as far as anybody but us knows: no answer came.
    /// When each was sent, and when it was asked before that how long logins wait.
    pub(super) lost_logins: Vec<LostLogin>,
    /// Those that were refused, as the daemon was told and did not write down yet.
    pub(super) refused_logins: Vec<LostLogin>,
    /// A login that was written down and not sent yet: when, and when it was asked before that how long logins wait.
    pub(super) unsent_login: Option<LostLogin>,
    /// The spans of logins that the state knew since it was last asked who is on, in seconds on the iLO's clock.
    pub(super) intents_since: Vec<(i64, i64)>,
    /// The same of this visit: a span that the clock will show again proves nothing after it.
    pub(super) intents: Vec<(i64, i64)>,
    /// Sessions of our account and origin that were told together with a lost one of ours from the same second.
    pub(super) twins: BTreeSet<SessionId>,
    pub(super) seen: BTreeMap<SessionId, Seen>,
    /// What the last whole look told the clock to be, and when.
    last_shown: Option<(i64, Moment)>,
    /// What it was ahead of the host's clock then, and that of true time, and when.
    last_lead: Option<(i64, i64, Moment)>,
    /// Who was told before, and when it logged in: an id is given again.
    known: BTreeSet<(SessionId, Moment)>,
    /// Those who logged in while a clock stood elsewhere and nobody looked: their times look sound.
    pub(super) unknowable: BTreeSet<SessionId>,
    /// Those who logged in when a login of ours may have, as the state had it when they were told.
    pub(super) intended: BTreeSet<SessionId>,
    /// By how much its clock was set in steps that two readings in whole seconds do not tell.
    pub(super) drift_s: u64,
    /// Whoever looks as if it had logged in by another clock: a whole table left it out once and tells it again, or it
    /// came between the last look that was written down and the next that would have been, and a start came between.
    pub(super) strangers: BTreeSet<SessionId>,
    /// The last stop wrote down whom it saw last.
    pub(super) was_left_in_order: bool,
    /// At a start after anything else: what the clock showed at the last look that was written down, and who was on then.
    pub(super) looked_before: Option<LastLook>,
    /// Who was told without some of its fields at last.
    untold: BTreeSet<SessionId>,
    /// When the daemon was first told who is on after its clock had moved.
    pub(super) move_told_at: Option<Moment>,
    /// When the state kept last what was learned of it.
    pub(super) written_at: Option<Moment>,
    /// It is told links, and asks for one by one.
    pub(super) is_told_links: bool,
    /// Links that are still to be asked for, and those that were.
    links_left: usize,
    read: Vec<Session>,
    pub(super) under_way: usize,
    /// When its clock was last set, or it was replaced.
    pub(super) clock_set: Option<Moment>,
    /// This life of the daemon was not told yet who is on.
    pub(super) is_new: bool,
    /// The configuration stopped to name it while we were there.
    pub(super) has_left: bool,
    /// When who is on was first told after its clock had moved.
    pub(super) pauses_since: Option<Moment>,
    /// When this life of the daemon was first told who is on.
    pub(super) first_told_at: Option<Moment>,
    /// Our session that it looked at before a log-out, until that is answered.
    pub(super) looked_at: Option<SessionId>,
    /// Our session that asks who is on.
    pub(super) asking: Option<SessionId>,
    /// The last request asked to expand.
    pub(super) has_wished: bool,
    /// The last answer was an old one.
    pub(super) was_stale: bool,
    /// When a request to it last began.
    pub(super) asked_at: Option<Moment>,
    /// Nothing ever reaches it, and that is known.
    pub(super) is_known_dead: bool,
    /// When an old answer last made its clock look as if it had jumped.
    pub(super) doubted_at: Option<Moment>,
    /// Its clock was set before anybody looked: whoever was on then can't be judged by anybody.
    pub(super) blind_until: Option<Moment>,
    /// A login was sent in this visit.
    pub(super) logs_in: bool,
    /// A whole look told what its clock shows; and that was written down since.
    pub(super) is_clock_told: bool,
    pub(super) is_clock_written: bool,
    /// When the host's clock was last set.
    pub(super) host_set: Option<Moment>,
    /// When a login was last refused because the table is full.
    pub(super) refused_full: Option<Moment>,
    /// Logins since the daemon was last told who is on.
    pub(super) logins_since: u32,
    /// The same when it became calm.
    pub(super) logins_before_calm: u32,
    /// Logins that a life of the daemon wrote down and did not live to send.
    pub(super) unsent_logins: usize,
    /// When the daemon was last told who is on.
    pub(super) told_at: Option<Moment>,
    /// When somebody last tried a wrong password, and when we were last told how long logins wait.
    pub(super) guessed_at: Option<Moment>,
    pub(super) asked_root_at: Option<Moment>,
    /// It asked to be left alone until then.
    pub(super) rest_until: Option<Moment>,
    /// When a DELETE was last forbidden to us.
    pub(super) forbidden: Option<Moment>,
}

impl Book {
    /// A new life of the daemon knows nothing of what the last one saw.
    pub(super) fn forget(&mut self) {
        self.picture = None;
        self.looks.clear();
        self.seen.clear();
        self.strangers.append(&mut self.untold);
        if self.moved_at() > self.last_shown.map(|(_, at)| at) {
            // What was written down since the clock moved looks as if it were of the clock before.
            self.lose_proofs();
        }
        (self.is_new, self.has_left, self.first_told_at) = (true, false, None);
        // What was not written is told anew.
        self.move_told_at = self.move_told_at.filter(|told| self.written_at >= Some(*told));
        (self.under_way, self.rest_until, self.looked_at) = (0, None, None);
        self.is_clock_told &= self.is_clock_written;
        // To the next life those are as lost as any.
        self.lost_logins.append(&mut self.refused_logins);
        // So is one that a kill came before: nobody knows that it was not sent.
        self.lost_logins.extend(self.unsent_login.take());
    }

    /// What was seen at last was never written.
    pub(super) fn forgets_who_was_on(&mut self) {
        self.known.clear();
        self.last_shown = None;
    }

    /// How long it is to be left alone, as it asked; a second less, for readings.
    pub(super) fn asked_to_wait(&self, now: Moment) -> Option<Duration> {
        let left = self.rest_until?.since(now + Duration::from_secs(1));
        (left > Duration::ZERO).then_some(left)
    }

    /// Its clock moved, or may have, as far as anybody can tell.
    pub(super) fn is_moved(&self) -> bool {
        self.moved_at().is_some()
    }

    /// Its clock moved, and pauses that were seen since then are known to be of one clock.
    pub(super) fn are_pauses_known(&self) -> bool {
        self.moved_at() < self.pauses_since
    }

    /// When that was last.
    pub(super) fn moved_at(&self) -> Option<Moment> {
        self.clock_set.max(self.host_set).max(self.doubted_at)
    }

    /// It comes back into the configuration: nobody remembers what was seen there.
    pub(super) fn comes_back(&mut self) {
        self.seen.clear();
        self.is_new = true;
    }

    pub(super) fn visit_begins(&mut self) {
        (self.picture, self.asked) = (None, None);
        self.looks.clear();
        self.vague.clear();
        self.ended_by.clear();
    }

    /// What a whole table left out for ten minutes is forgotten, and may be.
    pub(super) fn misses(&mut self, now: Moment, picture: &Picture) {
        for (id, ours) in self.ours.iter_mut().filter(|_| !picture.is_cut) {
            let is_told = picture.sessions.iter().any(|session| session.id == *id);
            ours.is_named_once &= !is_told;
            ours.hidden_since = if is_told { None } else { ours.hidden_since.or(Some(now)) };
            ours.is_unprovable |= ours.hidden_since.is_some_and(|since| now.since(since) >= HIDDEN_FOR_GOOD);
        }
    }

    /// The daemon is told who is on; where only links, it asks for each one next.
    pub(super) fn sees(&mut self, picture: Picture, host_ahead_s: i64) {
        let shown_s = |session: &Session| session.login_shown.epoch_s();
        let may_be =
            |session: &&Session| self.intents.iter().any(|(from, to)| (*from..=*to).contains(&shown_s(session)));
        self.intended.extend(picture.sessions.iter().filter(may_be).map(|session| session.id.clone()));
        if picture.is_vague {
            self.vague.extend(picture.sessions.iter().map(|session| session.id.clone()));
        }
        if !picture.is_cut {
            let is_first = std::mem::replace(&mut self.is_new, false);
            self.strangers.extend(picture.hidden.iter().cloned());
            // Where the next request is refused, the login was for nothing.
            if !std::mem::take(&mut self.logs_in) {
                self.logins_since = 0;
            }
            self.goes_with_the_host(&picture, host_ahead_s, is_first);
            // Links alone tell no times.
            if picture.links.is_none() {
                self.knows(&picture);
            }
            self.seen.retain(|id, _| picture.sessions.iter().any(|session| session.id == *id));
        }
        self.is_told_links = picture.links.is_some();
        self.links_left = picture.links.unwrap_or(0);
        self.read.clear();
        if picture.links.is_none() {
            self.sees_all(picture.at, &picture.sessions, picture.is_vague);
        }
        self.picture = Some(picture);
    }

    /// Where an iLO's clock and the host's are set by the same, and no daemon runs that looked before, they show what they
    /// would after so much time.
    fn goes_with_the_host(&mut self, picture: &Picture, host_ahead_s: i64, is_first: bool) {
        let lead_s = picture.shown_s - (picture.at.0 / 1000).cast_signed() - host_ahead_s;
        if let Some((lead_before_s, host_before_s, at)) = self.last_lead {
            let is_set = is_first && host_before_s != host_ahead_s && self.clock_set.is_some_and(|set| set > at);
            if is_set && lead_before_s.abs_diff(lead_s) <= 3 {
                self.blind_until = self.clock_set;
            }
        }
        self.last_lead = Some((lead_s, host_ahead_s, picture.at));
    }

    /// Who is there for the first time, with times of another clock than this one that nobody can tell from it?
    fn knows(&mut self, picture: &Picture) {
        let ahead_s = |shown_s: i64, at: Moment| shown_s - (at.0 / 1000).cast_signed();
        let now_s = ahead_s(picture.shown_s, picture.at);
        let is_steady = self.last_shown.is_none_or(|(shown_s, at)| (ahead_s(shown_s, at) - now_s).abs() <= 3);
        let told: BTreeSet<_> = picture.sessions.iter().map(|session| (session.id.clone(), session.login)).collect();
        let before = std::mem::replace(&mut self.known, told);
        let is_new = |session: &&Session| !before.contains(&(session.id.clone(), session.login));
        for session in picture.sessions.iter().filter(is_new) {
            let login_s = session.login_shown.epoch_s();
            let is_of_another = (ahead_s(login_s, session.login) - now_s).abs() > 3;
            let is_likely =
                login_s <= picture.shown_s + 130 && self.last_shown.is_none_or(|(shown_s, _)| login_s + 3 >= shown_s);
            if is_of_another && is_steady && is_likely {
                self.unknowable.insert(session.id.clone());
            }
        }
        if let Some((looked_s, known)) = self.looked_before.take() {
            let is_stranger = |session: &&Session| {
                let (login_s, access_s) = (session.login_shown.epoch_s(), session.access_shown.epoch_s());
                match known.get(session.id.as_str()) {
                    // Used in the time of which nothing is written.
                    Some((Some(login), access)) if *login == login_s => {
                        access.is_some_and(|access| access != access_s) && access_s < looked_s + UNWRITTEN_S
                    }
                    _ => (looked_s - 3..=looked_s + UNWRITTEN_S).contains(&login_s),
                }
            };
            self.strangers.extend(picture.sessions.iter().filter(is_stranger).map(|session| session.id.clone()));
        }
        // Whoever is told without its times at first, or at last, is a stranger when it tells them.
        let vague = || picture.sessions.iter().filter(|session| self.vague.contains(&session.id));
        self.untold = vague().map(|session| session.id.clone()).collect();
        let is_first = |session: &&Session| is_new(session) || !self.seen.contains_key(&session.id);
        self.strangers.extend(vague().filter(is_first).map(|session| session.id.clone()));
        if self.moved_at() > self.last_shown.map(|(_, at)| at) {
            self.move_told_at = Some(picture.at);
        }
        self.last_shown = Some((picture.shown_s, picture.at));
    }

    /// The daemon asked for one session of a list of links, and it was there or not. When all were asked for, it
    /// has seen them.
    pub(super) fn reads(&mut self, status: u16, session: Option<&Session>) {
        if !matches!(status, 200 | 404 | 410) {
            // That ends the visit.
            self.links_left = 0;
        }
        if self.asked.is_some() || self.links_left == 0 {
            return;
        }
        self.read.extend(session.cloned());
        self.links_left -= 1;
        if self.links_left == 0 {
            let read = std::mem::take(&mut self.read);
            let is_vague = read.iter().any(|session| self.vague.contains(&session.id));
            if let Some(picture) = self.picture.clone().filter(|picture| !picture.is_cut) {
                self.knows(&picture);
            }
            let at = self.picture.as_ref().map_or(Moment(0), |picture| picture.at);
            self.sees_all(at, &read, is_vague);
        }
    }

    /// It is told of our own session that it looked at before a log-out: now it knows.
    pub(super) fn knows_door(&mut self, id: &SessionId) {
        if self.looked_at.take_if(|looked_at| looked_at == id).is_some()
            && let Some(ours) = self.ours.get_mut(id)
        {
            ours.is_excused = false;
        }
    }

    /// The daemon is told about one session: for the first time in this visit, or for the last.
    pub(super) fn looks(&mut self, look: Look) {
        if look.is_vague {
            self.vague.insert(look.session.id.clone());
        }
        if self.asked.is_some() {
            self.looks.insert(look.session.id.clone(), look);
            return;
        }
        if let Some(picture) = &mut self.picture {
            let place = picture.sessions.iter().position(|session| session.id == look.session.id);
            match place {
                Some(place) => picture.sessions[place] = look.session,
                None => picture.sessions.push(look.session),
            }
        }
    }
}
