//! A Redis that answers what no Redis would: no more is read of it than wxgate can have asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use wxgate::store::{Store, StoreError};

use super::contract::Place;
use crate::harness::{Gate, Setup, sandbox};
use crate::until::until;

/// What is read of an endless answer, with what the kernel's buffers take of it on both sides.
const MOST_READ: u64 = 24 << 20;
/// An endless answer ends here all the same.
const ENDLESS: u64 = 128 << 20;

/// What stands in the place of an answer.
#[derive(Clone, Default)]
struct Nonsense {
    begins: Vec<u8>,
    /// Goes on without end.
    goes_on: Vec<u8>,
}

fn nonsense(begins: &str, goes_on: &str) -> Nonsense {
    Nonsense { begins: begins.into(), goes_on: goes_on.into() }
}

/// Each is worse than the one before.
fn all_nonsense() -> Vec<(&'static str, Nonsense)> {
    vec![
        ("a string of 4 GB", nonsense("*1\r\n$4000000000\r\n", &"x".repeat(65_536))),
        ("a string that is a byte too long", nonsense("*1\r\n$65537\r\n", "x")),
        ("arrays within arrays", nonsense(&"*1\r\n".repeat(200_000), &"*1\r\n".repeat(16_384))),
        ("an array of 2,000,000,000", nonsense("*2000000000\r\n", &"$1\r\nx\r\n".repeat(8_192))),
        ("one value more than keys", nonsense("*2\r\n$-1\r\n$-1\r\n", "")),
        ("one value less than keys", nonsense("*0\r\n", "")),
        ("no array", nonsense("+OK\r\n", "")),
        ("garbage", nonsense("HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n", "<html>")),
        ("a line without end", nonsense("+", &"x".repeat(65_536))),
        ("a number without end", nonsense("*", &"1".repeat(65_536))),
        ("RESP3", nonsense("%1\r\n", &"%1\r\n".repeat(16_384))),
    ]
}

/// Answers commands as a Redis that holds nothing, but for what is to be nonsense.
struct FakeRedis {
    port: u16,
    state: Arc<State>,
    _serving: JoinSet<()>,
}

#[derive(Default)]
struct State {
    /// By command.
    nonsense: Mutex<Option<(&'static str, Nonsense)>>,
    /// Bytes of nonsense that were taken from the server.
    written: AtomicU64,
    /// How many keys each MGET had.
    asked: Mutex<Vec<usize>>,
}

impl FakeRedis {
    async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let state = Arc::<State>::default();
        let of_connections = Arc::clone(&state);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&of_connections);
                connections.spawn(async move { serve(stream, &state).await });
            }
        });
        Self { port, state, _serving: serving }
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    fn answer(&self, command: &'static str, nonsense: Nonsense) {
        self.state.written.store(0, Ordering::Relaxed);
        *self.state.nonsense.lock() = Some((command, nonsense));
    }

    fn be_honest(&self) {
        *self.state.nonsense.lock() = None;
    }

    fn written(&self) -> u64 {
        self.state.written.load(Ordering::Relaxed)
    }
}

/// Until the connection ends.
async fn serve(mut stream: TcpStream, state: &State) -> Option<()> {
    let mut read = Vec::new();
    loop {
        while let Some((command, length)) = command(&read) {
            read.drain(..length);
            let name = command[0].to_ascii_uppercase();
            if name == "MGET" {
                state.asked.lock().push(command.len() - 1);
            }
            let nonsense = state.nonsense.lock().clone().filter(|(of, _)| *of == name);
            if let Some((_, Nonsense { begins, goes_on })) = nonsense {
                stream.write_all(&begins).await.ok()?;
                state.written.fetch_add(begins.len() as u64, Ordering::Relaxed);
                while !goes_on.is_empty() && state.written.load(Ordering::Relaxed) < ENDLESS {
                    stream.write_all(&goes_on).await.ok()?;
                    state.written.fetch_add(goes_on.len() as u64, Ordering::Relaxed);
                }
                continue;
            }
            let answer = match name.as_str() {
                "MGET" => format!("*{}\r\n{}", command.len() - 1, "$-1\r\n".repeat(command.len() - 1)),
                "SUBSCRIBE" => {
                    let channel = &command[1];
                    format!("*3\r\n$9\r\nsubscribe\r\n${}\r\n{channel}\r\n:1\r\n", channel.len())
                }
                "HSCAN" => "*2\r\n$1\r\n0\r\n*0\r\n".to_owned(),
                // A script's 1: it was done.
                "EVAL" => ":1\r\n".to_owned(),
                _ => "+OK\r\n".to_owned(),
            };
            stream.write_all(answer.as_bytes()).await.ok()?;
        }
        let mut piece = vec![0; 16_384];
        match stream.read(&mut piece).await.ok()? {
            0 => return None,
            length => read.extend_from_slice(&piece[..length]),
        }
    }
}

