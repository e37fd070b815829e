//! What can be wrong with a response.

use crate::texts::text;

/// What is wrong with a response. Its connection can't be used any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The connection closed before the response was whole.
    #[error("{}", text!("the connection was closed before the response was complete"))]
    Closed,
    /// The head isn't HTTP/1.0 or HTTP/1.1, or can't be parsed.
    #[error("{}", text!("the head of the response cannot be parsed: {cause}", cause = .0))]
    Head(httparse::Error),
    /// The head is longer than [`LONGEST_HEAD`](super::LONGEST_HEAD).
    #[error("{}", text!("the head of the response is longer than {limit} bytes", limit = .0))]
    HeadTooLong(usize),
    /// Too many responses before the response.
    #[error("{}", text!("more than {limit} interim responses before the response", limit = .0))]
    TooManyInterim(u8),
    /// `Content-Length` has several values, a list, or one that isn't a length.
    #[error("{}", text!("the Content-Length of the response is not a single number"))]
    Length,
    /// `Transfer-Encoding` in HTTP/1.0, with `chunked` anywhere but at its end, or with what is no
    /// coding.
    #[error("{}", text!("the Transfer-Encoding of the response is not supported"))]
    Coding,
    /// The size of a chunk can't be read, or the chunk doesn't end where it should.
    #[error("{}", text!("a chunk of the response is malformed"))]
    Chunk,
    /// Chunk extensions or trailers are too long, or no fields.
    #[error("{}", text!("the trailers or chunk extensions of the response are too long or malformed"))]
    Trailers,
}
