//! A build without traces: everything here is nothing.

use rustls::ClientConfig;
use tokio::time::Instant;

use super::{Attempt, Options, Parent, Summary};
use crate::observe::exposition::Exposition;

/// Why traces can't be sent; never, since none are.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {}

/// Sends nothing.
#[derive(Debug, Default)]
pub struct Traces(());

impl Traces {
    /// A configuration with traces is refused before it comes here.
    pub fn start(_: &Options, _: ClientConfig) -> Result<Self, TraceError> {
        Ok(Self::default())
    }

    /// A worker's end.
    pub fn tracer(&self) -> Tracer {
        Tracer
    }

    /// Adds nothing to a scrape.
    pub fn expose(&self, _: &mut Exposition) {}

    /// There is nothing to wait for.
    pub async fn close(&self) {}
}

/// Traces nothing.
#[derive(Clone, Debug, Default)]
pub struct Tracer;

impl Tracer {
    /// The trace of no request.
    #[inline]
    pub fn begin(&self, _: Option<Parent<'_>>) -> Trace {
        Trace
    }

    /// Nothing ends.
    #[inline]
    pub fn end<'a>(&self, _: Trace, _: impl FnOnce() -> Summary<'a>) {}
}

/// The trace of no request.
#[derive(Debug, Default)]
pub struct Trace;

impl Trace {
    /// None.
    #[inline]
    pub fn id(&self) -> Option<&str> {
        None
    }

    /// Nothing is noted.
    #[inline]
    pub fn attempted(&mut self, _: Instant, _: Attempt) {}
}
