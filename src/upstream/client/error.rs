//! Why an exchange failed.

use std::io;
use std::time::Duration;

use crate::message::body::Broken;
use crate::upstream::connect::ConnectError;
use crate::upstream::http1::Fault;

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// No connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The connection broke before an answer's head was whole.
    #[error("the connection broke before an answer came")]
    Broken {
        /// What broke it.
        #[source]
        source: Failure,
        /// A byte of the request was handed to the kernel.
        sent: bool,
        /// A connection that had served before closed without a byte of an answer: WeChat's idle
        /// close may have crossed the request. What comes of it: `pipeline/act/send.rs`.
        stale: bool,
    },
    /// 101, although no upgrade is ever asked for: what follows would not be HTTP.
    #[error("WeChat switched to another protocol unasked")]
    Switched,
    /// No answer in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// WeChat took no byte of the request's body for too long.
    #[error("no byte of the request moved for {0:?}")]
    Stalled(Duration),
}

/// What broke an exchange.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The connection.
    #[error(transparent)]
    Io(io::Error),
    /// WeChat's response.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The request's own body broke off.
    #[error("the request's body broke off")]
    Body(#[source] Broken),
    /// The request's own body ended before, or went on behind, the length that was declared.
    #[error("the request's body isn't as long as was declared")]
    Length,
}

impl Failure {
    /// Whether it is the request's own doing.
    pub(super) fn is_of_request(&self) -> bool {
        matches!(self, Self::Body(_) | Self::Length)
    }
}

/// Why an answer's body broke off.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// WeChat closed or reset the connection within the body.
    #[error("the answer broke off")]
    BrokenOff(#[source] Failure),
    /// Silence within the body.
    #[error("no byte of the answer for {0:?}")]
    Silent(Duration),
    /// It is still coming, after all the time that it may take.
    #[error("the answer was not whole within {0:?}")]
    Slow(Duration),
}
