//! Paths that aren't WeChat's, WeCom's calls for other accounts, and what isn't HTTP: none of it
//! reaches WeChat.

use super::bad_input::wire::{Caller, send};
use crate::harness::{Answer, Gate, SHOP, Setup, caller};
use crate::until::until;

const KEY: &str = "canary-key-of-orders-2f07";

#[tokio::test(flavor = "multi_thread")]
async fn paths_that_are_not_wechats_never_reach_it_and_keep_their_status() {
    let callers = caller("orders", &[KEY], &["shop"], "allow = [\"**\"]");
    for (server, apps) in [("", SHOP.to_owned()), ("error_status = \"wechat\"", format!("{SHOP}{callers}"))] {
        let gate =
            Gate::with(Setup { server: server.into(), apps, ..Setup::default() }).await.settled().await;
        for key in [KEY, "wrong", ""] {
            let with = |method: reqwest::Method, path: &str| {
                let request = gate.client.request(method, gate.url(path));
                if key.is_empty() { request } else { request.header("x-wxgate-key", key) }
            };
            for path in ["/", "/healthz", "//healthz/", "/@shop/", "/@nobody/healthz", "/?x=1"] {
                let got = Answer::of(with(reqwest::Method::GET, path)).await;
                assert_eq!((got.status, got.header("x-wxgate-error")), (200, None), "{path}");
                assert_eq!(got.header("content-type"), Some("text/plain; charset=utf-8"));
                let head = Answer::of(with(reqwest::Method::HEAD, path)).await;
                assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
                assert_eq!(
                    head.header("content-length"),
                    Some(got.body.len().to_string().as_str()),
                    "{path}"
                );
                match path.contains("healthz") {
                    true => assert_eq!(got.text(), "ok\n"),
                    false => {
                        let page = format!("the status page is at {}\n", gate.admin_url("/"));
                        assert!(
                            got.text().starts_with("wxgate, ") && got.text().ends_with(&page),
                            "{}",
                            got.text()
                        );
                    }
                }
            }
            for (method, path, text) in [
                ("POST", "/", "neither WeChat nor wxgate"),
                ("GET", "/metrics", "admin.listen"),
                ("GET", "/favicon.ico", "neither WeChat nor wxgate"),
                ("GET", "/robots.txt", "neither WeChat nor wxgate"),
                ("GET", "/wxgate/", "below /wxgate/"),
                ("GET", "/@shop/wxgate/tokens", "below /wxgate/"),
                ("POST", "/pay/unifiedorder", "api.mch.weixin.qq.com"),
                ("POST", "/v3/pay/transactions/jsapi", "api.mch.weixin.qq.com"),
                ("POST", "/secapi/pay/refund", "api.mch.weixin.qq.com"),
                ("POST", "/mmpaymkttransfers/sendredpack", "api.mch.weixin.qq.com"),
            ] {
                let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
                let answer = Answer::of(with(method, path)).await;
                assert_eq!(
                    answer.refusal(),
                    (404, "endpoint_forbidden", -70404),
                    "{path}: {}",
                    answer.text()
                );
                assert!(answer.text().contains(text), "{}", answer.text());
            }
        }
        assert!(gate.sandbox.journal(None).is_empty(), "{:?}", gate.sandbox.journal(None));
    }
}

