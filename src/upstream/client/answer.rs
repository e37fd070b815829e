//! An answer whose body is still on its way.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use super::connection::{Connection, Payload};
use super::error::BodyError;
use super::patience::Progress;
use super::pool::Pool;
use crate::message::body::Broken;
use crate::observe::deadline::poll_limit;

/// An answer whose body is still on its way.
pub struct Answer<B: Payload> {
    /// WeChat's status.
    pub status: StatusCode,
    /// WeChat's headers.
    pub headers: HeaderMap,
    pub(super) body: Incoming,
    pub(super) request: Rc<Progress>,
    pub(super) connection: Box<Connection<B>>,
    pub(super) pool: Rc<Pool<B>>,
}

impl<B: Payload> std::fmt::Debug for Answer<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("status", &self.status).finish_non_exhaustive()
    }
}

/// The beginning of a body.
#[derive(Debug)]
pub enum Start {
    /// All of it.
    Whole(Bytes),
    /// So much of it; more follows.
    Part(Bytes),
}

impl<B: Payload> Answer<B> {
    /// The body's length, where WeChat gave one.
    pub fn length(&self) -> Option<u64> {
        self.body.size_hint().exact()
    }

    /// Reads the body until it ends, `enough` says so of what there is, `most` bytes are there, or
    /// `patience` was spent waiting for it.
    pub async fn read(
        &mut self,
        most: usize,
        patience: Duration,
        enough: impl Fn(&[u8]) -> bool,
    ) -> Result<Start, BodyError> {
        let silence = self.pool.options().body_timeout;
        let (connection, body) = (&mut self.connection, &mut self.body);
        let mut first = Bytes::new();
        let mut joined = Vec::new();
        let mut ended = false;
        let mut waiting_since = None;
        loop {
            let mut silent_since = None;
            let frame = poll_fn(|context| {
                let mut quiet = Context::from_waker(Waker::noop());
                // A small body came with its head: no driving, no clock.
                if let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(&mut quiet) {
                    return Poll::Ready(Ok(frame));
                }
                if !ended {
                    ended = connection.poll(context).is_ready();
                }
                if let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(&mut quiet) {
                    return Poll::Ready(Ok(frame));
                }
                let now = Instant::now();
                let spent = *waiting_since.get_or_insert(now) + patience;
                let silent = *silent_since.get_or_insert(now) + silence;
                let limit = (spent.min(silent), (silent < spent).then_some(BodyError::Silent(silence)));
                poll_limit(&mut connection.timer, context, now, limit).map(Err)
            });
            let frame = match frame.await {
                Ok(frame) => frame,
                Err(Some(error)) => return Err(error),
                Err(None) => return Ok(Start::Part(if joined.is_empty() { first } else { joined.into() })),
            };
            // Nearly every answer is a single frame: it is handed on without a copy.
            let so_far = match frame {
                None => return Ok(Start::Whole(if joined.is_empty() { first } else { joined.into() })),
                Some(Err(error)) => return Err(BodyError::BrokenOff(error)),
                Some(Ok(frame)) => {
                    let data = frame.into_data().unwrap_or_default();
                    if first.is_empty() && joined.is_empty() {
                        first = data;
                        &first[..]
                    } else {
                        if joined.is_empty() {
                            joined.extend_from_slice(&std::mem::take(&mut first));
                        }
                        joined.extend_from_slice(&data);
                        &joined[..]
                    }
                }
            };
            let ended = body.is_end_stream();
            if ended || so_far.len() >= most || enough(so_far) {
                let start = if joined.is_empty() { first } else { joined.into() };
                return Ok(if ended { Start::Whole(start) } else { Start::Part(start) });
            }
        }
    }

    /// Ends the exchange after the whole body was read: the connection may serve again.
    ///
    /// Unless WeChat answered before it had the whole request: then the connection is dropped, so
    /// that the rest of the request's body is left for a replay.
    pub fn finish(self) {
        let Self { body, request, mut connection, pool, .. } = self;
        drop(body);
        if !request.done.get() {
            return;
        }
        if connection.sender.is_ready() || (connection.advance().is_pending() && connection.sender.is_ready())
        {
            pool.park(connection);
        } else {
            drive_apart(connection, pool);
        }
    }

    /// The rest of the body as a stream; from here on the connection is driven by a task of its
    /// own, since polling it from the caller's task for each piece costs nearly twice as much.
    pub fn into_stream(self, start: Bytes) -> Stream {
        let Self { body, connection, pool, .. } = self;
        let silence = pool.options().body_timeout;
        drive_apart(connection, pool);
        Stream { start, rest: body, silence, timer: None, since: None }
    }
}

/// Drives a connection in a task of its own until its exchange is over, then parks it if it can
/// serve another. The task ends with the connection, at the latest when the body is dropped.
fn drive_apart<B: Payload>(mut connection: Box<Connection<B>>, pool: Rc<Pool<B>>) {
    tokio::task::spawn_local(async move {
        let reusable = poll_fn(|context| {
            if connection.poll(context).is_ready() {
                return Poll::Ready(false);
            }
            connection.sender.poll_ready(context).map(|ready| ready.is_ok())
        });
        if reusable.await {
            pool.park(connection);
        }
    });
}

/// A body on its way through.
#[derive(Debug)]
pub struct Stream {
    start: Bytes,
    rest: Incoming,
    silence: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    since: Option<Instant>,
}

impl http_body::Body for Stream {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if !self.start.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.start)))));
        }
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.rest).poll_frame(context) {
            this.since = None;
            let frame = frame.map(|frame| frame.map_err(|error| BodyError::BrokenOff(error).into()));
            return Poll::Ready(frame);
        }
        let silence = this.silence;
        let now = Instant::now();
        let since = *this.since.get_or_insert(now);
        let limit = (since + silence, BodyError::Silent(silence));
        poll_limit(&mut this.timer, context, now, limit).map(|error| Some(Err(error.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.start.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let start = self.start.len() as u64;
        let rest = self.rest.size_hint();
        match rest.exact() {
            Some(length) => SizeHint::with_exact(start.saturating_add(length)),
            None => {
                let mut hint = SizeHint::new();
                hint.set_lower(start.saturating_add(rest.lower()));
                hint
            }
        }
    }
}
