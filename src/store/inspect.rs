//! What a store holds, for people and for moving to another store. No token is shown.

use std::collections::HashMap;
use std::time::Duration;

use super::engine::{Addition, Entry, Swap, resets_of};
use super::keys::{NOTE, is_irreplaceable};
use super::record::{Protection, Text};
use super::times::{DAYS_LAST, RECORDS_LAST, STEP, within};
use super::{ForceBudget, Holder, Location, Saved, Store, StoreError, force};
use crate::observe::clock::Timestamp;

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
    /// A replica fetches.
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

/// A store failed while its content was copied.
#[derive(Debug, thiserror::Error)]
#[error("{location}")]
pub struct CopyError {
    /// Which of the two.
    pub location: Location,
    /// Why.
    pub source: StoreError,
}

impl Store {
    /// All there is but the day's counters and what replicas note for each other, by key.
    ///
    /// # Errors
    /// The store failed, or made no progress for half a minute: it has time for as much as it
    /// holds.
    pub async fn list(&self) -> Result<Vec<Listed>, StoreError> {
        let entries = self.0.engine.entries("").await?.into_iter();
        let entries = entries.filter(|entry| !entry.key.starts_with(NOTE));
        Ok(entries.map(|entry| self.listed(entry)).collect())
    }

    /// The keys that begin with `prefix`, in their order.
    ///
    /// # Errors
    /// As [`Store::list`].
    pub async fn keys(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let entries = self.0.engine.entries(prefix).await?;
        Ok(entries.into_iter().map(|entry| entry.key).collect())
    }

    /// How many counters there are of a day.
    ///
    /// # Errors
    /// As [`Store::list`].
    pub async fn count_counters(&self, day: i64) -> Result<usize, StoreError> {
        let [(_, counted), _] = self.days(day).await?;
        Ok(counted.counts.len())
    }

    /// Copies tokens, force budgets, and the counters and budgets of `days` into `to`; what `to`
    /// holds that is as new or newer stays, so that doing it again does no harm. Leases stay
    /// behind. Values are sealed as `to` has it.
    ///
    /// # Errors
    /// One of the two failed, or made no progress for half a minute.
    pub async fn copy(&self, to: &Self, days: &[i64]) -> Result<Copied, CopyError> {
        let here = |source| CopyError { location: self.location().clone(), source };
        let there = |source| CopyError { location: to.location().clone(), source };
        let mut copied = Copied::default();
        for entry in self.0.engine.entries("").await.map_err(here)? {
            if entry.key.starts_with("lease:") {
                continue;
            }
            match within(STEP, self.copy_entry(entry, to)).await {
                Ok(true) => copied.written += 1,
                Ok(false) => copied.kept += 1,
                Err(error) if error.means_down() => return Err(there(error)),
                Err(error) => {
                    tracing::warn!("{}", error.chain());
                    copied.unreadable += 1;
                }
            }
        }
        for day in days {
            let [counted, reserved] = self.days(*day).await.map_err(here)?;
            // First, since what is counted under a later name is nothing without it.
            for (key, days) in [&counted, &reserved] {
                let names = days.resets.iter().map(|(name, number)| (resets_of(name), *number));
                let names: Vec<_> = names.collect();
                let resets = names.iter().map(|(name, known)| Addition { name, by: 0, known: *known });
                to.add_all(key, &resets.collect::<Vec<_>>()).await.map_err(there)?;
            }
            let [(key, there_before), _] = to.days(*day).await.map_err(there)?;
            let there_before: HashMap<_, _> = there_before.counts.into_iter().collect();
            let missing = |(name, count): &(String, u64)| {
                count.saturating_sub(there_before.get(name).copied().unwrap_or_default())
            };
            let all = counted.1.counts.iter().map(|count| (&*count.0, missing(count)));
            let additions = all.filter(|(_, by)| *by > 0).map(|(name, by)| Addition { name, by, known: 0 });
            let additions: Vec<_> = additions.collect();
            to.add_all(&key, &additions).await.map_err(there)?;
            copied.written += additions.len();
            copied.kept += counted.1.counts.len() - additions.len();
            for (name, spent) in reserved.1.counts {
                // Up to what is gone here, and no further where more is gone there.
                match to.reserve(*day, &name, spent, spent, 0, 0).await.map_err(there)?.granted {
                    0 => copied.kept += 1,
                    _ => copied.written += 1,
                }
            }
        }
        Ok(copied)
    }

