//! Tracing and metric primitives, the clock, deadlines, and when certificates end; knows nothing of
//! the rest.

pub mod access_log;
pub mod audit;
pub mod certificate;
pub mod chain;
pub mod clock;
pub mod deadline;
pub mod exemplar;
pub mod exposition;
pub mod hex;
pub mod log;
pub mod metrics;
pub mod names;
pub mod process;
pub mod quantile;
pub mod redact;
pub mod remote;
pub mod ring;
pub mod steering;
pub mod trace;
