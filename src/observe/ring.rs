//! What happened in each minute or hour of the past, in bounded memory.

use std::collections::VecDeque;

use super::clock::Timestamp;

/// Milliseconds.
pub const MINUTE: i64 = 60_000;
/// Milliseconds.
pub const HOUR: i64 = 3_600_000;

/// What can be added up.
pub trait Add: Clone + Default {
    /// Adds what another one counted.
    fn add(&mut self, other: &Self);
}

/// The sums of the latest `LENGTH` steps of `STEP` milliseconds, each with the number of its step
/// since the epoch; steps in which nothing happened have none.
#[derive(Debug)]
pub struct Ring<T, const STEP: i64, const LENGTH: i64>(VecDeque<(i64, T)>);

impl<T, const STEP: i64, const LENGTH: i64> Default for Ring<T, STEP, LENGTH> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T: Add, const STEP: i64, const LENGTH: i64> Ring<T, STEP, LENGTH> {
    /// Adds to the step in progress.
    pub fn add(&mut self, now: Timestamp, what: &T) {
        let step = now.0.div_euclid(STEP);
        match self.0.back_mut() {
            // A clock that was set back adds to the latest step.
            Some((latest, sum)) if *latest >= step => sum.add(what),
            _ => self.0.push_back((step, what.clone())),
        }
        while self.0.front().is_some_and(|(oldest, _)| *oldest <= step - LENGTH) {
            self.0.pop_front();
        }
    }

    /// The last `steps` steps, the one in progress included; and when the first of them began, in
    /// seconds since the epoch.
    pub fn points(&self, now: Timestamp, steps: i64) -> (i64, Vec<T>) {
        let steps = steps.clamp(0, LENGTH);
        let first = now.0.div_euclid(STEP) - steps + 1;
        let mut points = vec![T::default(); usize::try_from(steps).unwrap_or_default()];
        for (step, point) in &self.0 {
            if let Some(place) = usize::try_from(step - first).ok().and_then(|at| points.get_mut(at)) {
                *place = point.clone();
            }
        }
        (first * (STEP / 1000), points)
    }

    /// The last `steps` steps together, the one in progress included.
    pub fn sum(&self, now: Timestamp, steps: i64) -> T {
        let before = now.0.div_euclid(STEP) - steps;
        let latest = self.0.iter().rev().take_while(|(step, _)| *step > before);
        latest.fold(T::default(), |mut sum, (_, point)| {
            sum.add(point);
            sum
        })
    }

    /// How many steps are kept.
    pub fn kept(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::{Add, MINUTE, Ring};
    use crate::observe::clock::Timestamp;

    impl Add for u32 {
        fn add(&mut self, other: &Self) {
            *self += other;
        }
    }

    #[test]
    fn quiet_steps_take_no_memory_and_a_clock_that_is_set_back_loses_nothing() {
        let mut ring = Ring::<u32, MINUTE, 1440>::default();
        for minute in [0, 100, 40] {
            ring.add(Timestamp(minute * MINUTE), &1);
        }
        assert_eq!((ring.kept(), ring.sum(Timestamp(100 * MINUTE), 1)), (2, 2));
        ring.add(Timestamp(100 * 1440 * MINUTE), &1);
        assert_eq!(ring.kept(), 1);
    }

    #[test]
    fn a_sum_has_the_step_in_progress_and_those_before_it() {
        let mut ring = Ring::<u32, MINUTE, 60>::default();
        for minute in 0..100 {
            ring.add(Timestamp(minute * MINUTE + 59_999), &1);
        }
        let now = Timestamp(100 * MINUTE);
        assert_eq!((ring.kept(), ring.sum(now, 15), ring.sum(now, 500)), (60, 14, 60));
        let (start, points) = ring.points(now, 3);
        assert_eq!((start, points), (98 * 60, vec![1, 1, 0]));
    }
}
