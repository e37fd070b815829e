//! The view of the token held that requests read.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::token::Token;

/// What requests see: a load, and a comparison with the monotonic clock.
#[derive(Debug, Default)]
pub(crate) struct View {
    pub token: Option<Arc<Token>>,
    /// `None` if it is proven dead or has expired.
    pub(super) usable_until: Option<Instant>,
    /// From then on it is in its last minutes.
    pub(super) fresh_until: Option<Instant>,
}

impl View {
    /// Whether requests would see a difference; times that differ by less than a second are none.
    pub(crate) fn differs(&self, other: &Self) -> bool {
        let apart = |a: Option<Instant>, b: Option<Instant>| match (a, b) {
            (Some(a), Some(b)) => a.max(b) - a.min(b) > Duration::from_secs(1),
            (a, b) => a.is_some() != b.is_some(),
        };
        let same_token = match (&self.token, &other.token) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (a, b) => a.is_none() && b.is_none(),
        };
        !same_token
            || apart(self.usable_until, other.usable_until)
            || apart(self.fresh_until, other.fresh_until)
    }

    pub(crate) fn usable(&self, now: Instant) -> Option<&Arc<Token>> {
        self.token.as_ref().filter(|_| self.usable_until.is_some_and(|until| now < until))
    }

    pub(crate) fn fresh(&self, now: Instant) -> Option<&Arc<Token>> {
        self.token.as_ref().filter(|_| self.fresh_until.is_some_and(|until| now < until))
    }
}
