//! A connection to WeChat, and the counts of a worker's.

use std::future::Future as _;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWrite as _};
use tokio::time::{Instant, Sleep};

use crate::upstream::http1::LONGEST_HEAD;
use crate::upstream::socket::Socket;
use crate::upstream::tls::BUFFER as TLS_BUFFER;

/// What is read at a time: a head and a small body fit in.
const SMALL_READ: usize = 4 * 1024;
/// The same within a body.
const LARGE_READ: usize = 16 * 1024;
/// The longest piece of a request's body that a connection is to be given.
pub const LONGEST_PIECE: usize = 64 * 1024;
/// Head and body of a request that are no longer than this together go out at once. TLS makes one
/// record of them.
const SHORT: usize = 16 * 1024;
/// A buffer that is longer isn't kept between two exchanges.
const LONGEST_KEPT: usize = 8 * 1024;
const TLS: usize = TLS_BUFFER + 2 * 20 * 1024;
const STRUCTURES: usize = 8 * 1024;
/// What a request's head has more than the caller's: a token.
const MORE: usize = 2 * 1024;

/// The most that a connection takes, in bytes: the head of the request, of which the caller's has
/// up to `longest_head`, and a piece of its body; the head of the response, in an allocation that
/// may be twice as long; a piece of the response's body, and what is being read meanwhile; TLS,
/// with what isn't written yet and a record each way; and its own structures.
pub fn most_memory(longest_head: usize) -> u64 {
    let reads = 2 * LONGEST_HEAD + 2 * (LARGE_READ + LARGE_READ / 4);
    (longest_head + MORE + LONGEST_PIECE + reads + TLS + STRUCTURES) as u64
}

/// Connection counts of one worker, read when scraped.
#[derive(Debug)]
#[repr(align(128))]
pub struct Gauges {
    open: AtomicU64,
    idle: AtomicU64,
    most_idle: u64,
}

impl Gauges {
    /// For a worker that keeps up to `most_idle` connections for the next requests.
    pub fn new(most_idle: u64) -> Self {
        Self { open: AtomicU64::new(0), idle: AtomicU64::new(0), most_idle }
    }

    /// Whether another one may be kept.
    pub(super) fn has_room(&self) -> bool {
        self.idle() < self.most_idle
    }

    /// Connections with an exchange in progress.
    pub fn active(&self) -> u64 {
        self.open.load(Ordering::Relaxed).saturating_sub(self.idle())
    }

    /// Connections waiting for the next request.
    pub fn idle(&self) -> u64 {
        self.idle.load(Ordering::Relaxed)
    }

    /// Only the worker's own thread writes, so a load and a store do.
    pub(super) fn parked(&self, change: impl FnOnce(u64) -> u64) {
        self.idle.store(change(self.idle.load(Ordering::Relaxed)), Ordering::Relaxed);
    }
}

/// A connection, and what is on its way on it.
pub(super) struct Connection {
    socket: Socket,
    /// Has come, and isn't taken yet.
    pub(super) input: BytesMut,
    /// Is to be sent; of it so many bytes have been. TLS may hold some of them back until it is
    /// flushed.
    output: Vec<u8>,
    sent: usize,
    flushed: bool,
    /// A byte of the request was handed to the kernel, or to TLS.
    pub(super) written: bool,
    /// More of them were since this was last looked at.
    pub(super) moved: bool,
    /// A byte of the response has come.
    pub(super) read: bool,
    /// The other side reads no further. A server that responds before it has the whole request, and
    /// closes, has mostly responded already: what is still to be written is dropped, and what it
    /// sent decides.
    pub(super) peer_closed: bool,
    /// Which of the pool's hosts it leads to.
    pub(super) host: usize,
    pub(super) reused: bool,
    /// Kept from exchange to exchange, since setting a timer costs more than looking at one that is
    /// set already.
    pub(super) timer: Option<Pin<Box<Sleep>>>,
    /// From then on it takes no further request.
    pub(super) retires_at: Instant,
    pub(super) parked_at: Option<Instant>,
    gauges: Arc<Gauges>,
}

