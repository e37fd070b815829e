//! Name, proxy, TCP, TLS: a fresh connection to WeChat.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::egress::{Destination, Egress, EgressError};
use super::resolve::{NoAddress, Resolver, patience};
use super::socket::Socket;
use super::tls::BUFFER as TLS_BUFFER;
use super::{Options, Origin};
use crate::texts::{marked, text, translated};

/// Why no connection came about. No byte of a request was sent.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The host name can't be resolved.
    #[error("{}", text!("cannot resolve {host}", host = .host))]
    Resolve {
        /// Name asked for.
        host: String,
        /// The resolver's response.
        #[source]
        source: io::Error,
    },
    /// No address of the host took the connection.
    #[error("{}", text!("cannot connect to {host}", host = .host))]
    Refused {
        /// Name asked for.
        host: String,
        /// The last address's response.
        #[source]
        source: io::Error,
    },
    /// TLS failed: most often a certificate that isn't trusted.
    #[error("{}", text!("TLS handshake with {host} failed", host = .host))]
    Tls {
        /// Name asked for.
        host: String,
        /// What failed.
        #[source]
        source: io::Error,
    },
    /// Not a name that a certificate can be for.
    #[error("{}", text!("{host} is not a name that a certificate can be for", host = .0))]
    Name(String),
    /// The name leads back here.
    #[error(
        "{}",
        text!(
            "loop: {host} leads to {address}, where wxgate itself listens; remedy: set upstream.resolve to \
             WeChat's real addresses, or correct DNS, the hosts file or upstream.base_urls",
            host = .host,
            address = .address
        )
    )]
    Loop {
        /// Name asked for.
        host: String,
        /// Where it led.
        address: SocketAddr,
    },
    /// The egress proxy made no connection.
    #[error("{}", text!("no connection through the egress proxy {proxy}", proxy = .proxy))]
    Egress {
        /// `scheme://host:port`
        proxy: String,
        /// Why not.
        #[source]
        source: EgressError,
    },
    /// All of it took longer than the connect timeout.
    #[error(
        "{}",
        text!(
            "no connection to {host} within {limit}",
            host = .host,
            limit = format_args!("{:?}", .limit)
        )
    )]
    Timeout {
        /// Name asked for.
        host: String,
        /// `upstream.connect_timeout`
        limit: Duration,
    },
}

impl ConnectError {
    /// Whether another host may be reached all the same: it isn't the egress proxy that fails.
    pub(super) fn concerns_host(&self) -> bool {
        match self {
            Self::Egress { source, .. } => source.concerns_host(),
            _ => true,
        }
    }

    /// What ends it, as far as the error shows, in the language of the moment.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Resolve { .. } => Some(translated(marked!(
                "Check the spelling of the host in upstream.base_urls and this machine's DNS; upstream.resolve \
                 sets addresses without DNS."
            ))),
            Self::Refused { source, .. } => remedy_of_io(source.kind()),
            Self::Tls { source, .. } => {
                // rustls's own errors come wrapped, what the socket says does not.
                let wrapped = source.get_ref().and_then(|wrapped| wrapped.downcast_ref::<rustls::Error>());
                wrapped.map(remedy_of_tls).or_else(|| remedy_of_io(source.kind()))
            }
            // Says it itself.
            Self::Name(_) | Self::Loop { .. } => None,
            Self::Egress { source, .. } => Some(source.remedy()),
            Self::Timeout { .. } => Some(translated(marked!(
                "Check that this machine can reach the host (firewall, routes, egress_proxy)."
            ))),
        }
    }
}

fn remedy_of_tls(error: &rustls::Error) -> &'static str {
    translated(match error {
        rustls::Error::InvalidCertificate(_) => marked!(
            "The server's certificate is not trusted: check this machine's clock, and set upstream.ca_file \
             if a proxy of your own intercepts TLS."
        ),
        _ => {
            marked!("The server does not speak TLS as expected: check scheme and port in upstream.base_urls.")
        }
    })
}

