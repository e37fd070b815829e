//! Who spends which quota: counters, WeChat's own figures, forecasts, and the limits that callers
//! are kept to.
//!
//! A worker counts into memory of its own. Once a second the ledger takes what was counted, and the
//! store adds up the replicas' days. Nothing here is on a request's way but [`Quota::begin`] and
//! [`Quota::end`].
//!
//! | file | holds |
//! | --- | --- |
//! | `counts/`, `flush` | what went through wxgate, and how it gets into the store |
//! | `usage/`, `watch` | what WeChat says of its quotas, when it is asked, and who is warned |
//! | `clear`, `clears` | letting WeChat's counters begin again, and how often that was done |
//! | `reset` | the same of wxgate's own counters and budgets |
//! | `app`, `watched` | an app and its questions; what is known of each |
//! | `accounts`, `watch_accounts` | the same of the busiest accounts that platforms act for |
//! | `shared` | what the tasks of a process share |
//! | `limit/` | what callers are kept to |
//! | `report`, `account_report`, `metrics` | what there is to see |

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime;
use tokio::sync::broadcast;

use crate::observe::clock::Clock;
use crate::observe::metrics::Sharded;
use crate::observe::names::Names;
use crate::store::Store;

mod account_report;
mod accounts;
mod app;
mod clear;
mod clears;
mod counts;
mod flush;
pub mod limit;
mod metrics;
mod report;
mod reset;
mod shared;
mod usage;
mod watch;
mod watch_accounts;
mod watched;

pub use self::account_report::AccountReport;
pub use self::app::{Answering, App, Ask, Question};
pub use self::clear::{Cleared, Remembered};
pub use self::counts::history::Range;
pub use self::counts::tally::{Call, Outcome};
pub use self::report::{AppReport, Curves, EndpointReport, Report, Totals, WarningReport};
pub use self::reset::Reset;
pub use self::usage::warning::{Blame, Warning, WarningKind};

use self::counts::ledger::Ledger;
use self::counts::tally::Tally;
use self::shared::Shared;

/// Warnings that have not been received yet.
const WARNINGS_KEPT: usize = 256;

/// The quotas of a process. Clones share them.
#[derive(Clone)]
pub struct Quota(Arc<Shared>);

impl std::fmt::Debug for Quota {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Quota").finish_non_exhaustive()
    }
}

impl Quota {
    /// Counters for `workers`. They are flushed, and WeChat is asked, on the runtime that this is
    /// called in.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(workers: usize, apps: Vec<App>, ask: Ask, store: Store, clock: Clock) -> Self {
        let day = clock.now().beijing_day();
        let (warnings, _) = broadcast::channel(WARNINGS_KEPT);
        let quota = Self(Arc::new(Shared {
            tally: Tally::new(workers),
            names: Arc::default(),
            store,
            clock,
            ask,
            writer: format!("{:016x}", fastrand::u64(..)),
            runtime: runtime::Handle::current(),
            turn: tokio::sync::Mutex::default(),
            ledger: Mutex::new(Ledger::new(day)),
            watched: Mutex::default(),
            accounts: Mutex::default(),
            account_calls: Sharded::new(workers),
            warned: Mutex::default(),
            warnings,
            tasks: Mutex::default(),
        }));
        quota.configure(apps);
        let flush = quota.0.runtime.spawn(flush::run(Arc::clone(&quota.0)));
        let watch = quota.0.runtime.spawn(watch::run(Arc::clone(&quota.0)));
        let accounts = quota.0.runtime.spawn(watch_accounts::run(Arc::clone(&quota.0)));
        let tasks = [flush, watch, accounts];
        *quota.0.tasks.lock() = tasks.iter().map(tokio::task::JoinHandle::abort_handle).collect();
        quota
    }

    /// Takes over a reloaded configuration. What is known of apps that stay is kept.
    pub fn configure(&self, apps: Vec<App>) {
        self.0.watched.lock().configure(apps, |name| self.0.names.label(name));
    }

    /// The numbers of the names of apps and callers.
    pub fn names(&self) -> &Arc<Names> {
        &self.0.names
    }

    /// Counts a call by `worker` that WeChat gets. When it begins: what WeChat has counted must be
    /// counted here too.
    pub fn begin(&self, worker: usize, app: u16, caller: u16, endpoint: u16) {
        self.0.tally.begin(worker, app, caller, endpoint);
    }

    /// The same of a call that the platform `app` makes for an account.
    pub fn begin_for(&self, worker: usize, app: u16, appid: &Arc<str>, endpoint: u16) {
        self.0.account_calls.with(worker, |counts| counts.begin(app, appid, endpoint));
    }

    /// Counts a request of `worker` that has ended.
    pub fn end(&self, worker: usize, call: &Call) {
        self.0.tally.end(worker, call);
    }

    /// The warnings that this process gives from now on.
    pub fn warnings(&self) -> broadcast::Receiver<Warning> {
        self.0.warnings.subscribe()
    }

    /// Ends, with what was counted in the store if the store is up.
    pub async fn stop(&self) {
        for task in self.0.tasks.lock().drain(..) {
            task.abort();
        }
        self.0.flush().await;
    }
}
