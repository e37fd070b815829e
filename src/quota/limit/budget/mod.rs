//! A budget of requests for a Beijing day, counted in the store for all replicas together.
//!
//! A replica reserves slices ahead, which shrink with what is left: of the last ones it reserves
//! one by one, or as many as requests wait for at that moment, so that none lies idle while another
//! replica has need of it. What it reserved and lost (a crash, a response that didn't come) is
//! never spent; nor is what it never reserved.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::{Instant, timeout_at};

use crate::observe::clock::{Clock, Timestamp};
use crate::store::{LATE, Store};
use crate::texts::text;

/// How long the store isn't asked again after it had nothing to give, so that refusals cost it
/// nothing.
pub(super) const ASK_AGAIN: Duration = Duration::from_secs(1);
/// A slice is this part of what is left.
const PART: u64 = 64;
/// Of the largest budgets: more would be lost with a replica, and not be asked for much less often.
const LARGEST_SLICE: u64 = 1000;

/// Where budgets are counted, and by whom.
#[derive(Clone, Debug)]
pub(super) struct Office {
    pub store: Store,
    pub clock: Clock,
    pub runtime: Handle,
}

/// A budget.
#[derive(Debug)]
pub struct Budget {
    slice: Slice,
    name: String,
    limit: AtomicU64,
    /// What was unreserved according to the store's last response.
    left: AtomicU64,
    /// Until when the store isn't asked, in milliseconds, since it had nothing to give.
    spent_until: AtomicI64,
    /// The same, since it failed.
    down_until: AtomicI64,
    /// Requests that wait for a slice.
    waiting: AtomicU32,
    /// Its holder asks the store; others wait for the result.
    turn: Arc<Mutex<Reserved>>,
    office: Office,
}

/// What the store told that all replicas had reserved of a day, in case it forgets.
#[derive(Debug, Default)]
struct Reserved {
    day: i64,
    /// How often the budget was reset that day; the rest, and the slice, are of since then.
    resets: u64,
    total: u64,
}

/// What this replica has reserved and not spent: a word that all workers write to, on a cache line
/// of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Slice {
    /// The day in the upper half, so that its end voids what is left.
    packed: AtomicU64,
    /// With less than this left, the next slice is reserved.
    low: AtomicU32,
}

/// Why there is nothing to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lack {
    Spent,
    /// The store is down, or too slow.
    Store,
}

/// One request that was taken from a budget.
#[derive(Debug)]
pub struct Taken<'b> {
    budget: &'b Budget,
    day: u32,
}

/// How long a request waits for the store, for all of its budgets together.
#[derive(Debug, Default)]
pub struct Wait(Option<Instant>);

impl Wait {
    /// From the first time that there is something to wait for.
    fn deadline(&mut self) -> Instant {
        *self.0.get_or_insert_with(|| Instant::now() + LATE)
    }
}

/// One more request that waits, for as long as it does.
struct Waiting<'b>(&'b AtomicU32);

