//! How long the store is waited for, and how long what it holds lasts.

use std::time::Duration;

use tokio::time::timeout;

use super::StoreError;

/// An operation that takes longer makes the store late: what serves a request doesn't wait for it.
pub const LATE: Duration = Duration::from_millis(300);
/// One that takes longer failed, and the store is down.
pub const PATIENCE: Duration = Duration::from_secs(3);
/// A few thousand entries from a Redis far away take longer than one.
pub(super) const PATIENCE_FOR_ALL: Duration = Duration::from_secs(30);
/// A tool gives up when one step takes longer; it has time for as many steps as there is to do.
pub(super) const STEP: Duration = Duration::from_secs(30);
/// The day that a budget or counter is for has ended everywhere by then.
pub(super) const DAYS_LAST: Duration = Duration::from_secs(3 * 86_400);
/// Longer than any token is valid, so that generations continue after a long pause; but finite, so
/// that a removed app leaves nothing behind.
pub(super) const RECORDS_LAST: Duration = Duration::from_secs(30 * 86_400);

/// The result of `work` within this time.
pub(super) async fn within<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    timeout(patience, work).await.unwrap_or(Err(StoreError::Timeout(patience)))
}
