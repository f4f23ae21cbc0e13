//! Both adapters against a server that does as it is told, over real sockets.

mod server;

use std::io::Read;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, date_time_ymd};

use self::server::Act::{Answer, AnswerAndLeave, Vanish};
use self::server::{Identity, Server, key, own};
use super::*;
use crate::settings::{IloName, Roots};

const PATIENCE: Patience = Patience { connect: Duration::from_secs(5), total: Duration::from_secs(15) };

fn adapters() -> impl Iterator<Item = bool> {
    [false, true].into_iter().filter(|legacy| !legacy || cfg!(feature = "legacy-tls"))
}

async fn ask(https: &Https, peer: &Peer, method: Method, path: &str) -> Result<Bytes, ExchangeError> {
    let body = if method == Method::POST { Bytes::from_static(b"{\"Password\":\"x\"}") } else { Bytes::new() };
    let request = Request::builder().method(method).uri(path).body(body).expect("a request");
    https.exchange(peer, request, PATIENCE).await.map(Response::into_body)
}

fn tls_failure(asked: Result<Bytes, ExchangeError>) -> String {
    match asked {
        Err(ExchangeError::Failed(Cause::Tls, detail)) => detail,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn one_connection_is_kept_whatever_each_exchange_may_wait_for() {
    for legacy in adapters() {
        let identity = own();
        let mut server = Server::start(&identity, [&[Answer; 3]]);
        let (https, peer) = (Https::new(), server.peer(Trust::Pin(identity.fingerprint()), legacy));
        assert_eq!(ask(&https, &peer, Method::GET, "/a").await, Ok(Bytes::from_static(b"{}")));
        let swift = Patience { connect: Duration::from_secs(1), ..PATIENCE };
        let request = Request::get("/b").body(Bytes::new()).expect("a request");
        assert!(https.clone().exchange(&peer, request, swift).await.is_ok());
        server.told(&["1 full", "1 GET /a", "1 GET /b"]).await;
    }
}

#[tokio::test]
async fn what_is_lost_on_a_kept_connection_is_never_sent_again() {
    for legacy in adapters() {
        for method in [Method::POST, Method::DELETE, Method::GET] {
            let identity = own();
            let mut server = Server::start(&identity, [&[Answer, Vanish], &[Answer, Vanish], &[Answer]]);
            let (https, peer) = (Https::new(), server.peer(Trust::Pin(identity.fingerprint()), legacy));
            assert!(ask(&https, &peer, Method::GET, "/a").await.is_ok());
            let lost = ask(&https, &peer, method.clone(), "/b").await;
            assert!(matches!(lost, Err(ExchangeError::Failed(Cause::Refused, _))), "{lost:?}");
            assert!(ask(&https, &peer, Method::GET, "/c").await.is_ok());
            let again = format!("1 {method} /b");
            let kind = if legacy { "2 full" } else { "2 resumed" };
            server.told(&["1 full", "1 GET /a", &again, "1 closed", kind, "2 GET /c"]).await;
        }
    }
}

#[tokio::test]
async fn what_is_lost_on_a_new_connection_is_never_sent_again() {
    for legacy in adapters() {
        for method in [Method::POST, Method::DELETE] {
            let identity = own();
            let mut server = Server::start(&identity, [&[Vanish], &[Answer]]);
            let (https, peer) = (Https::new(), server.peer(Trust::Pin(identity.fingerprint()), legacy));
            assert!(ask(&https, &peer, method.clone(), "/b").await.is_err());
            server.told(&["1 full", &format!("1 {method} /b"), "1 closed"]).await;
            server.tells_no_more();
        }
    }
}

#[tokio::test]
async fn a_connection_that_ended_while_it_was_kept_carries_nothing() {
    for legacy in adapters() {
        let identity = own();
        let mut server = Server::start(&identity, [&[AnswerAndLeave], &[Answer], &[Answer]]);
        let (https, peer) = (Https::new(), server.peer(Trust::Pin(identity.fingerprint()), legacy));
        assert!(ask(&https, &peer, Method::GET, "/a").await.is_ok());
        server.told(&["1 full", "1 GET /a", "1 closed"]).await;
        // Whether we hear of the end in time is chance; a second sending is not.
        let sent = ask(&https, &peer, Method::POST, "/b").await;
        if sent.is_ok() {
            server.told(&[if legacy { "2 full" } else { "2 resumed" }, "2 POST /b"]).await;
        }
        server.tells_no_more();
    }
}

#[tokio::test]
async fn a_wrong_pin_sends_nothing_and_a_right_one_afterwards_begins_anew() {
    for legacy in adapters() {
        let (identity, other) = (own(), own().fingerprint());
        let mut server = Server::start(&identity, [&[Answer; 2], &[], &[Answer]]);
        let (https, found) = (Https::new(), identity.fingerprint());
        let peer = server.peer(Trust::Pin(found), legacy);
        assert!(ask(&https, &peer, Method::GET, "/a").await.is_ok());
        server.told(&["1 full", "1 GET /a"]).await;
        let wrong = Peer { trust: Trust::Known(other, None), ..peer.clone() };
        let refused = ask(&https, &wrong, Method::POST, "/b").await;
        assert_eq!(refused, Err(ExchangeError::CertificateChanged { expected: other, found }));
        // The kept connection is closed, too, before or after the second is refused.
        let mut ends = [server.told.recv().await, server.told.recv().await].map(Option::unwrap_or_default);
        ends.sort();
        assert_eq!(ends, ["1 closed", "2 cut"]);
        assert!(ask(&https, &peer, Method::GET, "/c").await.is_ok());
        server.told(&["3 full", "3 GET /c"]).await;
    }
}

#[tokio::test]
async fn a_trust_that_the_configuration_changes_closes_what_it_had_opened_at_once() {
    for legacy in adapters() {
        let identity = own();
        let mut server = Server::start(&identity, [&[Answer; 2], &[Answer; 2]]);
        let https = Https::new();
        let peer = server.peer(Trust::Pin(identity.fingerprint()), legacy);
        https.settle(vec![peer.clone()]);
        assert!(ask(&https, &peer, Method::GET, "/a").await.is_ok());
        https.settle(vec![peer.clone()]);
        assert!(ask(&https, &peer, Method::GET, "/b").await.is_ok());
        server.told(&["1 full", "1 GET /a", "1 GET /b"]).await;

        let anew = Peer { trust: Trust::Insecure, ..peer.clone() };
        https.settle(vec![anew.clone()]);
        server.told(&["1 closed"]).await;
        let late = tls_failure(ask(&https, &peer, Method::DELETE, "/c").await);
        assert!(late.contains("the configuration changed whom to trust there"), "{late}");
        assert!(ask(&https, &anew, Method::GET, "/d").await.is_ok());
        server.told(&["2 full", "2 GET /d"]).await;
        https.settle(Vec::new());
        server.told(&["2 closed"]).await;
    }
}

#[tokio::test]
async fn whoever_shows_a_certificate_without_its_key_gets_nothing() {
    for legacy in adapters() {
        let key = key();
        let stolen = CertificateParams::new([String::from("ILOTEST")]).expect("a name");
        let thief = Identity::new(&stolen.self_signed(&key).expect("signed"), &server::key());
        let mut server = Server::start(&thief, [&[Answer], &[Answer]]);
        let peer = server.peer(Trust::Pin(thief.fingerprint()), legacy);
        tls_failure(ask(&Https::new(), &peer, Method::POST, "/a").await);
        server.told(&["1 cut"]).await;
        assert!(Https::new().look(&peer, PATIENCE.connect).await.is_err());
    }
}

#[tokio::test]
async fn a_look_sends_nothing() {
    for legacy in adapters() {
        let identity = own();
        let mut server = Server::start(&identity, [&[Answer]]);
        let shown = Https::new().look(&server.peer(Trust::Unknown, legacy), PATIENCE.connect).await;
        assert_eq!(shown, Ok(Shown { fingerprint: identity.fingerprint(), needs_legacy: legacy }));
        server.told(&["1 cut"]).await;
    }
}

#[tokio::test]
async fn an_unknown_ilo_is_not_even_connected_to() {
    for legacy in adapters() {
        let mut server = Server::start(&own(), [&[Answer]]);
        let peer = server.peer(Trust::Unknown, legacy);
        let detail = tls_failure(ask(&Https::new(), &peer, Method::GET, "/a").await);
        assert!(detail.contains("`ilo-reaper trust r1 --write`"), "{detail}");
        server.tells_no_more();
    }
}

#[tokio::test]
async fn who_says_nothing_is_not_waited_for() {
    for legacy in adapters() {
        let silent = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let authority = Authority { host: String::from("127.0.0.1"), port: silent.local_addr().expect("bound").port() };
        let peer = Peer { name: IloName::new("r1"), authority, trust: Trust::Insecure, legacy };
        let patience = Patience { connect: Duration::from_millis(50), ..PATIENCE };
        let request = Request::get("/").body(Bytes::new()).expect("a request");
        let waited = Https::new().exchange(&peer, request, patience).await;
        let Err(ExchangeError::Failed(Cause::Timeout, detail)) = waited else { panic!("{waited:?}") };
        assert!(detail.contains("no connection within 0.05 s"), "{detail}");
    }
}

#[tokio::test]
async fn who_hangs_up_on_new_tls_may_be_old() {
    let rude = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let authority = Authority { host: String::from("127.0.0.1"), port: rude.local_addr().expect("bound").port() };
    thread::spawn(move || {
        while let Ok((mut socket, _)) = rude.accept() {
            let _hello = socket.read(&mut [0; 4096]);
        }
    });
    let trust = Trust::Known(Fingerprint([1; 32]), None);
    for legacy in adapters() {
        let peer = Peer { name: IloName::new("r1"), authority: authority.clone(), trust: trust.clone(), legacy };
        let detail = tls_failure(ask(&Https::new(), &peer, Method::GET, "/a").await);
        assert_eq!(detail.contains("`tls: { trust: known, legacy: true }`"), !legacy, "{detail}");
    }
}

/// An authority of a name, and a certificate by it with that name, good until this year.
fn signed(authority: &str, name: &str, until: i32) -> (Arc<Roots>, Identity) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, authority);
    let authority = CertifiedIssuer::self_signed(params, key()).expect("signed");
    let key = key();
    let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
    params.not_after = date_time_ymd(until, 1, 1);
    let identity = Identity::new(&params.signed_by(&key, &authority).expect("signed"), &key);
    (roots(authority.der()), identity)
}

