//! Makes the parts and starts the servers.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::backend::AdminBackend;
use super::core::{Core, Fixed, Hosts};
use super::included_files;
use super::running::Running;
use super::surroundings::Surroundings;
use super::unsealed::Unsealed;
use crate::admin::{self, Admin, Scope};
use crate::alert::Alerts;
use crate::api;
use crate::app::links::{alerting, asking, certificates, delivery, expiry, illness, looks, telling};
use crate::app::{apps, memory};
use crate::callback::{self, Callbacks};
use crate::config::{Config, is_local};
use crate::export::Exporter;
use crate::observe::exposition::Exposition;
use crate::observe::trace::{TraceError, Traces};
use crate::pipeline::{Gate, Pipeline};
use crate::quota::Quota;
use crate::quota::limit::Limits;
use crate::server::{Address, BindError, Connections, Listener, Server, Tls};
use crate::store::{Store, StoreError};
use crate::texts::text;
use crate::token::Manager;
use crate::trouble::Detector;
use crate::upstream::{Gauges, Trusted, Upstreams, tls};

/// Why a proxy can't be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listen address can't be bound.
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
    /// With a seal key, it holds unsealed records that can't be fetched again.
    #[error(transparent)]
    Unsealed(#[from] Unsealed),
    /// The client for notices can't be made.
    #[error("[[alert]]")]
    Client(#[source] reqwest::Error),
    /// The machine refused a thread or a file descriptor.
    #[error("{}", text!("could not start a thread"))]
    Thread(#[source] io::Error),
}

/// Starts a proxy: binds first, so that a port in use is reported before anything is fetched; then
/// tokens; then workers. Must be called within a tokio runtime, which runs all but the requests.
pub async fn start(config: &Config, surroundings: Surroundings) -> Result<Running, StartError> {
    let Surroundings { clock, log, source, resolver, sockets } = surroundings;
    let workers = config.server.workers;
    let caller_tls = config.server.tls.clone().map(Tls::new);
    let listeners = bind_unless(sockets.server, &config.server.listen)?;
    let listeners: Vec<_> =
        listeners.into_iter().map(|listener| listener.speaking(caller_tls.clone())).collect();
    let admin_listener = sockets.admin.map_or_else(|| Listener::bind(&config.admin.listen), Ok)?;
    let callback_listeners = bind_unless(sockets.callback, &config.callback.listen)?;
    let addresses: Vec<Address> = listeners.iter().map(|listener| listener.address().clone()).collect();
    let upstreams = Arc::new(Upstreams::new(resolver, bound(&addresses)));
    let upstream = upstreams.configure(&config.upstreams, Trusted::read(&config.upstreams)?)?;
    let traces = Arc::new(match &config.trace {
        Some(options) => Traces::start(options, tls::client_config(None)?)?,
        None => Traces::default(),
    });

    // Boxed: the compiler looks only so deep into futures within futures, and callers add theirs.
    let store = Box::pin(open_store(config)).await?;
    let apps = apps::token_apps(config, &upstream);
    let clients: asking::Clients = Arc::new(ArcSwap::from_pointee(asking::clients(&apps, &config.pipeline)));
    let manager = Manager::start(apps, config.token.clone(), store.clone(), clock.clone());
    let ask = asking::with(manager.clone(), Arc::clone(&clients), clock.clone());
    let quota = Quota::start(workers, apps::quota_apps(config), ask, store.clone(), clock.clone());
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
    gate.tell_status_page(admin_listener.address());
    let alerts = Alerts::new(alert_client()?, clock.clone());
    alerts.configure(config.alerts.clone());
    let watch = alerting::AlertWatch {
        alerts: alerts.clone(),
        manager: manager.clone(),
        store: store.clone(),
        clock: clock.clone(),
    };
    let state = Arc::new(admin::State::new(clock.now()));
    state
        .reloads
        .send_modify(|reloads| reloads.files = included_files::shown(&config.included, &[], clock.now()));
    let watch = watch.start(&quota, state.reloads.subscribe());
    let expiry = expiry::watch(Arc::clone(&gate), clock.clone());
    let certificates = certificates::CertificateWatch {
        gate: Arc::clone(&gate),
        alerts: alerts.clone(),
        store: store.clone(),
        clock: clock.clone(),
    };
    let certificates = certificates.start();
    let detector = Arc::new(Mutex::new(Detector::default()));
    let (of_gate, of_alerts) = (Arc::clone(&gate), alerts.clone());
    let illness = illness::IllnessWatch {
        counts: Box::new(move || of_gate.endpoints()),
        detector: Arc::clone(&detector),
        teller: telling::Teller::new(store.clone(), move |notice| of_alerts.tell(notice)),
        clock: clock.clone(),
    };
    let illness = illness.start();
    let looks = looks::start(Arc::clone(&gate), clock.clone());
    let hosts = Arc::new(ArcSwap::from_pointee(Hosts::of(config)));
    let platforms = config.callback.platforms.clone();
    let callbacks = Arc::new(Callbacks::new(platforms, clock.clone(), delivery::to(manager.clone())));
    callbacks.trust(config.pipeline.trusted_proxies.clone());
    let most_idle = memory::most_idle(config).div_ceil(workers as u64);
    let gauges: Vec<_> = (0..workers).map(|_| Arc::new(Gauges::new(most_idle))).collect();

    let (of_workers, of_gate) = (gauges.clone(), Arc::clone(&gate));
    let (of_log, of_traces) = (Arc::clone(&log), Arc::clone(&traces));
    let proxy = Server::start("worker", listeners, config.server.options.clone(), workers, move |worker| {
        let gauges = of_workers.get(worker).map_or_else(|| Arc::new(Gauges::new(0)), Arc::clone);
        Pipeline::new(Arc::clone(&of_gate), gauges, &of_log, of_traces.tracer(), worker)
    })
    .map_err(StartError::Thread)?;
    let connections = proxy.count();
    connections.trust(config.pipeline.trusted_proxies.clone());
    let core = Arc::new_cyclic(|core| Core {
        admin: Arc::new(Admin {
            scope: Scope::of(admin_listener.address()),
            token: ArcSwapOption::new(config.admin.token.clone()),
            trusted_proxies: ArcSwap::from_pointee(config.pipeline.trusted_proxies.clone()),
            tarpit: Arc::clone(gate.tarpit()),
            backend: Box::new(AdminBackend {
                manager: manager.clone(),
                exporter: exporter.clone(),
                store: store.clone(),
                gate: Arc::clone(&gate),
                quota: quota.clone(),
                limits: limits.clone(),
                upstreams: Arc::clone(&upstreams),
                detector: Arc::clone(&detector),
                tls: caller_tls.clone(),
                hosts: Arc::clone(&hosts),
                started_at: state.started_at,
                clock: clock.clone(),
                core: core.clone(),
            }),
            exposers: vec![
                exposer(Arc::clone(&gate), |gate, out| gate.expose(out)),
                exposer(manager.clone(), Manager::expose),
                exposer(quota.clone(), Quota::expose),
                exposer(alerts.clone(), Alerts::expose),
                exposer(exporter.clone(), Exporter::expose),
                exposer(store.clone(), Store::expose),
                exposer(connections.clone(), Connections::expose),
                exposer(caller_tls.clone(), |tls, out| Tls::expose(tls.as_ref(), out)),
                exposer(Arc::clone(&callbacks), |callbacks, out| callbacks.expose(out)),
                exposer(gauges, |gauges, out| upstream_connections(gauges, out)),
                exposer(Arc::clone(&upstreams), |upstreams, out| upstream_hosts(upstreams, out)),
                exposer(detector, |detector, out| detector.lock().expose(out)),
                exposer(Arc::clone(&log), |log, out| log.expose(out)),
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
        illness,
        looks,
        hosts,
        expiry,
        certificates,
        exporter,
        callbacks: Arc::clone(&callbacks),
        connections,
        upstreams,
        log,
        traces,
        tls: caller_tls,
        fixed: Fixed::of(config),
        exposed: !addresses.iter().all(is_local),
        source,
        clock,
        reloading: Arc::default(),
        looking: Arc::default(),
        secret_files: watch::Sender::new(config.secret_files.clone()),
        watched: watch::Sender::new(config.included.watched.clone()),
        included: ArcSwap::from_pointee(config.included.clone()),
    });
    state.callers.store(Arc::new(api::Caller::all(&config.pipeline)));

    let endpoint = admin::Endpoint::new(Arc::clone(&core.admin));
    let admin_options = memory::admin_options(&config.server.options);
    let admin = Server::start("admin", vec![admin_listener], admin_options, 1, move |_| endpoint.clone())
        .map_err(StartError::Thread)?;
    let callback = if callback_listeners.is_empty() {
        None
    } else {
        let endpoint = callback::Endpoint(callbacks);
        let options = callback::server_options(&config.server.options);
        let make_endpoint = move |_| endpoint.clone();
        let started = proxy.start_beside("callback", callback_listeners, options, 1, make_endpoint);
        Some(started.map_err(StartError::Thread)?)
    };
    state.listeners.store(Arc::new(addresses));
    Ok(Running { core, proxy, admin, callback })
}

/// The sockets that were passed; where none were, those of `addresses`.
fn bind_unless(passed: Vec<Listener>, addresses: &[Address]) -> Result<Vec<Listener>, BindError> {
    if passed.is_empty() { addresses.iter().map(Listener::bind).collect() } else { Ok(passed) }
}

/// Opens the store. With a seal key all records are checked first: unsealed ones are sealed if they
/// are accepted; else none may be unsealed that can't be fetched again.
async fn open_store(config: &Config) -> Result<Store, StartError> {
    let store = Store::open(&config.store).await?;
    if store.seal().is_none() || store.problem().is_some() {
        return Ok(store);
    }
    match store.look_through().await {
        Ok(looked) if looked.unsealed.is_empty() => {}
        Ok(looked) => return Err(Unsealed(looked.unsealed).into()),
        Err(error) => {
            let error = error.chain();
            tracing::warn!(
                "{}",
                text!("could not check all records of the store for unsealed ones: {error}", error)
            );
        }
    }
    Ok(store)
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

/// How robots are reached: with the web's certificate authorities, without a proxy, and without
/// following redirects, since a URL contains a key.
fn alert_client() -> Result<reqwest::Client, StartError> {
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls::client_config(None)?)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(10));
    client.build().map_err(StartError::Client)
}
