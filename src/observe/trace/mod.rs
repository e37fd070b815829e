//! Spans of requests for an OpenTelemetry collector: one for the request, one below it for each
//! attempt at WeChat.
//!
//! Built with the cargo feature `otlp`; without it the same types are there, empty, and cost
//! nothing.

#[cfg(feature = "otlp")]
mod otlp;
#[cfg(feature = "otlp")]
mod queue;
#[cfg(feature = "otlp")]
mod spans;
#[cfg(not(feature = "otlp"))]
mod untraced;

#[cfg(feature = "otlp")]
pub use self::otlp::{Trace, Tracer};
#[cfg(feature = "otlp")]
pub use self::queue::{TraceError, Traces};
#[cfg(not(feature = "otlp"))]
pub use self::untraced::{Trace, TraceError, Tracer, Traces};

/// Whether this build can send traces at all.
pub const BUILT: bool = cfg!(feature = "otlp");

/// Where traces go, and which.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The collector's address for OTLP over HTTP, to which `/v1/traces` is added.
    pub endpoint: String,
    /// The share, 0 to 1, of requests without a caller's decision that are traced.
    pub sample: f64,
    /// What the collector calls this service.
    pub service_name: String,
}

/// The caller's own span, of which a request is a part.
#[derive(Clone, Copy, Debug)]
pub struct Parent<'a> {
    /// 32 hexadecimal digits.
    pub trace_id: &'a str,
    /// 16 hexadecimal digits.
    pub span_id: &'a str,
    /// Whether the caller traces: then so does wxgate, else not.
    pub sampled: bool,
}

/// What came of one attempt at WeChat.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attempt {
    /// HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// WeChat's code, if the answer had one.
    pub errcode: Option<i64>,
    /// The proxy's code for why there was no answer.
    pub code: Option<&'static str>,
}

/// A request that has been answered. No path, no query, no header: they may hold credentials.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary<'a> {
    /// The request's method.
    pub method: &'a str,
    /// The endpoint catalogue's name.
    pub endpoint: Option<&'a str>,
    /// Name of the app, if the request got that far.
    pub app: Option<&'a str>,
    /// Name of the caller, or `anonymous`.
    pub caller: Option<&'a str>,
    /// HTTP status as sent.
    pub status: u16,
    /// WeChat's last code.
    pub errcode: Option<i64>,
    /// How often it was sent again with another token.
    pub replays: u32,
    /// The `X-Request-Id` of the answer.
    pub request_id: &'a str,
    /// The proxy's own code, if the answer is its own.
    pub code: Option<&'static str>,
    /// The proxy, or the way to WeChat, failed.
    pub failed: bool,
}
