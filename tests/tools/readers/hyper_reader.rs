//! Hyper's client, over a connection in memory.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::{Case, Reading, Response};

/// Time stands still as long as there is anything to do, so that this is "nothing more happens".
const STILL: Duration = Duration::from_secs(1);

/// What it makes of each.
pub(super) fn read(cases: &[Case]) -> Vec<Reading> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    cases.iter().map(|case| runtime.block_on(read_one(case)).unwrap_or_else(Reading::refused)).collect()
}

#[expect(clippy::disallowed_methods, reason = "they end with their runtime")]
async fn read_one(case: &Case) -> Result<Reading, hyper::Error> {
    let (here, mut there) = tokio::io::duplex(case.bytes.len() + 4096);
    let (mut sender, connection) = http1::handshake(TokioIo::new(here)).await?;
    let driven = tokio::spawn(connection);
    let bytes = case.bytes.clone();
    let played = tokio::spawn(async move {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n")
            && there.read_buf(&mut request).await.is_ok_and(|count| count > 0)
        {}
        there.write_all(&bytes).await.expect("room for all of it");
        there
    });
    let method = if case.to_head { "HEAD" } else { "GET" };
    let request = http::Request::builder().method(method).uri("/").header("Host", "x");
    let sent = sender.send_request(request.body(Empty::<Bytes>::new()).expect("a request"));
    let mut whole = pin!(async {
        let (head, body) = sent.await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok::<_, hyper::Error>((head, body))
    });
    let still_open = timeout(STILL, &mut whole).await;
    let before_end = still_open.is_ok();
    let there = played.await.expect("no panic");
    let read = match still_open {
        Ok(read) => read,
        Err(_) => {
            drop(there);
            whole.await
        }
    };
    let (head, body) = read?;
    tokio::time::sleep(STILL).await;
    let goes_on = before_end && sender.is_ready();
    driven.abort();
    Ok(Reading::Read(Response {
        status: head.status.as_u16(),
        fields: head
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
            .collect(),
        body: body.to_vec(),
        rest: None,
        goes_on: Some(goes_on),
    }))
}
