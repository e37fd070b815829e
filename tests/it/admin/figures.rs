//! Figures, refusals, explanations, and what operators did.

use serde_json::{Value, json};

use super::setup::{TOKEN, bearer, on_loopback, open};

#[tokio::test]
async fn refusals_are_told_of_all_apps_or_of_one() {
    let setup = on_loopback(None).await;
    let callers = async |target: &str| -> Vec<Value> {
        let answer = setup.get(target).await.json();
        let refusals = answer["refusals"].as_array().expect("a list");
        refusals.iter().map(|refusal| refusal["caller"].clone()).collect()
    };
    assert_eq!(callers("/api/v1/refusals").await, ["orders", "crm"]);
    assert_eq!(callers("/api/v1/refusals?app=shop").await, ["orders"]);
    assert_eq!(callers("/api/v1/refusals?app=caf%C3%A9").await, [Value::Null; 0]);
    let most = setup.get("/api/v1/refusals?most=1").await.json();
    assert_eq!((&most["kinds"], most["refusals"].as_array().map(Vec::len)), (&json!(2), Some(1)));
    assert_eq!(setup.get("/api/v1/refusals?most=few").await.status, 400);
    for (query, range) in [("", "hour"), ("?range=quarter", "quarter"), ("?range=month", "month")] {
        assert_eq!(setup.get(&format!("/api/v1/refusals{query}")).await.json()["range"], range);
    }
    assert_eq!(setup.get("/api/v1/refusals?range=week").await.status, 400);
}

#[tokio::test]
async fn figures_are_of_all_apps_or_of_one() {
    let setup = on_loopback(None).await;
    for (target, status) in
        [("/api/v1/figures", 200), ("/api/v1/figures?app=shop", 200), ("/api/v1/figures?app=nobody", 404)]
    {
        assert_eq!(setup.get(target).await.status, status, "{target}");
    }
}

#[tokio::test]
async fn a_request_is_explained_for_a_caller_and_misspelt_questions_are_refused() {
    let setup = on_loopback(None).await;
    let answer = setup.get("/api/v1/explain?method=post&path=%2Fcgi-bin%2Fmenu%2Fcreate&caller=crm").await;
    let explained = answer.json();
    assert_eq!((&explained["method"], &explained["path"]), (&json!("POST"), &json!("/cgi-bin/menu/create")));
    assert_eq!(explained["refused"]["code"], "caller_forbidden");
    assert_eq!(explained["rows"][3], json!({"label": "callers", "text": "crm: no"}));
    let answer = setup.get("/api/v1/explain?path=/cgi-bin/user/info&caller=").await.json();
    assert_eq!((&answer["method"], &answer["refused"]), (&json!("GET"), &Value::Null));
    for (query, status) in [
        ("", 400),
        ("?path=cgi-bin", 400),
        ("?path=/x&method=A%20B", 400),
        ("?path=/x&app=shop", 400),
        ("?path=/x&caller=nobody", 404),
    ] {
        assert_eq!(setup.get(&format!("/api/v1/explain{query}")).await.status, status, "{query}");
    }
}

#[tokio::test]
async fn what_operators_did_and_were_denied_is_told_and_denials_push_out_no_action() {
    let setup = on_loopback(Some(TOKEN)).await;
    assert_eq!(setup.get("/api/v1/audit").await.json(), json!({"entries": []}));
    setup.ask("POST /api/v1/apps/shop/refresh?force=true", &bearer(TOKEN)).await;
    for _ in 0..30 {
        setup.ask("POST /api/v1/apps/shop/refresh", "").await;
    }
    let entries = setup.get("/api/v1/audit").await.json();
    let entries = entries["entries"].as_array().expect("a list");
    let outcomes: Vec<_> = entries.iter().map(|entry| entry["outcome"].as_str().expect("text")).collect();
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == "denied").count(), 20);
    let done = entries.iter().find(|entry| entry["outcome"] == "done").expect("the action");
    assert_eq!(
        (&done["action"], &done["app"], &done["remote"], &done["cause"]),
        (&json!("force"), &json!("shop"), &json!("127.0.0.1"), &Value::Null)
    );
    assert!(entries.iter().all(|entry| !entry.to_string().contains(TOKEN)));
}

#[tokio::test]
async fn on_an_open_address_all_of_this_needs_the_token() {
    let setup = open(Some(TOKEN)).await;
    for target in
        ["/api/v1/figures", "/api/v1/refusals", "/api/v1/explain?path=/cgi-bin/user/info", "/api/v1/audit"]
    {
        assert_eq!(setup.get(target).await.status, 401, "{target}");
        assert_eq!(setup.ask(&format!("GET {target}"), &bearer(TOKEN)).await.status, 200, "{target}");
    }
}
