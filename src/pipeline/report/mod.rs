//! Reports a request, however it ended: one access line, the metrics, a trace.

mod metrics;
mod request;
mod trouble;

pub use metrics::CallerRequests;
pub(crate) use metrics::Metrics;
pub(crate) use request::{Ids, Report, Reporter};
