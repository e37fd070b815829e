//! Long bodies pass through; they are not collected on the way.

use std::sync::Arc;

use futures_core::Stream;
use ring::digest::{Context, SHA256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use wxgate::sandbox::{Action, Fault, Sandbox, blob};

use super::canned::Canned;
use super::process::Process;
use crate::harness::{APPID, Answer, Gate, SHOP, Setup, client, sandbox};

const MEGABYTE: u64 = 1024 * 1024;
const LONG: u64 = 50 * MEGABYTE;
/// What a long body may cost beyond a short one.
const SLACK: u64 = 2 * MEGABYTE;

async fn one_worker(sandbox: &Sandbox, replay: &str) -> Process {
    let url = sandbox.url();
    Process::serve(&format!(
        "[server]\nlisten = [\"127.0.0.1:0\"]\nworkers = 1\n[admin]\nlisten = \"127.0.0.1:0\"\n\
         [upstream]\nbase_urls = [\"{url}\"]\n[replay]\n{replay}\n{SHOP}"
    ))
    .await
}

fn hex(digest: Context) -> String {
    digest.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn blob_sha256(length: u64) -> String {
    let mut digest = Context::new(&SHA256);
    blob(length).for_each(|block| digest.update(&block));
    hex(digest)
}

/// Downloads a blob piece by piece and gives its digest.
async fn download(client: &reqwest::Client, process: &Process, length: u64) -> String {
    let url = format!("http://{}/cgi-bin/media/get?media_id=blob-{length}", process.authority);
    let mut response = client.get(url).send().await.expect("an answer");
    assert_eq!(response.content_length(), Some(length));
    let mut digest = Context::new(&SHA256);
    while let Some(piece) = response.chunk().await.expect("whole") {
        digest.update(&piece);
    }
    hex(digest)
}

#[tokio::test(flavor = "multi_thread")]
async fn downloads_of_any_length_stream_through_in_bounded_memory() {
    let sandbox = sandbox();
    let process = one_worker(&sandbox, "").await;
    let client = client();
    for _ in 0..4 {
        assert_eq!(download(&client, &process, 120_000).await, blob_sha256(120_000));
    }
    let before = process.memory("VmHWM");
    assert_eq!(download(&client, &process, LONG).await, blob_sha256(LONG));
    let grown = process.memory("VmHWM").saturating_sub(before);
    assert!(grown < SLACK, "{grown} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_is_not_read_ahead_for() {
    let sandbox = sandbox();
    let process = one_worker(&sandbox, "").await;
    let client = client();
    for _ in 0..4 {
        download(&client, &process, 120_000).await;
    }
    let before = process.memory("VmHWM");
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(16 * 1024).expect("set");
    let mut slow = socket.connect(process.authority.parse().expect("an address")).await.expect("connected");
    let request = format!(
        "GET /cgi-bin/media/get?media_id=blob-{LONG} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    );
    slow.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = vec![0; 100_000];
    slow.read_exact(&mut answer).await.expect("the beginning");
    // The one worker has all the time of another caller's download to read ahead in.
    assert_eq!(download(&client, &process, LONG).await, blob_sha256(LONG));
    let grown = process.memory("VmHWM").saturating_sub(before);
    assert!(grown < 2 * SLACK, "{grown} bytes for two downloads");
    slow.read_to_end(&mut answer).await.expect("the rest");
    let head = memchr::memmem::find(&answer, b"\r\n\r\n").expect("a head") + 4;
    let mut digest = Context::new(&SHA256);
    digest.update(&answer[head..]);
    assert_eq!(hex(digest), blob_sha256(LONG));
}

/// The blob as a request's body.
struct Upload(Box<dyn Iterator<Item = bytes::Bytes> + Send>);

impl Stream for Upload {
    type Item = Result<bytes::Bytes, std::io::Error>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.next().map(Ok))
    }
}

/// Uploads the blob, with its length announced.
async fn upload(client: &reqwest::Client, authority: &str, length: u64) -> Answer {
    let body = reqwest::Body::wrap_stream(Upload(Box::new(blob(length))));
    let call = client.post(format!("http://{authority}/wxa/anything")).header("content-length", length);
    Answer::of(call.header("x-wxgate-explain", "1").body(body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_too_long_to_be_replayed_streams_through_in_bounded_memory() {
    let sandbox = sandbox();
    sandbox.change(|settings| settings.allow_unlisted = true);
    let process = one_worker(&sandbox, "max_body = \"64KiB\"").await;
    let client = client();
    for _ in 0..4 {
        assert_eq!(upload(&client, &process.authority, 120_000).await.errcode(), 0);
    }
    sandbox.reset();
    let before = process.memory("VmHWM");
    assert_eq!(upload(&client, &process.authority, LONG).await.errcode(), 0);
    let grown = process.memory("VmHWM").saturating_sub(before);
    assert!(grown < SLACK, "{grown} bytes");
    let seen = sandbox.journal(Some("/wxa/anything"));
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].body_sha256, Some(blob_sha256(LONG)));
    assert_eq!(seen[0].header("content-length"), Some(LONG.to_string().as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_too_long_to_be_replayed_is_not_but_the_next_caller_has_the_new_token() {
    let setup = Setup { replay: "max_body = \"1MiB\"".into(), ..Setup::default() };
    let gate = Gate::with(setup).await.settled().await;
    gate.sandbox.change(|settings| settings.allow_unlisted = true);
    gate.sandbox.rotate(APPID);
    let answer = upload(&gate.client, &gate.authority(), 2 * MEGABYTE).await;
    assert_eq!((answer.status, answer.errcode()), (200, 40001), "WeChat's own answer");
    assert_eq!(answer.header("x-wxgate-replays"), Some("0"));
    assert_eq!(gate.only("/wxa/anything").body_sha256, Some(blob_sha256(2 * MEGABYTE)));
    assert_eq!(gate.counts(), (1, 0, 0));
    let answer = upload(&gate.client, &gate.authority(), 2 * MEGABYTE).await;
    assert_eq!((answer.errcode(), gate.counts()), (0, (1, 0, 0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_too_long_to_be_replayed_begins_with_a_token_that_will_last() {
    let setup = Setup { replay: "max_body = \"1MiB\"".into(), ..Setup::default() };
    let gate = Arc::new(Gate::with(setup).await.settled().await);
    gate.sandbox.change(|settings| settings.allow_unlisted = true);
    let old = gate.token(APPID);
    gate.sandbox.fault(Fault::new(Action::TokenLatency { milliseconds: 400 }));
    let (to_its_last_minutes, ms) = (7200 - 200, 1000);
    gate.sandbox.advance(to_its_last_minutes * ms);
    gate.clock.advance(to_its_last_minutes * ms);
    let mut uploading = tokio::task::JoinSet::new();
    let of_upload = Arc::clone(&gate);
    uploading.spawn(async move { upload(&of_upload.client, &of_upload.authority(), 2 * MEGABYTE).await });
    // Others go on with the old token meanwhile.
    gate.sandbox.arrived("/cgi-bin/stable_token", 1).await;
    let small = gate.post("/wxa/small", "{}").await;
    assert_eq!(small.errcode(), 0);
    assert_eq!(uploading.join_next().await.expect("one").expect("joined").errcode(), 0);
    let new = gate.token(APPID);
    assert_ne!(old, new);
    assert_eq!(gate.only("/wxa/small").access_token, Some(old));
    assert_eq!(gate.only("/wxa/anything").access_token, Some(new));
    assert_eq!(gate.counts(), (1, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_held_back_only_until_it_is_decided() {
    for (what, answer, least) in [
        ("a picture", b"HTTP/1.1 200 OK\r\n\r\n\x89PNG".to_vec(), 4),
        ("a list", b"HTTP/1.1 200 OK\r\n\r\n [".to_vec(), 2),
        ("announced to be long", b"HTTP/1.1 200 OK\r\nContent-Length: 4097\r\n\r\n{".to_vec(), 1),
        ("another status", b"HTTP/1.1 201 OK\r\nContent-Length: 20\r\n\r\n{".to_vec(), 1),
        ("a file", b"HTTP/1.1 200 OK\r\nContent-Disposition: attachment\r\n\r\n{\"".to_vec(), 2),
        (
            "JSON that turns out to be long",
            format!("HTTP/1.1 200 OK\r\n\r\n{{\"a\":\"{}", "x".repeat(5000)).into_bytes(),
            5006,
        ),
        (
            "compressed",
            [b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b", &[b'x'; 5000][..]].concat(),
            5002,
        ),
    ] {
        let (wechat, gate) = Canned::gate(Setup::default()).await;
        wechat.answer(answer);
        wechat.hang();
        let request = gate.client.get(gate.url("/wxa/anything"));
        let mut response = request.send().await.expect("a head");
        let mut came = 0;
        while came < least {
            let piece = response.chunk().await.expect("no break");
            came += piece.unwrap_or_else(|| panic!("{what} ended")).len();
        }
        assert_eq!(came, least, "{what}");
    }
}
