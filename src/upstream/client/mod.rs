//! A worker's HTTP/1.1 client.
//!
//! | file | holds |
//! | --- | --- |
//! | `pool` | the worker's connections, of which a request gets one |
//! | `exchange` | sends the request and waits for the answer's head |
//! | `answer` | reads the body, or streams it, and gives the connection back |
//! | `patience` | when to give up |
//! | `connection`, `transport` | a connection, and what is known of the bytes on it |

mod answer;
mod connection;
mod error;
mod exchange;
mod patience;
mod pool;
mod transport;

pub use self::answer::{Answer, Start, Stream};
pub use self::connection::{Gauges, LONGEST_PIECE, MOST_MEMORY, Payload};
pub use self::error::{BodyError, SendError};
pub use self::patience::{Patience, Progress};
pub use self::pool::{Need, Pool, Ready};
