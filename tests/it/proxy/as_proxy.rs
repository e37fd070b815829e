//! wxgate as the HTTP proxy of a service that keeps WeChat's own address: `HTTP_PROXY`, and
//! `http://` in the URL.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::harness::{APPID, Answer, Gate, SHOP, Setup, caller, raw};

const KEY: &str = "canary-api-key-11d0";

fn request(target: &str, host: &str, more: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{more}Connection: close\r\n\r\n").into_bytes()
}

async fn sent(gate: &Gate, target: &str, host: &str, more: &str) -> Answer {
    raw(&gate.authority(), &request(target, host, more)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_to_a_proxy_is_for_wechat_whatever_its_host_says() {
    let gate = Gate::start().await.settled().await;
    for (target, host) in [
        ("http://api.weixin.qq.com/cgi-bin/user/info?openid=o", "api.weixin.qq.com"),
        ("http://api.weixin.qq.com:80/cgi-bin/user/info?openid=o", "elsewhere.example"),
        ("HTTP://SH.api.weixin.qq.com/@shop/cgi-bin/user/info?openid=o", "x"),
        (&format!("http://{}/cgi-bin/user/info?openid=o", gate.authority()), "x"),
    ] {
        let answer = sent(&gate, target, host, "").await;
        assert_eq!(answer.json()["openid"], "o", "{target}: {}", answer.text());
    }
    let seen = gate.journal("/cgi-bin/user/info");
    assert_eq!(seen.len(), 4);
    let token = gate.token(APPID);
    assert!(seen.iter().all(|entry| entry.query == format!("openid=o&access_token={token}")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unmodified_client_with_a_proxy_and_its_key_in_the_proxys_url() {
    let apps = format!("{SHOP}{}", caller("orders", &[KEY], &["shop"], ""));
    let gate = Gate::with(Setup { apps, ..Setup::default() }).await;
    let proxy = reqwest::Proxy::http(format!("http://orders:{KEY}@{}", gate.authority())).expect("a URL");
    let tls = wxgate::upstream::tls::client_config(None).expect("roots");
    let client =
        reqwest::Client::builder().proxy(proxy).tls_backend_preconfigured(tls).build().expect("a client");
    let answer = Answer::of(client.get("http://api.weixin.qq.com/cgi-bin/user/info?openid=o")).await;
    assert_eq!(answer.json()["openid"], "o", "{}", answer.text());
    let entry = gate.only("/cgi-bin/user/info");
    assert!(
        entry.headers.iter().all(|(_, value)| !value.contains(&STANDARD.encode(format!("orders:{KEY}"))))
    );
    let refused = sent(&gate, "http://api.weixin.qq.com/cgi-bin/user/info", "x", "").await;
    assert_eq!(refused.refusal().1, "caller_unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_no_proxy_for_anybody_else_and_makes_no_tunnels() {
    let gate = Gate::start().await.settled().await;
    for target in [
        "http://example.com/cgi-bin/user/info",
        "http://mp.weixin.qq.com/cgi-bin/showqrcode",
        "http://api.weixin.qq.com.example/cgi-bin/user/info",
        "https://api.weixin.qq.com/cgi-bin/user/info",
        "ftp://api.weixin.qq.com/cgi-bin/user/info",
    ] {
        let answer = sent(&gate, target, "api.weixin.qq.com", "").await;
        assert_eq!(answer.refusal().1, "bad_request", "{target}");
    }
    let tunnel = b"CONNECT api.weixin.qq.com:443 HTTP/1.1\r\nHost: api.weixin.qq.com:443\r\n\
          Connection: close\r\n\r\n";
    let answer = raw(&gate.authority(), tunnel).await;
    assert_eq!(answer.refusal().1, "bad_request");
    assert!(answer.text().contains("http:// instead of https://"), "{}", answer.text());
    // 200 would say that the tunnel stands.
    gate.reload("error_status = \"wechat\"", SHOP).await;
    assert_eq!(raw(&gate.authority(), tunnel).await.refusal(), (400, "bad_request", -70400));
    assert!(gate.journal("*").iter().all(|entry| entry.path == "/cgi-bin/stable_token"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_host_in_the_target_does_not_get_past_the_guard_against_rebinding() {
    let gate = Gate::start().await.settled().await;
    let rebound = sent(&gate, "/cgi-bin/user/info", "evil.example", "").await;
    assert_eq!(rebound.refusal().1, "caller_forbidden");
    let page =
        sent(&gate, "http://api.weixin.qq.com/cgi-bin/user/info", "x", "Origin: http://evil.example\r\n")
            .await;
    assert_eq!(page.refusal().1, "caller_forbidden");
}
