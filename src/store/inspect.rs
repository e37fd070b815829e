//! What a store holds, for people and for moving to another store. No token is shown.

use std::collections::HashMap;
use std::time::Duration;

use super::engine::{Entry, Swap};
use super::record::{Protection, Text};
use super::{DAYS_LAST, ForceBudget, RECORDS_LAST, Store, StoreError, force};
use crate::observe::clock::Timestamp;

/// A few thousand entries from a Redis far away take longer than one.
const PATIENCE: Duration = Duration::from_secs(30);

/// An entry as it may be shown.
#[derive(Debug)]
pub struct Listed {
    /// Its key, without a prefix of the engine's.
    pub key: String,
    /// What is in it.
    pub content: Content,
}

/// What is in an entry.
#[derive(Debug)]
pub enum Content {
    /// A token.
    Token {
        /// Of the token.
        generation: u64,
        /// When WeChat handed it out.
        fetched_at: Timestamp,
        /// When it ends.
        expires_at: Timestamp,
        /// How its value is written.
        protection: Protection,
        /// Why it can't be used, if so.
        problem: Option<StoreError>,
    },
    /// Somebody fetches.
    Lease {
        /// Who.
        owner: String,
        /// Until it ends by itself.
        lasts: Option<Duration>,
    },
    /// Forced refreshes that were spent.
    Forces(ForceBudget),
    /// It can't be read at all.
    Unreadable(StoreError),
}

/// What a copy did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Tokens, budgets and counters that were written.
    pub written: usize,
    /// Those for which the other store held the same or something newer.
    pub kept: usize,
    /// Those that can't be read, and were left.
    pub unreadable: usize,
}

impl Store {
    /// All there is but the day's counters, by key.
    pub async fn list(&self) -> Result<Vec<Listed>, StoreError> {
        let entries = self.entries().await?;
        Ok(entries.into_iter().map(|entry| self.listed(entry)).collect())
    }

    /// Copies tokens, force budgets and the counters of `days` into `to`; what `to` holds that is as new or newer stays, so
    /// that doing it again does no harm. Leases stay behind. Values are sealed as `to` has it.
    pub async fn copy(&self, to: &Self, days: &[i64]) -> Result<Copied, StoreError> {
        let mut copied = Copied::default();
        for entry in self.entries().await? {
            if entry.key.starts_with("lease:") {
                continue;
            }
            match self.copy_entry(&entry, to).await {
                Ok(true) => copied.written += 1,
                Ok(false) => copied.kept += 1,
                Err(error) if error.means_down() => return Err(error),
                Err(error) => {
                    tracing::warn!("{}", error.chain());
                    copied.unreadable += 1;
                }
            }
        }
        for day in days {
            let there: HashMap<_, _> = to.counts(*day).await?.into_iter().collect();
            for (name, count) in self.counts(*day).await? {
                match count.saturating_sub(there.get(&name).copied().unwrap_or_default()) {
                    0 => copied.kept += 1,
                    missing => {
                        to.add(*day, &[(&name, missing)]).await?;
                        copied.written += 1;
                    }
                }
            }
        }
        Ok(copied)
    }

    async fn copy_entry(&self, entry: &Entry, to: &Self) -> Result<bool, StoreError> {
        let key = entry.key.as_str();
        if key.starts_with("force:") {
            return to.merge_forces(key, force::parse(key, Some(&entry.value))).await;
        }
        let text = Text::parse(key, &entry.value)?;
        // Without the key a sealed value moves as it is: its seal doesn't depend on the store.
        let lasts = (text.times().2 != Timestamp::NEVER).then_some(RECORDS_LAST);
        let value = match (&to.0.seal, text.protection()) {
            (None, Protection::Sealed(_)) => entry.value.clone(),
            _ => text.open(key, self.seal())?.0.encode(key, to.seal())?,
        };
        let rank = Text::parse(key, &value)?.rank(key)?;
        let present = to.get(key).await?;
        if let Some(present) = &present
            && Text::parse(key, present).and_then(|text| text.rank(key)).is_ok_and(|there| there >= rank)
        {
            return Ok(false);
        }
        let swap = Swap { key, expected: present.as_deref(), value: Some(&value), lasts, announced: true };
        to.0.engine.swap(swap).await
    }

    async fn merge_forces(&self, key: &str, other: ForceBudget) -> Result<bool, StoreError> {
        let present = self.get(key).await?;
        let own = force::parse(key, present.as_deref());
        let merged = own.or_more(other);
        if merged == own {
            return Ok(false);
        }
        let swap = Swap {
            key,
            expected: present.as_deref(),
            value: Some(&force::encode(&merged)),
            lasts: Some(DAYS_LAST),
            announced: false,
        };
        self.0.engine.swap(swap).await
    }

    async fn entries(&self) -> Result<Vec<Entry>, StoreError> {
        tokio::time::timeout(PATIENCE, self.0.engine.entries())
            .await
            .unwrap_or(Err(StoreError::Timeout(PATIENCE)))
    }

    fn listed(&self, entry: Entry) -> Listed {
        let Entry { key, value, lasts } = entry;
        let content = if key.starts_with("lease:") {
            Content::Lease { owner: String::from_utf8_lossy(&value).into_owned(), lasts }
        } else if key.starts_with("force:") {
            Content::Forces(force::parse(&key, Some(&value)))
        } else {
            match Text::parse(&key, &value) {
                Ok(text) => {
                    let (generation, fetched_at, expires_at) = text.times();
                    let protection = text.protection();
                    let problem = text.open(&key, self.seal()).err();
                    Content::Token { generation, fetched_at, expires_at, protection, problem }
                }
                Err(error) => Content::Unreadable(error),
            }
        };
        Listed { key, content }
    }
}
