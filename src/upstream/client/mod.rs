//! A worker's HTTP/1.1 client.
//!
//! | file | holds |
//! | --- | --- |
//! | `pool` | the worker's connections, of which a request gets one |
//! | `exchange` | sends the request and waits for the head of the response |
//! | `response` | reads the body, or streams it, and gives the connection back |
//! | `patience` | when to give up |
//! | `upload` | sends the request's body meanwhile |
//! | `connection` | a connection, and the bytes on their way on it |

mod connection;
mod error;
mod exchange;
mod patience;
mod pool;
mod response;
mod upload;

pub use self::connection::{Gauges, LONGEST_PIECE, most_memory};
pub use self::error::{BodyError, Failure, SendError};
pub use self::patience::{Patience, Progress};
pub use self::pool::{Need, Pool, PooledConnection};
pub use self::response::{Start, Stream, UpstreamResponse};
pub use self::upload::Payload;
