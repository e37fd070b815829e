//! A deadline on silence.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use crate::observe::deadline::poll_limit;

/// A deadline on silence, which progress moves.
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
        let now = Instant::now();
        let since = match &self.since {
            Some((same, since)) if *same == reason => *since,
            _ => {
                self.since = Some((reason, now));
                // What is awaited now may have less time than what was awaited before: a timer that
                // is later than this limit would stand for time that a standstill was given.
                if let Some(timer) = &mut self.timer
                    && timer.deadline() > now + limit
                {
                    timer.as_mut().reset(now + limit);
                }
                now
            }
        };
        poll_limit(&mut self.timer, context, now, (since + limit, ()))
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};
    use std::time::Duration;

    use super::Patience;

    const LIMIT: Duration = Duration::from_secs(30);
    const STANDSTILL: Duration = Duration::from_secs(1);

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

        // Time is given once, however late it is; and again after progress.
        patience.progress();
        for _ in 0..2 {
            assert!(!is_lost(&mut patience));
            tokio::time::advance(LIMIT + STANDSTILL).await;
        }
        assert!(is_lost(&mut patience));
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_given_no_time_is_lost_at_once_however_long_the_wait_before_was() {
        let mut patience = Patience::new();
        let mut context = Context::from_waker(Waker::noop());
        assert!(patience.poll_lost("idle", LIMIT, &mut context).is_pending());
        assert!(patience.poll_lost("last", Duration::ZERO, &mut context).is_ready());
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
