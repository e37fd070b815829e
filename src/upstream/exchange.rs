//! One request and its answer.

use std::cell::Cell;
use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use super::connect::ConnectError;
use super::health::Evidence;
use super::pool::{Connection, Payload, Pool};
use crate::message::body::Broken;

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// No connection.
    #[error(transparent)]
    Connect(ConnectError),
    /// The connection broke before an answer's head was whole.
    #[error("the connection broke before an answer came")]
    Broken {
        /// What broke it.
        #[source]
        source: hyper::Error,
        /// A byte of the request was handed to the kernel.
        sent: bool,
        /// A connection that had served before closed without a byte of an answer: WeChat's idle close may have crossed
        /// the request.
        stale: bool,
    },
    /// 101, although no upgrade is ever asked for: what follows would not be HTTP.
    #[error("WeChat switched to another protocol unasked")]
    Switched,
    /// No answer in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// WeChat took no byte of the request's body for too long.
    #[error("no byte of the request moved for {0:?}")]
    Stalled(Duration),
}

impl SendError {
    pub(super) fn broken(source: hyper::Error, sent: bool, stale: bool) -> Self {
        Self::Broken { source, sent, stale }
    }
}

/// How far a request's body has got; its [`Payload`] keeps it up to date.
#[derive(Debug)]
pub struct Progress {
    moved: Cell<Instant>,
    done: Cell<bool>,
}

impl Progress {
    /// Of a body that is in memory, or still to come.
    pub fn new(done: bool) -> Rc<Self> {
        Rc::new(Self { moved: Cell::new(Instant::now()), done: Cell::new(done) })
    }

    /// Another attempt takes the body from its beginning; `done` if it is in memory.
    pub fn restart(&self, done: bool) {
        self.done.set(done);
    }

    /// A piece of the body was taken; `last` if it was the end.
    pub fn moved(&self, last: bool) {
        self.moved.set(Instant::now());
        self.done.set(last);
    }
}

/// How long an answer is awaited.
#[derive(Debug)]
pub struct Patience {
    progress: Rc<Progress>,
    /// Of the request timeout, what is left for waiting; bodies on their way cost nothing.
    left: Cell<Duration>,
    /// Since the request's body has ended: when `left` will be used up.
    deadline: Cell<Option<Instant>>,
    request_timeout: Duration,
}

impl Patience {
    /// For a request whose body reports its `progress`; `request_timeout` is for all its attempts together.
    pub fn new(progress: Rc<Progress>, request_timeout: Duration) -> Self {
        Self { progress, left: Cell::new(request_timeout), deadline: Cell::default(), request_timeout }
    }

    /// Whether there is time for another attempt.
    pub fn is_left(&self) -> bool {
        self.deadline.get().is_none_or(|deadline| Instant::now() < deadline)
    }

    /// An attempt begins to be sent, now: what it took to connect is no silence of WeChat's.
    fn begin(&self) -> Instant {
        let now = Instant::now();
        self.progress.moved.set(now);
        if let Some(deadline) = self.deadline.get()
            && !self.progress.done.get()
        {
            self.left.set(deadline.saturating_duration_since(now));
            self.deadline.set(None);
        }
        now
    }

    /// When to give up, as things stand, and what that would mean.
    fn limit(&self, response_timeout: Duration, body_timeout: Duration) -> (Instant, SendError) {
        let moved = self.progress.moved.get();
        if !self.progress.done.get() {
            return (moved + body_timeout, SendError::Stalled(body_timeout));
        }
        let deadline = self.deadline.get().unwrap_or_else(|| {
            let deadline = moved + self.left.get();
            self.deadline.set(Some(deadline));
            deadline
        });
        if moved + response_timeout <= deadline {
            (moved + response_timeout, SendError::Timeout(response_timeout))
        } else {
            (deadline, SendError::Timeout(self.request_timeout))
        }
    }
}

/// An answer whose body is still on its way.
pub struct Answer<B: Payload> {
    /// WeChat's status.
    pub status: StatusCode,
    /// WeChat's headers.
    pub headers: HeaderMap,
    body: Incoming,
    request: Rc<Progress>,
    connection: Box<Connection<B>>,
    pool: Rc<Pool<B>>,
}

