//! Connections to WeChat: pooled ones for the hot path, reqwest for the control plane.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

mod connect;
pub mod control;
mod exchange;
mod pool;
pub mod tls;
mod transport;

pub use self::connect::ConnectError;
pub use self::exchange::{Answer, BodyError, Patience, Progress, SendError, Start, Stream};
pub use self::pool::{Gauges, Payload, Pool};

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

/// How to reach WeChat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Where requests go.
    pub origin: Origin,
    /// For TCP and TLS together.
    pub connect_timeout: Duration,
    /// From a request's last byte to the response head.
    pub response_timeout: Duration,
    /// Longest silence within a body, either way.
    pub body_timeout: Duration,
    /// How long an unused connection is kept.
    pub pool_idle: Duration,
    /// PEM certificates trusted instead of the built-in roots.
    pub ca_file: Option<PathBuf>,
    /// Addresses to use instead of asking DNS, by host name.
    pub resolve: HashMap<String, Vec<IpAddr>>,
}

impl Origin {
    /// `scheme://authority`, the port only where it isn't the scheme's own.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.tls { "https" } else { "http" }, self.authority())
    }

    /// The `Host` header: host, and the port where it isn't the scheme's own.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == if self.tls { 443 } else { 80 } { host } else { format!("{host}:{}", self.port) }
    }
}
