//! Who is who among the servers that a sentinel watches.

use crate::redis_server::{RedisServer, Watched};

/// The master now, and the other.
pub fn roles(watched: &mut Watched) -> (&mut RedisServer, &mut RedisServer) {
    let told = watched.sentinel.command(&["SENTINEL", "get-master-addr-by-name", "main"]);
    let is_first = told.lines().nth(1) == Some(&*watched.master.port().to_string());
    if is_first {
        (&mut watched.master, &mut watched.replica)
    } else {
        (&mut watched.replica, &mut watched.master)
    }
}

/// Whether the replica follows its master, so that a failover can go well.
pub fn is_whole(watched: &Watched) -> bool {
    let told = watched.sentinel.command(&["SENTINEL", "replicas", "main"]);
    told.contains("master-link-status\nok") && !told.contains("_down")
}
