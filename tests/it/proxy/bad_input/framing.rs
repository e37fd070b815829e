//! Requests that can't be read, or could be read two ways.

use super::wire::{Caller, assert_sound, send};
use crate::harness::{Gate, Setup};

const GET: &str = "GET /cgi-bin/user/get HTTP/1.1\r\nHost: localhost\r\n";
const POST: &str = "POST /wxa/anything HTTP/1.1\r\nHost: localhost\r\n";

/// Sends each of `rows`, a text and what the answer must mention, on a connection of its own.
async fn assert_all_refused(rows: Vec<(String, &str)>) {
    let gate = Gate::start().await.warm().await;
    for (bytes, remedy) in rows {
        let mut caller = Caller::of(&gate).await;
        caller.send(&bytes).await;
        let shown: String = bytes.chars().take(200).collect();
        let answer = caller.answer().await.unwrap_or_else(|| panic!("no answer to {shown:?}"));
        answer.assert_refused(400, "bad_request", remedy);
        // A head that is only wrong leaves the connection open.
        if answer.header("connection") == Some("close") {
            assert!(caller.closed().await.is_empty(), "more than one answer to {shown:?}");
        }
    }
    assert!(gate.sandbox.journal(None).is_empty(), "{:?}", gate.sandbox.journal(None));
    assert_sound(&gate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_http_request_is_answered_400() {
    let no_http = "not an HTTP/1.1 request";
    assert_all_refused(vec![
        ("GARBAGE\r\n\r\n".into(), no_http),
        ("\0\0\0\0\r\n\r\n".into(), no_http),
        ("GET\r\n\r\n".into(), no_http),
        ("GET /cgi-bin/user/get\r\n\r\n".into(), no_http),
        ("GET /cgi-bin/user/get HTTP/9.9\r\nHost: a\r\n\r\n".into(), no_http),
        ("G@T /cgi-bin/user/get HTTP/1.1\r\nHost: a\r\n\r\n".into(), no_http),
        ("GET /cgi-bin/user get HTTP/1.1\r\nHost: a\r\n\r\n".into(), no_http),
        (format!("{GET}X-Folded: a\r\n b\r\n\r\n"), no_http),
        (format!("{GET}X-Space : a\r\n\r\n"), no_http),
        (format!("{GET}no colon\r\n\r\n"), no_http),
        (format!("{GET}X-Nul: a\0b\r\n\r\n"), no_http),
        // A TLS client hello, and HTTP/2 without an agreement on it.
        (
            "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{7c}\u{3}\u{3}\r\n\r\n".into(),
            "TLS on a port for plain HTTP",
        ),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0".into(), no_http),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_can_be_framed_two_ways_is_refused() {
    let one = "send one Content-Length";
    assert_all_refused(vec![
        (format!("{POST}Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd"), one),
        (format!("{POST}Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd"), one),
        (format!("{POST}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), one),
        (format!("{POST}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"), one),
        (format!("{POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), one),
        (format!("{POST}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), one),
        (format!("{POST}Transfer-Encoding: identity\r\n\r\nabcd"), ""),
        (format!("{POST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"), ""),
        (format!("{POST}Content-Length: +4\r\n\r\nabcd"), ""),
        (format!("{POST}Content-Length: 4, 4\r\n\r\nabcd"), ""),
        (format!("{POST}Content-Length: -1\r\n\r\nabcd"), ""),
        (format!("{POST}Content-Length:{}4\r\n\r\nabcd", " ".repeat(300)), ""),
        ("POST /wxa/anything HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".into(), ""),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_or_host_that_servers_read_differently_is_refused() {
    let path = "such as /cgi-bin/user/info";
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_all_refused(vec![
        ("GET /cgi-bin/user/get HTTP/1.1\r\n\r\n".into(), "the Host header is missing"),
        (format!("{GET}Host: localhost\r\n\r\n"), "the Host header is given twice"),
        (get("http://example.com/cgi-bin/user/get"), "as an HTTP proxy"),
        (
            "CONNECT api.weixin.qq.com:443 HTTP/1.1\r\nHost: api.weixin.qq.com:443\r\n\r\n".into(),
            "wxgate is not a tunnel",
        ),
        ("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n".into(), path),
        (get("/cgi-bin/../cgi-bin/clear_quota"), "`..`"),
        (get("/cgi-bin/./clear_quota"), "`.`"),
        (get("/cgi-bin/%2e%2e/clear_quota"), "`%`"),
        (get("/cgi-bin/clear%5Fquota"), "`%`"),
        (get("//cgi-bin//clear_quota"), "`//`"),
        (get("///cgi-bin/clear_quota"), "`//`"),
        (get("/cgi-bin//clear_quota"), "`//`"),
        (get("/@shop//cgi-bin//clear_quota"), "`//`"),
        (get("/cgi-bin\\clear_quota"), "`\\`"),
        (get("/cgi-bin/clear_quota;a=b"), "`;`"),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_too_long_is_told_its_limit() {
    let default = Gate::start().await.warm().await;
    let query = |bytes: usize| {
        format!("GET /cgi-bin/user/get?x={} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(bytes))
    };
    let many: String = (0..150).map(|number| format!("X-{number}: a\r\n")).collect();
    let unended = format!("{GET}X-Long: {}", "x".repeat(32 * 1024));
    for (bytes, remedy) in [
        (query(32 * 1024), "32768 bytes (server.max_head)"),
        (query(200 * 1024), "32768 bytes (server.max_head)"),
        (unended, "32768 bytes (server.max_head)"),
        ("\r\n".repeat(16 * 1024), "32768 bytes (server.max_head)"),
        (format!("{GET}{many}\r\n"), "100 header fields"),
    ] {
        let mut caller = Caller::of(&default).await;
        caller.send(bytes).await;
        caller.answer().await.expect("an answer").assert_refused(431, "head_too_large", remedy);
        assert!(caller.closed().await.is_empty());
    }
    assert!(default.sandbox.journal(None).is_empty());
    // To the byte, behind another request too.
    let spare = 32 * 1024 - query(0).len();
    let mut caller = Caller::of(&default).await;
    caller.send(format!("{}{}", query(spare), query(spare + 1))).await;
    assert_eq!(caller.answer().await.expect("an answer").status, 200);
    caller.answer().await.expect("an answer").assert_refused(431, "head_too_large", "server.max_head");
    assert_sound(&default).await;

    let long = Setup { server: "max_head = \"128KiB\"".into(), ..Setup::default() };
    let gate = Gate::with(long).await.warm().await;
    for bytes in [
        query(100 * 1024),
        // It fits as it came, but not with the token.
        query(65_480),
    ] {
        send(&gate, bytes).await.expect("an answer").assert_refused(400, "bad_request", "65,534 bytes");
    }
    assert!(gate.sandbox.journal(None).is_empty());
    let answer = send(&gate, query(60_000)).await.expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_sound(&gate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encoded_parameter_name_hides_no_token() {
    let gate = Gate::start().await.warm().await;
    for name in ["access%5Ftoken", "%61ccess_token", "access_toke%6E", "access_token"] {
        gate.sandbox.reset();
        let answer = gate.get(&format!("/cgi-bin/user/info?{name}=smuggled&openid=o1")).await;
        assert_eq!((answer.status, answer.errcode()), (200, 0), "{name}: {}", answer.text());
        let seen = gate.journal("/cgi-bin/user/info");
        assert!(!seen[0].query.contains("smuggled") && !seen[0].query.contains('%'), "{}", seen[0].query);
        assert_eq!(seen[0].query.matches("access_token=").count(), 1, "{}", seen[0].query);
    }
    assert_sound(&gate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_connection_header_changes_no_framing() {
    let gate = Gate::start().await.warm().await;
    for connection in ["content-length", "Content-Length, host", "transfer-encoding", "close, content-length"]
    {
        gate.sandbox.reset();
        let request = format!("{POST}Connection: {connection}\r\nContent-Length: 4\r\n\r\nabcd");
        let answer = send(&gate, request).await.expect("an answer");
        assert_eq!(answer.status, 200, "{connection}: {answer:?}");
        let seen = gate.journal("/wxa/anything");
        assert_eq!((seen[0].header("content-length"), seen[0].body_length), (Some("4"), 4), "{connection}");
        assert!(seen[0].header("host").is_some_and(|host| gate.sandbox.url().ends_with(host)));
    }
    assert_sound(&gate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trailers_end_at_the_proxy() {
    let gate = Gate::start().await.warm().await;
    let trailers = "Content-Length: 0\r\nX-Trailer: a\r\nTransfer-Encoding: chunked\r\n";
    let request = format!(
        "{POST}Transfer-Encoding: chunked\r\nTrailer: X-Trailer\r\n\r\n4;ext=\"a\"\r\nabcd\r\n0\r\n{trailers}\r\n"
    );
    let mut caller = Caller::of(&gate).await;
    for _ in 0..2 {
        caller.send(&request).await;
        assert_eq!(caller.answer().await.expect("an answer").status, 200);
    }
    for entry in gate.journal("/wxa/anything") {
        assert_eq!((entry.header("content-length"), entry.body_length), (Some("4"), 4));
        assert!(entry.header("x-trailer").is_none() && entry.header("trailer").is_none(), "{entry:?}");
    }
    assert_sound(&gate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_is_not_asked_of_wechat() {
    let gate = Gate::start().await.warm().await;
    for upgrade in [
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
    ] {
        gate.sandbox.reset();
        let answer = send(&gate, format!("{GET}{upgrade}\r\n")).await.expect("an answer");
        assert_eq!(answer.status, 200, "{answer:?}");
        let seen = gate.journal("/cgi-bin/user/get");
        for name in ["connection", "upgrade", "http2-settings"] {
            assert_eq!(seen[0].header(name), None);
        }
    }
    assert_sound(&gate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelined_requests_are_answered_in_order_up_to_the_first_bad_one() {
    let gate = Gate::start().await.warm().await;
    let info =
        |openid: &str| format!("GET /cgi-bin/user/info?openid={openid} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let body = "{\"a\":1}";
    let post = format!("{POST}Content-Length: {}\r\n\r\n{body}", body.len());
    for (bad, remedy) in [
        ("GARBAGE\r\n\r\n".to_owned(), "not an HTTP/1.1 request"),
        (format!("{POST}Content-Length: 1\r\nContent-Length: 1\r\n\r\nx"), "send one Content-Length"),
    ] {
        gate.sandbox.reset();
        let mut caller = Caller::of(&gate).await;
        caller.send(format!("{}{post}{}{bad}{}", info("one"), info("two"), info("never"))).await;
        assert_eq!(caller.answer().await.expect("an answer").json()["openid"], "one");
        assert_eq!(caller.answer().await.expect("an answer").status, 200);
        assert_eq!(caller.answer().await.expect("an answer").json()["openid"], "two");
        caller.answer().await.expect("an answer").assert_refused(400, "bad_request", remedy);
        assert!(caller.closed().await.is_empty());
        assert_eq!(gate.journal("*").len(), 3);
    }
    assert_sound(&gate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn http_1_0_is_served_without_host_and_closed() {
    let gate = Gate::with(Setup::default()).await.warm().await;
    let mut caller = Caller::of(&gate).await;
    caller.send("GET /cgi-bin/user/info?openid=old HTTP/1.0\r\n\r\n").await;
    let answer = caller.answer().await.expect("an answer");
    assert_eq!((answer.status, &answer.json()["openid"]), (200, &"old".into()), "{answer:?}");
    assert!(caller.closed().await.is_empty());
    assert_sound(&gate).await;
}
