//! The proxy through real sockets, between real callers and the sandbox.
#![expect(clippy::expect_used, clippy::panic, reason = "a test ends by panicking")]
#![expect(unreachable_pub, reason = "the harness's items are public to the tests")]

mod harness;

mod alerts;
mod answers;
mod app_secret;
mod as_proxy;
mod bad_input;
mod budgets;
mod callers;
mod canaries;
mod canned;
mod egress;
mod every_endpoint;
mod failover;
mod front;
mod headers;
mod lease;
mod lifecycle;
mod metrics;
mod names;
mod placeholder;
mod platform;
mod process;
mod query;
mod quota;
mod rates;
#[path = "../redis_server/mod.rs"]
mod redis_server;
mod reload;
mod replay;
mod routing;
mod slowed;
mod streaming;
mod tickets;
mod tls;
mod token_life;
mod upstream;
mod user_tokens;
mod wecom;
