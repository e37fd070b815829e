//! A worker's part: notes what a traced request did, and hands it over when it has ended.

use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry::trace::{SpanId, TraceId};
use tokio::time::Instant;

use super::queue::{Queue, Traces};
use super::spans::{Begun, Ended, new_span_id};
use super::{Attempt, Parent, Summary};

/// A worker's end; by default it traces nothing.
#[derive(Clone, Debug, Default)]
pub struct Tracer(Option<Arc<Queue>>);

/// The trace of one request; none if it isn't sampled.
#[derive(Debug, Default)]
pub struct Trace(Option<Box<Begun>>);

impl Traces {
    /// A worker's end.
    pub fn tracer(&self) -> Tracer {
        Tracer(self.0.as_ref().map(|sending| Arc::clone(&sending.queue)))
    }
}

impl Tracer {
    /// Begins the trace of a request. The caller decides whether it is traced; where none does,
    /// chance.
    pub fn begin(&self, parent: Option<Parent<'_>>) -> Trace {
        let Some(queue) = &self.0 else { return Trace(None) };
        let known = parent.and_then(|parent| {
            Some((TraceId::from_hex(parent.trace_id).ok()?, SpanId::from_hex(parent.span_id).ok()?))
        });
        let sampled = match parent {
            Some(parent) => parent.sampled,
            None => fastrand::f64() < queue.sample,
        };
        if !sampled {
            return Trace(None);
        }
        let trace_id = known.map_or_else(|| TraceId::from(fastrand::u128(1..)), |(trace_id, _)| trace_id);
        Trace(Some(Box::new(Begun {
            trace_id,
            id: trace_id.to_string(),
            span_id: new_span_id(),
            parent_id: known.map(|(_, parent_id)| parent_id),
            began: SystemTime::now(),
            since: Instant::now(),
            attempts: Vec::new(),
        })))
    }

    /// Hands a request that has ended to the background, unless too many wait there already.
    pub fn end<'a>(&self, trace: Trace, summary: impl FnOnce() -> Summary<'a>) {
        if let (Some(queue), Trace(Some(begun))) = (&self.0, trace) {
            queue.put(Ended::new(begun, &summary()));
        }
    }
}

impl Trace {
    /// The trace's id in 32 hexadecimal digits.
    pub fn id(&self) -> Option<&str> {
        self.0.as_ref().map(|begun| begun.id.as_str())
    }

    /// Notes an attempt at WeChat that began at `from` and is over.
    pub fn attempted(&mut self, from: Instant, attempt: Attempt) {
        if let Some(begun) = &mut self.0 {
            let start = from.saturating_duration_since(begun.since);
            begun.attempts.push((start, begun.since.elapsed(), attempt));
        }
    }
}