    async fn copy_entry(&self, entry: Entry, to: &Self) -> Result<bool, StoreError> {
        let (key, value) = (entry.key.as_str(), entry.value?);
        if key.starts_with("force:") {
            return to.merge_forces(key, self.force_budget(key, Some(&value))).await;
        }
        if key.starts_with(NOTE) {
            let lasts = entry.lasts;
            let swap = Swap { key, expected: None, value: Some(&value), lasts, announced: false };
            return to.0.engine.swap(swap).await;
        }
        let text = Text::parse(key, &value)?;
        let lasts = (text.times().2 != Timestamp::NEVER).then_some(RECORDS_LAST);
        // Without the key a sealed value moves as it is: its seal doesn't depend on the store.
        if to.0.seal.is_none() && matches!(text.protection(), Protection::Sealed(_)) {
            return self.copy_sealed(key, &value, lasts, to).await;
        }
        let (record, _) = text.open(key, self.seal())?;
        let before = to.load(key).await;
        if matches!(&before, Ok(Some(there)) if !record.supersedes(there)) {
            return Ok(false);
        }
        Ok(matches!(to.save(key, &record).await?, Saved::Saved))
    }

    async fn copy_sealed(
        &self,
        key: &str,
        value: &[u8],
        lasts: Option<Duration>,
        to: &Self,
    ) -> Result<bool, StoreError> {
        let rank = Text::parse(key, value)?.rank(key)?;
        let present = to.get(key).await?;
        if let Some(present) = &present {
            match Text::parse(key, present).and_then(|text| text.rank(key)) {
                Ok(there) if there >= rank => return Ok(false),
                Err(error) if is_irreplaceable(key) => return Err(error),
                Ok(_) | Err(StoreError::Damaged { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let swap = Swap { key, expected: present.as_deref(), value: Some(value), lasts, announced: true };
        to.0.engine.swap(swap).await
    }

    async fn merge_forces(&self, key: &str, other: ForceBudget) -> Result<bool, StoreError> {
        let present = self.get(key).await?;
        let own = self.force_budget(key, present.as_deref());
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

    fn listed(&self, entry: Entry) -> Listed {
        let Entry { key, value, lasts } = entry;
        let value = match value {
            Ok(value) => value,
            Err(error) => return Listed { key, content: Content::Unreadable(error) },
        };
        let content = if key.starts_with("lease:") {
            Content::Lease { owner: String::from_utf8_lossy(Holder(value).owner()).into_owned(), lasts }
        } else if key.starts_with("force:") {
            Content::Forces(self.force_budget(&key, Some(&value)))
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

#[cfg(test)]
mod tests {
    use super::Copied;
    use crate::store::PATIENCE;
    use crate::store::simulated::Server;

    const DAY: i64 = 20_000;

    #[tokio::test(start_paused = true)]
    async fn a_tool_has_time_for_as_many_steps_as_there_are_counters() {
        let (from, to) = (Server::new(), Server::new());
        let (here, there) = (from.store(0), to.store(0));
        let names: Vec<_> = (0..12_000).map(|number| format!("shop orders /{number}")).collect();
        let counts: Vec<_> = names.iter().map(|name| (name.as_str(), 7)).collect();
        here.add(DAY, &counts).await.expect("added");
        there.add(DAY, &counts[..2]).await.expect("added");
        there.add(DAY, &[(counts[2].0, 3)]).await.expect("added");
        // Each step takes longer than what runs in the background waits.
        from.slow(PATIENCE * 2);
        to.slow(PATIENCE * 2);
        assert_eq!(here.count_counters(DAY).await.expect("counted"), counts.len());
        assert!(here.list().await.expect("listed").is_empty());
        let copied = here.copy(&there, &[DAY, DAY - 1]).await.expect("copied");
        assert_eq!(copied, Copied { written: counts.len() - 2, kept: 2, unreadable: 0 });
        let mut copied = there.days(DAY).await.expect("there")[0].1.counts.clone();
        copied.sort_unstable();
        let mut expected: Vec<_> = names.into_iter().map(|name| (name, 7)).collect();
        expected.sort_unstable();
        assert!(copied == expected, "each once");
    }
}
