//! Endpoints that want the AppSecret in the query.

use crate::harness::{Gate, Setup};

const KEY: &str = "canary-api-key-3c55";
/// The SHA-256 of [`KEY`].
fn callers() -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, KEY.as_bytes());
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("[[caller]]\nname = \"orders\"\nkey_sha256 = \"{hex}\"\napps = [\"shop\"]\n")
}

#[tokio::test]
async fn an_api_key_in_the_place_of_the_app_secret_is_not_handed_to_wechat() {
    let apps = format!("{}{}", crate::harness::SHOP, callers());
    let gate = Gate::with(Setup { apps, ..Setup::default() }).await;
    for path in
        ["/sns/jscode2session?appid=wx1&secret=KEY&js_code=1", "/sns/oauth2/access_token?%73ecret=KEY&code=1"]
    {
        let request = gate.client.get(gate.url(&path.replace("KEY", KEY))).bearer_auth(KEY);
        let answer = crate::harness::Answer::of(request).await;
        assert_eq!((answer.status, answer.header("x-wxgate-error")), (400, Some("bad_request")));
        assert!(answer.text().contains("AppSecret") && !answer.text().contains(KEY), "{}", answer.text());
    }
    assert!(gate.journal("/sns/*").is_empty());
    let real =
        gate.client.get(gate.url("/sns/jscode2session?appid=wx1&secret=real&js_code=1")).bearer_auth(KEY);
    crate::harness::Answer::of(real).await;
    assert_eq!(gate.journal("/sns/jscode2session")[0].query, "appid=wx1&secret=real&js_code=1");
}
