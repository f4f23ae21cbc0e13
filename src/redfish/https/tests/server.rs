//! A server that does as it is told, and tells what happens at it.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{HandshakeKind, ServerConfig, ServerConnection, StreamOwned};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::redfish::Peer;
use crate::settings::{Authority, Fingerprint, IloName, Trust};

/// What a server does with a request on a connection.
#[derive(Clone, Copy)]
pub(super) enum Act {
    Answer,
    /// Reads it, and closes the connection.
    Vanish,
    /// Answers and closes the connection, without a word about that.
    AnswerAndLeave,
}

/// A server. What happens at it is told in order: `1 full`, `1 GET /`, `1 closed`.
pub(super) struct Server {
    port: u16,
    pub(super) told: UnboundedReceiver<String>,
}

/// A certificate and the key that is used with it.
#[derive(Clone, Debug)]
pub(super) struct Identity(Arc<CertifiedKey>);

impl ResolvesServerCert for Identity {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

impl Identity {
    pub(super) fn new(certificate: &rcgen::Certificate, key: &KeyPair) -> Self {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let key = rustls::crypto::ring::sign::any_supported_type(&key).expect("a key");
        Self(Arc::new(CertifiedKey::new(vec![certificate.der().clone()], key)))
    }

    pub(super) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.0.cert[0])
    }
}

pub(super) fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

/// A certificate like that of an iLO.
pub(super) fn own() -> Identity {
    let key = key();
    let params = CertificateParams::new([String::from("ILOTEST")]).expect("a name");
    Identity::new(&params.self_signed(&key).expect("signed"), &key)
}

impl Server {
    /// Serves one connection after the other as the script says, and then none.
    pub(super) fn start<const N: usize>(identity: &Identity, script: [&[Act]; N]) -> Self {
        Self::at("127.0.0.1:0", identity, script)
    }

    /// The same at this address.
    pub(super) fn at<const N: usize>(address: &str, identity: &Identity, script: [&[Act]; N]) -> Self {
        let config = settings(identity);
        let listener = TcpListener::bind(address).expect("loopback");
        let port = listener.local_addr().expect("bound").port();
        let (teller, told) = unbounded_channel();
        let script: VecDeque<Vec<Act>> = script.iter().map(|acts| acts.to_vec()).collect();
        thread::spawn(move || {
            for (number, acts) in (1..).zip(script) {
                let Ok((socket, _)) = listener.accept() else { return };
                let (config, teller) = (Arc::clone(&config), teller.clone());
                thread::spawn(move || {
                    let ended = serve(number, socket, config, &acts, &teller);
                    let _gone = teller.send(format!("{number} {}", if ended.is_ok() { "closed" } else { "cut" }));
                });
            }
        });
        Self { port, told }
    }

    /// Serves one connection, which was accepted already.
    pub(super) fn on(socket: TcpStream, identity: &Identity, acts: &[Act]) -> Self {
        let (config, port) = (settings(identity), socket.local_addr().expect("bound").port());
        let (teller, told) = unbounded_channel();
        let acts = acts.to_vec();
        thread::spawn(move || {
            let ended = serve(1, socket, config, &acts, &teller);
            let _gone = teller.send(format!("1 {}", if ended.is_ok() { "closed" } else { "cut" }));
        });
        Self { port, told }
    }

    pub(super) fn peer(&self, trust: Trust, legacy: bool) -> Peer {
        let authority = Authority { host: String::from("127.0.0.1"), port: self.port };
        Peer { name: IloName::new("r1"), authority, trust, legacy }
    }

    pub(super) async fn told(&mut self, expected: &[&str]) {
        for (number, expected) in expected.iter().enumerate() {
            let told = tokio::time::timeout(Duration::from_secs(20), self.told.recv()).await;
            assert_eq!(told.ok().flatten().as_deref(), Some(*expected), "{number}");
        }
    }

    pub(super) fn tells_no_more(&mut self) {
        assert_eq!(self.told.try_recv().ok(), None);
    }
}

fn settings(identity: &Identity) -> Arc<ServerConfig> {
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(identity.clone()));
    Arc::new(config)
}

fn serve(
    number: usize,
    socket: TcpStream,
    config: Arc<ServerConfig>,
    acts: &[Act],
    teller: &UnboundedSender<String>,
) -> io::Result<()> {
    let mut connection = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut socket = socket;
    while connection.is_handshaking() {
        connection.complete_io(&mut socket)?;
    }
    // In TLS 1.3 the client's refusal comes after what we take for the end.
    let kind = if connection.handshake_kind() == Some(HandshakeKind::Resumed) { "resumed" } else { "full" };
    let mut stream = BufReader::new(StreamOwned::new(connection, socket));
    if stream.fill_buf()?.is_empty() {
        return Ok(());
    }
    let _told = teller.send(format!("{number} {kind}"));
    for act in acts {
        let Ok(Some(line)) = request(&mut stream) else { return Ok(()) };
        let _told = teller.send(format!("{number} {line}"));
        if matches!(act, Act::Vanish) {
            return Ok(());
        }
        stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")?;
        stream.get_mut().flush()?;
        if matches!(act, Act::AnswerAndLeave) {
            return Ok(());
        }
    }
    let _end = stream.read(&mut [0]);
    Ok(())
}

/// Reads a whole request; its first line without the version.
fn request(stream: &mut impl BufRead) -> io::Result<Option<String>> {
    let (mut first, mut length) = (String::new(), 0);
    if stream.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    stream.read_exact(&mut vec![0; length])?;
    Ok(Some(first.trim_end().trim_end_matches(" HTTP/1.1").to_owned()))
}
