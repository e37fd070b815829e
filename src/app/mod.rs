//! The composition root: the one place that knows all parts. Configuration in, a running proxy out.

mod alerting;
mod asking;
mod delivery;
mod explain;
mod insight;
pub mod layout;
mod online;
mod reload;
mod secret_files;
mod serve;
mod signals;
pub mod store_tool;
mod views;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;

pub use self::explain::explain;
pub use self::online::{Online, OnlineError, online};
pub use self::reload::Source;
pub use self::serve::{ServeError, serve};
pub use self::signals::Termination;
use crate::admin::{self, Admin, Scope};
use crate::alert::Alerts;
use crate::callback::{self, Callbacks};
use crate::config::{Config, SecretFile, is_local};
use crate::export::Exporter;
use crate::observe::access_log::AccessLog;
use crate::observe::clock::Clock;
use crate::observe::exposition::Exposition;
use crate::observe::trace::{TraceError, Traces};
use crate::pipeline::{AppOptions, Gate, Pipeline};
use crate::quota::limit::Limits;
use crate::quota::{self, Quota};
use crate::server::{Address, BindError, Drained, Listener, Server, Tls};
use crate::store::{Store, StoreError};
use crate::token::{self, Manager};
pub use crate::upstream::Resolver;
use crate::upstream::control::Control;
use crate::upstream::{Gauges, Site, Upstream, Upstreams, tls};
use crate::wechat::Family;

/// What a proxy takes from its surroundings, so that tests can hand in theirs.
pub struct Surroundings {
    /// The clock of token life.
    pub clock: Clock,
    /// Where access lines go.
    pub access_log: Box<dyn Write + Send>,
    /// Access lines as JSON, or short ones for people.
    pub json: bool,
    /// Where a reload reads the configuration.
    pub source: Source,
    /// Who knows the addresses of WeChat's hosts.
    pub resolver: Resolver,
}

/// Why a proxy can't be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listen address can't be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// TLS towards WeChat can't be set up.
    #[error("upstream.ca_file")]
    Tls(#[from] tls::TlsError),
    /// The way to the collector of traces can't be set up.
    #[error("trace.endpoint")]
    Trace(#[from] TraceError),
    /// The store's folder can't be used.
    #[error("store.url")]
    Store(#[from] StoreError),
    /// The client for notices can't be made.
    #[error("[[alert]]")]
    Client(#[source] reqwest::Error),
    /// The machine refused a thread or a file descriptor.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
}

/// A proxy that serves.
pub struct Running {
    core: Arc<Core>,
    proxy: Server,
    admin: Server,
    callback: Option<Server>,
}

/// What outlives a single reload.
struct Core {
    gate: Arc<Gate>,
    manager: Manager,
    limits: Limits,
    clients: asking::Clients,
    quota: Quota,
    alerts: Alerts,
    /// Tells people.
    watch: AbortHandle,
    exporter: Exporter,
    upstreams: Arc<Upstreams>,
    admin: Arc<Admin>,
    callbacks: Arc<Callbacks>,
    access_log: Arc<AccessLog>,
    traces: Arc<Traces>,
    /// Of the proxy's listeners, if they speak it.
    tls: Option<Tls>,
    fixed: reload::Fixed,
    /// Other machines reach a listener of the proxy.
    exposed: bool,
    source: Source,
    reloading: Mutex<()>,
    /// What the secrets and certificates in force were read from.
    secret_files: watch::Sender<Vec<SecretFile>>,
}

impl std::fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Surroundings").field("json", &self.json).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running")
            .field("proxy", &self.proxy)
            .field("admin", &self.admin)
            .field("callback", &self.callback)
            .finish_non_exhaustive()
    }
}

