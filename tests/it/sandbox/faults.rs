//! Each fault, as the caller sees it.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wxgate::sandbox::{Action, Fault, When};

use super::client::Caller;

const PATH: &str = "/cgi-bin/user/get";

async fn faulty(action: Action) -> (Caller, String) {
    let caller = Caller::new();
    let token = caller.token().await;
    caller.sandbox.fault(Fault::new(action).path(PATH));
    (caller, format!("{PATH}?access_token={token}"))
}

#[tokio::test]
async fn latency_holds_the_head_back_after_the_decision_fell() {
    let caller = Caller::new();
    caller.sandbox.fault(Fault::new(Action::TokenLatency { milliseconds: 3_600_000 }));
    tokio::select! {
        _ = caller.classic() => panic!("answered"),
        () = async {
            while caller.sandbox.token(wxgate::sandbox::OFFICIAL_ACCOUNT, wxgate::sandbox::Kind::Classic).is_none() {
                tokio::task::yield_now().await;
            }
        } => {}
    }
    assert_eq!(caller.verdict(&caller.current(wxgate::sandbox::Kind::Classic)).await, 0);
    caller.sandbox.end_faults();
    caller.sandbox.fault(Fault::new(Action::Latency { milliseconds: 1 }));
    assert_eq!(caller.classic().await.errcode(), 0);
}

#[tokio::test]
async fn a_slow_body_comes_after_its_head_and_whole() {
    let (caller, target) = faulty(Action::SlowBody { bytes: 40, milliseconds: 1 }).await;
    let reply = caller.get(&target).await;
    assert_eq!(reply.json()["total"], 2);
    assert_eq!(reply.header("content-length"), Some(&*reply.body.len().to_string()));

    caller.sandbox.end_faults();
    caller.sandbox.fault(Fault::new(Action::SlowBody { bytes: 1, milliseconds: 3_600_000 }));
    let mut stream = caller.connect().await;
    stream.write_all(format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes()).await.expect("sent");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a head"));
    }
}

#[tokio::test]
async fn a_cut_body_ends_short_of_its_announced_length() {
    for bytes in [0, 5, 100_000] {
        let (caller, target) = faulty(Action::Cut { bytes }).await;
        let answer = caller
            .raw(format!("GET {target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").as_bytes())
            .await;
        let answer = String::from_utf8(answer).expect("text");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let announced =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
        let announced: usize = announced.parse().expect("a number");
        assert!(body.len() < announced, "{bytes}: {} of {announced}", body.len());
        if bytes <= 5 {
            assert_eq!(body.len() as u64, bytes);
        }
        assert!(caller.try_get(&target).await.is_err());
    }
}

#[tokio::test]
async fn a_reset_gives_no_byte_before_or_after_the_request_was_carried_out() {
    let (caller, target) = faulty(Action::Reset { when: When::AfterBody }).await;
    assert_eq!(caller.raw(format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes()).await, b"");
    assert!(caller.sandbox.journal(Some(PATH))[0].complete);

    let (caller, target) = faulty(Action::Reset { when: When::BeforeBody }).await;
    let request = format!("POST {target} HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{{}}");
    assert_eq!(caller.raw(request.as_bytes()).await, b"");
    assert!(!caller.sandbox.journal(Some(PATH))[0].complete);
}

