//! The apps, each with its refresh tasks.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::runtime;
use tokio::task::JoinHandle;

use super::app_tokens::AppTokens;
use super::authorization_code::Exchanges;
use super::suite_codes::SuiteCodes;
use crate::token::task::Deps;

/// What all clones of a [`Manager`](super::Manager) share.
#[derive(Debug)]
pub(super) struct Registry {
    pub deps: Deps,
    pub runtime: runtime::Handle,
    pub exchanges: Exchanges,
    pub codes: SuiteCodes,
    /// How many were given or taken back, here or by what other replicas announce.
    authorizations: AtomicU64,
    /// Locked for a look-up or a reload, never over an await.
    apps: Mutex<AppList>,
}

/// The apps, and what is stopped with them.
#[derive(Debug, Default)]
pub(super) struct AppList {
    /// In the order of the configuration.
    apps: Vec<AppTokens>,
    by_name: HashMap<Arc<str>, usize>,
    /// Tasks told to stop that may not have done so yet.
    pub stopping: Vec<JoinHandle<()>>,
    /// Tells tasks what other replicas write to the store.
    pub follower: Option<JoinHandle<()>>,
    /// Takes up codes that another process left.
    pub taking_up: Option<JoinHandle<()>>,
    pub fetch_timeout: Duration,
}

impl Registry {
    pub(super) fn new(deps: Deps) -> Self {
        Self {
            deps,
            runtime: runtime::Handle::current(),
            exchanges: Exchanges::default(),
            codes: SuiteCodes::default(),
            authorizations: AtomicU64::new(0),
            apps: Mutex::default(),
        }
    }

    pub(super) fn authorizations(&self) -> u64 {
        self.authorizations.load(Ordering::Acquire)
    }

    /// The store has it already.
    pub(super) fn note_authorization(&self) {
        self.authorizations.fetch_add(1, Ordering::Release);
    }

    pub(super) fn apps(&self) -> MutexGuard<'_, AppList> {
        self.apps.lock()
    }
}

impl AppList {
    /// All of them, in the order of the configuration.
    pub(super) fn all(&self) -> impl Iterator<Item = &AppTokens> {
        self.apps.iter()
    }

    pub(super) fn app(&self, name: &str) -> Option<&AppTokens> {
        self.by_name.get(name).and_then(|place| self.apps.get(*place))
    }

    pub(super) fn app_mut(&mut self, name: &str) -> Option<&mut AppTokens> {
        self.by_name.get(name).and_then(|place| self.apps.get_mut(*place))
    }

    /// Adds an app of another name than those that are there.
    pub(super) fn push(&mut self, name: Arc<str>, app: AppTokens) {
        self.by_name.insert(name, self.apps.len());
        self.apps.push(app);
    }

    /// Takes all of them out.
    pub(super) fn take(&mut self) -> Vec<AppTokens> {
        self.by_name.clear();
        std::mem::take(&mut self.apps)
    }
}
