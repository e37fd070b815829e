//! The program as a process: signals, files that change, sockets, its log, and what it costs to do nothing.

pub mod process;

mod audit;
mod drain;
mod files;
mod idle;
mod log;
mod memory;
mod reload;
mod sockets;
mod undumpable;
