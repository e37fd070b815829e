//! What the process costs when there is nothing to do.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::process::{Place, Process};
use crate::until::until;

const CONNECTIONS: usize = 1000;

/// Ticks of the processor's time that the process has had, a hundred a second.
fn ticks(process: &Process) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.id())).expect("it runs");
    // The second field, in brackets, may hold spaces; utime and stime are the 14th and 15th of all.
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    fields[11..13].iter().map(|field| field.parse::<u64>().expect("a number")).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_idle_connections_cost_no_processor_time() {
    let place = Place::new();
    place.configure("", "");
    let mut process = place.serve().await;
    let authority = process.authority().await;
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut stream = TcpStream::connect(&authority).await.expect("connected");
        stream
            .write_all(b"GET /cgi-bin/user/info?openid=o1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await
            .expect("sent");
        let mut start = [0; 12];
        stream.read_exact(&mut start).await.expect("an answer");
        assert_eq!(&start, b"HTTP/1.1 200");
        connections.push(stream);
    }
    // The access log is written behind the requests.
    until(|| "all access lines", async || process.access_lines().len() == CONNECTIONS).await;
    let before = ticks(&process);
    // Real time: it is the processor's that is measured.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let spent = ticks(&process) - before;
    assert!(spent <= 2, "{spent} ticks");
    process.signal("TERM");
    assert_eq!(process.ended().await.code(), Some(0));
}
