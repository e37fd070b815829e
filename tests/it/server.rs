//! How connections are treated, whatever answers on them.

mod parked;

use std::io;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use http_body_util::BodyExt as _;
use parking_lot::Mutex;
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use wxgate::server::{Address, BodyFault, Handler, Listener, Options, Pace, Peer, Request, Response, Server};

use crate::until::{LOST, until};

/// Reads bodies to their end, with pauses, and answers how that went.
struct Reader {
    pause: Duration,
}

impl Handler for Reader {
    async fn handle(&self, request: Request, _: Peer) -> Response {
        let (mut body, mut bytes) = (request.into_body(), 0);
        loop {
            match body.frame().await {
                None => return Response::new(format!("{bytes} bytes").into()),
                Some(Ok(frame)) => bytes += frame.data_ref().map_or(0, bytes::Bytes::len),
                Some(Err(error)) => return Response::new(format!("{:?}", BodyFault::of(&error)).into()),
            }
            sleep(self.pause).await;
        }
    }
}

/// A connection to a server with these options; it lives as long as the server.
async fn connected(pace: Pace, pause: Duration) -> (Server, TcpStream) {
    let options = Options { pace, ..Options::default() };
    let listener = Listener::bind(&Address::Tcp("127.0.0.1:0".into())).expect("a port");
    let server =
        Server::start("test", vec![listener], options, 1, move |_| Reader { pause }).expect("a worker");
    let stream = TcpStream::connect(server.addresses()[0].to_string()).await.expect("connected");
    (server, stream)
}

