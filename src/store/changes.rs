//! Word of what others wrote.

use std::sync::Arc;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// A reader that is further behind is told to look at everything.
const BACKLOG: usize = 256;

/// What may have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The entry of this key.
    Key(Arc<str>),
    /// Anything: the store is back, announcements may have been lost, or it is time to look.
    Any,
}

/// Where changes are told. Clones tell the same readers.
#[derive(Clone, Debug)]
pub(super) struct Announcer(broadcast::Sender<Change>);

/// The changes since this was asked for.
#[derive(Debug)]
pub struct Changes(broadcast::Receiver<Change>);

impl Default for Announcer {
    fn default() -> Self {
        Self(broadcast::Sender::new(BACKLOG))
    }
}

impl Announcer {
    pub(super) fn announce(&self, change: Change) {
        // Without a reader there is nothing to do.
        let _ = self.0.send(change);
    }

    pub(super) fn changes(&self) -> Changes {
        Changes(self.0.subscribe())
    }
}

impl Changes {
    /// The next change; `None` once the store is gone.
    pub async fn next(&mut self) -> Option<Change> {
        match self.0.recv().await {
            Ok(change) => Some(change),
            Err(RecvError::Lagged(_)) => Some(Change::Any),
            Err(RecvError::Closed) => None,
        }
    }
}
