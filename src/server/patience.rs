//! A deadline on silence.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// A deadline on silence. The timer is armed lazily: progress moves the deadline alone, and a timer
/// that goes off early is set anew, so that a busy connection touches the timer wheel once in many
/// requests.
#[derive(Debug)]
pub(super) struct Patience<Reason> {
    since: Option<(Reason, Instant)>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<Reason: PartialEq> Patience<Reason> {
    pub(super) fn new() -> Self {
        Self { since: None, timer: None }
    }

    pub(super) fn progress(&mut self) {
        self.since = None;
    }

    /// Whether something is awaited for this reason.
    pub(super) fn is_for(&self, reason: &Reason) -> bool {
        self.since.as_ref().is_some_and(|(other, _)| other == reason)
    }

    /// Ready when silence for `reason` has lasted `limit`.
    pub(super) fn poll_lost(
        &mut self,
        reason: Reason,
        limit: Duration,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        let deadline = match &self.since {
            Some((same, since)) if *same == reason => {
                let deadline = *since + limit;
                // A timer is blind while the task has used up its turn.
                if Instant::now() >= deadline {
                    return Poll::Ready(());
                }
                deadline
            }
            _ => {
                let now = Instant::now();
                self.since = Some((reason, now));
                now + limit
            }
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if timer.deadline() > deadline {
            timer.as_mut().reset(deadline);
        }
        while timer.as_mut().poll(context).is_ready() {
            if timer.deadline() >= deadline {
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}
