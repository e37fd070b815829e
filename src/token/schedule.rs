//! When things are due, as pure functions of the time: refresh-ahead, backoff, ceilings.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::observe::clock::{Clock, Timestamp};
use crate::wechat::Issuer;

/// WeChat itself renews a stable token only in its last five minutes; a classic one outlives its successor
/// by as long.
const LAST_MINUTES: Duration = Duration::from_secs(300);
/// Between two refreshes ahead of time, however short a token's life.
const AHEAD_SPACING: Duration = Duration::from_secs(30);
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_secs(300);
/// Between two tries while WeChat's refusal needs a person to end it.
const CIRCUIT: Duration = Duration::from_secs(300);

/// A point in time by both clocks: the wall clock, which may be stepped, and the monotonic one, which may
/// stand still while a machine sleeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub wall: Timestamp,
    pub steady: Instant,
}

impl Moment {
    pub(super) fn now(clock: &Clock) -> Self {
        Self { wall: clock.now(), steady: Instant::now() }
    }

    /// How long ago `earlier` was, by whichever clock says longer: a wall clock set back never stretches a
    /// wait or a token's life.
    pub(super) fn since(self, earlier: Self) -> Duration {
        self.wall.since(earlier.wall).max(self.steady.saturating_duration_since(earlier.steady))
    }
}

/// A time to wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pause {
    from: Moment,
    lasts: Duration,
}

impl Pause {
    pub(super) fn new(from: Moment, lasts: Duration) -> Self {
        Self { from, lasts }
    }

    pub(super) fn left(&self, now: Moment) -> Duration {
        self.lasts.saturating_sub(now.since(self.from))
    }

    pub(super) fn over(&self, now: Moment) -> bool {
        self.left(now).is_zero()
    }
}

/// How long before its end a token counts as being in its last minutes.
pub(super) fn last_minutes(lifetime: Duration) -> Duration {
    LAST_MINUTES.min(lifetime / 5)
}

/// The age at which a token is refreshed ahead of time; `age` is its present one, `chance` is in 0..1.
///
/// The jitter is added where an earlier fetch returns the same token; where a fetch always brings a new one, it is
/// taken off.
pub(super) fn ahead_age(issuer: Issuer, lifetime: Duration, age: Duration, chance: f64) -> Duration {
    let jitter = (lifetime / 20).min(Duration::from_secs(30)).mul_f64(chance);
    let due = lifetime.saturating_sub(last_minutes(lifetime));
    let due = if issuer.rotates() { due.saturating_sub(jitter) } else { due + jitter };
    due.max(again_age(age))
}

/// The age at which a token is asked for again that WeChat did not renew yet.
pub(super) fn again_age(age: Duration) -> Duration {
    age + AHEAD_SPACING
}

/// How long to wait after the `failures`-th transient failure in a row (from 1), `chance` in 0..1.
pub(super) fn backoff(failures: u32, chance: f64) -> Duration {
    let doubled = FIRST_BACKOFF.saturating_mul(1 << failures.saturating_sub(1).min(16));
    doubled.min(LONGEST_BACKOFF).mul_f64(0.8 + 0.4 * chance)
}

/// How long an open circuit waits for its next try, `chance` in 0..1.
pub(super) fn circuit(chance: f64) -> Duration {
    CIRCUIT.mul_f64(0.8 + 0.4 * chance)
}

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

    use super::{Ceilings, Moment, Pause, ahead_age, backoff};
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
    fn a_token_of_two_hours_is_refreshed_in_its_last_five_minutes() {
        let lifetime = seconds(7200);
        assert_eq!(ahead_age(STABLE, lifetime, Duration::ZERO, 0.0), seconds(6900));
        assert_eq!(ahead_age(STABLE, lifetime, Duration::ZERO, 1.0), seconds(6930));
        assert_eq!(ahead_age(CLASSIC, lifetime, Duration::ZERO, 1.0), seconds(6870));
    }

    #[test]
    fn a_short_token_is_refreshed_in_its_last_fifth_but_never_within_thirty_seconds() {
        assert_eq!(ahead_age(STABLE, seconds(60), Duration::ZERO, 0.0), seconds(48));
        assert_eq!(ahead_age(STABLE, seconds(1), Duration::ZERO, 0.0), seconds(30));
        assert_eq!(ahead_age(CLASSIC, seconds(7200), seconds(7000), 0.5), seconds(7030));
    }

    #[test]
    fn backoff_doubles_from_one_second_to_five_minutes_give_or_take_a_fifth() {
        assert_eq!(backoff(1, 0.5), seconds(1));
        assert_eq!(backoff(4, 0.5), seconds(8));
        assert_eq!(backoff(4, 0.0), seconds(8).mul_f64(0.8));
        assert_eq!(backoff(u32::MAX, 1.0), seconds(360));
    }

    #[test]
    fn a_wall_clock_set_back_never_stretches_a_pause() {
        let start = Instant::now();
        let pause = Pause::new(moment(start, 0, 0), seconds(60));
        assert_eq!(pause.left(moment(start, 20, -7200)), seconds(40));
        assert!(pause.over(moment(start, 60, -7200)));
        assert!(pause.over(moment(start, 1, 7200)));
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
