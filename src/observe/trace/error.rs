//! Why traces can't be sent.

/// Why traces can't be sent; without the feature `otlp` nothing can fail.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The HTTP client can't be made.
    #[cfg(feature = "otlp")]
    #[error("{}", crate::texts::text!("could not make the HTTP client for the trace collector"))]
    Client(#[from] reqwest::Error),
    /// The endpoint is not valid.
    #[cfg(feature = "otlp")]
    #[error("{}", crate::texts::text!("could not make the trace exporter"))]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
}
