//! The control API over HTTP.

use serde_json::json;
use wxgate::sandbox::{App, AppKind, Authorizer, Kind, OFFICIAL_ACCOUNT, Options, SECRET};

use super::client::{Caller, token_of};

#[tokio::test]
async fn every_word_can_be_said_over_http() {
    let caller = Caller::new();
    let token = caller.token().await;
    let changed = caller.order("POST", "/sandbox/rotate", &json!({"appid": OFFICIAL_ACCOUNT})).await.json();
    assert_eq!(changed, json!({"changed": 1}));
    assert_eq!(caller.verdict(&token).await, 40001);

    let token = caller.token().await;
    caller.order("POST", "/sandbox/poison", &json!({"kind": "stable"})).await;
    assert_eq!(caller.verdict(&token).await, 40001);

    let token = token_of(&caller.stable(true).await);
    caller.order("POST", "/sandbox/lag", &json!({"requests": 1})).await;
    assert_eq!(caller.verdict(&token).await, 40001);
    assert_eq!(caller.verdict(&token).await, 0);

    caller.order("POST", "/sandbox/expire", &json!({})).await;
    assert_eq!(caller.verdict(&token).await, 42001);
    assert_eq!(
        caller.order("POST", "/sandbox/rotate", &json!({"appid": "wxnobody"})).await.json()["changed"],
        0
    );

    let value = "55_of-another-sandbox";
    assert_eq!(caller.verdict(value).await, 40001);
    let given = json!({"appid": OFFICIAL_ACCOUNT, "kind": "stable", "value": value});
    caller.order("POST", "/sandbox/tokens", &given).await;
    assert_eq!(caller.verdict(value).await, 0);
    assert_eq!(token_of(&caller.stable(false).await), value);
}

#[tokio::test]
async fn faults_are_set_listed_and_ended() {
    let caller = Caller::new();
    let fault = json!({"fault": "errcode", "errcode": 45011, "path": "/cgi-bin/token", "times": 1});
    let id = caller.order("POST", "/sandbox/faults", &fault).await.json()["id"].as_u64().expect("a number");
    assert_eq!(caller.classic().await.errcode(), 45011);
    assert_eq!(caller.classic().await.errcode(), 0);
    let listed = caller.get("/sandbox/faults").await.json();
    assert_eq!((&listed[0]["seen"], &listed[0]["fault"]), (&json!(2), &json!("errcode")));
    let target = format!("/sandbox/faults?id={id}");
    assert_eq!(caller.order("DELETE", &target, &json!({})).await.status, 200);
    assert_eq!(caller.order("DELETE", &target, &json!({})).await.status, 404);
    assert_eq!(caller.get("/sandbox/faults").await.json(), json!([]));
}

#[tokio::test]
async fn a_misspelt_order_is_refused() {
    let caller = Caller::new();
    for (target, order) in [
        ("/sandbox/faults", json!({"fault": "silence", "timse": 1})),
        ("/sandbox/faults", json!({"fault": "quiet"})),
        ("/sandbox/rotate", json!({"app": "x"})),
        ("/sandbox/settings", json!({"grace": 1})),
        ("/sandbox/clock", json!({})),
    ] {
        let reply = caller.order("POST", target, &order).await;
        assert_eq!(reply.status, 400, "{target} {order}");
        assert!(reply.json()["error"].is_string());
    }
    assert_eq!(caller.get("/sandbox/nothing").await.status, 404);
    assert!(caller.sandbox.journal(None).is_empty(), "orders aren't journalled");
}

#[tokio::test]
async fn settings_are_changed_one_by_one() {
    let caller = Caller::new();
    let changes = json!({"lifetime_ms": 60_000, "expires_in": {"value": "abc"}, "error_variant": "nested"});
    let settings = caller.order("POST", "/sandbox/settings", &changes).await.json();
    assert_eq!((&settings["lifetime_ms"], &settings["grace_ms"]), (&json!(60_000), &json!(300_000)));
    assert_eq!(caller.stable(false).await.json()["expires_in"], "abc");
    assert_eq!(caller.get("/cgi-bin/user/get").await.json()["base_resp"]["errcode"], 41001);
}

