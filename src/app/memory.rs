//! The most memory that a configuration can take, and of what it is the sum.

use std::fmt;
use std::time::Duration;

use crate::config::Config;
use crate::{callback, pipeline, server, upstream};

/// The binary, tables, names and tokens, and what the control plane does.
const BASE: u64 = 64 << 20;
/// Of each worker: counts, log lines that aren't written yet, the threads that read spool files.
const WORKER: u64 = 16 << 20;
/// Connections to the admin address.
const ADMIN_CONNECTIONS: usize = 256;
/// The longest that the end waits for somebody there.
const ADMIN_DRAIN: Duration = Duration::from_secs(2);
/// What lies with the allocator: pieces between others, and what was given back. In hundredths.
const ALLOCATOR: u64 = 15;

/// The most memory that a configuration can take.
#[derive(Debug)]
pub struct MostMemory {
    parts: Vec<(u64, String)>,
}

/// Requests that can be at work at once: each has a connection of its own.
pub(super) fn most_at_work(config: &Config) -> u64 {
    config.pipeline.places(config.server.workers).min(config.server.options.max_connections as u64)
}

/// Connections to WeChat that are kept for the next requests.
pub(super) fn most_idle(config: &Config) -> u64 {
    most_at_work(config) / 4
}

/// How the admin address treats connections. Few people look at it, so that its connections take
/// little. It ends last: nobody waits for who is idle there, and for others not long.
pub(super) fn admin_options(options: &server::Options) -> server::Options {
    server::Options {
        max_connections: options.max_connections.min(ADMIN_CONNECTIONS),
        drain_delay: Duration::ZERO,
        drain_idle: Duration::ZERO,
        drain_timeout: options.drain_timeout.min(ADMIN_DRAIN),
        ..options.clone()
    }
}

/// The most memory that `config` can take.
pub fn most_memory(config: &Config) -> MostMemory {
    let connections = config.server.options.max_connections;
    let at_work = most_at_work(config);
    let waiting = pipeline::most_waiting(at_work);
    let admin = admin_options(&config.server.options);
    let pushes = callback::server_options(&config.server.options);
    let of_pushes = if config.callback.listen.is_empty() { 0 } else { server::most_memory(&pushes) };
    let others = server::most_memory(&admin) + of_pushes;
    let of_tls = match config.server.tls {
        Some(_) => server::TLS_MEMORY.saturating_mul(connections as u64),
        None => 0,
    };
    let mut parts = vec![
        (
            server::most_memory(&config.server.options).saturating_add(of_tls),
            format!("callers' connections ({connections}, server.max_connections)"),
        ),
        (
            at_work.saturating_mul(
                pipeline::most_memory_of_request() + server::most_held(&config.server.options),
            ),
            format!("requests with short bodies ({at_work}, server.max_inflight and server.max_connections)"),
        ),
        (
            waiting * pipeline::most_memory_of_waiting(),
            format!("requests that wait for their turn ({waiting})"),
        ),
        (
            at_work
                .saturating_add(most_idle(config))
                .saturating_mul(upstream::most_memory(config.server.options.max_head)),
            format!("connections to WeChat ({at_work} and idle ones)"),
        ),
        (config.pipeline.replay.memory, "long bodies, and those of strangers (replay.memory)".to_owned()),
    ];
    if config.pipeline.apps.iter().any(|app| app.token.kind.is_platform()) {
        parts.push((pipeline::MOST_GRANTS_MEMORY, "answers with refresh tokens".to_owned()));
    }
    parts.push((others, "connections to the admin and callback addresses".to_owned()));
    parts.push((BASE + config.server.workers as u64 * WORKER, "all else".to_owned()));
    let mut most = MostMemory { parts };
    let of_allocator = most.bytes() / 100 * ALLOCATOR;
    most.parts.push((of_allocator, "what the allocator keeps".to_owned()));
    most
}

impl MostMemory {
    /// In a clause for people, without the parts.
    pub fn sum(&self) -> String {
        format!("wxgate takes at most {} of memory", size(self.bytes()))
    }

    /// All parts together, in bytes.
    pub fn bytes(&self) -> u64 {
        self.parts.iter().fold(0, |sum, (bytes, _)| sum.saturating_add(*bytes))
    }
}

impl fmt::Display for MostMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.sum())?;
        for (place, (bytes, what)) in self.parts.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{} for {what}", size(*bytes))?;
        }
        f.write_str(
            "; the kernel's buffers of sockets come on top, and replay.spool where its folder lies in memory",
        )
    }
}

fn size(bytes: u64) -> String {
    let mebibytes = bytes.div_ceil(1 << 20);
    if mebibytes < 1024 {
        format!("{mebibytes} MiB")
    } else {
        format!("{:.1} GiB", bytes as f64 / (1 << 30) as f64)
    }
}
