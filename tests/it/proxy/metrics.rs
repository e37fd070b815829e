//! What is counted, under which labels, and that no caller can make labels up.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wxgate::observe::clock::{Clock, Timestamp};
use wxgate::sandbox::{Action, Fault};

use super::pipelined::pipelined;
use crate::harness::{APPID, Answer, Gate, SHOP, SHOP_AND_GAME, Setup, at_once, caller};
use crate::until::until;

const KEY: &str = "canary-key-of-orders-5d1c";

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_counted_by_app_endpoint_status_and_wechats_code() {
    let gate = Gate::start().await.settled().await;
    gate.sandbox.change(|settings| settings.allow_unlisted = true);
    let requests = async |labels: &str| gate.metric(&format!("wxgate_requests_total{{{labels}}}")).await;
    gate.get("/cgi-bin/user/info?openid=o").await;
    gate.get("/cgi-bin/user/info/?openid=o").await;
    gate.get("/cgi-bin/user/info").await;
    gate.get("/wxa/no/such/path").await;
    gate.get("/cgi-bin/user/made/up/by/a/caller").await;
    gate.get("/cgi-bin/gettoken").await;
    gate.get(&format!("/cgi-bin/token?appid={APPID}&secret=x")).await;
    gate.get("/cgi-bin//x").await;
    gate.sandbox
        .fault(Fault::new(Action::Errcode { errcode: 45009, errmsg: None }).path("/cgi-bin/user/get"));
    gate.get("/cgi-bin/user/get").await;
    gate.sandbox
        .fault(Fault::new(Action::Errcode { errcode: 123_456, errmsg: None }).path("/cgi-bin/menu/get"));
    gate.get("/cgi-bin/menu/get").await;
    gate.sandbox.fault(Fault::new(Action::Status { status: 503 }).path("/wxa/getwxacode"));
    gate.post("/wxa/getwxacode", "{}").await;
    for (labels, count) in [
        ("app=\"shop\",endpoint=\"/cgi-bin/user/info\",status=\"200\",errcode=\"0\",source=\"wechat\"", 2.0),
        (
            "app=\"shop\",endpoint=\"/cgi-bin/user/info\",status=\"200\",errcode=\"40003\",source=\"wechat\"",
            1.0,
        ),
        ("app=\"shop\",endpoint=\"other\",status=\"200\",errcode=\"0\",source=\"wechat\"", 2.0),
        (
            "app=\"shop\",endpoint=\"/cgi-bin/gettoken\",status=\"404\",errcode=\"-70404\",source=\"wxgate\"",
            1.0,
        ),
        ("app=\"shop\",endpoint=\"/cgi-bin/token\",status=\"200\",errcode=\"0\",source=\"wxgate\"", 1.0),
        ("app=\"other\",endpoint=\"other\",status=\"400\",errcode=\"-70400\",source=\"wxgate\"", 1.0),
        (
            "app=\"shop\",endpoint=\"/cgi-bin/user/get\",status=\"200\",errcode=\"45009\",source=\"wechat\"",
            1.0,
        ),
        (
            "app=\"shop\",endpoint=\"/cgi-bin/menu/get\",status=\"200\",errcode=\"other\",source=\"wechat\"",
            1.0,
        ),
        ("app=\"shop\",endpoint=\"/wxa/getwxacode\",status=\"503\",errcode=\"0\",source=\"wechat\"", 1.0),
    ] {
        assert_eq!(requests(labels).await, count, "{labels}");
    }
    let text = gate.metrics().await;
    let total: f64 = text
        .lines()
        .filter(|line| line.starts_with("wxgate_requests_total{"))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum();
    assert_eq!(total, 11.0, "{text}");
    for of in ["request", "upstream"] {
        let count =
            |endpoint| format!("wxgate_{of}_duration_seconds_count{{app=\"shop\",endpoint=\"{endpoint}\"}}");
        assert!(text.contains(&format!("{} 3\n", count("/cgi-bin/user/info"))), "{text}");
        // What wxgate answers by itself says nothing of WeChat.
        assert!(
            !text.contains(&count("/cgi-bin/token")) && !text.contains(&count("/cgi-bin/gettoken")),
            "{text}"
        );
    }
    assert!(text.contains("\nwxgate_inflight_requests 0\n"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_caller_has_its_outcomes() {
    let callers = caller("orders", &[KEY], &["shop"], "allow = [\"/cgi-bin/**\"]");
    let apps = format!("{SHOP_AND_GAME}{callers}");
    let setup = Setup { server: "anonymous = true".into(), apps, ..Setup::default() };
    let gate = Gate::with(setup).await.settled().await;
    let key = ("x-wxgate-key", KEY);
    gate.get_with("/cgi-bin/user/info?openid=o", &[key]).await;
    gate.get_with("/cgi-bin/user/info", &[key]).await;
    gate.get_with("/wxa/getwxacode", &[key]).await;
    gate.get_with("/@game/cgi-bin/user/get", &[key]).await;
    gate.get_with("/cgi-bin/clear_quota", &[key]).await;
    gate.get_with(&format!("/cgi-bin/token?appid={APPID}&secret={KEY}"), &[]).await;
    gate.get_with(&format!("/cgi-bin/token?appid={APPID}&secret=wrong"), &[]).await;
    gate.get_with("/cgi-bin/user/get", &[]).await;
    gate.get_with("/@game/cgi-bin/user/get", &[]).await;
    gate.get_with("/cgi-bin/user/get", &[("x-wxgate-key", "wrong")]).await;
    gate.sandbox.fault(Fault::new(Action::Status { status: 500 }).path("/cgi-bin/menu/get"));
    gate.get_with("/cgi-bin/menu/get", &[key]).await;
    gate.sandbox.fault(Fault::new(Action::Reset { when: Default::default() }).path("/cgi-bin/user/get"));
    gate.get_with("/cgi-bin/user/get", &[key]).await;
    for (app, caller, outcome, count) in [
        ("shop", "orders", "ok", 2.0),
        ("shop", "orders", "wechat_error", 2.0),
        ("shop", "orders", "refused", 2.0),
        ("shop", "orders", "failed", 1.0),
        ("other", "orders", "refused", 1.0),
        ("game", "anonymous", "ok", 1.0),
        ("other", "anonymous", "refused", 3.0),
    ] {
        let labels = format!("app=\"{app}\",caller=\"{caller}\",outcome=\"{outcome}\"");
        let counted = gate.metric(&format!("wxgate_caller_requests_total{{{labels}}}")).await;
        assert_eq!(counted, count, "{labels}\n{}", gate.metrics().await);
    }
    for (app, caller, code, count) in [
        ("shop", "orders", "caller_forbidden", 1.0),
        ("shop", "orders", "endpoint_forbidden", 1.0),
        ("other", "orders", "caller_forbidden", 1.0),
        ("other", "anonymous", "caller_unknown", 2.0),
        ("other", "anonymous", "app_unknown", 1.0),
    ] {
        let labels = format!("app=\"{app}\",caller=\"{caller}\",code=\"{code}\"");
        assert_eq!(gate.metric(&format!("wxgate_refused_total{{{labels}}}")).await, count, "{labels}");
    }
}

/// How many series there are.
async fn series(gate: &Gate) -> usize {
    gate.metrics().await.lines().filter(|line| !line.starts_with('#')).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_cannot_make_series_up() {
    let callers = caller("orders", &[KEY], &["shop"], "");
    let setup =
        Setup { server: "anonymous = true".into(), apps: format!("{SHOP}{callers}"), ..Setup::default() };
    let gate = Arc::new(Gate::with(setup).await.settled().await);
    let round = |number: usize| {
        let gate = Arc::clone(&gate);
        async move {
            for (path, headers) in [
                (format!("/cgi-bin/made-up-{number}?k{number}=v{number}"), vec![]),
                (format!("/cgi-bin/made-up-{number}"), vec![("x-wxgate-key", format!("key-{number}"))]),
                ("/cgi-bin/user/get".to_owned(), vec![("x-wxgate-key", format!("key-{number}"))]),
                (format!("/@app-{number}/cgi-bin/user/get"), vec![("x-wxgate-key", KEY.to_owned())]),
                (format!("/sns/x{number}"), vec![("x-request-id", format!("id-{number}"))]),
                (format!("/cgi-bin/token?appid=wx{number}&secret={KEY}"), vec![]),
                (format!("/cgi-bin/user/get?access_token=wxgate-{number}"), vec![]),
                ("/cgi-bin/user/get".to_owned(), vec![("host", format!("h{number}.example"))]),
                ("/cgi-bin/user/get".to_owned(), vec![]),
            ] {
                let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
                gate.get_with(&path, &headers).await;
            }
            let method = format!("M{number}").parse().expect("a method");
            let _ = gate.client.request(method, gate.url("/cgi-bin/user/get")).send().await;
        }
    };
    at_once(8, round).await;
    // WeChat's figures of the one endpoint that is called come a little later.
    let figures = async || {
        gate.clock.advance(1_000);
        gate.metrics().await.contains("wxgate_quota_limit{")
    };
    until(|| "figures", figures).await;
    let before = series(&gate).await;
    at_once(16, |task| {
        let requests = (0..625).flat_map(move |number| {
            let number = task * 10_000 + number;
            let head =
                format!("GET /cgi-bin/made-up-{number}?k{number}=v{number} HTTP/1.1\r\nHost: localhost\r\n");
            [format!("{head}X-Wxgate-Key: key-{number}\r\n\r\n"), format!("{head}\r\n")]
        });
        pipelined(gate.authority(), requests)
    })
    .await;
    at_once(8, |number| round(1_000_000 + number)).await;
    assert_eq!(series(&gate).await, before, "{}", gate.metrics().await);
    let text = gate.metrics().await;
    assert!(!text.contains("made-up") && !text.contains("key-") && !text.contains("example"), "{text}");
}

#[tokio::test]
async fn a_request_is_found_from_its_duration_by_its_id_and_its_trace() {
    let gate = Gate::start().await.warm().await;
    let trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let traceparent = format!("00-{trace_id}-00f067aa0ba902b7-01");
    let headers = [("X-Request-Id", "order~17"), ("traceparent", &*traceparent)];
    assert_eq!(gate.get_with("/cgi-bin/menu/get", &headers).await.status, 200);
    let headers = [("X-Request-Id", "order-18"), ("traceparent", &*traceparent)];
    assert_eq!(gate.get_with("/cgi-bin/user/info?openid=o", &headers).await.status, 200);

    let openmetrics =
        gate.client.get(gate.admin_url("/metrics")).header("Accept", "application/openmetrics-text");
    let text = Answer::of(openmetrics).await.text();
    let of = |endpoint: &str| {
        let labels = format!("wxgate_request_duration_seconds_bucket{{app=\"shop\",endpoint=\"{endpoint}\"");
        text.lines()
            .filter(|line| line.starts_with(&labels))
            .filter_map(|line| line.split_once(" # "))
            .collect::<Vec<_>>()
    };
    let found = format!("{{request_id=\"order-18\",trace_id=\"{trace_id}\"}} 0.");
    assert!(of("/cgi-bin/user/info").iter().any(|(_, exemplar)| exemplar.starts_with(&found)), "{text}");
    // An id that is not sane is replaced by one of wxgate's own.
    let [(_, own)] = of("/cgi-bin/menu/get")[..] else { panic!("{text}") };
    assert!(!own.contains("order~17") && own.contains(trace_id), "{own}");
    assert!(!gate.metrics().await.contains(" # "), "the older dialect has no room for exemplars");
    assert!(gate.only("/cgi-bin/user/info").header("traceparent").is_none());

    let lines = gate.end().await;
    let line = lines.iter().find(|line| line["request_id"] == "order-18").expect("a line");
    assert_eq!(line["trace_id"], trace_id);
    assert!(lines[0].get("trace_id").is_none(), "{}", lines[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_of_callers_are_idle_but_while_a_request_is_at_work() {
    let gate = Gate::start().await.settled().await;
    let connections = async || {
        let of = async |state: &str| gate.metric(&format!("wxgate_connections{{state=\"{state}\"}}")).await;
        (of("active").await, of("idle").await)
    };
    assert_eq!(connections().await, (0.0, 0.0));
    let mut idle = TcpStream::connect(gate.authority()).await.expect("connects");
    idle.write_all(b"GET /cgi-bin/menu/get HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("sent");
    idle.read_u8().await.expect("an answer");
    let mut active = TcpStream::connect(gate.authority()).await.expect("connects");
    // Its body never comes.
    let head = b"POST /cgi-bin/menu/create HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{";
    active.write_all(head).await.expect("sent");
    until(|| "one of each", async || connections().await == (1.0, 1.0)).await;
    drop(active);
    until(|| "the idle one alone", async || connections().await == (0.0, 1.0)).await;
    drop(idle);
    until(|| "none", async || connections().await == (0.0, 0.0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_process_is_told_of_under_the_names_of_prometheus_own_clients() {
    let gate = Gate::start().await;
    assert!(gate.metrics().await.contains("\nprocess_cpu_seconds_total "), "it may be 0 yet");
    for name in [
        "process_open_fds",
        "process_max_fds",
        "process_resident_memory_bytes",
        "process_virtual_memory_bytes",
        "process_start_time_seconds",
    ] {
        assert!(gate.metric(name).await > 0.0, "{name}: {}", gate.metrics().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_reload_is_in_metrics_and_status_until_one_is_taken() {
    let gate = Gate::start().await;
    let metrics = async || {
        let of = async |what: &str| gate.metric(&format!("wxgate_config_last_reload_{what}")).await;
        (of("successful").await, of("success_timestamp_seconds").await)
    };
    let (successful, at_start) = metrics().await;
    assert_eq!(successful, 1.0);
    assert_eq!(gate.status().await["configuration"]["refused"], serde_json::Value::Null);
    gate.clock.advance(60_000);

    gate.change(|setup| setup.server = "anonymus = true\nidle_timeout = \"soon\"\n".into());
    gate.running.reload().await.expect_err("refused");
    assert_eq!(metrics().await, (0.0, at_start));
    let configuration = gate.status().await["configuration"].clone();
    let refused = &configuration["refused"];
    let problem = refused["problem"].as_str().unwrap_or_else(|| panic!("{configuration}"));
    assert!(problem.starts_with("test.toml:") && problem.lines().count() == 1, "{problem}");
    assert_eq!(refused["more"], 1, "{configuration}");
    assert!(refused["at"].as_str() > configuration["loaded_at"].as_str(), "{configuration}");

    gate.reload("", SHOP).await;
    let (successful, at) = metrics().await;
    assert!(successful == 1.0 && at >= at_start + 60.0, "{successful} {at} {at_start}");
    assert_eq!(gate.status().await["configuration"]["refused"], serde_json::Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_ends_soon_is_in_metrics_and_status() {
    let day = |days: u64| Clock::default().now().plus(Duration::from_secs(days * 86_400)).beijing_date();
    let expires = |days| format!("expires = \"{}\"", day(days));
    let callers = [
        caller("orders", &[KEY], &["shop"], &expires(10)),
        caller("mail", &["canary-key-of-mail-7e2f"], &["shop"], &expires(100)),
        caller("ever", &["canary-key-of-ever-1b9a"], &["shop"], ""),
    ];
    let gate = Gate::with(Setup { apps: format!("{SHOP}{}", callers.concat()), ..Setup::default() }).await;
    let text = gate.metrics().await;
    let end = Timestamp::end_of_beijing_date(&day(10)).expect("a day").seconds();
    let of_orders = format!("wxgate_caller_key_expiry_timestamp_seconds{{caller=\"orders\"}} {end}\n");
    assert!(text.contains(&of_orders), "{of_orders}{text}");
    assert!(!text.contains("expiry_timestamp_seconds{caller=\"ever\"}"), "{text}");
    let ending = gate.status().await["ending"].clone();
    assert_eq!(ending.as_array().map(Vec::len), Some(1), "{ending}");
    assert_eq!((&ending[0]["kind"], &ending[0]["name"]), (&"caller_key".into(), &"orders".into()));
}
