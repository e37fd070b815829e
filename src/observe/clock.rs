//! The wall clock of token life, movable by tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

/// How long before its end a key or certificate is worth a warning.
pub const ENDS_SOON: Duration = Duration::from_secs(14 * 86_400);

/// Wall-clock time in milliseconds since the Unix epoch; what token records carry, since machines
/// share them.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The end of what doesn't end by itself.
    pub const NEVER: Self = Self(i64::MAX);

    /// This time plus `duration`.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero if it is before.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Seconds since the Unix epoch, as metrics have it.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// Days since the epoch in Beijing (UTC+8, no daylight saving since 1991), where WeChat's quota
    /// days turn.
    pub fn beijing_day(self) -> i64 {
        self.0.saturating_add(BEIJING).div_euclid(86_400_000)
    }

    /// When the day in Beijing ends.
    pub fn beijing_midnight(self) -> Self {
        Self((self.beijing_day() + 1).saturating_mul(86_400_000).saturating_sub(BEIJING))
    }

    /// What a clock in Beijing shows, as if that were UTC.
    #[must_use]
    pub fn shown_in_beijing(self) -> Self {
        Self(self.0.saturating_add(BEIJING))
    }

    /// RFC 3339 with the zone of Beijing, `2026-11-25T09:41:00.042+08:00`.
    pub fn rfc3339_in_beijing(self) -> String {
        let mut text = self.shown_in_beijing().rfc3339();
        text.truncate(text.len() - 1);
        text.push_str("+08:00");
        text
    }

    /// When the day of this date, like `2026-11-25`, ends in Beijing; none if there is no such day.
    pub fn end_of_beijing_date(date: &str) -> Option<Self> {
        let digits = |part: &str, length| part.len() == length && part.bytes().all(|b| b.is_ascii_digit());
        let [year, month, day] = date.split('-').collect::<Vec<_>>()[..] else { return None };
        let plain = digits(year, 4) && digits(month, 2) && digits(day, 2);
        let midnight = humantime::parse_rfc3339(&format!("{date}T00:00:00Z")).ok().filter(|_| plain)?;
        let since_epoch = midnight.duration_since(UNIX_EPOCH).ok()?;
        Some(Self(-BEIJING).plus(since_epoch).plus(Duration::from_secs(86_400)))
    }

    /// RFC 3339 in UTC with milliseconds.
    pub fn rfc3339(self) -> String {
        // humantime panics in the year 10000, which a store's record may claim.
        let since_epoch = Duration::from_millis(self.0.clamp(0, LAST).unsigned_abs());
        humantime::format_rfc3339_millis(UNIX_EPOCH + since_epoch).to_string()
    }

    /// The date in Beijing, `2026-11-25`.
    pub fn beijing_date(self) -> String {
        self.in_beijing()[..10].to_owned()
    }

    /// The date in Beijing of the last day before this moment.
    pub fn last_beijing_date(self) -> String {
        Self(self.0.saturating_sub(1)).beijing_date()
    }

    /// The time of day in Beijing, `09:41`.
    pub fn beijing_time(self) -> String {
        self.in_beijing()[11..16].to_owned()
    }

    /// `2026-11-25T09:41:00Z`, but for the zone.
    fn in_beijing(self) -> String {
        let since_epoch = self.shown_in_beijing().0.clamp(0, LAST).unsigned_abs();
        humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_millis(since_epoch)).to_string()
    }
}

/// Milliseconds by which Beijing is ahead of UTC.
const BEIJING: i64 = 8 * 3_600_000;
/// The last millisecond of the year 9999.
const LAST: i64 = 253_402_300_799_999;

/// The wall clock; clones share an offset that a test may move.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    offset: Arc<Offset>,
}

/// Read with every request, so it takes no lock that workers share.
#[derive(Debug, Default)]
struct Offset {
    milliseconds: AtomicI64,
    /// Beginning with the epoch there, the clock follows the runtime's.
    #[cfg(test)]
    simulated_since: Option<tokio::time::Instant>,
    moved: watch::Sender<()>,
}

