//! wxgate beside other people's programs: SDKs, a browser, Prometheus. `tests/run` installs them.
#![expect(clippy::expect_used, clippy::panic, reason = "a test ends where its setting fails")]
#![expect(unreachable_pub, reason = "a test program has no outside")]

mod browser;
#[expect(dead_code, reason = "shared with the tests of the proxy, which look at more")]
#[path = "../harness.rs"]
mod harness;
mod installer;
#[expect(dead_code, reason = "shared with the tests of the store, which look at more")]
#[path = "../redis_server.rs"]
mod redis_server;
#[path = "../signed_call.rs"]
mod signed_call;
#[path = "../until.rs"]
mod until;

mod deploy;
mod monitoring;
mod packages;
mod page;
mod readers;
mod sandbox_page;
mod sdk;
mod signing;
mod web_pages;
