//! Spans of requests for an OpenTelemetry collector: one for the request, one below it for each
//! attempt at WeChat.
//!
//! | file | holds |
//! | --- | --- |
//! | `tracer`, `error` | what the rest of wxgate uses of traces |
//! | `otlp` | the recording of a traced request |
//! | `queue` | sends ended requests to the collector |
//! | `spans` | a traced request as OpenTelemetry's spans |
//!
//! The last three are built with the cargo feature `otlp` only.

mod error;
#[cfg(feature = "otlp")]
mod otlp;
#[cfg(feature = "otlp")]
mod queue;
#[cfg(feature = "otlp")]
mod spans;
mod tracer;

pub use self::error::TraceError;
pub use self::tracer::{Trace, Tracer, Traces};

/// Whether this build can send traces at all.
pub const BUILT: bool = cfg!(feature = "otlp");

/// Where traces go, and which requests are traced.
#[derive(Clone, Debug, PartialEq)]
pub struct Collector {
    /// Its address for OTLP over HTTP, to which `/v1/traces` is added.
    pub endpoint: String,
    /// The share, 0 to 1, of requests without a caller's decision that are traced.
    pub sample: f64,
    /// The name of this service there.
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

/// The outcome of one attempt at WeChat.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attempt {
    /// HTTP status, if there was a response.
    pub status: Option<u16>,
    /// WeChat's code, if the response had one.
    pub errcode: Option<i64>,
    /// The proxy's code for why there was no response.
    pub code: Option<&'static str>,
}

/// A request with its response. No path, no query, no header: they may hold credentials.
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
    /// How often it was replayed with another token.
    pub replays: u32,
    /// The `X-Request-Id` of the response.
    pub request_id: &'a str,
    /// The proxy's own code, if the response is its own.
    pub code: Option<&'static str>,
    /// The proxy, or the connection to WeChat, failed.
    pub failed: bool,
}
