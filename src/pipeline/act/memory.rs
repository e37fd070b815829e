//! What bodies may take of memory and of the spool folder, all of a process together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::pipeline::options::ReplayOptions;

/// Bodies of known callers up to here are read whole before they are sent (they mostly came with
/// the head), and count for nothing here: the limit of requests in flight bounds them.
pub(crate) const SMALL: u64 = 64 * 1024;

/// What is left of `replay.memory` and `replay.spool`. Most requests leave it alone.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(super) known: Arc<Budget>,
    pub(super) strangers: Arc<Budget>,
    pub(super) spool: Arc<Budget>,
}

impl Memory {
    pub(crate) fn new(options: &ReplayOptions) -> Self {
        Self {
            known: Budget::new(options.of_known()),
            strangers: Budget::new(options.of_strangers()),
            spool: Budget::new(options.spool),
        }
    }
}

/// Bytes that all workers take from, on a cache line of their own.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Budget(AtomicU64);

impl Budget {
    fn new(bytes: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(bytes)))
    }

    /// So many bytes, given back on drop; none if that many aren't left.
    pub(super) fn reserve(self: &Arc<Self>, bytes: u64) -> Option<Reservation> {
        let mut reservation = Reservation { budget: Arc::clone(self), bytes: 0 };
        reservation.grow(bytes).then_some(reservation)
    }
}

/// Part of a budget, given back on drop.
#[derive(Debug)]
pub(crate) struct Reservation {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Reservation {
    /// Of nothing yet.
    pub(super) fn of(budget: &Arc<Budget>) -> Self {
        Self { budget: Arc::clone(budget), bytes: 0 }
    }

    /// Takes so many bytes more; false if they aren't left.
    pub(super) fn grow(&mut self, bytes: u64) -> bool {
        let take = |left: u64| left.checked_sub(bytes);
        let taken = self.budget.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok();
        self.bytes += if taken { bytes } else { 0 };
        taken
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.0.fetch_add(self.bytes, Ordering::Relaxed);
    }
}
