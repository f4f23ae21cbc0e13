//! The real transport: a line to each iLO, by reqwest on rustls or by hyper on openssl.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};

use super::failure::Failure;
use super::modern::Modern;
use super::remedy;
use super::tls::Mint;
use super::transport::{BODY_BYTES_MAX, ExchangeError, Patience, Peer, Transport};
use crate::event::Cause;
use crate::settings::{Authority, Fingerprint, Trust};

#[cfg(feature = "legacy-tls")]
use super::legacy::{Legacy, Old};

/// How long an idle connection is kept: more than the default poll interval, so that a calm iLO is
/// not asked for a TLS handshake each minute.
pub(super) const IDLE_CONNECTION: Duration = Duration::from_secs(75);

/// Who we say that we are.
pub(super) const USER_AGENT: &str = concat!("ilo-reaper/", env!("CARGO_PKG_VERSION"));

/// HTTPS to iLOs. Copies share connections.
#[derive(Clone, Default)]
pub struct Https(Arc<Shared>);

#[derive(Default)]
struct Shared {
    mint: Mint,
    #[cfg(feature = "legacy-tls")]
    old: Old,
    /// One line per name and port. With it go its kept connection and the sessions that could be resumed.
    lines: Mutex<HashMap<Authority, Line>>,
}

/// The way to one iLO, under one trust.
struct Line {
    trust: Trust,
    legacy: bool,
    /// Whether the configuration in force says so. Nobody then speaks under another trust there.
    is_settled: bool,
    way: Option<Way>,
    /// Set when this trust is over: a connection that is just being made is not used any more.
    over: Over,
}

impl Line {
    fn is_for(&self, peer: &Peer) -> bool {
        self.trust.takes_the_same(&peer.trust) && self.legacy == peer.legacy
    }
}

/// Whether a trust is over.
#[derive(Clone, Debug, Default)]
pub(super) struct Over(Arc<AtomicBool>);

impl Over {
    fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// To be asked between a handshake and the request.
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

#[derive(Clone)]
enum Way {
    Modern(Modern),
    #[cfg(feature = "legacy-tls")]
    Legacy(Legacy),
}

/// What an iLO shows to whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The certificate. Its key was proven.
    pub fingerprint: Fingerprint,
    /// Whether only old TLS got that far.
    pub needs_legacy: bool,
}

