//! How to reach WeChat.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::egress::Egress;
use super::origin::{Origin, Site};

/// How to reach WeChat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Where requests go: at least one, the preferred one first.
    pub origins: Vec<Origin>,
    /// The origins stand for all of WeChat's hosts, as a sandbox does or a gateway; else for
    /// [`Site::Api`] alone.
    pub all_sites: bool,
    /// For TCP, a proxy's response and TLS together.
    pub connect_timeout: Duration,
    /// From a request's last byte to the response head.
    pub response_timeout: Duration,
    /// The same for endpoints that the catalogue marks slow.
    pub slow_response_timeout: Duration,
    /// Longest silence within a body, either way.
    pub body_timeout: Duration,
    /// How long an unused connection is kept.
    pub pool_idle: Duration,
    /// How long a connection is used at all, so that a busy one follows DNS too.
    pub pool_age: Duration,
    /// The proxy that connections go through.
    pub egress: Option<Egress>,
    /// PEM certificates trusted instead of the built-in roots.
    pub ca_file: Option<PathBuf>,
    /// Addresses to use instead of asking DNS, by host name.
    pub resolve: HashMap<String, Vec<IpAddr>>,
}

impl Options {
    /// How long WeChat may take to respond on an endpoint, which may be a `slow` one.
    pub fn response_timeout_at(&self, slow: bool) -> Duration {
        if slow { self.slow_response_timeout } else { self.response_timeout }
    }

    /// The site whose hosts stand for `site` here.
    pub fn site(&self, site: Site) -> Site {
        if self.all_sites { Site::Api } else { site }
    }

    /// The hosts of a site, the preferred one first.
    pub fn origins_of(&self, site: Site) -> Vec<Origin> {
        let only = |host: &str| vec![Origin { tls: true, host: host.to_owned(), port: 443 }];
        match self.site(site) {
            Site::Api => self.origins.clone(),
            Site::Mp => only("mp.weixin.qq.com"),
            Site::Work => only("qyapi.weixin.qq.com"),
        }
    }
}
