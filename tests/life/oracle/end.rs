//! A DELETE, judged when it is sent: whether all that must be true is true.

use std::collections::BTreeSet;
use std::time::Duration;

use ilo_sim::{Moment, Session, SessionId};

use super::book::{LOST_LOGIN_S, LostLogin, Ours};
use super::truth::{self, Case};
use super::{InForce, Oracle};
use crate::script::{ConfigScript, host};
use crate::spoil;
use crate::world::{ACCOUNTS, Site, US};

/// The longest from asking for the last look to sending the DELETE.
const LOOK_TO_DELETE: Duration = Duration::from_secs(2);

/// From asking whether firmware is flashed to sending a DELETE, and two seconds for readings.
const FLASHING_TELLS: Duration = Duration::from_secs(22);

/// How long after it was sent a login may happen, beside its wait after wrong passwords: the longest exchange, and what
/// the daemon allows for.
const LOST_LOGIN: Duration = Duration::from_secs(30 + 6);

/// Two readings in whole seconds, and one more for the span.
const SLACK: Duration = Duration::from_secs(3);

/// Times that are later than now by so much are wrong: whoever sets a clock by hand may be two minutes off.
const TOLERATED: Duration = Duration::from_secs(130);

impl Oracle {
    /// A DELETE leaves the host.
    pub(super) fn ends(&mut self, now: Moment, number: usize, site: &Site, id: &SessionId, acting: Option<&SessionId>) {
        self.records.sends(number);
        let truly = site.ilo.session(id, now);
        let is_same = |login: Moment| truly.is_none_or(|session| session.login == login);
        let ours = self.books[number].ours.get(id).is_some_and(|ours| is_same(ours.login));
        if acting == Some(id) {
            return self.logs_out(now, number, id, truly.map(|session| session.owner.as_str()));
        }
        if ours {
            // One of an account that is ours no more may go by a rule as well.
            self.records.takes(number, id);
            if !matches!(self.books[number].asked, Some((true, _))) {
                self.breaks("rule 1", format!("DELETE of {id} of ours, and nobody said that ilo-{number:02} rests"));
            }
            self.uses_up_a_proof(now, number, site, id);
            return;
        }
        // A login of ours was lost in the very second of theirs, and left no session that was told: that is no news.
        let book = &self.books[number];
        let told = book.picture.as_ref().filter(|picture| !picture.is_cut);
        let told = told.and_then(|picture| picture.sessions.iter().find(|session| session.id == *id));
        let is_twin =
            |told: &Session| ACCOUNTS.contains(&told.owner.as_str()) && told.origin == US && !self.records.waits(id);
        // Or another login of ours, of which nobody knows that it made nothing, could have made it.
        let could_be_lost = |told: &Session| {
            // It may have happened, by whole seconds, as soon as the time was asked for.
            let within = |login: &LostLogin| {
                let from = login.asked.unwrap_or(login.sent).min(login.sent);
                from <= told.login + SLACK && told.login.since(login.sent) <= login.waits + LOST_LOGIN
            };
            book.lost_logins.iter().any(within)
        };
        // Only a login that was written down, and whose end nobody knows, explains one; it is known by id from then on.
        let is_intended = |told: &Session| {
            let shown_s = told.login_shown.epoch_s() + site.script.date_ahead_s;
            let is_in = |(from_s, to_s): &(i64, i64)| (*from_s..=*to_s).contains(&shown_s);
            book.intended.contains(id) || book.intents.iter().any(is_in)
        };
        let is_explained = |told: &Session| {
            let near = |ours: &Ours| ours.is_excused && ours.login.0.abs_diff(told.login.0) / 1000 <= LOST_LOGIN_S;
            is_intended(told) && (could_be_lost(told) || book.ours.values().any(near))
        };
        if told.is_some_and(|told| {
            is_twin(told) && is_explained(told) && (!book.twins.contains(id) || could_be_lost(told))
        }) {
            let login = told.map(|told| told.login);
            let lost = self.books[number].ours.values_mut().filter(|ours| Some(ours.login) == login);
            lost.for_each(|ours| ours.is_unprovable = true);
            self.counts.raced += 1;
            return;
        }
        if truly.is_some_and(|session| self.is_of_our_account(now, number, session)) {
            return self.breaks("rule 1", format!("{id} is of our account, and not a stray of ours"));
        }
        if let Err((rule, what)) = self.ends_others(now, number, site, id) {
            self.breaks(rule, format!("DELETE of {id} on ilo-{number:02}: {what}"));
        }
    }