/// Starts a proxy: binds first, so that a port in use is told before anything is fetched; then tokens; then workers.
/// Must be called within a tokio runtime, which runs all but the requests.
pub async fn start(config: &Config, surroundings: Surroundings) -> Result<Running, StartError> {
    let Surroundings { clock, access_log, json, source, resolver } = surroundings;
    let workers = config.server.workers;
    let caller_tls = config.server.tls.clone().map(Tls::new);
    let bind = |address| Ok(Listener::bind(address)?.speaking(caller_tls.clone()));
    let listeners = config.server.listen.iter().map(bind).collect::<Result<Vec<_>, BindError>>()?;
    let admin_listener = Listener::bind(&config.admin.listen)?;
    let callback_listeners =
        config.callback.listen.iter().map(Listener::bind).collect::<Result<Vec<_>, _>>()?;
    let addresses: Vec<Address> = listeners.iter().map(|listener| listener.address().clone()).collect();
    let upstreams = Arc::new(Upstreams::new(resolver, bound(&addresses)));
    let upstream = upstreams.configure(&config.upstreams)?;
    let access_log = Arc::new(AccessLog::start(json, workers, access_log).map_err(StartError::Thread)?);
    let traces = Arc::new(match &config.trace {
        Some(options) => Traces::start(options, tls::client_config(None)?)?,
        None => Traces::default(),
    });

    let store = Store::open(&config.store).await?;
    let apps = token_apps(config, &upstream);
    let clients: asking::Clients = Arc::new(ArcSwap::from_pointee(asking::clients(&apps)));
    let manager = Manager::start(apps, config.token.clone(), store.clone(), clock.clone());
    let ask = asking::with(manager.clone(), Arc::clone(&clients));
    let quota = Quota::start(workers, quota_apps(config), ask, store.clone(), clock.clone());
    let exporter = Exporter::new(clock.clone());
    exporter.configure(config.exports.clone(), &manager);
    let limits = Limits::new(store.clone(), clock.clone(), Handle::current());
    let gate = Gate::new(
        config.pipeline.clone(),
        upstream,
        manager.clone(),
        quota.clone(),
        limits.clone(),
        clock.clone(),
        workers,
    );
    let alerts = Alerts::new(alert_client()?, clock.clone());
    alerts.configure(config.alerts.clone());
    let watch = alerting::Watch {
        alerts: alerts.clone(),
        manager: manager.clone(),
        store: store.clone(),
        clock: clock.clone(),
    };
    let watch = watch.start(&quota);
    let platforms = config.callback.platforms.clone();
    let callbacks = Arc::new(Callbacks::new(platforms, clock.clone(), delivery::to(manager.clone())));
    let gauges: Vec<Arc<Gauges>> = (0..workers).map(|_| Arc::default()).collect();

    let state = Arc::new(admin::State::new(clock.now()));
    let core = Arc::new_cyclic(|core| Core {
        admin: Arc::new(Admin {
            scope: Scope::of(admin_listener.address()),
            token: ArcSwapOption::new(config.admin.token.clone()),
            apps: views::apps(manager.clone(), exporter.clone(), clock),
            store: views::store(store.clone()),
            endpoints: Arc::new(views::endpoints),
            upstreams: views::upstreams(Arc::clone(&upstreams)),
            refresh: views::refresh(manager.clone()),
            reload: reload::on_demand(core.clone()),
            quota: insight::quota(quota.clone(), limits.clone()),
            traffic: insight::traffic(quota.clone()),
            activity: insight::activity(manager.clone(), quota.clone(), Arc::clone(&gate)),
            clear: insight::clear(quota.clone(), limits.clone()),
            look_up: insight::look_up(quota.clone()),
            exposers: vec![
                exposer(Arc::clone(&gate), |gate, out| gate.expose(out)),
                exposer(manager.clone(), Manager::expose),
                exposer(quota.clone(), Quota::expose),
                exposer(alerts.clone(), Alerts::expose),
                exposer(exporter.clone(), Exporter::expose),
                exposer(store.clone(), Store::expose),
                exposer(Arc::clone(&callbacks), |callbacks, out| callbacks.expose(out)),
                exposer(gauges.clone(), |gauges, out| upstream_connections(gauges, out)),
                exposer(Arc::clone(&upstreams), |upstreams, out| upstream_hosts(upstreams, out)),
                exposer(Arc::clone(&access_log), |log, out| log.expose(out)),
                exposer(Arc::clone(&traces), |traces, out| traces.expose(out)),
            ],
            state: Arc::clone(&state),
        }),
        gate: Arc::clone(&gate),
        manager,
        limits,
        clients,
        quota,
        alerts,
        watch,
        exporter,
        callbacks: Arc::clone(&callbacks),
        upstreams,
        access_log: Arc::clone(&access_log),
        traces: Arc::clone(&traces),
        tls: caller_tls,
        fixed: reload::Fixed::of(config),
        exposed: !addresses.iter().all(is_local),
        source,
        reloading: Mutex::default(),
        secret_files: watch::Sender::new(config.secret_files.clone()),
    });
    state.callers.store(Arc::new(views::callers(&config.pipeline)));

    let proxy = Server::start("worker", listeners, config.server.options.clone(), workers, move |worker| {
        let gauges = gauges.get(worker).map(Arc::clone).unwrap_or_default();
        Pipeline::new(Arc::clone(&gate), gauges, &access_log, traces.tracer(), worker)
    })
    .map_err(StartError::Thread)?;
    let endpoint = admin::Endpoint::new(Arc::clone(&core.admin));
    let admin_options = config.server.options.clone();
    let admin = Server::start("admin", vec![admin_listener], admin_options, 1, move |_| endpoint.clone())
        .map_err(StartError::Thread)?;
    let callback = if callback_listeners.is_empty() {
        None
    } else {
        let endpoint = callback::Endpoint(callbacks);
        let options = callback::server_options(config.server.options.drain_timeout);
        let started = Server::start("callback", callback_listeners, options, 1, move |_| endpoint.clone());
        Some(started.map_err(StartError::Thread)?)
    };
    state.listeners.store(Arc::new(addresses));
    Ok(Running { core, proxy, admin, callback })
}

fn exposer<T: Send + Sync + 'static>(of: T, expose: fn(&T, &mut Exposition)) -> admin::Exposer {
    Arc::new(move |out| expose(&of, out))
}

