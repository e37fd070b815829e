//! What can be wrong with a response.

/// What is wrong with a response. Its connection can't be used any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The connection closed before the response was whole.
    #[error("the connection closed before the response was whole")]
    Closed,
    /// The head isn't HTTP/1.0 or HTTP/1.1, or can't be parsed.
    #[error("the head of the response cannot be parsed: {0}")]
    Head(httparse::Error),
    /// The head is longer than [`LONGEST_HEAD`](super::LONGEST_HEAD).
    #[error("the head of the response is longer than {0} bytes")]
    HeadTooLong(usize),
    /// Too many responses before the response.
    #[error("there are more than {0} interim responses before the response")]
    TooManyInterim(u8),
    /// `Content-Length` has several values, a list, or one that isn't a length.
    #[error("the Content-Length of the response is no single number")]
    Length,
    /// `Transfer-Encoding` in HTTP/1.0, with `chunked` anywhere but at its end, or with what is no
    /// coding.
    #[error("the Transfer-Encoding of the response cannot be followed")]
    Coding,
    /// The size of a chunk can't be read, or the chunk doesn't end where it should.
    #[error("a chunk of the response is malformed")]
    Chunk,
    /// Chunk extensions or trailers are too long, or no fields.
    #[error("the trailers or chunk extensions of the response are too long, or malformed")]
    Trailers,
}
