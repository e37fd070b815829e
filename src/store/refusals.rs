//! Records that are not accepted: counted and logged once for each change, and shown for as long as
//! they are there.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use parking_lot::Mutex;

use super::StoreError;
use super::keys::is_irreplaceable;
use super::refusal::Refusal;
use crate::observe::clock::{Clock, Timestamp};
use crate::observe::exposition::Exposition;
use crate::texts::text;

/// Whoever can write to the store can write any number.
const MOST: usize = 1000;
/// Logged per minute.
const MOST_TOLD: u32 = 100;

/// A record that is not accepted.
#[derive(Clone, Debug)]
pub struct Refused {
    /// Its key.
    pub key: String,
    /// Why.
    pub reason: Refusal,
    /// Since when it is known.
    pub since: Timestamp,
}

/// All that there are, as far as they were met.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<Met>);

#[derive(Debug, Default)]
struct Met {
    counts: [u64; Refusal::ALL.len()],
    /// With what tells another record under the same key.
    present: BTreeMap<String, (Refused, u64)>,
    /// In this minute since the epoch.
    told: (i64, u32),
}

impl Met {
    /// Whether one more may be logged: records can change as fast as their changes are announced.
    fn tells(&mut self, now: Timestamp) -> bool {
        let minute = now.0 / 60_000;
        if self.told.0 != minute {
            self.told = (minute, 0);
        }
        self.told.1 = self.told.1.saturating_add(1);
        self.told.1 <= MOST_TOLD
    }
}

impl Refusals {
    /// What is under `key`, `found`, can't be used, as `error` says.
    pub(super) fn refuse(&self, key: &str, found: &[u8], error: &StoreError) {
        let Some(reason) = error.refusal() else { return };
        let mut hasher = DefaultHasher::new();
        (reason.as_str(), found).hash(&mut hasher);
        let mark = hasher.finish();
        {
            let mut state = self.0.lock();
            let known = state.present.get(key);
            if known.is_some_and(|(_, before)| *before == mark)
                || known.is_none() && state.present.len() >= MOST
            {
                return;
            }
            state.counts[reason as usize] += 1;
            let now = Clock::default().now();
            let refused = Refused { key: key.to_owned(), reason, since: now };
            state.present.insert(key.to_owned(), (refused, mark));
            if !state.tells(now) {
                return;
            }
        }
        let why = error.chain();
        let reason = reason.as_str();
        if is_irreplaceable(key) || matches!(error, StoreError::Unusable { .. }) {
            let text = text!("a record in the store is refused and left unchanged: {error}", error = why);
            tracing::warn!(key, reason, "{text}");
        } else {
            let text = text!(
                "a record in the store is refused; the next valid one replaces it: {error}",
                error = why
            );
            tracing::warn!(key, reason, "{text}");
        }
    }

    /// What is under `key` is accepted, or gone.
    pub(super) fn settle(&self, key: &str) {
        self.0.lock().present.remove(key);
    }

    pub(super) fn present(&self) -> Vec<Refused> {
        self.0.lock().present.values().map(|(refused, _)| refused.clone()).collect()
    }

    pub(super) fn expose(&self, out: &mut Exposition) {
        out.counter(
            "wxgate_store_records_refused_total",
            "Records in the store that were not believed, each once, by reason (unsealed, unknown_key, broken_seal, damaged, format).",
        );
        let counts = self.0.lock().counts;
        for reason in Refusal::ALL {
            let count = counts[reason as usize];
            if count > 0 {
                out.sample(&[("reason", reason.as_str())], count as f64);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST, MOST_TOLD, Met, Refusals, StoreError};
    use crate::observe::clock::Timestamp;
    use crate::observe::exposition::{Dialect, Exposition};

    #[test]
    fn no_more_than_some_are_told_in_a_minute_however_often_records_change() {
        let mut state = Met::default();
        let mut told = |at| (0..1_000).filter(|_| state.tells(Timestamp(at))).count();
        assert_eq!((told(0), told(59_999), told(60_000)), (MOST_TOLD as usize, 0, MOST_TOLD as usize));
    }

    #[test]
    fn a_record_counts_once_and_again_when_another_one_is_refused_in_its_place() {
        let refusals = Refusals::default();
        let refuse = |key: &str, found: &[u8]| {
            refusals.refuse(key, found, &StoreError::Damaged { key: key.to_owned() });
        };
        let count = || {
            let mut out = Exposition::new(Dialect::of_accept(None));
            refusals.expose(&mut out);
            let text = out.finish();
            text.lines().find_map(|line| {
                line.strip_prefix("wxgate_store_records_refused_total{reason=\"damaged\"} ")?.parse().ok()
            })
        };
        for _ in 0..3 {
            refuse("k", b"one");
        }
        assert_eq!((count(), refusals.present().len()), (Some(1), 1));
        refuse("k", b"another");
        assert_eq!((count(), refusals.present().len()), (Some(2), 1));
        refusals.settle("k");
        assert!(refusals.present().is_empty());
        for number in 0..2 * MOST {
            refuse(&number.to_string(), b"one");
        }
        assert_eq!(refusals.present().len(), MOST, "whoever writes to the store fills no memory");
    }
}
