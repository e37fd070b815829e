//! A connection to one server, with bounded responses.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use redis::ConnectionAddr;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::{JoinSet, spawn_blocking};
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use super::bounds::Bounded;
use super::target::Target;
use crate::secret::file::{self, Links};

/// TCP, or TLS over it.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send {}
impl<S: AsyncRead + AsyncWrite + Send> Stream for S {}

pub(super) type Connection = Bounded<Pin<Box<dyn Stream>>>;

/// Connects to `address`, as `target` has it trusted.
pub(super) async fn dial(target: &Target, address: &ConnectionAddr) -> io::Result<Connection> {
    let stream: Pin<Box<dyn Stream>> = match address {
        ConnectionAddr::Tcp(host, port) => Box::pin(connect(host, *port).await?),
        ConnectionAddr::TcpTls { host, port, .. } => {
            let config = tls(target.ca_file.as_deref()).await?;
            let name = ServerName::try_from(host.as_str()).map_err(io::Error::other)?.to_owned();
            let stream = connect(host, *port).await?;
            Box::pin(TlsConnector::from(Arc::new(config)).connect(name, stream).await?)
        }
        other => return Err(io::Error::new(io::ErrorKind::Unsupported, format!("no way to {other}"))),
    };
    Ok(Bounded::new(stream))
}

/// The first of the host's addresses to connect: one that doesn't respond must not use up the
/// timeout.
async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut tries: JoinSet<_> = lookup_host((host, port)).await?.map(TcpStream::connect).collect();
    let mut failed = io::Error::from(io::ErrorKind::NotFound);
    while let Some(tried) = tries.join_next().await {
        match tried.map_err(io::Error::other).flatten() {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// The text of the file of certificates. Disks block, those of a network without end.
pub(super) async fn pem(ca_file: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let path = ca_file.to_owned();
    let read = spawn_blocking(move || file::read(&path, file::LONGEST, Links::Followed)).await;
    let read = read.map_err(io::Error::other).flatten();
    read.map_err(|error| io::Error::other(format!("store.ca_file: {error}")))
}

/// Trusts the certificates of the file, or Mozilla's roots where there is none.
async fn tls(ca_file: Option<&Path>) -> io::Result<ClientConfig> {
    let roots = match ca_file {
        None => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
        Some(path) => {
            let wrong = |error: &dyn std::fmt::Display| io::Error::other(format!("store.ca_file: {error}"));
            let mut roots = RootCertStore::empty();
            for certificate in CertificateDer::pem_slice_iter(&pem(path).await?) {
                let certificate = certificate.map_err(|error| wrong(&error))?;
                roots.add(certificate).map_err(|error| wrong(&error))?;
            }
            roots
        }
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(config.map_err(io::Error::other)?.with_root_certificates(roots).with_no_client_auth())
}
