//! Who is at the other end, as logs name it.

use std::fmt;
use std::net::IpAddr;

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remote {
    /// A machine, as seen or as a trusted proxy reports it.
    Address(IpAddr),
    /// A process on this machine, through a Unix socket: its user, if the kernel reports it.
    Unix(Option<u32>),
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Unix(Some(uid)) => write!(f, "uid:{uid}"),
            Self::Unix(None) => f.write_str("unix"),
        }
    }
}