impl Connection {
    /// On a fresh socket to `host`, to be used for as long as `age`.
    pub(super) fn new(host: usize, socket: Socket, age: Duration, gauges: &Arc<Gauges>) -> Box<Self> {
        gauges.open.fetch_add(1, Ordering::Relaxed);
        Box::new(Self {
            socket,
            input: BytesMut::new(),
            output: Vec::new(),
            sent: 0,
            flushed: true,
            written: false,
            moved: false,
            read: false,
            peer_closed: false,
            host,
            reused: false,
            timer: None,
            retires_at: Instant::now() + age,
            parked_at: None,
            gauges: Arc::clone(gauges),
        })
    }

    /// Whether it is still good after it was parked. No task polls it meanwhile: one poll notices
    /// that WeChat has closed it, or has sent unrequested bytes.
    pub(super) fn is_quiet(&mut self) -> bool {
        self.input.is_empty() && self.poll_read(&mut Context::from_waker(Waker::noop()), false).is_pending()
    }

    /// Whether another request can follow: bytes after a response belong to no request.
    pub(super) fn goes_on(&self) -> bool {
        self.input.is_empty() && !self.peer_closed
    }

    /// Another exchange begins, whose head of up to `length` bytes goes into the buffer.
    pub(super) fn begin(&mut self, length: usize) -> &mut Vec<u8> {
        self.written = false;
        self.read = false;
        self.sent = 0;
        self.flushed = false;
        self.output.clear();
        self.output.reserve_exact(length);
        &mut self.output
    }

    /// Gives back what an exchange took more than usual.
    pub(super) fn rest(&mut self) {
        if self.output.capacity() > LONGEST_KEPT {
            self.output = Vec::new();
        }
        if self.input.capacity() > LONGEST_KEPT {
            self.input = BytesMut::new();
        }
    }

    /// Whether nothing is left to be sent.
    pub(super) fn is_sent(&self) -> bool {
        self.flushed
    }

    /// Puts `piece` behind the head that is to be sent, if both are short: they go out at once.
    pub(super) fn join(&mut self, piece: &mut Bytes) {
        if self.sent == 0 && self.output.len() + piece.len() <= SHORT {
            self.output.extend_from_slice(&std::mem::take(piece));
        }
    }

    /// Sends what there is to be sent, and `piece` behind it.
    pub(super) fn poll_send(&mut self, piece: &mut Bytes, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.peer_closed && (self.sent < self.output.len() || !piece.is_empty()) {
            self.flushed = false;
            let (bytes, in_output) = match self.output.get(self.sent..) {
                Some(rest @ [_, ..]) => (rest, true),
                _ => (&piece[..], false),
            };
            match ready!(Pin::new(&mut self.socket).poll_write(context, bytes)) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(count) => {
                    self.written = true;
                    self.moved = true;
                    if in_output {
                        self.sent += count;
                    } else {
                        piece.advance(count);
                    }
                }
                Err(error) => self.give_up_sending(error)?,
            }
        }
        if !self.peer_closed
            && let Err(error) = ready!(Pin::new(&mut self.socket).poll_flush(context))
        {
            self.give_up_sending(error)?;
        }
        self.flushed = true;
        Poll::Ready(Ok(()))
    }

    /// Whether a failed write leaves a response to be read. Where nothing of the request was
    /// written the failure itself is the better news: the request may go out on another connection.
    fn give_up_sending(&mut self, error: io::Error) -> io::Result<()> {
        let closed = matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset);
        if closed && self.written {
            self.peer_closed = true;
            return Ok(());
        }
        Err(error)
    }

    /// Reads more; 0 bytes are the end.
    pub(super) fn poll_read(&mut self, context: &mut Context<'_>, in_body: bool) -> Poll<io::Result<usize>> {
        let most = if in_body { LARGE_READ } else { SMALL_READ };
        if self.input.capacity() - self.input.len() < most / 4 {
            self.input.reserve(most);
        }
        let read = ready!(pin!(self.socket.read_buf(&mut self.input)).poll(context));
        self.read |= matches!(read, Ok(1..));
        Poll::Ready(read)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.gauges.open.fetch_sub(1, Ordering::Relaxed);
    }
}
