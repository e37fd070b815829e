//! The way of the counters into the store, once a second, and of the other replicas' out of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::counts::ledger::{self, Offered};
use super::counts::tally::Counts;
use super::shared::Shared;
use crate::store::{Addition, Batch, StoreError, Total};

/// What a killed process loses at most.
const FLUSH: Duration = Duration::from_secs(1);
/// How often the other replicas' counters are looked at.
const LOOK: Duration = Duration::from_secs(10);

pub(super) async fn run(quota: Arc<Shared>) {
    let mut looked: Option<Instant> = None;
    let mut ticks = interval(FLUSH);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let midnight = quota.clock.now().beijing_midnight().since(quota.clock.now());
        tokio::select! {
            _ = ticks.tick() => {}
            // The last second's calls are the ending day's.
            () = sleep(midnight) => {}
        }
        let day = quota.ledger.lock().day();
        quota.flush().await;
        let turned = quota.ledger.lock().day() != day;
        if (turned || looked.is_none_or(|at| at.elapsed() >= LOOK)) && quota.look().await {
            looked = Some(Instant::now());
        }
    }
}

impl Shared {
    /// Takes what the workers counted, and offers it to the store.
    pub(super) async fn flush(&self) {
        let _turn = self.turn.lock().await;
        // What failed is offered again.
        let _ = self.flush_in_turn().await;
    }

    /// The same for who has the turn.
    pub(super) async fn flush_in_turn(&self) -> Result<(), StoreError> {
        self.take();
        loop {
            let Some(offered) = self.ledger.lock().offer() else { return Ok(()) };
            let totals = self.offer(&offered).await?;
            self.ledger.lock().accepted(&offered, &totals);
        }
    }

    /// What the workers counted until now is the ledger's, and of the day that it was counted on.
    pub(super) fn take(&self) {
        let now = self.clock.now();
        let mut ledger = self.ledger.lock();
        let mut spare = Counts::default();
        std::mem::swap(&mut spare, ledger.spare());
        self.tally.drain(&mut spare, |counts| ledger.take(counts, now));
        *ledger.spare() = spare;
        ledger.turn(now.beijing_day());
    }

    /// A store that fails is one that is offered the same batch again.
    async fn offer(&self, offered: &Offered) -> Result<Vec<Total>, StoreError> {
        let names = self.names.all();
        let counts: Vec<_> = {
            let ledger = self.ledger.lock();
            let known = |key| ledger.known(offered.day, key);
            let counts = offered.counts.iter();
            let resets = |app| if offered.day == ledger.day() { ledger.resets(app) } else { 0 };
            counts.map(|(key, by)| (ledger::name_of(key, &names, resets(key.app)), *by, known(key))).collect()
        };
        let counts: Vec<_> =
            counts.iter().map(|(name, by, known)| Addition { name, by: *by, known: *known }).collect();
        let batch = Batch { writer: &self.writer, number: offered.number };
        self.store.add_once(offered.day, &counts, batch).await
    }

    /// Learns what other replicas, and this one before a restart, have counted today.
    pub(super) async fn look(&self) -> bool {
        let _turn = self.turn.lock().await;
        let day = self.ledger.lock().day();
        if !self.ledger.lock().settled() {
            return false;
        }
        let Ok(counts) = self.store.counts(day).await else { return false };
        let names = self.names.all();
        let labels: HashMap<&str, u16> = (0..).zip(&names).map(|(label, name)| (&**name, label)).collect();
        let lost: Vec<_> = {
            let mut ledger = self.ledger.lock();
            if ledger.day() == day {
                ledger.learn(&counts, |name| labels.get(name).copied());
            }
            let name = |label: u16| names.get(usize::from(label)).map_or("", |name| &**name);
            let resets = ledger.all_resets().map(|(app, resets)| (name(app), resets));
            resets
                .filter(|(app, resets)| {
                    !counts.resets.iter().any(|(name, told)| name == app && told >= resets)
                })
                .collect()
        };
        if !lost.is_empty() {
            // Otherwise they are missing at the next look, too.
            let _ = self.store.keep_resets(day, &lost).await;
        }
        true
    }
}
