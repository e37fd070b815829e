//! Which answers count as a rejected token, and which only look so.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use wxgate::sandbox::{Action, Fault};

use super::canned::Canned;
use crate::harness::{APPID, Answer, Gate, Setup, at_once};

const REJECTED: &str = "{\"errcode\":40014,\"errmsg\":\"invalid access_token\"}";

/// Asks and checks that the answer is the upstream's, byte for byte, and that nothing came of it.
async fn passes(path: &str, headers: &str, body: &[u8]) {
    let (wechat, gate) = Canned::gate(Setup::default()).await;
    wechat.answer_with(headers, body);
    let answer = gate.get_with(path, &[]).await;
    let what = format!("{path} {headers:?} {}", String::from_utf8_lossy(&body[..body.len().min(80)]));
    assert_eq!(answer.status, 200, "{what}");
    assert!(answer.body == body, "{what}: {}", answer.text());
    assert_eq!((wechat.fetches(), wechat.calls()), (1, 1), "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_users_text_file_that_looks_like_an_error_is_a_file() {
    let gate = Gate::start().await.settled().await;
    for file in ["{\"errcode\":40014}", REJECTED] {
        let body = format!(
            "--XX\r\nContent-Disposition: form-data; name=\"media\"; filename=\"a.txt\"\r\n\
             Content-Type: text/plain\r\n\r\n{file}\r\n--XX--\r\n"
        );
        let call = gate.client.post(gate.url("/cgi-bin/media/upload?type=file"));
        let uploaded =
            Answer::of(call.header("content-type", "multipart/form-data; boundary=XX").body(body)).await;
        let id = uploaded.json()["media_id"].as_str().expect("an id").to_owned();
        let answer = gate.get(&format!("/cgi-bin/media/get?media_id={id}")).await;
        assert_eq!(answer.text(), file);
        assert_eq!(answer.header("x-wxgate-replays"), Some("0"));
    }
    assert_eq!(gate.counts(), (0, 0, 0));
    // Without the header that marks a file, on an endpoint that answers with files, an errmsg must
    // stand beside it.
    passes("/cgi-bin/media/get?media_id=x", "", b"{\"errcode\":40014}").await;
    passes("/cgi-bin/media/get?media_id=x", "", b"{\"errcode\":40014,\"note\":{\"errmsg\":\"x\"}}").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_deeper_or_elsewhere_is_no_rejection() {
    let path = "/cgi-bin/user/info/batchget";
    for body in [
        "{\"list\":[{\"errcode\":40001,\"errmsg\":\"x\"}],\"errcode\":0}",
        "{\"item\":{\"errcode\":42001,\"errmsg\":\"x\"}}",
        "{\"item\":{\"base_resp\":{\"errcode\":40014}}}",
        "{\"content\":\"{\\\"errcode\\\":40001}\"}",
        "[{\"errcode\":40001}]",
        "x{\"errcode\":40001}",
        "{\"errcode\":-40001}",
        "{\"errcode\":400010}",
        "{\"errcode\":40001,\"errcode\":0}",
        "",
    ] {
        passes(path, "", body.as_bytes()).await;
    }
    passes(path, "Content-Disposition: attachment; filename=\"x\"\r\n", REJECTED.as_bytes()).await;
    let picture = [b"\xff\xd8\xff\xe0", REJECTED.as_bytes(), b"\xff\xd9"].concat();
    passes("/wxa/getwxacode", "Content-Type: image/jpeg\r\n", &picture).await;
    passes("/wxa/getwxacode", "", &[b"\x89PNG\r\n\x1a\n", REJECTED.as_bytes()].concat()).await;
    let long = format!("{{\"errcode\":40001,\"errmsg\":\"{}\"}}", "x".repeat(4096));
    passes(path, "", long.as_bytes()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_status_200_speaks_of_the_token() {
    let (wechat, gate) = Canned::gate(Setup::default()).await;
    for status in [201, 400, 401, 500, 502] {
        wechat.answer(format!(
            "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{REJECTED}",
            REJECTED.len()
        ));
        let answer = gate.get_with("/cgi-bin/user/get", &[]).await;
        assert_eq!((answer.status, answer.text().as_str()), (status, REJECTED));
    }
    assert_eq!((wechat.fetches(), wechat.calls()), (1, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_with_an_error_in_its_comment_is_a_picture() {
    let gate = Gate::start().await.settled().await;
    let answer = gate.post("/wxa/getwxacode", "{}").await;
    assert!(answer.body.starts_with(b"\xff\xd8") && answer.text().contains("{\"errcode\":40001"));
    assert_eq!(answer.header("content-type"), Some("image/jpeg"));
    assert_eq!(gate.counts(), (0, 0, 0));
    // And where the endpoint for pictures does reject the token, the caller gets its picture all
    // the same.
    gate.sandbox.rotate(APPID);
    let answer = gate.post("/wxa/getwxacode", "{}").await;
    assert!(answer.body.starts_with(b"\xff\xd8"), "{}", answer.text());
    assert_eq!((answer.header("x-wxgate-replays"), gate.counts()), (Some("1"), (1, 0, 0)));
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).expect("memory");
    encoder.finish().expect("memory")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_rejection_is_recognised_and_a_compressed_answer_is_passed_on_as_it_is() {
    for chunked in [false, true] {
        let gate = Gate::start().await.settled().await;
        gate.sandbox.fault(Fault::new(Action::Gzip));
        if chunked {
            gate.sandbox.fault(Fault::new(Action::Chunked));
        }
        gate.sandbox.rotate(APPID);
        let answer = gate.get_with("/cgi-bin/user/info?openid=o", &[("accept-encoding", "gzip, br")]).await;
        assert_eq!(answer.header("content-encoding"), Some("gzip"));
        let mut plain = String::new();
        GzDecoder::new(&answer.body[..]).read_to_string(&mut plain).expect("gzip");
        assert!(plain.contains("\"openid\":\"o\""), "{plain}");
        assert_eq!(gate.counts(), (1, 0, 0));
        // Who takes no gzip gets none.
        let answer = gate.get_with("/cgi-bin/user/info?openid=o", &[("accept-encoding", "br")]).await;
        assert_eq!((answer.header("content-encoding"), answer.json()["openid"].as_str()), (None, Some("o")));
    }
    // A small bomb, what is no gzip at all, and a file.
    let bomb = gzip(&[b"{\"a\":\"", &vec![b'x'; 4_000_000][..], b"\",\"errcode\":40001}"].concat());
    assert!(bomb.len() < 4096, "{}", bomb.len());
    for body in [bomb, b"\x1f\x8b\x08nonsense".to_vec(), gzip(b"[]"), gzip(b"")] {
        passes("/cgi-bin/user/get", "Content-Encoding: gzip\r\n", &body).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_users_dead_token_is_no_reason_to_fetch_the_apps() {
    let gate = Arc::new(Gate::start().await.settled().await);
    let held = gate.token(APPID);
    let answers = at_once(20, |caller| {
        let gate = Arc::clone(&gate);
        async move {
            let mut codes = Vec::new();
            for number in 0..50 {
                let path = format!("/sns/userinfo?access_token=DEAD&openid=o{caller}x{number}");
                codes.push(gate.get_with(&path, &[]).await.errcode());
            }
            codes
        }
    })
    .await;
    assert_eq!(answers.into_iter().flatten().filter(|code| *code == 40001).count(), 1000);
    let seen = gate.journal("/sns/userinfo");
    assert_eq!(seen.len(), 1000, "each once");
    assert!(seen.iter().all(|entry| entry.query.starts_with("access_token=DEAD&openid=o")));
    assert_eq!((gate.counts(), gate.token(APPID)), ((0, 0, 0), held));
    assert_eq!(gate.metric("wxgate_token_generation{app=\"shop\",kind=\"access_token\"}").await, 1.0);
}
