//! Bodies that are too long, too slow, or end too early.

use tokio::io::AsyncWriteExt as _;

use super::wire::{Caller, assert_sound, send};
use crate::harness::{APPID, Answer, Gate, Setup};
use crate::until::until;
use wxgate::sandbox::{Action, Fault};

const POST: &str = "POST /wxa/anything HTTP/1.1\r\nHost: localhost\r\n";
const LIMITED: &str = "max_body = \"1MiB\"";

fn server(keys: &str) -> Setup {
    Setup { server: keys.into(), ..Setup::default() }
}

fn in_chunks(body: &[u8]) -> Vec<u8> {
    let mut chunked = Vec::new();
    for piece in body.chunks(10_000) {
        chunked.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        chunked.extend_from_slice(piece);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    chunked
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_limit_is_refused_also_to_a_caller_that_sends_it_all_first() {
    let gate = Gate::with(server(LIMITED)).await.warm().await;
    let body = vec![b'x'; 8 * 1024 * 1024];
    let with_length =
        [format!("{POST}Content-Length: {}\r\n\r\n", body.len()).into_bytes(), body.clone()].concat();
    let chunked =
        [format!("{POST}Transfer-Encoding: chunked\r\n\r\n").into_bytes(), in_chunks(&body)].concat();
    for request in [with_length, chunked] {
        for _ in 0..5 {
            let mut caller = Caller::of(&gate).await;
            caller.0.write_all(&request).await.expect("the proxy takes what it doesn't want");
            let answer = caller.answer().await.expect("an answer");
            answer.assert_refused(413, "body_too_large", "1048576 bytes (server.max_body)");
            assert_eq!(answer.header("connection"), Some("close"));
        }
    }
    assert!(gate.sandbox.journal(None).is_empty());
    assert_sound(&gate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_asks_first_is_told_to_go_on_or_not_to() {
    let gate = Gate::with(server(LIMITED)).await.warm().await;
    for content_type in ["text/plain", "application/x-www-form-urlencoded"] {
        let mut caller = Caller::of(&gate).await;
        let head = format!("{POST}Expect: 100-continue\r\nContent-Type: {content_type}\r\n");
        caller.send(format!("{head}Content-Length: 2000000\r\n\r\n")).await;
        caller.answer().await.expect("an answer").assert_refused(413, "body_too_large", "server.max_body");
        assert!(caller.closed().await.is_empty());
    }

    for length in [5, 500_000] {
        gate.sandbox.reset();
        let mut caller = Caller::of(&gate).await;
        caller.send(format!("{POST}Expect: 100-Continue\r\nContent-Length: {length}\r\n\r\n")).await;
        assert_eq!(caller.answer().await.expect("an answer").status, 100);
        caller.send(vec![b'x'; length]).await;
        assert_eq!(caller.answer().await.expect("an answer").status, 200);
        let seen = gate.journal("/wxa/anything");
        assert_eq!((seen.len(), seen[0].body_length), (1, length as u64));
        assert!(seen[0].complete && seen[0].header("expect").is_none());
    }
    // Refused for another reason: the body isn't asked for either.
    let mut caller = Caller::of(&gate).await;
    caller.send("POST /@nobody/wxa/anything HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n").await;
    caller.answer().await.expect("an answer").assert_refused(400, "app_unknown", "nobody");
    assert_sound(&gate).await;
}

/// The beginnings of uploads: short ones are collected, longer ones go to WeChat as they come.
fn beginnings() -> Vec<(&'static str, Vec<u8>)> {
    let part = vec![b'x'; 300_000];
    let head = |length: usize| format!("{POST}Content-Length: {length}\r\n\r\n").into_bytes();
    let chunked = format!("{POST}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    let (extension, zeros) = ("x".repeat(300), "0".repeat(300));
    vec![
        ("collected", [head(10), b"01234".to_vec()].concat()),
        ("kept as it passes", [head(600_000), part.clone()].concat()),
        ("too long to keep", [head(20_000_000), part.clone()].concat()),
        ("within a chunk", [chunked.clone(), b"493e1\r\n".to_vec(), part].concat()),
        ("between chunks", [chunked.clone(), b"5\r\n01234\r\n".to_vec()].concat()),
        ("behind a long extension", [&chunked, format!("5;{extension}\r\n01234\r\n").as_bytes()].concat()),
        ("behind many zeros", [&chunked, format!("{zeros}5\r\n01234\r\n").as_bytes()].concat()),
        ("within the trailers", [chunked.clone(), b"5\r\n01234\r\n0\r\nX-A".to_vec()].concat()),
        ("no chunk's size", [chunked, b"5\r\n01234\r\nzz\r\n".to_vec()].concat()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_cut_short_is_never_whole_at_wechat() {
    let gate = Gate::start().await.warm().await;
    for (which, bytes) in beginnings() {
        gate.sandbox.reset();
        let mut caller = Caller::of(&gate).await;
        caller.send(&bytes).await;
        caller.0.shutdown().await.expect("half closed");
        let answer = caller.answer().await.unwrap_or_else(|| panic!("{which}: no answer"));
        answer.assert_refused(400, "bad_request", "is incomplete");
        assert!(caller.closed().await.is_empty());
        assert_sound(&gate).await;
        assert!(gate.journal("/wxa/anything").iter().all(|entry| !entry.complete), "{which}");

        // Gone altogether.
        let mut caller = Caller::of(&gate).await;
        caller.send(&bytes).await;
        drop(caller);
        assert_sound(&gate).await;
        assert!(gate.journal("/wxa/anything").iter().all(|entry| !entry.complete), "{which}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_stands_still_is_given_up() {
    let setup = Setup { upstream: "body_timeout = \"10s\"".into(), ..server("body_timeout = \"300ms\"") };
    let gate = Gate::with(setup).await.warm().await;
    for (which, bytes) in beginnings() {
        gate.sandbox.reset();
        let mut caller = Caller::of(&gate).await;
        caller.send(&bytes).await;
        let answer = caller.answer().await.unwrap_or_else(|| panic!("{which}: no answer"));
        answer.assert_refused(400, "bad_request", "is incomplete");
        assert!(caller.closed().await.is_empty());
        assert_sound(&gate).await;
        assert!(gate.journal("/wxa/anything").iter().all(|entry| !entry.complete), "{which}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_length_that_cannot_be_is_refused_while_the_caller_waits() {
    let gate = Gate::with(server(LIMITED)).await.warm().await;
    let chunked = format!("{POST}Transfer-Encoding: chunked\r\n\r\n");
    let too_long =
        ["100001", "fffffffffffffffd", "fffffffffffffffe", "ffffffffffffffff", "10000000000000000"];
    let mut rows: Vec<[String; 2]> = Vec::new();
    for size in too_long {
        rows.push([format!("{chunked}{size}\r\nabc"), String::new()]);
        rows.push([format!("{chunked}5\r\n01234\r\n"), format!("{size};x=y\r\nabc")]);
        // Of the second of two requests.
        rows.push([format!("{chunked}0\r\n\r\n"), format!("{chunked}{size}\r\nabc")]);
    }
    for length in ["1048577", "18446744073709551614", "18446744073709551615", "99999999999999999999999"] {
        rows.push([format!("{POST}Content-Length: {length}\r\n\r\nabc"), String::new()]);
    }
    for [first, second] in rows {
        let mut caller = Caller::of(&gate).await;
        caller.send(&first).await;
        if first.ends_with("0\r\n\r\n") {
            assert_eq!(caller.answer().await.expect("an answer").status, 200);
        } else if !second.is_empty() {
            until(|| "the request", async || gate.metric("wxgate_inflight_requests").await == 1.0).await;
        }
        caller.send(&second).await;
        let answer = caller.answer().await.unwrap_or_else(|| panic!("no answer to {first:?} {second:?}"));
        answer.assert_refused(413, "body_too_large", "1048576 bytes (server.max_body)");
        assert_eq!(answer.header("connection"), Some("close"));
        assert!(caller.closed().await.is_empty());
    }
    assert_eq!(gate.sandbox.journal(None).len(), too_long.len(), "the first of two alone");
    assert_sound(&gate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn chunked_callers_never_meet_wechats_412() {
    let gate = Gate::start().await.warm().await;
    for body in [&b""[..], b"{}", &vec![b'x'; 200_000], &vec![b'y'; 1_500_000]] {
        gate.sandbox.reset();
        let request =
            [format!("{POST}Transfer-Encoding: chunked\r\n\r\n").into_bytes(), in_chunks(body)].concat();
        let answer = send(&gate, request).await.expect("an answer");
        assert_eq!(answer.status, 200, "{answer:?}");
        let seen = gate.journal("/wxa/anything");
        assert_eq!(seen[0].header("content-length"), Some(&*body.len().to_string()));
        assert_eq!((seen[0].header("transfer-encoding"), seen[0].complete), (None, true));
    }
    assert_sound(&gate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_before_the_body_was_read_reaches_the_caller() {
    let gate = Gate::start().await.warm().await;
    for length in [1000, 4_000_000, 20_000_000] {
        gate.sandbox.fault(Fault::new(Action::EarlyAnswer { errcode: 40003 }).path("/wxa/anything"));
        let mut caller = Caller::of(&gate).await;
        caller.send(format!("{POST}Content-Length: {length}\r\n\r\n")).await;
        caller.send(vec![b'x'; length]).await;
        let answer = caller.answer().await.expect("an answer");
        assert_eq!((answer.status, &answer.json()["errcode"]), (200, &40003.into()), "{length}: {answer:?}");
        assert_sound(&gate).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_rejected_before_the_body_was_read_is_replaced_and_all_of_the_body_sent() {
    let gate = Gate::start().await.warm().await;
    gate.sandbox.change(|settings| settings.allow_unlisted = true);
    for length in [1000_usize, 4_000_000] {
        gate.sandbox.reset();
        gate.sandbox.rotate(APPID);
        gate.sandbox.fault(Fault::new(Action::EarlyAnswer { errcode: 40001 }).path("/wxa/anything").times(1));
        let body: Vec<u8> = (0..length).map(|at| b'a' + (at % 23) as u8).collect();
        let answer = Answer::of(gate.client.post(gate.url("/wxa/anything")).body(body.clone())).await;
        assert_eq!((answer.status, answer.errcode()), (200, 0), "{length}: {}", gate.log.text());
        let seen = gate.journal("/wxa/anything");
        let whole: Vec<_> = seen.iter().filter(|entry| entry.complete).collect();
        assert_eq!((seen.len(), whole.len(), whole[0].body_length), (2, 1, length as u64));
        assert_sound(&gate).await;
    }
}
