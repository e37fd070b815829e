//! The `wxgate` command; everything is in the library and in `cli`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

mod cli;

/// Beside glibc's, in turns, mimalloc took about a tenth less CPU per request towards an HTTP upstream and as much towards
/// HTTPS (`benches/compare`), for 10 MB of memory.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run()
}
