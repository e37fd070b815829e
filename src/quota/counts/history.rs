//! The last day by minute and the last month by hour.

use super::tally::Point;
use crate::observe::clock::Timestamp;
use crate::observe::ring::{Add, HOUR, MINUTE, Ring};

const MINUTES: i64 = 24 * 60;
const HOURS: i64 = 30 * 24;

/// What happened, in bounded memory: at most a point a minute and one an hour.
#[derive(Debug, Default)]
pub(crate) struct History {
    minutes: Ring<Point, MINUTE, MINUTES>,
    hours: Ring<Point, HOUR, HOURS>,
}

/// How much of the past. The step in progress is part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Range {
    /// The last 15 minutes by minute.
    Quarter,
    /// The last 60 minutes by minute.
    Hour,
    /// The last 24 hours by minute.
    Day,
    /// The last 30 days by hour.
    Month,
}

impl Range {
    /// From the shortest to the longest.
    pub const ALL: [Self; 4] = [Self::Quarter, Self::Hour, Self::Day, Self::Month];

    /// Its steps: how many, of so many milliseconds.
    pub fn steps(self) -> (i64, i64) {
        match self {
            Self::Quarter => (15, MINUTE),
            Self::Hour => (60, MINUTE),
            Self::Day => (MINUTES, MINUTE),
            Self::Month => (HOURS, HOUR),
        }
    }

    /// Its length in seconds.
    pub fn seconds(self) -> i64 {
        let (steps, of) = self.steps();
        steps * of / 1000
    }
}

impl Add for Point {
    fn add(&mut self, other: &Self) {
        Self::add(self, other);
    }
}

impl History {
    pub(crate) fn add(&mut self, now: Timestamp, point: &Point) {
        self.minutes.add(now, point);
        self.hours.add(now, point);
    }

    /// A point for each step of the range, the last one for the step in progress.
    pub(crate) fn points(&self, range: Range, now: Timestamp) -> Curve {
        let (steps, of) = range.steps();
        let (start, points) =
            if of == HOUR { self.hours.points(now, steps) } else { self.minutes.points(now, steps) };
        Curve { step: of / 1000, start, points }
    }

    /// All of the range together.
    pub(crate) fn sum(&self, range: Range, now: Timestamp) -> Point {
        let (steps, of) = range.steps();
        if of == HOUR { self.hours.sum(now, steps) } else { self.minutes.sum(now, steps) }
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
        assert_eq!((history.minutes.kept(), history.hours.kept()), (1_440, 50));
        let now = Timestamp(2_999 * MINUTE);
        let day = history.points(Range::Day, now);
        assert_eq!((day.points.len(), day.step, day.start), (1_440, 60, (3_000 - 1_440) * 60));
        assert!(day.points.iter().all(|point| point.calls == 3));
        let month = history.points(Range::Month, now);
        assert_eq!(month.points.iter().map(|point| point.calls).sum::<u32>(), 9_000);
        assert_eq!(month.points.last().map(|point| point.calls), Some(180));
        let hour = history.points(Range::Hour, now);
        assert_eq!((hour.points.len(), hour.step, hour.start), (60, 60, (3_000 - 60) * 60));
        let sums = Range::ALL.map(|range| history.sum(range, now).calls);
        assert_eq!(sums, [45, 180, 4_320, 9_000]);
    }
}
