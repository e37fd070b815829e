//! The counters and budgets of a day, which the replicas share.
//!
//! A total is accepted if it can be true. An impossible one is left unchanged, logged once, and
//! ignored, or, as a budget, counts as spent: until it is reset ([`Store::reset_counters`]), which
//! gives it another name in the store, or is removed there.

use super::engine::{Addition, Batch, Claim, Reserved, Total, name_since, reset_of, resets_of};
use super::operations::Operation;
use super::times::{DAYS_LAST, STEP, within};
use super::{Store, StoreError};
use crate::texts::text;

/// No budget has granted so many times its limit, unless the limit was lowered since.
const FAR: u64 = 10;
/// Counters that a tool adds to in one step: fewer than Redis may return at once.
const ADDED_AT_ONCE: usize = 5_000;

/// What the counters of a day say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DayCounts {
    /// By name.
    pub counts: Vec<(String, u64)>,
    /// How often the counter of a name was reset.
    pub resets: Vec<(String, u64)>,
}

impl Store {
    /// Adds to counters of a day ([`Timestamp::beijing_day`]) and gives back what each came to.
    ///
    /// [`Timestamp::beijing_day`]: crate::observe::clock::Timestamp::beijing_day
    pub async fn add(&self, day: i64, counts: &[(&str, u64)]) -> Result<Vec<Total>, StoreError> {
        let counts: Vec<_> = counts.iter().map(|(name, by)| Addition { name, by: *by, known: 0 }).collect();
        self.add_under(&count_entry(day), &counts, None).await
    }

