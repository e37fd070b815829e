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
    let (year, month, _) = civil(day(now));
    year * 12 + month - 1
}

/// A day as `2024-02-29`.
pub(in crate::sandbox) fn date(day: i64) -> String {
    let (year, month, day) = civil(day);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The day that is written `2024-02-29`, if there is one.
pub(in crate::sandbox) fn day_of(written: &str) -> Option<i64> {
    let (year, rest) = written.split_once('-')?;
    let (month, day) = rest.split_once('-')?;
    let (year, month, day): (i64, i64, i64) = (year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // The inverse of what `civil` does.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let found =
        era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468;
    (date(found) == written).then_some(found)
}

/// Year, month and day, as in Howard Hinnant's `civil_from_days`: eras of 400 years that begin on
/// 1 March.
fn civil(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::{DAY_MS, date, day, day_of, month};

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

    #[test]
    fn a_date_is_read_as_it_is_written() {
        for written in ["1970-01-01", "2024-02-29", "2024-03-01", "2023-12-31"] {
            assert_eq!(day_of(written).map(date).as_deref(), Some(written));
        }
        assert_eq!(day_of("1970-01-02"), Some(1));
        for wrong in ["2023-02-29", "2024-2-29", "2024-13-01", "20240229", "2024-02-30", ""] {
            assert_eq!(day_of(wrong), None, "{wrong}");
        }
    }
}
