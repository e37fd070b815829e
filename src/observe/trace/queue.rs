//! Sends traces to the collector, in the background.
//!
//! Requests that have ended wait in a queue of a fixed length; what doesn't fit is dropped and
//! counted. One task collects for `BATCH` after the first, so that workers wake the control plane
//! five times a second at most.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanExporter as _;
use rustls::ClientConfig;
use tokio::sync::{Mutex, Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::Collector;
use super::error::TraceError;
use super::spans::Ended;
use crate::observe::exposition::Exposition;
use crate::texts::text;

/// Requests that may wait for the collector. At a few hundred bytes each that is some megabytes.
const LONGEST_QUEUE: usize = 8192;
/// How long spans are collected before they are sent.
const BATCH: Duration = Duration::from_millis(200);
/// Spans of one call to the collector.
const MOST_SPANS: usize = 512;
/// Bounds the sending of one batch, retries included.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);
/// How long [`Sending::stop`] waits for what is still queued.
const LONGEST_CLOSE: Duration = Duration::from_secs(2);

/// The task that sends, and its queue.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) queue: Arc<Queue>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// Where workers leave what has ended.
#[derive(Debug)]
pub(super) struct Queue {
    ended: mpsc::Sender<Ended>,
    pub(super) sample: f64,
    counts: Counts,
    closing: Notify,
}

/// Spans, by what became of them.
#[derive(Debug, Default)]
struct Counts {
    sent: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
}

impl Sending {
    #[expect(clippy::disallowed_methods, reason = "`stop` ends the task")]
    pub(super) fn start(collector: &Collector, tls: ClientConfig) -> Result<Arc<Self>, TraceError> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .tls_backend_preconfigured(tls)
            .timeout(SEND_TIMEOUT)
            .build()?;
        let mut exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_endpoint(format!("{}/v1/traces", collector.endpoint.trim_end_matches('/')))
            .with_timeout(SEND_TIMEOUT)
            .build()?;
        let resource = Resource::builder_empty()
            .with_service_name(collector.service_name.clone())
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        exporter.set_resource(&resource);
        let (ended, waiting) = mpsc::channel(LONGEST_QUEUE);
        let queue = Arc::new(Queue {
            ended,
            sample: collector.sample,
            counts: Counts::default(),
            closing: Notify::new(),
        });
        let task = tokio::spawn(send(exporter, waiting, Arc::clone(&queue)));
        Ok(Arc::new(Self { queue, task: Mutex::new(Some(task)) }))
    }

    /// Sends what is queued, for two seconds at most, and stops.
    pub(super) async fn stop(&self) {
        let Some(mut task) = self.task.lock().await.take() else { return };
        self.queue.closing.notify_one();
        if timeout(LONGEST_CLOSE, &mut task).await.is_err() {
            task.abort();
        }
    }
}

impl Queue {
    /// Adds the counts of spans to a scrape.
    pub(super) fn expose(&self, out: &mut Exposition) {
        out.counter("wxgate_trace_spans_total", "Spans by what became of them (sent, failed, dropped).");
        let Counts { sent, failed, dropped } = &self.counts;
        for (outcome, count) in [("sent", sent), ("failed", failed), ("dropped", dropped)] {
            out.sample(&[("outcome", outcome)], count.load(Ordering::Relaxed) as f64);
        }
    }

    /// Never waits.
    pub(super) fn put(&self, ended: Ended) {
        let spans = ended.spans() as u64;
        if self.ended.try_send(ended).is_err() {
            self.counts.dropped.fetch_add(spans, Ordering::Relaxed);
        }
    }
}

/// Sends what comes until the queue is closed and empty.
async fn send(
    exporter: opentelemetry_otlp::SpanExporter,
    mut waiting: mpsc::Receiver<Ended>,
    queue: Arc<Queue>,
) {
    let scope = InstrumentationScope::builder("wxgate").with_version(env!("CARGO_PKG_VERSION")).build();
    let mut open = true;
    let mut well = true;
    while open {
        let mut first = None;
        tokio::select! {
            ended = waiting.recv() => {
                first = ended;
                tokio::select! {
                    () = sleep(BATCH) => {}
                    () = queue.closing.notified() => open = false,
                }
            }
            () = queue.closing.notified() => open = false,
        }
        let mut spans = Vec::new();
        loop {
            let ended = first.take().or_else(|| waiting.try_recv().ok());
            let last = ended.is_none();
            spans.extend(ended.into_iter().flat_map(|ended| ended.into_spans(&scope)));
            if spans.len() >= MOST_SPANS || (last && !spans.is_empty()) {
                let count = spans.len() as u64;
                let result = exporter.export(std::mem::take(&mut spans)).await;
                let counter = if result.is_ok() { &queue.counts.sent } else { &queue.counts.failed };
                counter.fetch_add(count, Ordering::Relaxed);
                match &result {
                    Err(error) if well => {
                        tracing::warn!("{}", text!("could not send traces to the collector: {error}", error));
                    }
                    Ok(()) if !well => {
                        tracing::info!("{}", text!("traces reach the collector again"));
                    }
                    Ok(()) | Err(_) => {}
                }
                well = result.is_ok();
            }
            if last {
                break;
            }
        }
    }
}
