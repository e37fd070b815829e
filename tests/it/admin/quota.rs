//! Quota, curves, activity, and what is asked of WeChat.

use serde_json::json;

use super::setup::{TOKEN, bearer, on_loopback, quota_of, spent};

#[tokio::test]
async fn the_quota_is_told_of_all_apps_or_of_one() {
    let setup = on_loopback(None).await;
    setup.change(|data| data.quota.apps.push(quota_of("café", vec![spent("/cgi-bin/menu/get", 1, None)])));
    let all = setup.get("/api/v1/quota").await;
    assert_eq!((all.status, &all.json()["day"]), (200, &json!("2026-11-25")));
    assert_eq!(all.json()["apps"].as_array().map(Vec::len), Some(2));
    let one = setup.get("/api/v1/quota?app=caf%C3%A9").await.json();
    assert_eq!(one["apps"][0]["endpoints"][0]["endpoint"], "/cgi-bin/menu/get");
    assert_eq!(one["apps"].as_array().map(Vec::len), Some(1));
    assert_eq!(setup.get("/api/v1/quota?app=nobody").await.status, 404);
    setup.change(|data| data.quota.apps.clear());
    assert_eq!(setup.get("/api/v1/quota?app=shop").await.json()["apps"], json!([]));
}

#[tokio::test]
async fn the_status_names_the_five_endpoints_of_an_app_that_are_nearest_to_their_end() {
    let setup = on_loopback(None).await;
    setup.change(|data| {
        let endpoints = (0..9).map(|at| spent(&format!("/{at}"), 90 - at, (at != 1).then_some(100)));
        data.quota.apps = vec![quota_of("shop", endpoints.collect())];
    });
    let status = setup.get("/api/v1/status").await.json();
    let near: Vec<_> =
        status["quota"].as_array().expect("a list").iter().map(|one| &one["endpoint"]).collect();
    assert_eq!(near, ["/0", "/2", "/3", "/4", "/5"]);
    assert_eq!(
        status["quota"][0],
        json!({"app": "shop", "endpoint": "/0", "limit": 100, "used": 90, "remaining": 10, "exhausted_at": null})
    );
}

#[tokio::test]
async fn curves_have_four_ranges() {
    let setup = on_loopback(None).await;
    for (target, status, step) in [
        ("/api/v1/traffic", 200, json!(60)),
        ("/api/v1/traffic?app=shop&range=day", 200, json!(60)),
        ("/api/v1/traffic?range=month&app=caf%C3%A9", 200, json!(3600)),
        ("/api/v1/traffic?range=hour", 200, json!(60)),
        ("/api/v1/traffic?range=quarter&app=shop", 200, json!(60)),
        ("/api/v1/traffic?app=nobody", 404, json!(null)),
        ("/api/v1/traffic?app=", 404, json!(null)),
        ("/api/v1/traffic?range=year", 400, json!(null)),
    ] {
        let answer = setup.get(target).await;
        assert_eq!((answer.status, &answer.json()["step_seconds"]), (status, &step), "{target}");
    }
    let activity = setup.get("/api/v1/activity").await;
    assert_eq!((activity.status, activity.json()), (200, json!({"events": [], "callers": []})));
}

#[tokio::test]
async fn counters_are_cleared_only_where_the_apps_name_confirms_it() {
    let setup = on_loopback(Some(TOKEN)).await;
    let path = "/api/v1/apps/shop/clear-quota";
    for (query, words) in [
        ("", ["all of today's quota counters of shop", "one of 10", "console", "confirm=shop"]),
        ("?confirm=yes", ["all of today's quota counters of shop", "one of 10", "console", "confirm=shop"]),
        ("?endpoint=/a/b", ["counter of /a/b of shop", "one of 50", "", "confirm=shop"]),
        ("?confirm=shop&endpoint=other", ["endpoint must be a path", "", "", ""]),
    ] {
        let answer = setup.ask(&format!("POST {path}{query}"), &bearer(TOKEN)).await;
        assert_eq!(answer.status, 400, "{query}");
        let error = answer.json()["error"].as_str().expect("words").to_owned();
        assert!(words.iter().all(|word| error.contains(word)), "{query}: {error}");
    }
    assert_eq!(setup.ask(&format!("POST {path}?confirm=shop"), &bearer("wrong")).await.status, 401);
    assert_eq!(setup.done(), [""; 0]);

    let answer = setup.ask(&format!("POST {path}?confirm=shop"), &bearer(TOKEN)).await;
    assert_eq!(
        (answer.status, answer.json()),
        (
            200,
            json!({
                "cleared": true, "errcode": null, "spent_this_month": 4, "allowed_a_month": 10,
                "message": "the counters were reset",
            })
        )
    );
    let single = format!("POST {path}?confirm=shop&endpoint=%2Fcgi-bin%2Fuser%2Finfo");
    assert_eq!(setup.ask(&single, &bearer(TOKEN)).await.json()["allowed_a_month"], 50);
    assert_eq!(setup.done(), ["clear shop everything", "clear shop /cgi-bin/user/info"]);
    let nobody = "POST /api/v1/apps/nobody/clear-quota?confirm=nobody";
    assert_eq!(setup.ask(nobody, &bearer(TOKEN)).await.status, 404);
}

