//! The fake WeChat API through real sockets.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "what a test relies on is asserted, outside test functions too"
)]

#[path = "sandbox/client.rs"]
mod client;
#[path = "sandbox/control.rs"]
mod control;
#[path = "sandbox/endpoints.rs"]
mod endpoints;
#[path = "sandbox/faults.rs"]
mod faults;
#[path = "sandbox/journal.rs"]
mod journal;
#[path = "sandbox/tokens.rs"]
mod tokens;
#[path = "sandbox/variants.rs"]
mod variants;
