//! TLS towards callers, for those that reach wxgate under WeChat's own name.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::handshakes::Failures;
use super::socket::{self, Linger, Socket};
use crate::observe::certificate;
use crate::observe::clock::Timestamp;
use crate::observe::exposition::Exposition;
use crate::texts::text;

/// What a listener shows of itself and demands of callers.
#[derive(Clone)]
pub struct Identity {
    config: Arc<ServerConfig>,
    /// When the listener's own certificate ends.
    ends: Option<Timestamp>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("ends", &self.ends).finish_non_exhaustive()
    }
}

/// Why there can be no such identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The first certificate is not one of the key.
    #[error("{}", text!("the key does not belong to the certificate"))]
    KeyMismatch,
    /// The first certificate is none.
    #[error("{}", text!("the certificate cannot be used"))]
    Certificate(#[source] rustls::Error),
    /// A kind of key that can't sign.
    #[error("{}", text!("the key cannot be used"))]
    Key(#[source] rustls::Error),
    /// A certificate of the callers' authorities is none.
    #[error("{}", text!("a CA certificate for callers cannot be used"))]
    Authority(#[source] rustls::Error),
    /// The callers' authorities are none.
    #[error("{}", text!("callers' certificates cannot be verified"))]
    Authorities(#[source] VerifierBuilderError),
    /// The cryptography lacks a protocol version.
    #[error("{}", text!("no TLS version is available"))]
    Versions(#[source] rustls::Error),
}

impl Identity {
    /// An identity of `chain`, the listener's own certificate first, with its `key`. With
    /// `authorities`, a caller must show a certificate that one of them signed.
    ///
    /// # Errors
    /// If these don't fit together.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        authorities: Option<Vec<CertificateDer<'static>>>,
    ) -> Result<Self, IdentityError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(IdentityError::Versions)?;
        let builder = match authorities {
            None => builder.with_no_client_auth(),
            Some(authorities) => {
                let mut roots = RootCertStore::empty();
                for authority in authorities {
                    roots.add(authority).map_err(IdentityError::Authority)?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().map_err(IdentityError::Authorities)?)
            }
        };
        let ends = chain.first().and_then(|own| certificate::end(own));
        let mut config = builder.with_single_cert(chain, key).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => IdentityError::KeyMismatch,
            rustls::Error::InvalidCertificate(_) => IdentityError::Certificate(error),
            _ => IdentityError::Key(error),
        })?;
        // A client that offers h2 too is told what is spoken here.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), ends })
    }
}

/// The identity in force on listeners, and how handshakes with it failed; clones are handles to the
/// same one.
#[derive(Clone, Debug)]
pub struct Tls(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    identity: ArcSwap<Identity>,
    failures: Failures,
}

impl Tls {
    /// Puts `identity` in force.
    pub fn new(identity: Identity) -> Self {
        Self(Arc::new(Shared { identity: ArcSwap::from_pointee(identity), failures: Failures::default() }))
    }

    /// Puts another one in force, for connections that come from now on.
    pub fn replace(&self, identity: Identity) {
        self.0.identity.store(Arc::new(identity));
    }

    /// When the certificate in force ends.
    pub fn ends(&self) -> Option<Timestamp> {
        self.0.identity.load().ends
    }

    /// Adds the metrics of TLS to a scrape, if it is spoken.
    pub fn expose(spoken: Option<&Self>, out: &mut Exposition) {
        out.gauge(
            "wxgate_tls_certificate_expiry_timestamp_seconds",
            "When the certificate of server.tls ends.",
        );
        if let Some(ends) = spoken.and_then(Self::ends) {
            out.sample(&[], ends.seconds());
        }
        out.counter(
            "wxgate_tls_handshakes_failed_total",
            "TLS handshakes with callers that failed, by reason.",
        );
        if let Some(tls) = spoken {
            tls.0.failures.expose(out);
        }
    }
}

/// Shakes hands with a caller, for at most `limit`. One that speaks plain HTTP gets no TLS, so that
/// it can be told; one that says nothing at all, as a load balancer's check does, has not failed.
pub(super) async fn open(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Tls,
    limit: Duration,
) -> io::Result<Socket> {
    let shaking = Cell::new(false);
    let failed = |error: &io::Error| {
        if shaking.replace(false) {
            tls.0.failures.add(peer, error);
        }
    };
    let handshake = async {
        let mut first = [0];
        if stream.peek(&mut first).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // A TLS record begins with its type, 22 here; an HTTP method is a word in capitals.
        if first[0].is_ascii_uppercase() {
            return Ok(Socket::Tcp(stream));
        }
        shaking.set(true);
        let config = Arc::clone(&tls.0.identity.load().config);
        match TlsAcceptor::from(config).accept(stream).into_fallible().await {
            Ok(stream) => Ok(Socket::Tls(Box::new(stream))),
            Err((error, mut stream)) => {
                failed(&error);
                // Without it the alert, which says why, is lost to a reset.
                socket::discard(&mut stream, Linger::LONG).await;
                Err(error)
            }
        }
    };
    match tokio::time::timeout(limit, handshake).await {
        Ok(ended) => ended,
        Err(elapsed) => {
            let error = elapsed.into();
            failed(&error);
            Err(error)
        }
    }
}
