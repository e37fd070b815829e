//! The process as the operating system sees it, under the names of Prometheus' own clients. Empty
//! without /proc, which only Linux has.

use std::fs;

use super::clock::Timestamp;
use super::exposition::Exposition;

/// Ticks a second in which /proc counts processor time (`USER_HZ`), the same on all architectures.
const TICKS: f64 = 100.0;

/// Adds what is known of this process, which began at `started_at`, to a scrape.
pub fn expose(started_at: Timestamp, out: &mut Exposition) {
    let stat = read("stat");
    let seconds = processor_seconds(&stat);
    if let Some(seconds) = seconds {
        out.counter("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.");
        out.sample(&[], seconds);
    }
    let status = read("status");
    let gauges = [
        ("process_resident_memory_bytes", "Resident memory size in bytes.", bytes(&status, "VmRSS:")),
        ("process_virtual_memory_bytes", "Virtual memory size in bytes.", bytes(&status, "VmSize:")),
        ("process_open_fds", "Number of open file descriptors.", open_files()),
        ("process_max_fds", "Maximum number of open file descriptors.", most_files(&read("limits"))),
        (
            "process_start_time_seconds",
            "Start time of the process since unix epoch in seconds.",
            Some(started_at.seconds()),
        ),
    ];
    for (name, help, value) in gauges {
        if let Some(value) = value {
            out.gauge(name, help);
            out.sample(&[], value);
        }
    }
}

fn read(file: &str) -> String {
    fs::read_to_string(format!("/proc/self/{file}")).unwrap_or_default()
}

/// Fields 14 and 15 of proc_pid_stat(5): processor time in user mode and in the kernel.
fn processor_seconds(stat: &str) -> Option<f64> {
    // The program's name, the second field, may hold anything.
    let (_, behind_name) = stat.rsplit_once(')')?;
    let mut fields = behind_name.split_ascii_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some((ticks()? + ticks()?) as f64 / TICKS)
}

/// A line of proc_pid_status(5), `VmRSS:     9876 kB`.
fn bytes(status: &str, key: &str) -> Option<f64> {
    let value = status.lines().find_map(|line| line.strip_prefix(key))?;
    let kibibytes: u64 = value.trim().strip_suffix(" kB")?.trim_end().parse().ok()?;
    Some((kibibytes * 1024) as f64)
}

fn open_files() -> Option<f64> {
    // One of them is the folder that is being read.
    let listed = fs::read_dir("/proc/self/fd").ok()?.count();
    Some(listed.saturating_sub(1) as f64)
}

/// The soft limit in proc_pid_limits(5).
fn most_files(limits: &str) -> Option<f64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_ascii_whitespace().next()? {
        "unlimited" => Some(f64::INFINITY),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::{bytes, expose, most_files, processor_seconds};
    use crate::observe::clock::Timestamp;
    use crate::observe::exposition::{Dialect, Exposition};

    #[test]
    fn figures_are_read_as_linux_writes_them() {
        let stat = "4242 (wx) gate) S 1 4242 4242 0 -1 4194304 100 0 0 0 1234 66 0 0 20 0 9 0 55 1 2\n";
        assert_eq!(processor_seconds(stat), Some(13.0));
        assert_eq!(processor_seconds(""), None);
        let status = "Name:\twxgate\nVmSize:\t  204800 kB\nVmRSS:\t    9876 kB\n";
        assert_eq!(bytes(status, "VmRSS:"), Some(10_113_024.0));
        assert_eq!(bytes(status, "VmSize:"), Some(209_715_200.0));
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                      Max open files            1024                 524288               files\n";
        assert_eq!(most_files(limits), Some(1024.0));
    }

    #[test]
    fn this_process_has_all_six_in_either_dialect() {
        for (dialect, cpu) in [
            (Dialect::Prometheus, "# TYPE process_cpu_seconds_total counter\n"),
            (Dialect::OpenMetrics, "# TYPE process_cpu_seconds counter\n"),
        ] {
            let mut out = Exposition::new(dialect);
            expose(Timestamp(1_700_000_000_500), &mut out);
            let text = out.finish();
            assert!(text.contains(cpu), "{text}");
            assert!(text.contains("\nprocess_start_time_seconds 1700000000.5\n"), "{text}");
            for name in [
                "process_cpu_seconds_total",
                "process_resident_memory_bytes",
                "process_virtual_memory_bytes",
                "process_open_fds",
                "process_max_fds",
            ] {
                let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
                assert!(
                    value.is_some_and(|value| value.parse::<f64>().is_ok_and(|value| value >= 0.0)),
                    "{name}"
                );
            }
        }
    }
}
