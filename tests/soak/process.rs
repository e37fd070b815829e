//! What the kernel says of a process.

/// Memory, descriptors and threads.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    pub kib: u64,
    pub descriptors: usize,
    pub threads: u64,
}

impl Held {
    pub fn by(process: u32) -> Self {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
        let figure = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
            line.split_whitespace().next().and_then(|figure| figure.parse().ok()).expect("a figure")
        };
        // One process may read its child's descriptors, however undumpable, as root alone; their number is public.
        let descriptors = std::fs::read_dir(format!("/proc/{process}/fd")).map_or(0, Iterator::count);
        Self { kib: figure("VmRSS:"), descriptors, threads: figure("Threads:") }
    }
}
