//! Tokens written for services beside the proxy: to files, and to a real Redis in the forms of SDK
//! caches.

mod cache;
mod file;

use crate::harness::{APPID, Gate, SHOP, Setup};

/// The shop app with these exports.
fn exporting(exports: &[String]) -> Setup {
    Setup { apps: with(exports), ..Setup::default() }
}

fn with(exports: &[String]) -> String {
    let exports = exports.iter().map(|export| format!("[[app.export]]\n{export}\n"));
    format!("{SHOP}{}", exports.collect::<String>())
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
