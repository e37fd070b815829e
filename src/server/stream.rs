//! A caller's socket with the timeouts that hyper doesn't have, and the answers that hyper would
//! give by itself.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::count::Count;
use super::framing::{Framing, Place};
use super::socket::{self, Socket};
use super::{Options, Refusal};

/// What the socket, the service and the answer's body of one connection know together.
#[derive(Debug)]
pub(super) struct Progress {
    /// The worker's, of which this connection is one.
    pub(super) count: Arc<Count>,
    /// Between a request's dispatch and the end of its answer's body.
    pub(super) answering: Cell<bool>,
    /// Requests handed to the handler so far.
    pub(super) dispatched: Cell<u64>,
    /// From a request's dispatch until the last byte of its answer is with the kernel: silence is
    /// no idleness then.
    pub(super) writing: Cell<bool>,
    /// An answer has ended since this was last looked at.
    pub(super) flushed: Cell<bool>,
    pub(super) framing: RefCell<Framing>,
    pub(super) look: Cell<Look>,
}

/// A look at the socket, whether the caller is still there. hyper notices a hang-up by reading on,
/// which it doesn't while what follows the request lies in its buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Look {
    #[default]
    None,
    /// Wanted before the request's future goes on.
    Wanted,
    /// The caller is there.
    There,
}

/// The type of the record with which TLS begins; no method of HTTP's does.
const TLS_HANDSHAKE: u8 = 22;

impl Progress {
    pub(super) fn of_one_of(count: Arc<Count>) -> Self {
        Self {
            count,
            answering: Cell::default(),
            dispatched: Cell::default(),
            writing: Cell::default(),
            flushed: Cell::default(),
            framing: RefCell::default(),
            look: Cell::default(),
        }
    }
}

/// What a silence means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Silence {
    Between,
    Head,
    Body,
}

/// The socket as hyper sees it.
pub(super) struct Guarded {
    socket: Socket,
    progress: Rc<Progress>,
    options: Rc<Options>,
    reading: Patience<Silence>,
    writing: Patience<()>,
    refuse: Box<dyn Fn(Refusal) -> Option<Bytes>>,
    substitute: Option<Bytes>,
    /// What couldn't be parsed has its answer.
    refused: bool,
    /// The first byte that came.
    first: Option<u8>,
    /// The caller has ended its side, or is given up.
    ended: bool,
}

