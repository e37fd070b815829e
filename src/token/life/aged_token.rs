//! A token and how it ages.

use std::sync::Arc;
use std::time::Duration;

use super::moment::Moment;
use super::schedule::{again_age, ahead_age, last_minutes};
use super::token::Token;
use super::view::View;
use crate::wechat::Issuer;

/// A token and how it ages.
///
/// Its life is measured from when it came here by both clocks, so that a wall clock set back by
/// hours doesn't keep it for hours, and one of another replica that runs ahead doesn't make it
/// immortal.
#[derive(Clone, Debug)]
pub(super) struct AgedToken {
    pub token: Arc<Token>,
    adopted: Moment,
    /// The age at which it is refreshed ahead of time.
    ahead_at: Duration,
    /// The age before which WeChat won't hand out another one.
    again_at: Duration,
}

impl AgedToken {
    pub(super) fn new(token: Token, now: Moment, issuer: Issuer, chance: f64) -> Self {
        let mut held =
            Self { token: Arc::new(token), adopted: now, ahead_at: Duration::ZERO, again_at: Duration::ZERO };
        held.ahead_at = ahead_age(issuer, held.lifetime(), held.age(now), chance);
        held.again_at = again_age(held.age(now));
        held
    }

    pub(super) fn lifetime(&self) -> Duration {
        self.token.expires_at.since(self.token.fetched_at)
    }

    fn age(&self, now: Moment) -> Duration {
        let at_adoption = self.adopted.wall.since(self.token.fetched_at);
        let steady = at_adoption + now.steady.saturating_duration_since(self.adopted.steady);
        now.wall.since(self.token.fetched_at).max(steady)
    }

    /// Until it expires.
    pub(super) fn remaining(&self, now: Moment) -> Duration {
        self.lifetime().saturating_sub(self.age(now))
    }

    /// Until it is to be refreshed ahead of time.
    pub(super) fn until_ahead(&self, now: Moment) -> Duration {
        self.ahead_at.saturating_sub(self.age(now))
    }

    /// WeChat has not renewed it yet: ask again a little later.
    pub(super) fn not_yet(&mut self, now: Moment) {
        self.again_at = again_age(self.age(now));
        self.ahead_at = self.ahead_at.max(self.again_at);
    }

    /// Whether it is in its last minutes and WeChat was not asked for another one just now.
    pub(super) fn renewable(&self, now: Moment) -> bool {
        self.remaining(now) <= last_minutes(self.lifetime()) && self.age(now) >= self.again_at
    }

    /// Whether `lifetime` from `now` tells of another end than the one known: then a clock was
    /// moved.
    pub(super) fn contradicts(&self, lifetime: Duration, now: Moment) -> bool {
        self.remaining(now).abs_diff(lifetime) > Duration::from_secs(60)
    }

    pub(super) fn view(&self, now: Moment, dead: bool) -> View {
        let remaining = self.remaining(now);
        let until = |left: Duration| (!dead && !left.is_zero()).then(|| now.steady + left);
        View {
            token: Some(Arc::clone(&self.token)),
            usable_until: until(remaining),
            fresh_until: until(remaining.saturating_sub(last_minutes(self.lifetime()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::time::Instant;

    use super::super::moment::Moment;
    use super::super::token::Token;
    use super::AgedToken;
    use crate::observe::clock::Timestamp;
    use crate::secret::Secret;
    use crate::wechat::{Issuer, TokenMode};

    const FETCHED: i64 = 100_000_000;

    fn moment(start: Instant, steady: u64, wall: i64) -> Moment {
        Moment { wall: Timestamp(FETCHED + wall * 1000), steady: start + Duration::from_secs(steady) }
    }

    fn held(adopted: Moment) -> AgedToken {
        let token = Token {
            value: Arc::new(Secret::new("t")),
            generation: 1,
            fetched_at: Timestamp(FETCHED),
            expires_at: Timestamp(FETCHED + 7_200_000),
        };
        AgedToken::new(token, adopted, Issuer::App(TokenMode::Stable), 0.0)
    }

    #[test]
    fn a_clock_set_back_by_hours_does_not_keep_a_token_for_hours() {
        let start = Instant::now();
        let held = held(moment(start, 0, 0));
        assert_eq!(held.remaining(moment(start, 600, -7_200)), Duration::from_secs(6_600));
        assert_eq!(held.remaining(moment(start, 7_200, 0)), Duration::ZERO);
        assert_eq!(held.remaining(moment(start, 1, 7_200)), Duration::ZERO);
    }

    #[test]
    fn a_stored_token_from_a_clock_ahead_of_ours_lives_no_longer_than_its_lifetime() {
        let start = Instant::now();
        let held = held(moment(start, 0, -5_000));
        assert_eq!(held.remaining(moment(start, 0, -5_000)), Duration::from_secs(7_200));
        assert_eq!(held.remaining(moment(start, 7_200, 2_200)), Duration::ZERO);
    }

    #[test]
    fn a_token_that_wechat_did_not_renew_yet_is_asked_for_again_after_thirty_seconds() {
        let start = Instant::now();
        let mut held = held(moment(start, 0, 0));
        let due = moment(start, 6_900, 6_900);
        assert_eq!(held.until_ahead(due), Duration::ZERO);
        held.not_yet(due);
        assert_eq!(held.until_ahead(due), Duration::from_secs(30));
    }

    #[test]
    fn a_dead_token_is_shown_but_not_usable() {
        let now = moment(Instant::now(), 0, 0);
        let held = held(now);
        assert!(
            held.view(now, false).usable(now.steady).is_some()
                && held.view(now, false).fresh(now.steady).is_some()
        );
        assert!(held.view(now, true).usable(now.steady).is_none() && held.view(now, true).token.is_some());
    }
}
