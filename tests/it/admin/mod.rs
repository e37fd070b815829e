//! The admin address through real sockets.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::net::UnixStream;
use wxgate::server::Address;

use self::setup::{Answer, TOKEN, bearer, exchange, on_loopback, open, start};

mod events;
mod figures;
mod quota;
pub(crate) mod setup;

/// Whether `actual` is `expected`, apart from fields that `expected` does not have: those that
/// exist are in the schema.
fn includes(actual: &Value, expected: &Value) -> bool {
    match (actual, expected) {
        (Value::Object(actual), Value::Object(expected)) => {
            let same = |(name, value)| actual.get(name).is_some_and(|actual| includes(actual, value));
            expected.iter().all(same)
        }
        (Value::Array(actual), Value::Array(expected)) => {
            let mut pairs = actual.iter().zip(expected);
            actual.len() == expected.len() && pairs.all(|(actual, expected)| includes(actual, expected))
        }
        _ => actual == expected,
    }
}

#[tokio::test]
async fn the_status_says_what_each_part_says() {
    let setup = on_loopback(None).await;
    let answer = setup.get("/api/v1/status").await;
    assert_eq!(answer.status, 200);
    assert!(answer.has("content-type: application/json\r\n") && answer.has("cache-control: no-store"));
    let expected = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "started_at": "1970-01-01T00:00:00.000Z",
        "listeners": ["127.0.0.1:8080"],
        "draining": false,
        "wechat": {
            "blame": "nobody", "verdict": "no calls to WeChat in the last 5 minutes",
            "verdict_zh": "近 5 分钟没有调用微信", "calls": 0, "troubled": 0,
            "troubles": [{
                "app": "shop", "endpoint": "/cgi-bin/user/info", "kind": "token_lag",
                "since": "1970-01-01T00:00:00.000Z", "ended_at": "1970-01-01T00:00:20.000Z", "calls": 200,
                "troubled": 31, "addresses": [], "message": "/cgi-bin/user/info is well again",
                "message_zh": "/cgi-bin/user/info 已恢复正常",
            }],
        },
        "work": {"at_work": 12, "most": 4096, "waiting": 0, "refused": 3},
        "configuration": {"loaded_at": "1970-01-01T00:00:00.000Z", "refused": null, "files": []},
        "ending": [],
        "apps": [
            {
                "name": "shop", "appid": "wx-shop", "kind": "official_account", "token_mode": "stable",
                "state": "ready",
                "token": {"generation": 3, "age_seconds": 60, "expires_in_seconds": 7140},
                "next_refresh_in_seconds": 30, "last_refresh": null, "last_failure": null,
                "forces_left_today": 20, "interference": 0, "exports": [],
                "credentials": [{
                    "kind": "jsapi_ticket", "state": "ready", "generation": 2, "expires_in_seconds": 3600,
                    "last_failure": null,
                }],
                "authorizers": {"in_use": 12, "failing": 1},
            },
            {
                "name": "café", "appid": "wx-café", "kind": "official_account", "token_mode": "stable",
                "state": "unavailable", "token": null,
                "next_refresh_in_seconds": 30, "last_refresh": null,
                "last_failure": {
                    "at": "1970-01-01T00:00:00.000Z", "errcode": 40164,
                    "message": "invalid ip 203.0.113.9, not in whitelist",
                    "remedy": "add 203.0.113.9 to the IP whitelist", "permanent": true,
                },
                "forces_left_today": 20, "interference": 0, "exports": [],
                "credentials": [], "authorizers": null,
            },
        ],
        "store": {"url": "redis://r:6379/0", "up": false, "problem": "refused", "refused": []},
        "upstreams": [{
            "origin": "https://api.weixin.qq.com", "egress": null, "in_use": true, "healthy": false,
            "problem": "no answer within 15s",
        }],
        "callers": [{"name": "orders", "apps": ["shop"], "expires": null}],
        "quota": [{
            "app": "shop", "endpoint": "/cgi-bin/message/custom/send", "limit": 10_000, "used": 8_812,
            "remaining": 1_188, "exhausted_at": "2026-11-25T08:40:00.000Z",
        }],
    });
    let answer = answer.json();
    assert!(includes(&answer, &expected), "{answer:#}");
}

