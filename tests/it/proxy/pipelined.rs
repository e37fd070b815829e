//! Many requests in little time: several are on their way at once on a connection.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// On their way at once.
const TOGETHER: usize = 50;

/// Sends these GETs on one connection, and waits for as many answers.
pub async fn pipelined(authority: String, requests: impl Iterator<Item = String>) {
    let mut connection = TcpStream::connect(authority).await.expect("a connection");
    let mut bytes = vec![0; 64 * 1024];
    let mut requests = requests.peekable();
    while requests.peek().is_some() {
        let some: String = requests.by_ref().take(TOGETHER).collect();
        connection.write_all(some.as_bytes()).await.expect("sent");
        let (mut left, mut tail) = (some.matches("GET ").count(), Vec::new());
        while left > 0 {
            let read = connection.read(&mut bytes).await.expect("an answer");
            assert!(read > 0, "{left} answers are missing");
            tail.extend_from_slice(&bytes[..read]);
            left -= String::from_utf8_lossy(&tail).matches("HTTP/1.1 ").count();
            // Half a word may have come.
            tail.drain(..tail.len().saturating_sub(8));
        }
    }
}
