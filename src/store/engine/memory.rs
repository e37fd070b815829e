//! The engine of a single process that keeps nothing over a restart.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::command::{
    Addition, Batch, Claim, Entry, Reserved, Swap, Total, highest_of, name_since, reset_of, resets_of,
    returned_of, total_of,
};
use crate::store::changes::{Announcer, Change};

/// Entries that aren't worth a look.
const SWEEP_AT_LEAST: usize = 64;

/// Maps behind a lock that is held for a look-up at a time, never over an await.
#[derive(Debug)]
pub(in crate::store) struct Memory {
    held: Mutex<Held>,
    announcer: Announcer,
}

#[derive(Default)]
struct Held {
    entries: BTreeMap<String, (Vec<u8>, Option<Instant>)>,
    /// With so many entries those that have ended are looked for.
    sweep_at: usize,
    counters: HashMap<String, (BTreeMap<String, u64>, Instant)>,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").field("entries", &self.entries.len()).finish_non_exhaustive()
    }
}

impl Held {
    fn get(&self, key: &str, now: Instant) -> Option<&[u8]> {
        let (value, until) = self.entries.get(key)?;
        until.is_none_or(|until| now < until).then_some(value.as_slice())
    }

    /// Removes what has ended, which nobody may ask for again, once there may be as much of it as
    /// of the rest: looking for it takes a look at each, and thousands of apps write often.
    fn sweep(&mut self, now: Instant) {
        if self.entries.len() >= self.sweep_at {
            self.entries.retain(|_, (_, until)| until.is_none_or(|until| now < until));
            self.sweep_at = 2 * self.entries.len() + SWEEP_AT_LEAST;
        }
    }

    /// Those under `key`, which last from now on.
    fn counters(&mut self, key: &str, lasts: Duration) -> &mut BTreeMap<String, u64> {
        let now = Instant::now();
        self.counters.retain(|_, (_, until)| now < *until);
        let (counters, until) = self.counters.entry(key.to_owned()).or_insert_with(|| (BTreeMap::new(), now));
        *until = now + lasts;
        counters
    }
}

impl Memory {
    pub(in crate::store) fn new(announcer: Announcer) -> Self {
        Self { held: Mutex::default(), announcer }
    }

    pub(super) fn get(&self, keys: &[&str]) -> Vec<Option<Vec<u8>>> {
        let (held, now) = (self.held.lock(), Instant::now());
        keys.iter().map(|key| held.get(key, now).map(<[u8]>::to_vec)).collect()
    }

    pub(super) fn swap(&self, swap: Swap<'_>) -> bool {
        let (mut held, now) = (self.held.lock(), Instant::now());
        if held.get(swap.key, now) != swap.expected {
            return false;
        }
        match swap.value {
            Some(value) => {
                held.sweep(now);
                let until = swap.lasts.map(|lasts| now + lasts);
                held.entries.insert(swap.key.to_owned(), (value.to_vec(), until));
            }
            None => drop(held.entries.remove(swap.key)),
        }
        drop(held);
        if swap.announced {
            self.announcer.announce(Change::Key(swap.key.into()));
        }
        true
    }

