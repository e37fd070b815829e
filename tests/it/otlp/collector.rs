//! A collector on a real socket that keeps what it is sent.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::until::found;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::net::TcpListener;

#[derive(Clone, Default)]
struct Taken(Arc<Mutex<Vec<(String, Bytes)>>>);

/// A collector that is there until the test ends.
pub(crate) struct Collector {
    pub(crate) url: String,
    taken: Taken,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let taken = Taken::default();
        let keep = taken.clone();
        #[expect(clippy::disallowed_methods, reason = "the test's runtime ends it")]
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let keep = keep.clone();
                let service = service_fn(move |request| take(keep.clone(), request));
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { url, taken }
    }

    /// Everything that was sent.
    pub(crate) fn bytes(&self) -> Vec<(String, Bytes)> {
        self.taken.0.lock().clone()
    }

    /// What the resource of each call says, and its spans.
    pub(crate) fn spans(&self) -> Vec<(BTreeMap<String, String>, Span)> {
        let mut spans = Vec::new();
        for (path, body) in self.bytes() {
            assert_eq!(path, "/v1/traces");
            let request = ExportTraceServiceRequest::decode(body).expect("OTLP");
            for resource in request.resource_spans {
                let about = attributes(&resource.resource.expect("a resource").attributes);
                let found = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
                spans.extend(found.map(|span| (about.clone(), span)));
            }
        }
        spans
    }

    /// The spans of a trace, the request's own first, once there are so many.
    pub(crate) async fn trace(&self, trace_id: &str, count: usize) -> Vec<Span> {
        let here = || -> Vec<_> {
            let all = self.spans().into_iter().map(|(_, span)| span);
            all.filter(|span| hex(&span.trace_id) == trace_id).collect()
        };
        let what = || format!("{count} spans of {trace_id}: {:#?}", here());
        found(what, async || Some(here()).filter(|spans| spans.len() == count)).await
    }
}

async fn take(
    taken: Taken,
    request: http::Request<Incoming>,
) -> Result<http::Response<Full<Bytes>>, hyper::Error> {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await?.to_bytes();
    taken.0.lock().push((path, body));
    Ok(http::Response::new(Full::default()))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Attributes as text.
pub(crate) fn attributes(
    pairs: &[opentelemetry_proto::tonic::common::v1::KeyValue],
) -> BTreeMap<String, String> {
    let text = |value: &Value| match value {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        other => panic!("{other:?}"),
    };
    let value = |pair: &opentelemetry_proto::tonic::common::v1::KeyValue| {
        let value = pair.value.as_ref().and_then(|value| value.value.as_ref()).expect("a value");
        (pair.key.clone(), text(value))
    };
    pairs.iter().map(value).collect()
}
