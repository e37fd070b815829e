//! What a process holds.

use crate::fleet::Fleet;

/// Memory, descriptors and threads.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    pub kib: u64,
    pub descriptors: u64,
    pub threads: u64,
}

impl Held {
    pub async fn by(fleet: &Fleet, replica: usize) -> Self {
        let replica = &fleet.replicas[replica];
        let status = std::fs::read_to_string(format!("/proc/{}/status", replica.id())).expect("it runs");
        let figure = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
            line.split_whitespace().next().and_then(|figure| figure.parse().ok()).expect("a figure")
        };
        // As it tells: those of a process that isn't dumpable can be read by root alone.
        let descriptors = fleet.metric_of(replica, "process_open_fds ").await as u64;
        Self { kib: figure("VmRSS:"), descriptors, threads: figure("Threads:") }
    }
}
