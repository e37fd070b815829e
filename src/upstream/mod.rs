//! Connections to WeChat: which host, by what way, and whether it answers.
//!
//! | file | holds |
//! | --- | --- |
//! | `set` | the upstreams of the configuration in force, and what there is to see of them |
//! | `hosts` | the hosts that stand for each other: which is used, and the probes of those that fail |
//! | `health` | what is held against one host |
//! | `connect`, `egress`, `resolve`, `tls` | a fresh connection: name, proxy, TCP, TLS |
//! | `pool`, `exchange`, `transport` | the hot path: a worker's connections, and one request on one of them |
//! | `control`, `once` | the proxy's own calls, each on a connection of its own |

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

mod connect;
pub mod control;
mod egress;
mod exchange;
mod health;
mod hosts;
mod once;
mod pool;
mod resolve;
mod set;
pub mod tls;
mod transport;

pub use self::connect::ConnectError;
pub use self::egress::{Egress, EgressError, Protocol};
pub use self::exchange::{Answer, BodyError, Patience, Progress, Ready, SendError, Start, Stream};
pub use self::hosts::{HostStatus, Hosts};
pub use self::pool::{Gauges, Payload, Pool};
pub use self::resolve::Resolver;
pub use self::set::{Upstream, Upstreams};

/// One of WeChat's hosts (or the sandbox): scheme and authority, no path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// `https`, else `http`.
    pub tls: bool,
    /// Host name or address, an IPv6 one without brackets.
    pub host: String,
    /// Port, 443 or 80 where the URL names none.
    pub port: u16,
}

/// Which of WeChat's hosts a path is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    /// `api.weixin.qq.com` and those that stand in for it.
    Api,
    /// `mp.weixin.qq.com`, which alone has the pictures of QR codes.
    Mp,
    /// `qyapi.weixin.qq.com`: WeCom.
    Work,
}

/// How to reach WeChat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Where requests go: at least one, the preferred one first.
    pub origins: Vec<Origin>,
    /// The origins stand for all of WeChat's hosts, as a sandbox does or a gateway; else for [`Site::Api`] alone.
    pub all_sites: bool,
    /// For TCP, a proxy's answer and TLS together.
    pub connect_timeout: Duration,
    /// From a request's last byte to the response head.
    pub response_timeout: Duration,
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

impl Origin {
    /// `scheme://authority`, the port only where it isn't the scheme's own.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.tls { "https" } else { "http" }, self.authority())
    }

    /// The `Host` header: host, and the port where it isn't the scheme's own.
    pub fn authority(&self) -> String {
        if self.port == if self.tls { 443 } else { 80 } {
            bracketed(&self.host)
        } else {
            host_and_port(&self.host, self.port)
        }
    }

    /// Whether it is one of WeChat's own names.
    pub fn is_wechats(&self) -> bool {
        self.host == "weixin.qq.com" || self.host.ends_with(".weixin.qq.com")
    }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

fn host_and_port(host: &str, port: u16) -> String {
    format!("{}:{port}", bracketed(host))
}
