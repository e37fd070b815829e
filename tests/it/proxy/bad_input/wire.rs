//! Both ends of the proxy at the level of bytes: a caller that sends what no client would, and a
//! WeChat that answers what the sandbox can't.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::harness::{Gate, SECRET, Setup, sandbox};
use crate::until::{LOST, found, until};

/// A caller's connection.
pub struct Caller(pub TcpStream);

/// An answer as it came.
#[derive(Debug)]
pub struct Raw {
    pub status: u16,
    /// The head, names in lower case.
    pub head: String,
    pub body: Vec<u8>,
    /// All of the body came.
    pub whole: bool,
}

impl Caller {
    pub async fn of(gate: &Gate) -> Self {
        Self(TcpStream::connect(gate.authority()).await.expect("connected"))
    }

    /// Sends; a proxy that has closed already is no failure.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.0.write_all(bytes.as_ref()).await;
    }

    /// The next answer; none if the connection ended without one.
    pub async fn answer(&mut self) -> Option<Raw> {
        tokio::time::timeout(LOST, read_answer(&mut self.0)).await.expect("an answer or an end")
    }

    /// Waits for the proxy to close the connection; gives what it still sent.
    pub async fn closed(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let _ = tokio::time::timeout(LOST, self.0.read_to_end(&mut rest)).await.expect("closed");
        rest
    }
}

/// Sends bytes on a connection of their own.
pub async fn send(gate: &Gate, bytes: impl AsRef<[u8]>) -> Option<Raw> {
    let mut caller = Caller::of(gate).await;
    caller.send(bytes).await;
    caller.answer().await
}

impl Raw {
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The proxy's own answer, in the contract's form, with a text that says what to do.
    #[track_caller]
    pub fn assert_refused(&self, status: u16, code: &str, remedy: &str) {
        assert_eq!((self.status, self.header("x-wxgate-error")), (status, Some(code)), "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        assert!(self.header("x-request-id").is_some() && self.whole, "{self:?}");
        let body = self.json();
        assert_eq!(body["errcode"], -70_000 - i64::from(status), "{body}");
        let errmsg = body["errmsg"].as_str().unwrap_or_default();
        assert!(errmsg.starts_with(&format!("wxgate: {code}: ")) && errmsg.contains(remedy), "{errmsg}");
    }
}

pub fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
}

/// Reads a head, names in lower case; none at the end of the stream.
pub async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).expect("a head is ASCII");
    let lower = |line: &str| match line.split_once(':') {
        Some((name, value)) if !name.contains(' ') => format!("{}:{value}\r\n", name.to_ascii_lowercase()),
        _ => format!("{line}\r\n"),
    };
    Some(head.trim_end().lines().map(lower).collect())
}

async fn read_answer(stream: &mut TcpStream) -> Option<Raw> {
    let head = read_head(stream).await?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let mut raw = Raw { status, head, body: Vec::new(), whole: true };
    if (100..200).contains(&status) {
        return Some(raw);
    }
    if let Some(length) = raw.header("content-length") {
        let length: u64 = length.parse().expect("a length");
        let _ = stream.take(length).read_to_end(&mut raw.body).await;
        raw.whole = raw.body.len() as u64 == length;
    } else if raw.header("transfer-encoding").is_some() {
        raw.whole = read_chunks(stream, &mut raw.body).await.is_some();
    } else {
        let _ = stream.read_to_end(&mut raw.body).await;
    }
    Some(raw)
}

async fn read_chunks(stream: &mut TcpStream, body: &mut Vec<u8>) -> Option<()> {
    loop {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.push(stream.read_u8().await.ok()?);
        }
        let size = std::str::from_utf8(&line).ok()?.trim();
        let size = usize::from_str_radix(size, 16).expect("a chunk's size");
        let mut chunk = vec![0; size + 2];
        stream.read_exact(&mut chunk).await.ok()?;
        if size == 0 {
            return Some(());
        }
        body.extend_from_slice(&chunk[..size]);
    }
}

