//! Where to listen, and how connections are treated.

use std::path::PathBuf;
use std::time::Duration;

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
    /// Connections open at once; what comes beyond is answered by
    /// [`Handler::refuse`](super::Handler::refuse) and closed.
    pub max_connections: usize,
    /// From a request's first byte to the end of its head; also for a TLS handshake.
    pub head_timeout: Duration,
    /// Between two requests of a connection.
    pub idle_timeout: Duration,
    /// Longest silence while a request's body is awaited.
    pub body_timeout: Duration,
    /// Longest time that a caller may take no byte of an answer.
    pub write_timeout: Duration,
    /// From the call to stop until what still runs is cut off.
    pub drain_timeout: Duration,
}
