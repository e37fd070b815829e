//! What the tasks of a process share, each part behind a lock of its own.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime;
use tokio::sync::broadcast;
use tokio::task::AbortHandle;

use super::clears::Clears;
use super::counts::ledger::Ledger;
use super::counts::tally::Tally;
use super::usage::figures::Notes;
use super::usage::pace::Pace;
use super::{App, Ask, Warning, WarningKind};
use crate::observe::clock::{Clock, Timestamp};
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
    /// Whoever holds it talks with the store about counters; two at once would count a batch twice,
    /// or take old totals for new ones.
    pub(super) turn: tokio::sync::Mutex<()>,
    /// Locked for a look, never over an await; so are the others.
    pub(super) ledger: Mutex<Ledger>,
    pub(super) watched: Mutex<Vec<Watched>>,
    pub(super) warned: Mutex<BTreeMap<(Arc<str>, WarningKind), u64>>,
    pub(super) warnings: broadcast::Sender<Warning>,
    pub(super) tasks: Mutex<Vec<AbortHandle>>,
}

/// An app, and what is known of its quotas.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) app: App,
    pub(super) label: u16,
    pub(super) notes: Notes,
    pub(super) clears: Clears,
    /// Of what follows.
    pub(super) day: i64,
    /// When each endpoint was first called today.
    pub(super) since: HashMap<&'static str, Timestamp>,
    /// How often WeChat said today that an endpoint's quota is used up, and when that last grew.
    pub(super) refused: HashMap<&'static str, (u64, Timestamp)>,
    /// How fast each is spent whose figures are known.
    pub(super) paces: HashMap<&'static str, Pace>,
}

impl Watched {
    pub(super) fn new(app: App, label: u16) -> Self {
        Self {
            app,
            label,
            notes: Notes::default(),
            day: 0,
            clears: Clears::default(),
            since: HashMap::new(),
            refused: HashMap::new(),
            paces: HashMap::new(),
        }
    }
}

impl Shared {
    /// What is known of an app, if it is still configured.
    pub(super) fn of<R>(&self, app: &App, look: impl FnOnce(&mut Watched) -> R) -> Option<R> {
        self.watched.lock().iter_mut().find(|watched| watched.app.identity == app.identity).map(look)
    }
}
