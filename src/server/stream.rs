//! A caller's socket with the timeouts that hyper doesn't have, and the responses that hyper would
//! give by itself.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::time::Instant;

use super::answer::on_the_wire;
use super::fault::BodyFault;
use super::framing::Position;
use super::pace::Arrival;
use super::patience::Patience;
use super::progress::{Look, Progress};
use super::socket::{self, Linger, Socket};
use super::{Handler, Options, Peer, Refusal};

use crate::texts::text;

/// The type of the record with which TLS begins; no method of HTTP's does.
const TLS_HANDSHAKE: u8 = 22;

/// What a silence means. The connection's task handles idle ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReadTimeout {
    /// Where the next request begins can't be told.
    Lost,
    Head,
    Body,
}

/// The socket as hyper sees it.
pub(super) struct Guarded<H> {
    socket: Socket,
    pub(super) peer: Peer,
    pub(super) progress: Rc<Progress>,
    options: Rc<Options>,
    pub(super) handler: Rc<H>,
    reading: Patience<ReadTimeout>,
    writing: Patience<()>,
    /// The body that is waited for, if one is.
    arrival: Option<Box<Arrival>>,
    substitute: Option<Bytes>,
    /// What couldn't be parsed got its response.
    refused: bool,
    /// The first byte that came.
    first: Option<u8>,
    /// The caller has ended its side, or is given up.
    ended: bool,
}

impl<H: Handler> Guarded<H> {
    pub(super) fn new(
        socket: Socket,
        peer: Peer,
        progress: Rc<Progress>,
        options: Rc<Options>,
        handler: Rc<H>,
    ) -> Self {
        Self {
            socket,
            peer,
            progress,
            options,
            handler,
            reading: Patience::new(),
            writing: Patience::new(),
            arrival: None,
            substitute: None,
            refused: false,
            first: None,
            ended: false,
        }
    }

