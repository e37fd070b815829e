//! TLS towards WeChat.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use parking_lot::Mutex;
use rustls::HandshakeKind;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::front::certified;
use crate::harness::{Gate, Setup};

const NAME: &str = "wechat.test";
/// The type of a record with application data, and the length of what stands before its content.
const APPLICATION_DATA: u8 = 23;
const RECORD_HEADER: usize = 5;

/// A WeChat that answers everything well, and closes the connection if `closes`.
#[derive(Clone)]
struct Secured {
    closes: bool,
    handshakes: Arc<Mutex<Vec<Option<HandshakeKind>>>>,
    /// Of application data, from the proxy.
    records: Arc<AtomicUsize>,
}

impl Secured {
    async fn gate(closes: bool) -> (Self, Gate) {
        let (pem, acceptor) = certified(NAME);
        let folder = tempfile::tempdir().expect("a folder");
        let ca_file = folder.path().join("ca.pem");
        std::fs::write(&ca_file, pem).expect("written");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let secured = Self { closes, handshakes: Arc::default(), records: Arc::default() };
        let serving = secured.clone();
        #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
                tokio::spawn(serving.clone().serve(stream, acceptor.clone()));
            }
        });
        let upstream = format!(
            "base_urls = [\"https://{NAME}:{port}\"]\nca_file = {ca_file:?}\n\
             resolve = {{ \"{NAME}\" = [\"127.0.0.1\"] }}"
        );
        let gate = Gate::with(Setup { workers: 1, upstream, ..Setup::default() }).await.settled().await;
        (secured, gate)
    }

    async fn serve(self, stream: TcpStream, acceptor: TlsAcceptor) {
        let counted = Counted { stream, records: Arc::clone(&self.records), header: Vec::new(), skip: 0 };
        let Ok(mut tls) = acceptor.accept(counted).await else { return };
        self.handshakes.lock().push(tls.get_ref().1.handshake_kind());
        let mut request = Vec::new();
        while tls.read_buf(&mut request).await.is_ok_and(|length| length > 0) {
            let text = String::from_utf8_lossy(&request).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head
                .lines()
                .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() < length.unwrap_or(0) {
                continue;
            }
            request.clear();
            let answer = match head.contains("token HTTP") {
                true => r#"{"access_token":"75_a-token-that-is-long-enough","expires_in":7200}"#,
                false => r#"{"errcode":0,"errmsg":"ok"}"#,
            };
            let close = if self.closes { "Connection: close\r\n" } else { "" };
            let answer =
                format!("HTTP/1.1 200 OK\r\n{close}Content-Length: {}\r\n\r\n{answer}", answer.len());
            if tls.write_all(answer.as_bytes()).await.is_err() || self.closes {
                let _ = tls.shutdown().await;
                return;
            }
        }
    }
}

/// A socket that counts the records with application data that come.
struct Counted {
    stream: TcpStream,
    records: Arc<AtomicUsize>,
    header: Vec<u8>,
    /// Bytes left of the record.
    skip: usize,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        for byte in &buffer.filled()[before..] {
            if self.skip > 0 {
                self.skip -= 1;
                continue;
            }
            self.header.push(*byte);
            if self.header.len() == RECORD_HEADER {
                let header = std::mem::take(&mut self.header);
                self.skip = usize::from(u16::from_be_bytes([header[3], header[4]]));
                self.records.fetch_add(usize::from(header[0] == APPLICATION_DATA), Ordering::SeqCst);
            }
        }
        read
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_connection_resumes_the_session_of_one_before() {
    let (secured, gate) = Secured::gate(true).await;
    for _ in 0..5 {
        let answer = gate.post("/cgi-bin/message/custom/send", r#"{"touser":"o1"}"#).await;
        assert_eq!((answer.status, answer.errcode()), (200, 0), "{}", answer.text());
    }
    let handshakes = secured.handshakes.lock().clone();
    assert!(handshakes.len() >= 6, "a connection for each: {handshakes:?}");
    let full = handshakes.iter().filter(|kind| **kind != Some(HandshakeKind::Resumed)).count();
    assert_eq!(full, 1, "{handshakes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_request_with_its_body_is_one_record() {
    let (secured, gate) = Secured::gate(false).await;
    let send = async || {
        let answer = gate
            .post("/cgi-bin/message/custom/send", format!("{{\"text\":\"{}\"}}", "x".repeat(2_000)))
            .await;
        assert_eq!((answer.status, answer.errcode()), (200, 0), "{}", answer.text());
    };
    // The handshake's end is a record of the same type.
    send().await;
    let before = secured.records.load(Ordering::SeqCst);
    for _ in 0..10 {
        send().await;
    }
    assert_eq!(secured.records.load(Ordering::SeqCst) - before, 10);
}
