//! Name, TCP, TLS: a fresh connection to WeChat.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::Options;
use super::transport::{Meter, Socket, Transport};

/// Why no connection came about.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The host name can't be resolved.
    #[error("cannot resolve {host}")]
    Resolve {
        /// Name asked for.
        host: String,
        /// The resolver's answer.
        #[source]
        source: io::Error,
    },
    /// No address of the host took the connection.
    #[error("cannot connect to {host}")]
    Refused {
        /// Name asked for.
        host: String,
        /// The last address's answer.
        #[source]
        source: io::Error,
    },
    /// TLS failed: most often a certificate that isn't trusted.
    #[error("cannot agree on TLS with {host}")]
    Tls {
        /// Name asked for.
        host: String,
        /// What failed.
        #[source]
        source: io::Error,
    },
    /// Not a name that a certificate can be for.
    #[error("{0} is not a name that a certificate can be for")]
    Name(String),
    /// All of it took longer than the connect timeout.
    #[error("no connection to {host} within {limit:?}")]
    Timeout {
        /// Name asked for.
        host: String,
        /// `upstream.connect_timeout`
        limit: Duration,
    },
}

/// Makes connections to one origin.
pub(super) struct Connector {
    pub(super) options: Arc<Options>,
    pub(super) tls: TlsConnector,
}

impl Connector {
    pub(super) async fn connect(&self) -> Result<Transport, ConnectError> {
        let limit = self.options.connect_timeout;
        let host = || self.options.origin.host.clone();
        timeout(limit, self.connect_untimed())
            .await
            .unwrap_or_else(|_| Err(ConnectError::Timeout { host: host(), limit }))
    }

    async fn connect_untimed(&self) -> Result<Transport, ConnectError> {
        let origin = &self.options.origin;
        let host = || origin.host.clone();
        let addresses =
            self.resolve().await.map_err(|source| ConnectError::Resolve { host: host(), source })?;
        let refused = |source| ConnectError::Refused { host: host(), source };
        let limit = self.options.connect_timeout;
        let tcp = dial(&addresses, limit).await.map_err(|source| match source.kind() {
            io::ErrorKind::TimedOut => ConnectError::Timeout { host: host(), limit },
            _ => refused(source),
        })?;
        tcp.set_nodelay(true).map_err(refused)?;
        let socket = if origin.tls {
            let name = ServerName::try_from(host()).map_err(|_| ConnectError::Name(host()))?;
            let tls = self
                .tls
                .connect(name, tcp)
                .await
                .map_err(|source| ConnectError::Tls { host: host(), source })?;
            Socket::Tls(Box::new(tls))
        } else {
            Socket::Plain(tcp)
        };
        Ok(Transport { socket, meter: Rc::new(Meter::default()) })
    }

    async fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        let origin = &self.options.origin;
        if let Some(addresses) = self.options.resolve.get(&origin.host) {
            return Ok(addresses.iter().map(|ip| SocketAddr::new(*ip, origin.port)).collect());
        }
        if let Ok(ip) = origin.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, origin.port)]);
        }
        Ok(tokio::net::lookup_host((origin.host.as_str(), origin.port)).await?.collect())
    }
}

/// Tries the addresses in turn, each with its share of the time, so that one that swallows packets leaves some for the
/// next.
async fn dial(addresses: &[SocketAddr], limit: Duration) -> io::Result<TcpStream> {
    let share = limit / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => failure = error,
            Err(_) => failure = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(failure)
}
