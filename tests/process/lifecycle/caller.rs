//! A caller that sees what is said of its connection, which HTTP clients keep to themselves.

use std::time::Duration;

use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufStream,
};
use tokio::net::TcpStream;
use tokio::time::sleep;

/// A connection to wxgate, or to what stands before it.
pub struct Caller<S = TcpStream>(BufStream<S>)
where
    S: AsyncRead + AsyncWrite;

/// The head of an answer.
#[derive(Debug)]
pub struct Head {
    pub status: u16,
    lines: Vec<String>,
}

/// An answer, whole.
#[derive(Debug)]
pub struct Answer {
    pub head: Head,
    pub body: String,
}

impl Head {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.lines.iter().find_map(|line| {
            let (other, value) = line.split_once(':')?;
            other.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    /// Whether the connection ends with this answer.
    pub fn closes(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

impl Answer {
    /// Status, wxgate's own word for it, and whether the connection ends.
    pub fn said(&self) -> (u16, Option<&str>, bool) {
        (self.head.status, self.head.header("x-wxgate-error"), self.head.closes())
    }
}

impl Caller {
    /// Connects; None if nobody listens.
    pub async fn connect(authority: &str) -> Option<Self> {
        TcpStream::connect(authority).await.ok().map(Self::on)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Caller<S> {
    pub fn on(stream: S) -> Self {
        Self(BufStream::new(stream))
    }

    /// Sends bytes. That the other side is gone shows when its answer is read.
    pub async fn send(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes).await;
        let _ = self.0.flush().await;
    }

    pub async fn ask(&mut self, path: &str) {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await;
    }

    /// Uploads a picture in so many pieces, with a pause behind each.
    pub async fn upload(&mut self, pieces: usize, pause: Duration) {
        let piece = vec![b'x'; 8 * 1024];
        let head = format!(
            "POST /cgi-bin/media/upload?type=image HTTP/1.1\r\nHost: localhost\r\n\
             Content-Type: multipart/form-data; boundary=XX\r\nContent-Length: {}\r\n\r\n",
            pieces * piece.len()
        );
        self.send(head.as_bytes()).await;
        for _ in 0..pieces {
            self.send(&piece).await;
            sleep(pause).await;
        }
    }

    /// The head of the next answer; None if the connection ends before it is whole.
    pub async fn head(&mut self) -> Option<Head> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            lines.push(line.to_owned());
        }
        let status = lines.first()?.split(' ').nth(1)?.parse().ok()?;
        Some(Head { status, lines })
    }

    /// What belongs to a head; None if the connection ends before it is whole.
    pub async fn body(&mut self, head: Head) -> Option<Answer> {
        let length = head.header("content-length").expect("a length").parse().expect("a number");
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.ok()?;
        Some(Answer { head, body: String::from_utf8(body).expect("UTF-8") })
    }

    pub async fn answer(&mut self) -> Option<Answer> {
        let head = self.head().await?;
        self.body(head).await
    }

    pub async fn get(&mut self, path: &str) -> Option<Answer> {
        self.ask(path).await;
        self.answer().await
    }
}
