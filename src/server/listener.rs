//! Bound sockets.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, AsRawFd};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::net::sockopt::{set_tcp_nodelay, socket_peercred};
use rustix::net::{SocketFlags, accept_with, acceptfrom_with};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::tls::Tls;
use super::{Address, Peer};

use crate::texts::text;

/// Connections that the kernel may hold ready while the acceptor is busy.
const BACKLOG: i32 = 4096;

/// Of sockets that are let in.
const FLAGS: SocketFlags = SocketFlags::CLOEXEC.union(SocketFlags::NONBLOCK);

/// A bound socket that accepts connections.
#[derive(Debug)]
pub struct Listener {
    bound: Bound,
    address: Address,
    tls: Option<Tls>,
    held: bool,
}

#[derive(Debug)]
enum Bound {
    Tcp(std::net::TcpListener),
    Unix { unlink: Option<UnlinkOnDrop>, listener: std::os::unix::net::UnixListener },
}

/// Why an address can't be listened on.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.text())]
pub struct BindError {
    address: Address,
    #[source]
    source: io::Error,
}

impl BindError {
    fn text(&self) -> String {
        let address = &self.address;
        match self.source.kind() {
            io::ErrorKind::AddrInUse => {
                text!("cannot listen on {address}: the address is in use by another process", address)
                    .to_string()
            }
            io::ErrorKind::PermissionDenied => text!(
                "cannot listen on {address}: not permitted (ports below 1024 require CAP_NET_BIND_SERVICE)",
                address
            )
            .to_string(),
            io::ErrorKind::AddrNotAvailable => {
                text!("cannot listen on {address}: this machine does not have that address", address)
                    .to_string()
            }
            _ => text!("cannot listen on {address}", address).to_string(),
        }
    }
}

/// A connection as the acceptor hands it to a worker: not yet part of any runtime.
#[derive(Debug)]
pub(super) enum Accepted {
    Tcp(TcpStream, SocketAddr),
    Tls(TcpStream, SocketAddr, Tls),
    /// With the user of the process at the other end.
    Unix(UnixStream, Option<u32>),
}

impl Accepted {
    /// The next that waits at `listener`, which must not block. No runtime knows it yet: to have
    /// the acceptor's watch it as well would take two more calls to the kernel.
    fn tcp(listener: &std::net::TcpListener, tls: Option<&Tls>) -> io::Result<Self> {
        let (socket, peer) = acceptfrom_with(listener, FLAGS)?;
        // It always has one.
        let peer = peer.and_then(|peer| SocketAddr::try_from(peer).ok());
        let peer = peer.ok_or(io::ErrorKind::ConnectionAborted)?;
        Ok(match tls {
            None => Self::Tcp(socket.into(), peer),
            Some(tls) => Self::Tls(socket.into(), peer, tls.clone()),
        })
    }

    fn unix(listener: &std::os::unix::net::UnixListener) -> io::Result<Self> {
        let socket = accept_with(listener, FLAGS)?;
        let user = socket_peercred(&socket).ok().map(|of| of.uid.as_raw());
        Ok(Self::Unix(socket.into(), user))
    }

    pub(super) fn peer(&self) -> Peer {
        match self {
            Self::Tcp(_, address) | Self::Tls(_, address, _) => Peer::Tcp(*address),
            Self::Unix(_, user) => Peer::Unix(*user),
        }
    }
}

/// Removes a socket's file. To be dropped before the socket: while that is open, no other file gets
/// its number.
#[derive(Debug)]
pub(super) struct UnlinkOnDrop {
    path: PathBuf,
    file: (u64, u64),
}

impl UnlinkOnDrop {
    /// The file that is there now.
    fn of(path: PathBuf) -> io::Result<Self> {
        let file = file_at(&path)?;
        Ok(Self { path, file })
    }
}

impl Drop for UnlinkOnDrop {
    fn drop(&mut self) {
        // Another process may have replaced it.
        if file_at(&self.path).is_ok_and(|file| file == self.file) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Which file that is: its device and its number.
fn file_at(path: &Path) -> io::Result<(u64, u64)> {
    std::fs::symlink_metadata(path).map(|meta| (meta.dev(), meta.ino()))
}

impl Listener {
    /// Binds `address`. A unix socket left behind by a process that is gone is replaced.
    pub fn bind(address: &Address) -> Result<Self, BindError> {
        let bound = match address {
            Address::Tcp(authority) => bind_tcp(authority),
            Address::Unix(path) => bind_unix(path.clone()),
        };
        let failed = |source: io::Error| BindError { address: address.clone(), source };
        let bound = bound.map_err(failed)?;
        let address = match &bound {
            Bound::Tcp(listener) => Address::Tcp(listener.local_addr().map_err(failed)?.to_string()),
            Bound::Unix { .. } => address.clone(),
        };
        Ok(Self { bound, address, tls: None, held: false })
    }

    /// One that another process has bound and holds beyond the end of this one. It is left to the
    /// next then, with all that waits in its queue.
    ///
    /// # Errors
    /// `InvalidInput` if it doesn't listen.
    pub fn held_tcp(listener: std::net::TcpListener) -> io::Result<Self> {
        is_listening(&listener)?;
        listener.set_nonblocking(true)?;
        let address = Address::Tcp(listener.local_addr()?.to_string());
        Ok(Self { bound: Bound::Tcp(listener), address, tls: None, held: true })
    }

    /// The same of a unix socket, whose file stays.
    ///
    /// # Errors
    /// `InvalidInput` if it doesn't listen.
    pub fn held_unix(listener: std::os::unix::net::UnixListener) -> io::Result<Self> {
        is_listening(&listener)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let name = || Some(format!("@{}", String::from_utf8_lossy(address.as_abstract_name()?)).into());
        let path = address.as_pathname().map(PathBuf::from).or_else(name).unwrap_or_default();
        let bound = Bound::Unix { unlink: None, listener };
        Ok(Self { bound, address: Address::Unix(path), tls: None, held: true })
    }

    /// Whether another process holds it too.
    pub(super) fn is_held(&self) -> bool {
        self.held
    }

    /// Has a TCP listener speak TLS. A unix socket can't be eavesdropped on, so that one stays as
    /// it is.
    #[must_use]
    pub fn speaking(self, tls: Option<Tls>) -> Self {
        Self { tls, ..self }
    }

    /// The address that is bound, with the port that the kernel chose.
    pub fn address(&self) -> &Address {
        &self.address
    }

    pub(super) fn into_accepting(self) -> io::Result<Accepting> {
        Ok(match self.bound {
            Bound::Tcp(listener) => {
                // Linux hands it on to those that are let in.
                set_tcp_nodelay(&listener, true)?;
                Accepting::Tcp(watched(listener)?, self.tls)
            }
            Bound::Unix { listener, unlink } => Accepting::Unix { unlink, listener: watched(listener)? },
        })
    }
}

#[expect(
    deprecated,
    reason = "what takes its place is unsafe, for the sake of types that lie about their file"
)]
fn watched<Socket: AsRawFd>(listener: Socket) -> io::Result<AsyncFd<Socket>> {
    AsyncFd::with_interest(listener, Interest::READABLE)
}

