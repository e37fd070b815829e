//! Hosts that stand for each other: which of them requests go to.

use std::sync::{Arc, Weak};
use std::time::Duration;

use http::Method;
use tokio::runtime;
use tokio::time::{Instant, timeout};

use super::connect::{ConnectError, Connector};
use super::health::{Change, Evidence, Health, Next, SHORTEST_PAUSE};
use super::quiet::Quiet;
use super::socket::Socket;
use super::{Options, Origin, once};
use crate::observe::chain::Chain;
use crate::texts::{Words, text};

/// The hosts of one site, the preferred one first, and how they are doing. Shared by all workers
/// and the control client.
pub struct Hosts {
    pub(super) connector: Connector,
    hosts: Vec<Host>,
    /// Where probes run: not on a worker's.
    runtime: runtime::Handle,
}

#[derive(Debug)]
struct Host {
    origin: Origin,
    health: Health,
    quiet: Quiet,
}

/// How a host is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostStatus {
    /// Scheme and authority.
    pub origin: String,
    /// The egress proxy on the way there, without credentials.
    pub egress: Option<String>,
    /// Requests go there now.
    pub in_use: bool,
    /// Why they wouldn't by choice.
    pub problem: Option<Words>,
}

impl std::fmt::Debug for Hosts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hosts").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}

impl Hosts {
    pub(super) fn new(connector: Connector, origins: Vec<Origin>, runtime: runtime::Handle) -> Self {
        let alone = origins.len() == 1;
        let host = |origin| Host { origin, health: Health::new(alone), quiet: Quiet::new() };
        Self { connector, hosts: origins.into_iter().map(host).collect(), runtime }
    }

    /// How to reach them.
    pub(super) fn options(&self) -> &Options {
        &self.connector.options
    }

    pub(super) fn origins(&self) -> impl Iterator<Item = &Origin> {
        self.hosts.iter().map(|host| &host.origin)
    }

    pub(super) fn origin(&self, host: usize) -> &Origin {
        &self.hosts[host].origin
    }

    /// The host for the next request: the first that is fit; else one that may be; else the
    /// preferred one.
    pub(super) fn choose(&self) -> usize {
        let first = |fits: fn(&Health) -> bool| self.hosts.iter().position(|host| fits(&host.health));
        first(Health::is_fit).or_else(|| first(Health::is_suspect)).unwrap_or(0)
    }

    /// Whether a request to `host` that can't be sent twice takes a connection of its own, which it
    /// then has to make.
    pub(super) fn asks_for_a_fresh_one(&self, host: usize) -> bool {
        self.hosts[host].quiet.asks_for_a_fresh_one()
    }

    /// Connects to `host`. What that says of its health is noted.
    pub(super) async fn connect(self: &Arc<Self>, host: usize) -> Result<Socket, ConnectError> {
        let connected = self.connector.connect(self.origin(host)).await;
        if let Err(error) = &connected
            && error.concerns_host()
        {
            self.failed(host, Evidence::Unconnected(Words::of(|| Chain(error).to_string())));
        }
        connected
    }

    /// The host to try after `host` took no connection: of the others the first that is fit, if the
    /// fault was the host's. Nothing was sent, so nothing can go out twice.
    pub(super) fn after(&self, host: usize, error: &ConnectError) -> Option<usize> {
        let next = self.hosts.iter().position(|host| host.health.is_fit())?;
        (next != host && error.concerns_host()).then_some(next)
    }

    /// `host` responded to a request that began at `began` with this status.
    pub(super) fn answered(self: &Arc<Self>, host: usize, status: http::StatusCode, began: Instant) {
        // Not implemented, or another version of HTTP: these are about the request.
        if status.is_server_error() && !matches!(status.as_u16(), 501 | 505) {
            self.failed(host, Evidence::Status(status.as_u16()));
        } else if self.hosts[host].health.succeeded(began) == Change::Healthy {
            self.tell_healthy(host);
        }
    }

    /// `host` failed a request.
    pub(super) fn failed(self: &Arc<Self>, host: usize, evidence: Evidence) {
        if matches!(evidence, Evidence::Stale) {
            self.hosts[host].quiet.closed();
        }
        match self.hosts[host].health.failed(&evidence) {
            Change::None | Change::Healthy => {}
            Change::Watch => self.watch(host, Duration::ZERO),
            Change::Unhealthy { watch } => {
                self.tell_unhealthy(host, &evidence);
                if watch {
                    self.watch(host, SHORTEST_PAUSE);
                }
            }
        }
    }

    /// How each host is doing.
    pub fn statuses(&self) -> Vec<HostStatus> {
        let chosen = self.choose();
        let status = |(index, host): (usize, &Host)| HostStatus {
            origin: host.origin.url(),
            egress: self.options().egress.as_ref().map(ToString::to_string),
            in_use: index == chosen,
            problem: host.health.problem(),
        };
        self.hosts.iter().enumerate().map(status).collect()
    }

    /// Probes `host` until its health is settled, in a task that ends then, or when these hosts are
    /// used no more.
    fn watch(self: &Arc<Self>, host: usize, pause: Duration) {
        let hosts = Arc::downgrade(self);
        self.runtime.spawn(watch(hosts, host, pause));
    }

    /// Whether `host` responds with anything below 500 to a request that needs no token and costs
    /// no quota.
    async fn probe(&self, host: usize) -> Result<(), Evidence> {
        let origin = self.origin(host);
        let connected = self.connector.connect(origin).await;
        let socket =
            connected.map_err(|error| Evidence::Unconnected(Words::of(|| Chain(&error).to_string())))?;
        let broken = |error: &(dyn std::error::Error + 'static)| {
            Evidence::Broken(Words::of(|| Chain(error).to_string()))
        };
        let request = once::request(origin, Method::GET, "/", bytes::Bytes::new()).map_err(|e| broken(&e))?;
        let read = async |answer: http::Response<_>| Ok::<_, hyper::Error>(answer.status());
        let limit = self.options().connect_timeout;
        match timeout(limit, once::exchange(socket, request, read)).await {
            Err(_) => Err(Evidence::Silent(limit)),
            Ok(Err(error)) => Err(broken(&error)),
            Ok(Ok(status)) if status.is_server_error() => Err(Evidence::Status(status.as_u16())),
            Ok(Ok(_)) => Ok(()),
        }
    }

    fn tell_unhealthy(&self, host: usize, evidence: &Evidence) {
        let origin = self.origin(host).url();
        let next = self.choose();
        if next == host {
            let text = text!("a WeChat host is unhealthy, and there is no other");
            tracing::warn!(origin, cause = %evidence, "{text}");
        } else {
            let now = self.origin(next).url();
            let text = text!("a WeChat host is unhealthy; requests go to another");
            tracing::warn!(origin, now, cause = %evidence, "{text}");
        }
    }

    fn tell_healthy(&self, host: usize) {
        let origin = self.origin(host).url();
        tracing::info!(origin, "{}", text!("a WeChat host is healthy again"));
    }
}

async fn watch(hosts: Weak<Hosts>, host: usize, mut pause: Duration) {
    loop {
        tokio::time::sleep(pause).await;
        let Some(hosts) = hosts.upgrade() else { return };
        let probed = hosts.probe(host).await;
        pause = match hosts.hosts[host].health.probed(probed.as_ref().err()) {
            Next::After(pause) => pause,
            Next::Unhealthy(pause) => {
                if let Err(evidence) = &probed {
                    hosts.tell_unhealthy(host, evidence);
                }
                pause
            }
            Next::Done { healthy_again } => {
                if healthy_again {
                    hosts.tell_healthy(host);
                }
                return;
            }
        };
    }
}
