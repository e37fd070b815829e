//! The upstreams of the configuration in force.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use rustls::ClientConfig;
use tokio::runtime;
use tokio_rustls::TlsConnector;

use super::connect::Connector;
use super::control::Control;
use super::hosts::{HostStatus, Hosts};
use super::resolve::Resolver;
use super::tls::{self, Roots, TlsError};
use super::{Options, Site};

/// Whose certificates each of some [`Options`] trust.
#[derive(Debug)]
pub struct Trusted(Vec<Roots>);

impl Trusted {
    /// Reads the `ca_file` of each, which may block.
    ///
    /// # Errors
    /// One of them can't be used.
    pub fn read(options: &[Options]) -> Result<Self, TlsError> {
        let roots = options.iter().map(|options| tls::roots(options.ca_file.as_deref()));
        roots.collect::<Result<_, _>>().map(Self)
    }
}

/// All upstreams: a reload keeps those that it doesn't change, with what is known of their hosts.
#[derive(Debug)]
pub struct Upstreams {
    resolver: Resolver,
    own: Arc<[SocketAddr]>,
    runtime: runtime::Handle,
    /// Locked for a reload and a look, never over an await.
    current: Mutex<Vec<Arc<Upstream>>>,
}

/// One way of reaching WeChat, with a set of hosts for each site.
pub struct Upstream {
    roots: Roots,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) connector: Connector,
    runtime: runtime::Handle,
    /// Made when they are first needed.
    sites: [OnceLock<Arc<Hosts>>; 3],
}

impl Upstreams {
    /// None yet. `own` is what the proxy itself listens on, where no connection may lead.
    ///
    /// # Panics
    /// Outside of a tokio runtime, on which hosts are probed.
    pub fn new(resolver: Resolver, own: Vec<SocketAddr>) -> Self {
        let runtime = runtime::Handle::current();
        Self { resolver, own: own.into(), runtime, current: Mutex::default() }
    }

    /// Puts `options` in force, of which `trusted` was read; returns an upstream for each, in their
    /// order.
    ///
    /// # Errors
    /// TLS can't be set up; then what was in force stays.
    pub fn configure(&self, options: &[Options], trusted: Trusted) -> Result<Vec<Arc<Upstream>>, TlsError> {
        let mut current = self.current.lock();
        let mut next: Vec<Arc<Upstream>> = Vec::new();
        for (options, roots) in options.iter().zip(trusted.0) {
            let known = current.iter().find(|known| known.options() == options && known.roots == roots);
            let upstream = match known {
                Some(known) => Arc::clone(known),
                None => {
                    // One cache of TLS sessions for all that trust the same.
                    let alike = current.iter().chain(&next).find(|other| other.roots == roots);
                    let tls = alike.map(|other| Arc::clone(&other.tls));
                    let tls = tls.map_or_else(|| tls::client_config_of(&roots).map(Arc::new), Ok)?;
                    Arc::new(self.make(options.clone(), roots, tls))
                }
            };
            next.push(upstream);
        }
        current.clone_from(&next);
        Ok(next)
    }

    /// How each host that is in use is doing; those of several upstreams once for each.
    pub fn statuses(&self) -> Vec<HostStatus> {
        let upstreams = self.current.lock();
        let hosts = upstreams.iter().flat_map(|upstream| upstream.sites.iter().filter_map(OnceLock::get));
        hosts.flat_map(|hosts| hosts.statuses()).collect()
    }

    fn make(&self, options: Options, roots: Roots, tls: Arc<ClientConfig>) -> Upstream {
        let connector = Connector {
            options: Arc::new(options),
            tls: TlsConnector::from(Arc::clone(&tls)),
            resolver: self.resolver.clone(),
            own: Arc::clone(&self.own),
        };
        Upstream { roots, tls, connector, runtime: self.runtime.clone(), sites: Default::default() }
    }
}

impl Upstream {
    /// How it reaches WeChat.
    pub fn options(&self) -> &Options {
        &self.connector.options
    }

    /// The hosts that stand for a site.
    pub fn hosts(&self, site: Site) -> &Arc<Hosts> {
        let site = self.options().site(site);
        self.sites[site as usize].get_or_init(|| {
            let origins = self.options().origins_of(site);
            Arc::new(Hosts::new(self.connector.clone(), origins, self.runtime.clone()))
        })
    }

    /// A client for the proxy's own calls to a site.
    pub fn control(&self, site: Site) -> Control {
        Control::new(Arc::clone(self.hosts(site)))
    }
}

impl std::fmt::Debug for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upstream").field("options", self.options()).finish_non_exhaustive()
    }
}
