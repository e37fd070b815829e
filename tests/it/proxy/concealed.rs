//! What was sent to WeChat as our credential doesn't come back to callers, however WeChat, or a
//! gateway before it, repeats it.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::{DeflateEncoder, GzEncoder};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::bad_input::wire::{Caller, Raw, Scripted, TOKEN, read_body, read_head, send};
use wxgate::sandbox::{Action, Fault};

use crate::harness::{ADMIN_TOKEN, APPID, Answer, Gate, SECRET, Setup};

const GET: &str = "GET /cgi-bin/user/get HTTP/1.1\r\nHost: localhost\r\n\r\n";
const LOGIN: &str = "GET /sns/jscode2session?js_code=C HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A WeChat that answers every request with these bytes.
async fn answering(bytes: impl Into<Vec<u8>>) -> (Scripted, Gate) {
    let bytes = bytes.into();
    let wechat = Scripted::start(move |_, head, mut stream| {
        let bytes = bytes.clone();
        async move {
            // The token is really there to be repeated.
            assert!(head.contains(TOKEN) || head.contains(SECRET), "{head}");
            read_body(&mut stream, &head).await;
            let _ = stream.write_all(&bytes).await;
            None
        }
    })
    .await;
    let gate = wechat.gate(Setup::default()).await;
    (wechat, gate)
}

async fn asked(request: &str, answer: impl Into<Vec<u8>>) -> Raw {
    let (wechat, gate) = answering(answer).await;
    let raw = send(&gate, request).await.expect("an answer");
    wechat.assert_over(&gate).await;
    let all = format!("{}{}", raw.head, raw.text());
    assert!(!all.contains(TOKEN) && !all.contains(SECRET), "{all}");
    raw
}

