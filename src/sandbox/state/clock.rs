//! The sandbox's own time, which its control API moves so that two hours pass at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

const DAY_MS: i64 = 86_400_000;
const BEIJING_MS: i64 = 8 * 3_600_000;

/// Milliseconds since the Unix epoch, plus an offset that clones share.
#[derive(Clone, Debug, Default)]
pub(in crate::sandbox) struct Clock {
    offset: Arc<AtomicI64>,
}

impl Clock {
    pub(in crate::sandbox) fn now(&self) -> i64 {
        let real = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis());
        i64::try_from(real).unwrap_or(i64::MAX).saturating_add(self.offset.load(Ordering::Relaxed))
    }

    pub(in crate::sandbox) fn advance(&self, milliseconds: i64) {
        self.offset.fetch_add(milliseconds, Ordering::Relaxed);
    }

    pub(in crate::sandbox) fn offset(&self) -> i64 {
        self.offset.load(Ordering::Relaxed)
    }
}

/// The day in Beijing, where daily counters turn at midnight (FACTS 5).
pub(in crate::sandbox) fn day(now: i64) -> i64 {
    (now + BEIJING_MS).div_euclid(DAY_MS)
}

/// The month in Beijing, counted from year 0: `clear_quota` has a monthly budget.
pub(in crate::sandbox) fn month(now: i64) -> i64 {
    // Days to civil date, as in Howard Hinnant's `civil_from_days`: eras of 400 years that begin on
    // 1 March.
    let shifted = day(now) + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    (era * 400 + year_of_era) * 12 + from_march + 2
}

#[cfg(test)]
mod tests {
    use super::{DAY_MS, day, month};

    #[test]
    fn the_day_turns_at_sixteen_hours_utc() {
        assert_eq!(day(16 * 3_600_000 - 1) + 1, day(16 * 3_600_000));
    }

    #[test]
    fn the_month_turns_on_the_first_in_beijing() {
        // 2024-02-29T16:00:00Z is 2024-03-01T00:00 in Beijing.
        let first_of_march = 1_709_222_400_000;
        assert_eq!(month(first_of_march - 1), 2024 * 12 + 1);
        assert_eq!(month(first_of_march), 2024 * 12 + 2);
        assert_eq!(month(first_of_march + 305 * DAY_MS), 2024 * 12 + 11);
        assert_eq!(month(first_of_march + 306 * DAY_MS), 2025 * 12);
    }
}
