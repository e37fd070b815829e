//! Reports a request, however it ended: one access line, the metrics, a trace.

mod ids;
mod metrics;
mod recent;
mod refusals;
mod request;
mod trouble;

pub(crate) use ids::Ids;
pub use metrics::CallerRequests;
pub(crate) use metrics::Metrics;
pub use recent::Percentiles;
pub(crate) use recent::Recent;
pub use refusals::Refusal;
pub(crate) use request::{Report, Reporter};
