//! A token.

use std::sync::Arc;

use crate::observe::clock::Timestamp;
use crate::secret::Secret;
use crate::store::Record;

/// An access token. Ordered by generation: a larger one is newer.
#[derive(Clone, Debug)]
pub struct Token {
    /// The text that goes into the query.
    pub value: Arc<Secret>,
    /// Grows by one with each new token of the app, over restarts and replicas; never 0.
    pub generation: u64,
    /// When WeChat handed it out.
    pub fetched_at: Timestamp,
    /// When it expires, by WeChat's `expires_in`.
    pub expires_at: Timestamp,
}

impl Token {
    pub(crate) fn has_expired(&self, now: Timestamp) -> bool {
        now.since(self.fetched_at) >= self.expires_at.since(self.fetched_at)
    }
}

impl From<Record> for Token {
    fn from(record: Record) -> Self {
        let Record { value, generation, fetched_at, expires_at } = record;
        Self { value, generation, fetched_at, expires_at }
    }
}

impl From<&Token> for Record {
    fn from(token: &Token) -> Self {
        let Token { value, generation, fetched_at, expires_at } = token.clone();
        Self { value, generation, fetched_at, expires_at }
    }
}
