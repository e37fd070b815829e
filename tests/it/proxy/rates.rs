//! Rates of callers and of `[[limit]]`.

use crate::harness::{Answer, Gate, SHOP, SHOP_AND_GAME, Setup, caller};

const INFO: &str = "/cgi-bin/user/info?openid=o";

/// Two callers of the shop; `more` goes into the first one's table, `limits` are tables of their
/// own.
fn two_callers(more: &str, limits: &str) -> Setup {
    let orders = caller("orders", &["key-orders"], &["shop"], more);
    let reports = caller("reports", &["key-reports"], &["shop"], "");
    Setup { apps: format!("{SHOP}{orders}{reports}{limits}"), ..Setup::default() }
}

async fn ask(gate: &Gate, key: &str, path: &str) -> Answer {
    gate.get_with(path, &[("X-Wxgate-Key", key)]).await
}

#[tokio::test]
async fn a_callers_rate_refuses_with_wechats_own_code_and_says_when_to_come_back() {
    let gate = Gate::with(two_callers("rate = \"1/h\"", "")).await.settled().await;
    assert_eq!(ask(&gate, "key-orders", INFO).await.errcode(), 0);
    let refused = ask(&gate, "key-orders", INFO).await;
    assert_eq!(refused.refusal(), (429, "rate_limited", 45011));
    assert_eq!(
        refused.json()["errmsg"],
        "wxgate: rate_limited: caller orders: 1 request an hour (rate in [[caller]]) / 调用方 orders：每小时 1 次请求（[[caller]] 的 rate） [caller orders, app shop, \
         GET /cgi-bin/user/info]"
    );
    let retry: u64 = refused.header("retry-after").expect("a time").parse().expect("seconds");
    assert!((3500..=3600).contains(&retry), "{retry}");
    assert_eq!(ask(&gate, "key-reports", INFO).await.errcode(), 0, "another caller");
    assert_eq!(gate.journal("/cgi-bin/user/info").len(), 2);
    let sample = r#"wxgate_refused_total{app="shop",caller="orders",code="rate_limited"}"#;
    assert_eq!(gate.metric(sample).await, 1.0);
}

#[tokio::test]
async fn limits_have_the_status_that_is_configured() {
    for (server, limited, unknown) in [
        ("error_status = \"wechat\"", 200, 200),
        ("error_status = \"http\"", 429, 401),
        ("limit_status = 200", 200, 401),
        ("errors_as_200 = true\nlimit_status = 429", 429, 200),
    ] {
        let setup = Setup { server: server.into(), ..two_callers("rate = \"1/h\"", "") };
        let gate = Gate::with(setup).await.settled().await;
        ask(&gate, "key-orders", INFO).await;
        assert_eq!(ask(&gate, "key-orders", INFO).await.refusal(), (limited, "rate_limited", 45011));
        assert_eq!(ask(&gate, "wrong", INFO).await.status, unknown);
    }
}

#[tokio::test]
async fn a_rate_is_looked_at_before_the_body_has_come() {
    let gate = Gate::with(two_callers("rate = \"1/h\"", "")).await.settled().await;
    ask(&gate, "key-orders", INFO).await;
    let head = "POST /cgi-bin/message/custom/send HTTP/1.1\r\nHost: x\r\nX-Wxgate-Key: key-orders\r\n\
                Connection: close\r\nContent-Length: 100\r\n\r\nnever all of it";
    assert_eq!(gate.raw(head).await.refusal(), (429, "rate_limited", 45011));
}

