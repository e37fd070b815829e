//! Who spends which quota: counters, WeChat's own figures, forecasts, and the limits that callers are kept to.
//!
//! A worker counts into memory of its own. Once a second the ledger takes what was counted, and the store adds up the
//! replicas' days. Nothing here is on a request's way but
//! [`Quota::begin`] and [`Quota::end`].
//!
//! | file | holds |
//! | --- | --- |
//! | `tally` | what a worker counts |
//! | `ledger`, `flush` | today's counters, and how they get into the store |
//! | `history` | the last day by minute, the last month by hour |
//! | `figures`, `watch` | what WeChat says of its quotas, and when it is asked |
//! | `pace`, `warning` | when a quota will be used up, and who is told |
//! | `clear` | letting WeChat's counters begin anew |
//! | `limit` | what callers are kept to |
//! | `report`, `metrics` | what there is to see |

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime;
use tokio::sync::broadcast;
use tokio::task::AbortHandle;

use crate::observe::clock::{Clock, Timestamp};
use crate::observe::names::Names;
use crate::store::Store;
use crate::wechat::AppKind;

mod clear;
mod figures;
mod flush;
mod history;
mod ledger;
pub mod limit;
mod metrics;
mod pace;
mod report;
mod tally;
mod warning;
mod watch;

pub use self::clear::{Cleared, Remembered};
pub use self::history::Range;
pub use self::report::{AppReport, Curves, EndpointReport, Report, WarningReport};
pub use self::tally::{Call, Outcome};
pub use self::warning::WarningKind;

use self::clear::Clears;
use self::figures::Notes;
use self::ledger::Ledger;
use self::pace::Pace;
use self::tally::Tally;

/// Warnings that nobody has taken yet.
const WARNINGS_KEPT: usize = 256;

/// An app whose quota is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// The appid, and the agent's number where a corporation has several apps.
    pub identity: Arc<str>,
    /// WeChat's identifier of the account.
    pub appid: Arc<str>,
    /// What it is.
    pub kind: AppKind,
}

/// What WeChat is asked on an app's behalf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// What was used of an endpoint's quota.
    Quota {
        /// The endpoint.
        path: &'static str,
    },
    /// To let all counters of the app begin anew.
    ClearAll,
    /// To let the counter of an endpoint begin anew.
    ClearOne {
        /// The endpoint.
        path: String,
    },
    /// What it remembers of a request.
    Rid {
        /// The request's id.
        rid: String,
    },
}

/// A future answer: its body, or why there is none, in words for the operator.
pub type Answering = std::pin::Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send>>;
/// Asks WeChat, with the credential of the app of this name. Handed in, since quota knows no tokens.
pub type Ask = Arc<dyn Fn(&Arc<str>, Question) -> Answering + Send + Sync>;

/// Something that an operator should know of; told once a day by one of the replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// When.
    pub at: Timestamp,
    /// The app.
    pub app: Arc<str>,
    /// The endpoint.
    pub path: String,
    /// What it is about.
    pub kind: WarningKind,
    /// In words.
    pub message: String,
    /// The same in Chinese.
    pub chinese: String,
    /// Who spends most, and how much of it.
    pub caller: Option<String>,
}

/// The quotas of a process. Clones share them.
#[derive(Clone)]
pub struct Quota(Arc<Inner>);

struct Inner {
    tally: Tally,
    names: Arc<Names>,
    store: Store,
    clock: Clock,
    ask: Ask,
    /// Names this process among those that add to the store's counters.
    writer: String,
    runtime: runtime::Handle,
    /// Whoever holds it talks with the store about counters; two at once would count a batch twice, or take old totals
    /// for new ones.
    turn: tokio::sync::Mutex<()>,
    /// Locked for a look, never over an await; so are the others.
    ledger: Mutex<Ledger>,
    watched: Mutex<Vec<Watched>>,
    warned: Mutex<BTreeMap<(Arc<str>, WarningKind), u64>>,
    warnings: broadcast::Sender<Warning>,
    tasks: Mutex<Vec<AbortHandle>>,
}

/// An app, and what is known of its quotas.
#[derive(Debug)]
struct Watched {
    app: App,
    label: u16,
    notes: Notes,
    clears: Clears,
    /// Of what follows.
    day: i64,
    /// When each endpoint was first called today.
    since: HashMap<&'static str, Timestamp>,
    /// How often WeChat said today that an endpoint's quota is used up, and when that last grew.
    refused: HashMap<&'static str, (u64, Timestamp)>,
    /// How fast each is spent whose figures are known.
    paces: HashMap<&'static str, Pace>,
}

impl std::fmt::Debug for Quota {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Quota").finish_non_exhaustive()
    }
}

impl Quota {
    /// Counters for `workers`. They are flushed, and WeChat is asked, on the runtime that this is called in.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(workers: usize, apps: Vec<App>, ask: Ask, store: Store, clock: Clock) -> Self {
        let day = clock.now().beijing_day();
        let (warnings, _) = broadcast::channel(WARNINGS_KEPT);
        let quota = Self(Arc::new(Inner {
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
            warned: Mutex::default(),
            warnings,
            tasks: Mutex::default(),
        }));
        quota.configure(apps);
        let flush = quota.0.runtime.spawn(flush::run(Arc::clone(&quota.0)));
        let watch = quota.0.runtime.spawn(watch::run(Arc::clone(&quota.0)));
        *quota.0.tasks() = vec![flush.abort_handle(), watch.abort_handle()];
        quota
    }

    /// Takes over a reloaded configuration. What is known of apps that stay is kept.
    pub fn configure(&self, apps: Vec<App>) {
        let mut watched = self.0.watched();
        let mut former = std::mem::take(&mut *watched);
        for app in apps {
            let label = self.0.names.label(&app.name);
            let known = former.iter().position(|known| known.app.identity == app.identity);
            watched.push(match known {
                Some(index) => Watched { app, label, ..former.swap_remove(index) },
                None => Watched {
                    app,
                    label,
                    notes: Notes::default(),
                    day: 0,
                    clears: Clears::default(),
                    since: HashMap::new(),
                    refused: HashMap::new(),
                    paces: HashMap::new(),
                },
            });
        }
    }

    /// The numbers of the names of apps and callers.
    pub fn names(&self) -> &Arc<Names> {
        &self.0.names
    }

    /// Counts a call by `worker` that WeChat gets. When it begins: what WeChat has counted must be counted here too.
    pub fn begin(&self, worker: usize, app: u16, caller: u16, endpoint: u16) {
        self.0.tally.begin(worker, app, caller, endpoint);
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
        for task in self.0.tasks().drain(..) {
            task.abort();
        }
        self.0.flush().await;
    }
}

impl Inner {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watched(&self) -> MutexGuard<'_, Vec<Watched>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of an app, if it is still configured.
    fn of<R>(&self, app: &App, look: impl FnOnce(&mut Watched) -> R) -> Option<R> {
        self.watched().iter_mut().find(|watched| watched.app.identity == app.identity).map(look)
    }

    fn warned(&self) -> MutexGuard<'_, BTreeMap<(Arc<str>, WarningKind), u64>> {
        self.warned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tasks(&self) -> MutexGuard<'_, Vec<AbortHandle>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
