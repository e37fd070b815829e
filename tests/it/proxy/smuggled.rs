//! What a caller may try to get past wxgate, byte by byte: what reaches WeChat of it, or that
//! nothing does.

use super::bad_input::wire::send;
use super::canned::Canned;
use crate::harness::{APPID, Gate, OTHER_APPID, SHOP, SHOP_AND_GAME, Setup, caller};

const KEY: &str = "canary-key-of-orders-6a10";

async fn with_callers() -> Gate {
    let apps = format!("{SHOP}{}", caller("orders", &[KEY], &["shop"], ""));
    Gate::with(Setup { apps, ..Setup::default() }).await.settled().await
}

#[tokio::test(flavor = "multi_thread")]
async fn wechat_gets_the_one_token_and_nothing_that_concerns_wxgate() {
    let setup =
        Setup { apps: format!("{SHOP}{}", caller("orders", &[KEY], &["shop"], "")), ..Setup::default() };
    let (wechat, gate) = Canned::gate(setup).await;
    wechat.answer_with("Content-Type: application/json\r\n", "{\"errcode\":0}");
    let lines = [
        "GET /@shop//cgi-bin/user/info?a=1;Access.Token=X&openid=%6F&amp;access_token=Y?lang=zh_CN&ACCESS_TOKEN[]=Z&&b HTTP/1.1",
        "Host: localhost",
        &format!("X-Wxgate-Key: {KEY}"),
        &format!("X_Wxgate_Key: {KEY}"),
        &format!("X-Request-Id: {KEY}"),
        "X-Original-URL: /cgi-bin/clear_quota",
        "X-Rewrite-URL: /cgi-bin/clear_quota",
        "X-HTTP-Method-Override: POST",
        "Content_Length: 100",
        "Transfer_Encoding: chunked",
        "X-Stays: 1",
        "X-Hop: 1",
        "Connection: close, x-hop",
    ];
    let answer = send(&gate, format!("{}\r\n\r\n", lines.join("\r\n"))).await.expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_ne!(answer.header("x-request-id"), Some(KEY));
    let head = wechat.heads().pop().expect("a call");
    let (first, rest) = head.split_once("\r\n").expect("a line");
    assert_eq!(first, "GET /cgi-bin/user/info?access_token=canned-token&openid=%6F&lang=zh_CN&&b HTTP/1.1");
    let rest = rest.to_ascii_lowercase();
    let rest: Vec<_> = rest.trim_end().split("\r\n").filter(|line| !line.starts_with("host: ")).collect();
    assert_eq!(rest, ["x-stays: 1"]);
    let log = gate.log.clone();
    gate.end().await;
    assert!(!log.text().contains(KEY), "{}", log.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_method_reaches_wechat() {
    let gate = Gate::start().await.settled().await;
    for method in [
        "get", "Post", "TRACE", "TRACK", "DEBUG", "PURGE", "CONNECT", "PROPFIND", "LINK", "GETS", "BREW",
        "PRI", "*",
    ] {
        for path in ["/cgi-bin/user/get", "/cgi-bin/token?appid=wx0000000000000001", "/wxgate/token"] {
            let request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
            let answer = send(&gate, request).await.expect("an answer");
            assert_eq!(answer.header("x-wxgate-error"), Some("bad_request"), "{method}: {answer:?}");
            assert_eq!(answer.status, 400, "{method}: {answer:?}");
        }
    }
    assert!(gate.sandbox.journal(None).is_empty());
    for method in ["GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let request =
            format!("{method} /wxa/anything HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        assert_eq!(send(&gate, request).await.expect("an answer").status, 200, "{method}");
        assert_eq!(gate.only("/wxa/anything").method, method);
        gate.sandbox.reset();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_spelling_of_a_closed_path_reaches_wechat() {
    let gate = with_callers().await;
    let key = [("x-wxgate-key", KEY)];
    for path in ["/cgi-bin/clear_quota", "/cgi-bin/openapi/rid/get", "/cgi-bin/component/api_query_auth"] {
        for tail in [
            "", ".", ",", "+", "$", "'", ":", "!", "|", "~", ".json", "-1", "@", "=", "&x", "/", "//", "/x",
            "/.", "/..", ";x", "%20", "%00", "%2e", "\\", "?a=1",
        ] {
            for path in [format!("{path}{tail}"), format!("/@shop{}{tail}", path.to_ascii_uppercase())] {
                let request = format!(
                    "POST {path} HTTP/1.1\r\nHost: localhost\r\nX-Wxgate-Key: {KEY}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                );
                let answer = send(&gate, request).await.expect("an answer");
                let code = answer.header("x-wxgate-error");
                assert!(matches!(code, Some("endpoint_forbidden" | "bad_request")), "{path}: {answer:?}");
            }
        }
    }
    for path in [
        "/wxgate",
        "/wxgate/",
        "/wxgate/unknown",
        "//WXGATE/x",
        "/@shop/wxgate/clear_quota",
        "/wxgate/token/",
    ] {
        let answer = gate.get_with(path, &key).await;
        assert_eq!(answer.refusal(), (404, "endpoint_forbidden", -70404), "{path}: {}", answer.text());
    }
    assert!(gate.sandbox.journal(None).is_empty(), "{:?}", gate.sandbox.journal(None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_in_the_path_stays_here_and_out_of_the_log() {
    let gate = with_callers().await;
    let token = gate.token(APPID);
    for path in [
        format!("/cgi-bin/user/info&access_token={token}"),
        format!("/cgi-bin/user/info&openid=O&Access-Token={token}"),
        format!("/cgi-bin/user/infoaccess_token={token}"),
        format!("/sns/jscode2session&appid={APPID}&secret={KEY}"),
        format!("/@shop/sns/userinfo/secret={KEY}"),
    ] {
        let answer = gate.get_with(&path, &[("x-wxgate-key", KEY)]).await;
        assert_eq!(answer.refusal(), (400, "bad_request", -70400), "{path}: {}", answer.text());
        assert!(answer.text().contains("put a `?` before the query"), "{}", answer.text());
        assert!(!answer.text().contains(&token) && !answer.text().contains(KEY), "{}", answer.text());
    }
    for path in [format!("/@{KEY}/cgi-bin/user/get"), format!("/cgi-bin/user/get?{KEY}=1")] {
        gate.get_with(&path, &[("x-wxgate-key", KEY)]).await;
    }
    let log = gate.log.clone();
    let lines = gate.end().await;
    assert_eq!(lines.len(), 7);
    assert!(!log.text().contains(&token) && !log.text().contains(KEY), "{}", log.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_or_placeholder_as_a_request_id_is_not_taken_over() {
    let gate = with_callers().await;
    let placeholder = gate.get(&format!("/cgi-bin/token?appid={APPID}&secret={KEY}")).await.json();
    let placeholder = &placeholder["access_token"].as_str().expect("a placeholder")[..64];
    for (key, id) in [(KEY, KEY), ("wrong", KEY), ("", KEY), (KEY, placeholder), ("", placeholder)] {
        let headers = [("x-wxgate-key", key), ("x-request-id", id)];
        let answer = gate.get_with("/cgi-bin/user/get", &headers[usize::from(key.is_empty())..]).await;
        let given = answer.header("x-request-id").expect("an id");
        assert!(given.len() == 16 && given != id, "{key} {id}: {given}");
    }
    let headers = [("x-wxgate-key", KEY), ("x-request-id", "1b4e28ba-2fa1-11d2-883f-0016d3cca427")];
    let answer = gate.get_with("/cgi-bin/user/get", &headers).await;
    assert_eq!(answer.header("x-request-id"), Some(headers[1].1));
    let log = gate.log.clone();
    gate.end().await;
    assert!(!log.text().contains(KEY) && !log.text().contains(placeholder), "{}", log.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_placeholder_behind_another_token_does_not_fall_through_to_another_app() {
    let apps = SHOP_AND_GAME.replacen("[[app]]", "[[app]]\ndefault = true", 1);
    let gate = Gate::with(Setup { apps, ..Setup::default() }).await.settled().await;
    let games = gate.get(&format!("/cgi-bin/token?appid={OTHER_APPID}&secret=any")).await.json();
    let games = games["access_token"].as_str().expect("a placeholder");
    for query in [
        format!("access_token=X;access_token={games}"),
        format!("access_token=X&Access_Token={games}"),
        format!("a=1;access.token={games}"),
        format!("amp;access_token={games}"),
        format!("access_token%00={games}"),
    ] {
        let answer = gate.get(&format!("/cgi-bin/user/get?{query}")).await;
        assert_eq!(answer.refusal(), (400, "bad_request", -70400), "{query}: {}", answer.text());
    }
    assert!(gate.sandbox.journal(None).is_empty());
}
