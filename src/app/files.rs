//! How many files and connections may be open at once: the kernel counts them alike.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::memory::{admin_options, most_at_work, most_idle};
use crate::callback;
use crate::config::Config;
use crate::texts::text;

/// Listeners, the store, exports, files that are watched, connections that are refused, wxgate's
/// own calls.
const BASE: u64 = 512;
/// Of each worker, for its runtime.
const WORKER: u64 = 8;

/// The most files and connections that `config` has open at once.
pub fn most_files(config: &Config) -> u64 {
    let server = &config.server;
    // Each request in flight has a connection to WeChat, and may have a spool file.
    let of_requests = most_at_work(config).saturating_mul(2).saturating_add(most_idle(config));
    let pushes = match config.callback.listen.is_empty() {
        true => 0,
        false => callback::server_options(&server.options).max_connections,
    };
    let connections =
        [server.options.max_connections, admin_options(&server.options).max_connections, pushes];
    let connections = connections.iter().fold(of_requests, |sum, more| sum.saturating_add(*more as u64));
    connections.saturating_add(BASE + WORKER * server.workers as u64)
}

/// Raises the limit to what the system allows this process, as no file is opened by its number
/// here; warns if `config` can have more open than that.
pub(super) fn raise_limit(config: &Config) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        // If it is refused, the warning says so.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
    let (needed, allowed) = (most_files(config), getrlimit(Resource::Nofile).current);
    if let Some(allowed) = allowed.filter(|allowed| *allowed < needed) {
        tracing::warn!(
            needed,
            allowed,
            "{}",
            text!(
                "this configuration may open {needed} files and connections (server.max_connections, \
                 server.max_inflight), but the system allows this process only {allowed}: beyond that, callers wait \
                 and calls fail. Raise LimitNOFILE= of the systemd unit, `ulimit -n` or the container's nofile, or \
                 lower server.max_connections",
                needed,
                allowed
            )
        );
    }
}
