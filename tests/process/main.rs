//! The program as people and their machines run it: commands, signals, several processes on one
//! store.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends where its setting fails"
)]
#![expect(unreachable_pub, reason = "a test program has no outside")]

#[expect(dead_code, reason = "shared with the tests of the store, which look at more")]
#[path = "../redis_server.rs"]
mod redis_server;
#[path = "../until.rs"]
mod until;

mod canaries;
mod cli;
mod client;
mod cluster;
mod configuration;
mod degraded;
mod demo;
mod key;
mod lifecycle;
mod online;
mod pages;
mod probe;
mod program;
