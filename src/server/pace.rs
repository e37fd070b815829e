//! How fast a request's body comes.

use std::time::Duration;

use tokio::time::Instant;

/// How fast a request's body must come. Only the time counts in which the caller was waited for,
/// not that in which wxgate read nothing because WeChat took no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Bytes a second over the last `window`.
    pub least: u32,
    /// Nothing is said of a shorter wait.
    pub window: Duration,
    /// In all a body may take this long, ...
    pub in_all: Duration,
    /// ... and a second more for each so many bytes.
    pub usual: u32,
}

impl Default for Pace {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { least: 100, window: seconds(30), in_all: seconds(10 + 60), usual: 4 * 1024 }
    }
}

/// Parts of a window: one by one they fall out of it.
const PARTS: usize = 30;

/// A body that was waited for.
#[derive(Debug)]
pub(super) struct Arrival {
    pace: Pace,
    /// Which request's it is.
    request: u64,
    waited: Duration,
    /// Since when it is waited for, and how long it may be.
    wait: Option<(Instant, Duration)>,
    came: u64,
    /// What came in each of the latest parts; the `n`th since the beginning has the place
    /// `n % PARTS`.
    parts: [u64; PARTS],
    part: usize,
}

impl Arrival {
    pub(super) fn new(pace: Pace, request: u64, came: u64) -> Self {
        let mut parts = [0; PARTS];
        parts[0] = came;
        Self { pace, request, waited: Duration::ZERO, wait: None, came, parts, part: 0 }
    }

    pub(super) fn is_of(&self, request: u64) -> bool {
        self.request == request
    }

    /// Nothing is there to be read at `now`: how long that may last, from when it began.
    pub(super) fn awaited(&mut self, length: Option<u64>, now: Instant) -> Duration {
        if let Some((_, limit)) = self.wait {
            return limit;
        }
        let bytes = length.unwrap_or(self.came);
        let in_all = self.pace.in_all + Duration::from_secs(bytes) / self.pace.usual;
        let limit = in_all.min(self.slow_after()).saturating_sub(self.waited);
        self.wait = Some((now, limit));
        limit
    }

    /// Of the body `came` has come until `now`.
    pub(super) fn comes(&mut self, came: u64, now: Instant) {
        if let Some((since, _)) = self.wait.take() {
            self.waited += now.saturating_duration_since(since);
            let part = (self.waited.as_nanos() / self.part_length().as_nanos().max(1)) as usize;
            for passed in (self.part + 1..=part).take(PARTS) {
                self.parts[passed % PARTS] = 0;
            }
            self.part = part;
        }
        self.parts[self.part % PARTS] += came.saturating_sub(self.came);
        self.came = came;
    }

    /// Whether the wait has lasted too long already.
    pub(super) fn is_late(&self, now: Instant) -> bool {
        self.wait.is_some_and(|(since, limit)| now.saturating_duration_since(since) >= limit)
    }

    /// After how much waiting in all the latest window has too few bytes, if no more come.
    fn slow_after(&self) -> Duration {
        let enough = (u128::from(self.pace.least) * self.pace.window.as_millis() / 1000).max(1);
        let mut end = (self.part + 1).max(PARTS);
        let mut within: u128 = self.parts.iter().copied().map(u128::from).sum();
        while within >= enough {
            within -= u128::from(self.parts[end % PARTS]);
            end += 1;
        }
        self.part_length() * u32::try_from(end).unwrap_or(u32::MAX)
    }

    fn part_length(&self) -> Duration {
        self.pace.window / PARTS as u32
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Arrival, Pace};

    /// After how many seconds of waiting a body is given up of which `step` bytes come every
    /// `pause`; none if all of `length` comes.
    fn given_up(length: Option<u64>, most: u64, step: u64, pause: Duration) -> Option<u64> {
        let begin = Instant::now();
        let (mut now, mut came) = (begin, step);
        let mut arrival = Arrival::new(Pace::default(), 1, came);
        while came < most {
            let limit = arrival.awaited(length, now);
            assert_eq!(arrival.awaited(length, now + pause / 2), limit, "the same wait");
            if limit <= pause {
                assert!(arrival.is_late(now + limit) && !arrival.is_late(now + limit - pause / 100));
                return Some((now + limit - begin).as_secs());
            }
            now += pause;
            came += step;
            arrival.comes(came, now);
        }
        None
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn fewer_than_a_hundred_bytes_a_second_over_half_a_minute_are_too_slow() {
        for length in [None, Some(1 << 20)] {
            assert_eq!(given_up(length, 1 << 20, 1, SECOND), Some(30));
            assert_eq!(given_up(length, 1 << 20, 99, SECOND), Some(30));
            assert_eq!(given_up(length, 1 << 20, 1, 40 * SECOND), Some(30), "silence");
        }
        // Just enough.
        assert_eq!(given_up(Some(6_000), 6_000, 100, SECOND), None);
        assert_eq!(given_up(Some(6_000), 6_000, 1000, 10 * SECOND), None);
    }

    #[test]
    fn a_quick_beginning_buys_no_slow_end() {
        let now = Instant::now();
        let mut arrival = Arrival::new(Pace::default(), 1, 0);
        arrival.comes(10 << 20, now);
        assert_eq!(arrival.awaited(Some(1 << 30), now), 31 * SECOND);
        arrival.comes((10 << 20) + 10, now + 29 * SECOND);
        assert_eq!(arrival.awaited(Some(1 << 30), now + 29 * SECOND), 2 * SECOND);
    }

    #[test]
    fn in_all_a_body_has_seventy_seconds_and_one_for_each_four_kilobytes() {
        let second_by_second = |length, most, step| given_up(length, most, step, SECOND);
        assert_eq!(second_by_second(Some(400 << 10), 400 << 10, 1 << 10), Some(170));
        assert_eq!(second_by_second(Some(400 << 10), 400 << 10, 3 << 10), None);
        // Without a length what has come counts: 70 s + t/4 of 1 KiB a second.
        assert_eq!(second_by_second(None, 400 << 10, 1 << 10), Some(93));
        assert_eq!(second_by_second(None, 4 << 20, 4 << 10), None);
    }

    #[test]
    fn time_in_which_nobody_read_is_not_the_callers() {
        let mut now = Instant::now();
        let mut arrival = Arrival::new(Pace::default(), 1, 0);
        for came in 1..=100 {
            arrival.awaited(Some(1 << 20), now);
            now += SECOND / 10;
            arrival.comes(came * 100, now);
            // WeChat takes an hour for each piece.
            now += 3600 * SECOND;
        }
        assert!(arrival.awaited(Some(1 << 20), now) > 20 * SECOND);
    }
}
