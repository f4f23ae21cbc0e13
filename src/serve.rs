//! A small HTTP/1 server: one request for each connection, and everything bounded.
//!
//! It knows nothing of what is asked. Whoever calls it hands in where connections come from, the bounds, and a
//! function from a request with its whole body to an answer with its whole body.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::unix::UCred;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// The longest head of a request, in bytes: hyper's least.
const HEAD_BYTES_MAX: usize = 8192;
/// After a connection that could not be taken, which the next one most likely can't be either: no descriptor is free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What one server bears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Connections at once. Who comes later waits in the system's queue.
    pub connections: usize,
    /// How long a client may take to send its head, and then its body.
    pub read: Duration,
    /// The longest body of a request, in bytes.
    pub body_bytes: usize,
    /// The whole life of a connection, with the time that the answer takes to make and to be taken.
    pub whole: Duration,
    /// How long answers under way may still take when the server is told to stop.
    pub end: Duration,
}

/// Where connections come from.
pub trait Accept: Send + 'static {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    /// What is known of who made it.
    type Peer: Clone + Send + Sync + 'static;

    /// The next connection. A call that is dropped loses none.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Stream, Self::Peer)>> + Send;
}

impl Accept for TcpListener {
    type Stream = tokio::net::TcpStream;
    type Peer = SocketAddr;

    async fn accept(&mut self) -> io::Result<(Self::Stream, SocketAddr)> {
        TcpListener::accept(self).await
    }
}

impl Accept for UnixListener {
    type Stream = tokio::net::UnixStream;
    /// The process at the other end, by the kernel's word; `None` where that gave none.
    type Peer = Option<UCred>;

    async fn accept(&mut self) -> io::Result<(Self::Stream, Option<UCred>)> {
        let (stream, _) = UnixListener::accept(self).await?;
        let peer = stream.peer_cred().ok();
        Ok((stream, peer))
    }
}

