//! Records what a traced request did, and queues it once it has ended.

use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry::trace::{SpanId, TraceId};
use tokio::time::Instant;

use super::queue::Sending;
use super::spans::{Begun, Ended, new_span_id};
use super::tracer::{Recorder, Recording};
use super::{Attempt, Parent, Summary};
use crate::observe::exposition::Exposition;

#[derive(Debug)]
struct Recorded {
    begun: Box<Begun>,
    sending: Arc<Sending>,
}

impl Recorder for Sending {
    fn begin(self: Arc<Self>, parent: Option<Parent<'_>>) -> Option<Box<dyn Recording>> {
        let known = parent.and_then(|parent| {
            Some((TraceId::from_hex(parent.trace_id).ok()?, SpanId::from_hex(parent.span_id).ok()?))
        });
        let sampled = match parent {
            Some(parent) => parent.sampled,
            None => fastrand::f64() < self.queue.sample,
        };
        if !sampled {
            return None;
        }
        let trace_id = known.map_or_else(|| TraceId::from(fastrand::u128(1..)), |(trace_id, _)| trace_id);
        let begun = Box::new(Begun {
            trace_id,
            id: trace_id.to_string(),
            span_id: new_span_id(),
            parent_id: known.map(|(_, parent_id)| parent_id),
            began: SystemTime::now(),
            since: Instant::now(),
            attempts: Vec::new(),
        });
        Some(Box::new(Recorded { begun, sending: self }))
    }

    fn expose(&self, out: &mut Exposition) {
        self.queue.expose(out);
    }

    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.stop())
    }
}

impl Recording for Recorded {
    fn id(&self) -> &str {
        &self.begun.id
    }

    fn attempted(&mut self, from: Instant, attempt: Attempt) {
        let begun = &mut self.begun;
        let start = from.saturating_duration_since(begun.since);
        begun.attempts.push((start, begun.since.elapsed(), attempt));
    }

    fn end(self: Box<Self>, summary: &Summary<'_>) {
        self.sending.queue.put(Ended::new(self.begun, summary));
    }
}