#[tokio::test]
async fn the_catalogue_is_listed_and_searched() {
    let setup = on_loopback(None).await;
    let paths = |answer: &Answer| -> Vec<Value> {
        let body = answer.json();
        body["endpoints"].as_array().expect("a list").iter().map(|e| e["path"].clone()).collect()
    };
    let all = setup.get("/api/v1/endpoints").await;
    assert_eq!(
        all.json()["endpoints"][0],
        json!({
            "path": "/cgi-bin/menu/create",
            "host": "api.weixin.qq.com",
            "method": "POST",
            "class": "app_token",
            "injects": "access_token",
            "binary": false,
            "guarded": false,
            "money": false,
            "one_time_code": false,
            "slow": false,
            "evidence": true,
            "signed": false,
            "window": "day",
            "replay": true,
        })
    );
    assert_eq!(paths(&all), ["/cgi-bin/menu/create", "/bizwifi/device/List"]);
    assert_eq!(paths(&setup.get("/api/v1/endpoints?q=MENU%2Fc").await), ["/cgi-bin/menu/create"]);
    assert_eq!(paths(&setup.get("/api/v1/endpoints?q=device/list").await), ["/bizwifi/device/List"]);
    assert_eq!(paths(&setup.get("/api/v1/endpoints?q=nothing").await), [Value::Null; 0]);
}

#[tokio::test]
async fn one_app_without_a_token_leaves_the_replica_ready() {
    let setup = on_loopback(None).await;
    let answer = setup.get("/readyz").await;
    assert_eq!(answer.status, 200);
    let body = answer.json();
    assert_eq!(body["apps"][0], json!({"name": "shop", "state": "ready"}));
    assert_eq!(body["apps"][1]["state"], "unavailable");
    assert_eq!(body["apps"][1]["failure"]["errcode"], 40164);
    assert_eq!(body["apps"][1]["failure"]["remedy"], "add 203.0.113.9 to the IP whitelist");
}

#[tokio::test]
async fn readiness_of_an_app_depends_on_its_token() {
    let setup = on_loopback(None).await;
    for (target, status) in [
        ("/readyz?app=shop", 200),
        ("/readyz?app=caf%C3%A9", 503),
        ("/readyz?all", 503),
        ("/readyz?all=", 503),
        ("/readyz?app=nobody", 404),
        ("/healthz", 200),
    ] {
        assert_eq!(setup.get(target).await.status, status, "{target}");
    }
}

#[tokio::test]
async fn nothing_is_ready_before_listeners_are_bound_and_while_draining() {
    let setup = on_loopback(None).await;
    setup.state.draining.send_replace(true);
    for target in ["/readyz", "/readyz?app=shop"] {
        assert_eq!(setup.get(target).await.status, 503, "{target}");
    }
    assert_eq!(setup.get("/healthz").await.status, 200);
    setup.state.draining.send_replace(false);
    setup.state.listeners.store(Arc::default());
    assert_eq!(setup.get("/readyz").await.status, 503);
}

#[tokio::test]
async fn a_scrape_gets_the_dialect_that_it_asks_for() {
    let setup = on_loopback(None).await;
    let plain = setup.get("/metrics").await;
    assert!(plain.has("content-type: text/plain; version=0.0.4"), "{}", plain.head);
    assert!(plain.body.contains("# TYPE wxgate_test_total counter\nwxgate_test_total 1\n"), "{}", plain.body);
    assert!(plain.body.contains(concat!(
        "wxgate_build_info{version=\"",
        env!("CARGO_PKG_VERSION"),
        "\"} 1\n"
    )));
    let open = setup.ask("GET /metrics", "Accept: application/openmetrics-text;version=1.0.0\r\n").await;
    assert!(open.has("content-type: application/openmetrics-text"), "{}", open.head);
    assert!(open.body.contains("# TYPE wxgate_test counter\n") && open.body.ends_with("# EOF\n"));
}

