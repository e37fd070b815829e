//! Loading and saving records, if they can be accepted.
//!
//! A refused record counts as absent: the next valid one replaces it, whatever its generation. What
//! can't be obtained again is the exception.

use std::cmp::Ordering;

use super::engine::Swap;
use super::keys::is_irreplaceable;
use super::operations::Operation;
use super::record::Text;
use super::{LookedThrough, Record, Refusal, Refused, Seal, Store, StoreError};

/// The result of a compare-and-set.
#[derive(Clone, Debug)]
pub enum Saved {
    /// The record is the store's now.
    Saved,
    /// The store holds this one, which supersedes the one offered; nothing was written.
    Superseded(Record),
}

impl Store {
    /// The newest record under `key`.
    pub async fn load(&self, key: &str) -> Result<Option<Record>, StoreError> {
        self.load_all(&[key]).await?.pop().unwrap_or(Ok(None))
    }

    /// The same for a request: a store that is late isn't waited for.
    pub async fn load_promptly(&self, key: &str) -> Result<Option<Record>, StoreError> {
        self.promptly(self.load(key)).await.unwrap_or_else(|| {
            self.0.operations.skipped(Operation::Load);
            Err(StoreError::Late)
        })
    }

    /// The newest record under each of `keys`, or why that one can't be read.
    pub async fn load_all(
        &self,
        keys: &[&str],
    ) -> Result<Vec<Result<Option<Record>, StoreError>>, StoreError> {
        self.run(Operation::Load, async {
            let found = self.0.engine.get(keys).await?;
            let mut records = Vec::with_capacity(keys.len());
            let look = self.0.look();
            for (key, bytes) in keys.iter().zip(found) {
                records.push(match bytes {
                    Ok(Some(bytes)) => look.believe(key, &bytes).await.map(|(record, _)| Some(record)),
                    Ok(None) => {
                        self.0.refusals.settle(key);
                        Ok(None)
                    }
                    Err(error) => {
                        self.0.refusals.refuse(key, &[], &error);
                        Err(error)
                    }
                });
            }
            Ok(records)
        })
        .await
    }

    /// Writes `record` if it supersedes what is there ([`Record::supersedes`]) or is the same. Over
    /// what is refused it is written whatever that says, unless that can't be had again.
    pub async fn save(&self, key: &str, record: &Record) -> Result<Saved, StoreError> {
        self.save_unless(key, record, is_irreplaceable(key)).await
    }

    /// The same, also over what can't be obtained again: for a record that certainly replaces it.
    pub async fn save_over_refused(&self, key: &str, record: &Record) -> Result<Saved, StoreError> {
        self.save_unless(key, record, false).await
    }

    async fn save_unless(&self, key: &str, record: &Record, kept: bool) -> Result<Saved, StoreError> {
        self.run(Operation::Save, async {
            let encoded = record.encode(key, self.seal())?;
            loop {
                let present = self.get(key).await?;
                if let Some(bytes) = &present {
                    match Text::parse(key, bytes).and_then(|text| text.open(key, self.seal())) {
                        Ok((other, _)) => match other.rank().cmp(&record.rank()) {
                            Ordering::Greater => return Ok(Saved::Superseded(other)),
                            Ordering::Equal => return Ok(Saved::Saved),
                            Ordering::Less => {}
                        },
                        Err(error) => {
                            self.0.refusals.refuse(key, bytes, &error);
                            if kept || !self.may_replace(key, record, bytes, &error) {
                                return Err(error);
                            }
                        }
                    }
                }
                if self.0.engine.swap(written(key, present.as_deref(), &encoded, record)).await? {
                    self.0.refusals.settle(key);
                    return Ok(Saved::Saved);
                }
            }
        })
        .await
    }

    /// Saves `record`, if `before` is still what the store has under `key`, or nothing if that is
    /// None; whether it was.
    pub async fn save_after(
        &self,
        key: &str,
        before: Option<&Record>,
        record: &Record,
    ) -> Result<bool, StoreError> {
        self.run(Operation::Save, async {
            let encoded = record.encode(key, self.seal())?;
            let present = self.get(key).await?;
            let rank = match &present {
                Some(bytes) => Some(Text::parse(key, bytes).and_then(|text| text.rank(key))?),
                None => None,
            };
            if rank != before.map(Record::rank) {
                return Ok(false);
            }
            self.0.engine.swap(written(key, present.as_deref(), &encoded, record)).await
        })
        .await
    }

    /// Removes `record`, if it is still what the store has under `key`; whether it was.
    pub async fn remove(&self, key: &str, record: &Record) -> Result<bool, StoreError> {
        self.run(Operation::Save, async {
            loop {
                let Some(present) = self.get(key).await? else { return Ok(false) };
                let rank = Text::parse(key, &present).and_then(|text| text.rank(key))?;
                if rank != record.rank() {
                    return Ok(false);
                }
                let swap = Swap { key, expected: Some(&present), value: None, lasts: None, announced: false };
                if self.0.engine.swap(swap).await? {
                    return Ok(true);
                }
            }
        })
        .await
    }

    /// Whether `record` may take the place of what is refused for `error`.
    fn may_replace(&self, key: &str, record: &Record, present: &[u8], error: &StoreError) -> bool {
        match error.refusal() {
            None => false,
            Some(Refusal::Unsealed | Refusal::BrokenSeal | Refusal::Damaged) => true,
            // A process without the key must not lay a token in clear over one that the others
            // sealed and still use.
            Some(Refusal::UnknownKey | Refusal::Format) => {
                let ended = |text: Text<'_>| {
                    text.rank(key).is_ok_and(|rank| rank < record.rank())
                        && text.times().2 <= record.fetched_at
                };
                self.seal().is_some_and(Seal::seals) || Text::parse(key, present).is_ok_and(ended)
            }
        }
    }

    /// Looks through all records: those that can't be used are counted and told, and those that are
    /// in clear or under the former key are sealed with the present one, if there is one.
    ///
    /// # Errors
    /// The store doesn't tell what it holds.
    pub async fn look_through(&self) -> Result<LookedThrough, StoreError> {
        let looked = self.0.look().through().await?;
        if self.seal().is_some_and(Seal::changes) {
            looked.tell();
        }
        Ok(looked)
    }

    /// Records that are not believed, as far as they were met.
    pub fn refused(&self) -> Vec<Refused> {
        self.0.refusals.present()
    }
}

/// Puts `record`, whose text is `encoded`, in the place of what is `expected`.
fn written<'a>(key: &'a str, expected: Option<&'a [u8]>, encoded: &'a [u8], record: &Record) -> Swap<'a> {
    Swap { key, expected, value: Some(encoded), lasts: record.lasts(), announced: true }
}
