//! Traces: what a collector gets of requests. Needs the feature `otlp`.

mod collector;

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

use self::collector::{Collector, attributes, hex};
use crate::harness::{ADMIN_TOKEN, APPID, Gate, OTHER_SECRET, SECRET, SHOP, Setup, caller};
use crate::until::until;

const KEY: &str = "canary-key-of-orders-5d1c";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

async fn gate(endpoint: &str, more: &str, apps: &str) -> Gate {
    let apps = format!("{SHOP}{apps}\n[trace]\nendpoint = \"{endpoint}\"\n{more}\n");
    Gate::with(Setup { apps, ..Setup::default() }).await.settled().await
}

fn traceparent(trace_id: &str, flags: &str) -> String {
    format!("00-{trace_id}-{SPAN}-{flags}")
}

fn said(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_request_is_one_span_with_a_child_for_each_attempt_and_nothing_secret() {
    let collector = Collector::start().await;
    let gate =
        gate(&collector.url, "service_name = \"gate-of-shop\"", &caller("orders", &[KEY], &["shop"], ""))
            .await;
    let dead = gate.token(APPID);
    gate.sandbox.rotate(APPID);
    let sent = traceparent(TRACE, "01");
    let headers = [("X-Wxgate-Key", KEY), ("traceparent", &*sent), ("X-Request-Id", "order-17")];
    let answer = gate.get_with("/cgi-bin/user/info?openid=canary-openid&access_token=mine", &headers).await;
    assert_eq!(answer.errcode(), 0, "{answer:?}");

    let spans = collector.trace(TRACE, 3).await;
    let [request, first, second] = &spans[..] else { panic!("{spans:#?}") };
    assert_eq!((request.name.as_str(), request.kind()), ("GET /cgi-bin/user/info", SpanKind::Server));
    assert_eq!(hex(&request.parent_span_id), SPAN);
    assert_eq!(
        attributes(&request.attributes),
        said(&[
            ("http.request.method", "GET"),
            ("http.response.status_code", "200"),
            ("http.route", "/cgi-bin/user/info"),
            ("wxgate.app", "shop"),
            ("wxgate.caller", "orders"),
            ("wxgate.replays", "1"),
            ("wxgate.request_id", "order-17"),
        ])
    );
    assert_eq!(request.status.clone().unwrap_or_default().code(), StatusCode::Unset);
    let attempt = |name, value| {
        said(&[
            ("http.request.method", "GET"),
            ("http.response.status_code", "200"),
            ("http.route", "/cgi-bin/user/info"),
            (name, value),
        ])
    };
    assert_eq!(attributes(&first.attributes), attempt("wechat.errcode", "40001"));
    assert_eq!(attributes(&second.attributes), attempt("http.request.resend_count", "1"));
    assert_eq!(first.status.clone().unwrap_or_default().code(), StatusCode::Error);
    assert_eq!(second.status.clone().unwrap_or_default().code(), StatusCode::Unset);
    let mut before = request.start_time_unix_nano;
    for child in [first, second] {
        assert_eq!((child.kind(), &child.parent_span_id), (SpanKind::Client, &request.span_id));
        assert!(
            before <= child.start_time_unix_nano && child.start_time_unix_nano < child.end_time_unix_nano
        );
        before = child.end_time_unix_nano;
    }
    assert!(before <= request.end_time_unix_nano);
    let about = collector.spans().remove(0).0;
    assert_eq!(about["service.name"], "gate-of-shop");

    let live = gate.token(APPID);
    let journal = gate.journal("/cgi-bin/user/info");
    assert!(journal.iter().all(|entry| entry.header("traceparent").is_none()), "{journal:?}");
    let counted = gate.metric("wxgate_trace_spans_total{outcome=\"sent\"}").await;
    let lines = gate.end().await;
    let line = lines.iter().find(|line| line["request_id"] == "order-17").expect("a line");
    assert_eq!(line["trace_id"], TRACE);
    assert!(counted >= 3.0, "{counted}");
    for (_, body) in collector.bytes() {
        let text = String::from_utf8_lossy(&body);
        for secret in [SECRET, OTHER_SECRET, ADMIN_TOKEN, KEY, &dead, &live, "canary-openid", "access_token"]
        {
            assert!(!text.contains(secret), "{secret} was sent to the collector");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_caller_decides_what_is_traced_and_chance_where_it_does_not() {
    let collector = Collector::start().await;
    let all = gate(&collector.url, "", "").await;
    let path = "/cgi-bin/menu/get";
    let unsampled = "5bf92f3577b34da6a3ce929d0e0e4736";
    all.get_with(path, &[("traceparent", &traceparent(unsampled, "00")), ("X-Request-Id", "unsampled")])
        .await;
    all.get_with(path, &[("X-Request-Id", "own")]).await;
    all.get_with("/cgi-bin/clear_quota", &[("X-Request-Id", "refused")]).await;
    // What is queued goes out before the end.
    let lines = all.end().await;
    let of = |id: &str| lines.iter().find(|line| line["request_id"] == id).expect("a line");
    assert_eq!(of("unsampled")["trace_id"], unsampled);
    let own = of("own")["trace_id"].as_str().expect("a trace of wxgate's own");
    let spans = collector.trace(own, 2).await;
    assert!(spans[0].parent_span_id.is_empty(), "{spans:#?}");
    let refused = collector.trace(of("refused")["trace_id"].as_str().expect("a trace"), 1).await;
    let told = attributes(&refused[0].attributes);
    assert_eq!((&*told["error.type"], &*told["http.response.status_code"]), ("endpoint_forbidden", "404"));
    assert!(collector.spans().iter().all(|(_, span)| hex(&span.trace_id) != unsampled));

    let quiet = Collector::start().await;
    let none = gate(&quiet.url, "sample = 0.0", "").await;
    none.get_with(path, &[("X-Request-Id", "chance")]).await;
    none.get_with(path, &[("traceparent", &traceparent(TRACE, "01"))]).await;
    let lines = none.end().await;
    quiet.trace(TRACE, 2).await;
    assert_eq!(quiet.spans().len(), 2);
    assert!(lines.iter().all(|line| line["request_id"] != "chance" || line.get("trace_id").is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_collector_requests_go_on_and_spans_are_counted_as_failed() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody = format!("http://{}", port.local_addr().expect("bound"));
    drop(port);
    let gate = gate(&nobody, "", "").await;
    for _ in 0..20 {
        assert_eq!(gate.get("/cgi-bin/menu/get").await.status, 200);
    }
    let failed = async || gate.metric("wxgate_trace_spans_total{outcome=\"failed\"}").await;
    until(|| "40 failed spans", async || failed().await >= 40.0).await;
    assert_eq!(gate.metric("wxgate_trace_spans_total{outcome=\"sent\"}").await, 0.0);
    gate.end().await;
}
