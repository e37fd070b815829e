//! What callers can have the process hold without a request.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wxgate::server::{Options, most_memory};

use super::process::{Place, Process};

const CONNECTIONS: usize = 500;

/// Bytes that the process has in memory.
fn resident(process: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    line.trim_end_matches("kB").trim().parse::<u64>().expect("a number") * 1024
}

/// An answer on a connection that is made now: each worker has dealt with what came before.
async fn served(authority: &str) {
    for _ in 0..4 {
        let mut stream = TcpStream::connect(authority).await.expect("connected");
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("sent");
        let mut start = [0; 12];
        stream.read_exact(&mut start).await.expect("an answer");
        assert_eq!(&start, b"HTTP/1.1 200");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn half_heads_and_idle_connections_take_no_more_than_is_said() {
    let place = Place::new();
    place.configure("head_timeout = \"100s\"\n", "");
    let process = place.serve().await;
    let authority = process.authority().await;
    served(&authority).await;
    let before = resident(&process);
    let most = most_memory(&Options { max_connections: CONNECTIONS, ..Options::default() });
    // Half heads have nothing to write, and idle connections not even something to read.
    for (bytes, share) in [(0, 6), (32 * 1024 - 1, 2), (126 * 1024, 2)] {
        let head = [b"GET / HTTP/1.1\r\nX: ".to_vec(), vec![b'x'; bytes]].concat();
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            let mut stream = TcpStream::connect(&authority).await.expect("connected");
            // What is too long may be refused before all of it is sent.
            let _ = stream.write_all(&head[..bytes]).await;
            connections.push(stream);
        }
        served(&authority).await;
        let taken = resident(&process).saturating_sub(before);
        assert!(
            taken <= most / share,
            "{CONNECTIONS} heads of {bytes} bytes take {taken}, expected {}",
            most / share
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_takes_little_once_it_was_served() {
    const IDLE: usize = 2_000;
    const AT_ONCE: usize = 100;
    const OF_EACH: u64 = 8 * 1024;
    let place = Place::new();
    place.configure("", "");
    let process = place.serve().await;
    let authority = process.authority().await;
    served(&authority).await;
    let before = resident(&process);
    let mut connections = Vec::new();
    for number in 1..=IDLE {
        let mut stream = TcpStream::connect(&authority).await.expect("connected");
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("sent");
        stream.read_exact(&mut [0; 12]).await.expect("an answer");
        connections.push(stream);
        if number.is_multiple_of(AT_ONCE) {
            // They give their buffers back a moment later, and the next ones take these.
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }
    let taken = resident(&process).saturating_sub(before);
    assert!(taken <= IDLE as u64 * OF_EACH, "{} bytes each", taken / IDLE as u64);
}
