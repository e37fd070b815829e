//! Callers for whom WeChat's own name leads to the proxy, over TLS.

mod authority;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use wxgate::sandbox::blob;

use self::authority::{Authority, WECHAT};
use crate::harness::{Answer, Gate, Setup, at_once, raw};
use crate::until::{LOST, until};

const INFO: &str = "/cgi-bin/user/info?openid=o";

struct Secure {
    gate: Gate,
    authority: Authority,
    folder: TempDir,
}

fn tls(folder: &Path, more: &str) -> String {
    let path = |name: &str| folder.join(name).display().to_string();
    format!("tls = {{ cert = {:?}, key = {:?}{more} }}\n", path("cert.pem"), path("key.pem"))
}

impl Secure {
    async fn start() -> Self {
        Self::with("", "", Setup::default()).await
    }

    /// `in_table` goes into the table of TLS, `server` into that of the server.
    async fn with(in_table: &str, server: &str, setup: Setup) -> Self {
        let (authority, folder) = (Authority::new(), tempfile::tempdir().expect("a folder"));
        authority.sign(&[WECHAT, "127.0.0.1"]).write(folder.path());
        std::fs::write(folder.path().join("callers.pem"), &authority.pem).expect("written");
        let in_table = in_table.replace("callers.pem", &folder.path().join("callers.pem").to_string_lossy());
        let server = format!("{}{server}", tls(folder.path(), &in_table));
        let gate = Gate::with(Setup { server, ..setup }).await.settled().await;
        Self { gate, authority, folder }
    }

    fn address(&self) -> SocketAddr {
        self.gate.authority().parse().expect("an address")
    }

    fn url(&self, path: &str) -> String {
        format!("https://{WECHAT}:{}{path}", self.address().port())
    }

    /// A caller whose resolver leads WeChat's name here.
    fn client(&self, tls: ClientConfig) -> reqwest::Client {
        let builder = reqwest::Client::builder().no_proxy().resolve(WECHAT, self.address());
        builder.tls_backend_preconfigured(tls).build().expect("a client")
    }

    async fn get(&self, tls: ClientConfig) -> Result<Answer, reqwest::Error> {
        Answer::try_of(self.client(tls).get(self.url(INFO))).await
    }

    /// A connection without an HTTP client.
    async fn connect(&self, tls: ClientConfig) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(self.address()).await.expect("connects");
        let name = ServerName::try_from(WECHAT).expect("a name");
        TlsConnector::from(Arc::new(tls)).connect(name, stream).await.expect("shakes hands")
    }

    async fn is_empty(&self) {
        let left = || self.gate.running.connections_by_worker().iter().sum::<usize>();
        until(|| format!("the end of {} connections", left()), async || left() == 0).await;
    }
}

