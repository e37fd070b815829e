//! The budget of forced refreshes: WeChat takes 20 a day of an account, at least 30 s apart.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::observe::clock::Timestamp;

/// Forced refreshes that WeChat grants an account in a day.
pub const FORCES_A_DAY: u32 = 20;
/// A force sooner after another one returns the same token, and is spent all the same.
pub const FORCE_SPACING: Duration = Duration::from_secs(30);

/// What has been spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForceBudget {
    /// The day that `used` counts, see [`Timestamp::beijing_day`].
    pub day: i64,
    /// Forces of that day.
    pub used: u32,
    /// The last one.
    pub last_at: Option<Timestamp>,
}

/// No force now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForceRefused {
    /// What is left of the day.
    pub left: u32,
    /// When to ask again.
    pub next_at: Timestamp,
}

impl ForceBudget {
    /// What is left at `now`.
    pub fn left(&self, now: Timestamp) -> u32 {
        if self.day == now.beijing_day() { FORCES_A_DAY.saturating_sub(self.used) } else { FORCES_A_DAY }
    }

    /// The one of the two that leaves less: what one holder knows of, another may not.
    #[must_use]
    pub fn or_more(self, other: Self) -> Self {
        let (newer, older) = if self.day >= other.day { (self, other) } else { (other, self) };
        let used = if newer.day == older.day { newer.used.max(older.used) } else { newer.used };
        Self { day: newer.day, used, last_at: newer.last_at.max(older.last_at) }
    }

    /// Takes one force, and says how many are left.
    pub fn spend(&mut self, now: Timestamp) -> Result<u32, ForceRefused> {
        let left = self.left(now);
        if left == 0 {
            let midnight = Timestamp((now.beijing_day() + 1) * 86_400_000 - 8 * 3_600_000);
            return Err(ForceRefused { left, next_at: midnight });
        }
        if let Some(last) = self.last_at {
            // A last force in the future tells of a clock that was set back, not of a force.
            if last <= now && now.since(last) < FORCE_SPACING {
                return Err(ForceRefused { left, next_at: last.plus(FORCE_SPACING) });
            }
        }
        *self = Self { day: now.beijing_day(), used: FORCES_A_DAY - left + 1, last_at: Some(now) };
        Ok(left - 1)
    }
}

/// Reads the text form; none if it can't be one.
pub(super) fn parse(text: Option<&[u8]>) -> Option<ForceBudget> {
    let Some(text) = text else { return Some(ForceBudget::default()) };
    serde_json::from_slice(text).ok().filter(|budget: &ForceBudget| budget.used <= FORCES_A_DAY)
}

pub(super) fn encode(budget: &ForceBudget) -> Vec<u8> {
    serde_json::to_vec(budget).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{FORCES_A_DAY, ForceBudget, ForceRefused, parse};
    use crate::observe::clock::Timestamp;

    const NOON: i64 = 4 * 3_600_000;

    #[test]
    fn forces_are_thirty_seconds_apart() {
        let mut budget = ForceBudget::default();
        assert_eq!(budget.spend(Timestamp(NOON)), Ok(19));
        let next_at = Timestamp(NOON + 30_000);
        assert_eq!(budget.spend(Timestamp(NOON + 29_999)), Err(ForceRefused { left: 19, next_at }));
        assert_eq!(budget.spend(next_at), Ok(18));
    }

    #[test]
    fn the_twenty_first_force_waits_for_midnight_in_beijing() {
        let mut budget = ForceBudget::default();
        for n in 0..20 {
            assert_eq!(budget.spend(Timestamp(NOON + n * 30_000)), Ok(19 - n as u32));
        }
        let midnight = Timestamp(16 * 3_600_000);
        let late = Timestamp(NOON + 3_600_000);
        assert_eq!(budget.spend(late), Err(ForceRefused { left: 0, next_at: midnight }));
        assert_eq!(budget.left(midnight), FORCES_A_DAY);
        assert_eq!(budget.spend(midnight), Ok(19));
    }

    #[test]
    fn what_no_budget_can_say_is_not_believed() {
        let read = |text: &str| parse(Some(text.as_bytes())).map(|budget| budget.used);
        assert_eq!(read(r#"{"day":1,"used":20,"last_at":null}"#), Some(20));
        for used in ["21", "4294967295", "4294967296", "-1", "\"x\""] {
            assert_eq!(read(&format!(r#"{{"day":1,"used":{used},"last_at":null}}"#)), None, "{used}");
        }
        assert_eq!((parse(None), read("[")), (Some(ForceBudget::default()), None));
    }

    #[test]
    fn a_clock_set_back_does_not_lock_the_budget() {
        let mut budget = ForceBudget::default();
        assert_eq!(budget.spend(Timestamp(NOON)), Ok(19));
        assert_eq!(budget.spend(Timestamp(NOON - 7_200_000)), Ok(18));
    }
}
