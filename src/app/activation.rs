//! Sockets that a service manager holds and passes to each process that serves them (`LISTEN_FDS`):
//! they outlive the process, and connections made between two processes wait in their queues.

use std::io;

use listenfd::ListenFd;

use crate::config::{self, Passed};
use crate::server::{Address, Listener};
use crate::texts::text;

/// The names of the sockets, from `FileDescriptorName=` of their units.
const NAMES: &str = "LISTEN_FDNAMES";
const ADMIN: &str = "admin";
const CALLBACK: &str = "callback";
/// The number of the first descriptor (`SD_LISTEN_FDS_START`).
const FIRST: usize = 3;

/// Why the passed sockets can't be served.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Neither TCP nor a unix socket that accepts connections.
    #[error("{}", text!("LISTEN_FDS: descriptor {number} is not a listening TCP or unix socket", number = .0))]
    Other(usize),
    /// It can't be used.
    #[error("{}", text!("LISTEN_FDS: descriptor {number} cannot be used", number = .0))]
    Unusable(usize, #[source] io::Error),
    /// Several are named `admin`.
    #[error("{}", text!("LISTEN_FDS: several sockets are named admin, expected at most one"))]
    Admins,
}

/// The sockets that were passed, by whose they are.
#[derive(Debug, Default)]
pub struct Sockets {
    pub(super) server: Vec<Listener>,
    pub(super) admin: Option<Listener>,
    pub(super) callback: Vec<Listener>,
}

impl Sockets {
    /// Those that were passed to this process. To be called before there are threads, since it
    /// clears the environment for child processes.
    ///
    /// # Errors
    /// If one of them can't be served.
    pub fn of_environment() -> Result<Self, SocketError> {
        let names = config::environment(NAMES).unwrap_or_default();
        let mut names = names.split(':');
        let mut passed = ListenFd::from_env();
        let mut sockets = Self::default();
        for at in 0..passed.len() {
            let listener = listener(&mut passed, at)?;
            match names.next() {
                Some(ADMIN) if sockets.admin.is_some() => return Err(SocketError::Admins),
                Some(ADMIN) => sockets.admin = Some(listener),
                Some(CALLBACK) => sockets.callback.push(listener),
                // systemd gives one without a name that of its unit.
                _ => sockets.server.push(listener),
            }
        }
        Ok(sockets)
    }

    /// Where they listen.
    pub fn addresses(&self) -> Passed {
        let of = |listeners: &[Listener]| -> Vec<Address> {
            listeners.iter().map(|listener| listener.address().clone()).collect()
        };
        Passed {
            server: of(&self.server),
            admin: self.admin.as_ref().map(|listener| listener.address().clone()),
            callback: of(&self.callback),
        }
    }
}

fn listener(passed: &mut ListenFd, at: usize) -> Result<Listener, SocketError> {
    let number = FIRST + at;
    let held = match passed.take_tcp_listener(at) {
        Ok(Some(tcp)) => Listener::held_tcp(tcp),
        _ => match passed.take_unix_listener(at) {
            Ok(Some(unix)) => Listener::held_unix(unix),
            _ => return Err(SocketError::Other(number)),
        },
    };
    held.map_err(|error| match error.kind() {
        io::ErrorKind::InvalidInput => SocketError::Other(number),
        _ => SocketError::Unusable(number, error),
    })
}
