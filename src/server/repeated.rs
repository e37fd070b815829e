//! What happens again and again, of which the log tells at a bounded rate.

use std::time::Duration;

use tokio::time::Instant;

/// Between two lines of the log about the same.
const QUIET: Duration = Duration::from_secs(60);

/// How often something happened, and what of that the log knows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Repeated {
    count: u64,
    told: u64,
    told_at: Option<Instant>,
}

impl Repeated {
    /// Counts one more at `now`; if it is to be told, how many there were since that was done last.
    pub fn add(&mut self, now: Instant) -> Option<u64> {
        self.count += 1;
        if self.told_at.is_some_and(|at| now.duration_since(at) < QUIET) {
            return None;
        }
        self.told_at = Some(now);
        Some(self.count - std::mem::replace(&mut self.told, self.count))
    }

    /// How often it happened.
    pub fn count(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::Repeated;

    #[test]
    fn it_is_told_once_a_minute_with_how_often_it_was_not() {
        let (mut repeated, now) = (Repeated::default(), Instant::now());
        let mut at = |seconds| repeated.add(now + Duration::from_secs(seconds));
        assert_eq!((at(0), at(1), at(59)), (Some(1), None, None));
        assert_eq!((at(60), at(61), at(200)), (Some(3), None, Some(2)));
        assert_eq!(repeated.count(), 6);
    }
}