/// The first command that is there as a whole, and its length.
fn command(bytes: &[u8]) -> Option<(Vec<String>, usize)> {
    /// The number in the line at `at`, and where the next one begins.
    fn number(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
        let rest = bytes.get(at..)?;
        let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        Some((std::str::from_utf8(&rest[1..end]).ok()?.parse().ok()?, at + end + 2))
    }
    let (count, mut end) = number(bytes, 0)?;
    let mut words = Vec::with_capacity(count);
    for _ in 0..count {
        let (length, at) = number(bytes, end)?;
        words.push(String::from_utf8_lossy(bytes.get(at..at + length)?).into_owned());
        end = at + length + 2;
    }
    (end <= bytes.len()).then_some((words, end))
}

async fn open(fake: &FakeRedis) -> Store {
    Place::redis(&fake.url(), Vec::new()).open().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_beyond_what_was_asked_ends_the_connection_before_it_is_read() {
    let fake = FakeRedis::start().await;
    let store = open(&fake).await;
    for (what, nonsense) in all_nonsense() {
        fake.answer("MGET", nonsense);
        let loaded = store.load("access_token:stable:wx1").await;
        assert!(loaded.is_err(), "{what}");
        assert!(store.problem().is_some(), "{what}: it is down");
        assert!(fake.written() < MOST_READ, "{what}: {} bytes were read", fake.written());
        fake.be_honest();
        until(|| format!("{what}: {:?}", store.problem()), async || store.problem().is_none()).await;
        assert!(store.load("access_token:stable:wx1").await.expect("it answers").is_none(), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_served_beside_a_redis_that_answers_nonsense() {
    let fake = FakeRedis::start().await;
    let store = format!("[store]\nurl = {:?}\n", fake.url());
    let setup = Setup { apps: format!("{}{store}", crate::harness::SHOP), ..Setup::default() };
    let gate = Gate::before(sandbox(), setup).await.settled().await;
    for (what, nonsense) in all_nonsense().into_iter().take(4) {
        fake.answer("MGET", nonsense);
        // The replicas look at the store once a second, if it is up.
        until(|| format!("{what} is read"), async || fake.written() > 0).await;
        for _ in 0..20 {
            let answer = gate.get("/cgi-bin/user/info?openid=o").await;
            assert_eq!((answer.status, answer.errcode()), (200, 0), "{what}");
        }
        assert!(fake.written() < MOST_READ, "{what}: {} bytes were read", fake.written());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_are_read_in_pieces_and_a_small_hash_may_come_whole() {
    let fake = FakeRedis::start().await;
    let store = open(&fake).await;
    let fields = |count: usize| {
        let each: String = (0..count).map(|at| format!("$5\r\n{at:05}\r\n$1\r\n1\r\n")).collect();
        nonsense(&format!("*2\r\n$1\r\n0\r\n*{}\r\n{each}", 2 * count), "")
    };
    fake.answer("HSCAN", fields(10_000));
    assert_eq!(store.counts(20_000).await.expect("asked").counts.len(), 10_000);
    fake.answer("HSCAN", fields(10_001));
    assert!(matches!(store.counts(20_000).await, Err(StoreError::Redis(_))));
    fake.be_honest();
    until(|| "it is up", async || store.problem().is_none()).await;
    // A cursor that leads nowhere, with ever new counters.
    let endless: String = (0..5_000).map(|at| format!("$5\r\n{at:05}\r\n$1\r\n1\r\n")).collect();
    fake.answer("HSCAN", nonsense(&format!("*2\r\n$1\r\n7\r\n*10000\r\n{endless}"), ""));
    assert!(store.counts(20_000).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn at_most_500_keys_are_asked_for_at_once() {
    let fake = FakeRedis::start().await;
    let store = open(&fake).await;
    let keys: Vec<String> = (0..1_201).map(|number| format!("access_token:stable:wx{number}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    assert_eq!(store.load_all(&keys).await.expect("asked").len(), 1_201);
    assert_eq!(*fake.state.asked.lock(), [500, 500, 201]);
}
