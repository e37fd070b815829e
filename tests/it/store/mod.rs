//! What every store does, on each engine, and what each engine does when its disk or its server
//! fails.

mod contract;
mod file;
mod hostile;
mod redis;
mod tool;
