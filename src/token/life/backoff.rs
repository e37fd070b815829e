//! What blocks fetches: a backoff, an open circuit, a ceiling.

use std::time::Duration;

use super::failure::Failure;
use super::moment::{Moment, Pause};

const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_secs(300);
/// Between two attempts while WeChat's refusal requires a person to act.
const CIRCUIT: Duration = Duration::from_secs(300);
/// So many may have other causes than replicas.
const UNSPACED: u32 = 2;
const LONGEST_STORELESS: Duration = Duration::from_secs(60);

/// Records failures. No request shortens the pause after one.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    present: Option<(Pause, Failure)>,
    /// In a row.
    failures: u32,
    /// The generation of the credential to fetch with that the present one may be due to.
    blamed: Option<u64>,
}

impl Backoff {
    /// A fetch failed. Returns how long fetches are blocked; `chance` in 0..1 spreads that.
    pub(super) fn fail(&mut self, failure: Failure, now: Moment, chance: f64) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let lasts = if failure.permanent { circuit(chance) } else { pause_after(self.failures, chance) };
        self.block(failure, now, lasts);
        lasts
    }

    /// Blocks fetches although none failed.
    pub(super) fn block(&mut self, failure: Failure, now: Moment, lasts: Duration) {
        self.present = Some((Pause::new(now, lasts), failure));
        self.blamed = None;
    }

    /// The present failure may be the fault of the credential that the fetch was made with: of this
    /// generation, 0 if there was none.
    pub(super) fn blame(&mut self, generation: u64) {
        self.blamed = Some(generation);
    }

    pub(super) fn blamed(&self) -> Option<u64> {
        self.blamed
    }

    /// Fetches are no longer blocked.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The failure that no success has followed; the next attempt is due once its pause is over.
    pub(super) fn failure(&self) -> Option<&Failure> {
        self.present.as_ref().map(|(_, failure)| failure)
    }

    /// Until the next attempt, if fetches are blocked.
    pub(super) fn left(&self, now: Moment) -> Option<Duration> {
        self.present.as_ref().map(|(pause, _)| pause.left(now))
    }

    /// Whether a fetch has to wait.
    pub(super) fn blocks(&self, now: Moment) -> bool {
        self.left(now).is_some_and(|left| !left.is_zero())
    }
}

/// Spaces the fetches of classic mode while the store is down: each fetch of a replica invalidates
/// the others' token, and the faster they fetch, the shorter each token is valid.
#[derive(Debug, Default)]
pub(super) struct StorelessBackoff {
    fetches: u32,
    pause: Option<Pause>,
}

impl StorelessBackoff {
    /// How long the next fetch has to wait.
    pub(super) fn left(&self, now: Moment) -> Duration {
        self.pause.as_ref().map_or(Duration::ZERO, |pause| pause.left(now))
    }

    /// One was made; `chance` in 0..1 spreads the next ones of the replicas.
    pub(super) fn fetched(&mut self, now: Moment, chance: f64) {
        self.fetches = self.fetches.saturating_add(1);
        if self.fetches > UNSPACED {
            let pause = pause_after(self.fetches - UNSPACED, chance).min(LONGEST_STORELESS);
            self.pause = Some(Pause::new(now, pause));
        }
    }

    /// The store is back. Whether there had been any.
    pub(super) fn end(&mut self) -> bool {
        std::mem::take(self).fetches > 0
    }
}

/// How long to wait after the `failures`-th transient failure in a row (from 1), `chance` in 0..1.
fn pause_after(failures: u32, chance: f64) -> Duration {
    let doubled = FIRST_BACKOFF.saturating_mul(1 << failures.saturating_sub(1).min(16));
    doubled.min(LONGEST_BACKOFF).mul_f64(0.8 + 0.4 * chance)
}

/// How long an open circuit waits for its next attempt, `chance` in 0..1.
fn circuit(chance: f64) -> Duration {
    CIRCUIT.mul_f64(0.8 + 0.4 * chance)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::super::failure::Failure;
    use super::super::moment::Moment;
    use super::{Backoff, StorelessBackoff, pause_after};
    use crate::observe::clock::Timestamp;
    use crate::texts::Words;

    #[test]
    fn backoff_doubles_from_one_second_to_five_minutes_give_or_take_a_fifth() {
        assert_eq!(pause_after(1, 0.5), Duration::from_secs(1));
        assert_eq!(pause_after(4, 0.5), Duration::from_secs(8));
        assert_eq!(pause_after(4, 0.0), Duration::from_secs(8).mul_f64(0.8));
        assert_eq!(pause_after(u32::MAX, 1.0), Duration::from_secs(360));
    }

    #[test]
    fn pauses_grow_with_failures_in_a_row_and_a_success_starts_anew() {
        let now = Moment { wall: Timestamp(0), steady: Instant::now() };
        let mut backoff = Backoff::default();
        let fail = |backoff: &mut Backoff| {
            backoff.fail(Failure::transient(Words::untranslated("busy")), now, 0.5).as_secs()
        };
        assert_eq!([fail(&mut backoff), fail(&mut backoff), fail(&mut backoff)], [1, 2, 4]);
        assert!(backoff.blocks(now));
        backoff.clear();
        assert!(!backoff.blocks(now) && backoff.failure().is_none());
        assert_eq!(fail(&mut backoff), 1);
    }

    #[test]
    fn only_the_failure_just_told_of_is_blamed_on_what_it_was_fetched_with() {
        let now = Moment { wall: Timestamp(0), steady: Instant::now() };
        let mut backoff = Backoff::default();
        backoff.fail(Failure::transient(Words::untranslated("its token is dead")), now, 0.5);
        backoff.blame(7);
        assert_eq!(backoff.blamed(), Some(7));
        backoff.fail(Failure::transient(Words::untranslated("busy")), now, 0.5);
        assert_eq!(backoff.blamed(), None);
    }

    #[test]
    fn fetches_without_the_store_are_spaced_until_it_is_back() {
        let now = Moment { wall: Timestamp(0), steady: Instant::now() };
        let mut storeless = StorelessBackoff::default();
        let mut fetch = || {
            storeless.fetched(now, 0.5);
            storeless.left(now).as_secs()
        };
        assert_eq!([0; 10].map(|_| fetch()), [0, 0, 1, 2, 4, 8, 16, 32, 60, 60]);
        assert!(storeless.end() && storeless.left(now).is_zero());
        assert!(!storeless.end());
    }

    #[test]
    fn a_permanent_failure_waits_five_minutes_at_once() {
        let now = Moment { wall: Timestamp(0), steady: Instant::now() };
        let mut backoff = Backoff::default();
        assert_eq!(backoff.fail(Failure::looped(), now, 0.5), Duration::from_secs(300));
    }
}