    /// One of ours that nothing could prove goes for another of ours whose login was lost, if it shows the same time.
    fn uses_up_a_proof(&mut self, now: Moment, number: usize, site: &Site, id: &SessionId) {
        let ours = &mut self.books[number].ours;
        let shown_s = |id: &SessionId| site.ilo.session(id, now).map(|session| session.login_shown.epoch_s());
        let Some(gone_s) = shown_s(id).filter(|_| ours.get(id).is_some_and(|ours| ours.is_unprovable)) else { return };
        let lost = ours.iter_mut().filter(|(other, ours)| *other != id && ours.is_excused);
        for (other, ours) in lost {
            ours.is_unprovable |= shown_s(other).is_some_and(|shown_s| shown_s.abs_diff(gone_s) <= LOST_LOGIN_S);
        }
    }

    /// Our own session is ended with its own token: by a stop, or because the configuration leaves this iLO.
    fn logs_out(&mut self, now: Moment, number: usize, id: &SessionId, owner: Option<&str>) {
        let is_of = |account: &str| owner.is_some_and(|owner| owner.eq_ignore_ascii_case(account));
        let has_reason = |one: &InForce| one.stops || !account(&one.config, number).is_some_and(is_of);
        if !self.is_mixed_up() && !self.lately_in_force(now).any(has_reason) {
            self.breaks("I1", format!("our held session {id} on ilo-{number:02} is ended for no reason"));
        }
        // If that is not answered, nobody knows; and an iLO that left the configuration is asked no more.
        if let Some(ours) = self.books[number].ours.get_mut(id) {
            ours.is_excused = true;
        }
    }

    fn ends_others(
        &mut self,
        now: Moment,
        number: usize,
        site: &Site,
        id: &SessionId,
    ) -> Result<(), (&'static str, String)> {
        let broken = |rule, what: &str| Err((rule, what.to_owned()));
        self.goes_against_no_order(now, number, site, id)?;
        let book = &mut self.books[number];
        // A look is good for one DELETE.
        let Some(look) = book.looks.remove(id) else { return broken("I4", "no second look came before it") };
        let waited = now.since(look.sent);
        if waited > LOOK_TO_DELETE {
            return Err(("I4", format!("the second look is {} ms old", waited.as_millis())));
        }
        let Some(picture) = &book.picture else { return broken("I14", "nobody told who is on in this visit") };
        if picture.is_cut {
            return broken("I14", "what was told was not whole");
        }
        let lacks = book.vague.contains(id).then(|| spoil::lacks(id.as_str()));
        if lacks.is_some_and(|lacks| lacks != "LoginTime") {
            return broken("I3", "what was told lacked a field that spares");
        }
        let Some(planned) = picture.sessions.iter().find(|session| session.id == *id) else {
            return broken("I14", "it was not among those who were told");
        };
        let planned = planned.clone();
        if let Some(what) = change(&planned, &look.session) {
            return Err(("I4", format!("its {what} changed between the first and the second look")));
        }
        match book.asked {
            Some((true, at)) if now.since(at) <= FLASHING_TELLS => {}
            Some((true, at)) => {
                return Err(("rule 1", format!("it said {} s ago that it rests", now.since(at).as_secs())));
            }
            _ => return broken("rule 1", "the update service did not say that it rests"),
        }
        book.ending = Some((id.clone(), look.session.access, false));
        let picture = picture.clone();
        let Some(said) = self.records.takes(number, id) else {
            return broken("I12", "no record was written before it");
        };
        let is_here = self.is_mixed_up() || said.ilo == host(self.name_of(number));
        let is_theirs =
            said.owner.eq_ignore_ascii_case(&look.session.owner) && said.origin == Some(look.session.origin);
        if !is_here || lacks.is_none() && !is_theirs {
            return broken("I12", "its record is about another one");
        }
        self.books[number].ended_by.push(said.rule);
        self.within_caps(now, number, &picture)?;
        let is_blind = !self.shows_the_future(number, site, &picture);
        // A use that a clock which was set back shows as the one before is no change that anybody could see.
        let judged = if self.books[number].is_moved() { &planned } else { &look.session };
        self.lets_go((now, number), site, &picture, (judged, is_blind, lacks))
    }

    /// Whether somebody shows a time that is still to come, where nobody has seen the clock go back: then no time
    /// there is sound, and everybody can know.
    fn shows_the_future(&self, number: usize, site: &Site, picture: &super::Picture) -> bool {
        let book = &self.books[number];
        let is_unseen = book.clock_set == book.blind_until && book.first_told_at > book.clock_set;
        let Some(set) = book.blind_until.filter(|_| is_unseen && book.host_set.is_none() && book.doubted_at.is_none())
        else {
            return false;
        };
        let latest_s = site.ilo.clock(picture.at).epoch_s() + i64::try_from(TOLERATED.as_secs()).unwrap_or(i64::MAX);
        picture.sessions.iter().any(|session| {
            session.login <= set
                && session.login_shown.max(session.access_shown).epoch_s() > latest_s
                && !self.records.suspects(&host(number), &session.id)
        })
    }

