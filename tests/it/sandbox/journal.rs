//! What the journal tells of a request.

use bytes::Bytes;
use http_body_util::Full;
use tokio::io::AsyncWriteExt as _;
use wxgate::sandbox::{Counts, Framing, OFFICIAL_ACCOUNT};

use super::client::Caller;

fn sha256(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn an_entry_has_the_request_as_it_came() {
    let caller = Caller::new();
    let token = caller.token().await;
    let target = format!("/cgi-bin/message/custom/send?a=%41&access_token={token}&b=");
    let request = caller.request("POST", &target).header("x-twice", "1").header("x-twice", "2");
    let body = r#"{"touser":"O","msgtype":"text"}"#;
    caller.send(request.body(Full::from(body)).expect("a request")).await.expect("an answer");

    let entries = caller.sandbox.journal(Some("/cgi-bin/message/*"));
    let [entry] = &*entries else { panic!("one entry, not {}", entries.len()) };
    assert_eq!((entry.seq, &*entry.method, &*entry.path), (2, "POST", "/cgi-bin/message/custom/send"));
    assert_eq!(entry.query, format!("a=%41&access_token={token}&b="));
    assert_eq!(entry.access_token.as_deref(), Some(&*token));
    let twice: Vec<&str> =
        entry.headers.iter().filter(|(name, _)| name == "x-twice").map(|(_, value)| &**value).collect();
    assert_eq!(twice, ["1", "2"]);
    assert_eq!(entry.header("Host"), Some("api.weixin.qq.com"));
    assert_eq!((entry.body_length, entry.framing, entry.complete), (31, Framing::Length, true));
    assert_eq!(entry.body_sha256.as_deref(), Some(&*sha256(body.as_bytes())));
    assert_eq!((entry.status, entry.errcode), (Some(200), Some(0)));
    assert!((caller.sandbox.now() - entry.time_ms).abs() < 100_000);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_incomplete() {
    let caller = Caller::new();
    let mut stream = caller.connect().await;
    stream
        .write_all(b"POST /wxa/x HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc")
        .await
        .expect("sent");
    stream.shutdown().await.expect("half closed");
    caller.sandbox.arrived("/wxa/x", 1).await;
    let entry = loop {
        let entry = caller.sandbox.journal(Some("/wxa/x")).remove(0);
        if entry.body_sha256.is_some() {
            break entry;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!((entry.body_length, entry.complete), (3, false));
    assert_eq!(entry.body_sha256.as_deref(), Some(&*sha256(b"abc")));
}

#[tokio::test]
async fn a_chunked_request_is_answered_412_and_journalled() {
    let caller = Caller::new();
    let token = caller.token().await;
    let head = format!("POST /wxa/x?access_token={token} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n");
    let answer = caller
        .raw(format!("{head}transfer-encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n").as_bytes())
        .await;
    let answer = String::from_utf8(answer).expect("text");
    assert!(answer.starts_with("HTTP/1.1 412 Precondition Failed\r\n"), "{answer}");
    assert!(answer.contains("content-type: text/html") && answer.ends_with("\r\n\r\n"), "{answer}");
    let entry = caller.sandbox.journal(Some("/wxa/x")).remove(0);
    assert_eq!((entry.framing, entry.body_length, entry.complete), (Framing::Chunked, 2, true));
    assert_eq!(entry.status, Some(412));
}

#[tokio::test]
async fn a_large_body_is_hashed_and_not_kept() {
    let caller = Caller::new();
    let token = caller.token().await;
    let body = Bytes::from(vec![7_u8; 50 << 20]);
    let hash = sha256(&body);
    let reply = caller.post(&format!("/cgi-bin/tags/update?access_token={token}"), body).await;
    assert_eq!(reply.errcode(), 0);
    let entry = caller.sandbox.journal(Some("/cgi-bin/tags/update")).remove(0);
    assert_eq!((entry.body_length, entry.body_sha256), (50 << 20, Some(hash)));
}

#[tokio::test]
async fn fetches_forces_and_probes_are_counted() {
    let caller = Caller::new();
    caller.classic().await;
    caller.stable(false).await;
    let token = caller.token().await;
    caller.stable(true).await;
    caller.get(&format!("/cgi-bin/get_api_domain_ip?access_token={token}")).await;
    caller.get("/cgi-bin/token?appid=wxnobody").await;
    assert_eq!(caller.sandbox.counts(), Counts { fetches: 5, forces: 1, probes: 1 });
    assert_eq!(caller.sandbox.counts_of(OFFICIAL_ACCOUNT), Counts { fetches: 4, forces: 1, probes: 1 });
    let counts = caller.get("/sandbox/counts").await.json();
    assert_eq!(counts, serde_json::json!({"fetches": 5, "forces": 1, "probes": 1}));
}

#[tokio::test]
async fn the_journal_forgets_the_oldest_and_a_reset_forgets_all() {
    let caller = Caller::new();
    caller.sandbox.change(|settings| settings.journal_limit = 2);
    for number in 0..3 {
        caller.get(&format!("/wxa/{number}")).await;
    }
    let paths: Vec<String> = caller.sandbox.journal(None).into_iter().map(|entry| entry.path).collect();
    assert_eq!(paths, ["/wxa/1", "/wxa/2"]);
    let token = caller.token().await;
    caller.sandbox.reset();
    assert!(caller.sandbox.journal(None).is_empty());
    assert_eq!(caller.sandbox.counts(), Counts::default());
    assert_eq!(caller.verdict(&token).await, 0, "tokens stay");
    assert_eq!(caller.sandbox.journal(None)[0].seq, 5, "numbers go on");
}