    /// The same, but a batch that was added before adds nothing: one whose response was lost can be
    /// sent again.
    pub async fn add_once(
        &self,
        day: i64,
        counts: &[Addition<'_>],
        batch: Batch<'_>,
    ) -> Result<Vec<Total>, StoreError> {
        self.add_under(&count_entry(day), counts, Some(batch)).await
    }

    async fn add_under(
        &self,
        key: &str,
        counts: &[Addition<'_>],
        batch: Option<Batch<'_>>,
    ) -> Result<Vec<Total>, StoreError> {
        let totals = self.run(Operation::Count, self.0.engine.add(key, counts, batch, DAYS_LAST)).await?;
        self.tell_damaged_of(key, counts, &totals);
        Ok(totals)
    }

    /// The same for a tool, with any number of counters and a longer timeout.
    pub(super) async fn add_all(&self, key: &str, counts: &[Addition<'_>]) -> Result<(), StoreError> {
        for counts in counts.chunks(ADDED_AT_ONCE) {
            let totals = within(STEP, self.0.engine.add(key, counts, None, DAYS_LAST)).await?;
            self.tell_damaged_of(key, counts, &totals);
        }
        Ok(())
    }

    /// The counters of a day.
    pub async fn counts(&self, day: i64) -> Result<DayCounts, StoreError> {
        self.counts_under(&count_entry(day), Operation::Count).await
    }

    /// What is reserved of a day's budgets, by name.
    pub async fn reserved(&self, day: i64) -> Result<DayCounts, StoreError> {
        self.counts_under(&budget_entry(day), Operation::Reserve).await
    }

    async fn counts_under(&self, key: &str, operation: Operation) -> Result<DayCounts, StoreError> {
        Ok(self.sorted(key, self.run(operation, self.0.engine.counts(key)).await?))
    }

    /// All that is counted and reserved on `day`, each with its key. For a tool, which waits for as
    /// long as there is progress.
    pub(super) async fn days(&self, day: i64) -> Result<[(String, DayCounts); 2], StoreError> {
        let [counts, budgets] = [count_entry(day), budget_entry(day)];
        let counted = self.sorted(&counts, self.0.engine.counts(&counts).await?);
        let reserved = self.sorted(&budgets, self.0.engine.counts(&budgets).await?);
        Ok([(counts, counted), (budgets, reserved)])
    }

    fn sorted(&self, key: &str, found: Vec<(String, Total)>) -> DayCounts {
        let mut sorted = DayCounts::default();
        for (name, total) in found {
            match (total, reset_of(&name)) {
                (None, _) => self.tell_damaged(key, &name),
                (Some(count), None) => sorted.counts.push((name, count)),
                (Some(resets), Some(name)) => sorted.resets.push((name.to_owned(), resets)),
            }
        }
        sorted
    }

    /// Reserves up to `want` of the budget `name` of a day, of which no more than `limit` is ever
    /// granted. Where the response is lost, so is what was granted, until the day ends: it is
    /// nobody's to spend. `known` is the highest [`Reserved::total`] of that day that the caller
    /// has seen, which a store that was flushed may have lost, since it was reset for the
    /// `resets`th time.
    pub async fn reserve(
        &self,
        day: i64,
        name: &str,
        want: u64,
        limit: u64,
        known: u64,
        resets: u64,
    ) -> Result<Reserved, StoreError> {
        let claim = Claim { name, want, limit, known, resets, lasts: DAYS_LAST };
        let key = budget_entry(day);
        let reserved = self.run(Operation::Reserve, self.0.engine.reserve(&key, claim)).await?;
        if reserved.used.is_none_or(|used| used > limit.saturating_mul(FAR)) {
            self.0.damages.tell(
                &key,
                &name_since(name, reserved.resets),
                text!(
                    "a budget in the store has an impossible value: it counts as spent until `wxgate quota reset APP`, or \
                     until the key is removed"
                ),
            );
        }
        Ok(reserved)
    }

    /// Gives back what was reserved of a budget and not spent, since it was reset for the
    /// `resets`th time.
    pub async fn give_back(&self, day: i64, name: &str, amount: u64, resets: u64) -> Result<(), StoreError> {
        let (key, name) = (budget_entry(day), name_since(name, resets));
        self.run(Operation::Reserve, self.0.engine.give_back(&key, &name, amount)).await
    }

    /// Resets the counters of `names` within the day, and returns how often each was reset. Each
    /// comes with the number of resets known so far, which a store that was flushed may have lost.
    /// Counting goes on under another name ([`name_since`]).
    pub async fn reset_counters(&self, day: i64, names: &[(&str, u64)]) -> Result<Vec<u64>, StoreError> {
        self.reset(&count_entry(day), names, 1).await
    }

    /// The same of budgets.
    pub async fn reset_budgets(&self, day: i64, names: &[(&str, u64)]) -> Result<Vec<u64>, StoreError> {
        self.reset(&budget_entry(day), names, 1).await
    }

    /// Restores in a store that lost it how often the counter of each of `names` was reset.
    pub async fn keep_resets(&self, day: i64, names: &[(&str, u64)]) -> Result<(), StoreError> {
        self.reset(&count_entry(day), names, 0).await.map(drop)
    }

    async fn reset(&self, key: &str, names: &[(&str, u64)], by: u64) -> Result<Vec<u64>, StoreError> {
        let names: Vec<_> = names.iter().map(|(name, known)| (resets_of(name), *known)).collect();
        let counts: Vec<_> = names.iter().map(|(name, known)| Addition { name, by, known: *known }).collect();
        let totals = self.add_under(key, &counts, None).await?;
        Ok(totals.into_iter().zip(&names).map(|(total, (_, known))| total.unwrap_or(*known)).collect())
    }

    fn tell_damaged_of(&self, key: &str, counts: &[Addition<'_>], totals: &[Total]) {
        for (count, _) in counts.iter().zip(totals).filter(|(_, total)| total.is_none()) {
            self.tell_damaged(key, count.name);
        }
    }

    fn tell_damaged(&self, key: &str, name: &str) {
        self.0.damages.tell(
            key,
            name,
            text!(
                "a counter in the store has an impossible value and is ignored: each replica counts for itself until \
                 `wxgate quota reset APP`, or until the key is removed"
            ),
        );
    }
}

/// Apart from the counters, which are written in batches and may lag.
fn budget_entry(day: i64) -> String {
    format!("budget:{day}")
}

fn count_entry(day: i64) -> String {
    format!("count:{day}")
}
