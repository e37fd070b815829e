//! Why an exchange failed.

use std::time::Duration;

use crate::upstream::connect::ConnectError;

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
        source: hyper::Error,
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

impl SendError {
    pub(super) fn broken(source: hyper::Error, sent: bool, stale: bool) -> Self {
        Self::Broken { source, sent, stale }
    }
}

/// Why an answer's body broke off.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// WeChat closed or reset the connection within the body.
    #[error("the answer broke off")]
    BrokenOff(#[source] hyper::Error),
    /// Silence within the body.
    #[error("no byte of the answer for {0:?}")]
    Silent(Duration),
    /// It is still coming, after all the time that it may take.
    #[error("the answer was not whole within {0:?}")]
    Slow(Duration),
}
