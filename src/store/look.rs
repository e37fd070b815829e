//! A scan of all records: those that can't be used are counted and logged, and those in clear or
//! under the former key are sealed with the current one.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::engine::{Engine, Swap};
use super::health::Health;
use super::keys::{is_irreplaceable, is_record};
use super::record::Text;
use super::refusals::Refusals;
use super::times::{PATIENCE_FOR_ALL, within};
use super::{Record, Refusal, Seal, StoreError};
use crate::observe::clock::Timestamp;
use crate::texts::text;

/// Replicas that don't seal yet, or seal with the former key, may write at any time.
const AGAIN: Duration = Duration::from_secs(30);

/// The result of a scan.
#[derive(Debug, Default)]
pub struct LookedThrough {
    /// Records that were sealed with the present key.
    pub sealed: usize,
    /// Those that may still have to be.
    pub left: usize,
    /// Those that can't be used.
    pub refused: usize,
    /// What can't be had again, and is in clear although there is a key.
    pub unsealed: Vec<Unsealed>,
}

/// A record in clear.
#[derive(Debug)]
pub struct Unsealed {
    /// Its key.
    pub key: String,
    /// When it was written, as it says.
    pub fetched_at: Timestamp,
}

/// What it takes to look at records.
pub(super) struct Look {
    pub engine: Arc<Engine>,
    pub seal: Option<Arc<Seal>>,
    pub refusals: Arc<Refusals>,
}

impl Look {
    /// The record in `bytes` under `key`, and whether it was sealed again.
    pub(super) async fn believe(&self, key: &str, bytes: &[u8]) -> Result<(Record, bool), StoreError> {
        let seal = self.seal.as_deref();
        let opened = Text::parse(key, bytes).and_then(|text| text.open(key, seal));
        let (record, stale) = opened.inspect_err(|error| self.refusals.refuse(key, bytes, error))?;
        self.refusals.settle(key);
        if stale {
            let encoded = record.encode(key, seal)?;
            let (expected, lasts) = (Some(bytes), record.lasts());
            let swap = Swap { key, expected, value: Some(&encoded), lasts, announced: false };
            return Ok((record, self.engine.swap(swap).await?));
        }
        Ok((record, false))
    }

    pub(super) async fn through(&self) -> Result<LookedThrough, StoreError> {
        let entries = within(PATIENCE_FOR_ALL, self.engine.entries("")).await?;
        let mut looked = LookedThrough::default();
        for entry in entries.into_iter().filter(|entry| is_record(&entry.key)) {
            let key = entry.key.as_str();
            let bytes = match entry.value {
                Ok(bytes) => bytes,
                Err(error) => {
                    self.refusals.refuse(key, &[], &error);
                    looked.refused += 1;
                    continue;
                }
            };
            let stale = Text::parse(key, &bytes).is_ok_and(|text| text.is_stale(self.seal.as_deref()));
            match self.believe(key, &bytes).await {
                Ok((_, true)) => looked.sealed += 1,
                // Another replica was faster, with the current key or another one.
                Ok((_, false)) => looked.left += usize::from(stale),
                Err(error) => {
                    let Some(refusal) = error.refusal() else { return Err(error) };
                    looked.refused += 1;
                    if refusal == Refusal::Unsealed && is_irreplaceable(key) {
                        let fetched_at = Text::parse(key, &bytes)?.times().1;
                        looked.unsealed.push(Unsealed { key: entry.key, fetched_at });
                    }
                }
            }
        }
        Ok(looked)
    }

    /// Scans all records twice a minute for as long as some may have to be sealed again.
    pub(super) async fn again_and_again(&self, health: &Health) {
        let mut settled = true;
        while self.seal.as_deref().is_some_and(Seal::changes) {
            sleep(AGAIN).await;
            if health.is_down() {
                continue;
            }
            if let Ok(looked) = self.through().await {
                let clean = looked.sealed + looked.left == 0;
                if !clean || !settled {
                    looked.tell();
                }
                settled = clean;
            }
        }
    }
}

impl LookedThrough {
    pub(super) fn tell(&self) {
        let Self { sealed, left, refused, .. } = self;
        if *sealed > 0 {
            tracing::info!(sealed, "{}", text!("records were sealed with store.seal_key"));
        }
        if left + refused == 0 {
            let text = text!(
                "no record is left in clear or under the former key: once every replica runs with this store.seal_key, \
                 store.accept_unsealed and store.former_seal_key can be removed"
            );
            tracing::info!("{text}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::AGAIN;
    use crate::observe::clock::{Clock, Timestamp};
    use crate::secret::Secret;
    use crate::store::simulated::Server;
    use crate::store::{Content, Protection, Record, Saved, Seal, Store};

    const KEY: &str = "access_token:stable:wx1";
    const SECOND: Duration = Duration::from_secs(1);

    /// Looks at the record as it is, which seals nothing.
    async fn protection(store: &Store) -> Protection {
        let listed = store.list().await.expect("listed");
        let Content::Token { protection, .. } = &listed[0].content else { panic!("no token") };
        protection.clone()
    }

    #[tokio::test(start_paused = true)]
    async fn what_other_replicas_still_write_in_clear_is_sealed_although_nobody_reads_it() {
        let server = Server::new();
        let key = Secret::new("1".repeat(64));
        let sealing = Seal::new(&key, None).expect("a key").accepting_unsealed();
        let not_yet = Seal::former_alone(&key).expect("a key");
        let (sealing, not_yet) = (server.store_with(0, Some(sealing)), server.store_with(1, Some(not_yet)));
        for generation in 1..4 {
            let now = Clock::default().now();
            let expires_at = Timestamp(now.0 + 7_200_000);
            let value = Arc::new(Secret::new("t"));
            let record = Record { value, generation, fetched_at: now, expires_at };
            assert!(matches!(not_yet.save(KEY, &record).await, Ok(Saved::Saved)));
            assert_eq!(protection(&sealing).await, Protection::Clear);
            tokio::time::sleep(AGAIN + SECOND).await;
            assert!(matches!(protection(&sealing).await, Protection::Sealed(_)));
        }
    }
}
