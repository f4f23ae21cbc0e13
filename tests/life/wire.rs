//! The wire between the daemon and the iLOs: the first seam, with everything that can go wrong on it.

use std::future::pending;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use ilo_reaper::event::Cause;
use ilo_reaper::redfish::{ExchangeError, Patience, Peer, Transport};
use ilo_reaper::settings::Trust;
use ilo_sim::Moment;
use tokio::time::{Instant, sleep, sleep_until};

use crate::config::certificate;
use crate::deeds;
use crate::oracle::Truth;
use crate::script::{CrashAt, Fault, On, Phase};
use crate::spoil;
use crate::trail::Step;
use crate::world::{Inner, Straggler, World, take, take_each};

/// The wire as one life of the daemon has it.
#[derive(Clone)]
pub(crate) struct Wire {
    pub(crate) world: World,
    pub(crate) life: u64,
}

/// How an exchange goes on.
enum Departure {
    /// The daemon is dead.
    Dead,
    /// It fails after so long.
    Fails(Duration, ExchangeError),
    /// It travels.
    Travels(Trip),
}

/// A request on its way.
#[derive(Clone, Copy)]
struct Trip {
    site: usize,
    on: On,
    there: Duration,
    back: Duration,
    /// How long the iLO keeps it before it handles it.
    kept: Duration,
    fault: Option<Fault>,
}

/// What comes back, and how long the iLO takes for it; `None` is never.
struct Answer {
    result: Result<Response<Bytes>, ExchangeError>,
    after: Option<Duration>,
    truth: Truth,
}

/// One exchange under way, until it is answered or nobody waits for it any more.
struct UnderWay<'a>(&'a Wire, Option<(usize, On)>);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some((site, on)) = self.1 {
            self.0.world.lock().oracle.left(self.0.life, site, on);
        }
    }
}

impl Transport for Wire {
    async fn exchange(
        &self,
        peer: &Peer,
        request: Request<Bytes>,
        patience: Patience,
    ) -> Result<Response<Bytes>, ExchangeError> {
        let deadline = Instant::now() + patience.total;
        let sent = self.world.now(&self.world.lock());
        let mut under_way = UnderWay(self, None);
        let trip = match self.depart(peer, &request, patience, &mut under_way.1) {
            Departure::Dead => return pending().await,
            Departure::Fails(after, error) => {
                sleep(after.min(patience.total)).await;
                return Err(error);
            }
            Departure::Travels(trip) => trip,
        };
        if trip.there > patience.total {
            sleep_until(deadline).await;
            return Err(timeout());
        }
        sleep(trip.there).await;
        let Some(answer) = self.arrive(trip, &request) else { return pending().await };
        match answer.after.map(|after| Instant::now() + after + trip.back) {
            Some(at) if at <= deadline => {
                sleep_until(at).await;
                if let Ok(response) = &answer.result {
                    self.told(trip, sent, response, &answer.truth);
                }
                answer.result
            }
            _ => {
                sleep_until(deadline).await;
                Err(timeout())
            }
        }
    }
}

impl Wire {
    /// A request leaves the host.
    fn depart(
        &self,
        peer: &Peer,
        request: &Request<Bytes>,
        patience: Patience,
        under_way: &mut Option<(usize, On)>,
    ) -> Departure {
        let on = On::of(request.method(), request.uri().path());
        let mut inner = self.world.lock();
        if inner.alive != Some(self.life) {
            return Departure::Dead;
        }
        let now = self.world.now(&inner);
        let Some(site) = inner.site_at(&peer.authority.host).filter(|_| peer.authority.port == 443) else {
            let what = format!("a request to {}, which is not configured", peer.authority);
            inner.oracle.breaks("I10", what);
            return Departure::Dead;
        };
        *under_way = Some((site, on));
        let Inner { oracle, sites, .. } = &mut *inner;
        oracle.departs(now, site, &sites[site], on, request);
        if inner.crash.is_some_and(|crash| matches!(crash, CrashAt::Exchange(when, Phase::Unsent) if when.fits(on))) {
            inner.die(&self.world.urgent);
            return Departure::Dead;
        }
        let way_ms = inner.sites[site].script.way_ms;
        let ways = &mut inner.sites[site].ways;
        let (there, back) = (Duration::from_millis(ways.within(way_ms)), Duration::from_millis(ways.within(way_ms)));
        if inner.sites[site].script.is_dead {
            return Departure::Fails(patience.total, timeout());
        }
        let recertified = inner.sites[site].is_recertified;
        let tells_secrets = on == On::Login || request.headers().contains_key("x-auth-token");
        if tells_secrets && inner.oracle.is_pinned(now, site) && peer.trust != Trust::Pin(certificate(site, false)) {
            let what = format!("ilo-{site:02} is pinned, and gets a secret without proof of who it is");
            inner.oracle.breaks("rule 8", what);
        }
        if let Trust::Pin(expected) = peer.trust
            && (recertified || expected != certificate(site, false))
        {
            let found = certificate(site, recertified);
            return Departure::Fails(there, ExchangeError::CertificateChanged { expected, found });
        }
        let fault = take(&mut inner.sites[site].meets, on);
        let kept = match on {
            On::Login if inner.sites[site].script.admits_late => inner.sites[site].ilo.login_delay(),
            _ => Duration::ZERO,
        };
        let mut trip = Trip { site, on, there: there + kept, back, kept, fault };
        if let Some((after, cause, what)) = fault.and_then(|fault| failure(fault, there, patience)) {
            self.note(&mut inner, trip, request, None, Some(format!("{fault:?}")));
            return Departure::Fails(after, ExchangeError::Failed(cause, what.to_owned()));
        }
        if let Some(Fault::Late { ms }) = fault {
            trip.there += Duration::from_millis(ms);
        }
        let dies =
            inner.crash.is_some_and(|crash| matches!(crash, CrashAt::Exchange(when, Phase::Sent) if when.fits(on)));
        if dies || trip.there > patience.total {
            let at = Instant::now() + trip.there;
            inner.stragglers.push(Straggler { at, site, life: self.life, request: request.clone() });
            self.world.urgent.notify_one();
        }
        if dies {
            inner.die(&self.world.urgent);
            return Departure::Dead;
        }
        Departure::Travels(trip)
    }

