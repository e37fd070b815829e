//! The page at `/sandbox/`, and who may use the control API beside it. `tests/tools` looks at it in
//! a browser.

use bytes::Bytes;
use http_body_util::Full;
use serde_json::{Value, json};
use wxgate::sandbox::{OFFICIAL_ACCOUNT, SHAPED};

use super::client::{Caller, Reply};

async fn asked(caller: &Caller, method: &str, target: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = http::Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = if method == "POST" { "{}" } else { "" };
    caller.send(request.body(Full::new(Bytes::from(body))).expect("a request")).await.expect("an answer")
}

const HERE: (&str, &str) = ("host", "127.0.0.1:9080");
const HTML: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");

#[tokio::test]
async fn a_browser_gets_the_page_in_its_language_and_a_program_the_list() {
    let caller = Caller::new();
    for (language, lang) in [("en-GB,en;q=0.9", "<html lang=\"en\">"), ("zh-CN", "<html lang=\"zh-CN\">")] {
        let page = asked(&caller, "GET", "/sandbox/", &[HERE, HTML, ("accept-language", language)]).await;
        assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
        assert!(page.text().contains(lang), "{language}");
        let policy = page.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    }
    let list = asked(&caller, "GET", "/sandbox/", &[HERE, ("accept", "*/*")]).await.json();
    assert!(list.get("POST /sandbox/rotate").is_some(), "{list}");
    let script = asked(&caller, "GET", "/sandbox/page/main.js", &[HERE]).await;
    assert_eq!((script.status, script.header("content-type")), (200, Some("text/javascript; charset=utf-8")));
    assert_eq!(asked(&caller, "GET", "/sandbox/page/none.js", &[HERE]).await.status, 404);
    assert_eq!(caller.sandbox.journal(None).len(), 0, "what looks at the journal isn't in it");
}

#[tokio::test]
async fn a_page_of_another_origin_changes_nothing() {
    let caller = Caller::new();
    let token = caller.token().await;
    for headers in [
        &[HERE, ("origin", "https://evil.example")][..],
        &[HERE, ("origin", "null")],
        &[HERE, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")],
        &[("host", "rebound.example:9080"), ("origin", "http://rebound.example:9080")],
    ] {
        let reply = asked(&caller, "POST", "/sandbox/rotate", headers).await;
        assert_eq!(reply.status, 403, "{headers:?}: {}", reply.text());
        assert!(reply.json()["error"].is_string());
    }
    let journal = [("host", "rebound.example"), ("user-agent", "Mozilla/5.0 (X11)")];
    assert_eq!(asked(&caller, "GET", "/sandbox/journal", &journal).await.status, 403);
    assert_eq!(caller.verdict(&token).await, 0);
    let own = [HERE, ("origin", "http://127.0.0.1:9080"), ("sec-fetch-site", "same-origin")];
    assert_eq!(asked(&caller, "POST", "/sandbox/rotate", &own).await.status, 200);
    assert_eq!(caller.verdict(&token).await, 40001);
}

#[tokio::test]
async fn the_state_tells_what_is_switched_on() {
    let caller = Caller::new();
    caller.token().await;
    let state = caller.get("/sandbox/state").await.json();
    assert_eq!((&state["faults"], &state["lags"]), (&json!([]), &json!([])));
    assert_eq!((&state["changed_settings"], &state["offset_ms"]), (&json!({}), &json!(0)));
    assert_eq!(state["counts"]["fetches"], 1);

    let fault = json!({"fault": "errcode", "errcode": -1, "path": "/cgi-bin/menu/get", "times": 2});
    caller.order("POST", "/sandbox/faults", &fault).await;
    caller.order("POST", "/sandbox/lag", &json!({"requests": 1})).await;
    caller.order("POST", "/sandbox/settings", &json!({"allow_unlisted": true})).await;
    caller.order("POST", "/sandbox/clock", &json!({"advance_ms": 60_000})).await;
    let token = caller.current(wxgate::sandbox::Kind::Stable);
    assert_eq!(caller.verdict(&token).await, 40001);
    let state = caller.get("/sandbox/state").await.json();
    assert_eq!((&state["faults"][0]["errcode"], &state["faults"][0]["seen"]), (&json!(-1), &json!(0)));
    let lag = &state["lags"][0];
    assert_eq!(
        (&lag["rejected"], &lag["over"], &lag["lag"]["requests"]),
        (&json!(1), &json!(true), &json!(1))
    );
    assert_eq!(caller.get("/sandbox/lag").await.json()[0], *lag);
    assert_eq!(state["changed_settings"], json!({"allow_unlisted": true}));
    assert_eq!(state["offset_ms"], 60_000);
}

#[tokio::test]
async fn the_journal_names_the_app_and_how_long_it_took() {
    let caller = Caller::new();
    let token = caller.token().await;
    caller.verdict(&token).await;
    caller.get("/cgi-bin/menu/get?access_token=nobodys-token-of-twenty-characters").await;
    let entries = caller.sandbox.journal(None);
    let apps: Vec<_> = entries.iter().map(|entry| entry.appid.as_deref()).collect();
    assert_eq!(apps, [Some(OFFICIAL_ACCOUNT), Some(OFFICIAL_ACCOUNT), None]);
    assert!(entries.iter().all(|entry| entry.took_us.is_some()));
}

#[tokio::test]
async fn the_shapes_are_listed_with_their_sources() {
    let shapes = Caller::new().get("/sandbox/shapes").await.json();
    let shapes: &Vec<Value> = shapes.as_array().expect("a list");
    assert_eq!(shapes.len(), SHAPED.len());
    assert!(
        shapes.iter().all(|shape| shape["source"].as_str().is_some_and(|url| url.starts_with("https://")))
    );
}
