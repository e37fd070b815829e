//! The parts of a running proxy.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::surroundings::Source;
use crate::admin::Admin;
use crate::alert::Alerts;
use crate::app::links::asking;
use crate::callback::Callbacks;
use crate::config::{Config, LogConfig, SecretFile};
use crate::export::Exporter;
use crate::observe::access_log::AccessLog;
use crate::observe::clock::Clock;
use crate::observe::trace::{self, Traces};
use crate::pipeline::Gate;
use crate::quota::Quota;
use crate::quota::limit::Limits;
use crate::server::{self, Address, Tls};
use crate::store;
use crate::token::Manager;
use crate::upstream::Upstreams;

/// What outlives a single reload.
pub(super) struct Core {
    pub(super) gate: Arc<Gate>,
    pub(super) manager: Manager,
    pub(super) limits: Limits,
    pub(super) clients: asking::Clients,
    pub(super) quota: Quota,
    pub(super) alerts: Alerts,
    /// Tells people.
    pub(super) watch: AbortHandle,
    pub(super) exporter: Exporter,
    pub(super) upstreams: Arc<Upstreams>,
    pub(super) admin: Arc<Admin>,
    pub(super) callbacks: Arc<Callbacks>,
    pub(super) log: Arc<AccessLog>,
    pub(super) traces: Arc<Traces>,
    /// Of the proxy's listeners, if they speak it.
    pub(super) tls: Option<Tls>,
    pub(super) fixed: Fixed,
    /// Other machines reach a listener of the proxy.
    pub(super) exposed: bool,
    pub(super) source: Source,
    pub(super) clock: Clock,
    pub(super) reloading: Mutex<()>,
    /// What the secrets and certificates in force were read from.
    pub(super) secret_files: watch::Sender<Vec<SecretFile>>,
}

/// What takes a restart to change.
#[derive(PartialEq)]
pub(super) struct Fixed {
    listen: Vec<Address>,
    workers: usize,
    server: server::Options,
    tls: bool,
    admin: Address,
    callback: Vec<Address>,
    store: store::Options,
    log: LogConfig,
    replay_memory: u64,
    trace: Option<trace::Options>,
}

impl Fixed {
    pub(super) fn of(config: &Config) -> Self {
        Self {
            listen: config.server.listen.clone(),
            workers: config.server.workers,
            server: config.server.options.clone(),
            tls: config.server.tls.is_some(),
            admin: config.admin.listen.clone(),
            callback: config.callback.listen.clone(),
            store: config.store.clone(),
            log: config.log,
            replay_memory: config.pipeline.replay.memory,
            trace: config.trace.clone(),
        }
    }
}