fn with_length(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn chunked(status: &str, headers: &str, pieces: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {status}\r\n{headers}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    for piece in pieces {
        bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        bytes.extend_from_slice(piece);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

fn gzip(plain: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain.as_ref()).expect("memory");
    encoder.finish().expect("memory")
}

fn stars(count: usize) -> String {
    "*".repeat(count)
}

/// `text` with other spellings of the token's bytes, as many as there are ways here.
fn spellings(text: &str) -> Vec<String> {
    let spelled = |spell: &dyn Fn(usize, u8) -> Option<String>| {
        let bytes = text.bytes().enumerate();
        bytes.map(|(at, byte)| spell(at, byte).unwrap_or_else(|| char::from(byte).to_string())).collect()
    };
    vec![
        text.to_owned(),
        spelled(&|_, byte| Some(format!("%{byte:02X}"))),
        spelled(&|_, byte| Some(format!("%{byte:02x}"))),
        spelled(&|at, byte| (at % 3 == 1).then(|| format!("%{byte:02x}"))),
        spelled(&|at, byte| (at == 0).then(|| format!("%{byte:02X}"))),
        spelled(&|at, byte| (at == text.len() - 1).then(|| format!("%25{byte:02X}"))),
        spelled(&|_, byte| Some(format!("%252525{byte:02X}"))),
        spelled(&|_, byte| Some(format!("\\u00{byte:02x}"))),
        spelled(&|at, byte| (at % 2 == 0).then(|| format!("\\u00{byte:02X}"))),
        spelled(&|_, byte| Some(format!("\\\\u00{byte:02X}"))),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_repeats_the_token_is_handed_on_with_stars_of_the_same_length() {
    for spelled in spellings(TOKEN) {
        let hidden = stars(spelled.len());
        for (status, headers) in [
            ("200 OK", ""),
            ("200 OK", "Content-Encoding: identity\r\n"),
            ("301 Moved", ""),
            ("400 Bad", ""),
            ("404 Not Found", "Content-Disposition: attachment\r\n"),
            ("502 Bad Gateway", "Content-Type: text/html\r\n"),
        ] {
            let body = |token: &str| format!("{{\"errcode\":40003,\"errmsg\":\"bad {token}, {token}\"}}");
            let raw = asked(GET, with_length(status, headers, body(&spelled).as_bytes())).await;
            assert_eq!((raw.text(), raw.whole), (body(&hidden), true), "{status} {spelled}");
            assert_eq!(raw.header("content-length"), Some(&*body(&spelled).len().to_string()));
            assert!(raw.head.contains(&status[..3]), "{}", raw.head);
        }
    }
    // Of a token with such bytes they may be escaped.
    let page = format!("<a href=\"https://x/?access_token={TOKEN}&amp;b\">moved</a>");
    let raw = asked(GET, with_length("301 Moved", "", page.as_bytes())).await;
    assert_eq!(raw.text(), page.replace(TOKEN, &stars(TOKEN.len())));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_repeats_the_secret_of_a_login_is_handed_on_without_it() {
    for status in ["200 OK", "500 Oops"] {
        let body = format!("{{\"errcode\":40125,\"errmsg\":\"bad {SECRET}\"}}");
        let headers = format!("X-Original-Url: /sns/jscode2session?secret={SECRET}&js_code=C\r\n");
        let raw = asked(LOGIN, with_length(status, &headers, body.as_bytes())).await;
        assert_eq!(raw.text(), body.replace(SECRET, &stars(SECRET.len())));
        let hidden = format!("/sns/jscode2session?secret={}&js_code=C", stars(SECRET.len()));
        assert_eq!(raw.header("x-original-url"), Some(&*hidden));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_of_every_answer_lose_the_token() {
    for (status, body) in
        [("200 OK", "{\"errcode\":0}"), ("200 OK", "<html>"), ("206 Part", "x"), ("502 Oops", "")]
    {
        for spelled in spellings(TOKEN) {
            let headers = format!(
                "X-Original-Url: /cgi-bin/user/get?access_token={spelled}\r\nSet-Cookie: a={spelled}\r\nSet-Cookie: b=c\r\n\
                 Date: {spelled}\r\nX-Short: a\r\n"
            );
            let raw = asked(GET, with_length(status, &headers, body.as_bytes())).await;
            let hidden = stars(spelled.len());
            assert_eq!(
                raw.header("x-original-url"),
                Some(&*format!("/cgi-bin/user/get?access_token={hidden}"))
            );
            assert!(
                raw.head.contains(&format!("set-cookie: a={hidden}\r\nset-cookie: b=c\r\n")),
                "{}",
                raw.head
            );
            assert_eq!((raw.header("x-short"), raw.text().as_str()), (Some("a"), body));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_location_loses_the_parameter_wherever_it_stands() {
    for (sent, handed_on) in [
        ("https://x/?access_token=TK", "https://x/"),
        ("https://x/?a=1&access_token=TK&b=2", "https://x/?a=1&b=2"),
        ("https://evil/#access_token=TK", "https://evil/"),
        ("https://evil/?b=1#a=2&access_token=TK", "https://evil/?b=1#a=2"),
        ("https://evil/?ACCESS_TOKEN=TK", "https://evil/"),
        ("/x?redirect=https%3A//a/%3Faccess_token%3DTK", "/x?redirect=https%3A//a/"),
        ("/x?redirect=https%3A//a/%3fb%3D1%26access_token%3dTK&c=3", "/x?redirect=https%3A//a/%3fb%3D1&c=3"),
        ("/x?t=TK", "/x"),
        ("/x?t=aTKb&c=3", "/x?c=3"),
        ("/TK", "/STARS"),
        ("/TK?access_token=TK", "/STARS"),
    ] {
        for spelled in &spellings(TOKEN)[..4] {
            for status in ["302 Found", "201 Created"] {
                let location = sent.replace("TK", spelled);
                let headers = format!("Location: {location}\r\n");
                let raw = asked(GET, with_length(status, &headers, b"")).await;
                let expected = handed_on.replace("STARS", &stars(spelled.len()));
                assert_eq!(raw.header("location"), Some(&*expected), "{status} {location}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_split_over_pieces_is_overwritten_as_they_pass() {
    for spelled in spellings(TOKEN) {
        let body = format!("{{\"a\":\"{}\",\"errmsg\":\"x{spelled}y{spelled}\"}}", "z".repeat(4100));
        let hidden = body.replace(&spelled, &stars(spelled.len()));
        for status in ["200 OK", "502 Bad Gateway"] {
            for size in [1, 7, 30, 1000] {
                let pieces: Vec<&[u8]> = body.as_bytes().chunks(size).collect();
                let raw = asked(GET, chunked(status, "", &pieces)).await;
                assert_eq!((raw.text(), raw.whole), (hidden.clone(), true), "{status} {size} {spelled}");
            }
        }
        let raw = asked(GET, with_length("502 Bad Gateway", "", body.as_bytes())).await;
        assert_eq!((raw.text(), raw.whole), (hidden, true), "{spelled}");
    }
    // What only begins like it stays, also at the very end.
    for end in [&TOKEN[..20], "%", "%6", "\\u00", "%25"] {
        let body = format!("{{\"errmsg\":\"{}x\"}}{end}", &TOKEN[..29]);
        for answer in [
            with_length("502 Bad Gateway", "", body.as_bytes()),
            chunked("502 Bad Gateway", "", &[body.as_bytes()]),
        ] {
            let raw = asked(GET, answer).await;
            assert_eq!((raw.text(), raw.whole), (body.clone(), true));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cant_hide_a_token_passes_before_the_next_piece_comes() {
    let (go_on, going_on) = tokio::sync::oneshot::channel::<()>();
    let going_on = std::sync::Arc::new(parking_lot::Mutex::new(Some(going_on)));
    let wechat = Scripted::start(move |_, head, mut stream| {
        let going_on = going_on.lock().take();
        async move {
            read_body(&mut stream, &head).await;
            let _ = stream.write_all(b"HTTP/1.1 500 Oops\r\nContent-Length: 11\r\n\r\nfirst ").await;
            going_on?.await.ok()?;
            let _ = stream.write_all(b"later").await;
            Some(stream)
        }
    })
    .await;
    let gate = wechat.gate(Setup::default()).await;
    let mut caller = Caller::of(&gate).await;
    caller.send(GET).await;
    read_head(&mut caller.0).await.expect("a head");
    let mut first = [0; 6];
    caller.0.read_exact(&mut first).await.expect("what came");
    assert_eq!(&first, b"first ");
    go_on.send(()).expect("an upstream");
    let mut rest = [0; 5];
    caller.0.read_exact(&mut rest).await.expect("the rest");
    assert_eq!(&rest, b"later");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coded_answer_is_unpacked_for_it_or_dropped() {
    let page = format!("<p>access_token={TOKEN} {}</p>", "z".repeat(100_000));
    let hidden = page.replace(TOKEN, &stars(TOKEN.len()));
    for status in ["502 Bad Gateway", "301 Moved"] {
        for coding in ["gzip", "GZIP", "x-gzip", "identity, gzip"] {
            let headers = format!("Content-Encoding: {coding}\r\n");
            // Also as several members.
            let packed = [gzip(&page[..20]), gzip(&page[20..])].concat();
            let pieces: Vec<&[u8]> = packed.chunks(1).collect();
            for answer in [with_length(status, &headers, &packed), chunked(status, &headers, &pieces)] {
                let raw = asked(GET, answer).await;
                assert_eq!(
                    (raw.text() == hidden, raw.whole),
                    (true, true),
                    "{status} {coding}: {}",
                    raw.head
                );
                assert_eq!(raw.header("content-encoding"), None);
            }
        }
        let mut deflated = DeflateEncoder::new(Vec::new(), Compression::best());
        deflated.write_all(page.as_bytes()).expect("memory");
        let deflated = deflated.finish().expect("memory");
        for coding in
            ["deflate", "br", "zstd", "gzip, gzip", "gzip\r\nContent-Encoding: br", "gzip, unheard-of"]
        {
            let headers = format!("Content-Encoding: {coding}\r\n");
            for answer in [with_length(status, &headers, &deflated), chunked(status, &headers, &[&deflated])]
            {
                let raw = asked(GET, answer).await;
                assert_eq!((raw.body.len(), raw.whole), (0, true), "{status} {coding}: {}", raw.head);
                assert_eq!((raw.header("content-encoding"), raw.header("content-length")), (None, Some("0")));
            }
        }
    }
    // What follows the gzip and is none has no meaning, as gunzip and curl have it.
    for behind in [&b"\0\0\0\0"[..], b"\0", b"\x1f", TOKEN.as_bytes()] {
        let packed = [&gzip(&page)[..], behind].concat();
        let pieces: Vec<&[u8]> = packed.chunks(1).collect();
        let coded = "Content-Encoding: gzip\r\n";
        for status in ["200 OK", "502 Bad Gateway"] {
            for answer in [with_length(status, coded, &packed), chunked(status, coded, &pieces)] {
                let raw = asked(GET, answer).await;
                assert_eq!((raw.text() == hidden, raw.whole), (true, true), "{behind:?}: {}", raw.head);
            }
        }
    }
    // What only says that it is gzip.
    let raw = asked(GET, with_length("502 Bad Gateway", "Content-Encoding: gzip\r\n", page.as_bytes())).await;
    assert!(raw.text() == hidden, "{}", raw.head);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gzip_answer_of_200_is_unpacked_only_where_it_repeats_the_token() {
    let coded = "Content-Encoding: gzip\r\n";
    let body = |token: &str| format!("{{\"errcode\":40003,\"errmsg\":\"bad {token}\"}}");
    for spelled in spellings(TOKEN) {
        let packed = gzip(body(&spelled));
        for answer in [with_length("200 OK", coded, &packed), chunked("200 OK", coded, &[&packed])] {
            let raw = asked(GET, answer).await;
            assert_eq!((raw.text(), raw.whole), (body(&stars(spelled.len())), true), "{}", raw.head);
            assert_eq!(raw.header("content-encoding"), None);
        }
    }
    // Behind more than is looked at for an errcode.
    let long = format!("{{\"a\":\"{}\",\"b\":\"{TOKEN}\"}}", "x".repeat(1_000_000));
    let raw = asked(GET, with_length("200 OK", coded, &gzip(&long))).await;
    assert!(raw.text() == long.replace(TOKEN, &stars(TOKEN.len())));
    let plain = body("openid");
    let raw = asked(GET, with_length("200 OK", coded, &gzip(&plain))).await;
    assert_eq!((raw.header("content-encoding"), raw.body.len()), (Some("gzip"), gzip(&plain).len()));
    let mut text = String::new();
    GzDecoder::new(&raw.body[..]).read_to_string(&mut text).expect("gzip");
    assert_eq!(text, plain);
    // A coding that nobody asked for and nobody here reads.
    let raw = asked(GET, with_length("200 OK", "Content-Encoding: br\r\n", b"\x0b\x02\x80{}\x03")).await;
    assert_eq!((raw.header("content-encoding"), &raw.body[..]), (Some("br"), &b"\x0b\x02\x80{}\x03"[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_trailers_nor_answers_before_the_answer_bring_the_token() {
    let trailer = format!(
        "HTTP/1.1 103 Early Hints\r\nLink: </?access_token={TOKEN}>\r\n\r\n\
         HTTP/1.1 502 {TOKEN}\r\nTrailer: X-Token\r\nTransfer-Encoding: chunked\r\n\r\n\
         2;x={TOKEN}\r\nab\r\n0\r\nX-Token: {TOKEN}\r\n\r\n"
    );
    for answer in [trailer.clone(), trailer.replace(" 502 ", " 200 "), trailer.replace(" 502 ", " 206 ")] {
        let (_wechat, gate) = answering(answer).await;
        let mut caller = Caller::of(&gate).await;
        caller.send(GET.replace("\r\n\r\n", "\r\nTE: trailers\r\nConnection: TE, close\r\n\r\n")).await;
        let all = String::from_utf8(caller.closed().await).expect("ASCII");
        assert!(all.contains("\r\nab\r\n") && !all.contains(TOKEN), "{all}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn content_passes_as_it_is() {
    // Nobody looks into files; and nobody waits for what an answer to HEAD says that it would have.
    let body = [TOKEN.as_bytes(), &[0xff, 0x1f, 0x8b]].concat();
    for (status, headers) in [
        ("200 OK", "Content-Disposition: attachment\r\n"),
        ("206 Partial Content", ""),
        ("206 Partial Content", "Content-Encoding: br\r\n"),
    ] {
        let (_wechat, gate) = answering(with_length(status, headers, &body)).await;
        let raw = send(&gate, GET).await.expect("an answer");
        assert_eq!((&raw.body, raw.whole), (&body, true), "{status} {headers}");
    }
    let (_wechat, gate) =
        answering("HTTP/1.1 404 Not Found\r\nContent-Encoding: br\r\nContent-Length: 27\r\n\r\n").await;
    let mut caller = Caller::of(&gate).await;
    caller.send(GET.replace("GET", "HEAD")).await;
    let head = read_head(&mut caller.0).await.expect("an answer");
    assert!(head.contains("content-length: 27") && head.contains("content-encoding: br"), "{head}");
    // A user's own token is the user's.
    let users = "users-own-token-0123456789abcdef";
    let wechat = Scripted::start(move |_, head, mut stream: TcpStream| async move {
        read_body(&mut stream, &head).await;
        let answer = with_length("200 OK", "", format!("{{\"errmsg\":\"{users}\"}}").as_bytes());
        let _ = stream.write_all(&answer).await;
        None
    })
    .await;
    let gate = wechat.gate(Setup::default()).await;
    let get = format!("GET /sns/userinfo?access_token={users}&openid=o HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(send(&gate, get).await.expect("an answer").text().contains(users));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_wxgate_says_what_wxgate_says() {
    let headers = "X-Wxgate-Error: draining\r\nX-Wxgate-App: a\r\nX-Wxgate-Key: k\r\nX_Wxgate_Error: b\r\n\
                   x-wxgate_replays: 9\r\nX-Wxgates: c\r\nX-Request-Id: theirs\r\n";
    for answer in [with_length("200 OK", headers, b"{}"), with_length("502 Oops", headers, b"")] {
        let raw = asked(&GET.replace("\r\n\r\n", "\r\nX-Request-Id: mine\r\n\r\n"), answer).await;
        let ours: Vec<_> = raw.head.lines().filter(|line| line.contains("wxgate")).collect();
        assert_eq!(ours, ["x-wxgates: c"]);
        assert_eq!(raw.header("x-request-id"), Some("mine"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_operators_are_shown_repeats_no_credential() {
    let gate = Gate::start().await.settled().await;
    let token = gate.token(APPID);
    let errmsg = format!("bad {token} at ?access_token=%{:x}{}", token.as_bytes()[0], &token[1..]);
    let action = Action::Errcode { errcode: 48001, errmsg: Some(errmsg) };
    gate.sandbox.fault(Fault::new(action).path("/cgi-bin/clear_quota"));
    let clear = gate.client.post(gate.admin_url("/api/v1/apps/shop/clear-quota?confirm=shop"));
    let answer = Answer::of(clear.bearer_auth(ADMIN_TOKEN)).await;
    assert!(answer.text().contains("48001: bad ***"), "{}", answer.text());
    assert!(!answer.text().contains(&token[1..]), "{}", answer.text());
    // And where the token endpoint repeats the secret as a gateway does.
    let errmsg = format!("no access: /cgi-bin/token?secret=%{:x}{}", SECRET.as_bytes()[0], &SECRET[1..]);
    let action = Action::Errcode { errcode: 40125, errmsg: Some(errmsg) };
    gate.sandbox.fault(Fault::new(action).path("/cgi-bin/stable_token"));
    let refresh = gate.client.post(gate.admin_url("/api/v1/apps/shop/refresh"));
    let answer = Answer::of(refresh.bearer_auth(ADMIN_TOKEN)).await;
    assert!(answer.text().contains("secret=***"), "{}", answer.text());
    let all = format!("{}{}{}", answer.text(), gate.status().await, gate.log.text());
    assert!(!all.contains(&SECRET[1..]), "{all}");
}
