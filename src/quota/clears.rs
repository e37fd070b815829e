//! How often counters were cleared.

use serde::{Deserialize, Serialize};

use crate::observe::clock::Timestamp;

/// How often wxgate cleared counters in a month.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Clears {
    /// `2026-11`, in Beijing.
    month: String,
    all: u32,
    single: u32,
}

impl Clears {
    /// All and single ones in the month of `now`.
    pub(super) fn spent(&self, now: Timestamp) -> (u32, u32) {
        if self.month == month(now) { (self.all, self.single) } else { (0, 0) }
    }

    /// One more.
    pub(super) fn count(&mut self, single: bool, now: Timestamp) {
        let (all, one) = self.spent(now);
        let (all, single) = if single { (all, one.saturating_add(1)) } else { (all.saturating_add(1), one) };
        *self = Self { month: month(now), all, single };
    }
}

fn month(now: Timestamp) -> String {
    let mut month = now.beijing_date();
    month.truncate("2026-11".len());
    month
}

#[cfg(test)]
mod tests {
    use super::Clears;
    use crate::observe::clock::Timestamp;

    #[test]
    fn a_month_s_clearings_end_with_the_month_in_beijing() {
        // 2024-02-29 in Beijing.
        let february = Timestamp(1_709_222_399_999);
        let march = Timestamp(1_709_222_400_000);
        let mut clears = Clears::default();
        clears.count(false, february);
        clears.count(true, february);
        clears.count(true, february);
        assert_eq!((clears.spent(february), clears.spent(march)), ((1, 2), (0, 0)));
        clears.count(false, march);
        assert_eq!(clears.spent(march), (1, 0));
    }
}
