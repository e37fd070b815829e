//! The two kinds of access_token that newcomers confuse.

use crate::harness::Gate;

async fn login(gate: &Gate) -> (String, String) {
    let path = "/sns/oauth2/access_token?code=c&grant_type=authorization_code";
    let said = gate.get(path).await.json();
    let text = |name: &str| said[name].as_str().unwrap_or_else(|| panic!("{said}")).to_owned();
    (text("access_token"), text("openid"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_users_token_at_an_apps_endpoint_is_named_as_such() {
    let gate = Gate::start().await.settled().await;
    let (token, openid) = login(&gate).await;
    let answer = gate.get(&format!("/cgi-bin/user/info?access_token={token}&openid={openid}")).await;
    assert_eq!(answer.refusal(), (400, "bad_request", -70400));
    assert!(answer.text().contains("a user's OAuth access_token"), "{}", answer.text());
    assert!(gate.journal("/cgi-bin/user/info").is_empty());
    // One that SDKs make up is replaced.
    assert_eq!(gate.get("/cgi-bin/user/info?access_token=made-up&openid=o").await.errcode(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_apps_placeholder_at_a_users_endpoint_is_named_as_such() {
    let gate = Gate::start().await.settled().await;
    let said =
        gate.get("/cgi-bin/token?grant_type=client_credential&appid=wx0000000000000001&secret=s").await;
    let placeholder = said.json()["access_token"].as_str().expect("a placeholder").to_owned();
    let answer = gate.get(&format!("/sns/userinfo?access_token={placeholder}&openid=o")).await;
    assert_eq!(answer.refusal(), (400, "bad_request", -70400));
    assert!(answer.text().contains("the user's OAuth access_token"), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_calls_with_a_dead_user_token_cause_no_refresh() {
    let gate = Gate::start().await.settled().await;
    for _ in 0..1000 {
        let answer = gate.get("/sns/userinfo?access_token=dead-token-of-a-user&openid=o").await;
        assert_eq!((answer.status, answer.errcode()), (200, 40001));
    }
    assert_eq!(gate.counts(), (0, 0, 0));
    assert_eq!(gate.journal("/sns/userinfo").len(), 1000);
}
