//! The engine of one machine: a folder that several processes share, a file for each entry.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};

mod entry;
mod folder;

use self::folder::Folder;
use super::command::{Addition, Batch, Claim, Entry, Found, Reserved, Swap, Total, total_of};
use super::memory;
use crate::store::StoreError;
use crate::store::changes::{Announcer, Change};
use crate::store::times::{DAYS_LAST, STEP};

/// How often the folder is looked at for what other processes wrote.
const LOOK: Duration = Duration::from_millis(100);
/// How often what has ended is removed.
const SWEEP: Duration = Duration::from_secs(3600);
/// A folder's time moves in steps of a few milliseconds: one that is younger may hide a second
/// write.
const SETTLED: Duration = Duration::from_millis(50);
/// Entries that are read in one step.
const READ_AT_ONCE: usize = 500;

/// A folder of entries.
#[derive(Debug)]
pub(in crate::store) struct File {
    folder: Arc<Folder>,
    announcer: Announcer,
}

impl File {
    pub(in crate::store) async fn open(root: &Path, announcer: Announcer) -> Result<Self, StoreError> {
        let root = root.to_owned();
        let folder = blocking(move || Folder::open(&root)).await?;
        Ok(Self { folder: Arc::new(folder), announcer })
    }

    pub(super) async fn get(&self, keys: &[&str]) -> Result<Vec<Found>, StoreError> {
        let (folder, keys) = (Arc::clone(&self.folder), owned(keys));
        blocking(move || {
            let value = |key: &String| match folder.read(key) {
                Err(error) if error.means_down() => Err(error),
                read => Ok(read.map(|entry| Some(entry?.value))),
            };
            keys.iter().map(value).collect()
        })
        .await
    }

    pub(super) async fn swap(&self, swap: Swap<'_>) -> Result<bool, StoreError> {
        let (folder, key) = (Arc::clone(&self.folder), swap.key.to_owned());
        let (expected, value) = (swap.expected.map(<[u8]>::to_vec), swap.value.map(<[u8]>::to_vec));
        let lasts = swap.lasts;
        let swapped = blocking(move || {
            let locked = folder.lock(&key)?;
            if locked.read()?.map(|entry| entry.value) != expected {
                return Ok(false);
            }
            match value {
                Some(value) => locked.write(&value, lasts)?,
                None => locked.remove()?,
            }
            Ok(true)
        })
        .await?;
        if swapped && swap.announced {
            self.announcer.announce(Change::Key(swap.key.into()));
        }
        Ok(swapped)
    }

    pub(super) async fn add(
        &self,
        key: &str,
        counts: &[Addition<'_>],
        batch: Option<Batch<'_>>,
        lasts: Duration,
    ) -> Result<Vec<Total>, StoreError> {
        let counts: Vec<_> =
            counts.iter().map(|count| (count.name.to_owned(), count.by, count.known)).collect();
        let batch = batch.map(|batch| (batch.writer.to_owned(), batch.number));
        self.change(key, lasts, move |counters| {
            let counts: Vec<_> =
                counts.iter().map(|(name, by, known)| Addition { name, by: *by, known: *known }).collect();
            let batch = batch.as_ref().map(|(writer, number)| Batch { writer, number: *number });
            (memory::add(counters, &counts, batch), true)
        })
        .await
    }

    pub(super) async fn reserve(&self, key: &str, claim: Claim<'_>) -> Result<Reserved, StoreError> {
        let name = claim.name.to_owned();
        let Claim { want, limit, known, resets, lasts, .. } = claim;
        self.change(key, lasts, move |counters| {
            memory::reserve(counters, Claim { name: &name, want, limit, known, resets, lasts })
        })
        .await
    }

    pub(super) async fn give_back(&self, key: &str, name: &str, amount: u64) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.change(key, DAYS_LAST, move |counters| ((), memory::give_back(counters, &name, amount))).await
    }

