//! How long leases last, and what is known of another replica's lease: whether it is believed, and
//! when it is taken over.

use std::time::Duration;

use tokio::time::Instant;

use crate::store::Holder;

/// Longer than a token request, so that a replica that dies while it fetches delays the others only
/// briefly.
pub(crate) const LEASE: Duration = Duration::from_secs(4);
/// How often its owner renews it, which other replicas see.
pub(super) const LEASE_RENEWAL: Duration = Duration::from_secs(1);
/// An owner that has held the lease for so long is not fetching.
const ONE_OWNER: Duration = Duration::from_secs(15);

/// What is known of another holder of the lease.
#[derive(Debug)]
pub(super) struct OthersLease {
    holder: Holder,
    /// When it was first seen as it stands now.
    changed_at: Instant,
    /// The same, but for a store that was away meanwhile: its owner can't have renewed it then.
    unchanged_since: Option<Instant>,
    /// When the first lease of this owner was seen.
    owner_since: Instant,
}

impl OthersLease {
    /// The store said now that `holder` has it; `before` is what was known.
    pub(super) fn saw(before: Option<Self>, holder: Holder, now: Instant) -> Self {
        let first = Self { holder, changed_at: now, unchanged_since: Some(now), owner_since: now };
        match before {
            Some(before) if before.holder == first.holder => {
                Self { unchanged_since: before.unchanged_since.or(Some(now)), ..before }
            }
            Some(before) if before.holder.owner() == first.holder.owner() => {
                Self { owner_since: before.owner_since, ..first }
            }
            _ => first,
        }
    }

    /// The store didn't answer.
    pub(super) fn lost_sight(&mut self) {
        self.unchanged_since = None;
    }

    /// Whether its owner may be fetching, whatever the store says.
    pub(super) fn is_believed(&self, now: Instant) -> bool {
        now.duration_since(self.changed_at) < LEASE
    }

    /// The holder, if it can't be fetching any more. `longest` bounds a fetch for replicas whose
    /// renewals can't be seen.
    pub(super) fn stale(&self, longest: Duration, now: Instant) -> Option<&Holder> {
        let unchanged =
            self.unchanged_since.is_some_and(|since| now.duration_since(since) >= LEASE.max(longest));
        let owned = now.duration_since(self.owner_since) >= ONE_OWNER.max(longest * 2);
        (unchanged || owned).then_some(&self.holder)
    }
}
