//! The front over real loopback sockets, read byte by byte.

use std::future::Future;
use std::net::Ipv4Addr;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::{Account, Effect, Fault, FaultKind, Matcher, Personality, Spec};

const LOGIN: &str = r#"{"UserName":"admin","Password":"secret123"}"#;
const SESSIONS: &str = "/redfish/v1/SessionService/Sessions/";
const NOW: Moment = Moment::from_secs(1_750_709_294);

/// Runs a story on one thread, in virtual time: a delay of minutes passes when nothing else can happen.
fn run(story: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(story);
}

async fn front_in(world: World) -> Front {
    front_like(Personality::default(), world).await
}

async fn front_like(personality: Personality, world: World) -> Front {
    let accounts = vec![Account::administrator("admin", "secret123")];
    let spec = Spec { personality, accounts, ..Spec::new("ilo-1.example.net") };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    Front::serve(listener, Arc::new(Mutex::new(Ilo::new(spec))), world).unwrap()
}

async fn front() -> Front {
    front_in(World::new(|| NOW)).await
}

async fn connect(front: &Front) -> io::Result<TlsStream<TcpStream>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let pin = Pinned { fingerprint: front.fingerprint(), provider: Arc::clone(&provider) };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(pin))
        .with_no_client_auth();
    let stream = TcpStream::connect(front.address()).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::from(front.address().ip()), stream).await
}

