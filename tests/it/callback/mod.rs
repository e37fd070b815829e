//! Pushes over real sockets, as WeChat sends them and as it doesn't.

pub mod platform;
pub mod receiver;

mod refused;
mod repeated;
mod taken;
mod whole;
mod wire;