    /// Responds to what hyper gives up silently, such as HTTP/2.
    pub(super) async fn refuse_if_hyper_did_not(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.refused, true) {
            return Ok(());
        }
        match self.refuse(Refusal::Malformed) {
            Some(answer) => self.write_all(&answer).await,
            None => Ok(()),
        }
    }

    /// The response to what hyper refuses as this.
    fn refuse(&self, refusal: Refusal) -> Option<Bytes> {
        self.handler.refuse(self.cause_of(refusal), self.peer).map(|answer| on_the_wire(&answer))
    }

    /// What it really was that hyper refuses as this.
    fn cause_of(&self, refusal: Refusal) -> Refusal {
        if self.first == Some(TLS_HANDSHAKE) {
            return Refusal::NotHttp;
        }
        // hyper refuses by itself what it can't frame at all.
        if let Some(known) = self.progress.refusal(self.progress.dispatched.get(), &*self.handler) {
            return known;
        }
        match refusal {
            Refusal::Malformed if self.progress.framing.borrow().has_raw_target() => Refusal::RawTarget,
            refusal => refusal,
        }
    }

    /// Keeps nothing that only a request needs.
    pub(super) fn rest(&mut self) {
        self.reading = Patience::new();
        self.writing = Patience::new();
        self.arrival = None;
    }

    /// Ready when there is something to be read, or nothing more can come.
    pub(super) fn poll_comes(&self, context: &mut Context<'_>) -> Poll<()> {
        self.socket.poll_comes(context)
    }

    /// Takes what the caller still sends of a request that already got its response.
    pub(super) async fn linger(mut self) {
        if !self.ended && self.progress.framing.borrow().place() != Position::Between {
            socket::discard(&mut self.socket, Linger::LONG).await;
        }
    }

    /// What is awaited from the caller, if anything, and for how long.
    fn awaited(&mut self) -> Option<(ReadTimeout, Duration)> {
        let place = self.progress.framing.borrow().place();
        match place {
            Position::Length(_) | Position::ChunkSize | Position::Chunk(_) | Position::Trailers => {
                Some((ReadTimeout::Body, self.body_awaited()))
            }
            // hyper may read on where this can't follow.
            Position::Lost if self.is_body_at_work() => Some((ReadTimeout::Body, self.body_awaited())),
            _ if self.progress.writing.get() => None,
            Position::Head => Some((ReadTimeout::Head, self.options.head_timeout)),
            Position::Between if self.progress.is_idle() => None,
            Position::Between | Position::Lost => Some((ReadTimeout::Lost, self.options.idle_timeout)),
        }
    }

    /// Whether what was read last is of the body of the request in flight.
    fn is_body_at_work(&self) -> bool {
        let latest = self.progress.dispatched.get().checked_sub(1);
        latest.is_some_and(|index| self.progress.framing.borrow().is_within_body_of(index))
    }

    /// How long more of the body is awaited.
    fn body_awaited(&mut self) -> Duration {
        let (request, body) = self.progress.framing.borrow().body();
        let arrival = match self.arrival.take().filter(|arrival| arrival.is_of(request)) {
            Some(arrival) => arrival,
            None => Box::new(Arrival::new(self.options.pace, request, body.came)),
        };
        let arrival = self.arrival.insert(arrival);
        arrival.awaited(body.length, Instant::now()).min(self.options.body_timeout)
    }

    /// Notes what has come of a body that was waited for.
    fn body_comes(&mut self) {
        let Some(arrival) = &mut self.arrival else { return };
        let (request, body) = self.progress.framing.borrow().body();
        if arrival.is_of(request) {
            arrival.comes(body.came, Instant::now());
        } else {
            self.arrival = None;
        }
    }

    /// Why the body of the request in flight is given up, if what came of it last is a reason.
    fn body_fault(&self) -> Option<BodyFault> {
        if !matches!(self.progress.framing.borrow().place(), Position::Chunk(_) | Position::Lost) {
            return None;
        }
        let index = self.progress.dispatched.get().checked_sub(1)?;
        match self.progress.refusal(index, &*self.handler)? {
            Refusal::BodyTooLarge { limit } => Some(BodyFault::TooLong { limit }),
            _ => None,
        }
    }

    /// Gives up a caller that is too slow.
    fn lost(&mut self, silence: ReadTimeout) -> io::Error {
        let slow = silence == ReadTimeout::Body
            && self.arrival.as_ref().is_some_and(|arrival| arrival.is_late(Instant::now()));
        if slow {
            // Who still sends is lingered for, or the response would be lost to a reset.
            return BodyFault::Slow.into();
        }
        self.ended = true;
        match silence {
            ReadTimeout::Body => BodyFault::Silent.into(),
            ReadTimeout::Lost | ReadTimeout::Head => {
                io::Error::new(io::ErrorKind::TimedOut, text!("the caller stopped sending").to_string())
            }
        }
    }

    /// Takes the look that is wanted; fails where the caller has hung up.
    fn look(&self) -> io::Result<()> {
        if self.progress.look.get() == Look::Wanted {
            if self.socket.is_read_closed() {
                let text = text!("the caller closed the connection");
                return Err(io::Error::new(io::ErrorKind::ConnectionAborted, text.to_string()));
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
        let text = text!("the caller stopped reading").to_string();
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, text)))
    }
}

/// Recognises the response that hyper gives by itself to what it can't parse: the only one that
/// belongs to no request.
fn own_answer(bytes: &[u8]) -> Option<Refusal> {
    let status = bytes.strip_prefix(b"HTTP/1.1 4")?.get(..2)?;
    Some(match status {
        b"14" => Refusal::TargetTooLong,
        b"31" => Refusal::TooManyFields,
        _ => Refusal::Malformed,
    })
}

impl<H: Handler> AsyncRead for Guarded<H> {
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
            let is_more = self.progress.framing.borrow_mut().observe(fresh);
            // A head has one deadline from its first byte, however its bytes trickle in. Empty
            // lines before it don't start one.
            let is_same_head = self.reading.is_for(&ReadTimeout::Head)
                && self.progress.framing.borrow().place() == Position::Head;
            if is_more && !is_same_head {
                self.reading.progress();
            }
            self.body_comes();
            if let Some(fault) = self.body_fault() {
                return Poll::Ready(Err(fault.into()));
            }
            return read;
        }
        let Some((silence, limit)) = self.awaited() else {
            self.reading.progress();
            return Poll::Pending;
        };
        ready!(self.reading.poll_lost(silence, limit, context));
        Poll::Ready(Err(self.lost(silence)))
    }
}

impl<H: Handler> AsyncWrite for Guarded<H> {
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
            self.substitute = self.refuse(refusal);
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
        if flushed.is_ready() && !self.progress.answering.get() {
            self.progress.writing.set(false);
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.progress.ending.set(true);
        let ended = Pin::new(&mut self.socket).poll_shutdown(context);
        self.in_time(ended, context)
    }
}
