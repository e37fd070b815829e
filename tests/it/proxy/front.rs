//! A host that stands before the sandbox and can break in all the ways that hosts break. Several
//! before one sandbox are WeChat's several hosts, and its journal tells what was executed twice.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::until::until;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// What it does to connections, old and new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Open,
    /// Takes connections, and neither reads nor writes.
    Silent,
    /// Hands requests on and keeps the answers to itself.
    Swallowing,
    Resetting,
    /// Answers 503 to everything.
    Unavailable,
    /// Takes no connection.
    Closed,
}

pub struct Front {
    mode: watch::Sender<Mode>,
    address: SocketAddr,
}

/// A certificate for `name`, as PEM, and an acceptor that shows it.
pub fn certified(name: &str) -> (String, TlsAcceptor) {
    let certified = rcgen::generate_simple_self_signed(vec![name.to_owned()]).expect("a certificate");
    let key = rustls::pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring knows TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key.expect("a key"))
        .expect("they fit");
    (certified.cert.pem(), TlsAcceptor::from(Arc::new(config)))
}

impl Front {
    /// Listens before `target`, `http://host:port`.
    pub async fn before(target: &str) -> Self {
        Self::with(target, None).await
    }

    /// The same through TLS.
    pub async fn secured(target: &str, tls: TlsAcceptor) -> Self {
        Self::with(target, Some(tls)).await
    }

    async fn with(target: &str, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let target = target.trim_start_matches("http://").to_owned();
        let (mode, modes) = watch::channel(Mode::Open);
        #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
        tokio::spawn(serve(listener, address, target, tls, modes));
        Self { mode, address }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns when it is so.
    pub async fn turn(&self, mode: Mode) {
        self.mode.send_replace(mode);
        let closed = async || TcpStream::connect(self.address).await.is_err();
        until(|| "the front as it should be", async || closed().await == (mode == Mode::Closed)).await;
    }
}

async fn serve(
    mut listener: TcpListener,
    address: SocketAddr,
    target: String,
    tls: Option<TlsAcceptor>,
    mut modes: watch::Receiver<Mode>,
) {
    loop {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = modes.wait_for(|mode| *mode == Mode::Closed) => break,
            };
            let Ok((stream, _)) = accepted else { continue };
            let (target, tls, modes) = (target.clone(), tls.clone(), modes.clone());
            #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
            tokio::spawn(async move {
                match tls {
                    None => relay(stream, &target, modes).await,
                    Some(tls) => {
                        if let Ok(stream) = tls.accept(stream).await {
                            relay(stream, &target, modes).await;
                        }
                    }
                }
            });
        }
        drop(listener);
        if modes.wait_for(|mode| *mode != Mode::Closed).await.is_err() {
            return;
        }
        listener = TcpListener::bind(address).await.expect("the same port");
    }
}

/// A stream that can be reset.
trait Resettable {
    fn reset(&self);
}

impl Resettable for TcpStream {
    fn reset(&self) {
        let _ = socket2::SockRef::from(self).set_linger(Some(std::time::Duration::ZERO));
    }
}

impl Resettable for tokio_rustls::server::TlsStream<TcpStream> {
    fn reset(&self) {
        self.get_ref().0.reset();
    }
}

async fn relay<S>(mut stream: S, target: &str, mut modes: watch::Receiver<Mode>)
where
    S: AsyncRead + AsyncWrite + Resettable + Unpin,
{
    // None if the test is over.
    let Ok(mut target) = TcpStream::connect(target).await else { return };
    let mut request = Vec::new();
    let (mut there, mut back) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        let mode = *modes.borrow_and_update();
        match mode {
            Mode::Resetting | Mode::Closed => return stream.reset(),
            Mode::Silent => {
                if modes.changed().await.is_err() {
                    return;
                }
            }
            Mode::Unavailable => tokio::select! {
                read = stream.read_buf(&mut request) => {
                    if read.unwrap_or(0) == 0 {
                        return;
                    }
                    if is_whole(&request) {
                        request.clear();
                        let answer = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
                        let _ = stream.write_all(answer).await;
                    }
                }
                changed = modes.changed() => if changed.is_err() { return },
            },
            Mode::Open | Mode::Swallowing => tokio::select! {
                read = stream.read(&mut there) => match read {
                    Ok(length @ 1..) => target.write_all(&there[..length]).await.expect("taken"),
                    _ => return,
                },
                read = target.read(&mut back) => match read {
                    Ok(length @ 1..) if mode == Mode::Open => {
                        if stream.write_all(&back[..length]).await.is_err() {
                            return;
                        }
                    }
                    Ok(1..) => {}
                    _ => return,
                },
                changed = modes.changed() => if changed.is_err() { return },
            },
        }
    }
}

fn is_whole(request: &[u8]) -> bool {
    let Some(end) = memchr::memmem::find(request, b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    request.len() >= end + 4 + length.unwrap_or(0)
}