async fn exchange(stream: &mut TlsStream<TcpStream>) -> String {
    let request = format!("GET {INFO} HTTP/1.1\r\nHost: {WECHAT}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        assert!(stream.read_buf(&mut answer).await.expect("read") > 0, "{answer:?}");
    }
    String::from_utf8(answer).expect("UTF-8")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_resolves_wechats_name_to_the_proxy_is_served_unchanged() {
    let secure = Secure::start().await;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let client = secure.client(secure.authority.client_of(None, &[version]));
        let response = client.get(secure.url(INFO)).send().await.expect("an answer");
        // The client offered HTTP/2 first.
        assert_eq!(response.version(), reqwest::Version::HTTP_11);
        assert!(response.text().await.expect("a body").contains("\"openid\":\"o\""));
        let sent = client
            .post(secure.url("/cgi-bin/message/template/send"))
            .body(r#"{"touser":"o","template_id":"t"}"#);
        assert_eq!(Answer::of(sent).await.errcode(), 0);
    }
    // No name is sent to an address.
    let by_address = secure.client(secure.authority.client(None));
    let answer = Answer::of(by_address.get(format!("https://{}{INFO}", secure.address()))).await;
    assert_eq!(answer.json()["openid"], "o");
    assert_eq!(secure.gate.journal("/cgi-bin/user/info").len(), 3);
    assert_eq!(secure.gate.counts().0, 0, "the token was there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_without_a_certificate_is_turned_away_where_one_is_demanded() {
    let secure = Secure::with(", client_ca = \"callers.pem\"", "", Setup::default()).await;
    let known = secure.authority.sign(&["orders"]);
    assert_eq!(secure.get(secure.authority.client(Some(&known))).await.expect("an answer").errcode(), 0);
    let foreign = Authority::new().sign(&["orders"]);
    for own in [None, Some(&foreign)] {
        // The reason, and not a reset. A client that is still writing when the alert comes may tell
        // of that alone.
        let expected = if own.is_none() { "CertificateRequired" } else { "UnknownCA" };
        let mut told = Vec::new();
        while !told.iter().any(|text: &String| text.contains(expected) || text.contains("DecryptError")) {
            assert!(told.len() < 5, "{told:?}");
            let refused = secure.get(secure.authority.client(own)).await.expect_err("no answer");
            let mut text = String::new();
            let mut source: Option<&dyn std::error::Error> = Some(&refused);
            while let Some(error) = source {
                text += &format!("{error}: ");
                source = error.source();
            }
            told.push(text);
        }
    }
    assert_eq!(secure.gate.journal("/cgi-bin/user/info").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_megabyte_goes_up_and_comes_down() {
    let secure = Secure::start().await;
    let client = secure.client(secure.authority.client(None));
    let picture = blob(1_000_000).collect::<Vec<_>>().concat();
    let mut form = b"--x\r\nContent-Disposition: form-data; name=\"media\"; filename=\"a.jpg\"\r\n\
        Content-Type: image/jpeg\r\n\r\n"
        .to_vec();
    form.extend_from_slice(&picture);
    form.extend_from_slice(b"\r\n--x--\r\n");
    for _ in 0..3 {
        let upload = client.post(secure.url("/cgi-bin/media/upload?type=image"));
        let upload = upload.header("Content-Type", "multipart/form-data; boundary=x").body(form.clone());
        let uploaded = Answer::of(upload).await.json();
        let media = uploaded["media_id"].as_str().unwrap_or_else(|| panic!("{uploaded}"));
        let url = secure.url(&format!("/cgi-bin/media/get?media_id={media}"));
        let down = Answer::of(client.get(url)).await;
        assert!(down.body == picture, "{} other bytes came back", down.body.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_is_told_that_tls_is_spoken_here() {
    let secure = Secure::start().await;
    let request = format!("POST {INFO} HTTP/1.1\r\nHost: {WECHAT}\r\nContent-Length: 200000\r\n\r\nbegun");
    let answer = raw(&secure.gate.authority(), request.as_bytes()).await;
    assert_eq!(answer.refusal(), (400, "bad_request", -70400));
    assert!(answer.text().contains("https://"), "{}", answer.text());
    assert!(secure.gate.journal("/cgi-bin/user/info").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_beside_it_stays_plain() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("gate.sock");
    let listen = format!("127.0.0.1:0\", \"unix:{}", path.display());
    let secure = Secure::with("", "", Setup { listen, ..Setup::default() }).await;
    let mut stream = UnixStream::connect(&path).await.expect("connects");
    let request = format!("GET {INFO} HTTP/1.1\r\nHost: {WECHAT}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("read");
    assert!(answer.contains("\"openid\":\"o\""), "{answer}");
    assert_eq!(secure.get(secure.authority.client(None)).await.expect("an answer").errcode(), 0);
}

/// What a client says first, cut short.
fn half_a_hello(authority: &Authority) -> Vec<u8> {
    let name = ServerName::try_from(WECHAT).expect("a name");
    let mut client =
        rustls::ClientConnection::new(Arc::new(authority.client(None)), name).expect("a connection");
    let mut hello = Vec::new();
    client.write_tls(&mut hello).expect("written");
    hello.truncate(hello.len() / 2);
    hello
}

#[tokio::test(flavor = "multi_thread")]
async fn handshakes_that_never_end_hold_nobody_up_and_end_in_time() {
    const STUCK: usize = 300;
    // Longer than a busy machine takes for all of it.
    let secure = Secure::with("", "head_timeout = \"10s\"\n", Setup { workers: 1, ..Setup::default() }).await;
    let hello = half_a_hello(&secure.authority);
    let mut stuck = Vec::new();
    for number in 0..STUCK {
        let mut stream = TcpStream::connect(secure.address()).await.expect("connects");
        // Every third one says nothing at all.
        if number % 3 > 0 {
            stream.write_all(&hello).await.expect("sent");
        }
        stuck.push(stream);
    }
    let config = secure.authority.client(None);
    let (client, url) = (secure.client(config), secure.url(INFO));
    let answers = at_once(20, |_| Answer::of(client.get(&url))).await;
    assert!(answers.iter().all(|answer| answer.errcode() == 0));
    let left = secure.gate.running.connections_by_worker()[0];
    assert!(left > STUCK, "answered only when the others had gone");
    for mut stream in stuck {
        let mut rest = Vec::new();
        // Closed, by a reset or otherwise.
        let _ = timeout(LOST, stream.read_to_end(&mut rest)).await.expect("it is closed");
    }
    drop(client);
    secure.is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_trickles_in_has_one_deadline() {
    let secure = Secure::with("", "head_timeout = \"300ms\"\n", Setup::default()).await;
    let hello = half_a_hello(&secure.authority);
    let mut stream = TcpStream::connect(secure.address()).await.expect("connects");
    let trickle = async {
        for byte in &hello {
            if stream.write_all(&[*byte]).await.is_err() {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(LOST, trickle).await.expect("it ended");
    secure.is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_handshake_end_the_connection_and_nothing_else() {
    let secure = Secure::start().await;
    for garbage in [&[0u8; 700][..], &[0x16, 3, 1, 0, 4, 1, 2, 3, 4], &[0x80, 0x2e, 1, 0, 2], b"\r\n\r\n"] {
        let mut stream = TcpStream::connect(secure.address()).await.expect("connects");
        stream.write_all(garbage).await.expect("sent");
        stream.shutdown().await.expect("shut down");
        let mut answer = Vec::new();
        let _ = timeout(LOST, stream.read_to_end(&mut answer)).await.expect("it is closed");
        assert!(answer.len() < 10, "at most an alert: {answer:?}");
    }
    // Garbage within a connection that began well.
    let mut stream = secure.connect(secure.authority.client(None)).await;
    exchange(&mut stream).await;
    let (tcp, _) = stream.get_mut();
    tcp.write_all(&[7; 4000]).await.expect("sent");
    let mut rest = Vec::new();
    let _ = timeout(LOST, stream.read_to_end(&mut rest)).await.expect("it is closed");
    assert_eq!(secure.get(secure.authority.client(None)).await.expect("an answer").errcode(), 0);
    secure.is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_connection_is_said_and_not_cut() {
    let secure = Secure::with("", "idle_timeout = \"200ms\"\n", Setup::default()).await;
    // By the answer, and by idleness.
    for connection in ["close", "keep-alive"] {
        let mut stream = secure.connect(secure.authority.client(None)).await;
        let request = format!("GET {INFO} HTTP/1.1\r\nHost: {WECHAT}\r\nConnection: {connection}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = Vec::new();
        // rustls calls an end without close_notify an error.
        let read = timeout(LOST, stream.read_to_end(&mut answer)).await.expect("it is closed");
        assert!(read.is_ok(), "{connection}: {read:?}");
        assert!(String::from_utf8_lossy(&answer).contains("\"openid\":\"o\""));
    }
    secure.is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_stops_reading_is_given_up() {
    let secure = Secure::with("", "write_timeout = \"300ms\"\n", Setup::default()).await;
    let mut stream = secure.connect(secure.authority.client(None)).await;
    let request = format!("GET /cgi-bin/media/get?media_id=blob-30000000 HTTP/1.1\r\nHost: {WECHAT}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut begun = [0; 1000];
    stream.read_exact(&mut begun).await.expect("an answer begins");
    secure.is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_certificate_is_shown_to_those_who_come_after_a_reload() {
    let secure = Secure::start().await;
    let mut before = secure.connect(secure.authority.client(None)).await;
    exchange(&mut before).await;

    let next = Authority::new();
    let signed = next.sign(&[WECHAT]);
    signed.write(secure.folder.path());
    secure.gate.running.reload().await.expect("taken");
    assert!(exchange(&mut before).await.contains("\"openid\":\"o\""), "whoever is there stays");
    assert_eq!(secure.get(next.client(None)).await.expect("an answer").errcode(), 0);
    secure.get(secure.authority.client(None)).await.expect_err("the old one is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_ends_idle_connections_and_lets_answers_finish() {
    let secure = Secure::start().await;
    let mut idle = secure.connect(secure.authority.client(None)).await;
    exchange(&mut idle).await;
    timeout(LOST, secure.gate.end()).await.expect("drained");
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.expect("a close_notify");
    assert!(rest.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_fails_is_counted_by_its_reason() {
    let server = "head_timeout = \"500ms\"\n";
    let secure = Secure::with(", client_ca = \"callers.pem\"", server, Setup::default()).await;
    let gate = &secure.gate;
    // A load balancer's check and plain HTTP aren't handshakes; successful ones aren't counted.
    drop(TcpStream::connect(secure.address()).await.expect("connects"));
    let plain = format!("GET {INFO} HTTP/1.1\r\nHost: {WECHAT}\r\nConnection: close\r\n\r\n");
    assert_eq!(raw(&gate.authority(), plain.as_bytes()).await.status, 400);
    let known = secure.authority.sign(&["orders"]);
    assert_eq!(secure.get(secure.authority.client(Some(&known))).await.expect("an answer").errcode(), 0);
    secure.is_empty().await;
    let metrics = gate.metrics().await;
    assert!(metrics.contains("# TYPE wxgate_tls_handshakes_failed_total counter\n"), "{metrics}");
    assert!(!metrics.contains("wxgate_tls_handshakes_failed_total{"), "{metrics}");

    secure.get(Authority::new().client(Some(&known))).await.expect_err("it doesn't trust wxgate");
    secure.get(secure.authority.client(None)).await.expect_err("wxgate doesn't trust it");
    let hello = half_a_hello(&secure.authority);
    let mut silent = TcpStream::connect(secure.address()).await.expect("connects");
    silent.write_all(&hello).await.expect("sent");
    for bytes in [&hello[..], &[0x16, 3, 1, 0, 4, 1, 2, 3, 4]] {
        let mut stream = TcpStream::connect(secure.address()).await.expect("connects");
        stream.write_all(bytes).await.expect("sent");
        stream.shutdown().await.expect("shut down");
    }
    for reason in ["untrusted", "client_certificate", "timeout", "closed", "malformed"] {
        let sample = format!("wxgate_tls_handshakes_failed_total{{reason=\"{reason}\"}}");
        let counted = async || gate.metric(&sample).await == 1.0;
        until(|| format!("one that is {reason}"), counted).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_ends_soon_is_in_metrics_and_status_until_another_is_there() {
    let secure = Secure::start().await;
    let end = async || secure.gate.metric("wxgate_tls_certificate_expiry_timestamp_seconds").await;
    assert!(end().await > 4e9, "in the next century: {}", end().await);
    assert_eq!(secure.gate.status().await["ending"], serde_json::json!([]));
    let ten_days = Duration::from_secs(10 * 86_400);
    secure.authority.sign_for(&[WECHAT], ten_days).write(secure.folder.path());
    secure.gate.running.reload().await.expect("taken");
    let at = secure.gate.clock.now().plus(ten_days);
    assert!((end().await - at.seconds()).abs() < 60.0, "{}", end().await);
    let ending = secure.gate.status().await["ending"].clone();
    let told = ending[0].as_object().unwrap_or_else(|| panic!("{ending}"));
    assert_eq!((&told["kind"], &told["name"]), (&"certificate".into(), &"server.tls".into()));
    let left = told["ends_in_seconds"].as_u64().expect("a number");
    assert!((863_000..=864_000).contains(&left), "{ending}");
    // It is told of after its end too.
    secure.gate.clock.advance(11 * 86_400_000);
    assert_eq!(secure.gate.status().await["ending"][0]["ends_in_seconds"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tls_connection_for_which_there_is_no_room_is_closed_and_counted() {
    let secure = Secure::with("", "max_connections = 1\n", Setup::default()).await;
    let mut held = secure.connect(secure.authority.client(None)).await;
    assert!(exchange(&mut held).await.contains("200 OK"));
    let mut beyond = TcpStream::connect(secure.address()).await.expect("connects");
    let mut rest = Vec::new();
    // A reset is an end too.
    let _ = timeout(LOST, beyond.read_to_end(&mut rest)).await.expect("closed");
    assert!(rest.is_empty(), "{rest:?}");
    let refused = "wxgate_connections_refused_total{reason=\"max_connections\"}";
    assert_eq!(secure.gate.metric(refused).await, 1.0);
}