/// The answer to a POST whose body comes so, a step each few milliseconds.
async fn answer(mut stream: TcpStream, framing: &str, step: &[u8]) -> String {
    let head = format!("POST / HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("sent");
    let (mut read, mut write) = stream.split();
    let trickle = async {
        while write.write_all(step).await.is_ok() {
            sleep(Duration::from_millis(5)).await;
        }
        std::future::pending::<()>().await;
    };
    let mut answer = Vec::new();
    let whole = async { timeout(LOST, read.read_to_end(&mut answer)).await.expect("an end") };
    tokio::select! {
        () = trickle => {}
        ended = whole => drop(ended),
    }
    String::from_utf8(answer).expect("UTF-8")
}

const FRAMINGS: [(&str, &[u8]); 2] =
    [("Content-Length: 1000000", b"x"), ("Transfer-Encoding: chunked", b"1\r\nx\r\n")];

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_trickles_in_is_given_up_however_steadily_it_comes() {
    let pace = Pace { least: 100_000, window: Duration::from_millis(600), ..Pace::default() };
    for (framing, step) in FRAMINGS {
        let (_server, stream) = connected(pace, Duration::ZERO).await;
        let answer = answer(stream, framing, step).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("Some(Slow)"), "{answer:?}");
        assert!(answer.contains("connection: close"), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_takes_too_long_in_all_is_given_up() {
    let pace = Pace { least: 1, in_all: Duration::from_millis(300), usual: 100_000, ..Pace::default() };
    for (framing, step) in FRAMINGS {
        let (_server, stream) = connected(Pace { usual: u32::MAX, ..pace }, Duration::ZERO).await;
        let answer = answer(stream, framing, step).await;
        assert!(answer.ends_with("Some(Slow)"), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_is_not_blamed_for_the_time_in_which_nobody_reads() {
    let limit = Duration::from_millis(400);
    let pace = Pace { least: 1_000, window: limit, in_all: limit, usual: u32::MAX };
    // It is all there, but each piece takes longer than all of it may.
    let (_server, mut stream) = connected(pace, limit + Duration::from_millis(50)).await;
    let body = vec![b'x'; 150_000];
    let head =
        format!("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), &body].concat()).await.expect("sent");
    let mut answer = String::new();
    timeout(LOST, stream.read_to_string(&mut answer)).await.expect("an end").expect("an answer");
    assert!(answer.ends_with("150000 bytes"), "{answer:?}");
}

/// Holds its worker's thread until it is told to go on.
struct Stuck(Arc<Mutex<mpsc::Receiver<()>>>);

impl Handler for Stuck {
    async fn handle(&self, _: Request, _: Peer) -> Response {
        let _ = self.0.lock().recv();
        Response::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_thread_is_held_gives_no_sign_of_life_and_the_others_do() {
    let (go_on, held) = mpsc::channel();
    let held = Arc::new(Mutex::new(held));
    let listener = Listener::bind(&Address::Tcp("127.0.0.1:0".into())).expect("a port");
    let made = move |_| Stuck(Arc::clone(&held));
    let server = Server::start("test", vec![listener], Options::default(), 2, made).expect("workers");
    let pulse = server.pulse();
    let moved = || pulse.moved().filter(|(_, moved)| *moved).count();
    pulse.ask();
    until(|| "signs of both", async || moved() == 2).await;

    let mut stream = TcpStream::connect(server.addresses()[0].to_string()).await.expect("connected");
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("sent");
    // The other answers so often meanwhile.
    let mut silent = 0;
    let stuck = async || {
        pulse.ask();
        until(|| "a sign of one", async || moved() >= 1).await;
        silent = if moved() == 1 { silent + 1 } else { 0 };
        silent == 20
    };
    until(|| "one that gives none", stuck).await;
    go_on.send(()).expect("held");
    until(|| "signs of both", async || moved() == 2).await;
    server.drain().await;
    pulse.ask();
    assert_eq!(moved(), 2, "who has ended with the server isn't silent");
}

/// Ends the worker that gets the first request, by what no request of a real handler leaves behind.
struct Fatal(Arc<AtomicBool>);

/// Panics when somebody lets it go, which is outside of the request that it comes from.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("for the test");
    }
}

impl Handler for Fatal {
    async fn handle(&self, _: Request, _: Peer) -> Response {
        if !self.0.swap(true, Ordering::Relaxed) {
            std::panic::panic_any(Bomb);
        }
        Response::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_ended_by_itself_gets_nobody_and_gives_no_sign_of_life() {
    let listener = Listener::bind(&Address::Tcp("127.0.0.1:0".into())).expect("a port");
    let over = Arc::<AtomicBool>::default();
    let made = move |_| Fatal(Arc::clone(&over));
    let server = Server::start("test", vec![listener], Options::default(), 2, made).expect("workers");
    let address = server.addresses()[0].to_string();
    let answered = async || {
        let mut stream = TcpStream::connect(&address).await.expect("connected");
        let request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await.expect("sent");
        let mut answer = Vec::new();
        let _ = timeout(LOST, stream.read_to_end(&mut answer)).await.expect("an end");
        !answer.is_empty()
    };
    assert!(!answered().await, "its worker is gone");
    let pulse = server.pulse();
    let moved = || pulse.moved().filter(|(_, moved)| *moved).count();
    pulse.ask();
    until(|| "a sign of the other", async || moved() >= 1).await;
    let mut together = 0;
    let served = async || {
        together = if answered().await { together + 1 } else { 0 };
        together == 20
    };
    until(|| "twenty answers without a gap", served).await;
    pulse.ask();
    until(|| "a sign of the other", async || moved() >= 1).await;
    assert_eq!(moved(), 1);
    server.drain().await;
    assert_eq!(moved(), 1, "it didn't end with the server");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_worker_ends_at_once_does_not_start() {
    let address = Address::Tcp("127.0.0.1:0".into());
    let listener = Listener::bind(&address).expect("a port");
    let made = |worker| {
        assert_eq!(worker, 0, "for the test");
        Reader { pause: Duration::ZERO }
    };
    let failed = Server::start("test", vec![listener], Options::default(), 2, made).expect_err("one ended");
    assert_eq!(failed.to_string(), "a worker exited at once");
}

/// What a bind to a unix socket's path says that is somebody's.
fn in_use(path: &Path) {
    let error = Listener::bind(&Address::Unix(path.to_owned())).expect_err("it is somebody's");
    assert!(error.to_string().ends_with("the address is in use by another process"), "{error}");
}

#[test]
fn a_unix_socket_that_somebody_has_open_stays_though_nobody_can_connect_to_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sock");
    let datagrams = UnixDatagram::bind(&path).expect("bound");
    in_use(&path);
    let sender = UnixDatagram::unbound().expect("a socket");
    sender.send_to(b"x", &path).expect("it is still there");
    drop(datagrams);

    // Its queue is full.
    let path = folder.path().join("full");
    let address = SockAddr::unix(&path).expect("an address");
    let listener = Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket");
    listener.bind(&address).expect("bound");
    listener.listen(0).expect("it listens");
    let mut waiting = Vec::new();
    loop {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket");
        socket.set_nonblocking(true).expect("set");
        match socket.connect(&address) {
            Ok(()) => waiting.push(socket),
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                break;
            }
        }
    }
    in_use(&path);
    drop(listener);
    drop(Listener::bind(&Address::Unix(path.clone())).expect("a stale one is replaced"));
    assert!(!path.exists());
}

#[test]
fn a_unix_socket_that_took_the_place_of_ours_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sock");
    let ours = Listener::bind(&Address::Unix(path.clone())).expect("bound");
    std::fs::remove_file(&path).expect("it is there");
    let _theirs = UnixListener::bind(&path).expect("bound");
    drop(ours);
    UnixStream::connect(&path).expect("it is still there");
}
