//! How long a response is awaited.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use super::error::SendError;

/// How far a request's body has got; its `Payload` keeps it up to date.
#[derive(Debug)]
pub struct Progress {
    moved: Cell<Instant>,
    /// Since when its sender is waited for, and for how long it was before.
    awaited_since: Cell<Option<Instant>>,
    awaited: Cell<Duration>,
}

impl Progress {
    /// Of a body of which nothing has moved.
    pub fn new() -> Rc<Self> {
        Rc::new(Self {
            moved: Cell::new(Instant::now()),
            awaited_since: Cell::default(),
            awaited: Cell::default(),
        })
    }

    /// Another attempt takes the body from its beginning.
    pub fn restart(&self) {
        self.awaited_since.set(None);
        self.awaited.set(Duration::ZERO);
    }

    /// A piece of the body was taken.
    pub fn moved(&self) {
        let now = Instant::now();
        if let Some(since) = self.awaited_since.take() {
            self.awaited.set(self.awaited.get() + now.duration_since(since));
        }
        self.moved.set(now);
    }

    /// More of the body could be sent, and its sender has sent none.
    pub fn awaits_sender(&self) {
        if self.awaited_since.get().is_none() {
            self.awaited_since.set(Some(Instant::now()));
        }
    }

    /// How long the body's sender was waited for in this attempt, if it is waited for now.
    pub fn awaited(&self) -> Option<Duration> {
        Some(self.awaited.get() + self.awaited_since.get()?.elapsed())
    }
}

/// How long responses are awaited: each one, and whether there is time to ask for another.
#[derive(Debug)]
pub struct Patience {
    pub(super) progress: Rc<Progress>,
    response_timeout: Duration,
    request_timeout: Duration,
    /// For tokens and responses, before the attempt under way began.
    waited: Cell<Duration>,
}

impl Patience {
    /// For a request whose body reports its `progress`. A response may take `response_timeout`;
    /// once `request_timeout` was spent waiting, since `progress` was made, no other attempt
    /// begins.
    pub fn new(progress: Rc<Progress>, response_timeout: Duration, request_timeout: Duration) -> Self {
        Self { progress, response_timeout, request_timeout, waited: Cell::default() }
    }

    /// Whether there is time for another attempt.
    pub fn is_left(&self) -> bool {
        self.waited.get() + self.progress.moved.get().elapsed() < self.request_timeout
    }

    /// An attempt begins to be sent, `now`: the time to connect is not counted as WeChat's silence.
    pub(super) fn begin(&self, now: Instant) {
        // While the body moved, there was no wait: only what came after its last piece counts.
        let since = self.progress.moved.replace(now);
        self.waited.set(self.waited.get() + now.duration_since(since));
    }

    /// Bytes of the request were sent: no silence began before.
    pub(super) fn moved(&self, now: Instant) {
        self.progress.moved.set(now);
    }

    /// When to give up this attempt, of which the whole request was `sent` or not, and what that
    /// would mean. What WeChat has in hand it carries out: giving it up for the time that went
    /// before would have the caller do it twice.
    pub(super) fn limit(&self, body_timeout: Duration, sent: bool) -> (Instant, SendError) {
        let moved = self.progress.moved.get();
        if sent {
            (moved + self.response_timeout, SendError::Timeout(self.response_timeout))
        } else {
            (moved + body_timeout, SendError::Stalled(body_timeout))
        }
    }
}
