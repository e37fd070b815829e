//! Answers that come too slowly, or never come to their point.

use std::future::Future;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::bad_input::wire::{Caller, Scripted, TOKEN, answer, logged, read_body, read_head, send};
use crate::harness::{Gate, Setup, sandbox};
use crate::until::{LOST, until};

const GET: &str = "GET /cgi-bin/user/get HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A WeChat that sends a first part, and the rest when it is told to.
async fn in_two_parts(head: &'static str, parts: [Vec<u8>; 2]) -> (Scripted, oneshot::Sender<()>) {
    let (go_on, going_on) = oneshot::channel::<()>();
    let going_on = Arc::new(Mutex::new(Some(going_on)));
    let wechat = Scripted::start(move |_, request, mut stream: TcpStream| {
        let (going_on, [first, rest]) = (going_on.lock().take(), parts.clone());
        async move {
            read_body(&mut stream, &request).await;
            let _ = stream.write_all(&[head.as_bytes(), &first].concat()).await;
            going_on?.await.ok()?;
            let _ = stream.write_all(&rest).await;
            None
        }
    })
    .await;
    (wechat, go_on)
}

async fn in_time<F: Future>(awaited: F) -> F::Output {
    tokio::time::timeout(LOST, awaited).await.expect("in time")
}

const REJECTION: &str = "{\"errcode\":40001,\"errmsg\":\"no more: canary-token-of-the-script-5d20\"}";

