//! A deadline on silence.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// A deadline that is noticed so late was missed by the process, which stood still: stopped by a
/// signal, or paused with its machine. What came meanwhile isn't read yet, and has as much time more.
const STANDSTILL: Duration = Duration::from_secs(1);

/// A deadline on silence. The timer is armed lazily: progress moves the deadline alone, and a timer
/// that goes off early is set anew, so that a busy connection touches the timer wheel once in many
/// requests.
#[derive(Debug)]
pub(super) struct Patience<Reason> {
    since: Option<(Reason, Instant)>,
    /// More time was given already.
    excused: bool,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<Reason: PartialEq> Patience<Reason> {
    pub(super) fn new() -> Self {
        Self { since: None, excused: false, timer: None }
    }

    pub(super) fn progress(&mut self) {
        self.since = None;
        self.excused = false;
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
        let now = Instant::now();
        let deadline = match &mut self.since {
            Some((same, since)) if *same == reason => {
                // A timer is blind while the task has used up its turn.
                if let Some(late) = now.checked_duration_since(*since + limit) {
                    if late < STANDSTILL || self.excused {
                        return Poll::Ready(());
                    }
                    *since += late + STANDSTILL;
                    self.excused = true;
                }
                *since + limit
            }
            _ => {
                self.since = Some((reason, now));
                self.excused = false;
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

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};
    use std::time::Duration;

    use super::{Patience, STANDSTILL};

    const LIMIT: Duration = Duration::from_secs(30);

    fn is_lost(patience: &mut Patience<()>) -> bool {
        patience.poll_lost((), LIMIT, &mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[tokio::test(start_paused = true)]
    async fn a_standstill_of_the_process_is_not_the_callers_silence() {
        let mut patience = Patience::new();
        assert!(!is_lost(&mut patience));
        tokio::time::advance(LIMIT + 40 * STANDSTILL).await;
        assert!(!is_lost(&mut patience), "what came meanwhile may be read");
        tokio::time::advance(STANDSTILL).await;
        assert!(is_lost(&mut patience), "nothing came");

        // Time is given once, however late it is; and anew after progress.
        patience.progress();
        for _ in 0..2 {
            assert!(!is_lost(&mut patience));
            tokio::time::advance(LIMIT + STANDSTILL).await;
        }
        assert!(is_lost(&mut patience));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_lost_when_its_limit_has_passed() {
        let mut patience = Patience::new();
        assert!(!is_lost(&mut patience));
        tokio::time::advance(LIMIT - STANDSTILL).await;
        assert!(!is_lost(&mut patience));
        tokio::time::advance(STANDSTILL).await;
        assert!(is_lost(&mut patience));
    }
}