/// WeChat's own page printed the second slash, and SDKs that join a base URL with a path send it.
#[tokio::test(flavor = "multi_thread")]
async fn wechat_gets_one_slash_for_two_in_front_of_a_path() {
    let gate = Gate::start().await.warm().await;
    for path in ["//cgi-bin/message/mass/delete", "/@shop//cgi-bin/message/mass/delete"] {
        let answer = gate.post(&format!("{path}?access_token=X&a=//b"), "{\"msg_id\":1}").await;
        assert_eq!((answer.status, answer.errcode()), (200, 0), "{}", answer.text());
        assert_eq!(answer.header("x-wxgate-endpoint"), Some("/cgi-bin/message/mass/delete"));
        let token = gate.token(crate::harness::APPID);
        assert_eq!(gate.only("/cgi-bin/message/mass/delete").query, format!("access_token={token}&a=//b"));
        gate.sandbox.reset();
    }
    let placeholder = gate.get(&format!("//cgi-bin/token?appid={}&secret=x", crate::harness::APPID)).await;
    assert!(placeholder.text().contains("\"wxgate-"), "{}", placeholder.text());
    for path in ["//cgi-bin/clear_quota", "/@shop//cgi-bin/Clear_Quota.json", "/cgi-bin/clear_quota/x"] {
        assert_eq!(gate.post(path, "{}").await.refusal().1, "endpoint_forbidden", "{path}");
    }
    for path in
        ["///cgi-bin/user/info", "/cgi-bin//user/info", "/@shop///cgi-bin/user/info", "/cgi-bin/user/info//"]
    {
        assert_eq!(gate.get(path).await.refusal().1, "bad_request", "{path}");
    }
    assert!(gate.sandbox.journal(None).is_empty(), "{:?}", gate.sandbox.journal(None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wecom_call_for_another_account_says_which_kind_of_app_it_takes() {
    let gate = Gate::start().await.warm().await;
    for path in ["/cgi-bin/gettoken?corpid=ww1&corpsecret=x", "/cgi-bin/message/send?access_token=mine"] {
        for answer in [gate.get(path).await, gate.post(path, "{}").await] {
            assert_eq!(answer.refusal(), (404, "endpoint_forbidden", -70404), "{}", answer.text());
            assert!(answer.json()["errmsg"].as_str().is_some_and(|text| text.contains("kind = \"wecom\"")));
        }
    }
    assert!(gate.sandbox.journal(None).is_empty(), "{:?}", gate.sandbox.journal(None));
}

/// The causes that the log names for what never became a request.
async fn causes(gate: &Gate) -> Vec<String> {
    let refused = || {
        let lines = gate.log.lines();
        let refused = lines.into_iter().filter(|line| line["method"] == "-");
        refused.filter_map(|line| line["cause"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    until(|| "a line", async || !refused().is_empty()).await;
    refused()
}

#[tokio::test(flavor = "multi_thread")]
async fn https_spoken_to_the_plain_port_is_named_in_the_log() {
    let gate = Gate::start().await.warm().await;
    let url = format!("https://{}/cgi-bin/user/info", gate.authority());
    assert!(gate.client.get(&url).send().await.is_err());
    let causes = causes(&gate).await;
    assert!(
        causes.iter().all(|cause| cause.starts_with("TLS on a port for plain HTTP: use http://")),
        "{causes:?}"
    );
    // The port goes on, and so do those of the admin address.
    assert_eq!(gate.get("/cgi-bin/user/info?openid=o").await.errcode(), 0);
    assert!(gate.client.get(gate.admin_url("/").replace("http:", "https:")).send().await.is_err());
    assert_eq!(Answer::of(gate.client.get(gate.admin_url("/healthz"))).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_no_url_may_have_are_named_as_such() {
    let gate = Gate::start().await.warm().await;
    for bytes in [&b"\""[..], b"<", b">", b"{\"a\":1}", b"\xd5\xc5\xc8\xfd", b"\xff"] {
        for length in [0, 400] {
            let padding = "x".repeat(length);
            let head = format!("GET /cgi-bin/user/info?p={padding}&openid=");
            let request = [head.as_bytes(), bytes, b" HTTP/1.1\r\nHost: localhost\r\n\r\n"].concat();
            let answer = send(&gate, request).await.expect("an answer");
            answer.assert_refused(400, "bad_request", "percent-encode the path and query");
        }
    }
    // The same bytes after a good request.
    let mut caller = Caller::of(&gate).await;
    caller.send("GET /cgi-bin/user/info?openid=a HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!(caller.answer().await.expect("an answer").status, 200);
    caller.send("GET /cgi-bin/user/info?openid=<b> HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    caller.answer().await.expect("an answer").assert_refused(
        400,
        "bad_request",
        "percent-encode the path and query",
    );
    // Raw UTF-8 goes on.
    let request = "GET /cgi-bin/user/info?openid=\u{5f20}\u{4e09} HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_eq!(send(&gate, request).await.expect("an answer").status, 200);
    let journal = gate.journal("/cgi-bin/user/info");
    assert_eq!(journal.len(), 2, "{journal:?}");
}