fn roots(der: &[u8]) -> Arc<Roots> {
    Arc::new(Roots { from: String::from("ca.pem"), certificates: vec![der.to_vec()], digest: Fingerprint::of(der) })
}

#[tokio::test]
async fn an_authority_vouches_for_names_and_dates() {
    let (good_roots, good) = signed("ours", "127.0.0.1", 2099);
    let (other_roots, _) = signed("theirs", "127.0.0.1", 2099);
    let (namesake, _) = signed("ours", "127.0.0.1", 2099);
    let (of_named, named) = signed("ours", "ilo-2.example.net", 2099);
    let (of_old, old) = signed("ours", "127.0.0.1", 2020);
    for legacy in adapters() {
        for (roots, identity, expected) in [
            (&good_roots, &good, None),
            (&other_roots, &good, Some("none of the trusted authorities signed its certificate")),
            (&namesake, &good, Some("authorit")),
            (&of_named, &named, Some("its certificate is for other names than 127.0.0.1")),
            (&of_old, &old, Some("its certificate is not good today")),
        ] {
            let mut server = Server::start(identity, [&[Answer]]);
            let peer = server.peer(Trust::Roots(Arc::clone(roots)), legacy);
            let asked = ask(&Https::new(), &peer, Method::GET, "/a").await;
            let Some(expected) = expected else {
                assert!(asked.is_ok(), "{asked:?}");
                server.told(&["1 full", "1 GET /a"]).await;
                continue;
            };
            let detail = tls_failure(asked);
            assert!(detail.contains(expected) && detail.contains("`ilo-reaper trust r1 --write`"), "{detail}");
            server.told(&["1 cut"]).await;
        }
    }
}

