//! Vocabulary of HTTP messages, without I/O: bodies, forms, headers, paths and queries; and the
//! spelling of words that people type.

pub mod body;
pub mod credential;
pub mod form;
pub mod headers;
pub mod host;
pub mod location;
pub mod noted;
pub mod path;
pub(crate) mod percent;
pub mod query;
pub mod spelling;
pub mod traceparent;

/// The methods that are used with WeChat's API.
pub const METHODS: [&str; 7] = ["GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"];