/// A listener on the acceptor's runtime.
pub(super) enum Accepting {
    Tcp(AsyncFd<std::net::TcpListener>, Option<Tls>),
    Unix { unlink: Option<UnlinkOnDrop>, listener: AsyncFd<std::os::unix::net::UnixListener> },
}

/// A listener that is about to close: connections that the kernel holds ready for it would be
/// reset.
pub(super) enum Queue {
    Tcp(std::net::TcpListener, Option<Tls>),
    Unix(std::os::unix::net::UnixListener),
}

impl Accepting {
    /// Waits for a connection.
    pub(super) async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener, tls) => {
                let next = |listener: &_| Accepted::tcp(listener, tls.as_ref());
                listener.async_io(Interest::READABLE, next).await
            }
            Self::Unix { listener, .. } => listener.async_io(Interest::READABLE, Accepted::unix).await,
        }
    }

    /// Connections that wait to be accepted. No more come to a unix socket: its file is gone.
    pub(super) fn into_queue(self) -> Queue {
        match self {
            Self::Tcp(listener, tls) => Queue::Tcp(listener.into_inner(), tls),
            Self::Unix { unlink, listener } => {
                drop(unlink);
                Queue::Unix(listener.into_inner())
            }
        }
    }
}

impl Queue {
    /// The next of them, if there is one.
    pub(super) fn next(&self) -> io::Result<Option<Accepted>> {
        let accepted = match self {
            Self::Tcp(listener, tls) => Accepted::tcp(listener, tls.as_ref()),
            Self::Unix(listener) => Accepted::unix(listener),
        };
        match accepted {
            Ok(accepted) => Ok(Some(accepted)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn is_listening(socket: &impl AsFd) -> io::Result<()> {
    if rustix::net::sockopt::socket_acceptconn(socket)? {
        Ok(())
    } else {
        Err(io::ErrorKind::InvalidInput.into())
    }
}

fn bind_tcp(authority: &str) -> io::Result<Bound> {
    let mut failure =
        io::Error::new(io::ErrorKind::AddrNotAvailable, text!("the name has no address").to_string());
    for address in authority.to_socket_addrs()? {
        let attempt = || {
            let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
            socket.set_reuse_address(true)?;
            socket.set_nonblocking(true)?;
            socket.bind(&address.into())?;
            socket.listen(BACKLOG)?;
            Ok(Bound::Tcp(socket.into()))
        };
        match attempt() {
            Ok(bound) => return Ok(bound),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn bind_unix(path: PathBuf) -> io::Result<Bound> {
    use std::os::unix::fs::FileTypeExt;
    let is_socket = std::fs::symlink_metadata(&path).is_ok_and(|meta| meta.file_type().is_socket());
    if is_socket && is_stale(&path)? {
        std::fs::remove_file(&path)?;
    }
    let listener = std::os::unix::net::UnixListener::bind(&path)?;
    let unlink = Some(UnlinkOnDrop::of(path)?);
    listener.set_nonblocking(true)?;
    Ok(Bound::Unix { unlink, listener })
}

/// Whether no process has the socket open any more. One that is of another kind, whose queue is
/// full or that is closed to us is in use.
fn is_stale(path: &Path) -> io::Result<bool> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // Else a full queue would be waited for.
    socket.set_nonblocking(true)?;
    let connected = socket.connect(&SockAddr::unix(path)?);
    Ok(connected.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused))
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(authority) => f.write_str(authority),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read as _};

    use super::{Accepted, Address, Listener};

    #[tokio::test]
    async fn who_is_let_in_neither_blocks_nor_is_delayed() {
        let listener = Listener::bind(&Address::Tcp("127.0.0.1:0".into())).expect("a port");
        let address = listener.address().to_string();
        let listener = listener.into_accepting().expect("watched");
        let _caller = tokio::net::TcpStream::connect(address).await.expect("connected");
        let Ok(Accepted::Tcp(mut stream, _)) = listener.accept().await else { panic!("nobody came") };
        assert!(stream.nodelay().expect("an option"));
        assert_eq!(stream.read(&mut [0]).expect_err("nothing was sent").kind(), ErrorKind::WouldBlock);
    }
}
