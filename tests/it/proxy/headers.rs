//! Which headers go on, either way, and how bodies are delimited.

use wxgate::sandbox::{Entry, Framing};

use super::canned::Canned;
use crate::harness::{Answer, Gate, Setup, sha256};

const PATH: &str = "/wxa/anything";

/// Sends a request with these header lines and gives what WeChat saw of it.
async fn seen(gate: &Gate, method: &str, lines: &[&str], body: &str) -> Entry {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    let head =
        format!("{method} {PATH} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{lines}\r\n{body}");
    let answer = gate.raw(head).await;
    assert_eq!(answer.status, 200, "{lines}: {}", answer.text());
    let entry = gate.only(PATH);
    gate.sandbox.reset();
    assert!(entry.complete);
    entry
}

fn pairs(entry: &Entry) -> Vec<(&str, &str)> {
    entry.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_concerns_the_caller_alone_is_never_sent_on() {
    let gate = Gate::start().await.settled().await;
    let upstream = gate.sandbox.url().replace("http://", "");
    for line in [
        "Authorization: Bearer x",
        "AUTHORIZATION: Digest y",
        "Cookie: a=b",
        "X-Wxgate-Key: k",
        "X-Wxgate-App: shop",
        "X-Wxgate-Explain: 1",
        "X-Wxgate-Whatever: 1",
        "X-Request-Id: abc",
        "X-Forwarded-For: 10.0.0.1",
        "X-Forwarded-Host: internal.example",
        "X-Forwarded-Proto: http",
        "X-Forwarded-Anything: http",
        "X-Real-IP: 10.0.0.1",
        "Forwarded: for=10.0.0.1",
        "Via: 1.1 proxy",
        "Referer: http://localhost/",
        "traceparent: 00-x",
        "tracestate: a=b",
        "Baggage: a=b",
        "X-Original-URL: /cgi-bin/clear_quota",
        "X-Rewrite-URL: /cgi-bin/clear_quota",
        "X-HTTP-Method: DELETE",
        "X-HTTP-Method-Override: DELETE",
        "x-http-methods: DELETE",
        "X_Wxgate_Key: k",
        "X_Forwarded_For: 10.0.0.1",
        "X-Forwarded_Host: internal.example",
        "X_Request_Id: abc",
        "X_Original_URL: /cgi-bin/clear_quota",
        "X_HTTP_Method_Override: DELETE",
        "Content_Length: 7",
        "Transfer_Encoding: chunked",
        "Accept_Encoding: br",
        "Proxy_Authorization: Basic x",
        "Keep-Alive: timeout=5",
        "Proxy-Connection: keep-alive",
        "Proxy-Authorization: Basic x",
        "Proxy-Authenticate: Basic",
        "TE: trailers",
        "Trailer: X-Sum",
        "Upgrade: websocket",
        "Accept-Encoding: br",
        "Sec-Fetch-Mode: cors",
    ] {
        let entry = seen(&gate, "GET", &[line, "X-Stays: 1"], "").await;
        let kept = line.starts_with("Sec-Fetch").then_some(("sec-fetch-mode", "cors"));
        let expected: Vec<_> =
            [("host", upstream.as_str())].into_iter().chain(kept).chain([("x-stays", "1")]).collect();
        assert_eq!(pairs(&entry), expected, "{line}");
    }
    // An Origin needs a listener that isn't anonymous.
    let callers = crate::harness::caller("web", &["the-key-of-web"], &["shop"], "");
    gate.reload("", &format!("{}{callers}", crate::harness::SHOP)).await;
    let entry = seen(&gate, "GET", &["Origin: http://x.example", "X-Wxgate-Key: the-key-of-web"], "").await;
    assert_eq!(pairs(&entry), [("host", upstream.as_str())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_other_headers_go_on_as_they_are() {
    let gate = Gate::start().await.settled().await;
    let upstream = gate.sandbox.url().replace("http://", "");
    let lines = [
        "User-Agent: SDK/1.0 (Linux; 中文)",
        "X-Many: 1",
        "Content-Type: multipart/form-data; boundary=\"x y\"",
        "wechatmp-signature: a+b/c==",
        "x-many: 2,3",
        "Accept: */*",
        "X-Empty:",
        "X-MANY: 4",
        "X-Spaced:   a  b  ",
        "If-None-Match: \"x\"",
        "Range: bytes=0-1",
    ];
    let entry = seen(&gate, "GET", &lines, "").await;
    let expected = [
        ("host", upstream.as_str()),
        ("user-agent", "SDK/1.0 (Linux; 中文)"),
        ("x-many", "1"),
        ("x-many", "2,3"),
        ("x-many", "4"),
        ("content-type", "multipart/form-data; boundary=\"x y\""),
        ("wechatmp-signature", "a+b/c=="),
        ("accept", "*/*"),
        ("x-empty", ""),
        ("x-spaced", "a  b"),
        ("if-none-match", "\"x\""),
        ("range", "bytes=0-1"),
    ];
    assert_eq!(pairs(&entry), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_connection_names_end_here() {
    let gate = Gate::start().await.settled().await;
    let upstream = gate.sandbox.url().replace("http://", "");
    let lines = ["Connection: X-Hop, x-other", "X-Hop: 1", "X-Other: 2", "x-hop: 3", "X-Stays: 4"];
    let entry = seen(&gate, "GET", &lines, "").await;
    assert_eq!(pairs(&entry), [("host", upstream.as_str()), ("x-stays", "4")]);
    // Framing and Host are ours to write, whatever Connection says of them.
    let lines = ["Connection: content-length, host", "Content-Length: 2"];
    let entry = seen(&gate, "POST", &lines, "{}").await;
    assert_eq!(pairs(&entry), [("host", upstream.as_str()), ("content-length", "2")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_byte_in_connection_voids_its_own_token_alone() {
    let gate = Gate::start().await.settled().await;
    let upstream = gate.sandbox.url().replace("http://", "");
    for value in [&b"X-Hop, \xff"[..], b"\xffx, X-Hop", b"X-Hop\r\nConnection: \xe4\xbd"] {
        let request = [
            b"GET ".as_slice(),
            PATH.as_bytes(),
            b" HTTP/1.1\r\nHost: localhost\r\nConnection: ",
            value,
            b"\r\nX-Hop: 1\r\nX-Stays: 4\r\nConnection: close\r\n\r\n",
        ];
        assert_eq!(gate.raw(request.concat()).await.status, 200);
        assert_eq!(pairs(&gate.only(PATH)), [("host", upstream.as_str()), ("x-stays", "4")], "{value:?}");
        gate.sandbox.reset();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gzip_is_asked_for_only_where_the_caller_takes_it() {
    let gate = Gate::start().await.settled().await;
    for (lines, expected) in [
        (&["Accept-Encoding: gzip, deflate, br, zstd"][..], Some("gzip")),
        (&["Accept-Encoding: br", "Accept-Encoding: gzip;q=0.5"], Some("gzip")),
        (&["Accept-Encoding: *"], Some("gzip")),
        (&["Accept-Encoding: gzip;q=0, *"], None),
        (&["Accept-Encoding: identity"], None),
        (&["Accept-Encoding: br, deflate"], None),
        (&["Accept-Encoding:"], None),
        (&[], None),
    ] {
        let entry = seen(&gate, "GET", lines, "").await;
        assert_eq!(entry.header("accept-encoding"), expected, "{lines:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_have_a_length_and_are_never_chunked() {
    let gate = Gate::start().await.settled().await;
    let chunked = "Transfer-Encoding: chunked";
    for (method, lines, body, expected) in [
        ("GET", &[][..], "", None),
        ("HEAD", &[], "", None),
        ("DELETE", &[], "", None),
        ("POST", &[], "", Some(("0", ""))),
        ("POST", &["Content-Length: 0"], "", Some(("0", ""))),
        ("PUT", &[], "", Some(("0", ""))),
        ("GET", &["Content-Length: 2"], "{}", Some(("2", "{}"))),
        ("POST", &["Content-Length: 7"], "\u{0}\u{1}\r\n\r\n\n", Some(("7", "\u{0}\u{1}\r\n\r\n\n"))),
        ("POST", &["Content-Length: 12"], "中文\\u4e2d", Some(("12", "中文\\u4e2d"))),
        ("PATCH", &["Content-Length: 1"], "x", Some(("1", "x"))),
        ("POST", &[chunked], "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n", Some(("7", "abcdefg"))),
        ("POST", &[chunked, "Trailer: X-Sum"], "1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n", Some(("1", "a"))),
        ("POST", &[chunked], "0\r\n\r\n", Some(("0", ""))),
    ] {
        let entry = seen(&gate, method, lines, body).await;
        let what = format!("{method} {lines:?} {body:?}");
        assert_eq!(entry.method, method);
        assert_eq!(entry.header("transfer-encoding"), None, "{what}");
        assert_eq!(entry.header("content-length"), expected.map(|(length, _)| length), "{what}");
        let framing = if expected.is_some() { Framing::Length } else { Framing::None };
        assert_eq!(entry.framing, framing, "{what}");
        let expected = expected.map_or("", |(_, body)| body);
        assert_eq!(entry.body_sha256, Some(sha256(expected.as_bytes())), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_keeps_all_but_the_hop_by_hop_headers() {
    let (wechat, gate) = Canned::gate(Setup::default()).await;
    let body = "{\"errcode\":0}";
    for content_type in [
        "application/json; encoding=utf-8",
        "text/plain",
        "image/jpeg;x=\"y, z\"",
        "",
        "APPLICATION/json ;charset=UTF-8",
    ] {
        let headers = format!(
            "RetKey: 14\r\nLogicRet: 0\r\nContent-Type: {content_type}\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\
             Keep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nUpgrade: h2c\r\nTrailer: X\r\n\
             Set-Cookie: a\r\nSet-Cookie: b\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nX-Request-Id: wechats\r\n"
        );
        wechat.answer_with(&headers, body);
        let answer = gate.get_with(PATH, &[("x-request-id", "mine")]).await;
        let mut names: Vec<_> = answer.headers.keys().map(|name| name.as_str()).collect();
        names.sort_unstable();
        let expected =
            ["content-length", "content-type", "date", "logicret", "retkey", "set-cookie", "x-request-id"];
        assert_eq!(names, expected);
        assert_eq!(answer.headers.get_all("set-cookie").iter().count(), 2);
        assert_eq!(answer.header("content-type"), Some(content_type));
        assert_eq!(answer.header("date"), Some("Mon, 01 Jan 2024 00:00:00 GMT"));
        assert_eq!(answer.header("x-request-id"), Some("mine"));
        assert_eq!(answer.text(), body);
    }
    wechat.answer_with("", body);
    assert_eq!(gate.get_with(PATH, &[]).await.header("content-type"), None, "none is made up");
    for status in [204, 301, 404, 412, 500, 503] {
        wechat.answer(format!(
            "HTTP/1.1 {status} X\r\nContent-Length: 0\r\nLocation: /x\r\nConnection: close\r\n\r\n"
        ));
        let raw =
            gate.raw(format!("GET {PATH} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).await;
        assert_eq!((raw.status, raw.header("location")), (status, Some("/x")));
        assert_eq!(raw.header("x-wxgate-error"), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_a_length_arrives_whole() {
    let (wechat, gate) = Canned::gate(Setup::default()).await;
    wechat.answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\nX: 1\r\n\r\n");
    assert_eq!(gate.get(PATH).await.text(), "{\"a\":1}");
    wechat.answer("HTTP/1.1 200 OK\r\n\r\n{\"until\":\"the end\"}");
    assert_eq!(gate.get(PATH).await.text(), "{\"until\":\"the end\"}");
    wechat.answer("HTTP/1.0 200 OK\r\n\r\nGIF89a until the end");
    assert_eq!(gate.get(PATH).await.text(), "GIF89a until the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn wechats_wish_to_close_is_not_the_callers_connections_concern() {
    let gate = Gate::start().await.settled().await;
    gate.sandbox.fault(wxgate::sandbox::Fault::new(wxgate::sandbox::Action::Close));
    let request = format!("GET {PATH} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let last = format!("GET {PATH} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let answer = gate.raw(format!("{request}{request}{last}")).await;
    assert_eq!(answer.text().matches("HTTP/1.1 200 OK").count(), 2, "{}", answer.text());
    assert_eq!(gate.journal(PATH).len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_a_request_id_the_callers_own_if_it_is_sane() {
    let gate = Gate::start().await.settled().await;
    let long = "x".repeat(65);
    let longest = "y".repeat(64);
    for path in [PATH, "/cgi-bin/gettoken", "/cgi-bin//x", "/cgi-bin/token?appid=wx0000000000000001"] {
        for own in ["a", "018f-7.B_c:9", &longest] {
            assert_eq!(gate.get_with(path, &[("x-request-id", own)]).await.header("x-request-id"), Some(own));
        }
        let mut made = Vec::new();
        for own in ["", "a b", "a/b", "{\"a\":1}", "ü", &long] {
            let answer = gate.get_with(path, &[("x-request-id", own)]).await;
            made.push(answer.header("x-request-id").expect("an id").to_owned());
        }
        made.push(gate.get_with(path, &[]).await.header("x-request-id").expect("an id").to_owned());
        assert!(
            made.iter().all(|id| id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit())),
            "{made:?}"
        );
        made.sort_unstable();
        made.dedup();
        assert_eq!(made.len(), 7);
    }
    let lines = gate.end().await;
    assert_eq!(lines.iter().filter(|line| line["request_id"] == longest.as_str()).count(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_explains_itself_only_if_it_is_asked() {
    let gate = Gate::start().await.settled().await;
    let explained = |answer: &Answer| -> Vec<(String, String)> {
        let ours = answer.headers.iter().filter(|(name, _)| name.as_str().starts_with("x-wxgate-"));
        ours.map(|(name, value)| (name.to_string(), value.to_str().expect("text").to_owned())).collect()
    };
    for asked in
        [&[][..], &[("x-wxgate-explain", "0")], &[("x-wxgate-explain", "true")], &[("x-wxgate-explain", "")]]
    {
        assert_eq!(explained(&gate.get_with("/cgi-bin/user/get", asked).await), []);
    }
    let asked = [("x-wxgate-explain", "1")];
    let answer = gate.get_with("/CGI-BIN/user/get?a=1", &asked).await;
    let mut ours = explained(&answer);
    let (name, taken) = ours.pop().expect("five headers");
    assert_eq!(name, "x-wxgate-upstream-ms");
    assert!(taken.parse::<f64>().is_ok_and(|taken| taken > 0.0), "{taken}");
    let expected =
        [("app", "shop"), ("endpoint", "/cgi-bin/user/get"), ("token-generation", "1"), ("replays", "0")];
    assert_eq!(ours, expected.map(|(name, value)| (format!("x-wxgate-{name}"), value.to_owned())));
    let unknown = gate.get_with("/wxa/no/such/path", &asked).await;
    assert_eq!(unknown.header("x-wxgate-endpoint"), Some("other"));
    let refused = gate.get_with("/@nobody/x", &asked).await;
    assert_eq!(
        (refused.header("x-wxgate-error"), refused.header("x-wxgate-replays")),
        (Some("app_unknown"), Some("0"))
    );
    assert_eq!(refused.header("x-wxgate-app"), None);
}
