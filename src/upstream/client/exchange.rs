//! One request, to the head of its response.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::header::HOST;
use http::{Method, StatusCode};
use tokio::time::Instant;

use super::connection::Connection;
use super::error::{Failure, SendError};
use super::patience::Patience;
use super::pool::{Pool, PooledConnection};
use super::response::{Exchange, UpstreamResponse};
use super::upload::{Payload, Upload};
use crate::observe::deadline::poll_limit;
use crate::texts::Words;
use crate::upstream::health::Evidence;
use crate::upstream::http1::{BadTarget, Fault, Head, HeadReader, RequestHead};

impl PooledConnection {
    /// Begins the head of a request, with its `Host`: the caller writes the other fields, of
    /// `length` bytes at most, and ends it.
    ///
    /// # Errors
    /// The target can't stand in a request.
    pub fn begin(
        &mut self,
        method: &Method,
        target: &[u8],
        length: usize,
    ) -> Result<RequestHead<'_>, BadTarget> {
        let Self { connection, pool, to_head, .. } = self;
        *to_head = *method == Method::HEAD;
        let authority = pool.authority(connection.host);
        let out = connection.begin(target.len() + length + authority.len() + BESIDES);
        let mut head = RequestHead::begin(out, method, target)?;
        head.field(&HOST, authority);
        Ok(head)
    }

    /// Sends the request whose head was written, and waits for the head of the response; the
    /// connection is driven by this very task. What comes of it counts for or against the host.
    pub async fn send<B: Payload>(
        self,
        body: B,
        patience: &Patience,
    ) -> Result<UpstreamResponse<B>, SendError> {
        let Self { connection, pool, since, to_head } = self;
        let host = connection.host;
        patience.begin(since);
        let waiting = Waiting { pool: &pool, host, since, settled: Cell::new(false) };
        let upload = Upload::new(body);
        let sending = Sending { connection, upload, head: HeadReader::new(to_head), begun: false };
        let outcome = sending.exchange(&pool, patience, since).await;
        waiting.settle(&outcome);
        outcome
    }
}

/// What a request's head has besides target, fields and the host's name: the method, the version,
/// the body's length.
const BESIDES: usize = 128;
/// A caller that hangs up after this time may have waited for a host that is silent. Many don't
/// wait for as long as the response timeout.
const WORTH_A_LOOK: Duration = Duration::from_secs(2);

/// Notes what came of an exchange, also if it was given up.
struct Waiting<'p> {
    pool: &'p Rc<Pool>,
    host: usize,
    since: Instant,
    settled: Cell<bool>,
}

impl Waiting<'_> {
    fn settle<B: Payload>(&self, outcome: &Result<UpstreamResponse<B>, SendError>) {
        self.settled.set(true);
        let evidence = match outcome {
            Ok(answer) => return self.pool.hosts.answered(self.host, answer.status, self.since),
            Err(SendError::Timeout(limit)) => Evidence::Silent(*limit),
            // The request's own body is incomplete.
            Err(SendError::Broken { source, .. }) if source.is_of_request() => return,
            Err(SendError::Broken { stale: true, .. }) => Evidence::Stale,
            Err(SendError::Broken { source, .. }) => Evidence::Broken(Words::of(|| source.to_string())),
            // A stalled upload may be the caller's doing, and a fresh connection has been judged
            // already.
            Err(SendError::Stalled(_) | SendError::Switched | SendError::Connect(_)) => return,
        };
        self.pool.hosts.failed(self.host, evidence);
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let waited = self.since.elapsed();
        if !self.settled.get() && waited >= WORTH_A_LOOK {
            self.pool.hosts.failed(self.host, Evidence::GivenUp(waited));
        }
    }
}

/// A request that is being sent.
struct Sending<B> {
    connection: Box<Connection>,
    upload: Upload<B>,
    head: HeadReader,
    begun: bool,
}

impl<B: Payload> Sending<B> {
    async fn exchange(
        mut self,
        pool: &Rc<Pool>,
        patience: &Patience,
        began: Instant,
    ) -> Result<UpstreamResponse<B>, SendError> {
        let body_timeout = pool.options().body_timeout;
        let head = poll_fn(|context| {
            if let Poll::Ready(head) = self.poll_head(context) {
                return Poll::Ready(head.map_err(Interrupted::Failed));
            }
            // The first poll has hardly taken any time.
            let now = if std::mem::replace(&mut self.begun, true) { Instant::now() } else { began };
            if std::mem::take(&mut self.connection.moved) {
                patience.moved(now);
            }
            let sent = self.upload.is_done(&self.connection);
            let limit = patience.limit(body_timeout, sent);
            poll_limit(&mut self.connection.timer, context, now, limit)
                .map(|error| Err(Interrupted::Limit(error)))
        })
        .await;
        let Self { connection, upload, .. } = self;
        match head {
            Ok(head) if head.status == StatusCode::SWITCHING_PROTOCOLS => Err(SendError::Switched),
            Ok(Head { status, headers, codings, goes_on, body }) => {
                let exchange = Exchange::new(connection, upload, body, goes_on, Rc::clone(pool));
                Ok(UpstreamResponse { status, headers, codings, exchange })
            }
            Err(Interrupted::Limit(error)) => Err(error),
            Err(Interrupted::Failed(source)) => {
                let stale = connection.reused && !connection.read && !source.is_of_request();
                Err(SendError::Broken { source, sent: connection.written, stale })
            }
        }
    }

    /// Sends what can be sent, and reads until there is a head.
    fn poll_head(&mut self, context: &mut Context<'_>) -> Poll<Result<Head, Failure>> {
        let Self { connection, upload, head, .. } = self;
        if !upload.is_done(connection)
            && let Poll::Ready(Err(failure)) = upload.poll(connection, context)
        {
            return Poll::Ready(Err(failure));
        }
        loop {
            match ready!(connection.poll_read(context, false)) {
                Ok(0) => return Poll::Ready(Err(Fault::Closed.into())),
                Ok(_) => {
                    if let Some(head) = head.read(&mut connection.input)? {
                        return Poll::Ready(Ok(head));
                    }
                }
                Err(error) => return Poll::Ready(Err(Failure::Io(error))),
            }
        }
    }
}

/// Why the wait for a head ended without one.
enum Interrupted {
    Failed(Failure),
    /// Patience has ended.
    Limit(SendError),
}
