//! Which values a record can have. Whoever can write to the store, or a fault, may have put
//! anything there: what wxgate would not have written counts as damaged.

use std::time::Duration;

use super::keys::{SUITE_AUTH_CODE, is_irreplaceable};
use crate::observe::clock::{Clock, Timestamp};

/// Exact in JSON and in metrics as well, and out of reach for whoever counts by one.
const LAST_GENERATION: u64 = 1 << 53;
/// How far another machine's clock may be ahead: a wrong time zone is less.
const SKEW: Duration = Duration::from_secs(86_400);
/// WeChat documents 7200 s, and a response with more than a day is not accepted.
const LONGEST_LIFE: Duration = Duration::from_secs(86_400);
/// WeChat asks for room for 512 characters.
const LONGEST_TOKEN: usize = 2048;
/// What WeChat told with an authorisation.
const LONGEST_TEXT: usize = 64 * 1024;

/// The number of what comes after `generation`.
pub fn next_generation(generation: u64) -> u64 {
    generation.saturating_add(1).min(LAST_GENERATION)
}

/// Whether it may be in a query as it is; a token with anything else would change the request
/// around it.
pub fn is_token(value: &str) -> bool {
    (1..=LONGEST_TOKEN).contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~!*:=@/,".contains(&byte))
}

/// Whether it may be a ticket or refresh token, which are sent in JSON.
pub fn is_text(value: &str) -> bool {
    (1..=LONGEST_TOKEN).contains(&value.len()) && !value.chars().any(|c| c.is_control() || c.is_whitespace())
}

/// Whether a token or ticket may be `value`, of these times.
pub(super) fn is_plausible(
    key: &str,
    value: &str,
    generation: u64,
    fetched_at: Timestamp,
    expires_at: Timestamp,
) -> bool {
    let latest = Clock::default().now().plus(SKEW);
    let short = expires_at.since(fetched_at) <= LONGEST_LIFE;
    let counts = generation <= LAST_GENERATION;
    // Numbered by the second at most.
    let dated = i64::try_from(generation).is_ok_and(|generation| generation <= latest.0 / 1000);
    let ticket = ["component_verify_ticket:", "suite_ticket:"].iter().any(|kind| key.starts_with(kind));
    let fits = if key.starts_with(SUITE_AUTH_CODE) {
        dated && value.len() <= LONGEST_TEXT
    } else if is_irreplaceable(key) {
        // An empty one is an authorisation that was taken back.
        dated && (value.is_empty() || is_text(value))
    } else if ticket {
        dated && is_text(value)
    } else if key.starts_with("authorization_code:") {
        counts && short && value.len() <= LONGEST_TEXT
    } else {
        counts && short && is_token(value)
    };
    fits && (Timestamp(0)..=latest).contains(&fetched_at)
}

#[cfg(test)]
mod tests {
    use super::{is_plausible, next_generation};
    use crate::observe::clock::{Clock, Timestamp};

    const TOKEN: &str = "access_token:stable:wx1";
    const GRANT: &str = "refresh_token:wxc:wx1";
    const HOURS: i64 = 3_600_000;

    #[test]
    fn what_no_wxgate_would_have_written_is_damage() {
        let now = Clock::default().now().0;
        let never = i64::MAX;
        for (good, key, value, generation, fetched_at, expires_at) in [
            (true, TOKEN, "t-1", 1 << 53, now, now + 2 * HOURS),
            (false, TOKEN, "t-1", (1 << 53) + 1, now, now + 2 * HOURS),
            (false, TOKEN, "t-1", u64::MAX, now, now + 2 * HOURS),
            // A wrong time zone does not make a token unusable.
            (true, TOKEN, "t-1", 1, now + 14 * HOURS, now + 16 * HOURS),
            (false, TOKEN, "t-1", 1, now + 48 * HOURS, now + 50 * HOURS),
            (false, TOKEN, "t-1", 1, -1, 2 * HOURS),
            (false, TOKEN, "t-1", 1, now, now + 25 * HOURS),
            (false, TOKEN, "t-1", 1, now, never),
            (false, TOKEN, "t-1", 1, i64::MIN, never),
            (false, TOKEN, "", 1, now, now + 2 * HOURS),
            (false, TOKEN, &"t".repeat(2049), 1, now, now + 2 * HOURS),
            (false, TOKEN, "t&access_token=u", 1, now, now + 2 * HOURS),
            (false, TOKEN, "t\r\nX: y", 1, now, now + 2 * HOURS),
            (false, TOKEN, "t 1", 1, now, now + 2 * HOURS),
            (false, TOKEN, "t#", 1, now, now + 2 * HOURS),
            (false, TOKEN, "t%26", 1, now, now + 2 * HOURS),
            (true, GRANT, "refreshtoken@@@x", 3, now, never),
            (true, GRANT, "", 3, now, never),
            (false, GRANT, "refresh token", 3, now, never),
            (false, GRANT, "t", 1 << 40, now, never),
            (true, "suite_ticket:s", "ticket@@@", now as u64 / 1000, now, now + 12 * HOURS),
            (false, "suite_ticket:s", "ticket@@@", now as u64, now, now + 12 * HOURS),
            (true, "authorization_code:wxc:1", "[\"wx1\", {}]", 1, now, now + HOURS),
            (true, "suite_auth_code:ww1:1", "{\"code\": \"c\"}", 2, now, never),
            (false, "suite_auth_code:ww1:1", "{}", 1 << 40, now, never),
        ] {
            let times = (Timestamp(fetched_at), Timestamp(expires_at));
            let plausible = is_plausible(key, value, generation, times.0, times.1);
            assert_eq!(plausible, good, "{key} {value} {generation} {times:?}");
        }
    }

    #[test]
    fn the_count_of_generations_ends_where_it_would_not_be_believed() {
        assert_eq!(next_generation(1), 2);
        assert_eq!(next_generation(1 << 53), 1 << 53);
        assert_eq!(next_generation(u64::MAX), 1 << 53);
    }
}