fn request(method: &str, path: &str, close: bool, body: &str) -> String {
    let close = if close { "Connection: close\r\n" } else { "" };
    format!("{method} {path} HTTP/1.1\r\nHost: ilo\r\n{close}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// All that comes back for one request on a connection of its own. A server that just goes away is
/// not an error here.
async fn ask(front: &Front, method: &str, path: &str, body: &str) -> String {
    let mut stream = connect(front).await.unwrap();
    stream.write_all(request(method, path, true, body).as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _torn_off = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

#[test]
fn an_ilo_4_tells_the_length_of_every_body_and_chunks_none() {
    run(async {
        let front = front_like(Personality::Ilo4V255, World::new(|| NOW)).await;
        let answer = ask(&front, "GET", "/redfish/v1/", "").await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && !head.contains("Transfer-Encoding"), "{head}");
        assert!(format!("{head}\r\n").contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{head}");
        let sized = ask(&front, "HEAD", "/redfish/v1/", "").await;
        assert!(sized.contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{sized}");
        assert!(sized.ends_with("\r\n\r\n") && !sized.contains("Transfer-Encoding"), "{sized}");
        let moved = ask(&front, "POST", "/redfish/v1/SessionService/Sessions", LOGIN).await;
        assert!(moved.starts_with("HTTP/1.1 308 ") && moved.contains("\r\nContent-Length: 0\r\n"), "{moved}");
        assert!(moved.contains(&format!("\r\nLocation: {SESSIONS}\r\n")), "{moved}");
        let login = ask(&front, "POST", SESSIONS, LOGIN).await;
        assert!(login.starts_with("HTTP/1.1 201 ") && !login.contains("Transfer-Encoding"), "{login}");
    });
}

#[test]
fn an_answer_that_is_no_content_has_neither_body_nor_length() {
    run(async {
        let front = front_like(Personality::Mockup, World::new(|| NOW)).await;
        let login = ask(&front, "POST", SESSIONS, LOGIN).await;
        assert!(login.starts_with("HTTP/1.1 204 ") && login.ends_with("\r\n\r\n"), "{login}");
        assert!(!login.contains("Content-Length") && !login.contains("Transfer-Encoding"), "{login}");
    });
}

#[test]
fn a_body_comes_in_chunks_and_an_empty_one_tells_its_length() {
    run(async {
        let front = front().await;
        let answer = ask(&front, "GET", "/redfish/v1/", "").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("\r\nTransfer-Encoding: chunked\r\n"), "{answer}");
        assert!(answer.contains("\r\nDate: Mon, 23 Jun 2025 20:08:14 GMT\r\n"), "the iLO's date: {answer}");
        assert!(answer.ends_with("\r\n0\r\n\r\n"), "{answer}");
        let empty = ask(&front, "DELETE", "/redfish/v1/", "").await;
        assert!(empty.starts_with("HTTP/1.1 405 ") && empty.contains("\r\nContent-Length: 0\r\n"), "{empty}");
        let head = ask(&front, "HEAD", "/redfish/v1/", "").await;
        assert!(head.ends_with("\r\n\r\n") && !head.contains("Content-Length"), "{head}");
    });
}

#[test]
fn a_connection_serves_many_requests() {
    run(async {
        let front = front().await;
        let mut stream = connect(&front).await.unwrap();
        let mut bytes = [0; 16 * 1024];
        for _ in 0..3 {
            stream.write_all(request("GET", "/redfish/", false, "").as_bytes()).await.unwrap();
            let mut answer = String::new();
            while !answer.ends_with("\r\n0\r\n\r\n") {
                let count = stream.read(&mut bytes).await.unwrap();
                assert_ne!(count, 0, "the connection stays: {answer}");
                answer.push_str(str::from_utf8(&bytes[..count]).unwrap());
            }
            assert!(answer.contains("\r\nConnection: keep-alive\r\n"), "{answer}");
        }
    });
}

#[test]
fn a_connection_opened_and_dropped_harms_nobody() {
    run(async {
        let front = front().await;
        drop(TcpStream::connect(front.address()).await.unwrap());
        drop(connect(&front).await.unwrap());
        assert!(ask(&front, "GET", "/redfish/v1/", "").await.starts_with("HTTP/1.1 200 "));
    });
}

#[test]
fn a_lost_reply_closes_the_connection_without_a_byte() {
    run(async {
        let front = front().await;
        lock(front.ilo()).inject(Fault { on: Matcher::new(Method::POST, SESSIONS), what: FaultKind::LoseReply });
        assert_eq!(ask(&front, "POST", SESSIONS, LOGIN).await, "");
        assert_eq!(lock(front.ilo()).sessions(NOW).count(), 1, "the work was done");
    });
}

#[test]
fn a_request_that_hangs_holds_its_own_connection_only() {
    run(async {
        let front = front().await;
        lock(front.ilo()).inject(Fault { on: Matcher::any(), what: FaultKind::Hang });
        let hung = ask(&front, "GET", "/redfish/v1/", "");
        assert!(tokio::time::timeout(Duration::from_secs(3600), hung).await.is_err());
        assert!(ask(&front, "GET", "/redfish/v1/", "").await.starts_with("HTTP/1.1 200 "));
    });
}

#[test]
fn wrong_passwords_are_answered_late() {
    run(async {
        let front = front().await;
        let begin = tokio::time::Instant::now();
        let wrong = r#"{"UserName":"admin","Password":"wrong"}"#;
        for _ in 0..3 {
            assert!(ask(&front, "POST", SESSIONS, wrong).await.starts_with("HTTP/1.1 401 "));
        }
        assert!(begin.elapsed() >= Duration::from_secs(10 + 20), "{:?}", begin.elapsed());
    });
}

#[test]
fn a_replaced_certificate_is_shown_to_new_connections() {
    run(async {
        let front = front().await;
        let before = front.fingerprint();
        assert_eq!(before.len(), "sha256:".len() + 64);
        front.replace_certificate(Certificate::factory("SIM0000001").unwrap()).unwrap();
        assert_ne!(front.fingerprint(), before);
        assert!(ask(&front, "GET", "/redfish/v1/", "").await.starts_with("HTTP/1.1 200 "), "the new pin holds");
    });
}

#[test]
fn clients_are_seen_as_their_world_says_and_the_observer_sees_them() {
    run(async {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let shown = IpAddr::from([192, 0, 2, 7]);
        let world = World::new(|| NOW).seen_as(Ipv4Addr::LOCALHOST.into(), shown).observed_by({
            let seen = Arc::clone(&seen);
            move |ilo, logged| lock(&seen).push((ilo.to_owned(), logged.clone()))
        });
        let front = front_in(world).await;
        ask(&front, "POST", SESSIONS, LOGIN).await;
        assert!(lock(front.ilo()).sessions(NOW).all(|session| session.origin == shown));
        let seen = lock(&seen);
        let [(name, logged)] = &seen[..] else { panic!("one request: {seen:?}") };
        assert_eq!((name.as_str(), logged.peer, logged.status), ("ilo-1.example.net", shown, Some(201)));
        assert!(matches!(logged.effect, Some(Effect::LoggedIn { .. })));
    });
}

#[test]
fn a_front_that_is_dropped_is_gone() {
    run(async {
        let front = front().await;
        let address = front.address();
        let mut open = connect(&front).await.unwrap();
        drop(front);
        let mut byte = [0];
        assert!(!matches!(open.read(&mut byte).await, Ok(1..)), "open connections end");
        assert!(TcpStream::connect(address).await.is_err());
    });
}

#[test]
fn whoever_trusts_the_authority_trusts_the_certificates_that_it_issues_for_the_address_in_them() {
    run(async {
        let (authority, front) = (Authority::new().unwrap(), front().await);
        let mut trusted = rustls::RootCertStore::empty();
        trusted.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(trusted)
            .with_no_client_auth();
        let connector = TlsConnector::from(Arc::new(config));
        let gets_in = async |certificate: Certificate, address: [u8; 4]| {
            front.replace_certificate(certificate).unwrap();
            let stream = TcpStream::connect(front.address()).await.unwrap();
            connector.connect(ServerName::from(IpAddr::from(address)), stream).await.is_ok()
        };
        let issued = || authority.issue(Ipv4Addr::LOCALHOST.into()).unwrap();
        assert!(gets_in(issued(), [127, 0, 0, 1]).await);
        assert!(!gets_in(issued(), [127, 0, 0, 2]).await, "it is for another address");
        assert!(!gets_in(Certificate::factory("SIM0000001").unwrap(), [127, 0, 0, 1]).await);
    });
}

/// Trusts one certificate, by its fingerprint.
#[derive(Debug)]
struct Pinned {
    fingerprint: String,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let shown = certificate::fingerprint(end_entity);
        let unknown = rustls::CertificateError::UnknownIssuer.into();
        if shown == self.fingerprint { Ok(ServerCertVerified::assertion()) } else { Err(unknown) }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
