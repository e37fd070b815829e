//! What every store does, on each engine, and what each engine does when its disk or its server fails.
#![expect(clippy::expect_used, clippy::panic, reason = "a test ends where its setting fails")]
#![expect(unreachable_pub, reason = "a test program has no outside")]

mod contract;
mod file;
mod redis;
#[path = "../redis_server/mod.rs"]
mod redis_server;
mod tool;
