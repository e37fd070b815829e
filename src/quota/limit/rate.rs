//! Rates: GCRA, with a burst of one second.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::time::Instant;

use crate::texts::text;

/// Requests in a unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// So many.
    pub requests: NonZeroU32,
    /// In this.
    pub per: Per,
}

/// A unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    /// 1 s
    Second,
    /// 60 s
    Minute,
    /// 3600 s
    Hour,
}

impl Per {
    fn seconds(self) -> u32 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3600,
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let requests = self.requests;
        match (requests.get(), self.per) {
            (1, Per::Second) => write!(f, "{}", text!("1 request a second")),
            (1, Per::Minute) => write!(f, "{}", text!("1 request a minute")),
            (1, Per::Hour) => write!(f, "{}", text!("1 request an hour")),
            (_, Per::Second) => write!(f, "{}", text!("{requests} requests a second", requests)),
            (_, Per::Minute) => write!(f, "{}", text!("{requests} requests a minute", requests)),
            (_, Per::Hour) => write!(f, "{}", text!("{requests} requests an hour", requests)),
        }
    }
}

/// A rate in force. Its state is one word that all workers write to, on a cache line of its own.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Meter(RateLimiter<NotKeyed, InMemoryState, Ticks, NoOpMiddleware<Duration>>);

/// The runtime's clock, which never steps.
#[derive(Clone, Debug)]
struct Ticks(Instant);

impl Clock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

impl Meter {
    pub(super) fn new(rate: Rate) -> Self {
        let interval = Duration::from_secs(rate.per.seconds().into()) / rate.requests.get();
        // No rate is so high that nothing is left of the interval; if it were, one a nanosecond is
        // no limit.
        let quota = Quota::with_period(interval.max(Duration::from_nanos(1)));
        let a_second = NonZeroU32::new(rate.requests.get() / rate.per.seconds()).unwrap_or(NonZeroU32::MIN);
        let quota = quota.unwrap_or_else(|| Quota::per_second(rate.requests)).allow_burst(a_second);
        Self(RateLimiter::direct_with_clock(quota, Ticks(Instant::now())))
    }

    /// Lets one through, or says how long it takes until one may.
    pub(super) fn check(&self) -> Result<(), Duration> {
        self.0.check().map_err(|refused| refused.wait_time_from(self.0.clock().now()))
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use tokio::time::advance;

    use super::{Meter, Per, Rate};

    fn meter(requests: u32, per: Per) -> Meter {
        Meter::new(Rate { requests: NonZeroU32::new(requests).expect("some"), per })
    }

    fn passing(meter: &Meter) -> usize {
        (0..1000).take_while(|_| meter.check().is_ok()).count()
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_what_a_second_brings_and_one_at_least() {
        assert_eq!(passing(&meter(50, Per::Second)), 50);
        assert_eq!(passing(&meter(600, Per::Minute)), 10);
        assert_eq!(passing(&meter(3, Per::Hour)), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_burst_the_rate_holds_and_the_wait_is_told() {
        let meter = meter(10, Per::Second);
        assert_eq!(passing(&meter), 10);
        assert_eq!(meter.check(), Err(Duration::from_millis(100)));
        advance(Duration::from_millis(250)).await;
        assert_eq!(passing(&meter), 2);
        assert_eq!(meter.check(), Err(Duration::from_millis(50)));
        advance(Duration::from_secs(60)).await;
        assert_eq!(passing(&meter), 10, "no more than a burst is saved up");
    }
}
