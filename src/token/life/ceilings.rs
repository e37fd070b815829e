//! How many token calls are made at most, whatever happens.

use std::collections::VecDeque;
use std::time::Duration;

use super::moment::{Moment, Pause};
use crate::wechat::Issuer;

/// The most token calls that an app makes, whatever happens; only an admin passes them.
#[derive(Debug)]
pub(super) struct Ceilings {
    all: Ceiling,
    /// Those that failed or brought back the same token.
    fruitless: Ceiling,
}

#[derive(Debug)]
struct Ceiling {
    most: usize,
    window: Duration,
    calls: VecDeque<Moment>,
}

impl Ceilings {
    pub(super) fn of(issuer: Issuer) -> Self {
        let minute = Duration::from_secs(60);
        let all = if issuer.rotates() { Ceiling::new(60, 60 * minute) } else { Ceiling::new(300, minute) };
        Self { all, fruitless: Ceiling::new(10, minute) }
    }

    /// How long until a call is allowed; zero if one is.
    pub(super) fn wait(&self, now: Moment) -> Duration {
        self.all.wait(now).max(self.fruitless.wait(now))
    }

    /// Counts a call, once its outcome is known.
    pub(super) fn count(&mut self, now: Moment, fruitless: bool) {
        self.all.count(now);
        if fruitless {
            self.fruitless.count(now);
        }
    }
}

impl Ceiling {
    fn new(most: usize, window: Duration) -> Self {
        Self { most, window, calls: VecDeque::new() }
    }

    fn wait(&self, now: Moment) -> Duration {
        if self.calls.len() < self.most {
            return Duration::ZERO;
        }
        self.calls.front().map_or(Duration::ZERO, |oldest| Pause::new(*oldest, self.window).left(now))
    }

    fn count(&mut self, now: Moment) {
        if self.calls.len() == self.most {
            self.calls.pop_front();
        }
        self.calls.push_back(now);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::super::moment::Moment;
    use super::Ceilings;
    use crate::observe::clock::Timestamp;
    use crate::wechat::{Issuer, TokenMode};

    const STABLE: Issuer = Issuer::App(TokenMode::Stable);
    const CLASSIC: Issuer = Issuer::App(TokenMode::Classic);
    const HOUR: Duration = Duration::from_secs(3600);

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn moment(start: Instant, steady: u64, wall: i64) -> Moment {
        Moment { wall: Timestamp(1_000_000_000 + wall * 1000), steady: start + seconds(steady) }
    }

    #[test]
    fn ten_fruitless_calls_a_minute_are_the_most() {
        let start = Instant::now();
        let mut ceilings = Ceilings::of(STABLE);
        for second in 0..10 {
            let now = moment(start, second, second as i64);
            assert_eq!(ceilings.wait(now), Duration::ZERO);
            ceilings.count(now, true);
        }
        assert_eq!(ceilings.wait(moment(start, 10, 10)), seconds(50));
        assert_eq!(ceilings.wait(moment(start, 60, 60)), Duration::ZERO);
    }

    #[test]
    fn classic_mode_rotates_sixty_times_an_hour_at_most_and_stable_mode_fetches_300_times_a_minute() {
        let start = Instant::now();
        for (mode, most, window) in [(CLASSIC, 60, HOUR), (STABLE, 300, seconds(60))] {
            let mut ceilings = Ceilings::of(mode);
            for _ in 0..most {
                assert_eq!(ceilings.wait(moment(start, 0, 0)), Duration::ZERO);
                ceilings.count(moment(start, 0, 0), false);
            }
            assert_eq!(ceilings.wait(moment(start, 0, 0)), window);
        }
    }
}
