//! One request, to the head of its answer.

use std::cell::Cell;
use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::{Request, StatusCode};
use tokio::time::Instant;

use super::answer::Answer;
use super::connection::{Connection, Payload};
use super::error::SendError;
use super::patience::Patience;
use super::pool::{Pool, Ready};
use crate::observe::deadline::poll_limit;
use crate::upstream::health::Evidence;

impl<B: Payload> Ready<B> {
    /// Sends `request` and waits for the head of the answer; the connection is driven by this very
    /// task. What comes of it counts for or against the host.
    pub async fn send(self, request: Request<B>, patience: &Patience) -> Result<Answer<B>, SendError> {
        let Self { connection, pool } = self;
        let (host, since) = (connection.host, patience.begin());
        let waiting = Waiting { pool: &pool, host, since, settled: Cell::new(false) };
        let outcome = exchange(connection, &pool, request, patience, since).await;
        waiting.settle(&outcome);
        outcome
    }
}

/// A caller that hangs up after this time may have waited for a host that is silent. Many don't
/// wait for as long as the response timeout.
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
            Ok(answer) => return self.pool.hosts.answered(self.host, answer.status, self.since),
            Err(SendError::Timeout(limit)) => Evidence::Silent(*limit),
            // The request's own body broke off.
            Err(SendError::Broken { source, .. }) if source.is_user() => return,
            Err(SendError::Broken { stale: true, .. }) => Evidence::Stale,
            Err(SendError::Broken { source, .. }) => Evidence::Broken(source.to_string()),
            // A stalled upload may be the caller's doing, and a fresh connection has been judged
            // already.
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
    began: Instant,
) -> Result<Answer<B>, SendError> {
    let body_timeout = pool.options().body_timeout;
    let mut response = pin!(connection.sender.send_request(request));
    let mut begun = false;
    let outcome = poll_fn(|context| {
        // What the driver reads it hands to `response` within the same poll: no waker is needed
        // there.
        let mut quiet = Context::from_waker(Waker::noop());
        // The first poll writes the request; what comes later is mostly the answer, and then nobody
        // waits any more.
        let again = std::mem::replace(&mut begun, true);
        let mut ended = again && connection.advance().is_ready();
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
        // The first poll has hardly taken any time.
        let now = if again { Instant::now() } else { began };
        let limit = patience.limit(body_timeout);
        poll_limit(&mut connection.timer, context, now, limit).map(|error| Err(Interrupted::Limit(error)))
    })
    .await;
    let meter = Rc::clone(&connection.meter);
    let stale = connection.reused && !meter.read.get();
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(Interrupted::Limit(error)) => return Err(error),
        Err(Interrupted::Ended) => {
            // The request may still lie in the channel of a driver that will never look: dropping
            // that gives it back.
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
