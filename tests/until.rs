//! Waiting for what comes about by itself.

use std::fmt::Display;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Longer than anything takes on a busy machine; what is still missing then will not come.
pub const LOST: Duration = Duration::from_secs(60);

/// Waits until it holds. `what` says what should have, and whatever explains why it doesn't.
pub async fn until<W: Display>(what: impl FnOnce() -> W, mut holds: impl AsyncFnMut() -> bool) {
    found(what, async || holds().await.then_some(())).await;
}

/// Waits until there is something, and gives it.
pub async fn found<T, W: Display>(what: impl FnOnce() -> W, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let give_up = Instant::now() + LOST;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < give_up, "this never came about: {}", what());
        sleep(Duration::from_millis(5)).await;
    }
}
