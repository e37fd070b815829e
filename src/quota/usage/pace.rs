//! How fast something grows, and when it will be used up.

use std::time::Duration;

use crate::observe::clock::Timestamp;

/// Seconds after which an observation counts a third.
const MEMORY: f64 = 600.0;
/// Seconds of observation before anything is said.
const EARLIEST: f64 = 60.0;

/// The growth of a counter, averaged over the last ten minutes or so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    rate: f64,
    /// Less than 1 for as long as there were fewer observations than the average wants.
    weight: f64,
    total: u64,
    at: Timestamp,
}

impl Pace {
    /// Begins with a counter that is at `total`.
    pub(crate) fn new(total: u64, now: Timestamp) -> Self {
        Self { rate: 0.0, weight: 0.0, total, at: now }
    }

    /// The counter is at `total` now.
    pub(crate) fn observe(&mut self, total: u64, now: Timestamp) {
        let seconds = now.since(self.at).as_secs_f64();
        if seconds <= 0.0 {
            return;
        }
        let kept = (-seconds / MEMORY).exp();
        let grown = total.saturating_sub(self.total) as f64;
        self.rate = self.rate * kept + grown / seconds * (1.0 - kept);
        self.weight = self.weight * kept + (1.0 - kept);
        (self.total, self.at) = (total, now);
    }

    /// A second's growth; 0 before a minute has been seen.
    pub(crate) fn per_second(&self) -> f64 {
        let earliest = 1.0 - (-EARLIEST / MEMORY).exp();
        if self.weight + 1e-9 < earliest { 0.0 } else { self.rate / self.weight }
    }

    /// When `remaining` will be used up at this pace.
    pub(crate) fn ends(&self, remaining: u64, now: Timestamp) -> Option<Timestamp> {
        let seconds = remaining as f64 / self.per_second();
        // Beyond a day it is no matter.
        (seconds < 86_400.0).then(|| now.plus(Duration::from_secs_f64(seconds)))
    }
}

#[cfg(test)]
mod tests {
    use super::Pace;
    use crate::observe::clock::Timestamp;

    fn seconds(seconds: i64) -> Timestamp {
        Timestamp(seconds * 1000)
    }

    #[test]
    fn a_steady_pace_is_told_from_the_first_minute_on() {
        let mut pace = Pace::new(1_000, seconds(0));
        for second in 1..=59 {
            pace.observe(1_000 + 5 * u64::try_from(second).unwrap(), seconds(second));
            assert_eq!(pace.per_second(), 0.0);
            assert_eq!(pace.ends(10, seconds(second)), None);
        }
        pace.observe(1_300, seconds(60));
        assert!((pace.per_second() - 5.0).abs() < 1e-6, "{}", pace.per_second());
        assert_eq!(pace.ends(3_000, seconds(60)), Some(seconds(660)));
        assert_eq!(pace.ends(0, seconds(60)), Some(seconds(60)));
        assert_eq!(pace.ends(10_000_000, seconds(60)), None);
    }

    #[test]
    fn what_was_long_ago_counts_less() {
        let mut pace = Pace::new(0, seconds(0));
        pace.observe(6_000, seconds(600));
        pace.observe(6_000, seconds(1_200));
        assert!((2.0..4.0).contains(&pace.per_second()), "{}", pace.per_second());
        // A counter that is reset, and a clock that is set back.
        pace.observe(0, seconds(1_201));
        pace.observe(5, seconds(1_100));
        assert!(pace.per_second() < 4.0);
    }
}
