//! The proxy through real sockets, between real callers and the sandbox.
#![expect(clippy::expect_used, clippy::panic, reason = "a test ends by panicking")]
#![expect(unreachable_pub, reason = "the harness's items are public to the tests")]

mod harness;

mod app_secret;
mod bad_input;
mod lifecycle;
mod replay;
mod token_life;
