//! The last day by minute and the last month by hour.

use std::collections::VecDeque;

use super::tally::Point;
use crate::observe::clock::Timestamp;

const MINUTES: i64 = 24 * 60;
const HOURS: i64 = 30 * 24;
/// Milliseconds.
const MINUTE: i64 = 60_000;
const HOUR: i64 = 3_600_000;

/// What happened, in bounded memory: at most a point a minute and one an hour.
#[derive(Debug, Default)]
pub(crate) struct History {
    minutes: Ring<MINUTE, MINUTES>,
    hours: Ring<HOUR, HOURS>,
}

/// The latest points, each with the number of its step since the epoch; steps in which nothing
/// happened have none.
#[derive(Debug, Default)]
struct Ring<const STEP: i64, const LENGTH: i64>(VecDeque<(i64, Point)>);

/// How much of the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// The last 24 hours by minute.
    Day,
    /// The last 30 days by hour.
    Month,
}

impl History {
    pub(crate) fn add(&mut self, now: Timestamp, point: &Point) {
        self.minutes.add(now, point);
        self.hours.add(now, point);
    }

    /// A point for each step of the range, the last one for the step in progress.
    pub(crate) fn points(&self, range: Range, now: Timestamp) -> Curve {
        match range {
            Range::Day => self.minutes.points(now),
            Range::Month => self.hours.points(now),
        }
    }
}

/// A point for each step of a stretch of time.
#[derive(Debug)]
pub(crate) struct Curve {
    /// Seconds.
    pub(crate) step: i64,
    /// Seconds since the epoch.
    pub(crate) start: i64,
    pub(crate) points: Vec<Point>,
}

impl<const STEP: i64, const LENGTH: i64> Ring<STEP, LENGTH> {
    fn add(&mut self, now: Timestamp, point: &Point) {
        let step = now.0.div_euclid(STEP);
        match self.0.back_mut() {
            // A clock that was set back adds to the latest point.
            Some((latest, sum)) if *latest >= step => sum.add(point),
            _ => self.0.push_back((step, *point)),
        }
        while self.0.front().is_some_and(|(oldest, _)| *oldest <= step - LENGTH) {
            self.0.pop_front();
        }
    }

    fn points(&self, now: Timestamp) -> Curve {
        let first = now.0.div_euclid(STEP) - LENGTH + 1;
        let mut points = vec![Point::default(); usize::try_from(LENGTH).unwrap_or_default()];
        for (step, point) in &self.0 {
            if let Some(place) = usize::try_from(step - first).ok().and_then(|at| points.get_mut(at)) {
                *place = *point;
            }
        }
        Curve { step: STEP / 1000, start: first * (STEP / 1000), points }
    }
}

#[cfg(test)]
mod tests {
    use super::{History, MINUTE, Point, Range};
    use crate::observe::clock::Timestamp;

    fn calls(calls: u32) -> Point {
        Point { calls, ..Point::default() }
    }

    #[test]
    fn a_minute_s_calls_are_one_point_and_a_day_s_the_most_that_is_kept() {
        let mut history = History::default();
        for minute in 0..3_000 {
            history.add(Timestamp(minute * MINUTE), &calls(1));
            history.add(Timestamp(minute * MINUTE + 59_999), &calls(2));
        }
        assert_eq!((history.minutes.0.len(), history.hours.0.len()), (1_440, 50));
        let day = history.points(Range::Day, Timestamp(2_999 * MINUTE));
        assert_eq!((day.points.len(), day.step, day.start), (1_440, 60, (3_000 - 1_440) * 60));
        assert!(day.points.iter().all(|point| point.calls == 3));
        let month = history.points(Range::Month, Timestamp(2_999 * MINUTE));
        assert_eq!(month.points.iter().map(|point| point.calls).sum::<u32>(), 9_000);
        assert_eq!(month.points.last().map(|point| point.calls), Some(180));
    }

    #[test]
    fn quiet_minutes_take_no_memory_and_a_clock_that_steps_loses_nothing() {
        let mut history = History::default();
        history.add(Timestamp(0), &calls(1));
        history.add(Timestamp(100 * MINUTE), &calls(1));
        history.add(Timestamp(40 * MINUTE), &calls(1));
        assert_eq!(history.minutes.0.len(), 2);
        let day = history.points(Range::Day, Timestamp(100 * MINUTE));
        assert_eq!(day.points.last().map(|point| point.calls), Some(2));
        history.add(Timestamp(100 * 86_400_000), &calls(1));
        assert_eq!((history.minutes.0.len(), history.hours.0.len()), (1, 1));
    }
}
