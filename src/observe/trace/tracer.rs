//! What the rest of wxgate knows of traces, whether this build can send them or not.

use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;

use rustls::ClientConfig;
use tokio::time::Instant;

use super::error::TraceError;
use super::{Attempt, Collector, Parent, Summary};
use crate::observe::exposition::Exposition;

/// Records requests and sends them to the collector.
pub(super) trait Recorder: Debug + Send + Sync {
    /// None if the request isn't traced.
    fn begin(self: Arc<Self>, parent: Option<Parent<'_>>) -> Option<Box<dyn Recording>>;

    fn expose(&self, out: &mut Exposition);

    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// The trace of one request.
pub(super) trait Recording: Debug + Send + Sync {
    fn id(&self) -> &str;

    fn attempted(&mut self, from: Instant, attempt: Attempt);

    fn end(self: Box<Self>, summary: &Summary<'_>);
}

/// Sends traces to the collector until it is closed; by default there is none.
#[derive(Debug, Default)]
pub struct Traces(Option<Arc<dyn Recorder>>);

impl Traces {
    /// Starts the task that sends, on the runtime that this is called in. `tls` is for a collector
    /// behind HTTPS. Without the feature `otlp` the configuration is refused before it gets here.
    ///
    /// # Errors
    /// If no client can be made; an unreachable collector is not an error.
    pub fn start(collector: &Collector, tls: ClientConfig) -> Result<Self, TraceError> {
        #[cfg(feature = "otlp")]
        let recorder: Option<Arc<dyn Recorder>> = Some(super::queue::Sending::start(collector, tls)?);
        #[cfg(not(feature = "otlp"))]
        let (recorder, _) = (None, (collector, tls));
        Ok(Self(recorder))
    }

    /// A worker's part.
    pub fn tracer(&self) -> Tracer {
        Tracer(self.0.clone())
    }

    /// Adds the counts of spans to a scrape.
    pub fn expose(&self, out: &mut Exposition) {
        if let Some(recorder) = &self.0 {
            recorder.expose(out);
        }
    }

    /// Sends what is queued, for two seconds at most, and stops.
    pub async fn close(&self) {
        if let Some(recorder) = &self.0 {
            recorder.close().await;
        }
    }
}

/// A worker's part; by default it traces nothing.
#[derive(Clone, Debug, Default)]
pub struct Tracer(Option<Arc<dyn Recorder>>);

impl Tracer {
    /// Begins the trace of a request. The caller decides whether it is traced; where none does,
    /// chance.
    #[inline]
    pub fn begin(&self, parent: Option<Parent<'_>>) -> Trace {
        Trace(self.0.as_ref().and_then(|recorder| Arc::clone(recorder).begin(parent)))
    }

    /// Hands a request that has ended to the background, unless too many wait there already.
    #[inline]
    pub fn end<'a>(&self, trace: Trace, summary: impl FnOnce() -> Summary<'a>) {
        if let Some(recording) = trace.0 {
            recording.end(&summary());
        }
    }
}

/// The trace of one request; none if it isn't sampled.
#[derive(Debug, Default)]
pub struct Trace(Option<Box<dyn Recording>>);

impl Trace {
    /// The trace's id in 32 hexadecimal digits.
    #[inline]
    pub fn id(&self) -> Option<&str> {
        self.0.as_ref().map(|recording| recording.id())
    }

    /// Notes an attempt at WeChat that began at `from` and is over.
    #[inline]
    pub fn attempted(&mut self, from: Instant, attempt: Attempt) {
        if let Some(recording) = &mut self.0 {
            recording.attempted(from, attempt);
        }
    }
}
