//! The life of a token at a scripted WeChat over real sockets.
#![expect(clippy::disallowed_methods, reason = "a test's tasks end with its runtime")]

mod bench;
mod failures;
mod fake;
mod ladder;
mod sharing;
mod time;