    pub(super) fn add(
        &self,
        key: &str,
        counts: &[Addition<'_>],
        batch: Option<Batch<'_>>,
        lasts: Duration,
    ) -> Vec<Total> {
        let mut held = self.held.lock();
        add(held.counters(key, lasts), counts, batch)
    }

    pub(super) fn reserve(&self, key: &str, claim: Claim<'_>) -> Reserved {
        let mut held = self.held.lock();
        reserve(held.counters(key, claim.lasts), claim).0
    }

    pub(super) fn give_back(&self, key: &str, name: &str, amount: u64) {
        let mut held = self.held.lock();
        if let Some((counters, _)) = held.counters.get_mut(key) {
            give_back(counters, name, amount);
        }
    }

    pub(super) fn counts(&self, key: &str) -> Vec<(String, Total)> {
        let (held, now) = (self.held.lock(), Instant::now());
        let counters = held.counters.get(key).filter(|(_, until)| now < *until);
        let counts = counters.into_iter().flat_map(|(counts, _)| counts);
        counts.map(|(name, count)| (name.clone(), total_of(name, *count))).collect()
    }

    pub(super) fn entries(&self, prefix: &str) -> Vec<Entry> {
        let (held, now) = (self.held.lock(), Instant::now());
        let live = held.entries.iter().filter(|(_, (_, until))| until.is_none_or(|until| now < until));
        let named = live.filter(|(key, _)| key.starts_with(prefix));
        named
            .map(|(key, (value, until))| Entry {
                key: key.clone(),
                value: Ok(value.clone()),
                lasts: until.map(|until| until - now),
            })
            .collect()
    }
}

/// Adds `counts` to `counters`, unless that batch was added before; what each comes to.
pub(super) fn add(
    counters: &mut BTreeMap<String, u64>,
    counts: &[Addition<'_>],
    batch: Option<Batch<'_>>,
) -> Vec<Total> {
    let added = batch.is_some_and(|batch| {
        let mark = batch.mark();
        let last = counters.entry(mark.clone()).or_default();
        let before = total_of(&mark, *last).unwrap_or_default();
        *last = batch.number.max(before);
        before >= batch.number
    });
    let total = |Addition { name, by, known }: &Addition<'_>| {
        let count = counters.entry((*name).to_owned()).or_default();
        // An impossible number of resets counts as zero.
        let stored = total_of(name, *count).or_else(|| reset_of(name).map(|_| 0))?;
        let total = (*known).max(stored).saturating_add(if added { 0 } else { *by });
        *count = total;
        Some(total)
    };
    counts.iter().map(total).collect()
}

/// Grants as much of what is wanted as there is, and tells whether that changed the counters.
pub(super) fn reserve(counters: &mut BTreeMap<String, u64>, claim: Claim<'_>) -> (Reserved, bool) {
    let reset = resets_of(claim.name);
    let stored = counters.get(&reset).and_then(|count| total_of(&reset, *count)).unwrap_or_default();
    let resets = stored.max(claim.resets);
    if resets > stored {
        counters.insert(reset, resets);
    }
    let name = name_since(claim.name, resets);
    let highest_name = highest_of(&name);
    let highest =
        counters.get(&highest_name).and_then(|count| total_of(&highest_name, *count)).unwrap_or_default();
    let lost = resets == claim.resets && highest < claim.known;
    let known = if lost { claim.known } else { 0 };
    let returned = total_of(&name, counters.get(&returned_of(&name)).copied().unwrap_or_default());
    let used = counters.entry(name.to_string()).or_default();
    let (Some(returned), Some(before)) = (returned, total_of(&name, *used)) else {
        return (Reserved { resets, ..Reserved::default() }, resets > stored);
    };
    let found = before.max(known.saturating_sub(returned));
    let left = claim.limit.saturating_sub(found);
    let granted = claim.want.min(left);
    *used = found.saturating_add(granted);
    let (now, total) = (*used, used.saturating_add(returned));
    if total > highest {
        counters.insert(highest_name, total);
    }
    let reserved = Reserved { granted, left: left - granted, total, used: Some(now), resets };
    (reserved, now != before || total > highest || resets > stored)
}

/// Gives back what was granted, and tells whether that changed the counters.
pub(super) fn give_back(counters: &mut BTreeMap<String, u64>, name: &str, amount: u64) -> bool {
    let Some(used) = counters.get_mut(name).filter(|used| total_of(name, **used).is_some()) else {
        return false;
    };
    let returned = amount.min(*used);
    *used -= returned;
    if returned > 0 {
        let all = counters.entry(returned_of(name)).or_default();
        *all = all.saturating_add(returned);
    }
    returned > 0
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use tokio::time::advance;

    use super::{Announcer, Claim, Memory, Swap, give_back, reserve};

    #[tokio::test(start_paused = true)]
    async fn what_has_ended_takes_no_more_room_than_what_has_not() {
        let memory = Memory::new(Announcer::default());
        let second = Duration::from_secs(1);
        for number in 0..10_000 {
            let key = format!("leases/{number}");
            let swap =
                Swap { key: &key, expected: None, value: Some(b"x"), lasts: Some(second), announced: false };
            assert!(memory.swap(swap));
            advance(second / 100).await;
        }
        // A hundred of them last.
        assert!(memory.held.lock().entries.len() <= 2 * 100 + 64, "{}", memory.held.lock().entries.len());
    }

    #[test]
    fn what_version_0_1_0_gives_back_is_no_loss_and_what_is_lost_later_is() {
        let mut counters = BTreeMap::new();
        let reserved = |counters: &mut BTreeMap<String, u64>, want, known| {
            let lasts = Duration::from_secs(60);
            let claim = Claim { name: "b", want, limit: 100, known, resets: 0, lasts };
            let (reserved, _) = reserve(counters, claim);
            (reserved.granted, reserved.left, reserved.total)
        };
        assert_eq!(reserved(&mut counters, 10, 0), (10, 90, 10));
        // That version reserves 30, and gives 20 of them back.
        *counters.entry("b".to_owned()).or_default() += 30;
        assert_eq!(reserved(&mut counters, 0, 10), (0, 60, 40));
        *counters.entry("b".to_owned()).or_default() -= 20;
        assert_eq!(reserved(&mut counters, 5, 40), (5, 75, 25));
        assert!(give_back(&mut counters, "b", 5));
        assert_eq!(reserved(&mut counters, 0, 40), (0, 80, 25));
        // A running replica knows of more than a store that was flushed.
        counters.clear();
        assert_eq!(reserved(&mut counters, 1, 40), (1, 59, 41));
    }
}
