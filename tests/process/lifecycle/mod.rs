//! The program as a process: signals, files that change, sockets, its log, and what it costs to do nothing.

mod process;

mod audit;
mod drain;
mod idle;
mod reload;
mod sockets;
