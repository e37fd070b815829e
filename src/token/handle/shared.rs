//! What a refresh task and its handles share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{mpsc, watch};

use super::evidence::Evidence;
use super::inbox::TaskMessage;
use crate::observe::clock::Clock;
use crate::store::Record;
use crate::token::life::View;
use crate::token::options::{AppOptions, Options};
use crate::token::status::Stats;

/// What a refresh task and its handles share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub view: ArcSwap<View>,
    /// Signals each change of the view.
    pub changes: watch::Sender<()>,
    pub evidence: Evidence,
    pub configured: ArcSwap<Configured>,
    pub clock: Clock,
    /// Fetched on first use, and refreshed while it is in use.
    pub on_demand: bool,
    /// Set on use; cleared when the refresh task checks for idleness.
    wanted: AtomicBool,
    /// The account that it is of took its authorisation back.
    taken_back: AtomicBool,
    /// Locked for a read or a write of its fields, never over an await.
    stats: Mutex<Stats>,
    /// Unbounded, so that asking never waits: what is in it are requests in flight, and those are
    /// limited.
    pub(super) messages: mpsc::UnboundedSender<TaskMessage>,
}

/// The configuration as it stands; a reload replaces it.
#[derive(Clone, Debug)]
pub(crate) struct Configured {
    pub app: AppOptions,
    pub options: Options,
}

impl Shared {
    pub(crate) fn new(
        configured: Configured,
        on_demand: bool,
        clock: Clock,
    ) -> (Self, mpsc::UnboundedReceiver<TaskMessage>) {
        let (messages, inbox) = mpsc::unbounded_channel();
        let shared = Self {
            on_demand,
            wanted: AtomicBool::new(!on_demand),
            taken_back: AtomicBool::new(false),
            view: ArcSwap::default(),
            changes: watch::Sender::default(),
            evidence: Evidence::default(),
            configured: ArcSwap::from_pointee(configured),
            clock,
            stats: Mutex::default(),
            messages,
        };
        (shared, inbox)
    }

    pub(crate) fn app_name(&self) -> Arc<str> {
        Arc::clone(&self.configured.load().app.name)
    }

    pub(crate) fn stats(&self) -> MutexGuard<'_, Stats> {
        self.stats.lock()
    }

    /// Whether it was used since the last call; always true if it isn't kept on demand.
    pub(crate) fn was_wanted(&self) -> bool {
        !self.on_demand || self.wanted.swap(false, Ordering::Relaxed)
    }

    /// Read before it is written: workers that all write to one place wait for each other.
    pub(super) fn want(&self) {
        if !self.wanted.load(Ordering::Relaxed) {
            self.wanted.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn is_taken_back(&self) -> bool {
        self.taken_back.load(Ordering::Relaxed)
    }

    pub(crate) fn set_taken_back(&self, taken_back: bool) {
        if self.is_taken_back() != taken_back {
            self.taken_back.store(taken_back, Ordering::Relaxed);
        }
    }

    /// WeChat granted this to fetch with, or with an empty one an account took that back. Shown at
    /// once: the task may be waiting for WeChat.
    pub(crate) fn granted(&self, record: Record) {
        self.set_taken_back(record.value.expose().is_empty());
        self.tell(TaskMessage::Granted(record));
    }

    /// Sends a message that expects no reply; one for a stopped task is dropped.
    pub(crate) fn tell(&self, message: TaskMessage) {
        let _ = self.messages.send(message);
    }
}
