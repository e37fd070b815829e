//! Whether the store is up, so that nobody waits for one that is down.

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::StoreError;

/// A store that failed is down until a probe in the background succeeds.
#[derive(Debug, Default)]
pub(super) struct Health {
    /// Why it is down. Locked for a look or a change, never over an await.
    problem: Mutex<Option<String>>,
    fell: Notify,
}

impl Health {
    /// Why the store is down, if it is.
    pub(super) fn problem(&self) -> Option<String> {
        self.problem.lock().clone()
    }

    pub(super) fn up(&self) -> bool {
        self.problem.lock().is_none()
    }

    /// An operation failed, or another probe did.
    pub(super) fn fell(&self, error: &StoreError) {
        let text = error.chain().to_string();
        let before = self.problem.lock().replace(text.clone());
        if before.is_none() {
            tracing::warn!("the store is down, tokens are served from memory: {text}");
            self.fell.notify_one();
        }
    }

    /// A probe succeeded.
    pub(super) fn rose(&self) {
        if self.problem.lock().take().is_some() {
            tracing::info!("the store is back");
        }
    }

    /// Waits until the store is down.
    pub(super) async fn down(&self) {
        while self.up() {
            self.fell.notified().await;
        }
    }
}
