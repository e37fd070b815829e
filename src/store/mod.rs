//! What outlives a process or is shared by replicas: token records with compare-and-set, leases,
//! force budgets, day counters and day budgets.
//!
//! No operation takes longer than [`PATIENCE`]: a store that takes longer, or fails, is down. Its
//! operations then fail at once, and a background task retries it every second. Only sharing is
//! lost: callers treat [`StoreError`] as "the store holds nothing" and serve from memory. A store
//! that takes longer than [`LATE`] is late: requests go on without it ([`Store::promptly`]),
//! background tasks keep waiting.
//!
//! | file | holds |
//! | --- | --- |
//! | `engine/` | the few operations that each of the engines memory, file and Redis offers |
//! | `record`, `seal` | a token's text form, and how its value is sealed |
//! | `counters`, `damages` | the day counters and day budgets, and logging of impossible values |
//! | `plausible` | which values a record can have |
//! | `refusal`, `refusals` | why a record isn't accepted; those that there are |
//! | `records`, `look` | loading and saving records; looking through all of them |
//! | `leases` | who may fetch |
//! | `keys` | the prefixes of keys |
//! | `force` | the budget of forced refreshes |
//! | `changes` | notice of what others wrote |
//! | `health`, `operations` | whether the store is up, and what is counted |
//! | `inspect` | what a store holds, and moving to another |
//! | `location` | where a store is, as its URL says |
//! | `error`, `times` | why an operation failed; how long is waited, and how long things last |

use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use crate::observe::clock::Timestamp;
use crate::observe::exposition::Exposition;
use crate::texts::{Words, text};

mod changes;
mod counters;
mod damages;
mod engine;
mod error;
pub mod force;
mod health;
mod inspect;
mod keys;
mod leases;
mod location;
mod look;
mod operations;
mod plausible;
mod record;
mod records;
mod refusal;
mod refusals;
mod seal;
mod times;

pub use changes::{Change, Changes};
pub use counters::DayCounts;
pub use engine::redis;
#[cfg(test)]
pub(crate) use engine::simulated;
pub use engine::{Addition, Batch, Reserved, Total, name_since, without_resets};
pub use error::StoreError;
pub use force::{ForceBudget, ForceRefused};
pub use inspect::{Content, Copied, CopyError, Listed};
pub use keys::{PERMANENT_CODE, REFRESH_TOKEN, SUITE_AUTH_CODE, is_irreplaceable};
pub use leases::{Holder, Lease};
pub use location::Location;
pub use look::{LookedThrough, Unsealed};
pub use plausible::{is_text, is_token, next_generation};
pub use record::{Protection, Record};
pub use records::Saved;
pub use refusal::Refusal;
pub use refusals::Refused;
pub use seal::{Seal, SealError};
pub use times::{LATE, PATIENCE};

use changes::Announcer;
use damages::Damages;
use engine::{Engine, File, Memory, Redis, Swap};
use health::Health;
use keys::{NOTE, is_record};
use look::Look;
use operations::{Operation, Operations};
use refusals::Refusals;
use times::{DAYS_LAST, within};

/// How often a store that is down is tried.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// A key without an entry.
const NOTHING: &str = "probe";
/// Where a store is and how its values are sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The engine.
    pub location: Location,
    /// `None`: values are written in clear.
    pub seal: Option<Arc<Seal>>,
}

impl Options {
    /// The keys of `[store]` that have other values in `other`.
    pub fn changed(&self, other: &Self) -> Vec<&'static str> {
        let keys = |options: &Self| match &options.seal {
            Some(seal) => {
                let owned = |id: Option<&str>| id.map(str::to_owned);
                (owned(seal.key_id()), owned(seal.former_key_id()), seal.accepts_unsealed())
            }
            None => (None, None, false),
        };
        let (one, another) = (keys(self), keys(other));
        let mut changed = self.location.changed(&other.location);
        changed.extend((one.0 != another.0).then_some("seal_key"));
        changed.extend((one.1 != another.1).then_some("former_seal_key"));
        changed.extend((one.2 != another.2).then_some("accept_unsealed"));
        changed
    }
}

/// A store. Clones share it.
#[derive(Clone, Debug)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    engine: Arc<Engine>,
    location: Location,
    seal: Option<Arc<Seal>>,
    announcer: Announcer,
    health: Arc<Health>,
    operations: Arc<Operations>,
    damages: Damages,
    refusals: Arc<Refusals>,
    /// Looks after the engine; ends with the store.
    tender: Option<AbortHandle>,
}

