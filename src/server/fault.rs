//! Why a request's body is incomplete although its caller is still connected.

use std::error::Error;
use std::io;

use crate::texts::text;

/// Why a request's body is incomplete although its caller is still connected: a cause of the error
/// that the body fails with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyFault {
    /// [`Options::body_timeout`](super::Options::body_timeout)
    #[error("{}", text!("no byte of it arrived for too long"))]
    Silent,
    /// [`Options::pace`](super::Options::pace)
    #[error("{}", text!("it arrived too slowly"))]
    Slow,
    /// A chunk of it is longer than [`Handler::longest_body`](super::Handler::longest_body).
    #[error("{}", text!("it is longer than {limit} bytes", limit = .limit))]
    TooLong {
        /// Bytes that it may have.
        limit: u64,
    },
}

impl BodyFault {
    /// The one that led to `error`, if one did.
    pub fn of(error: &hyper::Error) -> Option<Self> {
        let source = error.source()?.downcast_ref::<io::Error>()?;
        source.get_ref()?.downcast_ref().copied()
    }
}

impl From<BodyFault> for io::Error {
    fn from(fault: BodyFault) -> Self {
        let kind = match fault {
            BodyFault::Silent | BodyFault::Slow => io::ErrorKind::TimedOut,
            BodyFault::TooLong { .. } => io::ErrorKind::InvalidData,
        };
        Self::new(kind, fault)
    }
}