    /// It reaches its iLO.
    fn arrive(&self, trip: Trip, request: &Request<Bytes>) -> Option<Answer> {
        let mut inner = self.world.lock();
        if inner.alive != Some(self.life) {
            return None;
        }
        let answer = self.served(&mut inner, trip, request);
        if inner.crash.is_some_and(|crash| matches!(crash, CrashAt::Exchange(when, Phase::Done) if when.fits(trip.on)))
        {
            inner.die(&self.world.urgent);
            return None;
        }
        Some(answer)
    }

    /// A request arrives that nobody waits for.
    pub(crate) fn arrive_late(&self, site: usize, request: &Request<Bytes>) {
        let on = On::of(request.method(), request.uri().path());
        let now = Duration::ZERO;
        let trip = Trip { site, on, there: now, back: now, kept: now, fault: Some(Fault::Silence) };
        self.served(&mut self.world.lock(), trip, request);
    }

    fn served(&self, inner: &mut Inner, trip: Trip, request: &Request<Bytes>) -> Answer {
        let now = self.world.now(inner);
        for deed in take_each(&mut inner.sites[trip.site].betweens, trip.on) {
            deeds::happen(inner, now, trip.site, request, deed);
            self.world.urgent.notify_one();
        }
        let spoiled = spoil::serve(&mut inner.sites[trip.site], now, trip.on, trip.fault, request);
        let status = spoiled.response.as_ref().map(|response| response.status().as_u16());
        self.note(inner, trip, request, status, trip.fault.map(|fault| format!("{fault:?}")));
        let Inner { oracle, sites, .. } = &mut *inner;
        oracle.arrived(now, trip.site, &sites[trip.site], trip.on, &spoiled.truth);
        let after = spoiled.after.map(|after| after.saturating_sub(trip.kept));
        Answer { result: spoiled.response.ok_or_else(closed), after, truth: spoiled.truth }
    }

    /// The answer is there.
    fn told(&self, trip: Trip, sent: Moment, response: &Response<Bytes>, truth: &Truth) {
        let mut inner = self.world.lock();
        if inner.alive == Some(self.life) {
            let now = self.world.now(&inner);
            let Inner { oracle, sites, .. } = &mut *inner;
            oracle.told(now, (trip.site, &sites[trip.site]), (trip.on, sent), (response, truth));
        }
    }

    fn note(&self, inner: &mut Inner, trip: Trip, request: &Request<Bytes>, status: Option<u16>, note: Option<String>) {
        let path = request.uri().path_and_query().map_or_else(String::new, ToString::to_string);
        let method = request.method().clone();
        let at_ms = u64::try_from(self.world.ran().as_millis()).expect("a life is short");
        inner.trail.step(at_ms, Step::Exchange { ilo: trip.site, method, path, status, note });
    }
}

/// Faults that let nothing through: how long they take, and what they are.
fn failure(fault: Fault, there: Duration, patience: Patience) -> Option<(Duration, Cause, &'static str)> {
    match fault {
        Fault::NoDns => Some((there, Cause::Dns, "its name has no address")),
        Fault::Refused => Some((there, Cause::Refused, "connection refused")),
        Fault::NoTls => Some((there, Cause::Tls, "no handshake")),
        Fault::ResetBefore => Some((there, Cause::Http, "the connection was reset")),
        Fault::BlackHole => Some((patience.connect, Cause::Timeout, "no connection in time")),
        _ => None,
    }
}

fn timeout() -> ExchangeError {
    ExchangeError::Failed(Cause::Timeout, String::from("no answer in time"))
}

fn closed() -> ExchangeError {
    ExchangeError::Failed(Cause::Http, String::from("the connection was closed"))
}