impl<B: Payload> std::fmt::Debug for Answer<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("status", &self.status).finish_non_exhaustive()
    }
}

/// A connection that a request can be sent on.
pub struct Ready<B: Payload> {
    pub(super) connection: Box<Connection<B>>,
    pub(super) pool: Rc<Pool<B>>,
}

impl<B: Payload> std::fmt::Debug for Ready<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ready").field("authority", self.authority()).finish_non_exhaustive()
    }
}

impl<B: Payload> Ready<B> {
    /// The `Host` header for it.
    pub fn authority(&self) -> &HeaderValue {
        self.pool.authority(self.connection.host)
    }

    /// Sends `request` and waits for the head of the answer; the connection is driven by this very task. What comes of it
    /// counts for or against the host.
    pub async fn send(self, request: Request<B>, patience: &Patience) -> Result<Answer<B>, SendError> {
        let Self { connection, pool } = self;
        let (host, since) = (connection.host, patience.begin());
        let waiting = Waiting { pool: &pool, host, since, settled: Cell::new(false) };
        let outcome = exchange(connection, &pool, request, patience).await;
        waiting.settle(&outcome);
        outcome
    }
}

/// A caller that hangs up after this time may have waited for a host that is silent. Many don't wait for as long as
/// `response_timeout`.
const WORTH_A_LOOK: Duration = Duration::from_secs(2);

/// Notes what came of an exchange, also if it was given up.
struct Waiting<'p, B: Payload> {
    pool: &'p Rc<Pool<B>>,
    host: usize,
    since: Instant,
    settled: Cell<bool>,
}

impl<B: Payload> Waiting<'_, B> {
    fn settle(&self, outcome: &Result<Answer<B>, SendError>) {
        self.settled.set(true);
        let evidence = match outcome {
            Ok(answer) => return self.pool.hosts.answered(self.host, answer.status),
            Err(SendError::Timeout(limit)) => Evidence::Silent(*limit),
            // The request's own body broke off.
            Err(SendError::Broken { source, .. }) if source.is_user() => return,
            Err(SendError::Broken { stale: true, .. }) => Evidence::Stale,
            Err(SendError::Broken { source, .. }) => Evidence::Broken(source.to_string()),
            // A stalled upload may be the caller's doing, and a fresh connection has been judged already.
            Err(SendError::Stalled(_) | SendError::Switched | SendError::Connect(_)) => return,
        };
        self.pool.hosts.failed(self.host, evidence);
    }
}

impl<B: Payload> Drop for Waiting<'_, B> {
    fn drop(&mut self) {
        let waited = self.since.elapsed();
        if !self.settled.get() && waited >= WORTH_A_LOOK {
            self.pool.hosts.failed(self.host, Evidence::GivenUp(waited));
        }
    }
}

async fn exchange<B: Payload>(
    mut connection: Box<Connection<B>>,
    pool: &Rc<Pool<B>>,
    request: Request<B>,
    patience: &Patience,
) -> Result<Answer<B>, SendError> {
    let options = pool.options();
    let mut response = pin!(connection.sender.send_request(request));
    let mut begun = false;
    let outcome = poll_fn(|context| {
        // What the driver reads it hands to `response` within the same poll: no waker is needed there.
        let mut quiet = Context::from_waker(Waker::noop());
        // The first poll writes the request; what comes later is mostly the answer, and then nobody waits any more.
        let mut ended = std::mem::replace(&mut begun, true) && connection.advance().is_ready();
        if let Poll::Ready(outcome) = response.as_mut().poll(&mut quiet) {
            return Poll::Ready(Ok(outcome));
        }
        ended = ended || connection.poll(context).is_ready();
        if let Poll::Ready(outcome) = response.as_mut().poll(&mut quiet) {
            return Poll::Ready(Ok(outcome));
        }
        if ended {
            return Poll::Ready(Err(Interrupted::Ended));
        }
        let limit = patience.limit(options.response_timeout, options.body_timeout);
        poll_limit(&mut connection.timer, context, limit).map(|error| Err(Interrupted::Limit(error)))
    })
    .await;
    let meter = Rc::clone(&connection.meter);
    let stale = connection.reused && !meter.read.get();
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(Interrupted::Limit(error)) => return Err(error),
        Err(Interrupted::Ended) => {
            // The request may still lie in the channel of a driver that will never look: dropping that gives it back.
            drop(connection);
            return Err(match response.await {
                Err(source) => SendError::broken(source, meter.written.get(), stale),
                Ok(_) => SendError::Switched,
            });
        }
    };
    match outcome {
        Ok(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => Err(SendError::Switched),
        Ok(response) => {
            let (head, body) = response.into_parts();
            let pool = Rc::clone(pool);
            let request = Rc::clone(&patience.progress);
            Ok(Answer { status: head.status, headers: head.headers, body, request, connection, pool })
        }
        Err(source) => Err(SendError::broken(source, meter.written.get(), stale)),
    }
}