    /// One of the configurations that may be in force lets it go, by true times.
    fn lets_go(
        &self,
        (now, number): (Moment, usize),
        site: &Site,
        picture: &super::Picture,
        (session, is_blind, lacks): (&Session, bool, Option<&'static str>),
    ) -> Result<(), (&'static str, String)> {
        // Where everybody can know that no time is sound, nothing is excused.
        let nobody = BTreeSet::new();
        let case = Case {
            picture,
            session,
            now,
            host_ahead_s: self.host_ahead_s,
            longest_gap: self.books[number].longest_gap(&session.id),
            ended_by: &self.books[number].ended_by,
            blind_until: self.books[number].blind_until.filter(|_| is_blind),
            refused_full: self.books[number].refused_full.is_some(),
            are_times_doubted: self.books[number].is_moved()
                || site.script.date_ahead_s != 0
                || self.books[number].strangers.contains(&session.id),
            are_pauses_known: self.books[number].are_pauses_known() && site.script.date_ahead_s == 0,
            lacks,
            unknowable: if is_blind { &self.books[number].unknowable } else { &nobody },
            drift: Duration::from_secs(self.books[number].drift_s),
        };
        let mut why = ("rule 9", String::from("nothing is in force"));
        for one in self.perhaps_in_force(now) {
            for (name, place) in one.config.places.iter().enumerate() {
                let Some(group) = one.config.members[name].filter(|_| *place == number) else { continue };
                let group = &one.config.groups[group];
                if !(group.enforces || self.is_swept(name)) || one.observes {
                    why = ("I6", String::from("it is only to be observed"));
                    continue;
                }
                match truth::lets_go(&case, &one.config, group) {
                    Ok(()) => return Ok(()),
                    Err(broken) => why = broken,
                }
            }
        }
        Err(why)
    }

    /// Whether a session is of an account of ours that may be in force: nobody ends it but as a stray.
    pub(super) fn is_of_our_account(&self, now: Moment, number: usize, session: &Session) -> bool {
        self.perhaps_in_force(now).any(|one| one.is_of_our_account(number, session))
    }

    fn within_caps(
        &mut self,
        now: Moment,
        number: usize,
        picture: &super::Picture,
    ) -> Result<(), (&'static str, String)> {
        let most =
            |cap: fn(&ConfigScript) -> usize| self.perhaps_in_force(now).map(|one| cap(&one.config)).max().unwrap_or(0);
        let is_ours = |session: &&Session| self.is_of_our_account(now, number, session);
        let others = picture.sessions.iter().filter(|session| !is_ours(session)).count();
        let others = others + picture.ghosts;
        let in_visit = self.books[number].ended_by.len();
        let in_minute = self.ended.iter().filter(|(at, _)| now.since(*at) < Duration::from_secs(60));
        let (here, all) = (in_minute.clone().filter(|(_, ilo)| *ilo == number).count() + 1, in_minute.count() + 1);
        let (per_visit, per_ilo) = (most(|config| config.per_visit), most(|config| config.per_ilo_minute));
        let per_minute = most(|config| config.per_minute);
        let share = most(|config| usize::from(config.share_percent));
        for (what, is, may_be) in [
            ("in one visit", in_visit, per_visit),
            ("of those seen", in_visit, (others * share / 100).max(1)),
            ("here in a minute", if self.is_mixed_up() { 0 } else { here }, per_ilo),
            ("everywhere in a minute", all, per_minute),
        ] {
            if is > may_be {
                return Err(("I5", format!("{is} {what}, where {may_be} may go")));
            }
        }
        self.counts.ended += 1;
        self.ended.retain(|(at, _)| now.since(*at) < Duration::from_secs(60));
        self.ended.push((now, number));
        Ok(())
    }
}

impl InForce {
    pub(super) fn is_of_our_account(&self, number: usize, session: &Session) -> bool {
        account(&self.config, number).is_some_and(|account| session.owner.eq_ignore_ascii_case(account))
    }
}

/// Our account on an iLO.
fn account(config: &ConfigScript, number: usize) -> Option<&'static str> {
    let name = config.places.iter().position(|place| *place == number)?;
    Some(ACCOUNTS[config.groups[config.members[name]?].account])
}

/// What is not the same on both looks, as an iLO shows it.
fn change(planned: &Session, looked: &Session) -> Option<&'static str> {
    [
        ("login", planned.login_shown != looked.login_shown),
        ("access", planned.access_shown != looked.access_shown),
        ("owner", !planned.owner.eq_ignore_ascii_case(&looked.owner)),
        ("origin", planned.origin != looked.origin),
        ("kind", planned.tag != looked.tag),
        ("user type", planned.user_type != looked.user_type),
    ]
    .into_iter()
    .find(|(_, changed)| *changed)
    .map(|(what, _)| what)
}