#[tokio::test]
async fn a_limit_for_an_endpoint_counts_all_callers_together_and_no_other_endpoint() {
    let limit = "[[limit]]\nendpoint = \"GET /cgi-bin/user/**\"\nrate = \"2/m\"\napp = \"shop\"\n";
    let gate = Gate::with(two_callers("", limit)).await.settled().await;
    assert_eq!(ask(&gate, "key-orders", INFO).await.errcode(), 0);
    let refused = ask(&gate, "key-reports", "/cgi-bin/user/get").await;
    assert_eq!(refused.refusal(), (429, "rate_limited", 45011));
    let errmsg = refused.json()["errmsg"].to_string();
    let whose = "all callers together: 2 requests a minute to GET /cgi-bin/user/** for app shop";
    assert!(errmsg.contains(whose), "{errmsg}");
    assert_eq!(ask(&gate, "key-reports", "/cgi-bin/get_api_domain_ip").await.errcode(), 0);
}

#[tokio::test]
async fn a_limit_for_an_app_or_for_callers_without_a_key_concerns_no_other() {
    let orders = caller("orders", &["key-orders"], &["shop", "game"], "");
    let limits = "[[limit]]\napp = \"game\"\nrate = \"1/h\"\n\
                  [[limit]]\ncaller = \"anonymous\"\nendpoint = \"/cgi-bin/get_api_domain_ip\"\nrate = \"1/h\"\n";
    let apps = format!("{SHOP_AND_GAME}{orders}{limits}");
    let gate = Gate::with(Setup { apps, server: "anonymous = true".into(), ..Setup::default() }).await;
    let gate = gate.settled().await;
    let mut codes = Vec::new();
    for path in ["/@game/cgi-bin/openapi/rid/get", "/@game/wxa/x", "/@shop/wxa/x", "/@shop/wxa/x"] {
        codes.push(ask(&gate, "key-orders", path).await.header("x-wxgate-error").map(str::to_owned));
    }
    // A guarded endpoint is refused before it counts.
    assert_eq!(codes, [Some("endpoint_forbidden".to_owned()), None, None, None]);
    assert_eq!(ask(&gate, "key-orders", "/@game/wxa/x").await.refusal(), (429, "rate_limited", 45011));
    for expected in [0, 45011] {
        assert_eq!(gate.get("/@shop/cgi-bin/get_api_domain_ip").await.errcode(), expected);
    }
    assert_eq!(ask(&gate, "key-orders", "/@shop/cgi-bin/get_api_domain_ip").await.errcode(), 0);
}

#[tokio::test]
async fn a_limit_that_is_observed_lets_through_and_counts() {
    let limits = "[[limit]]\nrate = \"1/h\"\ndaily = 1\nmode = \"observe\"\n";
    let gate = Gate::with(two_callers("", limits)).await.settled().await;
    for _ in 0..3 {
        assert_eq!(ask(&gate, "key-orders", INFO).await.errcode(), 0);
    }
    assert_eq!(gate.journal("/cgi-bin/user/info").len(), 3);
    for code in ["rate_limited", "quota_exhausted"] {
        let sample = format!("wxgate_limit_observed_total{{app=\"shop\",caller=\"orders\",code=\"{code}\"}}");
        assert_eq!(gate.metric(&sample).await, 2.0, "{code}");
    }
    assert!(!gate.metrics().await.contains("wxgate_refused_total{"));
}

#[tokio::test]
async fn a_rate_that_stays_goes_on_over_a_reload_and_another_one_begins_anew() {
    let setup = two_callers("rate = \"1/h\"", "");
    let gate = Gate::with(setup).await.settled().await;
    assert_eq!(ask(&gate, "key-orders", INFO).await.errcode(), 0);
    gate.reload("anonymous = true", &two_callers("rate = \"1/h\"", "").apps).await;
    assert_eq!(ask(&gate, "key-orders", INFO).await.errcode(), 45011);
    gate.reload("", &two_callers("rate = \"2/h\"", "").apps).await;
    assert_eq!(ask(&gate, "key-orders", INFO).await.errcode(), 0);
    gate.reload("", &two_callers("", "").apps).await;
    for _ in 0..3 {
        assert_eq!(ask(&gate, "key-orders", INFO).await.errcode(), 0);
    }
}
