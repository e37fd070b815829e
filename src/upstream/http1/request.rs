//! The head of a request.

use http::{HeaderName, HeaderValue, Method};

use crate::texts::text;

/// A target with a byte that no URL may have, and that could end the request's line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", text!("the path or query has bytes that are not allowed in a URL"))]
pub struct BadTarget;

/// Writes the head of a request behind what is in a buffer.
#[derive(Debug)]
pub struct RequestHead<'b>(&'b mut Vec<u8>);

impl<'b> RequestHead<'b> {
    /// Begins with the request's line; `target` is a path and query.
    ///
    /// # Errors
    /// The target can't stand there. Nothing is written.
    pub fn begin(out: &'b mut Vec<u8>, method: &Method, target: &[u8]) -> Result<Self, BadTarget> {
        // Each byte is looked at, whatever the others are: so the compiler can compare many at
        // once.
        let fits = target.iter().fold(true, |fits, byte| fits & (*byte > b' ') & (*byte != 0x7f));
        if !fits || target.first() != Some(&b'/') {
            return Err(BadTarget);
        }
        for part in [method.as_str().as_bytes(), b" ", target, b" HTTP/1.1\r\n"] {
            out.extend_from_slice(part);
        }
        Ok(Self(out))
    }

    /// Appends a field.
    pub fn field(&mut self, name: &HeaderName, value: &HeaderValue) {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            self.0.extend_from_slice(part);
        }
    }

    /// Ends it; a body of `length` bytes follows, if one is declared.
    pub fn end(self, length: Option<u64>) {
        if let Some(length) = length {
            self.0.extend_from_slice(b"content-length: ");
            self.0.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
            self.0.extend_from_slice(b"\r\n");
        }
        self.0.extend_from_slice(b"\r\n");
    }
}
