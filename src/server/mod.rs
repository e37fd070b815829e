//! Accepts connections, spreads them over workers, parses HTTP/1.1 and drains.

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;

use crate::message::body::Body;

/// A request as it came from the socket; its body is read as the handler asks for it.
pub type Request = http::Request<Incoming>;
/// What a handler answers.
pub type Response = http::Response<Body>;

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `host:port`; port 0 asks the kernel for a free one.
    Tcp(String),
    /// `unix:/path`
    Unix(PathBuf),
}

/// How connections are treated.
#[derive(Clone, Debug)]
pub struct Options {
    /// Connections open at once; what comes beyond is answered by [`Handler::refuse`] and closed.
    pub max_connections: usize,
    /// From a request's first byte to the end of its head.
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

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A TCP peer.
    Tcp(std::net::SocketAddr),
    /// Somebody on this machine, by a unix socket.
    Unix,
}

/// What the server itself can't hand to a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not HTTP/1.1, or a head that can't be parsed.
    Malformed,
    /// The head is longer than the server takes.
    HeadTooLarge,
    /// The request target is longer than 65,534 bytes.
    TargetTooLong,
    /// Several Content-Lengths, or one beside Transfer-Encoding (RFC 9112, 6.3: request smuggling).
    AmbiguousFraming,
    /// More connections than [`Options::max_connections`].
    Overloaded,
}

/// Answers requests; one instance for each worker, never shared between threads.
pub trait Handler: 'static {
    /// Answers one request. Dropped unfinished when the caller hangs up.
    fn handle(&self, request: Request, peer: Peer) -> impl Future<Output = Response>;

    /// The answer where no request could be made of what came; `None` leaves it to the HTTP library.
    fn refuse(&self, refusal: Refusal, peer: Peer) -> Option<http::Response<Bytes>> {
        let _ = (refusal, peer);
        None
    }
}
