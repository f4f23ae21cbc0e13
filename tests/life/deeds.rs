//! What the world does between two requests: somebody comes back at the worst moment.

use std::net::IpAddr;

use bytes::Bytes;
use http::Request;
use ilo_sim::{Moment, SessionId, SessionSpec};

use crate::script::Deed;
use crate::world::{ACCOUNTS, Inner, OURS, Site, US};

/// Who takes what becomes free.
const STRANGER: &str = "carol";
const STRANGER_AT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 77));

/// It happens just before the iLO handles this request.
pub(crate) fn happen(inner: &mut Inner, now: Moment, number: usize, request: &Request<Bytes>, deed: Deed) {
    let path = request.uri().path().trim_end_matches('/');
    let id = SessionId::from(path.rsplit('/').next().unwrap_or_default());
    let site = &mut inner.sites[number];
    let is_theirs = |id: &SessionId| site.ilo.session(id, now).is_some_and(|session| !is_ours(&session.owner));
    match deed {
        Deed::Use if is_theirs(&id) => {
            site.ilo.touch(&id, now);
            inner.oracle.came_back(number, &id);
        }
        Deed::Use => {
            let all: Vec<SessionId> =
                site.ilo.sessions(now).filter(|one| !is_ours(&one.owner)).map(|one| one.id.clone()).collect();
            for id in all {
                site.ilo.touch(&id, now);
            }
        }
        Deed::End if is_theirs(&id) => {
            site.ilo.end(&id);
        }
        Deed::Reuse if is_theirs(&id) => {
            site.ilo.admit_as(&id, now, SessionSpec::rest(STRANGER, STRANGER_AT));
            inner.oracle.came_back(number, &id);
        }
        Deed::End | Deed::Reuse => {}
        Deed::Fill => {
            while site.ilo.sessions(now).count() < site.script.limit {
                site.ilo.admit(now, SessionSpec::rest(STRANGER, STRANGER_AT));
            }
        }
        Deed::Twin => {
            site.ilo.admit(now, SessionSpec::rest(OURS, US));
        }
        Deed::EndOurs => {
            for id in ours(site, now) {
                site.ilo.end(&id);
            }
        }
        Deed::ReuseOurs => {
            for id in ours(site, now) {
                site.ilo.admit_as(&id, now, SessionSpec::rest(STRANGER, STRANGER_AT));
            }
        }
        Deed::Flash => {
            site.flash(true);
            inner.orders.push_back((deed, number));
        }
        Deed::Sleep { for_s } => inner.sleeps(now, for_s),
        Deed::Stand { for_s } => inner.stands(now, for_s),
        Deed::Observe | Deed::Protect | Deed::Mistype | Deed::Stop | Deed::Pause => {
            inner.orders.push_back((deed, number));
        }
    }
}

fn ours(site: &Site, now: Moment) -> Vec<SessionId> {
    site.ilo.sessions(now).filter(|one| is_ours(&one.owner)).map(|one| one.id.clone()).collect()
}

fn is_ours(owner: &str) -> bool {
    ACCOUNTS.contains(&owner)
}