fn upstream_connections(gauges: &[Arc<Gauges>], out: &mut Exposition) {
    out.gauge("wxgate_upstream_connections", "Open connections to WeChat.");
    let active: u64 = gauges.iter().map(|gauge| gauge.active()).sum();
    let idle: u64 = gauges.iter().map(|gauge| gauge.idle()).sum();
    out.sample(&[("state", "active")], active as f64);
    out.sample(&[("state", "idle")], idle as f64);
}

fn upstream_hosts(upstreams: &Upstreams, out: &mut Exposition) {
    // A host may be reached in several ways; it is healthy if it is in each.
    let mut healthy = BTreeMap::new();
    for host in upstreams.statuses() {
        *healthy.entry(host.origin).or_insert(true) &= host.problem.is_none();
    }
    out.gauge("wxgate_upstream_healthy", "Whether a host of WeChat's answers, 1 or 0.");
    for (origin, healthy) in &healthy {
        out.sample(&[("origin", origin.as_str())], f64::from(u8::from(*healthy)));
    }
}

/// The addresses of TCP listeners, with the ports that the kernel chose.
fn bound(addresses: &[Address]) -> Vec<SocketAddr> {
    let tcp = |address: &Address| match address {
        Address::Tcp(text) => text.parse().ok(),
        Address::Unix(_) => None,
    };
    addresses.iter().filter_map(tcp).collect()
}

/// The apps whose tokens are kept, each with the client for its calls.
fn token_apps(config: &Config, upstreams: &[Arc<Upstream>]) -> Vec<(token::AppOptions, Control)> {
    let control = |app: &AppOptions| {
        let site = if app.token.kind.family() == Family::Work { Site::Work } else { Site::Api };
        upstreams[app.upstream].control(site)
    };
    config.pipeline.apps.iter().map(|app| (app.token.clone(), control(app))).collect()
}

/// How robots are reached: trusted as the web is, without a proxy, and never redirected, since an address holds a key.
fn alert_client() -> Result<reqwest::Client, StartError> {
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls::client_config(None)?)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(10));
    client.build().map_err(StartError::Client)
}

/// The apps whose quotas are watched.
fn quota_apps(config: &Config) -> Vec<quota::App> {
    let app = |app: &AppOptions| quota::App {
        name: Arc::clone(&app.token.name),
        identity: app.token.identity(),
        appid: Arc::clone(&app.token.appid),
        kind: app.token.kind,
    };
    config.pipeline.apps.iter().map(app).collect()
}

impl Running {
    /// What the proxy listens on, with the ports that the kernel chose.
    pub fn addresses(&self) -> &[Address] {
        self.proxy.addresses()
    }

    /// The admin address.
    pub fn admin_address(&self) -> Option<&Address> {
        self.admin.addresses().first()
    }

    /// Where WeChat's pushes are taken.
    pub fn callback_addresses(&self) -> &[Address] {
        self.callback.as_ref().map_or(&[], Server::addresses)
    }

    /// Connections of callers, worker by worker.
    pub fn connections_by_worker(&self) -> Vec<usize> {
        self.proxy.connections_by_worker()
    }

    /// Reads the configuration again and puts it in force; what can't change without a restart is named in the log.
    ///
    /// # Errors
    /// What is wrong with it, in words for the operator; then the one in force stays.
    pub fn reload(&self) -> Result<(), String> {
        self.core.reload()
    }

    /// Waits until a secret or certificate in force has changed in its file.
    pub async fn secret_changed(&self) {
        let mut files = self.core.secret_files.subscribe();
        loop {
            let watched = files.borrow_and_update().clone();
            tokio::select! {
                () = secret_files::changed(&watched) => return,
                // The core holds the sender.
                _ = files.changed() => {}
            }
        }
    }

    /// Ends in order: not ready, no new connections, the answers in progress, tokens, the admin address, the log.
    pub async fn drain(self) -> Drained {
        let (_never, hurry) = watch::channel(false);
        self.drain_unless(hurry).await
    }

    /// The same, but what still runs when `hurry` becomes true is cut off then.
    pub async fn drain_unless(self, hurry: watch::Receiver<bool>) -> Drained {
        let hurried = || {
            let mut hurry = hurry.clone();
            async move {
                if hurry.wait_for(|now| *now).await.is_err() {
                    std::future::pending().await
                }
            }
        };
        let Self { core, proxy, admin, callback } = self;
        core.admin.state.draining.send_replace(true);
        let pushes = async {
            if let Some(callback) = callback {
                callback.drain_unless(hurried()).await;
            }
        };
        let (drained, ()) = tokio::join!(proxy.drain_unless(hurried()), pushes);
        tokio::select! {
            _ = async { tokio::join!(core.manager.stop(), core.limits.drain()) } => {}
            () = hurried() => {}
        }
        tokio::select! {
            () = core.quota.stop() => {}
            () = hurried() => {}
        }
        core.watch.abort();
        core.alerts.stop();
        core.exporter.stop();
        admin.drain_unless(hurried()).await;
        core.traces.close().await;
        core.access_log.close();
        drained
    }
}