impl Store {
    /// An empty store in memory.
    pub fn memory() -> Self {
        let announcer = Announcer::default();
        let engine = Engine::Memory(Memory::new(announcer.clone()));
        let options = Options { location: Location::Memory, seal: None };
        Self(Arc::new(Inner::new(engine, &options, announcer)))
    }

    /// Opens the store that `options` describe, on the current runtime; a task there looks after it
    /// until the last clone is dropped.
    ///
    /// # Errors
    /// The folder can't be used. A Redis that doesn't respond is not an error: the store is down,
    /// and is tried again.
    pub async fn open(options: &Options) -> Result<Self, StoreError> {
        let announcer = Announcer::default();
        let engine = match &options.location {
            Location::Memory => return Ok(Self::memory()),
            Location::File(folder) => Engine::File(File::open(folder, announcer.clone()).await?),
            Location::Redis(target) => Engine::Redis(Redis::new(target, announcer.clone())),
        };
        let mut inner = Inner::new(engine, options, announcer);
        if let Err(error) = within(PATIENCE, inner.engine.probe()).await {
            inner.health.fell(&error);
        }
        inner.tend();
        Ok(Self(Arc::new(inner)))
    }

    /// The result of `work` with this store, for a request: none once the store is late. Work that
    /// is passed by reference can continue in the background.
    pub async fn promptly<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        if self.0.health.is_late() {
            return None;
        }
        let done = timeout(LATE, work).await.ok();
        if done.is_none() {
            self.0.health.late();
        }
        done
    }

    /// How much of the budget of forced refreshes under `key` has been spent.
    pub async fn forces(&self, key: &str) -> Result<ForceBudget, StoreError> {
        self.run(Operation::Force, async { Ok(self.force_budget(key, self.get(key).await?.as_deref())) })
            .await
    }

    /// Spends one forced refresh of `key` and gives back what is spent now. To be called before the
    /// refresh: one whose response is lost counts at WeChat all the same. `own` is what this
    /// process knows of, which a store that was down or flushed may not.
    pub async fn spend_force(
        &self,
        key: &str,
        own: ForceBudget,
        now: Timestamp,
    ) -> Result<Result<ForceBudget, ForceRefused>, StoreError> {
        self.run(Operation::Force, async {
            loop {
                let present = self.get(key).await?;
                let mut budget = self.force_budget(key, present.as_deref()).or_more(own);
                if let Err(refused) = budget.spend(now) {
                    return Ok(Err(refused));
                }
                let swap = Swap {
                    key,
                    expected: present.as_deref(),
                    value: Some(&force::encode(&budget)),
                    lasts: Some(DAYS_LAST),
                    announced: false,
                };
                if self.0.engine.swap(swap).await? {
                    return Ok(Ok(budget));
                }
            }
        })
        .await
    }

    /// An unreadable or impossible value counts as unused: the next forced refresh overwrites it,
    /// and WeChat's own budget bounds it.
    fn force_budget(&self, key: &str, text: Option<&[u8]>) -> ForceBudget {
        force::parse(text).unwrap_or_else(|| {
            self.0.damages.tell(
                key,
                "used",
                text!(
                    "the budget of forced refreshes in the store has an impossible value: it counts as unused, and the next \
                     forced refresh overwrites it"
                ),
            );
            ForceBudget::default()
        })
    }

    /// The note under `key`: what replicas tell each other, in clear.
    pub async fn note(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.run(Operation::Load, self.get(&note_entry(key))).await
    }

    /// The note under each of `keys`, in one operation; an error for each that can't be opened,
    /// which was logged.
    pub async fn notes(
        &self,
        keys: &[String],
    ) -> Result<Vec<Result<Option<Vec<u8>>, StoreError>>, StoreError> {
        let entries: Vec<_> = keys.iter().map(|key| note_entry(key)).collect();
        let entries: Vec<_> = entries.iter().map(String::as_str).collect();
        let notes = self.run(Operation::Load, self.0.engine.get(&entries)).await?;
        for (entry, note) in entries.iter().zip(&notes) {
            if let Err(error) = note {
                self.0.damages.tell_unusable(entry, error);
            }
        }
        Ok(notes)
    }

    /// Notes `value` under `key` for as long as `lasts`, if `expected` is there now; whether it
    /// was.
    pub async fn replace_note(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        value: &[u8],
        lasts: Duration,
    ) -> Result<bool, StoreError> {
        let entry = note_entry(key);
        let swap = Swap { key: &entry, expected, value: Some(value), lasts: Some(lasts), announced: false };
        self.run(Operation::Save, self.0.engine.swap(swap)).await
    }

    /// Notice of what is written from now on, by any replica.
    pub fn changes(&self) -> Changes {
        self.0.announcer.changes()
    }

    /// Why the store is down, if it is.
    pub fn problem(&self) -> Option<Words> {
        self.0.health.problem()
    }

    /// Where it is, without secrets.
    pub fn location(&self) -> &Location {
        &self.0.location
    }

    /// Adds the store's metrics to a scrape.
    pub fn expose(&self, out: &mut Exposition) {
        self.0.operations.expose(out);
        self.0.refusals.expose(out);
        out.gauge("wxgate_store_up", "Whether the store answers, 1 or 0.");
        out.sample(&[], f64::from(u8::from(!self.0.health.is_down())));
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.engine.get(&[key]).await?.pop().unwrap_or(Ok(None))
    }

    /// The keys, and what records must fulfil.
    pub fn seal(&self) -> Option<&Seal> {
        self.0.seal.as_deref()
    }

    async fn run<T>(
        &self,
        operation: Operation,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        if self.0.health.is_down() {
            self.0.operations.skipped(operation);
            return Err(StoreError::Down);
        }
        let result = tokio::select! {
            biased;
            result = within(PATIENCE, work) => result,
            // Another operation has waited for longer.
            () = self.0.health.down() => {
                self.0.operations.skipped(operation);
                return Err(StoreError::Down);
            }
        };
        self.0.operations.count(operation, &result);
        match &result {
            Ok(_) | Err(StoreError::Down) => {}
            // Counters are large, and come late where all else comes in time.
            Err(error) if matches!(operation, Operation::Count) && error.is_late() => {}
            Err(error) if error.means_down() => self.0.health.fell(error),
            Err(error @ StoreError::Unusable { key, .. }) if is_record(key) => {
                self.0.refusals.refuse(key, &[], error);
            }
            Err(error @ StoreError::Unusable { key, .. }) => self.0.damages.tell_unusable(key, error),
            Err(_) => {}
        }
        result
    }
}

