//! Endpoints that WeChat doesn't have, or not for the account that calls.

use serde_json::json;
use wxgate::sandbox::{App, AppKind, OFFICIAL_ACCOUNT, Options, SECRET};

use super::client::{Caller, token_of};

/// Where WeCom alone has the first endpoint, the official platform the second, and both the third.
const OF_WECOM: &str = "/cgi-bin/message/send";
const OF_THE_PLATFORM: &str = "/cgi-bin/message/custom/send";
const OF_BOTH: &str = "/cgi-bin/getcallbackip";

/// A sandbox with an official account and a corporation, and a token of each.
async fn both_platforms() -> (Caller, String, String) {
    let apps = vec![
        App::new(OFFICIAL_ACCOUNT, SECRET, AppKind::OfficialAccount),
        App::new("corp", SECRET, AppKind::Wecom),
    ];
    let caller = Caller::with(Options { apps, ..Options::default() });
    let account = caller.token().await;
    let corp = caller.get(&format!("/cgi-bin/gettoken?corpid=corp&corpsecret={SECRET}")).await;
    (caller, account, token_of(&corp))
}

impl Caller {
    /// The errcode for this path and token, and whether the journal marks the request.
    async fn asked(&self, path: &str, token: &str) -> (i64, bool) {
        let body = r#"{"touser":"O","msgtype":"text","agentid":1}"#;
        let reply = self.post(&format!("{path}?access_token={token}"), body).await;
        let entry = self.sandbox.journal(Some(path)).pop().expect("an entry");
        assert_eq!(entry.errcode, Some(reply.errcode()));
        (reply.errcode(), entry.unlisted)
    }
}

#[tokio::test]
async fn a_misspelt_endpoint_is_answered_40066_and_marked_in_the_journal() {
    let caller = Caller::new();
    let token = caller.token().await;
    for path in [
        "/cgi-bin/usr/inof",
        "/cgi-bin/mesage/custom/send",
        "/wxa/getwxacodeunlimt",
        "/cgi-bin/user/info/",
        "/cgi-bin/token/v2",
        "/sns/userinof",
        "/no/such/family",
        "/",
    ] {
        assert_eq!(caller.asked(path, &token).await, (40066, true), "{path}");
        assert_eq!(caller.get(path).await.errcode(), 40066, "{path} without a token");
    }
    let text = caller.get(&format!("/cgi-bin/usr/inof?access_token={token}")).await.text();
    assert!(text.starts_with(r#"{"errcode":40066,"errmsg":"invalid url rid: "#), "{text}");
    assert_eq!(caller.asked("/wxa/getwxacodeunlimit", &token).await, (40129, false));
    assert_eq!(caller.asked("/cgi-bin/express/intracity/getcity", &token).await, (0, false));
    let journal = caller.get("/sandbox/journal?path=/cgi-bin/usr/inof&limit=1").await.json();
    assert_eq!(journal["entries"][0]["unlisted"], true);
}

#[tokio::test]
async fn an_endpoint_of_the_other_platform_is_answered_40066_and_marked_in_the_journal() {
    let (caller, account, corp) = both_platforms().await;
    assert_eq!(caller.asked(OF_WECOM, &account).await, (40066, true));
    assert_eq!(caller.asked(OF_WECOM, &corp).await, (0, false));
    assert_eq!(caller.asked(OF_THE_PLATFORM, &account).await, (0, false));
    assert_eq!(caller.asked(OF_THE_PLATFORM, &corp).await, (40066, true));
    for token in [&account, &corp] {
        assert_eq!(caller.asked(OF_BOTH, token).await, (0, false));
    }
    assert_eq!(caller.asked(OF_WECOM, "nobodys-token-of-twenty-characters").await, (40001, false));
}

#[tokio::test]
async fn a_setting_lets_unlisted_endpoints_through_and_they_are_marked_all_the_same() {
    let (caller, account, corp) = both_platforms().await;
    let settings = caller.order("POST", "/sandbox/settings", &json!({"allow_unlisted": true})).await.json();
    assert_eq!(settings["allow_unlisted"], true);
    assert_eq!(caller.asked("/wxa/brand_new", &account).await, (0, true));
    assert_eq!(caller.asked(OF_WECOM, &account).await, (0, true));
    assert_eq!(caller.asked(OF_THE_PLATFORM, &corp).await, (0, true));
    assert_eq!(caller.asked(OF_BOTH, &account).await, (0, false));
    assert_eq!(caller.asked("/sns/brand_new", "the-users-own-token-of-some-length").await, (0, true));
    // A token is demanded as of any other endpoint, a suite's where it is called with that.
    assert_eq!(caller.get("/wxa/brand_new").await.errcode(), 41001);
    let suites = format!("/cgi-bin/service/brand_new?suite_access_token={account}");
    assert_eq!(caller.get(&suites).await.errcode(), 40082);
}