#[tokio::test]
async fn own_counters_are_reset_only_where_the_apps_name_confirms_it() {
    let setup = on_loopback(Some(TOKEN)).await;
    let path = "/api/v1/apps/shop/quota/reset";
    for query in ["", "?confirm=yes", "?confirm=shop&confirm=shop", "?confirm=shop&endpoint=/a/b"] {
        let answer = setup.ask(&format!("POST {path}{query}"), &bearer(TOKEN)).await;
        assert_eq!(answer.status, 400, "{query}");
    }
    let asked = setup.ask(&format!("POST {path}"), &bearer(TOKEN)).await.json();
    let words = asked["error"].as_str().expect("words");
    assert!(words.contains("`daily` limits") && words.contains("confirm=shop"), "{words}");
    for token in [String::new(), bearer("wrong")] {
        assert_eq!(setup.ask(&format!("POST {path}?confirm=shop"), &token).await.status, 401);
    }
    assert_eq!(setup.done(), [""; 0]);
    let answer = setup.ask(&format!("POST {path}?confirm=shop"), &bearer(TOKEN)).await;
    let message = "the counters were reset";
    let told = json!({"reset": true, "calls_counted": 5, "budgets": ["all"], "message": message});
    assert_eq!((answer.status, answer.json()), (200, told));
    assert_eq!(setup.done(), ["reset shop"]);
    let nobody = "POST /api/v1/apps/nobody/quota/reset?confirm=nobody";
    assert_eq!(setup.ask(nobody, &bearer(TOKEN)).await.status, 404);
}

#[tokio::test]
async fn a_request_is_looked_up_by_its_rid() {
    let setup = on_loopback(Some(TOKEN)).await;
    for query in ["", "?rid=", "?rid=61725984", "?rid=61725984-6126f6f9-040f19cX"] {
        let answer = setup.ask(&format!("POST /api/v1/apps/shop/rid{query}"), &bearer(TOKEN)).await;
        assert_eq!(answer.status, 400, "{query}");
        assert!(answer.json()["error"].as_str().is_some_and(|error| error.contains("61725984-6126f6f9")));
    }
    let rid = "rid?rid=61725984-6126f6f9-040f19c4";
    assert_eq!(setup.ask(&format!("POST /api/v1/apps/shop/{rid}"), "").await.status, 401);
    assert_eq!(setup.done(), [""; 0]);
    let answer = setup.ask(&format!("POST /api/v1/apps/shop/{rid}"), &bearer(TOKEN)).await;
    assert_eq!((answer.status, &answer.json()["request"]["cost_in_ms"]), (200, &json!(30)));
    assert_eq!(setup.done(), ["rid shop 61725984-6126f6f9-040f19c4"]);
    assert_eq!(setup.ask(&format!("POST /api/v1/apps/nobody/{rid}"), &bearer(TOKEN)).await.status, 404);
}

#[tokio::test]
async fn a_misspelt_parameter_clears_nothing() {
    let setup = on_loopback(Some(TOKEN)).await;
    for query in [
        "confirm=shop&endpont=/cgi-bin/user/info",
        "confirm=shop&endpoint=/cgi-bin/user/info&endpoint=/cgi-bin/menu/get",
    ] {
        let answer = setup.ask(&format!("POST /api/v1/apps/shop/clear-quota?{query}"), &bearer(TOKEN)).await;
        assert_eq!(answer.status, 400, "{query}");
        let error = answer.json()["error"].as_str().expect("a text").to_owned();
        assert!(error.contains("takes confirm, endpoint"), "{error}");
    }
    assert_eq!(setup.done(), [""; 0]);
}
