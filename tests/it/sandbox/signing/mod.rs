//! Signed and encrypted calls, by a client that knows WeChat's pages and nothing of the sandbox.

mod answers;
mod client;
mod control;
mod requests;