impl Clock {
    /// The present time.
    pub fn now(&self) -> Timestamp {
        #[cfg(test)]
        if let Some(since) = self.offset.simulated_since {
            return Timestamp(0).plus(since.elapsed());
        }
        let real = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis());
        Timestamp(
            i64::try_from(real)
                .unwrap_or(i64::MAX)
                .saturating_add(self.offset.milliseconds.load(Ordering::Acquire)),
        )
    }

    /// A clock that follows the runtime's, which a test may pause.
    #[cfg(test)]
    pub(crate) fn simulated() -> Self {
        let simulated_since = Some(tokio::time::Instant::now());
        Self { offset: Arc::new(Offset { simulated_since, ..Offset::default() }) }
    }

    /// Moves the clock by `milliseconds`, either way; those that sleep until a timestamp check
    /// again.
    pub fn advance(&self, milliseconds: i64) {
        self.offset.milliseconds.fetch_add(milliseconds, Ordering::AcqRel);
        self.offset.moved.send_replace(());
    }

    /// Waits for `duration` of real time, or until the clock was moved by as much. A clock that is
    /// set back doesn't prolong it.
    pub async fn sleep(&self, duration: Duration) {
        let _ = tokio::time::timeout(duration, self.sleep_until(self.now().plus(duration))).await;
    }

    /// Waits until the clock reads `deadline`, however it gets there.
    ///
    /// Looks again every 15 s of real time, since the machine's clock may be stepped.
    pub async fn sleep_until(&self, deadline: Timestamp) {
        let mut moved = self.offset.moved.subscribe();
        loop {
            let left = deadline.since(self.now());
            if left.is_zero() {
                return;
            }
            let nap = left.min(Duration::from_secs(15));
            let _ = tokio::time::timeout(nap, moved.changed()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Clock, Timestamp};

    #[test]
    fn beijing_day_turns_at_sixteen_hours_utc() {
        let before = Timestamp(16 * 3_600_000 - 1);
        assert_eq!(before.beijing_day() + 1, Timestamp(16 * 3_600_000).beijing_day());
        assert_eq!(before.beijing_midnight(), Timestamp(16 * 3_600_000));
        assert_eq!(
            (before.beijing_date().as_str(), before.plus(Duration::from_millis(1)).beijing_date().as_str()),
            ("1970-01-01", "1970-01-02")
        );
    }

    #[test]
    fn a_date_ends_at_midnight_in_beijing() {
        let end = Timestamp::end_of_beijing_date("2027-03-31").expect("a day");
        assert_eq!(end.rfc3339(), "2027-03-31T16:00:00.000Z");
        assert_eq!(end.last_beijing_date(), "2027-03-31");
        assert!(Timestamp::end_of_beijing_date("2028-02-29").is_some());
        for wrong in
            ["", "2027-02-29", "2027-3-31", "27-03-31", "2027-13-01", "2027/03/31", "2027-03-31 ", "x-y-z"]
        {
            assert_eq!(Timestamp::end_of_beijing_date(wrong), None, "{wrong}");
        }
    }

    #[tokio::test]
    async fn a_sleeper_wakes_when_the_clock_is_moved() {
        let clock = Clock::default();
        let deadline = Timestamp(clock.now().0 + 7_200_000);
        let mover = async { clock.advance(7_200_000) };
        tokio::join!(clock.sleep_until(deadline), mover);
    }

    #[tokio::test(start_paused = true)]
    async fn a_nap_ends_when_the_clock_was_moved_by_as_much_and_lasts_no_longer_if_it_is_set_back() {
        let (clock, hour) = (Clock::default(), Duration::from_secs(3600));
        let began = tokio::time::Instant::now();
        let mover = async { clock.advance(3_600_000) };
        tokio::join!(clock.sleep(hour), mover);
        assert_eq!(began.elapsed(), Duration::ZERO);
        let mover = async { clock.advance(-3_600_000) };
        tokio::join!(clock.sleep(hour), mover);
        assert_eq!(began.elapsed(), hour);
    }
}
