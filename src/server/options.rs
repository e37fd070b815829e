//! Where to listen, and how connections are treated.

use std::path::PathBuf;
use std::time::Duration;

use super::Pace;

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `host:port`; port 0 asks the kernel for a free one.
    Tcp(String),
    /// `unix:/path`
    Unix(PathBuf),
}

/// How connections are treated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Bytes of a request's head, from its first line to the empty one. A longer one is refused.
    pub max_head: usize,
    /// Connections open at once; what comes beyond is handled by
    /// [`Handler::refuse`](super::Handler::refuse) and closed.
    pub max_connections: usize,
    /// The same from one address, of IPv6 from one network of 64 bits. This machine and trusted
    /// proxies have no such limit.
    pub max_connections_per_address: usize,
    /// From a request's first byte to the end of its head; also for a TLS handshake.
    pub head_timeout: Duration,
    /// Between two requests of a connection.
    pub idle_timeout: Duration,
    /// Longest silence while a request's body is awaited.
    pub body_timeout: Duration,
    /// How fast a request's body must come.
    pub pace: Pace,
    /// Longest time that a caller may take no byte of a response.
    pub write_timeout: Duration,
    /// From the call to stop until no connection is accepted: load balancers have time to notice.
    pub drain_delay: Duration,
    /// How long idle connections are kept from then on.
    pub drain_idle: Duration,
    /// From the end of the delay until what still runs is cut off.
    pub drain_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            max_head: 32 * 1024,
            max_connections: 10_000,
            max_connections_per_address: 5_000,
            head_timeout: seconds(10),
            idle_timeout: seconds(75),
            body_timeout: seconds(30),
            pace: Pace::default(),
            write_timeout: seconds(30),
            drain_delay: Duration::ZERO,
            drain_idle: seconds(1),
            drain_timeout: seconds(30),
        }
    }
}
