//! The most memory that a configuration can use, and its parts.

use std::fmt;
use std::time::Duration;

use crate::config::Config;
use crate::texts::{Words, text, words};
use crate::{callback, pipeline, server, upstream};

/// The binary, tables, names and tokens, and what the control plane does.
const BASE: u64 = 64 << 20;
/// Of each worker: counts, log lines that aren't written yet, the threads that read spool files.
const WORKER: u64 = 16 << 20;
/// Connections to the admin address.
const ADMIN_CONNECTIONS: usize = 256;
/// The longest that the shutdown waits for requests there.
const ADMIN_DRAIN: Duration = Duration::from_secs(2);
/// What the allocator holds: fragments, and what was freed. In percent.
const ALLOCATOR: u64 = 15;

/// The most memory that a configuration can use.
#[derive(Debug)]
pub struct MostMemory {
    parts: Vec<(u64, Words)>,
}

/// Requests that can be in flight at once: each has a connection of its own.
pub(super) fn most_at_work(config: &Config) -> u64 {
    config.pipeline.places(config.server.workers).min(config.server.options.max_connections as u64)
}

/// Connections to WeChat that are kept for the next requests.
pub(super) fn most_idle(config: &Config) -> u64 {
    most_at_work(config) / 4
}

/// How the admin address treats connections. Few people use it, so its connections take little
/// memory. It shuts down last: idle connections are closed at once, others soon.
pub(super) fn admin_options(options: &server::Options) -> server::Options {
    server::Options {
        max_connections: options.max_connections.min(ADMIN_CONNECTIONS),
        drain_delay: Duration::ZERO,
        drain_idle: Duration::ZERO,
        drain_timeout: options.drain_timeout.min(ADMIN_DRAIN),
        ..options.clone()
    }
}

/// The most memory that `config` can use.
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
            words!("connections of callers ({connections}, server.max_connections)", connections),
        ),
        (
            at_work.saturating_mul(
                pipeline::most_memory_of_request() + server::most_held(&config.server.options),
            ),
            words!(
                "requests with short bodies ({count}, server.max_inflight and server.max_connections)",
                count = at_work
            ),
        ),
        (waiting * pipeline::most_memory_of_waiting(), words!("queued requests ({waiting})", waiting)),
        (
            at_work
                .saturating_add(most_idle(config))
                .saturating_mul(upstream::most_memory(config.server.options.max_head)),
            words!("connections to WeChat ({count} and idle ones)", count = at_work),
        ),
        (config.pipeline.replay.memory, words!("long bodies, and unauthenticated ones (replay.memory)")),
    ];
    if config.pipeline.apps.iter().any(|app| app.token.kind.is_platform()) {
        parts.push((pipeline::MOST_GRANTS_MEMORY, words!("responses with refresh tokens")));
    }
    parts.push((others, words!("connections to the admin and callback addresses")));
    parts.push((BASE + config.server.workers as u64 * WORKER, words!("everything else")));
    let mut most = MostMemory { parts };
    let of_allocator = most.bytes() / 100 * ALLOCATOR;
    most.parts.push((of_allocator, words!("the allocator's overhead")));
    most
}

impl MostMemory {
    /// In a clause for people, without the parts.
    pub fn sum(&self) -> String {
        text!("wxgate uses at most {size} of memory", size = size(self.bytes())).to_string()
    }

    /// All parts together, in bytes.
    pub fn bytes(&self) -> u64 {
        self.parts.iter().fold(0, |sum, (bytes, _)| sum.saturating_add(*bytes))
    }
}

impl fmt::Display for MostMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part =
            |(bytes, what): &(u64, Words)| text!("{size} for {what}", size = size(*bytes), what).to_string();
        let parts: Vec<_> = self.parts.iter().map(part).collect();
        let text = text!(
            "{sum}: {parts}; socket buffers of the kernel are not included, nor is replay.spool if its directory is in \
             memory",
            sum = self.sum(),
            parts = parts.join(&text!(", ").to_string())
        );
        text.fmt(f)
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
