//! The store of a single process that keeps nothing over a restart.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::{ForceBudget, ForceRefused, Lease, Record, Saved};
use crate::observe::clock::Timestamp;

/// Maps behind a lock that is held for a look-up at a time, never over an await.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    held: Arc<Mutex<Held>>,
}

#[derive(Debug, Default)]
struct Held {
    records: HashMap<String, Record>,
    leases: HashMap<String, (String, Instant)>,
    forces: HashMap<String, ForceBudget>,
}

impl Memory {
    fn held(&self) -> MutexGuard<'_, Held> {
        // No operation leaves the maps half-changed, so a panic elsewhere takes nothing from them.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn load(&self, key: &str) -> Option<Record> {
        self.held().records.get(key).cloned()
    }

    pub(super) fn save(&self, key: &str, record: &Record) -> Saved {
        let mut held = self.held();
        match held.records.get(key) {
            Some(present) if present.supersedes(record) => Saved::Superseded(present.clone()),
            _ => {
                held.records.insert(key.to_owned(), record.clone());
                Saved::Saved
            }
        }
    }

    pub(super) fn lease(&self, key: &str, owner: &str, lasts: Duration, now: Instant) -> Option<Lease> {
        let mut held = self.held();
        match held.leases.get(key) {
            Some((holder, until)) if holder != owner && *until > now => None,
            _ => {
                held.leases.insert(key.to_owned(), (owner.to_owned(), now + lasts));
                Some(Lease { key: key.to_owned(), owner: owner.to_owned() })
            }
        }
    }

    pub(super) fn release(&self, lease: &Lease) {
        let mut held = self.held();
        if held.leases.get(&lease.key).is_some_and(|(holder, _)| *holder == lease.owner) {
            held.leases.remove(&lease.key);
        }
    }

    pub(super) fn forces(&self, key: &str) -> ForceBudget {
        self.held().forces.get(key).copied().unwrap_or_default()
    }

    pub(super) fn spend_force(&self, key: &str, now: Timestamp) -> Result<u32, ForceRefused> {
        self.held().forces.entry(key.to_owned()).or_default().spend(now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::Memory;
    use crate::store::record::record;
    use crate::store::{Saved, Store};

    #[tokio::test]
    async fn an_older_token_never_replaces_a_newer_one() {
        let store = Store::memory();
        assert!(matches!(store.save("k", &record("new", 2, 0)).await, Ok(Saved::Saved)));
        let older = store.save("k", &record("old", 1, 9)).await;
        assert!(matches!(older, Ok(Saved::Superseded(present)) if present.generation == 2));
        assert_eq!(store.load("k").await.expect("memory never fails").expect("kept").generation, 2);
    }

    #[test]
    fn a_lease_has_one_owner_until_it_ends() {
        let memory = Memory::default();
        let lasts = Duration::from_secs(4);
        let start = Instant::now();
        let later = |seconds| start + Duration::from_secs(seconds);
        let lease = memory.lease("k", "a", lasts, start).expect("free");
        assert!(memory.lease("k", "b", lasts, start).is_none());
        assert!(memory.lease("k", "a", lasts, later(3)).is_some(), "its owner renews it");
        assert!(memory.lease("k", "b", lasts, later(6)).is_none());
        assert!(memory.lease("k", "b", lasts, later(7)).is_some(), "it has ended");
        memory.release(&lease);
        assert!(memory.lease("k", "c", lasts, later(8)).is_none(), "a lost lease can't be released");
    }
}
