//! A traced request as OpenTelemetry has it.

use std::time::{Duration, SystemTime};

use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use tokio::time::Instant;

use super::{Attempt, Summary};

/// A request under way.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) trace_id: TraceId,
    /// The same in hexadecimal digits.
    pub(super) id: String,
    pub(super) span_id: SpanId,
    pub(super) parent_id: Option<SpanId>,
    /// The machine's clock, so that the spans of several machines lie side by side.
    pub(super) began: SystemTime,
    pub(super) since: Instant,
    pub(super) attempts: Vec<(Duration, Duration, Attempt)>,
}

/// A request that has ended.
#[derive(Debug)]
pub(super) struct Ended {
    begun: Box<Begun>,
    took: Duration,
    method: &'static str,
    endpoint: Option<String>,
    status: u16,
    failed: bool,
    attributes: Vec<KeyValue>,
}

impl Ended {
    pub(super) fn new(begun: Box<Begun>, summary: &Summary<'_>) -> Self {
        let Summary { app, caller, status, errcode, replays, request_id, code, failed, .. } = *summary;
        let took = begun.since.elapsed();
        let mut attributes = vec![
            KeyValue::new("wxgate.request_id", request_id.to_owned()),
            KeyValue::new("wxgate.replays", i64::from(replays)),
        ];
        attributes.extend(app.map(|app| KeyValue::new("wxgate.app", app.to_owned())));
        attributes.extend(caller.map(|caller| KeyValue::new("wxgate.caller", caller.to_owned())));
        attributes.extend(errcode.map(|errcode| KeyValue::new("wechat.errcode", errcode)));
        attributes.extend(code.map(|code| KeyValue::new("error.type", code)));
        let endpoint = summary.endpoint.map(str::to_owned);
        Self { begun, took, method: known_method(summary.method), endpoint, status, failed, attributes }
    }

    /// How many spans it is.
    pub(super) fn spans(&self) -> usize {
        1 + self.begun.attempts.len()
    }

    /// Its spans, the request's own first.
    pub(super) fn into_spans(self, scope: &InstrumentationScope) -> impl Iterator<Item = SpanData> {
        let Self { begun, took, method, endpoint, status, failed, attributes } = self;
        let Begun { trace_id, span_id, parent_id, began, attempts, .. } = *begun;
        let name = match &endpoint {
            Some(endpoint) => format!("{method} {endpoint}"),
            None => method.to_owned(),
        };
        let span = move |kind, id, parent: Option<SpanId>, remote, (from, to), status, attributes| SpanData {
            span_context: SpanContext::new(trace_id, id, TraceFlags::SAMPLED, false, TraceState::NONE),
            parent_span_id: parent.unwrap_or(SpanId::INVALID),
            parent_span_is_remote: remote,
            span_kind: kind,
            name: name.clone().into(),
            start_time: began + from,
            end_time: began + to,
            attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status,
            instrumentation_scope: scope.clone(),
        };
        let http = move |status: Option<u16>| {
            let method = KeyValue::new("http.request.method", method);
            let route = endpoint.clone().map(|endpoint| KeyValue::new("http.route", endpoint));
            let status = status.map(|status| KeyValue::new("http.response.status_code", i64::from(status)));
            std::iter::once(method).chain(route).chain(status)
        };
        let outcome = if failed { Status::error("") } else { Status::Unset };
        let own = attributes.into_iter().chain(http(Some(status))).collect();
        let server = span(
            SpanKind::Server,
            span_id,
            parent_id,
            parent_id.is_some(),
            (Duration::ZERO, took),
            outcome,
            own,
        );
        let children = attempts.into_iter().enumerate().map(move |(number, (from, to, attempt))| {
            let Attempt { status, errcode, code } = attempt;
            let numbered = |name, value| KeyValue::new(name, Value::I64(value));
            let resent = i64::try_from(number).ok().filter(|number| *number > 0);
            let attributes = http(status)
                .chain(resent.map(|number| numbered("http.request.resend_count", number)))
                .chain(errcode.map(|errcode| numbered("wechat.errcode", errcode)))
                .chain(code.map(|code| KeyValue::new("error.type", code)))
                .collect();
            let failed = code.is_some() || errcode.is_some_and(|errcode| errcode != 0);
            let outcome = if failed { Status::error("") } else { Status::Unset };
            span(SpanKind::Client, new_span_id(), Some(span_id), false, (from, to), outcome, attributes)
        });
        std::iter::once(server).chain(children)
    }
}

/// At random; 0 would be none.
pub(super) fn new_span_id() -> SpanId {
    SpanId::from(fastrand::u64(1..))
}

/// OpenTelemetry's word for a method that callers made up.
fn known_method(method: &str) -> &'static str {
    ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "CONNECT"]
        .into_iter()
        .find(|known| *known == method)
        .unwrap_or("_OTHER")
}
