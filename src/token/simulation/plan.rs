//! What a schedule consists of.

use crate::wechat::TokenMode;

/// What a schedule consists of.
pub(super) struct Plan {
    pub seed: u64,
    pub mode: TokenMode,
    pub replicas: usize,
    /// Of each replica.
    pub callers: usize,
    pub faults: bool,
    /// Whether the store stands still now and then, for less than it takes to be down.
    pub pauses: bool,
    /// Whether refresh tasks look at the store once more when they have the lease.
    pub looks_again: bool,
}

impl Plan {
    /// Delays and rotations alone.
    pub(super) fn calm(seed: u64) -> Self {
        let mode = if seed % 4 == 3 { TokenMode::Classic } else { TokenMode::Stable };
        let replicas = 1 + usize::try_from(seed % 5).unwrap_or(0);
        Self { seed, mode, replicas, callers: 4, faults: false, pauses: false, looks_again: true }
    }

    /// With crashes, outages, splits, flushes and lost responses.
    pub(super) fn rough(seed: u64) -> Self {
        Self { faults: true, ..Self::calm(seed) }
    }

    /// With pauses of the store alone, which cost nothing but time.
    pub(super) fn paused(seed: u64) -> Self {
        let mode = if seed.is_multiple_of(2) { TokenMode::Classic } else { TokenMode::Stable };
        let replicas = if seed % 4 < 2 { 2 } else { 4 };
        Self { mode, replicas, pauses: true, ..Self::calm(seed) }
    }
}
