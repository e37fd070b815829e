//! The one TLS configuration of both HTTP stacks.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, TrustAnchor};
use rustls::{ClientConfig, RootCertStore};

use crate::secret::file::{self, Links};
use crate::texts::text;

/// What a connection holds of bytes that aren't written yet; rustls's default would be 64 KiB.
pub(super) const BUFFER: usize = 16 * 1024;

/// Why TLS towards WeChat can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file can't be read or isn't PEM.
    #[error("{}", text!("cannot read certificates from {path}", path = .path.display()))]
    Read {
        /// `upstream.ca_file`
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// The file holds no certificate.
    #[error("{}", text!("{path} contains no certificate", path = .0.display()))]
    Empty(PathBuf),
    /// A certificate that can't be a root.
    #[error("{}", text!("a certificate in {path} cannot be used as a root", path = .path.display()))]
    Root {
        /// `upstream.ca_file`
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: rustls::Error,
    },
    /// The provider lacks a protocol version.
    #[error("{}", text!("no TLS version is available"))]
    Versions(#[source] rustls::Error),
}

/// Whose certificates are trusted: those of the PEM file, or Mozilla's.
pub(super) type Roots = Option<Vec<TrustAnchor<'static>>>;

/// A client configuration that trusts `ca_file`, or Mozilla's roots where there is none.
pub fn client_config(ca_file: Option<&Path>) -> Result<ClientConfig, TlsError> {
    client_config_of(&roots(ca_file)?)
}

pub(super) fn client_config_of(roots: &Roots) -> Result<ClientConfig, TlsError> {
    let roots = roots.clone().unwrap_or_else(|| webpki_roots::TLS_SERVER_ROOTS.to_vec());
    // ring: aws-lc-rs measured slower on small records.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Versions)?
        .with_root_certificates(RootCertStore { roots })
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

pub(super) fn roots(ca_file: Option<&Path>) -> Result<Roots, TlsError> {
    let Some(path) = ca_file else { return Ok(None) };
    let read = |source| TlsError::Read { path: path.to_owned(), source };
    let mut roots = RootCertStore::empty();
    let text = file::read(path, file::LONGEST, Links::Followed);
    let text = text.map_err(|error| read(rustls::pki_types::pem::Error::Io(error)))?;
    for certificate in CertificateDer::pem_slice_iter(&text) {
        roots
            .add(certificate.map_err(read)?)
            .map_err(|source| TlsError::Root { path: path.to_owned(), source })?;
    }
    if roots.is_empty() { Err(TlsError::Empty(path.to_owned())) } else { Ok(Some(roots.roots)) }
}
