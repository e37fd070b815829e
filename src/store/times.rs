//! How long the store is waited for, and how long what it holds lasts.

use std::time::Duration;

/// The longest that anybody waits for an operation; a slower one counts as failed, and the store as
/// down.
pub const PATIENCE: Duration = Duration::from_millis(300);
/// The day that a budget or counter is for has ended everywhere by then.
pub(super) const DAYS_LAST: Duration = Duration::from_secs(3 * 86_400);
/// Longer than any token lives, so that the count of generations goes on after a long rest; shorter
/// than for ever, so that an app that is gone leaves nothing behind.
pub(super) const RECORDS_LAST: Duration = Duration::from_secs(30 * 86_400);
