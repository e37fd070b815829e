//! The stream of snapshots.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use wxgate::api::ErrorCount;

use super::setup::{Setup, on_loopback, quota_of, spent};
use crate::until::until;

/// A listener that reads as a browser does, but by hand.
struct Listening {
    stream: TcpStream,
    text: String,
}

impl Listening {
    async fn begin(setup: &Setup) -> Self {
        let mut stream = setup.connect().await;
        // HTTP/1.0 has no chunks, which could part an event anywhere.
        let request = format!("GET /api/v1/events HTTP/1.0\r\nHost: {}\r\n\r\n", setup.authority());
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut listening = Self { stream, text: String::new() };
        listening.read_to("\r\n\r\n").await.expect("a head");
        listening
    }

    /// What comes up to `end`; none if the connection ended before.
    async fn read_to(&mut self, end: &str) -> Option<String> {
        loop {
            if let Some(at) = self.text.find(end) {
                let rest = self.text.split_off(at + end.len());
                return Some(std::mem::replace(&mut self.text, rest));
            }
            let mut buffer = vec![0; 65_536];
            let read = timeout(Duration::from_secs(20), self.stream.read(&mut buffer));
            let count = read.await.expect("in time").expect("readable");
            if count == 0 {
                return None;
            }
            self.text.push_str(std::str::from_utf8(&buffer[..count]).expect("text"));
        }
    }

    /// The next snapshot, over those that bring nothing new; none at the stream's end.
    async fn snapshot(&mut self) -> Option<Value> {
        self.read_to("event: snapshot\ndata: ").await?;
        let data = self.read_to("\n\n").await?;
        Some(serde_json::from_str(data.trim_end()).expect("JSON"))
    }
}

#[tokio::test]
async fn a_listener_gets_a_snapshot_at_once_and_another_when_something_changed() {
    let setup = on_loopback(None).await;
    let mut listening = Listening::begin(&setup).await;
    let first = listening.snapshot().await.expect("a snapshot");
    assert_eq!(first["status"]["apps"][0]["name"], "shop");
    assert_eq!(first["quota"]["apps"][0]["endpoints"][0]["calls_today"], 8_812);
    assert_eq!((&first["activity"]["events"], &first["changeable"]), (&json!([]), &json!(false)));
    // Nothing changed: a comment keeps the connection alive.
    listening.read_to("\n:\n\n").await.expect("a comment");
    setup.change(|data| data.quota.apps[0].endpoints[0].calls_today = 8_900);
    let second = listening.snapshot().await.expect("a snapshot");
    assert_eq!(second["quota"]["apps"][0]["endpoints"][0]["calls_today"], 8_900);
}

#[tokio::test]
async fn a_snapshot_is_made_once_for_all_listeners() {
    let setup = on_loopback(None).await;
    let mut listening = Vec::new();
    for _ in 0..20 {
        listening.push(Listening::begin(&setup).await);
    }
    for one in &mut listening {
        one.snapshot().await.expect("a snapshot");
    }
    setup.change(|data| data.quota.day = "2026-11-26".into());
    for one in &mut listening {
        assert_eq!(one.snapshot().await.expect("a snapshot")["quota"]["day"], "2026-11-26");
    }
    let made = setup.data.lock().expect("whole").quotas_made;
    assert!(made <= 4, "made {made} times");
}

#[tokio::test]
async fn a_long_quota_is_cut_to_what_a_page_shows() {
    let setup = on_loopback(None).await;
    setup.change(|data| {
        let endpoints = |_| (0..300).map(|at| spent(&format!("/{at}"), 300 - at, Some(1000))).collect();
        data.quota.apps = (0..500).map(|app| quota_of(&format!("app-{app}"), endpoints(app))).collect();
    });
    let snapshot = Listening::begin(&setup).await.snapshot().await.expect("a snapshot");
    assert!(snapshot.to_string().len() < 2_000_000, "{} bytes", snapshot.to_string().len());
    assert_eq!(snapshot["quota"]["apps"].as_array().map(Vec::len), Some(500));
    assert_eq!(snapshot["calls_today"], 500 * (1..=300).sum::<u64>());
    assert_eq!(snapshot["quota"]["apps"][499]["endpoints"][0]["endpoint"], "/0");
}

#[tokio::test]
async fn errors_are_summed_by_code_with_the_places_where_they_happen() {
    let setup = on_loopback(None).await;
    setup.change(|data| {
        let endpoint = |at: u64| {
            let mut endpoint = spent(&format!("/{at}"), 9, None);
            let error = |errcode, count| ErrorCount {
                errcode,
                count,
                meaning: None,
                meaning_zh: None,
                document: None,
            };
            endpoint.errors = vec![error(45009, at + 1), error(40003, 1)];
            endpoint
        };
        data.quota.apps = vec![quota_of("shop", (0..5).map(endpoint).collect())];
    });
    let snapshot = Listening::begin(&setup).await.snapshot().await.expect("a snapshot");
    let errors = &snapshot["errors"];
    assert_eq!(
        (&errors[0]["errcode"], &errors[0]["count"], &errors[0]["more"]),
        (&json!(45009), &json!(15), &json!(2))
    );
    assert_eq!(errors[0]["places"][0], json!({"app": "shop", "endpoint": "/4", "count": 5}));
    assert_eq!((&errors[1]["errcode"], &errors[1]["count"]), (&json!(40003), &json!(5)));
}

#[tokio::test]
async fn listeners_beyond_64_are_refused_until_one_goes() {
    let setup = on_loopback(None).await;
    let mut listening = Vec::new();
    for _ in 0..64 {
        listening.push(Listening::begin(&setup).await);
    }
    assert_eq!(setup.get("/api/v1/events").await.status, 503);
    listening.pop();
    let free = async || setup.ask("HEAD /api/v1/events", "").await.status == 200;
    until(|| "the place that was given back", free).await;
}

#[tokio::test]
async fn a_drain_ends_the_streams_with_a_last_snapshot_that_says_so() {
    let setup = on_loopback(None).await;
    let mut listening = Listening::begin(&setup).await;
    let first = listening.snapshot().await.expect("a snapshot");
    assert_eq!(first["status"]["draining"], false);
    setup.state.draining.send_replace(true);
    let last = listening.snapshot().await.expect("a snapshot");
    assert_eq!(last["status"]["draining"], true);
    assert_eq!(listening.read_to("event: snapshot").await, None, "it was the last");
    let (drained, _) = timeout(Duration::from_secs(5), setup.stop()).await.expect("nothing holds it up");
    assert_eq!(drained.cut_off, 0);
}

#[tokio::test]
async fn a_stream_outlives_the_timeouts_of_its_connection() {
    let setup = on_loopback(None).await;
    let mut listening = Listening::begin(&setup).await;
    listening.snapshot().await.expect("a snapshot");
    // Six seconds, of which the server grants three to a silent caller.
    for _ in 0..3 {
        listening.read_to("\n:\n\n").await.expect("a comment");
    }
}

#[tokio::test]
async fn a_listener_that_does_not_read_is_given_up() {
    let setup = on_loopback(None).await;
    setup.change(|data| data.store.url = "x".repeat(8_000_000));
    let listening = Listening::begin(&setup).await;
    assert_eq!(setup.connections(), 1);
    until(|| "the end of the connection", async || setup.connections() == 0).await;
    drop(listening);
}