/// Serves until `stop` is done, and then ends: no new connection is taken, and answers under way have
/// [`Bounds::end`] left.
///
/// Where a client goes away, what makes its answer is dropped where it waits. A body that is too long is answered
/// 413 and one that does not come 408; a head that does not come is answered by the end of the connection.
pub async fn serve<A, F, R>(mut listener: A, bounds: Bounds, answer: F, stop: impl Future<Output = ()>)
where
    A: Accept,
    F: Fn(A::Peer, Request<Bytes>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Response<Bytes>> + Send + 'static,
{
    let mut stop = pin!(stop);
    let (ending, ended) = watch::channel(false);
    let mut connections = JoinSet::new();
    loop {
        let has_place = connections.len() < bounds.connections;
        tokio::select! {
            biased;
            () = &mut stop => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if has_place => {
                if let Ok((stream, peer)) = accepted {
                    connections.spawn(attend(stream, peer, bounds, answer.clone(), ended.clone()));
                    continue;
                }
                tokio::select! {
                    () = &mut stop => break,
                    () = sleep(ACCEPT_PAUSE) => {}
                }
            }
        }
    }
    drop(listener);
    ending.send_replace(true);
    // What is left after that goes with the set.
    let _in_time = timeout(bounds.end, async { while connections.join_next().await.is_some() {} }).await;
}

/// One connection, from its first byte to its last.
async fn attend<S, P, F, R>(stream: S, peer: P, bounds: Bounds, answer: F, mut ended: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    P: Clone,
    F: Fn(P, Request<Bytes>) -> R,
    R: Future<Output = Response<Bytes>>,
{
    let service = service_fn(|request| async {
        let response = match whole(request, bounds).await {
            Ok(request) => answer(peer.clone(), request).await,
            Err(status) => plain(status),
        };
        Ok::<_, Infallible>(response.map(Full::new))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.read)
        .max_buf_size(HEAD_BYTES_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let life = async {
        tokio::select! {
            biased;
            _ = connection.as_mut() => return,
            _ = ended.wait_for(|ended| *ended) => connection.as_mut().graceful_shutdown(),
        }
        let _over = connection.await;
    };
    let _in_time = timeout(bounds.whole, life).await;
}

/// The request with all of its body; or why that is not waited for.
async fn whole(request: Request<Incoming>, bounds: Bounds) -> Result<Request<Bytes>, StatusCode> {
    let (head, body) = request.into_parts();
    let read = Limited::new(body, bounds.body_bytes).collect();
    match timeout(bounds.read, read).await {
        Ok(Ok(body)) => Ok(Request::from_parts(head, body.to_bytes())),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(Err(_)) => Err(StatusCode::BAD_REQUEST),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

/// An answer that is its status in words.
pub fn plain(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(format!("{status}\n")));
    *response.status_mut() = status;
    let text = http::HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(http::header::CONTENT_TYPE, text);
    response
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::sync::{mpsc, oneshot};
    use tokio::time::Instant;

    use super::*;

    const BOUNDS: Bounds = Bounds {
        connections: 2,
        read: Duration::from_secs(5),
        body_bytes: 100,
        whole: Duration::from_secs(30),
        end: Duration::from_secs(3),
    };

    /// Connections from within this process, so that time can be virtual.
    struct Door(mpsc::Receiver<DuplexStream>);

    impl Accept for Door {
        type Stream = DuplexStream;
        type Peer = &'static str;

        async fn accept(&mut self) -> io::Result<(DuplexStream, &'static str)> {
            self.0.recv().await.map(|stream| (stream, "me")).ok_or_else(|| io::Error::other("nobody comes any more"))
        }
    }

    struct Server {
        door: mpsc::Sender<DuplexStream>,
        stop: oneshot::Sender<()>,
        running: tokio::task::JoinHandle<()>,
    }

    fn start() -> Server {
        let (door, receiver) = mpsc::channel(16);
        let (stop, stopped) = oneshot::channel::<()>();
        let answer = |peer: &'static str, request: Request<Bytes>| async move {
            match request.uri().path() {
                "/late" => drop(timeout(Duration::from_secs(2), std::future::pending::<()>()).await),
                "/never" => std::future::pending().await,
                _ => {}
            }
            let body = String::from_utf8_lossy(request.body()).into_owned();
            Response::new(Bytes::from(format!("{peer} {} {} {body}", request.method(), request.uri())))
        };
        let running = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            serve(Door(receiver), BOUNDS, answer, stopped).await;
        });
        Server { door, stop, running }
    }

    impl Server {
        async fn connect(&self) -> DuplexStream {
            let (mine, theirs) = duplex(1 << 16);
            self.door.send(theirs).await.expect("it listens");
            mine
        }

        async fn send(&self, text: &str) -> DuplexStream {
            let mut stream = self.connect().await;
            stream.write_all(text.as_bytes()).await.expect("it reads");
            stream
        }

        /// Everything that is answered until the connection ends.
        async fn ask(&self, text: &str) -> String {
            rest(&mut self.send(text).await).await
        }
    }

    async fn rest(stream: &mut DuplexStream) -> String {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("text");
        answer
    }

    #[tokio::test(start_paused = true)]
    async fn one_request_is_answered_and_then_the_connection_ends() {
        let server = start();
        let answer =
            server.ask("POST /a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("connection: close\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\nme POST /a?b abc"), "{answer}");
        let head = server.ask("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(head.contains("content-length: 10\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_sends_too_much_or_too_slowly_is_not_waited_for() {
        let server = start();
        let head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length:";
        let long = server.ask(&format!("{head} 101\r\n\r\n{}", "x".repeat(101))).await;
        assert!(long.starts_with("HTTP/1.1 413 "), "{long}");
        let fits = server.ask(&format!("{head} 100\r\n\r\n{}", "x".repeat(100))).await;
        assert!(fits.starts_with("HTTP/1.1 200 "), "{fits}");
        let chunks = format!("Transfer-Encoding: chunked\r\n\r\n65\r\n{}\r\n0\r\n\r\n", "x".repeat(101));
        let chunked = server.ask(&format!("POST / HTTP/1.1\r\nHost: x\r\n{chunks}")).await;
        assert!(chunked.starts_with("HTTP/1.1 413 "), "{chunked}");
        let began = Instant::now();
        let slow = server.ask(&format!("{head} 3\r\n\r\na")).await;
        assert!(slow.starts_with("HTTP/1.1 408 "), "{slow}");
        assert_eq!(began.elapsed().as_secs(), 5);
        let silent = server.ask("GET / HTTP/1.1\r\nHo").await;
        assert_eq!((silent.as_str(), began.elapsed().as_secs()), ("", 10));
        let endless = server.ask(&format!("GET / HTTP/1.1\r\nA: {}", "x".repeat(20_000))).await;
        assert!(endless.starts_with("HTTP/1.1 431 "), "{endless}");
        let nonsense = server.ask("what?\r\n\r\n").await;
        assert!(nonsense.starts_with("HTTP/1.1 400 "), "{nonsense}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_never_comes_ends_with_its_connection() {
        let server = start();
        let began = Instant::now();
        assert_eq!(server.ask("GET /never HTTP/1.1\r\nHost: x\r\n\r\n").await, "");
        assert_eq!(began.elapsed(), BOUNDS.whole);
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_no_place_waits_for_one() {
        let server = start();
        let began = Instant::now();
        let _silent = (server.connect().await, server.connect().await);
        let answer = server.ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(answer.ends_with("me GET / "), "{answer}");
        assert_eq!(began.elapsed().as_secs(), 5, "when the first two were given up");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_lets_answers_under_way_end_and_waits_for_nobody_else() {
        let server = start();
        let mut late = server.send("GET /late HTTP/1.1\r\nHost: x\r\n\r\n").await;
        let mut silent = server.connect().await;
        // It is taken, and so is the request.
        tokio::task::yield_now().await;
        tokio::time::advance(Duration::from_millis(10)).await;
        let began = Instant::now();
        server.stop.send(()).expect("it runs");
        assert!(rest(&mut late).await.ends_with("me GET /late "));
        assert_eq!(rest(&mut silent).await, "");
        server.running.await.expect("it ended");
        assert!(began.elapsed() <= BOUNDS.end, "{:?}", began.elapsed());
        let (_mine, theirs) = duplex(1);
        assert!(server.door.send(theirs).await.is_err(), "nobody listens");
    }
}
