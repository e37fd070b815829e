//! HTTP/1.1 towards WeChat (RFC 9112): requests as bytes, and responses out of bytes. Does no I/O.
//!
//! What can be read in two ways is refused, or ends the connection with its response: the next
//! request must never get the rest of this one's.
//!
//! | file | holds |
//! | --- | --- |
//! | `request` | the head of a request |
//! | `head` | the head of a response, and those before it (1xx) |
//! | `framing` | where the body ends |
//! | `body`, `chunks`, `piece` | the body, piece by piece |
//! | `fault` | what can be wrong with a response |

mod body;
mod chunks;
mod fault;
mod framing;
mod head;
mod piece;
mod request;

pub use self::body::Body;
pub use self::fault::Fault;
pub(super) use self::head::MOST_INTERIM;
pub use self::head::{Head, HeadReader, LONGEST_HEAD};
pub use self::piece::Piece;
pub use self::request::{BadTarget, RequestHead};

#[cfg(test)]
mod tests;
