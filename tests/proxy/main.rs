//! The proxy through real sockets, between real callers and the sandbox.

#[expect(dead_code, reason = "not every look at the proxy has a test yet")]
mod harness;

mod replay;
mod token_life;
