//! The parts of a running proxy.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{Mutex, watch};
use tokio::task::AbortHandle;

use super::surroundings::Source;
use crate::admin::Admin;
use crate::alert::Alerts;
use crate::app::links::asking;
use crate::callback::Callbacks;
use crate::config::{Config, Included, LogConfig, SecretFile, Watched};
use crate::export::Exporter;
use crate::observe::access_log::AccessLog;
use crate::observe::clock::Clock;
use crate::observe::trace::{self, Traces};
use crate::pipeline::Gate;
use crate::quota::Quota;
use crate::quota::limit::Limits;
use crate::server::{self, Address, Connections, Tls};
use crate::store;
use crate::token::{self, Manager};
use crate::upstream::{self, Upstreams};

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
    /// Looks whether WeChat is ill.
    pub(super) illness: AbortHandle,
    /// Looks at what the status page shows.
    pub(super) looks: AbortHandle,
    /// What requests are explained by, besides the gate's options.
    pub(super) hosts: Arc<ArcSwap<Hosts>>,
    /// Warns of keys that end.
    pub(super) expiry: AbortHandle,
    pub(super) certificates: AbortHandle,
    pub(super) exporter: Exporter,
    pub(super) upstreams: Arc<Upstreams>,
    pub(super) admin: Arc<Admin>,
    pub(super) callbacks: Arc<Callbacks>,
    /// Of callers.
    pub(super) connections: Connections,
    pub(super) log: Arc<AccessLog>,
    pub(super) traces: Arc<Traces>,
    /// Of the proxy's listeners, if they speak it.
    pub(super) tls: Option<Tls>,
    pub(super) fixed: Fixed,
    /// Other machines reach a listener of the proxy.
    pub(super) exposed: bool,
    pub(super) source: Source,
    pub(super) clock: Clock,
    /// Held while the files are read and applied.
    pub(super) reloading: Arc<Mutex<()>>,
    /// Held while secret files or included ones are checked for changes.
    pub(super) looking: Arc<Mutex<()>>,
    /// What the secrets and certificates in force were read from.
    pub(super) secret_files: watch::Sender<Vec<SecretFile>>,
    /// Where included files are, and what was in them.
    pub(super) watched: watch::Sender<Watched>,
    /// The included files in force.
    pub(super) included: ArcSwap<Included>,
}

/// What the configuration says of tokens and WeChat's hosts.
#[derive(Debug)]
pub(super) struct Hosts {
    pub(super) token: token::Options,
    pub(super) upstreams: Vec<upstream::Options>,
}

impl Hosts {
    pub(super) fn of(config: &Config) -> Self {
        Self { token: config.token.clone(), upstreams: config.upstreams.clone() }
    }
}

/// What takes a restart to change.
pub(super) struct Fixed {
    listen: Vec<Address>,
    workers: usize,
    server: server::Options,
    tls: bool,
    admin: Address,
    callback: Vec<Address>,
    store: store::Options,
    log: LogConfig,
    max_inflight: u64,
    replay_memory: u64,
    replay_spool: u64,
    trace: Option<trace::Collector>,
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
            max_inflight: config.pipeline.max_inflight,
            replay_memory: config.pipeline.replay.memory,
            replay_spool: config.pipeline.replay.spool,
            trace: config.trace.clone(),
        }
    }

    /// The keys whose values aren't the same in `new`.
    pub(super) fn changed(&self, new: &Self) -> Vec<String> {
        // Destructured, so that a new key can't be forgotten.
        let Self {
            listen,
            workers,
            server,
            tls,
            admin,
            callback,
            store,
            log,
            max_inflight,
            replay_memory,
            replay_spool,
            trace,
        } = self;
        let server::Options {
            max_head,
            max_connections,
            max_connections_per_address,
            head_timeout,
            idle_timeout,
            body_timeout,
            pace: _,
            write_timeout,
            drain_delay,
            drain_idle: _,
            drain_timeout,
        } = server;
        let LogConfig { level, format, language, access } = log;
        let of_trace = |differs: fn(&trace::Collector, &trace::Collector) -> bool| match (trace, &new.trace) {
            (Some(one), Some(other)) => differs(one, other),
            _ => false,
        };
        let differences = [
            ("server.listen", *listen != new.listen),
            ("server.workers", *workers != new.workers),
            ("server.max_head", *max_head != new.server.max_head),
            ("server.max_connections", *max_connections != new.server.max_connections),
            (
                "server.max_connections_per_address",
                *max_connections_per_address != new.server.max_connections_per_address,
            ),
            ("server.head_timeout", *head_timeout != new.server.head_timeout),
            ("server.idle_timeout", *idle_timeout != new.server.idle_timeout),
            ("server.body_timeout", *body_timeout != new.server.body_timeout),
            ("server.write_timeout", *write_timeout != new.server.write_timeout),
            ("server.drain_delay", *drain_delay != new.server.drain_delay),
            ("server.drain_timeout", *drain_timeout != new.server.drain_timeout),
            ("server.tls", *tls != new.tls),
            ("admin.listen", *admin != new.admin),
            ("callback.listen", *callback != new.callback),
            ("log.level", *level != new.log.level),
            ("log.format", *format != new.log.format),
            ("log.language", *language != new.log.language),
            ("log.access", *access != new.log.access),
            ("server.max_inflight", *max_inflight != new.max_inflight),
            ("replay.memory", *replay_memory != new.replay_memory),
            ("replay.spool", *replay_spool != new.replay_spool),
            ("trace", trace.is_some() != new.trace.is_some()),
            ("trace.endpoint", of_trace(|one, other| one.endpoint != other.endpoint)),
            ("trace.sample", of_trace(|one, other| one.sample != other.sample)),
            ("trace.service_name", of_trace(|one, other| one.service_name != other.service_name)),
        ];
        let keys = differences.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key.to_owned());
        let of_store = store.changed(&new.store).into_iter().map(|key| format!("store.{key}"));
        keys.chain(of_store).collect()
    }
}
