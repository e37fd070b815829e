//! The program as a process: signals, files that change, sockets, its log, and what it costs to do
//! nothing.

mod caller;
pub mod process;

mod audit;
mod drain;
mod files;
mod held;
mod idle;
mod included;
mod leaving;
mod log;
mod memory;
mod notified;
mod reload;
mod replicas;
mod sockets;
mod undumpable;

/// How often a process is stopped and started anew under load.
fn stops() -> usize {
    #[expect(clippy::disallowed_methods, reason = "a test's own setting")]
    let wanted = std::env::var("WXGATE_STOPS").ok();
    wanted.and_then(|wanted| wanted.parse().ok()).unwrap_or(3)
}