impl<'b> Waiting<'b> {
    fn on(waiting: &'b AtomicU32) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Taken<'_> {
    /// The request wasn't sent after all.
    pub fn put_back(self) {
        self.budget.slice.put(self.day, 1);
    }
}

impl Slice {
    /// Takes one, and tells how much is left then.
    fn take(&self, day: u32) -> Option<u32> {
        let take = |packed| {
            let (of, left) = unpack(packed);
            (of == day && left > 0).then(|| pack(of, left - 1))
        };
        let before = self.packed.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).ok()?;
        Some(unpack(before).1 - 1)
    }

    /// Adds what was reserved for `day`; nothing once a later day has begun.
    fn put(&self, day: u32, amount: u32) {
        let put = |packed| {
            let (of, left) = unpack(packed);
            let left = if of == day { left.saturating_add(amount) } else { amount };
            (of <= day).then(|| pack(day, left))
        };
        // What was reserved for a day that is over is worth nothing.
        let _ = self.packed.fetch_update(Ordering::AcqRel, Ordering::Acquire, put);
    }

    /// What is left for `day`.
    fn left(&self, day: u32) -> u32 {
        let (of, left) = unpack(self.packed.load(Ordering::Acquire));
        if of == day { left } else { 0 }
    }

    /// Forgets a day that is yet to come: the clock was ahead, and what is reserved for `day` would
    /// find no place.
    fn come_back(&self, day: u32) {
        let back = |packed| (unpack(packed).0 > day).then_some(0);
        // Nothing to forget is the rule.
        let _ = self.packed.fetch_update(Ordering::AcqRel, Ordering::Acquire, back);
    }

    /// Takes all, and tells of which day it was.
    fn take_all(&self) -> (u32, u32) {
        unpack(self.packed.swap(0, Ordering::AcqRel))
    }

    fn is_low(&self, left: u32) -> bool {
        left < self.low.load(Ordering::Relaxed)
    }
}

fn pack(day: u32, left: u32) -> u64 {
    u64::from(day) << 32 | u64::from(left)
}

fn unpack(packed: u64) -> (u32, u32) {
    ((packed >> 32) as u32, packed as u32)
}

fn day_of(now: Timestamp) -> u32 {
    u32::try_from(now.beijing_day()).unwrap_or_default()
}

/// How much to reserve where so much is left.
fn slice_of(left: u64) -> u64 {
    (left / PART).clamp(1, LARGEST_SLICE)
}

impl Budget {
    pub(super) fn new(name: String, limit: u64, office: Office) -> Self {
        Self {
            slice: Slice::default(),
            name,
            limit: AtomicU64::new(limit),
            left: AtomicU64::default(),
            spent_until: AtomicI64::default(),
            down_until: AtomicI64::default(),
            waiting: AtomicU32::default(),
            turn: Arc::default(),
            office,
        }
    }

    /// Takes one request, from what is reserved if there is any.
    pub(super) async fn take(self: &Arc<Self>, wait: &mut Wait) -> Result<Taken<'_>, Lack> {
        loop {
            let now = self.office.clock.now();
            let day = day_of(now);
            if let Some(left) = self.slice.take(day) {
                if self.slice.is_low(left) {
                    self.refill_ahead(now);
                }
                return Ok(Taken { budget: self, day });
            }
            self.lack(now)?;
            let waiting = Waiting::on(&self.waiting);
            if timeout_at(wait.deadline(), self.refilled()).await.is_err() {
                return Err(Lack::Store);
            }
            drop(waiting);
        }
    }

    /// What is known without asking the store.
    fn lack(&self, now: Timestamp) -> Result<(), Lack> {
        // A clock that was set back must not make this last.
        let holds =
            |until: &AtomicI64| (1..=1000).contains(&(until.load(Ordering::Relaxed).saturating_sub(now.0)));
        if self.limit.load(Ordering::Relaxed) == 0 || holds(&self.spent_until) {
            Err(Lack::Spent)
        } else if holds(&self.down_until) {
            Err(Lack::Store)
        } else {
            Ok(())
        }
    }

    /// Returns when there is something to take, or a lack is known.
    async fn refilled(self: &Arc<Self>) {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let now = self.office.clock.now();
        if self.slice.left(day_of(now)) == 0 && self.lack(now).is_ok() {
            // A task of its own: what is reserved must not be lost with a caller that hangs up.
            let _ = self.office.runtime.spawn(Arc::clone(self).refill(turn)).await;
        }
    }

    /// Has the next slice reserved while there is still something of this one.
    fn refill_ahead(self: &Arc<Self>, now: Timestamp) {
        if self.lack(now).is_ok()
            && let Ok(turn) = Arc::clone(&self.turn).try_lock_owned()
            && self.slice.is_low(self.slice.left(day_of(now)))
        {
            drop(self.office.runtime.spawn(Arc::clone(self).refill(turn)));
        }
    }

