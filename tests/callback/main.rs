//! Pushes over real sockets, as WeChat sends them and as it doesn't.
#![expect(clippy::expect_used, clippy::panic, reason = "a test ends by panicking")]
#![expect(unreachable_pub, reason = "a test program has no outside")]

#[expect(dead_code, reason = "shared with the tests of the proxy, which look at more")]
#[path = "../proxy/harness.rs"]
mod harness;
mod platform;
mod receiver;

mod refused;
mod repeated;
mod taken;
mod whole;
mod wire;
