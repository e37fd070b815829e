//! The responses of a running proxy.

use reqwest::Method;
use wxgate::sandbox::{Action, Fault};

use super::Strict;
use crate::harness::{ADMIN_TOKEN, Answer, GAME, Gate, SHOP, Setup, sandbox};
use crate::until::until;

const INFO: &str = "/cgi-bin/user/info?openid=o";
const RID: &str = "rid=61725984-6126f6f9-040f19c4";

async fn answer(gate: &Gate, request: &str) -> Answer {
    let (method, target) = request.split_once(' ').expect("a method and a target");
    let method: Method = method.parse().expect("a method");
    Answer::of(gate.client.request(method, gate.admin_url(target)).bearer_auth(ADMIN_TOKEN)).await
}

async fn check(gate: &Gate, schema: &Strict, request: &str, status: u16) -> serde_json::Value {
    let answer = answer(gate, request).await;
    assert_eq!(answer.status, status, "{request}: {}", answer.text());
    schema.check(request, status, &answer.json());
    answer.json()
}

/// The data of the first event of a stream.
async fn first_event(gate: &Gate) -> serde_json::Value {
    let request = gate.client.get(gate.admin_url("/api/v1/events"));
    let mut response = request.send().await.expect("a stream");
    let mut text = Vec::new();
    while !text.ends_with(b"\n\n") {
        text.extend_from_slice(&response.chunk().await.expect("a chunk").expect("no end"));
    }
    let text = String::from_utf8(text).expect("UTF-8");
    let data = text.lines().find_map(|line| line.strip_prefix("data: ")).expect("data");
    serde_json::from_str(data).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_running_proxy_says_is_as_its_schema_says() {
    let setup = Setup { apps: format!("{SHOP}{GAME}"), ..Setup::default() };
    let sandbox = sandbox();
    // The game's token is refused for good, which has a remedy.
    let wrong = Fault::new(Action::Errcode { errcode: 40125, errmsg: None }).path("/cgi-bin/stable_token");
    sandbox.fault(wrong.times(1));
    let gate = Gate::before(sandbox, setup).await;
    let document = answer(&gate, "GET /api/v1/openapi.json").await.json();
    let schema = Strict::new(&document);

    // Something of everything: a success, an error of WeChat's, a ticket, a rejected token.
    let ready = async || answer(&gate, "GET /readyz?all").await.status == 200;
    check(&gate, &schema, "POST /api/v1/apps/shop/refresh", 200).await;
    check(&gate, &schema, "POST /api/v1/apps/game/refresh?force=true", 200).await;
    until(|| "both apps' tokens", ready).await;
    gate.sandbox
        .fault(Fault::new(Action::Errcode { errcode: 45009, errmsg: None }).path("/cgi-bin/menu/get"));
    gate.get("/cgi-bin/menu/get").await;
    gate.get("/cgi-bin/ticket/getticket?type=jsapi").await;
    gate.sandbox.fault(
        Fault::new(Action::Errcode { errcode: 40001, errmsg: None }).path("/cgi-bin/user/info").times(1),
    );
    assert_eq!(gate.get(INFO).await.errcode(), 0);

    let status = check(&gate, &schema, "GET /api/v1/status", 200).await;
    assert_eq!(status["apps"].as_array().map(Vec::len), Some(2), "{status}");
    let quota = check(&gate, &schema, "GET /api/v1/quota", 200).await;
    assert!(quota["apps"][0]["endpoints"].as_array().is_some_and(|endpoints| !endpoints.is_empty()));
    for (target, status) in [
        ("/readyz", 200),
        ("/api/v1/endpoints", 200),
        ("/api/v1/quota?app=shop", 200),
        ("/api/v1/traffic", 200),
        ("/api/v1/traffic?app=shop&range=month", 200),
        ("/api/v1/traffic?app=nobody", 404),
    ] {
        check(&gate, &schema, &format!("GET {target}"), status).await;
    }
    let activity = check(&gate, &schema, "GET /api/v1/activity", 200).await;
    for list in ["events", "callers"] {
        assert!(activity[list].as_array().is_some_and(|list| !list.is_empty()), "{activity}");
    }
    schema.check("GET /api/v1/events", 200, &first_event(&gate).await);
    for (target, status) in [
        ("clear-quota?confirm=shop", 200),
        ("clear-quota?confirm=shop&endpoint=/cgi-bin/user/info", 200),
        ("clear-quota?endpoint=/cgi-bin/user/info", 400),
        ("quota/reset?confirm=shop", 200),
        (&format!("rid?{RID}"), 200),
    ] {
        check(&gate, &schema, &format!("POST /api/v1/apps/shop/{target}"), status).await;
    }
    check(&gate, &schema, "POST /api/v1/reload", 200).await;
    gate.change(|setup| setup.server = "nothing = 1".into());
    check(&gate, &schema, "POST /api/v1/reload", 422).await;
    let refused = check(&gate, &schema, "GET /api/v1/status", 200).await;
    assert!(refused["configuration"]["refused"]["problem"].is_string(), "{refused}");
}
