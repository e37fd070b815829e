//! A connection between two requests.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::task::coop::has_budget_remaining;
use tokio::time::{Instant, Sleep};

use super::progress::Progress;
use super::stream::Guarded;
use super::{Handler, Options};
use crate::observe::deadline::poll_limit;

/// Idle for so long, or for twice as long, a connection parks: it keeps its socket and lets hyper's
/// buffers go. To allocate them again costs a few thousand instructions, so busy ones must not come
/// here.
const PARKS_AFTER: Duration = Duration::from_millis(100);

/// How long a connection has been idle, and may be.
pub(super) struct Idleness {
    progress: Rc<Progress>,
    options: Rc<Options>,
    /// It was accepted before new callers were turned away.
    in_time: bool,
    silence: Option<(IdlePeriod, Instant)>,
    timer: Option<Pin<Box<Sleep>>>,
    /// The timer wakes the task when it goes off: it was polled by one that had a turn left.
    armed: bool,
}

/// What comes between two others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct IdlePeriod {
    /// Requests before it.
    after: u64,
    /// No new connection is accepted.
    last: bool,
}

impl Idleness {
    pub(super) fn new(progress: Rc<Progress>, options: Rc<Options>, in_time: bool) -> Self {
        Self { progress, options, in_time, silence: None, timer: None, armed: false }
    }

    /// Ready when the connection had better park. To be polled by its task after it was served.
    pub(super) fn poll_served(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if !self.progress.is_idle() {
            return Poll::Pending;
        }
        if self.progress.drain.is_closing() {
            return Poll::Ready(());
        }
        // A busy connection asks for the time when this goes off, not after each request. A task's
        // waker never changes.
        if self.armed && self.timer.as_ref().is_some_and(|timer| !timer.is_elapsed()) {
            return Poll::Pending;
        }
        self.poll_over(context, PARKS_AFTER.min(self.options.idle_timeout))
    }

    /// Waits for the next request's first byte without anything that only requests need; whether it
    /// came, or the connection is over.
    pub(super) async fn park<H: Handler>(&mut self, guarded: &mut Guarded<H>) -> io::Result<bool> {
        guarded.rest();
        let parked = self.progress.count.park();
        let comes = poll_fn(|context| {
            if guarded.poll_comes(context).is_ready() {
                return Poll::Ready(true);
            }
            let limit = if self.progress.drain.is_closing() {
                // Not before: what had come by then is served.
                self.progress.late.set(!self.in_time);
                self.options.drain_idle
            } else {
                self.options.idle_timeout
            };
            self.poll_over(context, limit).map(|()| false)
        });
        let comes = comes.await;
        drop(parked);
        if comes {
            self.timer = None;
            return Ok(true);
        }
        self.progress.registration.release();
        // A goodbye, in TLS too.
        guarded.shutdown().await?;
        Ok(false)
    }

    /// Ready when it has been silent for so long. Empty lines end no silence.
    fn poll_over(&mut self, context: &mut Context<'_>, limit: Duration) -> Poll<()> {
        let now = Instant::now();
        let after = self.progress.dispatched.get();
        let silence = IdlePeriod { after, last: self.progress.drain.is_closing() };
        let since = match self.silence {
            Some((same, since)) if same == silence => since,
            _ => {
                self.timer = None;
                self.silence = Some((silence, now));
                now
            }
        };
        self.armed = has_budget_remaining();
        poll_limit(&mut self.timer, context, now, (since + limit, ()))
    }
}