#[tokio::test]
async fn a_certificate_that_is_its_own_authority_is_to_be_pinned() {
    let key = key();
    let mut params = CertificateParams::new([String::from("127.0.0.1")]).expect("a name");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).expect("signed");
    let identity = Identity::new(&certificate, &key);
    let server = Server::start(&identity, [&[Answer]]);
    let peer = server.peer(Trust::Roots(roots(certificate.der())), false);
    let detail = tls_failure(ask(&Https::new(), &peer, Method::GET, "/a").await);
    assert!(detail.contains("signed itself as an authority") && detail.contains("tls: known"), "{detail}");
}

/// An address that means something on one of this host's networks alone.
#[tokio::test]
async fn an_address_with_a_zone_is_reached_and_vouched_for_by_no_authority() {
    let (zoned, identity) = (String::from("::1%1"), own());
    for legacy in adapters() {
        let mut server = Server::at("[::1]:0", &identity, [&[Answer]]);
        let mut peer = server.peer(Trust::Pin(identity.fingerprint()), legacy);
        peer.authority.host.clone_from(&zoned);
        assert_eq!(ask(&Https::new(), &peer, Method::GET, "/a").await, Ok(Bytes::from_static(b"{}")));
        server.told(&["1 full", "1 GET /a"]).await;
        let (roots, _) = signed("ours", "zoned.invalid", 2099);
        let refused =
            tls_failure(ask(&Https::new(), &Peer { trust: Trust::Roots(roots), ..peer }, Method::GET, "/a").await);
        assert!(refused.contains("with a zone"), "{refused}");
    }
}

