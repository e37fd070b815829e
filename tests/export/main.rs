//! Tokens written for services beside the proxy: to files, and to a real Redis in the forms of SDK caches.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "what a test relies on is asserted, outside test functions too"
)]

mod cache;
mod file;
#[expect(dead_code, unreachable_pub, reason = "shared with the tests of the proxy, which look at more")]
#[path = "../proxy/harness.rs"]
mod harness;
#[expect(unreachable_pub, reason = "a test program has no outside")]
#[path = "../redis_server/mod.rs"]
mod redis_server;

use std::time::Duration;

use harness::{APPID, Gate, SHOP, Setup};
use tokio::time::{Instant, sleep};

/// Longer than anything here takes on a busy machine.
const LOST: Duration = Duration::from_secs(20);

/// The shop app with these exports.
fn exporting(exports: &[String]) -> Setup {
    Setup { apps: with(exports), ..Setup::default() }
}

fn with(exports: &[String]) -> String {
    let exports = exports.iter().map(|export| format!("[[app.export]]\n{export}\n"));
    format!("{SHOP}{}", exports.collect::<String>())
}

/// Waits until it holds.
async fn until<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    let give_up = Instant::now() + LOST;
    while !holds().await {
        assert!(Instant::now() < give_up, "it never came to be that {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// Somebody else fetches, and a call has the proxy notice.
async fn rotate(gate: &Gate) -> String {
    assert_eq!(gate.sandbox.rotate(APPID), 1);
    assert_eq!(gate.get("/cgi-bin/user/info?openid=o").await.errcode(), 0);
    gate.token(APPID)
}

/// Lets the exports look at their places.
fn check_now(gate: &Gate) {
    gate.clock.advance(10_001);
}

/// What the status says of the export with this index.
async fn status(gate: &Gate, index: usize) -> serde_json::Value {
    gate.status().await["apps"][0]["exports"][index].clone()
}
