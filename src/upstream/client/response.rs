//! A response whose body is still on its way.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body::{Frame, SizeHint};
use tokio::time::Instant;

use super::connection::Connection;
use super::error::{BodyError, Failure};
use super::pool::Pool;
use super::upload::{Payload, Upload};
use crate::message::body::Broken;
use crate::observe::deadline::poll_limit;
use crate::upstream::http1::{Body, Piece};

/// A response whose body is still on its way.
pub struct UpstreamResponse<B> {
    /// WeChat's status.
    pub status: StatusCode,
    /// WeChat's headers but for those of its connection.
    pub headers: HeaderMap,
    /// What the body was coded with for its way, besides in chunks.
    pub codings: Vec<Bytes>,
    pub(super) exchange: Exchange<B>,
}

impl<B> std::fmt::Debug for UpstreamResponse<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UpstreamResponse").field("status", &self.status).finish_non_exhaustive()
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

impl<B: Payload> UpstreamResponse<B> {
    /// The body's length, where WeChat gave one.
    pub fn length(&self) -> Option<u64> {
        self.exchange.body.left()
    }

    /// Reads the body until it ends, `enough` says so of what there is, `most` bytes are there, or
    /// `patience` was spent waiting for it.
    pub async fn read(
        &mut self,
        most: usize,
        patience: Duration,
        enough: impl Fn(&[u8]) -> bool,
    ) -> Result<Start, BodyError> {
        let exchange = &mut self.exchange;
        let silence = exchange.pool.options().body_timeout;
        let mut first = Bytes::new();
        let mut joined = Vec::new();
        let mut waiting_since = None;
        loop {
            let mut silent_since = None;
            let piece = poll_fn(|context| {
                if let Poll::Ready(piece) = exchange.poll_piece(context) {
                    return Poll::Ready(piece.map_err(|failure| Some(BodyError::BrokenOff(failure))));
                }
                let now = Instant::now();
                let spent = *waiting_since.get_or_insert(now) + patience;
                let silent = *silent_since.get_or_insert(now) + silence;
                let limit = (spent.min(silent), (silent < spent).then_some(BodyError::Silent(silence)));
                poll_limit(&mut exchange.connection.timer, context, now, limit).map(Err)
            });
            // Nearly every response is a single piece: it is handed on without a copy.
            let so_far = match piece.await {
                Ok(Some(data)) if first.is_empty() && joined.is_empty() => {
                    first = data;
                    &first[..]
                }
                Ok(Some(data)) => {
                    if joined.is_empty() {
                        joined.extend_from_slice(&std::mem::take(&mut first));
                    }
                    joined.extend_from_slice(&data);
                    &joined[..]
                }
                Ok(None) => &[],
                Err(Some(error)) => return Err(error),
                Err(None) => return Ok(Start::Part(if joined.is_empty() { first } else { joined.into() })),
            };
            let ended = exchange.body.has_ended();
            if ended || so_far.len() >= most || enough(so_far) {
                let start = if joined.is_empty() { first } else { joined.into() };
                return Ok(if ended { Start::Whole(start) } else { Start::Part(start) });
            }
        }
    }

    /// Ends the exchange after the whole body was read: the connection may serve again.
    ///
    /// Unless WeChat responded before it had the whole request: then the connection is dropped, so
    /// that the rest of the request's body is left for a replay.
    pub fn finish(self) {
        self.exchange.finish();
    }

    /// The rest of the body as a stream.
    pub fn into_stream(self, start: Bytes) -> Stream<B> {
        Stream { start, exchange: Some(self.exchange), since: None }
    }
}

/// A request that has a response, until all of that has come.
pub(super) struct Exchange<B> {
    connection: Box<Connection>,
    /// What is left of the request, if anything is: few responses come before all of that was sent.
    upload: Option<Box<Upload<B>>>,
    body: Body,
    goes_on: bool,
    pool: Rc<Pool>,
}

impl<B: Payload> Exchange<B> {
    pub(super) fn new(
        connection: Box<Connection>,
        upload: Upload<B>,
        body: Body,
        goes_on: bool,
        pool: Rc<Pool>,
    ) -> Self {
        let upload = (!upload.is_done(&connection)).then(|| Box::new(upload));
        Self { connection, upload, body, goes_on, pool }
    }

    /// The next piece of the body; none behind its end. What is left of the request goes out
    /// meanwhile.
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Failure>> {
        loop {
            match self.body.next(&mut self.connection.input)? {
                Piece::Data(data) => return Poll::Ready(Ok(Some(data))),
                Piece::End => return Poll::Ready(Ok(None)),
                Piece::Awaited => {}
            }
            if let Some(upload) = &mut self.upload
                && let Poll::Ready(sent) = upload.poll(&mut self.connection, context)
            {
                sent?;
                self.upload = None;
            }
            match ready!(self.connection.poll_read(context, true)) {
                Ok(0) => self.body.close()?,
                Ok(_) => {}
                Err(error) => return Poll::Ready(Err(Failure::Io(error))),
            }
        }
    }

    /// Gives the connection back, if another request can follow on it.
    fn finish(self) {
        let Self { connection, upload, body, goes_on, pool } = self;
        if goes_on && body.goes_on() && upload.is_none() {
            pool.park(connection);
        }
    }
}

/// A body on its way through.
pub struct Stream<B> {
    start: Bytes,
    /// None once it has ended.
    exchange: Option<Exchange<B>>,
    since: Option<Instant>,
}

impl<B> std::fmt::Debug for Stream<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}

impl<B: Payload> http_body::Body for Stream<B> {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = &mut *self;
        if !this.start.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut this.start)))));
        }
        let Some(exchange) = &mut this.exchange else { return Poll::Ready(None) };
        if let Poll::Ready(piece) = exchange.poll_piece(context) {
            this.since = None;
            let ended = !matches!(piece, Ok(Some(_))) || exchange.body.has_ended();
            if ended && let Some(exchange) = this.exchange.take() {
                exchange.finish();
            }
            let frame = piece.map(|data| data.map(Frame::data)).transpose();
            return Poll::Ready(frame.map(|frame| frame.map_err(|error| BodyError::BrokenOff(error).into())));
        }
        let silence = exchange.pool.options().body_timeout;
        let now = Instant::now();
        let since = *this.since.get_or_insert(now);
        let limit = (since + silence, BodyError::Silent(silence));
        poll_limit(&mut exchange.connection.timer, context, now, limit).map(|error| Some(Err(error.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.start.is_empty() && self.exchange.as_ref().is_none_or(|exchange| exchange.body.has_ended())
    }

    fn size_hint(&self) -> SizeHint {
        let left = self.exchange.as_ref().map_or(Some(0), |exchange| exchange.body.left());
        let start = self.start.len() as u64;
        match left {
            Some(left) => SizeHint::with_exact(start.saturating_add(left)),
            None => {
                let mut hint = SizeHint::new();
                hint.set_lower(start);
                hint
            }
        }
    }
}