/// Why the wait for an answer ended without hyper's word.
enum Interrupted {
    /// The connection has ended.
    Ended,
    /// Patience has.
    Limit(SendError),
}

/// Ready with the error when the limit has passed. The timer may still be set for an earlier one: it is set anew only
/// when it goes off, so that a busy connection touches the timer wheel once in many exchanges.
fn poll_limit<E>(
    timer: &mut Option<Pin<Box<Sleep>>>,
    context: &mut Context<'_>,
    (at, error): (Instant, E),
) -> Poll<E> {
    let sleep = timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
    if sleep.deadline() > at {
        sleep.as_mut().reset(at);
    }
    while sleep.as_mut().poll(context).is_ready() {
        if sleep.deadline() >= at {
            return Poll::Ready(error);
        }
        sleep.as_mut().reset(at);
    }
    Poll::Pending
}

/// The beginning of a body.
#[derive(Debug)]
pub enum Start {
    /// All of it.
    Whole(Bytes),
    /// So much of it; more follows.
    Part(Bytes),
}

/// Why an answer's body broke off.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// WeChat closed or reset the connection within the body.
    #[error("the answer broke off")]
    BrokenOff(#[source] hyper::Error),
    /// Silence within the body.
    #[error("no byte of the answer for {0:?}")]
    Silent(Duration),
}

impl<B: Payload> Answer<B> {
    /// The body's length, where WeChat gave one.
    pub fn length(&self) -> Option<u64> {
        self.body.size_hint().exact()
    }

    /// Reads the body until it ends, `enough` says so of what there is, or `most` bytes are there.
    pub async fn read(&mut self, most: usize, enough: impl Fn(&[u8]) -> bool) -> Result<Start, BodyError> {
        let silence = self.pool.options().body_timeout;
        let (connection, body) = (&mut self.connection, &mut self.body);
        let mut first = Bytes::new();
        let mut joined = Vec::new();
        let mut ended = false;
        loop {
            let mut began = None;
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
                let began = *began.get_or_insert_with(Instant::now);
                let limit = (began + silence, BodyError::Silent(silence));
                poll_limit(&mut connection.timer, context, limit).map(Err)
            })
            .await?;
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
    /// Unless WeChat answered before it had the whole request: then the connection is dropped, so that the rest of the
    /// request's body is left for a replay.
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

    /// The rest of the body as a stream; from here on the connection is driven by a task of its own, since polling it
    /// from the caller's task for each piece costs nearly twice as much.
    pub fn into_stream(self, start: Bytes) -> Stream {
        let Self { body, connection, pool, .. } = self;
        let silence = pool.options().body_timeout;
        drive_apart(connection, pool);
        Stream { start, rest: body, silence, timer: None, since: None }
    }
}

/// Drives a connection in a task of its own until its exchange is over, then parks it if it can serve another. The task
/// ends with the connection, at the latest when the body is dropped.
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
        let since = *this.since.get_or_insert_with(Instant::now);
        let limit = (since + silence, BodyError::Silent(silence));
        poll_limit(&mut this.timer, context, limit).map(|error| Some(Err(error.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.start.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let start = self.start.len() as u64;
        let rest = self.rest.size_hint();
        match rest.exact() {
            Some(length) => SizeHint::with_exact(start + length),
            None => {
                let mut hint = SizeHint::new();
                hint.set_lower(start + rest.lower());
                hint
            }
        }
    }
}
