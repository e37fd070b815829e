//! Responses as bytes, for the places where hyper has none to encode.

use std::fmt::Write as _;

use bytes::Bytes;

/// A response as bytes; the last one of its connection.
pub(super) fn on_the_wire(answer: &http::Response<Bytes>) -> Bytes {
    let mut head = String::with_capacity(256);
    let status = answer.status();
    let reason = status.canonical_reason().unwrap_or("Refused");
    let _ = write!(head, "HTTP/1.1 {} {reason}\r\n", status.as_u16());
    for (name, value) in answer.headers() {
        let _ = write!(head, "{name}: {}\r\n", value.to_str().unwrap_or_default());
    }
    let _ = write!(head, "content-length: {}\r\nconnection: close\r\n\r\n", answer.body().len());
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(answer.body());
    bytes.into()
}
