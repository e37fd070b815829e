//! Who pulls the strings: tests in this process by a handle, all others over HTTP.

mod guard;
pub(super) mod handle;
pub(super) mod http;
mod index;
mod order;
mod push;
