//! A caller's socket, of whatever kind.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, Interest, ReadBuf, Ready};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

/// Any kind of socket.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// How long a caller that was refused may go on sending.
#[derive(Clone, Copy, Debug)]
pub(super) struct Linger {
    in_all: Duration,
    pause: Duration,
}

impl Linger {
    /// Of one whose request was read.
    pub(super) const LONG: Self = Self { in_all: Duration::from_secs(10), pause: Duration::from_secs(2) };
    /// Of one over the limit.
    pub(super) const SHORT: Self = Self { in_all: Duration::from_secs(2), pause: Duration::from_secs(1) };
}

/// Ends our side and takes what the caller still sends. Closing with unread bytes would reset the
/// connection, and the reset would overtake what was said last.
pub(super) async fn discard(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), linger: Linger) {
    let Linger { in_all, pause } = linger;
    let discard = async {
        stream.shutdown().await?;
        let mut scratch = vec![0; 16 * 1024];
        while let Ok(Ok(1..)) = timeout(pause, stream.read(&mut scratch)).await {}
        io::Result::Ok(())
    };
    // However it ends, the connection is over.
    let _ = timeout(in_all, discard).await;
}

impl Socket {
    /// Whether the kernel has said that nothing more comes, however much there is still to read.
    pub(super) fn is_read_closed(&self) -> bool {
        fn says(ready: impl Future<Output = io::Result<Ready>>) -> bool {
            let polled = pin!(ready).poll(&mut Context::from_waker(Waker::noop()));
            matches!(polled, Poll::Ready(Ok(ready)) if ready.is_read_closed())
        }
        match self {
            Self::Tcp(stream) => says(stream.ready(Interest::READABLE)),
            Self::Unix(stream) => says(stream.ready(Interest::READABLE)),
            Self::Tls(stream) => says(stream.get_ref().0.ready(Interest::READABLE)),
        }
    }

    /// Ready when there is something to be read, or nothing more can come.
    pub(super) fn poll_comes(&self, context: &mut Context<'_>) -> Poll<()> {
        let ready = match self {
            Self::Tcp(stream) => stream.poll_read_ready(context),
            Self::Unix(stream) => stream.poll_read_ready(context),
            Self::Tls(stream) => match stream.get_ref() {
                (stream, session) if session.wants_read() => stream.poll_read_ready(context),
                // What came is deciphered already.
                _ => return Poll::Ready(()),
            },
        };
        // A read tells the error.
        ready.map(drop)
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::Unix(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
