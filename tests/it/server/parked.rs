//! Connections that have been idle for a moment.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use wxgate::server::{Address, Handler, Identity, Listener, Options, Peer, Request, Response, Server, Tls};

use crate::until::{LOST, until};

/// Answers with the path, in capitals when it is late.
struct Echo;

impl Handler for Echo {
    async fn handle(&self, request: Request, _: Peer) -> Response {
        Response::new(request.uri().path().to_owned().into())
    }

    async fn late(&self, request: Request, _: Peer) -> Response {
        Response::new(request.uri().path().to_uppercase().into())
    }
}

fn start(listener: Listener, options: Options) -> Server {
    Server::start("test", vec![listener], options, 1, |_| Echo).expect("a worker")
}

fn tcp() -> Listener {
    Listener::bind(&Address::Tcp("127.0.0.1:0".into())).expect("a port")
}

async fn connected(server: &Server) -> TcpStream {
    TcpStream::connect(server.addresses()[0].to_string()).await.expect("connected")
}

async fn parked(server: &Server, count: usize) {
    until(|| format!("{} of {count} parked", server.parked()), async || server.parked() == count).await;
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// Reads one answer, which has this body and no bytes behind it.
async fn answered(stream: &mut (impl AsyncRead + Unpin), body: &str) {
    let mut answer = Vec::new();
    while !answer.ends_with(format!("\r\n\r\n{body}").as_bytes()) {
        let read = timeout(LOST, stream.read_buf(&mut answer)).await.expect("in time").expect("an answer");
        assert!(read > 0, "{body} is missing in {:?}", String::from_utf8_lossy(&answer));
    }
    let answer = String::from_utf8(answer).expect("text");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.matches("HTTP/1.1").count() == 1, "{answer}");
}

async fn ended(stream: &mut (impl AsyncRead + Unpin)) {
    let read = timeout(LOST, stream.read(&mut [0])).await.expect("an end");
    assert_eq!(read.expect("no reset"), 0);
}

/// Requests of every shape on a connection that parks before each.
async fn serves(server: &Server, stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    parked(server, 1).await;
    stream.write_all(get("/first").as_bytes()).await.expect("sent");
    answered(stream, "/first").await;
    parked(server, 1).await;
    for byte in get("/byte-by-byte").as_bytes() {
        stream.write_all(&[*byte]).await.expect("sent");
        stream.flush().await.expect("sent");
        tokio::task::yield_now().await;
    }
    answered(stream, "/byte-by-byte").await;
    // Empty lines, and half of one, are no request.
    for blank in ["\r\n", "\r"] {
        parked(server, 1).await;
        stream.write_all(blank.as_bytes()).await.expect("sent");
    }
    parked(server, 1).await;
    stream.write_all(format!("\n{}", get("/behind-empty-lines")).as_bytes()).await.expect("sent");
    answered(stream, "/behind-empty-lines").await;
    parked(server, 1).await;
    // As many as need more than one turn.
    let paths: Vec<_> = (0..40).map(|at| format!("/pipelined-{at}")).collect();
    let all: String = paths.iter().map(|path| get(path)).collect();
    stream.write_all(all.as_bytes()).await.expect("sent");
    let mut answers = Vec::new();
    while !answers.ends_with(b"/pipelined-39") {
        let read = timeout(LOST, stream.read_buf(&mut answers)).await.expect("in time").expect("answers");
        assert!(read > 0, "{:?}", String::from_utf8_lossy(&answers));
    }
    let answers = String::from_utf8(answers).expect("text");
    let bodies: Vec<_> = answers
        .split("HTTP/1.1 200 OK\r\n")
        .skip(1)
        .map(|answer| answer.rsplit_once("\r\n").expect("a body").1)
        .collect();
    assert_eq!(bodies, paths);
    parked(server, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_connection_serves_what_comes_next() {
    let server = start(tcp(), Options::default());
    let mut stream = connected(&server).await;
    stream.set_nodelay(true).expect("set");
    serves(&server, &mut stream).await;
    stream.shutdown().await.expect("half closed");
    ended(&mut stream).await;
    until(|| "no connection", async || server.connections() == 0 && server.parked() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_by_a_unix_socket() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("socket");
    let server = start(Listener::bind(&Address::Unix(path.clone())).expect("bound"), Options::default());
    let mut stream = UnixStream::connect(path).await.expect("connected");
    serves(&server, &mut stream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_in_tls_which_is_said_goodbye_to() {
    let own = rcgen::generate_simple_self_signed(["localhost".into()]).expect("a certificate");
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(own.signing_key.serialize_der().into());
    let identity = Identity::new(vec![own.cert.der().clone()], key, None).expect("an identity");
    let options = Options { drain_idle: Duration::from_millis(10), ..Options::default() };
    let server = start(tcp().speaking(Some(Tls::new(identity))), options);
    let mut roots = rustls::RootCertStore::empty();
    roots.add(own.cert.der().clone()).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let name = rustls::pki_types::ServerName::try_from("localhost").expect("a name");
    let mut stream = connector.connect(name, connected(&server).await).await.expect("TLS");
    serves(&server, &mut stream).await;
    // rustls fails where a connection ends without a goodbye.
    let (drained, ()) = tokio::join!(server.drain(), ended(&mut stream));
    assert_eq!(drained.cut_off, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stays_silent_is_given_up() {
    let options = Options { idle_timeout: Duration::from_millis(300), ..Options::default() };
    let server = start(tcp(), options);
    for asks in [false, true] {
        let mut stream = connected(&server).await;
        if asks {
            stream.write_all(get("/").as_bytes()).await.expect("sent");
            answered(&mut stream, "/").await;
        }
        parked(&server, 1).await;
        ended(&mut stream).await;
        parked(&server, 0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_has_its_time_from_its_first_byte() {
    let head_timeout = Duration::from_millis(200);
    let server = start(tcp(), Options { head_timeout, ..Options::default() });
    let mut stream = connected(&server).await;
    parked(&server, 1).await;
    stream.write_all(b"G").await.expect("sent");
    ended(&mut stream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parked_connections_end_with_the_server_and_what_comes_before_that_is_late() {
    let server = start(tcp(), Options { drain_idle: Duration::from_secs(3), ..Options::default() });
    let address = server.addresses()[0].to_string();
    let mut streams = Vec::new();
    for _ in 0..50 {
        streams.push(connected(&server).await);
    }
    parked(&server, streams.len()).await;
    let callers = async {
        until(|| "nobody is let in", async || TcpStream::connect(&address).await.is_err()).await;
        // The worker may hear of it a moment later.
        let mut late = false;
        while !late {
            let mut stream = streams.pop().expect("one that is late");
            stream.write_all(get("/late").as_bytes()).await.expect("sent");
            let mut answer = String::new();
            timeout(LOST, stream.read_to_string(&mut answer)).await.expect("an end").expect("an answer");
            late = answer.ends_with("/LATE");
            assert!(late || answer.ends_with("/late"), "{answer}");
        }
        for mut stream in streams {
            ended(&mut stream).await;
        }
    };
    let (drained, ()) = tokio::join!(server.drain(), callers);
    assert_eq!(drained.cut_off, 0);
}
