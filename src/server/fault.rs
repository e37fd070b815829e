//! Why a request's body ends before its end although its caller is there.

use std::error::Error;
use std::io;

/// Why a request's body ends before its end although its caller is there: a cause of what the body
/// fails with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyFault {
    /// [`Options::body_timeout`](super::Options::body_timeout)
    #[error("nothing came of it for too long")]
    Silent,
    /// [`Options::pace`](super::Options::pace)
    #[error("it came too slowly")]
    Slow,
    /// A chunk of it is longer than [`Handler::longest_body`](super::Handler::longest_body).
    #[error("it is longer than {limit} bytes")]
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
