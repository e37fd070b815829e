//! How a push is sent.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::sandbox::state::callbacks::Receiver;

/// WeChat waits five seconds for a push to be taken.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longer answers are not read to their end, bytes.
const LONGEST: u64 = 64 * 1024;

/// What a receiver answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The status.
    pub status: u16,
    /// The body; `success` if it took the push.
    pub body: String,
}

/// Posts XML and reads what is answered.
///
/// # Errors
/// If the receiver can't be reached in time, or answers no HTTP.
pub(super) async fn post(receiver: &Receiver, query: &str, body: &str) -> io::Result<Receipt> {
    let answer = tokio::time::timeout(PATIENCE, exchange(receiver, query, body)).await??;
    receipt(&answer).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

async fn exchange(receiver: &Receiver, query: &str, body: &str) -> io::Result<Vec<u8>> {
    let Receiver { authority, target, .. } = receiver;
    let joint = if target.contains('?') { '&' } else { '?' };
    let request = format!(
        "POST {target}{joint}{query} HTTP/1.1\r\nHost: {authority}\r\nContent-Type: text/xml\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(authority).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer).await?;
    Ok(answer)
}

fn receipt(answer: &[u8]) -> Option<Receipt> {
    let answer = String::from_utf8_lossy(answer);
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    Some(Receipt { status, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::receipt;

    #[test]
    fn an_answer_is_read() {
        let taken = receipt(b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nsuccess").expect("an answer");
        assert_eq!((taken.status, &*taken.body), (200, "success"));
        assert_eq!(receipt(b"SSH-2.0"), None);
    }
}
