//! Deadlines on silence, at a connection's either end.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// A limit whose end is noticed so late was missed by the process, which stood still: stopped by a
/// signal, or paused with its machine. What came meanwhile isn't read yet, and has as much time
/// more.
const STANDSTILL: Duration = Duration::from_secs(1);

/// Ready with the error when the limit has passed. The clock itself is asked first, `now`: a peer
/// that always has bytes uses up what tokio lets a task do at a time, and a timer has none of that
/// left to go off with.
///
/// The timer may still be set for an earlier limit: it is set again only when it goes off, so that
/// a busy connection touches the timer wheel once in many requests. It is set for a later one where
/// time was given for a standstill, which happens once for a limit.
pub fn poll_limit<E>(
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
    async fn a_standstill_of_the_process_is_no_silence() {
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
            // As a peer does that always has bytes.
            while coop::has_budget_remaining() {
                let _ = pin!(coop::consume_budget()).poll(context);
            }
            assert!(poll_limit(&mut timer, context, began, (began, ())).is_ready());
            Poll::Ready(())
        })
        .await;
    }
}
