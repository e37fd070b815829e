//! Sockets bound by another process.

use crate::server::Address;

/// Where sockets listen that were passed to this process: they take the place of what the file
/// says. Of what isn't passed the file's addresses are bound.
#[derive(Clone, Debug, Default)]
pub struct Passed {
    /// In place of `server.listen`.
    pub server: Vec<Address>,
    /// In place of `admin.listen`.
    pub admin: Option<Address>,
    /// In place of `callback.listen`.
    pub callback: Vec<Address>,
}
