//! What is in memory stays there: the process leaves no core dump, and no other process of its user
//! may look into it.

use std::io;

/// Makes this process undumpable, which also closes ptrace and its `/proc/PID/mem`, `environ` and
/// `fd` to all but root. Files of `/proc/self` stay open to itself.
///
/// # Errors
/// The system refuses it, as a seccomp filter may.
#[cfg(target_os = "linux")]
pub fn forbid_dumps() -> io::Result<()> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    // A limit of 0 for core dumps would add nothing, and a filter of system calls may forbid it.
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// Forbids core dumps; more than that only Linux can.
///
/// # Errors
/// The system refuses it.
#[cfg(not(target_os = "linux"))]
pub fn forbid_dumps() -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    Ok(setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?)
}