pub(super) fn remedy_of_io(kind: io::ErrorKind) -> Option<&'static str> {
    Some(translated(match kind {
        io::ErrorKind::ConnectionRefused => {
            marked!("Nothing listens there: check host and port in upstream.base_urls, and the firewall.")
        }
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            marked!("This machine has no route there: check its network and firewall.")
        }
        io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof => marked!(
            "Something between this machine and WeChat closed the connection: check the firewall and \
             upstream.base_urls."
        ),
        _ => return None,
    }))
}

/// Makes connections.
#[derive(Clone)]
pub(super) struct Connector {
    pub(super) options: Arc<Options>,
    pub(super) tls: TlsConnector,
    pub(super) resolver: Resolver,
    /// What the proxy itself listens on.
    pub(super) own: Arc<[SocketAddr]>,
}

impl Connector {
    pub(super) async fn connect(&self, origin: &Origin) -> Result<Socket, ConnectError> {
        let limit = self.options.connect_timeout;
        timeout(limit, self.connect_untimed(origin))
            .await
            .unwrap_or_else(|_| Err(ConnectError::Timeout { host: origin.host.clone(), limit }))
    }

    async fn connect_untimed(&self, origin: &Origin) -> Result<Socket, ConnectError> {
        let tcp = self.reach(origin).await?;
        if !origin.tls {
            return Ok(Socket::Plain(tcp));
        }
        let mut tls = agree(&self.tls, origin, tcp).await?;
        tls.get_mut().1.set_buffer_limit(Some(TLS_BUFFER));
        Ok(Socket::Tls(Box::new(tls)))
    }

    /// TCP alone, by the way that is configured.
    pub(super) async fn reach(&self, origin: &Origin) -> Result<TcpStream, ConnectError> {
        match &self.options.egress {
            Some(egress) => self.pass(egress, origin).await,
            None => {
                let failed = |source| ConnectError::Resolve { host: origin.host.clone(), source };
                let addresses = self.resolve(&origin.host, origin.port).await.map_err(failed)?;
                self.dial(&origin.host, &addresses).await
            }
        }
    }

    /// A connection through the proxy, which gets the name as it is: what it resolves may differ
    /// from what this machine would.
    async fn pass(&self, egress: &Egress, origin: &Origin) -> Result<TcpStream, ConnectError> {
        let failed = |source| ConnectError::Egress { proxy: egress.to_string(), source };
        let proxies = self.resolve(&egress.host, egress.port).await;
        let proxies = proxies.map_err(|source| failed(EgressError::Unreachable(source)))?;
        let destinations = match (self.options.resolve.get(&origin.host), origin.host.parse::<IpAddr>()) {
            (Some(addresses), _) => addresses.iter().copied().map(Destination::Address).collect(),
            (None, Ok(ip)) => vec![Destination::Address(ip)],
            (None, Err(_)) => vec![Destination::Name(origin.host.clone())],
        };
        let share = self.share(destinations.len());
        let mut failure = EgressError::Unreachable(io::ErrorKind::TimedOut.into());
        for destination in &destinations {
            let mut tcp = self.dial(&egress.host, &proxies).await.map_err(|error| match error {
                ConnectError::Refused { source, .. } => failed(EgressError::Unreachable(source)),
                ConnectError::Timeout { .. } => {
                    failed(EgressError::Unreachable(io::ErrorKind::TimedOut.into()))
                }
                other => other,
            })?;
            match timeout(share, egress.open(&mut tcp, destination, origin.port)).await {
                Ok(Ok(())) => return Ok(tcp),
                Ok(Err(error)) => failure = error,
                Err(_) => failure = EgressError::Broken(io::ErrorKind::TimedOut.into()),
            }
        }
        Err(failed(failure))
    }