#[tokio::test]
async fn changes_are_refused_where_no_token_is_configured() {
    let setup = on_loopback(None).await;
    for target in [
        "/api/v1/apps/shop/refresh",
        "/api/v1/apps/shop/clear-quota?confirm=shop",
        "/api/v1/apps/shop/quota/reset?confirm=shop",
        "/api/v1/apps/shop/rid?rid=61725984-6126f6f9-040f19c4",
        "/api/v1/reload",
    ] {
        let answer = setup.ask(&format!("POST {target}"), &bearer("")).await;
        assert_eq!(answer.status, 403, "{target}");
        assert!(answer.json()["error"].as_str().is_some_and(|text| text.contains("[admin] token")));
    }
    assert_eq!(setup.refreshes() + setup.reloads(), 0);
    assert_eq!(setup.done(), [""; 0]);
}

#[tokio::test]
async fn the_token_allows_changes_and_nothing_else_does() {
    let setup = on_loopback(Some(TOKEN)).await;
    for headers in [String::new(), bearer("wrong"), bearer(""), format!("X-Token: {TOKEN}\r\n")] {
        let answer = setup.ask("POST /api/v1/apps/shop/refresh", &headers).await;
        assert_eq!(answer.status, 401, "{headers}");
        assert!(answer.has("www-authenticate: Bearer"), "{}", answer.head);
        assert!(!answer.body.contains(TOKEN));
    }
    assert_eq!(setup.refreshes(), 0);
    let answer = setup.ask("POST /api/v1/apps/shop/refresh", &bearer(TOKEN)).await;
    let same = json!({"outcome": "same", "generation": 4, "forces_left_today": 20, "message": "done"});
    assert_eq!((answer.status, answer.json()), (200, same));
    let answer = setup.ask("POST /api/v1/apps/caf%C3%A9/refresh?force=true", &bearer(TOKEN)).await;
    assert_eq!(
        (&answer.json()["outcome"], &answer.json()["forces_left_today"]),
        (&"replaced".into(), &19.into())
    );
    let answer = setup.ask("POST /api/v1/apps/nobody/refresh", &bearer(TOKEN)).await;
    assert_eq!(answer.status, 404);
    assert_eq!(setup.refreshes(), 2);
}

#[tokio::test]
async fn a_reload_that_fails_says_why() {
    let setup = on_loopback(Some(TOKEN)).await;
    let answer = setup.ask("POST /api/v1/reload", &bearer(TOKEN)).await;
    assert_eq!((answer.status, answer.json()), (200, json!({"reloaded": true})));
    let answer = setup.ask("POST /api/v1/reload", &bearer(TOKEN)).await;
    assert_eq!((answer.status, answer.json()), (422, json!({"error": "a.toml:1:1: app: missing"})));
}

#[tokio::test]
async fn a_body_that_comes_with_a_change_is_ignored() {
    let setup = on_loopback(Some(TOKEN)).await;
    let headers = format!("{}Content-Length: 1000000\r\n", bearer(TOKEN));
    assert_eq!(setup.ask("POST /api/v1/reload", &headers).await.status, 200);
}

#[tokio::test]
async fn an_open_address_shows_strangers_probes_and_an_empty_page_alone() {
    let setup = open(Some(TOKEN)).await;
    for (target, status) in [
        ("/healthz", 200),
        ("/readyz", 200),
        ("/", 200),
        ("/page/main.js", 200),
        ("/page/page.css", 200),
        ("/metrics", 401),
        ("/api/v1/status", 401),
        ("/api/v1/quota", 401),
        ("/api/v1/traffic", 401),
        ("/api/v1/activity", 401),
        ("/api/v1/events", 401),
    ] {
        assert_eq!(setup.get(target).await.status, status, "{target}");
    }
    for target in ["/metrics", "/api/v1/status"] {
        let answer = setup.ask(&format!("GET {target}"), &bearer(TOKEN)).await;
        assert_eq!(answer.status, 200, "{target}");
    }
}

