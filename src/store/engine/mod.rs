//! What an engine can do: hold entries of bytes under keys, and swap one for another if nobody else
//! was faster.
//!
//! Records, leases and budgets are made of these few operations in one place, so that they mean the
//! same on every engine.

use std::time::Duration;

mod command;
mod file;
mod memory;
pub mod redis;
#[cfg(test)]
pub(crate) mod simulated;

pub use self::command::{Addition, Batch, Reserved, Total, name_since, without_resets};
pub(super) use self::command::{Claim, Entry, Swap, reset_of, resets_of};
pub(super) use self::file::File;
pub(super) use self::memory::Memory;
pub(super) use self::redis::Redis;

use self::command::{Found, MARK};
use super::StoreError;

/// Where entries are kept.
#[derive(Debug)]
pub(super) enum Engine {
    Memory(Memory),
    File(File),
    Redis(Redis),
    #[cfg(test)]
    Simulated(simulated::Client),
}

impl Engine {
    /// Each as `Some` if it is there and was not damaged, or why that one can't be read.
    pub(super) async fn get(&self, keys: &[&str]) -> Result<Vec<Found>, StoreError> {
        let found = match self {
            Self::Memory(memory) => memory.get(keys),
            Self::File(file) => return file.get(keys).await,
            Self::Redis(redis) => redis.get(keys).await?,
            #[cfg(test)]
            Self::Simulated(client) => client.get(keys).await?,
        };
        Ok(found.into_iter().map(Ok).collect())
    }

    /// Whether it was done: not if something else than expected is there.
    pub(super) async fn swap(&self, swap: Swap<'_>) -> Result<bool, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.swap(swap)),
            Self::File(file) => file.swap(swap).await,
            Self::Redis(redis) => redis.swap(swap).await,
            #[cfg(test)]
            Self::Simulated(client) => client.swap(swap).await,
        }
    }

    /// Adds to counters stored together under `key`, and tells their new values; a batch that
    /// was added before adds nothing, and a counter that is lower than what is known goes on from
    /// there. They are forgotten together, `lasts` after the last addition.
    pub(super) async fn add(
        &self,
        key: &str,
        counts: &[Addition<'_>],
        batch: Option<Batch<'_>>,
        lasts: Duration,
    ) -> Result<Vec<Total>, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.add(key, counts, batch, lasts)),
            Self::File(file) => file.add(key, counts, batch, lasts).await,
            Self::Redis(redis) => redis.add(key, counts, batch, lasts).await,
            #[cfg(test)]
            Self::Simulated(client) => client.add(key, counts, batch, lasts).await,
        }
    }

    /// The counters under `key`, and how often each was reset. Many are read in
    /// steps, none of which takes longer than [`STEP`](super::times::STEP).
    pub(super) async fn counts(&self, key: &str) -> Result<Vec<(String, Total)>, StoreError> {
        let mut counts = match self {
            Self::Memory(memory) => memory.counts(key),
            Self::File(file) => file.counts(key).await?,
            Self::Redis(redis) => redis.counts(key).await?,
            #[cfg(test)]
            Self::Simulated(client) => client.counts(key).await?,
        };
        counts.retain(|(name, _)| !name.starts_with(MARK) || reset_of(name).is_some());
        Ok(counts)
    }

    /// Adds to the counter `name` under `key` as much of `want` as keeps it within `limit`, in one
    /// step.
    pub(super) async fn reserve(&self, key: &str, claim: Claim<'_>) -> Result<Reserved, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.reserve(key, claim)),
            Self::File(file) => file.reserve(key, claim).await,
            Self::Redis(redis) => redis.reserve(key, claim).await,
            #[cfg(test)]
            Self::Simulated(client) => client.reserve(key, claim).await,
        }
    }

    /// Takes `amount` off the counter `name` under `key`, down to zero at most.
    pub(super) async fn give_back(&self, key: &str, name: &str, amount: u64) -> Result<(), StoreError> {
        match self {
            Self::Memory(memory) => {
                memory.give_back(key, name, amount);
                Ok(())
            }
            Self::File(file) => file.give_back(key, name, amount).await,
            Self::Redis(redis) => redis.give_back(key, name, amount).await,
            #[cfg(test)]
            Self::Simulated(client) => client.give_back(key, name, amount).await,
        }
    }

    /// All entries but the counters whose keys begin with `prefix`, in their order; read in steps
    /// as well.
    pub(super) async fn entries(&self, prefix: &str) -> Result<Vec<Entry>, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.entries(prefix)),
            Self::File(file) => file.entries(prefix).await,
            Self::Redis(redis) => redis.entries(prefix).await,
            #[cfg(test)]
            Self::Simulated(client) => client.entries(prefix).await,
        }
    }

    /// Whether it takes writes, for a store that was down. Reconnects if needed.
    pub(super) async fn probe(&self) -> Result<(), StoreError> {
        match self {
            Self::Memory(_) => Ok(()),
            Self::File(file) => file.probe().await,
            Self::Redis(redis) => redis.probe().await,
            #[cfg(test)]
            Self::Simulated(client) => client.probe().await,
        }
    }

    /// Announces what others write, for as long as it is polled.
    pub(super) async fn watch(&self) {
        match self {
            Self::Memory(_) => std::future::pending().await,
            Self::File(file) => file.watch().await,
            Self::Redis(redis) => redis.watch().await,
            #[cfg(test)]
            Self::Simulated(client) => client.watch().await,
        }
    }
}
