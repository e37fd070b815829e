//! The program as a process: signals, files that change, sockets, its log, and what it costs to do nothing.
#![expect(clippy::expect_used, clippy::panic, reason = "a test ends by panicking")]
#![expect(unreachable_pub, reason = "the harness's items are public to the tests")]

mod process;

mod drain;
mod idle;
mod reload;
mod sockets;
