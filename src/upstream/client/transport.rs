//! A socket that remembers whether bytes went either way, and that is still read once the other
//! side takes no more.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::upstream::interim::Interim;
use crate::upstream::socket::Socket;

/// Bytes of the exchange in progress: what tells whether a request may be repeated.
#[derive(Debug, Default)]
pub(super) struct Meter {
    pub(super) written: Cell<bool>,
    pub(super) read: Cell<bool>,
    interim: Cell<Interim>,
    /// The other side reads no further. Whoever answers before it has the whole request, and
    /// closes, has mostly answered already: what is still to be written is dropped, and what it
    /// sent decides.
    pub(super) peer_closed: Cell<bool>,
}

impl Meter {
    /// Another exchange begins.
    pub(super) fn restart(&self) {
        self.written.set(false);
        self.read.set(false);
        self.interim.set(Interim::default());
    }

    /// Bytes have come.
    fn came(&self, bytes: &[u8]) -> io::Result<()> {
        self.read.set(true);
        let mut interim = self.interim.get();
        let seen = interim.see(bytes);
        self.interim.set(interim);
        seen
    }

    /// Whether a failed write leaves an answer to be read. Where nothing of the request was
    /// written the failure itself is the better news: the request may go out on another connection.
    fn peer_closes(&self, error: &io::Error) -> bool {
        let closed = matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset);
        if closed && self.written.get() {
            self.peer_closed.set(true);
        }
        self.peer_closed.get()
    }
}

#[derive(Debug)]
pub(super) struct Transport {
    pub(super) socket: Socket,
    pub(super) meter: Rc<Meter>,
}

impl AsyncRead for Transport {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(context, buffer);
        match buffer.filled().get(before..) {
            None | Some([]) => read,
            Some(fresh) => self.meter.came(fresh).map_or_else(|error| Poll::Ready(Err(error)), |()| read),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.meter.peer_closed.get() {
            return Poll::Ready(Ok(bytes.len()));
        }
        match Pin::new(&mut self.socket).poll_write(context, bytes) {
            Poll::Ready(Err(error)) if self.meter.peer_closes(&error) => Poll::Ready(Ok(bytes.len())),
            written => {
                if matches!(written, Poll::Ready(Ok(1..))) {
                    self.meter.written.set(true);
                }
                written
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.meter.peer_closed.get() {
            return Poll::Ready(Ok(()));
        }
        match Pin::new(&mut self.socket).poll_flush(context) {
            Poll::Ready(Err(error)) if self.meter.peer_closes(&error) => Poll::Ready(Ok(())),
            flushed => flushed,
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}
