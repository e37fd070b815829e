//! Responses with everything in them that a type can hold, and all errors.

use serde_json::Value;
use wxgate::admin::Refused;
use wxgate::api;
use wxgate::observe::clock::Timestamp;
use wxgate::texts::Words;

use super::Strict;
use crate::admin::setup::{Setup, TOKEN, bearer, on_loopback, open};

/// What the admin address tells, with no list empty and nothing null.
fn fill(setup: &Setup) {
    let at = || Timestamp(0).rfc3339();
    let problem = Words::untranslated("unknown key");
    let refused = Refused { at: Timestamp(0), problem, more: 2 };
    setup.state.reloads.send_modify(|reloads| reloads.refused = Some(refused));
    setup.change(|data| {
        let failure = data.apps[1].last_failure.clone();
        let app = &mut data.apps[0];
        app.last_refresh =
            Some(api::LastRefresh { at: at(), reason: "ahead".into(), outcome: "same".into() });
        app.credentials[0].last_failure = failure;
        app.exports = vec![api::Export {
            to: "file:/run/token".into(),
            generation: Some(3),
            checked_at: Some(at()),
            problem: Some("permission denied".into()),
            overwritten: 1,
        }];
        data.store.refused =
            vec![api::RefusedRecord { key: "k".into(), reason: "damaged".into(), since: at(), kept: true }];
        data.upstreams[0].egress = Some("http://proxy:3128".into());
        data.wechat.troubles[0].addresses = vec!["203.0.113.9".into()];
        data.ending = vec![api::Ending {
            kind: "certificate".into(),
            name: "server.tls".into(),
            ends_at: at(),
            ends_in_seconds: 0,
        }];
        let endpoint = &mut data.quota.apps[0].endpoints[0];
        endpoint.around = Some(3);
        endpoint.rate_limit = Some(api::RateLimit { calls: 600, seconds: 60 });
        endpoint.slowed_until = Some(at());
        endpoint.errors = vec![api::ErrorCount {
            errcode: -1,
            count: 2,
            meaning: Some("busy".into()),
            meaning_zh: Some("系统繁忙".into()),
            document: Some("https://developers.weixin.qq.com/".into()),
        }];
        data.quota.apps[0].problem = Some("48001".into());
        data.quota.warnings = vec![api::Warning {
            at: at(),
            app: "shop".into(),
            endpoint: "/cgi-bin/user/info".into(),
            kind: "forecast".into(),
            message: "in words".into(),
            caller: Some("orders".into()),
            caller_percent: Some(71),
            around: Some(3),
        }];
        data.activity = api::Activity {
            events: vec![api::Event {
                at: at(),
                app: "shop".into(),
                reason: "rejected".into(),
                outcome: "replaced".into(),
                endpoint: Some("/cgi-bin/user/info".into()),
                took_ms: Some(140),
                replayed: 37,
                generation: Some(4),
                message: Some("in words".into()),
            }],
            callers: vec![api::CallerActivity {
                caller: "orders".into(),
                app: "shop".into(),
                ok: 1,
                ..api::CallerActivity::default()
            }],
        };
        data.figures = api::Figures {
            ranges: vec![api::RangeFigures {
                success_percent: Some(99.5),
                p50_ms: Some(38.0),
                p95_ms: Some(92.0),
                p99_ms: Some(210.5),
                ..api::RangeFigures::default()
            }],
        };
        data.recent = vec![api::AppFigures {
            app: "shop".into(),
            success_percent: Some(99.5),
            p95_ms: Some(92.0),
            ..api::AppFigures::default()
        }];
        data.traffic =
            api::Traffic { calls: vec![1], own_ms: vec![Some(0.5), None], ..api::Traffic::default() };
    });
}

async fn check(setup: &Setup, schema: &Strict, request: &str, headers: &str, status: u16) {
    let answer = setup.ask(request, headers).await;
    assert_eq!(answer.status, status, "{request}: {}", answer.body);
    schema.check(request, status, &answer.json());
}

#[tokio::test]
async fn every_response_is_as_the_schema_says() {
    let setup = on_loopback(Some(TOKEN)).await;
    fill(&setup);
    let document: Value = setup.get("/api/v1/openapi.json").await.json();
    assert_eq!(document, wxgate::admin::openapi());
    let schema = Strict::new(&document);
    for (target, status) in [
        ("/readyz", 200),
        ("/readyz?all", 503),
        ("/readyz?app=nobody", 404),
        ("/api/v1/status", 200),
        ("/api/v1/endpoints?q=menu", 200),
        ("/api/v1/quota", 200),
        ("/api/v1/quota?app=nobody", 404),
        ("/api/v1/traffic?range=month", 200),
        ("/api/v1/traffic?range=year", 400),
        ("/api/v1/traffic?app=nobody", 404),
        ("/api/v1/figures", 200),
        ("/api/v1/figures?app=nobody", 404),
        ("/api/v1/refusals", 200),
        ("/api/v1/refusals?range=year", 400),
        ("/api/v1/explain?path=/cgi-bin/menu/create", 200),
        ("/api/v1/explain", 400),
        ("/api/v1/explain?path=/x&caller=nobody", 404),
        ("/api/v1/activity", 200),
        ("/api/v1/openapi.json", 200),
    ] {
        check(&setup, &schema, &format!("GET {target}"), "", status).await;
    }
    for (target, status) in [
        ("shop/refresh?force=true", 200),
        ("nobody/refresh", 404),
        ("shop/clear-quota?confirm=shop", 200),
        ("shop/clear-quota", 400),
        ("nobody/clear-quota?confirm=nobody", 404),
        ("shop/quota/reset?confirm=shop", 200),
        ("shop/quota/reset", 400),
        ("nobody/quota/reset?confirm=nobody", 404),
        ("shop/rid?rid=61725984-6126f6f9-040f19c4", 200),
        ("shop/rid?rid=1", 400),
        ("nobody/rid?rid=61725984-6126f6f9-040f19c4", 404),
    ] {
        check(&setup, &schema, &format!("POST /api/v1/apps/{target}"), &bearer(TOKEN), status).await;
    }
    check(&setup, &schema, "GET /api/v1/audit", "", 200).await;
    check(&setup, &schema, "POST /api/v1/reload", &bearer(TOKEN), 200).await;
    check(&setup, &schema, "POST /api/v1/reload", &bearer(TOKEN), 422).await;
    for stranger in [String::new(), bearer("wrong")] {
        check(&setup, &schema, "POST /api/v1/reload", &stranger, 401).await;
    }
    check(&setup, &schema, "GET /readyz", &bearer("wrong"), 401).await;
    for target in ["/readyz", "/api/v1/status"] {
        check(&setup, &schema, &format!("GET {target}"), "Host: evil.example\r\n", 403).await;
    }
}

#[tokio::test]
async fn every_denial_of_an_open_address_is_in_the_schema() {
    let document = wxgate::admin::openapi();
    let schema = Strict::new(&document);
    let paths = document["paths"].as_object().expect("paths");
    for (token, status) in [(Some(TOKEN), 401), (None, 403)] {
        let setup = open(token).await;
        for (path, operations) in paths {
            for method in operations.as_object().expect("operations").keys() {
                let request = format!("{} {}", method.to_uppercase(), path.replace("{name}", "shop"));
                let open = operations[method]["security"] == serde_json::json!([]);
                let wanted = if open { 200 } else { status };
                let answer = setup.ask(&request, "").await;
                assert_eq!(answer.status, wanted, "{request}");
                if !open {
                    schema.check(&request, status, &answer.json());
                }
            }
        }
    }
}
