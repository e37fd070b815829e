//! How many connections there are.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::observe::exposition::Exposition;

/// The connections of a worker, on a cache line of their own, so that workers don't slow each
/// other.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Count {
    open: AtomicUsize,
    active: AtomicUsize,
    parked: AtomicUsize,
}

/// A connection that is parked.
pub(super) struct Parked(Arc<Count>);

impl Drop for Parked {
    fn drop(&mut self) {
        self.0.parked.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Count {
    pub(super) fn get(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn remove(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn parked(&self) -> usize {
        self.parked.load(Ordering::Relaxed)
    }

    /// Counts a connection that parks, until what is given is dropped.
    pub(super) fn park(self: &Arc<Self>) -> Parked {
        self.parked.fetch_add(1, Ordering::Relaxed);
        Parked(Arc::clone(self))
    }

    /// Changes how many have a request in flight. Only the worker's own thread does so, so a load
    /// and a store do.
    pub(super) fn works(&self, change: impl FnOnce(usize) -> usize) {
        self.active.store(change(self.active.load(Ordering::Relaxed)), Ordering::Relaxed);
    }
}

impl Count {
    /// Adds the connections of all workers to a scrape.
    pub(super) fn expose(workers: &[Arc<Self>], out: &mut Exposition) {
        let sum = |of: fn(&Self) -> &AtomicUsize| -> usize {
            workers.iter().map(|count| of(count).load(Ordering::Relaxed)).sum()
        };
        let active = sum(|count| &count.active);
        let idle = sum(|count| &count.open).saturating_sub(active);
        out.gauge("wxgate_connections", "Open connections of callers, with a request at work or without.");
        out.sample(&[("state", "active")], active as f64);
        out.sample(&[("state", "idle")], idle as f64);
    }
}
