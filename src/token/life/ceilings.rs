//! How many token calls are made at most, whatever happens.

use std::collections::VecDeque;
use std::time::Duration;

use super::moment::{Moment, Pause};
use crate::wechat::Issuer;

/// Fruitless calls a minute.
const FRUITLESS: usize = 10;
/// As many of them are kept for when no token is of use: endpoints that reject a living one must
/// not keep the app from its next.
const RESERVE: usize = 3;

/// The most token calls that an app makes, whatever happens; only an admin passes them.
#[derive(Debug)]
pub(super) struct Ceilings {
    all: Ceiling,
    /// Those that failed or brought back the same token.
    fruitless: Ceiling,
}

/// Whether a token call is made while the token held is of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// It is: the call may be in vain.
    Spare,
    /// None is held, or it has expired or is proven dead.
    Urgent,
}

impl Need {
    /// How many fruitless calls such a one must leave.
    fn reserved(self) -> usize {
        match self {
            Self::Spare => RESERVE,
            Self::Urgent => 0,
        }
    }
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
        Self { all, fruitless: Ceiling::new(FRUITLESS, minute) }
    }

    /// How long until a call is allowed; zero if one is.
    pub(super) fn wait(&self, need: Need, now: Moment) -> Duration {
        self.all.wait(0, now).max(self.fruitless.wait(need.reserved(), now))
    }

    /// Whether half of what may be in vain has been: the next call should have a reason.
    pub(super) fn half_spent(&self, now: Moment) -> bool {
        !self.fruitless.wait(FRUITLESS / 2, now).is_zero()
    }

    /// Counts a call, once its outcome is known.
    pub(super) fn count(&mut self, need: Need, fruitless: bool, now: Moment) {
        self.all.count(now);
        // An admin's calls don't spend the reserve either.
        if fruitless && self.fruitless.wait(need.reserved(), now).is_zero() {
            self.fruitless.count(now);
        }
    }
}

impl Ceiling {
    fn new(most: usize, window: Duration) -> Self {
        Self { most, window, calls: VecDeque::new() }
    }

    /// How long until one more call leaves `reserved` of them.
    fn wait(&self, reserved: usize, now: Moment) -> Duration {
        let oldest = self.calls.len().checked_sub(self.most - reserved).and_then(|n| self.calls.get(n));
        oldest.map_or(Duration::ZERO, |oldest| Pause::new(*oldest, self.window).left(now))
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
    use super::{Ceilings, Need};
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
            assert_eq!(ceilings.wait(Need::Urgent, now), Duration::ZERO);
            ceilings.count(Need::Urgent, true, now);
        }
        assert_eq!(ceilings.wait(Need::Urgent, moment(start, 10, 10)), seconds(50));
        assert_eq!(ceilings.wait(Need::Urgent, moment(start, 60, 60)), Duration::ZERO);
    }

    #[test]
    fn three_of_them_are_kept_for_when_no_token_is_of_use() {
        let start = Instant::now();
        let mut ceilings = Ceilings::of(STABLE);
        // More than the ceiling, as only an admin can.
        for second in 0..12 {
            ceilings.count(Need::Spare, true, moment(start, second, second as i64));
        }
        let now = moment(start, 12, 12);
        assert_eq!(ceilings.wait(Need::Spare, now), seconds(48));
        for _ in 0..3 {
            assert_eq!(ceilings.wait(Need::Urgent, now), Duration::ZERO);
            ceilings.count(Need::Urgent, true, now);
        }
        assert_eq!(ceilings.wait(Need::Urgent, now), seconds(48));
    }

    #[test]
    fn classic_mode_rotates_sixty_times_an_hour_at_most_and_stable_mode_fetches_300_times_a_minute() {
        let start = Instant::now();
        let now = moment(start, 0, 0);
        for (mode, most, window) in [(CLASSIC, 60, HOUR), (STABLE, 300, seconds(60))] {
            let mut ceilings = Ceilings::of(mode);
            for _ in 0..most {
                assert_eq!(ceilings.wait(Need::Urgent, now), Duration::ZERO);
                ceilings.count(Need::Urgent, false, now);
            }
            assert_eq!(ceilings.wait(Need::Urgent, now), window);
        }
    }
}
