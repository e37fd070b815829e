//! Requests that no client library sends.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::platform::{MALL, Push};
use super::receiver::{Receiver, success};

async fn connect(receiver: &Receiver) -> TcpStream {
    TcpStream::connect(&receiver.authority).await.expect("connected")
}

fn post(push: &Push, headers: &str, body: &str) -> String {
    let Push { path, query, .. } = push;
    format!("POST {path}?{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n{body}")
}

async fn rest(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer
}

async fn ask(receiver: &Receiver, request: &str) -> String {
    let mut stream = connect(receiver).await;
    stream.write_all(request.as_bytes()).await.expect("sent");
    rest(stream).await
}

fn assert_empty(answer: &str, status: u16) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_64_kib_is_read_and_a_longer_one_is_not() {
    let receiver = Receiver::start();
    let push = MALL.ticket("1", "t");
    let padded = |length: usize| format!("{}{}", push.body, " ".repeat(length - push.body.len()));
    let (fits, longer) = (padded(64 * 1024), padded(64 * 1024 + 1));
    assert_empty(&ask(&receiver, &post(&push, "Content-Length: 65537\r\n", &longer)).await, 413);
    let chunks = format!("10001\r\n{longer}\r\n0\r\n\r\n");
    assert_empty(&ask(&receiver, &post(&push, "Transfer-Encoding: chunked\r\n", &chunks)).await, 413);
    assert_eq!(receiver.counted("mall", "none", "too_long"), 2);
    let answer = ask(&receiver, &post(&push, "Content-Length: 65536\r\n", &fits)).await;
    assert!(answer.ends_with("\r\n\r\nsuccess"), "{answer}");
    assert!(answer.contains("content-type: text/plain; charset=utf-8\r\n"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_without_a_body() {
    let receiver = Receiver::start();
    let push = MALL.ticket("1", "t");
    assert_empty(&ask(&receiver, &post(&push, "", "")).await, 403);
    assert_empty(&ask(&receiver, &post(&push, "Content-Length: 0\r\n", "")).await, 403);
    assert_eq!(receiver.counted("mall", "none", "unsigned"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_framed_twice() {
    let receiver = Receiver::start();
    let push = MALL.ticket("1", "t");
    let twice = "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n";
    assert_empty(&ask(&receiver, &post(&push, twice, "0\r\n\r\n")).await, 400);
    assert!(receiver.arrived().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_dribbles_is_cut_off_and_delays_nobody() {
    let receiver = Receiver::start();
    let push = MALL.ticket("1", "t");
    let mut stream = connect(&receiver).await;
    let served = std::cell::Cell::new(false);
    stream.write_all(post(&push, "Content-Length: 1000\r\n", "").as_bytes()).await.expect("sent");
    let (reader, mut writer) = stream.into_split();
    let dribble = async {
        for byte in push.body.as_bytes().chunks(1).cycle() {
            if writer.write_all(byte).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let answered = async {
        let (mut reader, mut answer) = (reader, Vec::new());
        while !answer.ends_with(b"\r\n\r\n") {
            let read = reader.read_buf(&mut answer).await.expect("an answer");
            assert_ne!(read, 0, "closed without an answer");
        }
        String::from_utf8(answer).expect("text")
    };
    let others = async {
        assert_eq!(receiver.post(&MALL.ticket("2", "t")).await, success());
        served.set(true);
        std::future::pending::<()>().await
    };
    let answer = tokio::select! {
        answer = answered => answer,
        () = dribble => panic!("cut off without an answer"),
        () = others => panic!("never"),
    };
    assert_empty(&answer, 408);
    assert!(served.get(), "another push had to wait for this one");
    assert_eq!(receiver.counted("mall", "none", "too_slow"), 1);
}
