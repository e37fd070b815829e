//! Handshakes with callers that failed: counted, and told at a bounded rate, since a caller's
//! mistake is made again and again.

use std::io;
use std::net::SocketAddr;

use parking_lot::Mutex;
use rustls::{AlertDescription, Error};
use tokio::time::Instant;

use super::{Peer, Repeated};
use crate::observe::exposition::Exposition;
use crate::texts::{Text, text};

/// Why a handshake failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HandshakeFailure {
    Untrusted,
    ClientCertificate,
    Incompatible,
    Malformed,
    Closed,
    Timeout,
    Other,
}

const REASONS: [HandshakeFailure; 7] = [
    HandshakeFailure::Untrusted,
    HandshakeFailure::ClientCertificate,
    HandshakeFailure::Incompatible,
    HandshakeFailure::Malformed,
    HandshakeFailure::Closed,
    HandshakeFailure::Timeout,
    HandshakeFailure::Other,
];

impl HandshakeFailure {
    /// As in the metrics.
    fn as_str(self) -> &'static str {
        match self {
            Self::Untrusted => "untrusted",
            Self::ClientCertificate => "client_certificate",
            Self::Incompatible => "incompatible",
            Self::Malformed => "malformed",
            Self::Closed => "closed",
            Self::Timeout => "timeout",
            Self::Other => "other",
        }
    }

    fn text(self) -> Text<'static> {
        match self {
            Self::Untrusted => text!(
                "TLS handshake failed: the caller does not trust the certificate of server.tls (unknown CA, \
                 other host name, or expired)"
            ),
            Self::ClientCertificate => text!(
                "TLS handshake failed: the caller sent no certificate, or none signed by server.tls.client_ca"
            ),
            Self::Incompatible => text!("TLS handshake failed: no TLS version or cipher in common"),
            Self::Malformed => text!("TLS handshake failed: the caller does not send TLS"),
            Self::Closed => text!("TLS handshake failed: the caller closed the connection"),
            Self::Timeout => text!("TLS handshake failed: the caller stopped sending"),
            Self::Other => text!("TLS handshake failed"),
        }
    }

    fn of(error: &io::Error) -> Self {
        let of_rustls = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
        match of_rustls {
            Some(Error::AlertReceived(
                AlertDescription::UnknownCA
                | AlertDescription::BadCertificate
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::CertificateRevoked
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateUnknown
                | AlertDescription::BadCertificateStatusResponse
                | AlertDescription::AccessDenied
                // Its own authority of the same name did not sign this.
                | AlertDescription::DecryptError,
            )) => Self::Untrusted,
            Some(Error::NoCertificatesPresented | Error::InvalidCertificate(_)) => Self::ClientCertificate,
            Some(
                Error::PeerIncompatible(_)
                | Error::NoApplicationProtocol
                | Error::AlertReceived(
                    AlertDescription::ProtocolVersion
                    | AlertDescription::HandshakeFailure
                    | AlertDescription::InsufficientSecurity,
                ),
            ) => Self::Incompatible,
            Some(
                Error::InvalidMessage(_)
                | Error::InappropriateMessage { .. }
                | Error::InappropriateHandshakeMessage { .. }
                | Error::PeerMisbehaved(_)
                | Error::DecryptError,
            ) => Self::Malformed,
            Some(_) => Self::Other,
            None => match error.kind() {
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe => Self::Closed,
                io::ErrorKind::TimedOut => Self::Timeout,
                _ => Self::Other,
            },
        }
    }
}

/// The failed handshakes of a listener. Nothing of it is touched by those that succeed.
#[derive(Debug, Default)]
pub(super) struct Failures(Mutex<[Repeated; REASONS.len()]>);

impl Failures {
    /// Counts one, and tells it if the same was not told just now.
    pub(super) fn add(&self, peer: SocketAddr, error: &io::Error) {
        let reason = HandshakeFailure::of(error);
        if let Some(failures) = self.count(reason, Instant::now()) {
            tracing::warn!(
                remote = %Peer::Tcp(peer).remote(),
                reason = reason.as_str(),
                failures,
                error = error as &dyn std::error::Error,
                "{}",
                reason.text()
            );
        }
    }

    fn count(&self, reason: HandshakeFailure, now: Instant) -> Option<u64> {
        self.0.lock()[reason as usize].add(now)
    }

    /// Adds a sample for each reason that there was.
    pub(super) fn expose(&self, out: &mut Exposition) {
        let all = *self.0.lock();
        for (reason, failed) in REASONS.iter().zip(all).filter(|(_, failed)| failed.count() > 0) {
            out.sample(&[("reason", reason.as_str())], failed.count() as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::{Failures, HandshakeFailure, REASONS};

    #[test]
    fn each_reason_is_told_by_itself() {
        let (failures, now) = (Failures::default(), Instant::now());
        assert_eq!(failures.count(HandshakeFailure::Untrusted, now), Some(1));
        assert_eq!(failures.count(HandshakeFailure::Untrusted, now), None);
        assert_eq!(failures.count(HandshakeFailure::Closed, now), Some(1), "another reason");
    }

    #[test]
    fn each_reason_has_its_place() {
        for (place, reason) in REASONS.into_iter().enumerate() {
            assert_eq!(reason as usize, place);
        }
    }
}