#[tokio::test]
async fn answers_can_be_replaced() {
    let (caller, target) = faulty(Action::Empty).await;
    let reply = caller.get(&target).await;
    assert_eq!((reply.status, reply.body.len(), reply.header("content-length")), (200, 0, Some("0")));

    for status in [200, 502] {
        let (caller, target) = faulty(Action::Html { status }).await;
        let reply = caller.get(&target).await;
        assert_eq!((reply.status, reply.header("content-type")), (status, Some("text/html")));
        assert!(reply.text().starts_with("<html>"));
    }

    let (caller, target) = faulty(Action::Status { status: 503 }).await;
    assert_eq!(caller.get(&target).await.status, 503);

    let (caller, target) = faulty(Action::Errcode { errcode: -1, errmsg: None }).await;
    let reply = caller.get(&target).await;
    assert!(reply.text().starts_with(r#"{"errcode":-1,"errmsg":"system error rid: "#), "{}", reply.text());

    let (caller, target) = faulty(Action::Errcode { errcode: 48001, errmsg: Some("no".to_owned()) }).await;
    assert!(caller.get(&target).await.text().starts_with(r#"{"errcode":48001,"errmsg":"no rid: "#));

    let (caller, target) = faulty(Action::AlwaysReject).await;
    assert_eq!(caller.get(&target).await.errcode(), 40001);
    let other = target.replace("user/get", "user/info");
    assert_eq!(caller.get(&format!("{other}&openid=O")).await.errcode(), 0, "the token is good elsewhere");
}

#[tokio::test]
async fn silence_takes_the_request_and_never_answers() {
    let (caller, target) = faulty(Action::Silence).await;
    tokio::select! {
        _ = caller.get(&target) => panic!("answered"),
        () = caller.sandbox.arrived(PATH, 1) => {}
    }
    assert_eq!(caller.sandbox.journal(Some(PATH))[0].status, None);
    caller.sandbox.stop().await;
}

#[tokio::test]
async fn an_early_answer_comes_before_the_body_was_sent() {
    let (caller, target) = faulty(Action::EarlyAnswer { errcode: 40001 }).await;
    let mut stream = caller.connect().await;
    let head = format!("POST {target} HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut answer = vec![0; 4096];
    let length = stream.read(&mut answer).await.expect("an answer");
    assert!(String::from_utf8_lossy(&answer[..length]).contains(r#"{"errcode":40001"#));
    assert!(!caller.sandbox.journal(Some(PATH))[0].complete);
}

#[tokio::test]
async fn success_can_be_compressed_chunked_and_last() {
    let (caller, target) = faulty(Action::Gzip).await;
    let request = caller.request("GET", &target).header("accept-encoding", "gzip");
    let reply = caller
        .send(request.body(http_body_util::Full::default()).expect("a request"))
        .await
        .expect("an answer");
    assert_eq!(reply.header("content-encoding"), Some("gzip"));
    assert_eq!(caller.get(&target).await.header("content-encoding"), None);

    let (caller, target) = faulty(Action::Chunked).await;
    assert_eq!(caller.get(&target).await.header("transfer-encoding"), Some("chunked"));

    let (caller, target) = faulty(Action::Close).await;
    assert_eq!(caller.get(&target).await.header("connection"), Some("close"));
}

#[tokio::test]
async fn a_fault_ends_by_count_and_by_number() {
    let caller = Caller::new();
    let token = caller.token().await;
    let target = format!("{PATH}?access_token={token}");
    caller.sandbox.fault(Fault::new(Action::AlwaysReject).path("/cgi-bin/user/*").after(1).times(1));
    let mut codes = Vec::new();
    for _ in 0..3 {
        codes.push(caller.get(&target).await.errcode());
    }
    assert_eq!(codes, [0, 40001, 0]);
    let id = caller.sandbox.fault(Fault::new(Action::AlwaysReject));
    assert_eq!(caller.get(&target).await.errcode(), 40001);
    assert!(caller.sandbox.end_fault(id) && !caller.sandbox.end_fault(id));
    assert_eq!(caller.get(&target).await.errcode(), 0);
}

#[tokio::test]
async fn three_hundred_callers_are_served_at_once() {
    let caller = Caller::new();
    let token = caller.token().await;
    let target = format!("{PATH}?access_token={token}");
    caller.sandbox.fault(Fault::new(Action::Silence).times(300));
    let mut streams = Vec::new();
    for _ in 0..300 {
        let mut stream = caller.connect().await;
        stream.write_all(format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes()).await.expect("sent");
        streams.push(stream);
    }
    let all = caller.sandbox.arrived(PATH, 300);
    tokio::time::timeout(Duration::from_secs(60), all).await.expect("all are in at the same time");
    assert_eq!(caller.get(&target).await.errcode(), 0);
}