impl Https {
    /// No connections yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks which certificate is shown, and sends nothing. Whom to trust is not asked.
    pub async fn look(&self, peer: &Peer, connect: Duration) -> Result<Shown, ExchangeError> {
        if !peer.legacy {
            match Modern::glimpse(&self.0.mint, peer, connect).await {
                Ok(fingerprint) => return Ok(Shown { fingerprint, needs_legacy: false }),
                Err(failure) if failure.is_old() && cfg!(feature = "legacy-tls") => {}
                Err(failure) => return Err(failure.told(peer)),
            }
        }
        #[cfg(feature = "legacy-tls")]
        return match self.0.old.glimpse(peer, connect).await {
            Ok(fingerprint) => Ok(Shown { fingerprint, needs_legacy: true }),
            Err(failure) => Err(failure.told(&Peer { legacy: true, ..peer.clone() })),
        };
        #[cfg(not(feature = "legacy-tls"))]
        Err(no_legacy())
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<Authority, Line>> {
        self.0.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn way(&self, peer: &Peer) -> Result<(Way, Over), ExchangeError> {
        let mut lines = self.lines();
        let mut is_settled = false;
        if let Some(line) = lines.get_mut(&peer.authority) {
            match &line.way {
                Some(way) if line.is_for(peer) => return Ok((way.clone(), line.over.clone())),
                _ if line.is_settled && !line.is_for(peer) => return Err(no_more()),
                _ => {}
            }
            is_settled = line.is_settled;
            // What another trust has opened goes first: what follows may fail.
            line.over.set();
            line.way = None;
        }
        let (way, over) = (self.open(peer)?, Over::default());
        let (trust, legacy) = (peer.trust.clone(), peer.legacy);
        let line = Line { trust, legacy, is_settled, way: Some(way.clone()), over: over.clone() };
        lines.insert(peer.authority.clone(), line);
        Ok((way, over))
    }

    fn open(&self, peer: &Peer) -> Result<Way, ExchangeError> {
        if peer.trust == Trust::Unknown {
            return Err(ExchangeError::Failed(Cause::Tls, remedy::unknown(peer)));
        }
        // No certificate can name one: whatever an authority signed would be for somebody else.
        if peer.authority.host.contains('%') && matches!(peer.trust, Trust::Roots(_)) {
            let detail = "no certificate is for an address with a zone; use `tls: known` or a pin there";
            return Err(ExchangeError::Failed(Cause::Tls, detail.to_owned()));
        }
        if peer.legacy {
            #[cfg(feature = "legacy-tls")]
            return self.0.old.way(peer).map(Way::Legacy).map_err(|failure| failure.told(peer));
            #[cfg(not(feature = "legacy-tls"))]
            return Err(no_legacy());
        }
        Modern::new(&self.0.mint, peer).map(Way::Modern).map_err(|failure| failure.told(peer))
    }
}

/// What is said then.
pub(super) const OVER: &str = "the configuration changed whom to trust there while this visit was on its way";

fn no_more() -> ExchangeError {
    ExchangeError::Failed(Cause::Tls, OVER.to_owned())
}

#[cfg(not(feature = "legacy-tls"))]
fn no_legacy() -> ExchangeError {
    ExchangeError::Failed(Cause::Tls, String::from("this build has no old TLS (feature legacy-tls)"))
}

impl Transport for Https {
    async fn exchange(
        &self,
        peer: &Peer,
        request: Request<Bytes>,
        patience: Patience,
    ) -> Result<Response<Bytes>, ExchangeError> {
        let (way, over) = self.way(peer)?;
        let exchange = async {
            match &way {
                Way::Modern(way) => way.exchange(peer, request, (patience.connect, over)).await,
                #[cfg(feature = "legacy-tls")]
                Way::Legacy(way) => way.exchange(peer, request, (patience.connect, &over)).await,
            }
        };
        let answered = tokio::time::timeout(patience.total, exchange).await.unwrap_or_else(|_| {
            let detail = format!("no whole answer within {} s", patience.total.as_secs_f32());
            Err(Failure::new(Cause::Timeout, detail))
        });
        answered.map_err(|failure| failure.told(peer))
    }

    fn settle(&self, peers: Vec<Peer>) {
        let mut lines = self.lines();
        let mut before = std::mem::take(&mut *lines);
        for peer in peers {
            // What is not taken over is closed below, with its connection.
            let kept = match before.remove(&peer.authority) {
                Some(line) if line.is_for(&peer) => Some((line.way, line.over)),
                Some(line) => {
                    line.over.set();
                    None
                }
                None => None,
            };
            let (way, over) = kept.unwrap_or_default();
            let Peer { authority, trust, legacy, .. } = peer;
            lines.insert(authority, Line { trust, legacy, is_settled: true, way, over });
        }
        drop(lines);
        // Who leaves may come back under another trust while a handshake is on its way.
        for line in before.into_values() {
            line.over.set();
        }
    }
}

/// The body of an answer so far.
#[derive(Default)]
pub(super) struct Body(BytesMut);

impl Body {
    /// Takes a piece, unless it gets too long.
    pub(super) fn take(&mut self, piece: &[u8]) -> Result<(), Failure> {
        if self.0.len() + piece.len() > BODY_BYTES_MAX {
            let detail = format!("the answer is longer than {BODY_BYTES_MAX} bytes");
            return Err(Failure::new(Cause::Nonsense, detail));
        }
        self.0.extend_from_slice(piece);
        Ok(())
    }

    /// All of it.
    pub(super) fn whole(self) -> Bytes {
        self.0.freeze()
    }
}

#[cfg(test)]
mod tests;
