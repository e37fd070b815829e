//! Several real processes of wxgate on one store: one token for all of them.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test ends where its setting fails"
)]
#![expect(unreachable_pub, reason = "a test program has no outside")]

mod budget;
mod callers;
mod counting;
mod fleet;
mod grants;
mod kill;
mod latency;
mod outage;
#[path = "../redis_server/mod.rs"]
mod redis_server;
mod rotation;
