//! At which age a token is fetched again.

use std::time::Duration;

use crate::wechat::Issuer;

/// WeChat itself renews a stable token only in its last five minutes; a classic one outlives its
/// successor by as long.
const LAST_MINUTES: Duration = Duration::from_secs(300);
/// Between two refreshes ahead of time, however short a token's life.
const AHEAD_SPACING: Duration = Duration::from_secs(30);

/// How long before its end a token counts as being in its last minutes.
pub(super) fn last_minutes(lifetime: Duration) -> Duration {
    LAST_MINUTES.min(lifetime / 5)
}

/// The age at which a token is refreshed ahead of time; `age` is its present one, `chance` is in
/// 0..1.
///
/// The jitter is added where an earlier fetch returns the same token; where a fetch always brings a
/// new one, it is taken off.
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::ahead_age;
    use crate::wechat::{Issuer, TokenMode};

    const STABLE: Issuer = Issuer::App(TokenMode::Stable);
    const CLASSIC: Issuer = Issuer::App(TokenMode::Classic);

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
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
}
