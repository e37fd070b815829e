//! A look at the token that the store holds, without a refresh task.

use std::time::Duration;

use super::credential::Credential;
use super::fetch::probe;
use super::options::AppOptions;
use crate::observe::clock::Timestamp;
use crate::store::{Store, StoreError};
use crate::upstream::control::Control;
use crate::wechat::errcode::Proof;

/// Whether the store's token is valid, found out without a fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// WeChat accepts it.
    Alive,
    /// WeChat rejects it.
    Dead,
    /// WeChat could not be reached, or its response proves nothing.
    Undecided,
    /// There is none, or it has expired.
    Missing,
}

/// Probes the token that the store holds for `app`.
///
/// # Errors
/// The store failed.
pub async fn probe_stored(
    store: &Store,
    control: &Control,
    app: &AppOptions,
    now: Timestamp,
    timeout: Duration,
) -> Result<Stored, StoreError> {
    let credential = Credential::main(app);
    let record = store.load(&credential.key(app)).await?;
    let Some(record) = record.filter(|record| record.expires_at > now) else { return Ok(Stored::Missing) };
    Ok(match probe(control, app, credential.issuer, &record.value, timeout).await {
        Proof::Alive => Stored::Alive,
        Proof::Dead => Stored::Dead,
        Proof::Undecided => Stored::Undecided,
    })
}