/// What must hold after every mishap: the workers answer, nothing hangs, no secret is in the log,
/// and WeChat took no part of a request for the whole.
pub async fn assert_sound(gate: &Gate) {
    gate.sandbox.end_faults();
    // Connections go to the worker with the fewest, so that these reach each of them.
    let mut callers = Vec::new();
    for _ in 0..4 {
        let mut caller = Caller::of(gate).await;
        caller.send("GET /cgi-bin/user/info?openid=after HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        let answer = caller.answer().await.expect("an answer");
        assert_eq!((answer.status, &answer.json()["openid"]), (200, &"after".into()), "{answer:?}");
        callers.push(caller);
    }
    assert_idle(gate).await;
    for entry in gate.sandbox.journal(None) {
        if let (true, Some(length)) = (entry.complete, entry.header("content-length")) {
            assert_eq!(
                length,
                entry.body_length.to_string(),
                "half a request was taken for whole: {entry:?}"
            );
        }
    }
    assert_no_secret_logged(gate);
}

/// Waits until every request is over.
pub async fn assert_idle(gate: &Gate) {
    let idle = async || gate.metric("wxgate_inflight_requests").await == 0.0;
    until(|| "the end of a request that hangs", idle).await;
}

pub fn assert_no_secret_logged(gate: &Gate) {
    let log = gate.log.text();
    assert!(!log.contains(SECRET), "the log shows the secret: {log}");
    for entry in gate.sandbox.journal(None) {
        if let Some(token) = entry.access_token {
            assert!(!log.contains(&token), "the log shows a token: {log}");
        }
    }
}

/// Waits for the access line that `wanted` picks.
pub async fn logged(gate: &Gate, wanted: impl Fn(&Value) -> bool) -> Value {
    let line = async || {
        // The last line may be half written.
        let text = gate.log.text();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let mut lines = whole.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        lines.find(&wanted)
    };
    found(|| "an access line", line).await
}

/// A WeChat that follows a script.
pub struct Scripted {
    pub url: String,
    /// The heads of the requests but for those that wxgate makes by itself: token calls, probes,
    /// and the question for quotas, which it first asks after two seconds.
    heads: Arc<Mutex<Vec<String>>>,
    fetches: Arc<AtomicUsize>,
    /// Ends with this value.
    _server: JoinSet<()>,
}

/// The one token that it gives out.
pub const TOKEN: &str = "canary-token-of-the-script-5d20";

impl Scripted {
    /// `script` gets each business request: its number from 0, its head, and the connection after
    /// the head. It returns the connection if more requests may come on it.
    pub async fn start<F>(script: impl Fn(usize, String, TcpStream) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Option<TcpStream>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (heads, script, number) = (Arc::default(), Arc::new(script), Arc::new(AtomicUsize::new(0)));
        let seen: Arc<Mutex<Vec<String>>> = Arc::clone(&heads);
        let fetches = Arc::new(AtomicUsize::new(0));
        let fetched = Arc::clone(&fetches);
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, script, number) = (Arc::clone(&seen), Arc::clone(&script), Arc::clone(&number));
                let fetched = Arc::clone(&fetched);
                connections.spawn(async move {
                    let mut next = Some(stream);
                    while let Some(mut stream) = next.take() {
                        let Some(head) = read_head(&mut stream).await else { return };
                        if head.contains("/cgi-bin/stable_token") {
                            read_body(&mut stream, &head).await;
                            fetched.fetch_add(1, Ordering::Relaxed);
                            let body = format!("{{\"access_token\":\"{TOKEN}\",\"expires_in\":7200}}");
                            answer(&mut stream, &body).await;
                            next = Some(stream);
                        } else if head.contains("/cgi-bin/get_api_domain_ip") {
                            answer(&mut stream, "{\"ip_list\":[]}").await;
                            next = Some(stream);
                        } else if head.contains("/cgi-bin/openapi/quota/get") {
                            read_body(&mut stream, &head).await;
                            answer(&mut stream, "{\"errcode\":-1}").await;
                            next = Some(stream);
                        } else {
                            seen.lock().push(head.clone());
                            next = script(number.fetch_add(1, Ordering::Relaxed), head, stream).await;
                        }
                    }
                });
            }
        });
        Self { url, heads, fetches, _server: server }
    }

    /// How often its token was fetched.
    pub fn fetches(&self) -> usize {
        self.fetches.load(Ordering::Relaxed)
    }

    pub fn requests(&self) -> usize {
        self.heads().len()
    }

    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().clone()
    }

    /// A proxy before it.
    pub async fn gate(&self, setup: Setup) -> Gate {
        Gate::before(sandbox(), Setup { upstream_url: Some(self.url.clone()), ..setup }).await
    }

    /// Waits until every request is over; the log shows no secret.
    pub async fn assert_over(&self, gate: &Gate) {
        assert_idle(gate).await;
        let log = gate.log.text();
        assert!(!log.contains(SECRET) && !log.contains(TOKEN), "{log}");
    }
}

/// Reads the body of a request that has a length.
pub async fn read_body(stream: &mut TcpStream, head: &str) -> Vec<u8> {
    let length = header(head, "content-length").map_or(0, |length| length.parse().expect("a length"));
    let mut body = vec![0; length];
    match stream.read_exact(&mut body).await {
        Ok(_) => body,
        Err(_) => Vec::new(),
    }
}

/// Answers 200 with a JSON body.
pub async fn answer(stream: &mut TcpStream, body: &str) {
    let length = body.len();
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
    let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
}
