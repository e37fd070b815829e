//! What the tasks of a process share, each part behind a lock of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime;
use tokio::sync::broadcast;
use tokio::task::AbortHandle;

use super::accounts::{AccountCalls, Accounts};
use super::counts::ledger::Ledger;
use super::counts::tally::Tally;
use super::watched::{Watched, WatchedApps};
use super::{App, Ask, Warning, WarningKind};
use crate::observe::clock::Clock;
use crate::observe::metrics::Sharded;
use crate::observe::names::Names;
use crate::store::Store;

/// What the tasks of a process share.
pub(super) struct Shared {
    pub(super) tally: Tally,
    pub(super) names: Arc<Names>,
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) ask: Ask,
    /// Names this process among those that add to the store's counters.
    pub(super) writer: String,
    pub(super) runtime: runtime::Handle,
    /// Its holder exchanges counters with the store; two at once would count a batch twice, or take
    /// old totals for new ones.
    pub(super) turn: tokio::sync::Mutex<()>,
    /// Locked for a look, never over an await; so are the others.
    pub(super) ledger: Mutex<Ledger>,
    pub(super) watched: Mutex<WatchedApps>,
    pub(super) accounts: Mutex<Accounts>,
    pub(super) account_calls: Sharded<AccountCalls>,
    pub(super) warned: Mutex<BTreeMap<(Arc<str>, WarningKind), u64>>,
    pub(super) warnings: broadcast::Sender<Warning>,
    pub(super) tasks: Mutex<Vec<AbortHandle>>,
}

impl Shared {
    /// What is known of an app, if it is still configured.
    pub(super) fn of<R>(&self, app: &App, look: impl FnOnce(&mut Watched) -> R) -> Option<R> {
        self.watched.lock().of_mut(&app.identity).map(look)
    }
}
