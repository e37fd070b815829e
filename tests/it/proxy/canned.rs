//! An upstream that answers with the very bytes that a test gives it, where the sandbox would be
//! too polite.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{Gate, Setup};

/// What the answer to each call but a token call is made of: bytes, and pauses without an end
/// between them.
#[derive(Clone, Default)]
pub struct Canned {
    answer: Arc<Mutex<Vec<u8>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
    hangs: Arc<Mutex<bool>>,
}

/// A request as it came.
#[derive(Clone)]
pub struct Seen {
    pub head: Vec<u8>,
    pub body: Vec<u8>,
    /// All of the body came.
    pub whole: bool,
}

fn fetches(head: &str) -> bool {
    head.starts_with("POST /cgi-bin/stable_token")
        || head.starts_with("POST /cgi-bin/component/api_component_token")
}

impl Canned {
    /// Listens, and starts a proxy before it. Each call is answered on a connection of its own.
    pub async fn gate(setup: Setup) -> (Self, Gate) {
        let canned = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let serving = canned.clone();
        #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
                tokio::spawn(serving.clone().serve(stream));
            }
        });
        let gate = Gate::with(Setup { upstream_url: Some(url), ..setup }).await.settled().await;
        (canned, gate)
    }

    /// What is answered from now on.
    pub fn answer(&self, bytes: impl AsRef<[u8]>) {
        *self.answer.lock() = bytes.as_ref().to_vec();
    }

    /// With `Connection: close` and a length.
    pub fn answer_with(&self, headers: &str, body: impl AsRef<[u8]>) {
        let body = body.as_ref();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n",
            body.len()
        );
        self.answer([head.as_bytes(), body].concat());
    }

    /// After its bytes an answer goes on for ever, without another one.
    pub fn hang(&self) {
        *self.hangs.lock() = true;
    }

    /// How often a token was fetched.
    pub fn fetches(&self) -> usize {
        self.heads().iter().filter(|head| fetches(head)).count()
    }

    /// How often anything else was asked for.
    pub fn calls(&self) -> usize {
        self.heads().len() - self.fetches()
    }

    /// All but token calls.
    pub fn seen(&self) -> Vec<Seen> {
        let mut seen = self.seen.lock().clone();
        seen.retain(|seen| !fetches(&String::from_utf8_lossy(&seen.head)));
        seen
    }

    /// The heads of all calls, as they came.
    pub fn heads(&self) -> Vec<String> {
        self.seen.lock().iter().map(|seen| String::from_utf8_lossy(&seen.head).into_owned()).collect()
    }

    async fn serve(self, mut stream: TcpStream) {
        let mut request = Vec::new();
        let end = loop {
            if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
                return;
            }
            if let Some(end) = memchr::memmem::find(&request, b"\r\n\r\n") {
                break end + 4;
            }
        };
        let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        let at = {
            let mut seen = self.seen.lock();
            seen.push(Seen { head: request[..end].to_vec(), body: Vec::new(), whole: false });
            seen.len() - 1
        };
        while request.len() < end + length.unwrap_or(0) {
            if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let fetch = fetches(&String::from_utf8_lossy(&request[..end]));
        if let Some(seen) = self.seen.lock().get_mut(at) {
            (seen.body, seen.whole) = (request[end..].to_vec(), true);
        }
        let answer = if fetch {
            let body = "{\"access_token\":\"canned-token\",\"component_access_token\":\"canned-token\",\"expires_in\":7200}";
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
                .into()
        } else {
            self.answer.lock().clone()
        };
        let _ = stream.write_all(&answer).await;
        let hangs = *self.hangs.lock();
        if hangs && !fetch {
            // Until the proxy hangs up.
            while stream.read_buf(&mut request).await.unwrap_or(0) > 0 {}
        }
        let _ = stream.shutdown().await;
    }
}
