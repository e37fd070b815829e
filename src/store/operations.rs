//! What is counted of the store's operations.

use std::sync::atomic::{AtomicU64, Ordering};

use super::StoreError;
use crate::observe::exposition::Exposition;

/// What was asked of the store.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
    Load,
    Save,
    Lease,
    Release,
    Force,
    Count,
    Reserve,
    Probe,
}

/// How it went.
#[derive(Clone, Copy, Debug)]
enum Outcome {
    Ok,
    Error,
    Timeout,
    /// Not tried, or given up, since the store is down.
    Skipped,
}

/// Counters by operation and outcome. Off the request's way, so shared by all threads.
#[derive(Debug, Default)]
pub(super) struct Operations([[AtomicU64; Outcome::ALL.len()]; Operation::ALL.len()]);

impl Operation {
    const ALL: [Self; 8] = [
        Self::Load,
        Self::Save,
        Self::Lease,
        Self::Release,
        Self::Force,
        Self::Count,
        Self::Reserve,
        Self::Probe,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Save => "save",
            Self::Lease => "lease",
            Self::Release => "release",
            Self::Force => "force",
            Self::Count => "count",
            Self::Reserve => "reserve",
            Self::Probe => "probe",
        }
    }
}

impl Outcome {
    const ALL: [Self; 4] = [Self::Ok, Self::Error, Self::Timeout, Self::Skipped];

    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Timeout => "timeout",
            Self::Skipped => "skipped",
        }
    }
}

impl Operations {
    pub(super) fn count<T>(&self, operation: Operation, result: &Result<T, StoreError>) {
        let outcome = match result {
            Ok(_) => Outcome::Ok,
            Err(error) if error.is_late() => Outcome::Timeout,
            Err(_) => Outcome::Error,
        };
        self.add(operation, outcome);
    }

    pub(super) fn skipped(&self, operation: Operation) {
        self.add(operation, Outcome::Skipped);
    }

    fn add(&self, operation: Operation, outcome: Outcome) {
        self.0[operation as usize][outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn expose(&self, out: &mut Exposition) {
        out.counter(
            "wxgate_store_operations_total",
            "Operations of the store by outcome (ok, error, timeout, skipped: the store is down or late).",
        );
        for operation in Operation::ALL {
            for outcome in Outcome::ALL {
                let count = self.0[operation as usize][outcome as usize].load(Ordering::Relaxed);
                if count > 0 {
                    let labels = [("operation", operation.as_str()), ("outcome", outcome.as_str())];
                    out.sample(&labels, count as f64);
                }
            }
        }
    }
}