impl Inner {
    fn new(engine: Engine, options: &Options, announcer: Announcer) -> Self {
        Self {
            engine: Arc::new(engine),
            location: options.location.clone(),
            seal: options.seal.clone(),
            announcer,
            health: Arc::default(),
            operations: Arc::default(),
            damages: Damages::default(),
            refusals: Arc::default(),
            tender: None,
        }
    }

    fn look(&self) -> Look {
        let (engine, refusals) = (Arc::clone(&self.engine), Arc::clone(&self.refusals));
        Look { engine, seal: self.seal.clone(), refusals }
    }

    #[expect(clippy::disallowed_methods, reason = "ends when the last clone of the store is dropped")]
    fn tend(&mut self) {
        let (engine, health) = (Arc::clone(&self.engine), Arc::clone(&self.health));
        let (operations, announcer) = (Arc::clone(&self.operations), self.announcer.clone());
        let look = self.look();
        let tender = tokio::spawn(async move {
            let watched = watch_over(&engine, &health, &operations, &announcer);
            tokio::join!(engine.watch(), watched, look.again_and_again(&health));
        });
        self.tender = Some(tender.abort_handle());
    }
}

#[cfg(test)]
impl simulated::Server {
    pub(crate) fn store(self: &Arc<Self>, id: usize) -> Store {
        self.store_with(id, None)
    }

    pub(crate) fn store_with(self: &Arc<Self>, id: usize, seal: Option<Seal>) -> Store {
        let announcer = Announcer::default();
        let client = simulated::Client { server: Arc::clone(self), id, announcer: announcer.clone() };
        let options = Options { location: Location::Memory, seal: seal.map(Arc::new) };
        let mut inner = Inner::new(Engine::Simulated(client), &options, announcer);
        inner.tend();
        Store(Arc::new(inner))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(tender) = &self.tender {
            tender.abort();
        }
    }
}

/// Waits for the store's response while it is late, and retries it every second while it is down.
async fn watch_over(engine: &Engine, health: &Health, operations: &Operations, announcer: &Announcer) {
    loop {
        health.troubled().await;
        if health.is_late() {
            let result = timeout(PATIENCE - LATE, engine.get(&[NOTHING])).await;
            let result = result.unwrap_or(Err(StoreError::Timeout(PATIENCE)));
            operations.count(Operation::Probe, &result);
            match result {
                Ok(_) => health.answered(),
                Err(error) => health.fell(&error),
            }
            continue;
        }
        sleep(TRY_AGAIN).await;
        let result = within(PATIENCE, engine.probe()).await;
        operations.count(Operation::Probe, &result);
        match result {
            Ok(()) => {
                health.rose();
                announcer.announce(Change::Any);
            }
            Err(error) => health.fell(&error),
        }
    }
}

fn note_entry(key: &str) -> String {
    format!("{NOTE}{key}")
}