#[tokio::test]
async fn an_open_address_without_a_token_shows_nothing_to_anybody() {
    let setup = open(None).await;
    assert_eq!(setup.ask("GET /api/v1/status", &bearer("")).await.status, 403);
    assert_eq!(setup.get("/metrics").await.status, 403);
}

#[tokio::test]
async fn a_web_page_under_a_rebound_name_learns_nothing() {
    let setup = on_loopback(Some(TOKEN)).await;
    let host = "Host: evil.example:9090\r\n";
    for target in ["/", "/readyz", "/metrics", "/api/v1/status"] {
        assert_eq!(setup.ask(&format!("GET {target}"), host).await.status, 403, "{target}");
    }
    assert_eq!(setup.ask("GET /healthz", host).await.status, 200);
    assert_eq!(setup.ask("GET http://evil.example/metrics", "").await.status, 403);
    let with_token = format!("{host}{}", bearer(TOKEN));
    assert_eq!(setup.ask("GET /api/v1/status", &with_token).await.status, 200);
}

#[tokio::test]
async fn a_unix_socket_is_read_without_a_token_and_changed_with_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let path: PathBuf = directory.path().join("admin.sock");
    let setup = start(Address::Unix(path.clone()), None, Some(TOKEN)).await;
    for (request, status) in [
        ("GET /api/v1/status HTTP/1.1\r\nHost: wxgate\r\nConnection: close\r\n\r\n".to_owned(), 200),
        ("POST /api/v1/reload HTTP/1.1\r\nHost: wxgate\r\nConnection: close\r\n\r\n".to_owned(), 401),
        (
            format!(
                "POST /api/v1/reload HTTP/1.1\r\nHost: wxgate\r\n{}Connection: close\r\n\r\n",
                bearer(TOKEN)
            ),
            200,
        ),
    ] {
        let mut stream = UnixStream::connect(&path).await.expect("connects");
        assert_eq!(exchange(&mut stream, &request).await.status, status, "{request}");
    }
    assert_eq!(setup.reloads(), 1);
}

#[tokio::test]
async fn the_page_runs_nothing_but_its_own_files() {
    let setup = on_loopback(None).await;
    let page = setup.get("/").await;
    assert!(
        page.has("content-type: text/html; charset=utf-8") && page.has("x-content-type-options: nosniff")
    );
    let policy =
        page.head.lines().find(|line| line.starts_with("content-security-policy: ")).expect("a policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    let files = [
        ("page/main.js", "text/javascript"),
        ("page/uplot.js", "text/javascript"),
        ("page/page.css", "text/css"),
        ("page/uplot.css", "text/css"),
    ];
    for (file, content_type) in files {
        assert!(page.body.contains(file));
        assert!(setup.get(&format!("/{file}")).await.has(&format!("content-type: {content_type}")), "{file}");
    }
}

#[tokio::test]
async fn methods_and_paths_are_told_apart() {
    let setup = on_loopback(Some(TOKEN)).await;
    for (request, status) in [
        ("GET /nothing", 404),
        ("GET /api/v1/apps/shop", 404),
        ("DELETE /metrics", 405),
        ("POST /", 405),
        ("GET /api/v1/reload", 405),
        ("GET /api/v1/apps/shop/refresh", 405),
    ] {
        let answer = setup.ask(request, "").await;
        assert_eq!(answer.status, status, "{request}");
        assert!(answer.json()["error"].is_string(), "{request}");
        assert_eq!(answer.has("allow: "), status == 405, "{request}");
    }
    let head = setup.ask("HEAD /api/v1/status", "").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}