    async fn refill(self: Arc<Self>, mut turn: OwnedMutexGuard<Reserved>) {
        let Office { store, clock, .. } = &self.office;
        let day = clock.now().beijing_day();
        if turn.day != day {
            *turn = Reserved { day, ..Reserved::default() };
        }
        self.slice.come_back(day_of(clock.now()));
        let waiting = u64::from(self.waiting.load(Ordering::Relaxed)).min(LARGEST_SLICE);
        let want = slice_of(self.left.load(Ordering::Relaxed)).max(waiting);
        let limit = self.limit.load(Ordering::Relaxed);
        let Reserved { resets, total, .. } = *turn;
        let mut reserve = pin!(store.reserve(day, &self.name, want, limit, total, resets));
        let reserved = match store.promptly(&mut reserve).await {
            Some(reserved) => reserved,
            None => {
                // Those who come now need not wait as long as those who are here.
                self.down_until.store(clock.now().plus(ASK_AGAIN).0, Ordering::Relaxed);
                reserve.await
            }
        };
        let now = clock.now();
        match reserved {
            Ok(reserved) => {
                self.down_until.store(0, Ordering::Relaxed);
                if reserved.resets > turn.resets {
                    *turn = Reserved { day, resets: reserved.resets, total: 0 };
                    self.slice.take_all();
                }
                // Beyond the limit is what no replica of this limit was granted: published again,
                // it would outlive the key that an operator removed to be rid of it.
                if reserved.used.is_some_and(|used| used <= limit) {
                    turn.total = turn.total.max(reserved.total.min(limit));
                }
                self.left.store(reserved.left, Ordering::Relaxed);
                // The last ones are not reserved ahead, or an idle replica would keep them from a
                // busy one.
                let next = slice_of(reserved.left);
                let low = if next > 1 { u32::try_from(next.div_ceil(2)).unwrap_or(0) } else { 0 };
                self.slice.low.store(low, Ordering::Relaxed);
                self.slice.put(
                    u32::try_from(day).unwrap_or_default(),
                    u32::try_from(reserved.granted).unwrap_or(u32::MAX),
                );
                // Not on the next day, if it has begun meanwhile.
                if reserved.granted == 0 && now.beijing_day() == day {
                    let until = now.plus(ASK_AGAIN).min(now.beijing_midnight());
                    self.spent_until.store(until.0, Ordering::Relaxed);
                }
            }
            Err(_) => self.down_until.store(now.plus(ASK_AGAIN).0, Ordering::Relaxed),
        }
        drop(turn);
    }

    /// Changes the limit. What was reserved under the former one goes back.
    pub(super) fn resize(self: &Arc<Self>, limit: u64) {
        if self.limit.swap(limit, Ordering::Relaxed) != limit {
            self.spent_until.store(0, Ordering::Relaxed);
            self.left.store(0, Ordering::Relaxed);
            self.release();
        }
    }

    /// Its name in the store.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// How often it was reset on `day`, as far as is known.
    pub(super) async fn resets(&self, day: i64) -> u64 {
        let turn = self.turn.lock().await;
        if turn.day == day { turn.resets } else { 0 }
    }

    /// It was reset on `day`, for the `resets`th time: what was reserved before counts for nothing.
    pub(super) async fn reset(&self, day: i64, resets: u64) {
        let mut turn = self.turn.lock().await;
        if (day, resets) > (turn.day, turn.resets) {
            *turn = Reserved { day, resets, total: 0 };
            self.slice.take_all();
        }
        self.left.store(0, Ordering::Relaxed);
        self.spent_until.store(0, Ordering::Relaxed);
        drop(turn);
    }

    /// Gives back what is reserved, in the background. Requests that are on their way may reserve
    /// more.
    pub(super) fn release(self: &Arc<Self>) {
        let budget = Arc::clone(self);
        drop(self.office.runtime.spawn(async move { budget.give_back().await }));
    }

    /// Gives back what was reserved and not spent; where the store doesn't take it, it is lost
    /// until the day ends.
    pub(super) async fn give_back(&self) {
        // A slice on its way arrives first.
        let turn = self.turn.lock().await;
        let (day, left) = self.slice.take_all();
        if left > 0 {
            let (day, left) = (i64::from(day), u64::from(left));
            let given = self.office.store.give_back(day, &self.name, left, turn.resets).await;
            if let Err(error) = given {
                let (name, why) = (&self.name, error.chain());
                let text = text!(
                    "could not return {left} unused requests of the daily limit {name}: {why}",
                    left,
                    name,
                    why
                );
                tracing::warn!("{text}");
            }
        }
    }
}

#[cfg(test)]
mod tests;