/// A deadline on silence. The timer is armed lazily: progress moves the deadline alone, and a timer
/// that goes off early is set anew, so that a busy connection touches the timer wheel once in many
/// requests.
#[derive(Debug)]
struct Patience<Reason> {
    since: Option<(Reason, Instant)>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<Reason: PartialEq> Patience<Reason> {
    fn new() -> Self {
        Self { since: None, timer: None }
    }

    fn progress(&mut self) {
        self.since = None;
    }

    /// Ready when silence for `reason` has lasted `limit`.
    fn poll_lost(&mut self, reason: Reason, limit: Duration, context: &mut Context<'_>) -> Poll<()> {
        let since = match &self.since {
            Some((same, since)) if *same == reason => *since,
            _ => {
                let now = Instant::now();
                self.since = Some((reason, now));
                now
            }
        };
        let deadline = since + limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if timer.deadline() > deadline {
            timer.as_mut().reset(deadline);
        }
        while timer.as_mut().poll(context).is_ready() {
            if timer.deadline() >= deadline {
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

impl Guarded {
    pub(super) fn new(
        socket: Socket,
        progress: Rc<Progress>,
        options: Rc<Options>,
        refuse: Box<dyn Fn(Refusal) -> Option<Bytes>>,
    ) -> Self {
        Self {
            socket,
            progress,
            options,
            reading: Patience::new(),
            writing: Patience::new(),
            refuse,
            substitute: None,
            refused: false,
            first: None,
            ended: false,
        }
    }

    /// Answers what hyper gives up without a word, such as HTTP/2.
    pub(super) async fn refuse_if_hyper_did_not(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.refused, true) {
            return Ok(());
        }
        match (self.refuse)(self.cause_of(Refusal::Malformed)) {
            Some(answer) => self.write_all(&answer).await,
            None => Ok(()),
        }
    }

    /// What it really was that hyper refuses as this.
    fn cause_of(&self, refusal: Refusal) -> Refusal {
        let framing = self.progress.framing.borrow();
        match refusal {
            _ if self.first == Some(TLS_HANDSHAKE) => Refusal::NotHttp,
            // hyper refuses by itself what it can't frame at all.
            _ if framing.is_ambiguous(self.progress.dispatched.get()) => Refusal::AmbiguousFraming,
            Refusal::Malformed if framing.has_raw_target() => Refusal::RawTarget,
            refusal => refusal,
        }
    }

    /// Takes what the caller still sends of a request that was answered already.
    pub(super) async fn linger(mut self) {
        if !self.ended && self.progress.framing.borrow().place() != Place::Between {
            socket::discard(&mut self.socket).await;
        }
    }

    /// What is awaited from the caller, if anything.
    fn awaited(&self) -> Option<(Silence, Duration)> {
        match self.progress.framing.borrow().place() {
            Place::Length(_) | Place::ChunkSize | Place::Chunk(_) | Place::Trailers => {
                Some((Silence::Body, self.options.body_timeout))
            }
            _ if self.progress.writing.get() => None,
            Place::Head => Some((Silence::Head, self.options.head_timeout)),
            Place::Between | Place::Lost => Some((Silence::Between, self.options.idle_timeout)),
        }
    }

    /// Takes the look that is wanted; fails where the caller has hung up.
    fn look(&self) -> io::Result<()> {
        if self.progress.look.get() == Look::Wanted {
            if self.socket.is_read_closed() {
                return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the caller hung up"));
            }
            self.progress.look.set(Look::There);
        }
        Ok(())
    }

    fn poll_socket_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.in_time(written, context)
    }

    /// Gives up a caller that has taken no byte for too long.
    fn in_time<T>(&mut self, written: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.writing.progress();
            return written;
        }
        ready!(self.writing.poll_lost((), self.options.write_timeout, context));
        self.ended = true;
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the caller stopped reading")))
    }
}

/// Recognises the answer that hyper gives by itself to what it can't parse: the only one that
/// belongs to no request.
fn own_answer(bytes: &[u8]) -> Option<Refusal> {
    let status = bytes.strip_prefix(b"HTTP/1.1 4")?.get(..2)?;
    Some(match status {
        b"14" => Refusal::TargetTooLong,
        b"31" => Refusal::HeadTooLarge,
        _ => Refusal::Malformed,
    })
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(context, buffer);
        if read.is_ready() {
            let fresh = buffer.filled().get(before..).unwrap_or_default();
            self.ended |= fresh.is_empty();
            self.first = self.first.or_else(|| fresh.first().copied());
            self.progress.framing.borrow_mut().observe(fresh);
            // A head has one deadline from its first byte, however its bytes trickle in.
            if !matches!(&self.reading.since, Some((Silence::Head, _)))
                || self.progress.framing.borrow().place() != Place::Head
            {
                self.reading.progress();
            }
            return read;
        }
        let Some((silence, limit)) = self.awaited() else {
            self.reading.progress();
            return Poll::Pending;
        };
        ready!(self.reading.poll_lost(silence, limit, context));
        self.ended = true;
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the caller fell silent")))
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.look()?;
        if self.substitute.is_none()
            && !self.refused
            && !self.progress.writing.get()
            && let Some(refusal) = own_answer(bytes)
        {
            self.refused = true;
            self.substitute = (self.refuse)(self.cause_of(refusal));
        }
        while let Some(mut rest) = self.substitute.take() {
            match self.poll_socket_write(context, &rest) {
                Poll::Ready(Ok(count)) => {
                    rest.advance(count);
                    if rest.is_empty() {
                        return Poll::Ready(Ok(bytes.len()));
                    }
                    self.substitute = Some(rest);
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.substitute = Some(rest);
                    return Poll::Pending;
                }
            }
        }
        self.poll_socket_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.look()?;
        // TLS holds back what the kernel doesn't take.
        let flushed = Pin::new(&mut self.socket).poll_flush(context);
        let flushed = self.in_time(flushed, context);
        // hyper flushes when its own buffer is empty.
        if flushed.is_ready() && !self.progress.answering.get() && self.progress.writing.replace(false) {
            self.progress.flushed.set(true);
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ended = Pin::new(&mut self.socket).poll_shutdown(context);
        self.in_time(ended, context)
    }
}
