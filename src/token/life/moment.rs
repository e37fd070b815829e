//! Time by both clocks, and pauses measured in it.

use std::time::Duration;

use tokio::time::Instant;

use crate::observe::clock::Timestamp;

/// A point in time by both clocks: the wall clock, which may be stepped, and the monotonic one,
/// which may stand still while a machine sleeps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub wall: Timestamp,
    pub steady: Instant,
}

impl Moment {
    /// How long ago `earlier` was, by whichever clock says longer: a wall clock set back never
    /// stretches a wait or a token's life.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        self.wall.since(earlier.wall).max(self.steady.saturating_duration_since(earlier.steady))
    }
}

/// A time to wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pause {
    from: Moment,
    lasts: Duration,
}

impl Pause {
    pub(crate) fn new(from: Moment, lasts: Duration) -> Self {
        Self { from, lasts }
    }

    pub(crate) fn left(&self, now: Moment) -> Duration {
        self.lasts.saturating_sub(now.since(self.from))
    }

    pub(crate) fn over(&self, now: Moment) -> bool {
        self.left(now).is_zero()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Moment, Pause};
    use crate::observe::clock::Timestamp;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn moment(start: Instant, steady: u64, wall: i64) -> Moment {
        Moment { wall: Timestamp(1_000_000_000 + wall * 1000), steady: start + seconds(steady) }
    }

    #[test]
    fn a_wall_clock_set_back_never_stretches_a_pause() {
        let start = Instant::now();
        let pause = Pause::new(moment(start, 0, 0), seconds(60));
        assert_eq!(pause.left(moment(start, 20, -7200)), seconds(40));
        assert!(pause.over(moment(start, 60, -7200)));
        assert!(pause.over(moment(start, 1, 7200)));
    }
}