/// The configuration changes while a handshake is on its way; once by taking the iLO out and in again.
#[tokio::test]
async fn a_trust_that_ends_during_a_handshake_sends_nothing() {
    for (legacy, leaves) in adapters().flat_map(|legacy| [(legacy, false), (legacy, true)]) {
        let identity = own();
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let authority =
            Authority { host: String::from("127.0.0.1"), port: listener.local_addr().expect("bound").port() };
        let peer = Peer { name: IloName::new("r1"), authority, trust: Trust::Pin(identity.fingerprint()), legacy };
        let https = Https::new();
        https.settle(vec![peer.clone()]);
        let (flying, asking) = (https.clone(), peer.clone());
        let asked = tokio::spawn(async move { ask(&flying, &asking, Method::POST, "/login").await });
        let accepted = tokio::task::spawn_blocking(move || listener.accept()).await.expect("no panic");
        if leaves {
            https.settle(Vec::new());
        }
        https.settle(vec![Peer { trust: Trust::Pin(Fingerprint([9; 32])), ..peer }]);
        let mut server = Server::on(accepted.expect("it connects").0, &identity, &[Answer]);
        let answer = asked.await.expect("no panic");
        assert!(matches!(answer, Err(ExchangeError::Failed(..))), "{answer:?}");
        let told = server.told.recv().await;
        assert!(matches!(told.as_deref(), Some("1 closed" | "1 cut")), "{told:?}");
    }
}

#[tokio::test]
async fn whom_nobody_knows_stays_so_whoever_asks_next() {
    for legacy in adapters() {
        let identity = own();
        let mut server = Server::start(&identity, [&[Answer]]);
        let https = Https::new();
        let before = server.peer(Trust::Pin(identity.fingerprint()), legacy);
        let now = Peer { trust: Trust::Unknown, ..before.clone() };
        https.settle(vec![now.clone()]);
        for peer in [&before, &now, &before] {
            assert!(ask(&https, peer, Method::POST, "/login").await.is_err());
        }
        server.tells_no_more();
    }
}

/// As long as no configuration has settled whom to trust, the last word counts, also where it opens nothing.
#[tokio::test]
async fn a_trust_that_can_open_nothing_closes_what_the_one_before_had_opened() {
    for legacy in adapters() {
        let identity = own();
        let mut server = Server::start(&identity, [&[Answer; 2], &[Answer]]);
        let (https, known) = (Https::new(), server.peer(Trust::Pin(identity.fingerprint()), legacy));
        assert!(ask(&https, &known, Method::GET, "/a").await.is_ok());
        server.told(&["1 full", "1 GET /a"]).await;
        let unknown = Peer { trust: Trust::Unknown, ..known.clone() };
        assert!(ask(&https, &unknown, Method::GET, "/b").await.is_err());
        server.told(&["1 closed"]).await;
        assert!(ask(&https, &known, Method::GET, "/c").await.is_ok());
        server.told(&["2 full", "2 GET /c"]).await;
    }
}

/// The same certificate is pinned elsewhere, or since another day: that is no other trust.
#[tokio::test]
async fn a_pin_that_is_written_elsewhere_closes_nothing() {
    for legacy in adapters() {
        let identity = own();
        let mut server = Server::start(&identity, [&[Answer, Answer]]);
        let https = Https::new();
        let before = server.peer(Trust::Pin(identity.fingerprint()), legacy);
        https.settle(vec![before.clone()]);
        assert!(ask(&https, &before, Method::GET, "/a").await.is_ok());
        https.settle(vec![Peer { trust: Trust::Known(identity.fingerprint(), None), ..before.clone() }]);
        assert!(ask(&https, &before, Method::DELETE, "/b").await.is_ok(), "our log-out under the old name");
        server.told(&["1 full", "1 GET /a", "1 DELETE /b"]).await;
    }
}
