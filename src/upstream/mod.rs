//! Connections to WeChat: which host, by what way, and whether it responds.
//!
//! | file | holds |
//! | --- | --- |
//! | `options`, `origin` | how to reach WeChat; its hosts' names |
//! | `set` | the upstreams of the configuration in force, and what there is to see of them |
//! | `hosts` | interchangeable hosts: which one is used, and the probes of those that fail |
//! | `health` | what is held against one host |
//! | `quiet` | whether it closes connections as requests come |
//! | `connect`, `egress`, `resolve`, `tls`, `socket` | a fresh connection: name, proxy, TCP, TLS |
//! | `client/` | the hot path: a worker's connections, and one request on one of them |
//! | `http1/` | HTTP/1.1 as bytes, for the hot path |
//! | `interim` | how many interim responses may come |
//! | `control`, `once` | the proxy's own calls, each on a connection of its own |
//! | `look` | one host looked at closely, for `wxgate check --probe` |

mod client;
mod connect;
pub mod control;
mod egress;
mod health;
mod hosts;
pub mod http1;
mod interim;
pub mod look;
mod once;
mod options;
mod origin;
mod quiet;
mod resolve;
mod set;
mod socket;
pub mod tls;

pub use self::client::{
    BodyError, Failure, Gauges, LONGEST_PIECE, Need, Patience, Payload, Pool, PooledConnection, Progress,
    SendError, Start, Stream, UpstreamResponse, most_memory,
};
pub use self::connect::ConnectError;
pub use self::egress::{Egress, EgressError, Protocol};
pub use self::hosts::{HostStatus, Hosts};
pub use self::options::Options;
pub use self::origin::{Origin, Site};
pub use self::resolve::Resolver;
pub use self::set::{Trusted, Upstream, Upstreams};
