//! Names and their addresses.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

type LookUp = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// Asks for a name's addresses anew each time: whoever caches them is the system.
#[derive(Clone, Default)]
pub struct Resolver(Option<Arc<LookUp>>);

impl Resolver {
    /// One that answers out of `look_up`, in place of the system's.
    pub fn of(look_up: impl Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(look_up)))
    }

    pub(super) async fn look_up(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        match &self.0 {
            Some(look_up) => look_up(host, port),
            None => Ok(tokio::net::lookup_host((host, port)).await?.collect()),
        }
    }
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Resolver(given)" } else { "Resolver(system)" })
    }
}
