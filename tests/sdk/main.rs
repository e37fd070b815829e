//! Unmodified SDKs behind the proxy: what they get, and what WeChat gets to see.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "what a test relies on is asserted, outside test functions too"
)]

mod callback;
mod events;
mod exported;
mod guide;
#[expect(dead_code, unreachable_pub, reason = "shared with the tests of the proxy, which look at more")]
#[path = "../proxy/harness.rs"]
mod harness;
mod installer;
mod javascript;
mod node;
#[expect(unreachable_pub, reason = "a test program has no outside")]
#[path = "../redis_server/mod.rs"]
mod redis_server;
mod tour;
mod venv;
mod wechatpy;
