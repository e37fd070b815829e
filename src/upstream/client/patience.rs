//! How long an answer is awaited.

use std::cell::Cell;
use std::future::Future as _;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::error::SendError;

/// How far a request's body has got; its `Payload` keeps it up to date.
#[derive(Debug)]
pub struct Progress {
    moved: Cell<Instant>,
    pub(super) done: Cell<bool>,
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
    pub(super) progress: Rc<Progress>,
    /// Of the request timeout, what is left for waiting; bodies on their way cost nothing.
    left: Cell<Duration>,
    /// Since the request's body has ended: when `left` will be used up.
    deadline: Cell<Option<Instant>>,
    request_timeout: Duration,
}

impl Patience {
    /// For a request whose body reports its `progress`; `request_timeout` is for all its attempts
    /// together.
    pub fn new(progress: Rc<Progress>, request_timeout: Duration) -> Self {
        Self { progress, left: Cell::new(request_timeout), deadline: Cell::default(), request_timeout }
    }

    /// Whether there is time for another attempt.
    pub fn is_left(&self) -> bool {
        self.deadline.get().is_none_or(|deadline| Instant::now() < deadline)
    }

    /// An attempt begins to be sent, now: what it took to connect is no silence of WeChat's.
    pub(super) fn begin(&self) -> Instant {
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
    pub(super) fn limit(&self, response_timeout: Duration, body_timeout: Duration) -> (Instant, SendError) {
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

/// Ready with the error when the limit has passed. The timer may still be set for an earlier one:
/// it is set anew only when it goes off, so that a busy connection touches the timer wheel once in
/// many exchanges.
pub(super) fn poll_limit<E>(
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
