//! What wxgate's own answers look like to callers, metrics and log.

use serde_json::json;
use wxgate::sandbox::{Action, Fault};

use crate::harness::{APPID, Answer, Gate, SHOP, SHOP_AND_GAME, Setup, caller};
use crate::until::until;

const KEY: &str = "canary-key-of-orders-5d1c";
const ORDERS: (&str, &str) = ("x-wxgate-key", KEY);
const INFO: &str = "/cgi-bin/user/info?openid=o";

/// Two apps and the caller `orders` of the shop; `more` goes into its table, `limits` are others.
async fn with_orders(server: &str, more: &str, limits: &str) -> Gate {
    let apps = format!("{SHOP_AND_GAME}{}{limits}", caller("orders", &[KEY], &["shop"], more));
    Gate::with(Setup { server: server.into(), apps, ..Setup::default() }).await.settled().await
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_status_200_except_where_no_sdk_would_look_into_a_body() {
    // The default too: the harness writes nothing where the key is named.
    for server in ["error_status = \"wechat\"", "# error_status"] {
        let server = format!("{server}\nmax_body = \"1KiB\"");
        let gate = with_orders(&server, "rate = \"4/h\"\nallow = [\"/cgi-bin/user/**\"]", "").await;
        let answer = gate.get_with(INFO, &[]).await;
        assert_eq!(answer.refusal(), (200, "caller_unknown", -70401));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        for (path, code, errcode) in [
            ("/cgi-bin/user//x", "bad_request", -70400),
            ("/cgi-bin/gettoken", "endpoint_forbidden", -70404),
            ("/cgi-bin/menu/get", "caller_forbidden", -70403),
            ("/@game/cgi-bin/user/get", "caller_forbidden", -70403),
        ] {
            assert_eq!(gate.get_with(path, &[ORDERS]).await.refusal(), (200, code, errcode), "{path}");
        }

        for path in [
            "/wxgate/token",
            "//wxgate/token",
            "/@shop/wxgate/token",
            "/@shop//wxgate/token",
            "//@shop//wxgate/jssdk/signature",
            "/wxgate/jssdk/signature",
        ] {
            assert_eq!(gate.get_with(path, &[]).await.refusal(), (401, "caller_unknown", -70401), "{path}");
        }
        let head = Answer::of(gate.client.head(gate.url(INFO))).await;
        assert_eq!((head.status, head.header("x-wxgate-error")), (401, Some("caller_unknown")));
        let long =
            gate.client.post(gate.url("/cgi-bin/user/info")).header(ORDERS.0, KEY).body("x".repeat(2_000));
        assert_eq!(Answer::of(long).await.refusal(), (413, "body_too_large", -70413));
        let raw = "GET / HTTP/1.1\r\nHost: x\r\n no field\r\n\r\n";
        assert_eq!(gate.raw(raw).await.refusal(), (400, "bad_request", -70400));
        let two =
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        assert_eq!(gate.raw(two).await.refusal(), (400, "bad_request", -70400));
        for hosts in ["", "Host: x\r\nHost: y\r\n"] {
            let raw = format!("GET /cgi-bin/user/info HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
            assert_eq!(gate.raw(&raw).await.refusal(), (400, "bad_request", -70400), "{hosts:?}");
        }

        let mut last = gate.get_with(INFO, &[ORDERS]).await;
        for _ in 0..4 {
            last = gate.get_with(INFO, &[ORDERS]).await;
        }
        assert_eq!(last.refusal(), (200, "rate_limited", 45011));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_size_that_cannot_be_is_no_http_and_keeps_its_status() {
    let gate = with_orders("error_status = \"wechat\"", "allow = [\"**\"]", "").await;
    let raw = format!(
        "POST /cgi-bin/tags/get HTTP/1.1\r\nHost: localhost\r\nX-Wxgate-Key: {KEY}\r\nConnection: close\r\n\
         Transfer-Encoding: chunked\r\n\r\nZZ\r\n"
    );
    assert_eq!(gate.raw(&raw).await.refusal(), (400, "bad_request", -70400));
    assert!(gate.journal("/cgi-bin/tags/get").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_names_caller_app_method_path_and_the_key_that_decides() {
    let more = "allow = [\"/cgi-bin/user/**\", \"/cgi-bin/tags/**\", \"/cgi-bin/menu/get\"]\n\
                daily = { \"/cgi-bin/user/info\" = 1 }";
    let limits = "[[limit]]\nendpoint = \"/cgi-bin/tags/get\"\nrate = \"1/h\"\n";
    let gate = with_orders("error_status = \"wechat\"", more, limits).await;
    for path in [INFO, "/cgi-bin/tags/get"] {
        assert_eq!(gate.get_with(path, &[ORDERS]).await.errcode(), 0, "{path}");
    }
    let long = format!("/cgi-bin/{}", "x".repeat(1_000));
    let cut = format!("GET /cgi-bin/{}...]", "x".repeat(191));
    for (path, parts) in [
        ("/cgi-bin/menu/create", ["`allow`", "app shop", "GET /cgi-bin/menu/create"]),
        ("/@game/cgi-bin/user/get", ["`apps`", "app game", "GET /@game/cgi-bin/user/get"]),
        ("/cgi-bin/clear_quota", ["`allow`", "app shop", "GET /cgi-bin/clear_quota"]),
        (INFO, ["(daily in [[caller]])", "app shop", "GET /cgi-bin/user/info"]),
        ("/cgi-bin/tags/get", ["(rate in [[limit]])", "app shop", "GET /cgi-bin/tags/get"]),
        (&long, ["`allow`", "app shop", &cut]),
    ] {
        let answer = gate.get_with(path, &[ORDERS]).await;
        let json = answer.json();
        let errmsg = json["errmsg"].as_str().expect("a text");
        for part in parts.into_iter().chain(["caller orders"]) {
            assert!(errmsg.contains(part), "{part} is not in {errmsg}");
        }
    }
    // Whoever isn't known learns no more than that, and no credential is repeated.
    let stranger = gate.get_with("/cgi-bin/menu/create", &[]).await.text();
    assert!(!stranger.contains("orders") && !stranger.contains("menu"), "{stranger}");
    let typed = gate.get_with("/cgi-bin/menu/create&access_token=SECRET", &[ORDERS]).await.text();
    assert!(!typed.contains("SECRET"), "{typed}");
    let named = [ORDERS, ("x-wxgate-app", "a\"b\\c")];
    let named = gate.get_with(INFO, &named).await.json();
    assert!(named["errmsg"].as_str().expect("a text").contains("app a\\\"b\\\\c is not among"), "{named}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wxgates_own_answers_are_told_from_wechats_whatever_their_status() {
    for (error_status, [limited, failed]) in [("wechat", [200, 200]), ("http", [429, 502])] {
        let server = format!("error_status = \"{error_status}\"");
        let apps = format!(
            "{SHOP}{}",
            caller("orders", &[KEY], &["shop"], "daily = { \"/cgi-bin/user/info\" = 1 }")
        );
        let gate = Gate::with(Setup { server, apps, ..Setup::default() }).await.settled().await;
        gate.sandbox
            .fault(Fault::new(Action::Reset { when: Default::default() }).path("/cgi-bin/menu/create"));
        gate.get_with(INFO, &[ORDERS]).await;
        gate.get_with(INFO, &[ORDERS]).await;
        gate.get_with(&format!("/cgi-bin/token?appid={APPID}&secret={KEY}"), &[]).await;
        Answer::of(gate.client.post(gate.url("/cgi-bin/menu/create")).header(ORDERS.0, KEY)).await;
        for (endpoint, status, errcode, source) in [
            ("/cgi-bin/user/info", 200, 0, "wechat"),
            ("/cgi-bin/user/info", limited, 45009, "wxgate"),
            ("/cgi-bin/token", 200, 0, "wxgate"),
            ("/cgi-bin/menu/create", failed, -70502, "wxgate"),
        ] {
            let labels = format!(
                "app=\"shop\",endpoint=\"{endpoint}\",status=\"{status}\",errcode=\"{errcode}\",source=\"{source}\""
            );
            let sample = format!("wxgate_requests_total{{{labels}}}");
            assert_eq!(gate.metric(&sample).await, 1.0, "{sample}\n{}", gate.metrics().await);
        }
        // What went to WeChat has a duration, also where nothing came back.
        for of in ["request", "upstream"] {
            for (endpoint, count) in
                [("/cgi-bin/user/info", 1.0), ("/cgi-bin/token", 0.0), ("/cgi-bin/menu/create", 1.0)]
            {
                let labels = format!("app=\"shop\",endpoint=\"{endpoint}\"");
                let sample = format!("wxgate_{of}_duration_seconds_count{{{labels}}}");
                assert_eq!(gate.metric(&sample).await, count, "{sample}");
            }
        }
        let lines: Vec<_> = gate
            .end()
            .await
            .iter()
            .map(|line| json!([line["errcode"], line["source"], line["code"], line["cause"].is_string()]))
            .collect();
        let expected = [
            json!([0, "wechat", null, false]),
            json!([45009, "wxgate", "quota_exhausted", true]),
            json!([0, "wxgate", null, false]),
            json!([-70502, "wxgate", "upstream_failed", true]),
        ];
        assert_eq!(lines, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_makes_no_call_look_quick() {
    let gate = Gate::start().await.settled().await;
    let traffic = async || Answer::of(gate.client.get(gate.admin_url("/api/v1/traffic"))).await.json();
    for _ in 0..3 {
        gate.get("/cgi-bin/gettoken").await;
    }
    let sum = |column: &serde_json::Value| -> u64 {
        column.as_array().into_iter().flatten().filter_map(serde_json::Value::as_u64).sum()
    };
    let refused = async || sum(&traffic().await["refused"]) == 3;
    until(|| "the refusals", refused).await;
    let now = traffic().await;
    for column in ["own_ms", "wechat_ms"] {
        let values = now[column].as_array().expect("a column");
        assert!(values.iter().all(serde_json::Value::is_null), "{column}: {values:?}");
    }
    assert_eq!(sum(&now["calls"]), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_hung_up_waited_for_wechat_and_got_no_answer() {
    let gate = Gate::start().await.warm().await;
    gate.sandbox.fault(Fault::new(Action::Silence).path("/cgi-bin/user/get"));
    let mut stream = tokio::net::TcpStream::connect(gate.authority()).await.expect("connects");
    let request = b"GET /cgi-bin/user/get HTTP/1.1\r\nHost: localhost\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut stream, request).await.expect("sent");
    until(|| "the call", async || !gate.journal("/cgi-bin/user/get").is_empty()).await;
    drop(stream);
    let labels = "app=\"shop\",endpoint=\"/cgi-bin/user/get\"";
    let sample = format!("wxgate_requests_total{{{labels},status=\"499\",errcode=\"0\",source=\"wxgate\"}}");
    until(|| "its end", async || gate.metric(&sample).await == 1.0).await;
    let sample = format!("wxgate_upstream_duration_seconds_count{{{labels}}}");
    assert_eq!(gate.metric(&sample).await, 1.0);
    let lines = gate.end().await;
    let line = lines.iter().find(|line| line["status"] == 499).expect("a line");
    assert!(line.get("errcode").is_none() && line["upstream_ms"].is_number(), "{line}");
}
