//! A store server for simulations of the refresh protocol: seeded delays before and after each
//! operation, responses that are lost although the operation was done, and outages for some or all
//! of its clients.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, interval, sleep};

use super::command::{Addition, Batch, Claim, Entry, Reserved, Swap, Total};
use super::memory::Memory;
use crate::store::changes::{Announcer, Change};
use crate::store::{PATIENCE, StoreError};

/// As the Redis engine's.
const POLL: Duration = Duration::from_secs(1);

/// What all replicas of a simulated cluster share.
pub(crate) struct Server {
    memory: Mutex<Arc<Memory>>,
    announcer: Announcer,
    faults: Mutex<Faults>,
}

#[derive(Default)]
struct Faults {
    /// Until when a client reaches nothing.
    cut_off: HashMap<usize, Instant>,
    /// Chance that an operation's response is lost.
    lossy: f64,
    /// Until when no operation is done.
    paused: Option<Instant>,
    /// What each operation takes besides.
    slow: Duration,
    /// Records that went over higher ones.
    overwrites: Vec<String>,
}

/// A replica's way to the server.
pub(in crate::store) struct Client {
    pub(in crate::store) server: Arc<Server>,
    pub(in crate::store) id: usize,
    pub(in crate::store) announcer: Announcer,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Server {
    pub(crate) fn new() -> Arc<Self> {
        let announcer = Announcer::default();
        let memory = Mutex::new(Arc::new(Memory::new(announcer.clone())));
        Arc::new(Self { memory, announcer, faults: Mutex::default() })
    }

    pub(crate) fn cut_off(&self, client: usize, lasts: Duration) {
        self.faults.lock().cut_off.insert(client, Instant::now() + lasts);
    }

    pub(crate) fn lossy(&self, chance: f64) {
        self.faults.lock().lossy = chance;
    }

    /// What is asked until then is done afterwards.
    pub(crate) fn pause(&self, lasts: Duration) {
        self.faults.lock().paused = Some(Instant::now() + lasts);
    }

    pub(crate) fn slow(&self, each: Duration) {
        self.faults.lock().slow = each;
    }

    fn slowness(&self) -> Duration {
        let faults = self.faults.lock();
        let paused = faults.paused.map(|until| until.saturating_duration_since(Instant::now()));
        faults.slow + paused.unwrap_or_default()
    }

    pub(crate) fn flush(&self) {
        let empty = Arc::new(Memory::new(self.announcer.clone()));
        *self.memory.lock() = empty;
    }

    /// Tokens that were written over newer ones.
    pub(crate) fn overwrites(&self) -> Vec<String> {
        self.faults.lock().overwrites.clone()
    }

    fn memory(&self) -> Arc<Memory> {
        Arc::clone(&self.memory.lock())
    }

    fn swap(&self, swap: Swap<'_>) -> bool {
        let memory = self.memory();
        let done = memory.swap(swap);
        if let (true, Some(before), Some(after)) = (done, swap.expected, swap.value)
            && let (Some(before), Some(after)) = (rank(before), rank(after))
            && before > after
        {
            self.faults.lock().overwrites.push(format!("{}: {before:?} by {after:?}", swap.key));
        }
        done
    }
}

/// Generation and time of a record; `None` for other entries.
fn rank(entry: &[u8]) -> Option<(u64, i64)> {
    let record: serde_json::Value = serde_json::from_slice(entry).ok()?;
    Some((record["generation"].as_u64()?, record["fetched_at"].as_i64()?))
}

/// Mostly short; now and then longer than most other things take.
fn delay() -> Duration {
    let most = if fastrand::u8(..10) == 0 { 60_000 } else { 5_000 };
    Duration::from_micros(fastrand::u64(100..most))
}

impl Client {
    /// There and back; what was done stays done if the response is lost or no longer awaited.
    async fn exchange<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&Server) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        self.reach().await?;
        let server = Arc::clone(&self.server);
        let lost = fastrand::f64() < server.faults.lock().lossy;
        let late = if lost && fastrand::bool() { PATIENCE * 2 } else { Duration::ZERO };
        let there = delay() + late;
        let done = tokio::runtime::Handle::current().spawn(async move {
            sleep(there).await;
            sleep(server.slowness()).await;
            operation(&server)
        });
        let Ok(result) = done.await else { return Err(StoreError::Down) };
        if lost {
            sleep(PATIENCE * 2).await;
        }
        sleep(delay()).await;
        self.reach().await?;
        Ok(result)
    }

    /// Not at all where the server is quick, so that simulations run as they always did.
    async fn wait_for_slow(&self) {
        let slowness = self.server.slowness();
        if !slowness.is_zero() {
            sleep(slowness).await;
        }
    }

    async fn reach(&self) -> Result<(), StoreError> {
        let until = self.server.faults.lock().cut_off.get(&self.id).copied();
        match until {
            // Refused at once, or silent.
            Some(until) if Instant::now() < until => {
                if fastrand::bool() {
                    sleep(PATIENCE * 2).await;
                }
                Err(StoreError::Timeout(PATIENCE))
            }
            _ => Ok(()),
        }
    }

    pub(super) async fn get(&self, keys: &[&str]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        self.exchange(move |server| {
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            server.memory().get(&keys)
        })
        .await
    }

    pub(super) async fn swap(&self, swap: Swap<'_>) -> Result<bool, StoreError> {
        let key = swap.key.to_owned();
        let (expected, value) = (swap.expected.map(<[u8]>::to_vec), swap.value.map(<[u8]>::to_vec));
        let (lasts, announced) = (swap.lasts, swap.announced);
        self.exchange(move |server| {
            server.swap(Swap {
                key: &key,
                expected: expected.as_deref(),
                value: value.as_deref(),
                lasts,
                announced,
            })
        })
        .await
    }

    pub(super) async fn add(
        &self,
        key: &str,
        counts: &[Addition<'_>],
        batch: Option<Batch<'_>>,
        lasts: Duration,
    ) -> Result<Vec<Total>, StoreError> {
        self.reach().await?;
        sleep(self.server.slowness()).await;
        Ok(self.server.memory().add(key, counts, batch, lasts))
    }

    pub(super) async fn reserve(&self, key: &str, claim: Claim<'_>) -> Result<Reserved, StoreError> {
        let (key, name) = (key.to_owned(), claim.name.to_owned());
        let Claim { want, limit, known, resets, lasts, .. } = claim;
        self.exchange(move |server| {
            server.memory().reserve(&key, Claim { name: &name, want, limit, known, resets, lasts })
        })
        .await
    }

    pub(super) async fn give_back(&self, key: &str, name: &str, amount: u64) -> Result<(), StoreError> {
        let (key, name) = (key.to_owned(), name.to_owned());
        self.exchange(move |server| server.memory().give_back(&key, &name, amount)).await
    }

    pub(super) async fn counts(&self, key: &str) -> Result<Vec<(String, Total)>, StoreError> {
        self.reach().await?;
        self.wait_for_slow().await;
        Ok(self.server.memory().counts(key))
    }

    pub(super) async fn entries(&self, prefix: &str) -> Result<Vec<Entry>, StoreError> {
        self.reach().await?;
        self.wait_for_slow().await;
        Ok(self.server.memory().entries(prefix))
    }

    pub(super) async fn probe(&self) -> Result<(), StoreError> {
        self.exchange(|_| ()).await
    }

    pub(super) async fn watch(&self) {
        tokio::join!(self.poll(), self.listen());
    }

    async fn poll(&self) {
        let mut ticks = interval(POLL);
        loop {
            ticks.tick().await;
            self.announcer.announce(Change::Any);
        }
    }

    async fn listen(&self) {
        let mut changes = self.server.announcer.changes();
        while let Some(change) = changes.next().await {
            sleep(delay()).await;
            // An announcement is heard at most once, and not by who is cut off.
            if self.reach().await.is_ok() {
                self.announcer.announce(change);
            }
        }
    }
}
