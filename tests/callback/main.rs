//! Pushes over real sockets, as WeChat sends them and as it doesn't.
#![expect(clippy::expect_used, reason = "a test ends by panicking")]
#![expect(unreachable_pub, reason = "a test program has no outside")]

mod platform;
mod receiver;

mod refused;
mod repeated;
mod taken;
mod wire;
