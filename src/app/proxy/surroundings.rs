//! What a proxy takes from the process that it runs in.

use std::sync::Arc;

use crate::app::activation::Sockets;
use crate::config::{Config, Included, Problems};
use crate::observe::access_log::AccessLog;
use crate::observe::clock::Clock;
use crate::upstream::Resolver;

/// Reads the configuration again; of the included files, which are in force, one that is broken now
/// stays as it was.
pub type Source = Arc<dyn Fn(&Included) -> Result<Config, Problems> + Send + Sync>;

/// What a proxy takes from its surroundings, so that tests can hand in theirs.
pub struct Surroundings {
    /// The clock of token life.
    pub clock: Clock,
    /// Where access lines go.
    pub log: Arc<AccessLog>,
    /// Where a reload reads the configuration.
    pub source: Source,
    /// Who knows the addresses of WeChat's hosts.
    pub resolver: Resolver,
    /// What was bound for it; the rest it binds.
    pub sockets: Sockets,
}

impl std::fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Surroundings").field("log", &self.log).finish_non_exhaustive()
    }
}
