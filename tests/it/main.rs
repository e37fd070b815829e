//! What wxgate does within one process, through its library and real sockets. Some of it needs
//! redis-server, and some starts the program.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends where its setting fails"
)]
#![expect(unreachable_pub, reason = "a test program has no outside")]

#[path = "../harness.rs"]
mod harness;
#[path = "../redis_server.rs"]
mod redis_server;
#[path = "../signed_call.rs"]
mod signed_call;
#[path = "../until.rs"]
mod until;

mod admin;
mod architecture;
mod callback;
mod catalogue;
mod config;
mod deploy;
mod docs;
mod explain;
mod export;
mod faq;
mod former;
mod fuzz;
mod layers;
mod openapi;
#[cfg(feature = "otlp")]
mod otlp;
mod proxy;
mod reference;
mod sandbox;
mod server;
mod store;
mod texts;
mod token;
