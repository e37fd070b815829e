//! What traffic shows about a token while its rejection is being handled.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;

/// Successes with the generation under suspicion. While no generation is watched, a report costs
/// one relaxed load.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    /// The generation under suspicion; 0 when there is none.
    watched: AtomicU64,
    seen: Mutex<Sightings>,
}

#[derive(Debug, Default)]
struct Sightings {
    generation: u64,
    /// Only requests sent after the rejection was received show that the token outlived it.
    after: Option<Instant>,
    last_sent_at: Option<Instant>,
}

impl Evidence {
    /// Begins to watch for calls sent after `after` with `generation`.
    pub(crate) fn watch(&self, generation: u64, after: Instant) {
        *self.seen() = Sightings { generation, after: Some(after), last_sent_at: None };
        self.watched.store(generation, Ordering::Relaxed);
    }

    /// What was seen is forgotten too: the next look into a token must not find it.
    pub(crate) fn unwatch(&self) {
        self.watched.store(0, Ordering::Relaxed);
        *self.seen() = Sightings::default();
    }

    /// WeChat accepted a request that was sent at `sent_at` with `generation`.
    pub(crate) fn report(&self, generation: u64, sent_at: Instant) {
        if self.watched.load(Ordering::Relaxed) != generation {
            return;
        }
        let mut seen = self.seen();
        if seen.generation == generation && seen.after.is_some_and(|after| sent_at > after) {
            seen.last_sent_at = seen.last_sent_at.max(Some(sent_at));
        }
    }

    /// When the latest request was sent that shows that the token of this generation is valid.
    pub(crate) fn last_sent_at(&self, generation: u64) -> Option<Instant> {
        let seen = self.seen();
        seen.last_sent_at.filter(|_| seen.generation == generation)
    }

    fn seen(&self) -> MutexGuard<'_, Sightings> {
        self.seen.lock()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::Evidence;

    #[test]
    fn only_a_call_sent_after_the_rejection_with_the_same_generation_is_evidence() {
        let evidence = Evidence::default();
        let rejected = Instant::now();
        let later = rejected + Duration::from_millis(1);
        evidence.report(7, later);
        evidence.watch(7, rejected);
        assert_eq!(evidence.last_sent_at(7), None, "reported before anybody watched");
        evidence.report(7, rejected);
        evidence.report(6, later);
        assert_eq!(evidence.last_sent_at(7), None);
        evidence.report(7, later);
        assert_eq!(evidence.last_sent_at(7), Some(later));
        assert_eq!(evidence.last_sent_at(8), None, "of another generation");
        evidence.unwatch();
        assert_eq!(evidence.last_sent_at(7), None, "the look is over");
    }
}
