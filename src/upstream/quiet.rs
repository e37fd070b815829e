//! Hosts that close connections quietly: just after a response, as the next request comes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// For how long what can't be sent twice keeps off connections that have served before.
const LASTS: Duration = Duration::from_secs(60);
/// Connections made for its sake in each minute. Each leaves a port behind that is taken for
/// another minute, of the 28,000 that Linux has for a destination: a single close must not bring a
/// busy gateway to the end of them.
const MOST: u64 = 10_000;

/// Whether a host has closed a connection under a request lately. Shared by all workers; written
/// when it has, and for each connection that is made because of it.
#[derive(Debug)]
pub(super) struct Quiet {
    zero: Instant,
    /// In seconds after `zero`; 0 if it never has.
    until: AtomicU64,
    /// Connections made for its sake; the count of minute n begins at n times `MOST`.
    made: AtomicU64,
}

impl Quiet {
    pub(super) fn new() -> Self {
        Self { zero: Instant::now(), until: AtomicU64::new(0), made: AtomicU64::new(0) }
    }

    /// It has closed a connection that had served before, without a byte of a response.
    pub(super) fn closed(&self) {
        // `now` is rounded down.
        self.until.store(self.now() + 1 + LASTS.as_secs(), Ordering::Relaxed);
    }

    /// Whether a request that can't be sent twice takes a connection of its own, which it then has
    /// to make.
    pub(super) fn asks_for_a_fresh_one(&self) -> bool {
        let until = self.until.load(Ordering::Relaxed);
        if until == 0 {
            return false;
        }
        let now = self.now();
        let first = now / 60 * MOST;
        let one_more = |made: u64| (made < first + MOST).then_some(made.max(first) + 1);
        now < until && self.made.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok()
    }

    fn now(&self) -> u64 {
        self.zero.elapsed().as_secs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn after_a_quiet_close_connections_are_fresh_for_a_minute() {
        let quiet = Quiet::new();
        assert!(!quiet.asks_for_a_fresh_one());
        for _ in 0..2 {
            quiet.closed();
            assert!(quiet.asks_for_a_fresh_one());
            tokio::time::advance(LASTS).await;
            assert!(quiet.asks_for_a_fresh_one());
            tokio::time::advance(Duration::from_secs(1)).await;
            assert!(!quiet.asks_for_a_fresh_one());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn quiet_closes_never_use_up_the_ports() {
        let quiet = Quiet::new();
        for _ in 0..3 {
            quiet.closed();
            let fresh = (0..3 * MOST).filter(|_| quiet.asks_for_a_fresh_one()).count();
            assert_eq!(fresh as u64, MOST);
            tokio::time::advance(LASTS).await;
        }
    }
}
