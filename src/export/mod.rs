//! Tokens handed to services that can't come through the proxy: written to a file, or to a Redis in
//! the form in which an SDK's own cache keeps them.
//!
//! Each export follows its app's token and looks every [`CHECK`] whether its place still holds what
//! was written, since whoever else writes there hands out a token of its own, or a placeholder that
//! WeChat doesn't know.
//!
//! | file | holds |
//! | --- | --- |
//! | `task` | the loop of one export |
//! | `entries` | which keys and values an SDK's cache has |
//! | `template` | a file's text |
//! | `file`, `cache` | writes to files and Redis: atomic, never an older token over a newer one |
//! | `options`, `outcome` | what is to be written where; what came of it |
//! | `status` | what there is to see |

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime;
use tokio::task::AbortHandle;

use crate::observe::clock::Clock;
use crate::observe::exposition::Exposition;
use crate::token::{Handle, Manager};

mod cache;
mod entries;
mod file;
mod options;
mod outcome;
mod status;
mod task;
mod template;

pub use entries::{Format, key_of};
pub use options::{CHECK, Destination, Options};
pub use status::Status;
pub use template::{Template, TemplateError};

use status::{Counts, Journal};
use task::Task;

/// Keeps all exports going. Clones share them.
#[derive(Clone, Debug)]
pub struct Exporter(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    runtime: runtime::Handle,
    clock: Clock,
    /// By app and kind of result; they outlive the exports that they count.
    counts: Arc<Counts>,
    /// Locked for a look or a reload, never over an await.
    running: Mutex<Vec<Running>>,
}

#[derive(Debug)]
struct Running {
    options: Options,
    token: Handle,
    journal: Arc<Mutex<Journal>>,
    task: AbortHandle,
}

impl Exporter {
    /// With no exports yet; they will run on the runtime that this is called in.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn new(clock: Clock) -> Self {
        let running = Mutex::default();
        Self(Arc::new(Inner { runtime: runtime::Handle::current(), clock, counts: Arc::default(), running }))
    }

    /// Takes over a configuration: unchanged exports go on, others end or begin.
    pub fn configure(&self, exports: Vec<Options>, tokens: &Manager) {
        let mut running = self.0.running.lock();
        let mut before = std::mem::take(&mut *running);
        for options in exports {
            let Some(token) = tokens.handle(&options.app) else { continue };
            let same = |old: &Running| old.options == options && old.token.is_same(&token);
            let export = match before.iter().position(same) {
                Some(index) => before.swap_remove(index),
                None => self.start(options, token),
            };
            running.push(export);
        }
        for gone in before {
            gone.task.abort();
        }
    }

    /// Ends all exports; what they wrote stays.
    pub fn stop(&self) {
        for export in self.0.running.lock().drain(..) {
            export.task.abort();
        }
    }

    /// How the exports of each app are doing, in the order of the configuration.
    pub fn statuses(&self) -> BTreeMap<Arc<str>, Vec<Status>> {
        let mut statuses = BTreeMap::<_, Vec<_>>::new();
        for export in self.0.running.lock().iter() {
            let journal = export.journal.lock();
            let status = journal.status(&export.options.destination);
            statuses.entry(Arc::clone(&export.options.app)).or_default().push(status);
        }
        statuses
    }

    /// Adds the exports' metrics to a scrape.
    pub fn expose(&self, out: &mut Exposition) {
        self.0.counts.expose(out);
    }

    fn start(&self, options: Options, token: Handle) -> Running {
        let journal = Arc::<Mutex<Journal>>::default();
        let task = Task {
            options: options.clone(),
            token: token.clone(),
            clock: self.0.clock.clone(),
            journal: Arc::clone(&journal),
            counts: Arc::clone(&self.0.counts),
        };
        let task = self.0.runtime.spawn(task.run()).abort_handle();
        Running { options, token, journal, task }
    }
}
