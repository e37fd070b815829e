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

/// How long answers are awaited: each one, and whether there is time to ask for another.
#[derive(Debug)]
pub struct Patience {
    pub(super) progress: Rc<Progress>,
    response_timeout: Duration,
    request_timeout: Duration,
    /// For tokens and answers, before the attempt under way began.
    waited: Cell<Duration>,
}

impl Patience {
    /// For a request whose body reports its `progress`. An answer may take `response_timeout`; once
    /// `request_timeout` was spent waiting, since `progress` was made, no other attempt begins.
    pub fn new(progress: Rc<Progress>, response_timeout: Duration, request_timeout: Duration) -> Self {
        Self { progress, response_timeout, request_timeout, waited: Cell::default() }
    }

    /// Whether there is time for another attempt.
    pub fn is_left(&self) -> bool {
        self.waited.get() + self.progress.moved.get().elapsed() < self.request_timeout
    }

    /// An attempt begins to be sent, now: what it took to connect is no silence of WeChat's.
    pub(super) fn begin(&self) -> Instant {
        let now = Instant::now();
        // While the body moved, nobody waited: only what came after its last piece counts.
        let since = self.progress.moved.replace(now);
        self.waited.set(self.waited.get() + now.duration_since(since));
        now
    }

    /// When to give up this attempt, as things stand, and what that would mean. What WeChat has in
    /// hand it carries out: giving it up for the time that went before would have the caller do it
    /// twice.
    pub(super) fn limit(&self, body_timeout: Duration) -> (Instant, SendError) {
        let moved = self.progress.moved.get();
        if self.progress.done.get() {
            (moved + self.response_timeout, SendError::Timeout(self.response_timeout))
        } else {
            (moved + body_timeout, SendError::Stalled(body_timeout))
        }
    }
}

/// A limit whose end is noticed so late was missed by the process, which stood still: stopped by a
/// signal, or paused with its machine. What WeChat answered meanwhile isn't read yet, and has as much
/// time more.
const STANDSTILL: Duration = Duration::from_secs(1);

/// Ready with the error when the limit has passed. The clock itself is asked first, `now`: a host
/// that always has bytes uses up what tokio lets a task do at a time, and a timer has none of that
/// left to go off with.
///
/// The timer may still be set for an earlier limit: it is set anew only when it goes off, so that a
/// busy connection touches the timer wheel once in many exchanges. It is set for a later one where
/// time was given for a standstill, which happens once for a limit.
pub(super) fn poll_limit<E>(
    timer: &mut Option<Pin<Box<Sleep>>>,
    context: &mut Context<'_>,
    now: Instant,
    (at, error): (Instant, E),
) -> Poll<E> {
    let mut at = at;
    if now >= at {
        at = match timer.as_ref().map(|timer| timer.deadline()) {
            Some(given) if given > at => given,
            _ if now.duration_since(at) >= STANDSTILL => now + STANDSTILL,
            _ => at,
        };
        if now >= at {
            return Poll::Ready(error);
        }
    }
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

#[cfg(test)]
mod tests {
    use std::future::{Future as _, poll_fn};
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use tokio::task::coop;
    use tokio::time::Instant;

    use super::{STANDSTILL, poll_limit};

    #[tokio::test(start_paused = true)]
    async fn a_standstill_of_the_process_is_not_wechats_silence() {
        let mut timer = None;
        let limit = Instant::now() + 15 * STANDSTILL;
        let mut is_lost = || {
            let mut context = Context::from_waker(Waker::noop());
            poll_limit(&mut timer, &mut context, Instant::now(), (limit, ())).is_ready()
        };
        assert!(!is_lost());
        tokio::time::advance(40 * STANDSTILL).await;
        assert!(!is_lost(), "what came meanwhile may be read");
        tokio::time::advance(STANDSTILL / 2).await;
        assert!(!is_lost(), "it isn't late again");
        tokio::time::advance(STANDSTILL / 2).await;
        assert!(is_lost(), "nothing came");
    }

    #[tokio::test]
    async fn a_limit_that_has_passed_ends_a_task_that_has_used_up_its_turn() {
        let began = Instant::now();
        let mut timer = None;
        poll_fn(|context| {
            // As a host does that always has bytes.
            while coop::has_budget_remaining() {
                let _ = pin!(coop::consume_budget()).poll(context);
            }
            assert!(poll_limit(&mut timer, context, began, (began, ())).is_ready());
            Poll::Ready(())
        })
        .await;
    }
}
