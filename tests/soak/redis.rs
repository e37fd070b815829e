//! Who is who among the servers that a sentinel watches.

use std::time::Duration;

use tokio::time::sleep;

use crate::redis_server::{RedisServer, Watched};
use crate::until::until;

/// The master's port, as the sentinel tells it.
pub fn master_port(watched: &Watched) -> u16 {
    let told = watched.sentinel.command(&["SENTINEL", "get-master-addr-by-name", "main"]);
    told.lines().nth(1).and_then(|port| port.parse().ok()).expect("a port")
}

/// The server with this port.
pub fn server(watched: &mut Watched, port: u16) -> &mut RedisServer {
    if watched.master.port() == port { &mut watched.master } else { &mut watched.replica }
}

/// The master now.
pub fn master(watched: &mut Watched) -> &mut RedisServer {
    let port = master_port(watched);
    server(watched, port)
}

/// Waits until another server than the one with this port is the master.
pub async fn failed_over(watched: &Watched, from: u16) {
    let what = || format!("a master other than {from}\n{}", watched.sentinel.log());
    let other = async || {
        // Each look is a process.
        sleep(Duration::from_millis(100)).await;
        master_port(watched) != from
    };
    until(what, other).await;
}

/// Whether the other server follows the master. A former one goes on as a master of its own for
/// some ten seconds, until the sentinel demotes it and its connections end.
pub fn is_settled(watched: &Watched) -> bool {
    let master = master_port(watched);
    let other = if watched.master.port() == master { &watched.replica } else { &watched.master };
    let told = other.command(&["INFO", "replication"]);
    told.contains("role:slave")
        && told.contains(&format!("master_port:{master}\r"))
        && told.contains("master_link_status:up")
}

/// Whether the replica follows its master, so that a failover can go well.
pub fn is_whole(watched: &Watched) -> bool {
    let told = watched.sentinel.command(&["SENTINEL", "replicas", "main"]);
    told.contains("master-link-status\nok") && !told.contains("_down") && is_settled(watched)
}
