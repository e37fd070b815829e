//! The fake WeChat API through real sockets.

mod client;
mod control;
mod endpoints;
mod faults;
mod journal;
mod page;
mod shapes;
mod signing;
mod suites;
mod tokens;
mod unlisted;
mod variants;