    pub(super) async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if let Some(addresses) = self.options.resolve.get(host) {
            return Ok(addresses.iter().map(|ip| SocketAddr::new(*ip, port)).collect());
        }
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        self.resolver.look_up(host, port, patience(self.options.connect_timeout)).await
    }

    /// Tries the addresses in turn, each with its share of the time, so that one that swallows
    /// packets leaves some for the next.
    async fn dial(&self, host: &str, addresses: &[SocketAddr]) -> Result<TcpStream, ConnectError> {
        let share = self.share(addresses.len());
        let mut failure = io::Error::new(io::ErrorKind::NotFound, NoAddress);
        for address in addresses {
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => match self.check(host, &stream) {
                    Ok(()) => return Ok(stream),
                    Err(CheckError::Loop(looped)) => return Err(looped),
                    Err(CheckError::Socket(error)) => failure = error,
                },
                Ok(Err(error)) => failure = error,
                Err(_) => failure = io::ErrorKind::TimedOut.into(),
            }
        }
        let host = host.to_owned();
        Err(match failure.kind() {
            io::ErrorKind::TimedOut => ConnectError::Timeout { host, limit: self.options.connect_timeout },
            _ => ConnectError::Refused { host, source: failure },
        })
    }

    /// Refuses a connection that leads back here, and readies any other.
    fn check(&self, host: &str, stream: &TcpStream) -> Result<(), CheckError> {
        let (peer, local) = (stream.peer_addr()?, stream.local_addr()?);
        if self.own.iter().any(|own| is_same(*own, peer, local)) {
            return Err(CheckError::Loop(ConnectError::Loop { host: host.to_owned(), address: peer }));
        }
        Ok(stream.set_nodelay(true)?)
    }

    fn share(&self, parts: usize) -> Duration {
        self.options.connect_timeout / u32::try_from(parts).unwrap_or(u32::MAX).max(1)
    }
}

/// TLS with `origin` on a connection that leads there.
pub(super) async fn agree(
    tls: &TlsConnector,
    origin: &Origin,
    tcp: TcpStream,
) -> Result<TlsStream<TcpStream>, ConnectError> {
    let host = || origin.host.clone();
    let name = ServerName::try_from(host()).map_err(|_| ConnectError::Name(host()))?;
    tls.connect(name, tcp).await.map_err(|source| ConnectError::Tls { host: host(), source })
}

enum CheckError {
    Loop(ConnectError),
    Socket(io::Error),
}

impl From<io::Error> for CheckError {
    fn from(error: io::Error) -> Self {
        Self::Socket(error)
    }
}

/// Whether a connection from `local` to `peer` has reached the listener at `own`. Of a listener on
/// all addresses those of the machine aren't known, but a connection to an address of the own
/// machine comes from that very address.
fn is_same(own: SocketAddr, peer: SocketAddr, local: SocketAddr) -> bool {
    let (own_ip, peer_ip) = (own.ip().to_canonical(), peer.ip().to_canonical());
    let here = peer_ip.is_loopback() || peer_ip == local.ip().to_canonical();
    own.port() == peer.port() && (own_ip == peer_ip || (own_ip.is_unspecified() && here))
}

#[cfg(test)]
mod tests {
    use super::is_same;

    #[test]
    fn a_listener_is_recognised_by_any_address_that_leads_to_it() {
        for (own, peer, local, same) in [
            ("127.0.0.1:80", "127.0.0.1:80", "127.0.0.1:5000", true),
            ("127.0.0.1:80", "127.0.0.1:81", "127.0.0.1:5000", false),
            ("127.0.0.2:80", "127.0.0.1:80", "127.0.0.1:5000", false),
            ("0.0.0.0:80", "127.0.0.2:80", "127.0.0.1:5000", true),
            ("0.0.0.0:80", "10.0.0.7:80", "10.0.0.7:5000", true),
            ("0.0.0.0:80", "10.0.0.8:80", "10.0.0.7:5000", false),
            ("[::]:80", "10.0.0.7:80", "10.0.0.7:5000", true),
            ("[::ffff:10.0.0.7]:80", "10.0.0.7:80", "10.0.0.7:5000", true),
        ] {
            let parse = |text: &str| text.parse().expect("an address");
            assert_eq!(is_same(parse(own), parse(peer), parse(local)), same, "{own} {peer} {local}");
        }
    }
}
