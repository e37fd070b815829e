//! Why an exchange failed.

use std::io;
use std::time::Duration;

use crate::message::body::Broken;
use crate::texts::text;
use crate::upstream::connect::ConnectError;
use crate::upstream::http1::Fault;

/// Why a request got no response.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// No connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The connection broke before the head of a response was complete.
    #[error("{}", text!("the connection was closed before a response"))]
    Broken {
        /// What broke it.
        #[source]
        source: Failure,
        /// A byte of the request was handed to the kernel.
        sent: bool,
        /// A connection that had served before closed without a byte of a response: WeChat's idle
        /// close may have crossed the request. What comes of it: `pipeline/act/send.rs`.
        stale: bool,
    },
    /// 101, although no upgrade is ever asked for: what follows would not be HTTP.
    #[error("{}", text!("unexpected response 101 Switching Protocols"))]
    Switched,
    /// No response in time.
    #[error("{}", text!("no response within {limit}", limit = format_args!("{:?}", .0)))]
    Timeout(Duration),
    /// WeChat took no byte of the request's body for too long.
    #[error(
        "{}",
        text!("the upload made no progress for {limit}", limit = format_args!("{:?}", .0))
    )]
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
    /// The request's own body is incomplete.
    #[error("{}", text!("the request body is incomplete"))]
    Body(#[source] Broken),
    /// The request's own body ended before, or went on behind, the length that was declared.
    #[error("{}", text!("the request body differs in length from what was declared"))]
    Length,
}

impl Failure {
    /// Whether it is the request's own doing.
    pub(super) fn is_of_request(&self) -> bool {
        matches!(self, Self::Body(_) | Self::Length)
    }
}

/// Why the body of a response is incomplete.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// WeChat closed or reset the connection within the body.
    #[error("{}", text!("the response is incomplete"))]
    BrokenOff(#[source] Failure),
    /// Silence within the body.
    #[error("{}", text!("the response made no progress for {limit}", limit = format_args!("{:?}", .0)))]
    Silent(Duration),
    /// It is still coming, after all the time that it may take.
    #[error("{}", text!("the response was not complete within {limit}", limit = format_args!("{:?}", .0)))]
    Slow(Duration),
}
