//! The engine of one machine: a folder that several processes share.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::StoreError;
use super::changes::Announcer;
use super::engine::{Entry, Swap};

/// A folder of entries.
#[derive(Debug)]
pub(super) struct File {
    folder: PathBuf,
    announcer: Announcer,
}

impl File {
    pub(super) async fn open(folder: &Path, announcer: Announcer) -> Result<Self, StoreError> {
        let _ = announcer;
        let _ = folder;
        Err(StoreError::Down)
    }

    pub(super) async fn get(&self, _keys: &[&str]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let _ = (&self.folder, &self.announcer);
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