#[tokio::test]
async fn state_shows_tokens_and_no_secret() {
    let caller = Caller::new();
    caller.stable(true).await;
    let reply = caller.get("/sandbox/state").await;
    let token = &reply.json()["apps"][0]["tokens"][0];
    assert_eq!(token["current"]["value"], caller.current(Kind::Stable));
    assert_eq!((&token["kind"], &token["forces_today"]), (&json!("stable"), &json!(1)));
    assert!(!reply.text().contains("secret\""));
}

#[tokio::test]
async fn the_clock_moves_over_http() {
    let caller = Caller::new();
    let token = caller.token().await;
    let clock = caller.order("POST", "/sandbox/clock", &json!({"advance_ms": 7_200_000})).await.json();
    assert_eq!(clock["offset_ms"], 7_200_000);
    assert_eq!(caller.verdict(&token).await, 42001);
}

#[tokio::test]
async fn apps_are_added_and_the_journal_is_filtered() {
    let caller = Caller::new();
    let app = json!({"appid": "wxnew", "secret": "s3", "kind": "mini_program"});
    assert_eq!(caller.order("POST", "/sandbox/apps", &app).await.status, 200);
    caller.get("/cgi-bin/token?grant_type=client_credential&appid=wxnew&secret=s3").await;
    caller.get("/wxa/a").await;
    caller.get("/wxa/b").await;
    let entries = caller.get("/sandbox/journal?path=/wxa/*&since=2&limit=5").await.json();
    assert_eq!(entries["entries"].as_array().map(Vec::len), Some(1));
    assert_eq!(entries["entries"][0]["path"], "/wxa/b");
    assert_eq!(caller.get("/sandbox/journal?limit=1").await.json()["entries"][0]["seq"], 3);
}

#[tokio::test]
async fn resetting_all_brings_the_beginning_back() {
    let caller = Caller::new();
    let token = caller.token().await;
    caller.sandbox.change(|settings| settings.grace_ms = 1);
    caller.order("POST", "/sandbox/reset", &json!({"all": true})).await;
    assert_eq!(caller.verdict(&token).await, 40001);
    assert_eq!(caller.get("/sandbox/settings").await.json()["grace_ms"], 300_000);
    assert_eq!(caller.stable(false).await.errcode(), 0);
}

#[tokio::test]
async fn a_whitelist_is_taken_away_by_none_by_an_empty_one_and_by_a_reset_of_all() {
    let caller = Caller::new();
    let account =
        |whitelist: &[&str]| json!({"appid": OFFICIAL_ACCOUNT, "secret": SECRET, "whitelist": whitelist});
    let bare = json!({"appid": OFFICIAL_ACCOUNT, "secret": SECRET});
    for (target, order) in
        [("/sandbox/apps", bare), ("/sandbox/apps", account(&[])), ("/sandbox/reset", json!({"all": true}))]
    {
        caller.order("POST", "/sandbox/apps", &account(&["203.0.113.7"])).await;
        assert_eq!(caller.stable(false).await.errcode(), 40164);
        caller.order("POST", "/sandbox/reset", &json!({})).await;
        assert_eq!(caller.stable(false).await.errcode(), 40164, "a reset of all alone does it");
        caller.order("POST", target, &order).await;
        assert_eq!(caller.stable(false).await.errcode(), 0, "{target} {order}");
    }
}

#[tokio::test]
async fn an_authorisations_code_is_good_once_until_a_reset_of_all() {
    let caller = Caller::with(Options {
        apps: vec![App::new("wxcomponent", SECRET, AppKind::Component)],
        authorizers: vec![Authorizer::new("wxcomponent", "wxauthorizer", "refresh")],
        ..Options::default()
    });
    let query = async || {
        let body = json!({
            "component_appid": "wxcomponent", "component_appsecret": SECRET, "component_verify_ticket": "t",
        });
        let token = caller.post("/cgi-bin/component/api_component_token", body.to_string()).await.json();
        let token = token["component_access_token"].as_str().expect("a token").to_owned();
        let target = format!("/cgi-bin/component/api_query_auth?component_access_token={token}");
        let body = json!({"component_appid": "wxcomponent", "authorization_code": "code"});
        caller.post(&target, body.to_string()).await.errcode()
    };
    assert_eq!((query().await, query().await), (0, 61010));
    caller.order("POST", "/sandbox/reset", &json!({"all": true})).await;
    assert_eq!(query().await, 0);
}