fn gzip(plain: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(plain.as_bytes()).expect("memory");
    encoder.finish().expect("memory")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_in_drops_reaches_its_caller_and_what_it_says_of_the_token_is_heard() {
    for (head, body) in [
        ("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", REJECTION.as_bytes().to_vec()),
        ("HTTP/1.1 200 OK\r\nContent-Length: 69\r\n\r\n", REJECTION.as_bytes().to_vec()),
        ("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Encoding: gzip\r\n\r\n", gzip(REJECTION)),
    ] {
        let parts = [body[..12].to_vec(), body[12..].to_vec()];
        let (wechat, go_on) = in_two_parts(head, parts).await;
        let gate = wechat.gate(Setup::default()).await;
        let mut caller = Caller::of(&gate).await;
        caller.send(GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")).await;
        // Before the rest is even sent.
        let head = in_time(read_head(&mut caller.0)).await.expect("a head");
        assert!(head.contains("200 OK") && !head.contains("x-wxgate-error"), "{head}");
        let fetches = wechat.fetches();
        go_on.send(()).expect("an upstream");
        let mut rest = Vec::new();
        in_time(caller.0.read_to_end(&mut rest)).await.expect("the rest");
        let rest = String::from_utf8_lossy(&rest);
        let hidden = REJECTION.replace(TOKEN, &"*".repeat(TOKEN.len()));
        assert!(rest.contains(&hidden[40..]), "{rest}");
        assert_eq!(wechat.heads().len(), 1, "too late for a replay: {:?}", wechat.heads());
        until(|| "a look at the token", async || wechat.fetches() > fetches).await;
        let line = logged(&gate, |line| line["path"] == "/cgi-bin/user/get").await;
        assert_eq!((&line["errcode"], &line["source"]), (&40001.into(), &"wechat".into()), "{line}");
        let sample =
            "wxgate_caller_requests_total{app=\"shop\",caller=\"anonymous\",outcome=\"wechat_error\"}";
        until(|| sample, async || gate.metric(sample).await == 1.0).await;
        wechat.assert_over(&gate).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_in_drops_that_is_none_of_wechats_errors_is_just_handed_on() {
    let body = "{\"item\":{\"errcode\":40001,\"errmsg\":\"x\"}}";
    let parts = [body[..5].into(), body[5..].into()];
    let (wechat, go_on) = in_two_parts("HTTP/1.1 200 OK\r\nContent-Length: 39\r\n\r\n", parts).await;
    let gate = wechat.gate(Setup::default()).await;
    let mut caller = Caller::of(&gate).await;
    caller.send(GET).await;
    let head = in_time(read_head(&mut caller.0)).await.expect("a head");
    assert!(head.contains("content-length: 39"), "{head}");
    let fetches = wechat.fetches();
    go_on.send(()).expect("an upstream");
    let mut rest = vec![0; body.len()];
    in_time(caller.0.read_exact(&mut rest)).await.expect("the rest");
    assert_eq!(rest, body.as_bytes());
    let line = logged(&gate, |line| line["path"] == "/cgi-bin/user/get").await;
    assert_eq!((&line["errcode"], wechat.fetches()), (&0.into(), fetches), "{line}");
    wechat.assert_over(&gate).await;
}

/// Sends these bytes until nobody takes them any more.
async fn for_ever(stream: &mut TcpStream, bytes: &str) {
    let bytes = bytes.repeat(1000);
    while stream.write_all(bytes.as_bytes()).await.is_ok() {}
}

#[tokio::test(flavor = "multi_thread")]
async fn endless_answers_before_the_answer_are_no_answer() {
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    for interim in ["HTTP/1.1 100 Continue\r\n\r\n", early] {
        let wechat = Scripted::start(move |_, head, mut stream| async move {
            read_body(&mut stream, &head).await;
            for_ever(&mut stream, interim).await;
            None
        })
        .await;
        let gate = Arc::new(wechat.gate(Setup::default()).await);
        let mut callers = JoinSet::new();
        for _ in 0..4 {
            let gate = Arc::clone(&gate);
            callers.spawn(async move { in_time(send(&gate, GET)).await.expect("an answer") });
        }
        for answer in callers.join_all().await {
            answer.assert_refused(502, "upstream_failed", "closed the connection");
        }
        assert_eq!(wechat.requests(), 4);
        wechat.assert_over(&gate).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_answers_before_the_answer_as_are_allowed_are_read_each_time() {
    let wechat = Scripted::start(|_, head, mut stream| async move {
        read_body(&mut stream, &head).await;
        let _ = stream.write_all("HTTP/1.1 102 Processing\r\n\r\n".repeat(16).as_bytes()).await;
        answer(&mut stream, "{\"errcode\":0}").await;
        Some(stream)
    })
    .await;
    let gate = wechat.gate(Setup::default()).await;
    let mut caller = Caller::of(&gate).await;
    for _ in 0..3 {
        caller.send(GET).await;
        let answer = caller.answer().await.expect("an answer");
        assert_eq!((answer.status, &*answer.text()), (200, "{\"errcode\":0}"));
    }
    wechat.assert_over(&gate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn endless_answers_before_a_token_are_no_token() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let mut server = JoinSet::new();
    server.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            connections.spawn(async move {
                read_head(&mut stream).await;
                for_ever(&mut stream, "HTTP/1.1 100 Continue\r\n\r\n").await;
            });
        }
    });
    let gate = Gate::before(sandbox(), Setup { upstream_url: Some(url), ..Setup::default() }).await;
    let answer = in_time(send(&gate, GET)).await.expect("an answer");
    answer.assert_refused(502, "token_unavailable", "more than 16 interim responses before the response");
}

const UPLOAD: &str = "POST /wxa/anything HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\n";

/// A WeChat that answers with this status, by a page, once it has the beginning of a body and some
/// time has passed.
async fn impatient(status: &'static str, patience: Duration) -> Scripted {
    Scripted::start(move |_, _, mut stream: TcpStream| async move {
        let mut beginning = vec![0; 70_000];
        stream.read_exact(&mut beginning).await.ok()?;
        tokio::time::sleep(patience).await;
        let page =
            format!("HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: 12\r\n\r\n<h1>Bad</h1>");
        let _ = stream.write_all(page.as_bytes()).await;
        Some(stream)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_too_slow_for_wechat_is_told_as_that_and_not_by_wechats_page() {
    let (at_once, weary) = (Duration::ZERO, Duration::from_millis(2_100));
    for (status, patience, told) in [
        ("408 Request Timeout", at_once, true),
        ("400 Bad Request", weary, true),
        // About the head, or the length.
        ("400 Bad Request", at_once, false),
        ("413 Payload Too Large", weary, false),
    ] {
        let wechat = impatient(status, patience).await;
        let gate = wechat.gate(Setup::default()).await;
        let mut caller = Caller::of(&gate).await;
        caller.send([UPLOAD.as_bytes(), &[b'x'; 100_000]].concat()).await;
        let answer = caller.answer().await.expect("an answer");
        if told {
            answer.assert_refused(400, "bad_request", "the request body came too slowly");
        } else {
            assert!(status.starts_with(&answer.status.to_string()), "{status}: {answer:?}");
            assert_eq!(answer.header("x-wxgate-error"), None, "{answer:?}");
        }
        wechat.assert_over(&gate).await;
    }
}
