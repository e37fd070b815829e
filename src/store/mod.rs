//! What outlives a process or is shared by replicas: token records with compare-and-set, leases, force budgets.
//!
//! No operation takes longer than [`PATIENCE`]; a store that fails costs nothing but sharing, so its users
//! treat [`StoreError`] as "the store holds nothing" and serve from memory.

use std::time::Duration;

use crate::observe::clock::Timestamp;

pub mod force;
pub mod memory;
pub mod record;

pub use force::{ForceBudget, ForceRefused};
pub use record::Record;

/// The longest that anybody waits for an operation; a slower one counts as failed.
pub const PATIENCE: Duration = Duration::from_millis(300);

/// An engine. Clones share what it holds.
#[derive(Clone, Debug)]
pub enum Store {
    /// Nothing outlives the process, nothing is shared.
    Memory(memory::Memory),
}

/// What became of a compare-and-set.
#[derive(Clone, Debug)]
pub enum Saved {
    /// The record is the store's now.
    Saved,
    /// The store holds this one, which supersedes the one offered; nothing was written.
    Superseded(Record),
}

/// The right to be the only one that fetches, until it ends or is released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What it is for.
    pub key: String,
    /// Who holds it.
    pub owner: String,
}

/// A store's operation failed; the work goes on without it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing came back in time.
    #[error("no answer from the store within {0:?}")]
    Timeout(Duration),
}

impl Store {
    /// An empty store in memory.
    pub fn memory() -> Self {
        Self::Memory(memory::Memory::default())
    }

    /// The newest record under `key`.
    pub async fn load(&self, key: &str) -> Result<Option<Record>, StoreError> {
        bounded(async {
            match self {
                Self::Memory(memory) => Ok(memory.load(key)),
            }
        })
        .await
    }

    /// Writes `record` if it supersedes what is there ([`Record::supersedes`]) or is the same.
    pub async fn save(&self, key: &str, record: &Record) -> Result<Saved, StoreError> {
        bounded(async {
            match self {
                Self::Memory(memory) => Ok(memory.save(key, record)),
            }
        })
        .await
    }

    /// Takes the lease of `key` for `lasts`; `None` while another owner holds it. Its owner may take it again.
    pub async fn lease(&self, key: &str, owner: &str, lasts: Duration) -> Result<Option<Lease>, StoreError> {
        bounded(async {
            match self {
                Self::Memory(memory) => Ok(memory.lease(key, owner, lasts, tokio::time::Instant::now())),
            }
        })
        .await
    }

    /// Makes the lease last for `lasts` from now; `false` if it was lost meanwhile.
    pub async fn renew(&self, lease: &Lease, lasts: Duration) -> Result<bool, StoreError> {
        Ok(self.lease(&lease.key, &lease.owner, lasts).await?.is_some())
    }

    /// Gives the lease back, if it is still held.
    pub async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        bounded(async {
            match self {
                Self::Memory(memory) => {
                    memory.release(lease);
                    Ok(())
                }
            }
        })
        .await
    }

    /// How much of `key`'s budget of forced refreshes has been spent.
    pub async fn forces(&self, key: &str) -> Result<ForceBudget, StoreError> {
        bounded(async {
            match self {
                Self::Memory(memory) => Ok(memory.forces(key)),
            }
        })
        .await
    }

    /// Spends one forced refresh of `key`, and says how many are left today. To be called before the refresh:
    /// one whose answer is lost counts at WeChat all the same.
    pub async fn spend_force(
        &self,
        key: &str,
        now: Timestamp,
    ) -> Result<Result<u32, ForceRefused>, StoreError> {
        bounded(async {
            match self {
                Self::Memory(memory) => Ok(memory.spend_force(key, now)),
            }
        })
        .await
    }
}

async fn bounded<T>(operation: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    tokio::time::timeout(PATIENCE, operation).await.unwrap_or(Err(StoreError::Timeout(PATIENCE)))
}
