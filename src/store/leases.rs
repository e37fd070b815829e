//! Leases: who is the only one that fetches.

use std::time::Duration;

use super::engine::Swap;
use super::operations::Operation;
use super::{Store, StoreError};

/// Follows the owner of a lease, which acquisition of its it is, and what tells renewals apart.
/// Replicas of before there were acquisitions have the owner in front as well.
const SEPARATOR: char = ':';

/// The right to be the only one that fetches, until it ends or is released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What it is for.
    pub key: String,
    /// Who holds it.
    pub owner: String,
    /// Whether another owner held it until it was taken over.
    pub taken_over: bool,
    /// Tells it from others of the same owner: what is done late must not end a later one.
    acquisition: u64,
}

impl Lease {
    /// How its value begins, whichever renewal it is.
    fn prefix(&self) -> String {
        format!("{}{SEPARATOR}{:016x}{SEPARATOR}", self.owner, self.acquisition)
    }

    /// Its value from now on.
    fn renewed(&self) -> String {
        format!("{}{:08x}", self.prefix(), fastrand::u32(..))
    }
}

/// Another owner's lease, as it stood. Each renewal changes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder(pub(super) Vec<u8>);

impl Holder {
    /// What stays the same over renewals.
    pub fn owner(&self) -> &[u8] {
        self.0.split(|byte| *byte == SEPARATOR as u8).next().unwrap_or_default()
    }

    fn is(&self, lease: &Lease) -> bool {
        self.0.starts_with(lease.prefix().as_bytes())
    }
}

impl Store {
    /// Takes the lease of `key` for `lasts`, or tells which other owner holds it. Its owner may
    /// take it again.
    pub async fn lease(
        &self,
        key: &str,
        owner: &str,
        lasts: Duration,
    ) -> Result<Result<Lease, Holder>, StoreError> {
        self.lease_over(key, owner, None, lasts).await
    }

    /// The same, also if another owner holds it that is `over`: one that no longer runs, or never
    /// did.
    pub async fn lease_over(
        &self,
        key: &str,
        owner: &str,
        over: Option<&Holder>,
        lasts: Duration,
    ) -> Result<Result<Lease, Holder>, StoreError> {
        let mut lease = Lease {
            key: key.to_owned(),
            owner: owner.to_owned(),
            taken_over: false,
            acquisition: fastrand::u64(..),
        };
        self.run(Operation::Lease, async {
            loop {
                let holder = self.holder(&lease).await?;
                lease.taken_over = holder.as_ref().is_some_and(|holder| holder.owner() != owner.as_bytes());
                match holder {
                    Some(other) if lease.taken_over && over != Some(&other) => return Ok(Err(other)),
                    before => {
                        if self.replace(&lease, before.as_ref(), Some(lasts)).await? {
                            return Ok(Ok(lease));
                        }
                    }
                }
            }
        })
        .await
    }

    /// Makes the lease last for `lasts` from now; `false` if it was lost meanwhile.
    pub async fn renew(&self, lease: &Lease, lasts: Duration) -> Result<bool, StoreError> {
        self.run(Operation::Lease, async {
            loop {
                let holder = self.holder(lease).await?;
                // A store that was flushed has it back from here.
                if holder.as_ref().is_some_and(|holder| !holder.is(lease)) {
                    return Ok(false);
                }
                if self.replace(lease, holder.as_ref(), Some(lasts)).await? {
                    return Ok(true);
                }
            }
        })
        .await
    }

    /// Gives the lease back, if it is still held.
    pub async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        self.run(Operation::Release, async {
            loop {
                let Some(own) = self.holder(lease).await?.filter(|holder| holder.is(lease)) else {
                    return Ok(());
                };
                // An abandoned renewal may still have been in progress.
                if self.replace(lease, Some(&own), None).await? {
                    return Ok(());
                }
            }
        })
        .await
    }

    /// Who holds what the lease is for.
    async fn holder(&self, lease: &Lease) -> Result<Option<Holder>, StoreError> {
        Ok(self.get(&lease_entry(&lease.key)).await?.map(Holder))
    }

    /// Puts the lease where `before` is, for as long as it `lasts`, or ends it; whether that was
    /// there.
    async fn replace(
        &self,
        lease: &Lease,
        before: Option<&Holder>,
        lasts: Option<Duration>,
    ) -> Result<bool, StoreError> {
        let value = lasts.map(|_| lease.renewed());
        let swap = Swap {
            key: &lease_entry(&lease.key),
            expected: before.map(|holder| holder.0.as_slice()),
            value: value.as_ref().map(String::as_bytes),
            lasts,
            announced: false,
        };
        self.0.engine.swap(swap).await
    }
}

fn lease_entry(key: &str) -> String {
    format!("lease:{key}")
}