    /// Changes the counters of `key` under its lock; writes them if `change` says that there is
    /// something to write.
    async fn change<T: Send + 'static>(
        &self,
        key: &str,
        lasts: Duration,
        change: impl FnOnce(&mut Counters) -> (T, bool) + Send + 'static,
    ) -> Result<T, StoreError> {
        let (folder, key) = (Arc::clone(&self.folder), key.to_owned());
        blocking(move || {
            let locked = folder.lock(&key)?;
            let mut counters = locked.read()?.map(|entry| counters(&entry.value)).unwrap_or_default();
            let (result, changed) = change(&mut counters);
            if changed {
                locked.write(&serde_json::to_vec(&counters).unwrap_or_default(), Some(lasts))?;
            }
            Ok(result)
        })
        .await
    }

    pub(super) async fn counts(&self, key: &str) -> Result<Vec<(String, Total)>, StoreError> {
        let (folder, key) = (Arc::clone(&self.folder), key.to_owned());
        let entry = step(move || folder.read(&key)).await?;
        let counters = entry.map(|entry| counters(&entry.value)).unwrap_or_default();
        let totals = counters.into_iter().map(|(name, count)| {
            let total = total_of(&name, count);
            (name, total)
        });
        Ok(totals.collect())
    }

    pub(super) async fn entries(&self, prefix: &str) -> Result<Vec<Entry>, StoreError> {
        let folder = Arc::clone(&self.folder);
        let mut keys = step(move || folder.entry_keys()).await?;
        keys.retain(|key| key.starts_with(prefix));
        let now = crate::observe::clock::Clock::default().now();
        let mut entries = Vec::with_capacity(keys.len());
        for keys in keys.chunks(READ_AT_ONCE) {
            let (folder, keys) = (Arc::clone(&self.folder), keys.to_vec());
            let found = step(move || folder.look(&keys)).await?;
            entries.extend(found.into_iter().map(|(key, read)| Entry {
                key,
                lasts: read.as_ref().ok().and_then(|entry| entry.left(now)),
                value: read.map(|entry| entry.value),
            }));
        }
        Ok(entries)
    }

    pub(super) async fn probe(&self) -> Result<(), StoreError> {
        let folder = Arc::clone(&self.folder);
        blocking(move || folder.probe()).await
    }

    /// Announces what others write, for as long as it is polled.
    pub(super) async fn watch(&self) {
        let (mut seen, mut settled) = (None, true);
        let mut swept = Instant::now();
        loop {
            if swept.elapsed() >= SWEEP {
                let folder = Arc::clone(&self.folder);
                // What couldn't be removed is found again.
                let _ = blocking(move || folder.sweep()).await;
                swept = Instant::now();
            }
            let folder = Arc::clone(&self.folder);
            let changed_at = spawn_blocking(move || folder.changed_at()).await.ok().flatten();
            if changed_at != seen || !settled {
                self.announcer.announce(Change::Any);
            }
            settled = changed_at.is_none_or(|at| age(at) > SETTLED);
            seen = changed_at;
            sleep(LOOK).await;
        }
    }
}

type Counters = std::collections::BTreeMap<String, u64>;

/// The checksum has vouched for the text.
fn counters(value: &[u8]) -> Counters {
    serde_json::from_slice(value).unwrap_or_default()
}

/// Either way: the clock may have been set back.
fn age(at: SystemTime) -> Duration {
    at.elapsed().unwrap_or_else(|error| error.duration())
}

fn owned(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

/// Disks block. A swap whose future was dropped meanwhile goes on to its end: to its caller it is
/// one whose response was lost, which a compare-and-swap makes harmless.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    spawn_blocking(work).await.unwrap_or(Err(StoreError::Down))
}

/// The same, in the time that one step of many has.
async fn step<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    timeout(STEP, blocking(work)).await.unwrap_or(Err(StoreError::Timeout(STEP)))
}
