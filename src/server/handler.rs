//! What serves requests, and what it is given.

use std::future::Future;

use bytes::Bytes;
use hyper::body::Incoming;

use crate::message::body::Body;
use crate::observe::remote::Remote;

/// A request as it came from the socket; its body is read as the handler asks for it.
pub type Request = http::Request<Incoming>;
/// What a handler responds with.
pub type Response = http::Response<Body>;

/// Serves requests; one instance for each worker, never shared between threads.
pub trait Handler: 'static {
    /// Serves one request. Dropped unfinished when the caller hangs up.
    fn handle(&self, request: Request, peer: Peer) -> impl Future<Output = Response>;

    /// Responds to one that came when no connection was accepted any more: the server shuts down,
    /// and the process that takes over has more time for it.
    fn late(&self, request: Request, peer: Peer) -> impl Future<Output = Response> {
        self.handle(request, peer)
    }

    /// The longest body of a request: a chunk that is longer is refused as soon as it is announced.
    fn longest_body(&self) -> u64 {
        u64::MAX
    }

    /// The response where no request could be made of what came; `None` leaves it to the HTTP
    /// library.
    fn refuse(&self, refusal: Refusal, peer: Peer) -> Option<http::Response<Bytes>> {
        let _ = (refusal, peer);
        None
    }
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A TCP peer.
    Tcp(std::net::SocketAddr),
    /// A process on this machine, by a unix socket: the user, if the kernel told.
    Unix(Option<u32>),
}

impl Peer {
    /// As logs name it.
    pub fn remote(self) -> Remote {
        match self {
            Self::Tcp(address) => Remote::Address(address.ip().to_canonical()),
            Self::Unix(user) => Remote::Unix(user),
        }
    }

    /// Whether it is on this machine.
    pub fn is_local(self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

/// What the server itself can't hand to a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not HTTP/1.1, or a head that can't be parsed.
    Malformed,
    /// The same, because of bytes in its target that must be percent-encoded.
    RawTarget,
    /// TLS where plain HTTP is spoken.
    NotHttp,
    /// The head is longer than [`Options::max_head`](super::Options::max_head).
    HeadTooLarge {
        /// Bytes that it may have.
        limit: usize,
    },
    /// More header fields than 100.
    TooManyFields,
    /// The body says that it is longer than [`Handler::longest_body`], or than any can be.
    BodyTooLarge {
        /// Bytes that it may have.
        limit: u64,
    },
    /// The request target is longer than 65,534 bytes.
    TargetTooLong,
    /// Several Content-Lengths, one together with Transfer-Encoding, or a coding other than chunked
    /// (RFC 9112, 6.3: request smuggling).
    AmbiguousFraming,
    /// More connections than [`Options::max_connections`](super::Options::max_connections), or more
    /// from this address than
    /// [`max_connections_per_address`](super::Options::max_connections_per_address). Nothing was
    /// read.
    Overloaded,
    /// Plain HTTP where TLS is spoken.
    NotTls,
}
