//! The life of a token at a scripted WeChat over real sockets.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test ends where its setting fails, and its tasks with its runtime"
)]

#[path = "token/bench.rs"]
mod bench;
#[path = "token/failures.rs"]
mod failures;
#[path = "token/fake.rs"]
mod fake;
#[path = "token/ladder.rs"]
mod ladder;
#[path = "token/sharing.rs"]
mod sharing;
#[path = "token/time.rs"]
mod time;
