//! The messages to a refresh task, and its replies.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::observe::clock::Timestamp;
use crate::store::Record;
use crate::token::life::{Failure, Rejection, Token, Unavailable};
use crate::upstream::control::Control;

/// A message to a refresh task. Its sender may be gone when the reply comes.
#[derive(Debug)]
pub(crate) enum TaskMessage {
    Obtain(oneshot::Sender<Result<Arc<Token>, Unavailable>>),
    Rejected(Rejection, oneshot::Sender<Verdict>),
    Freshen {
        generation: u64,
        reply: oneshot::Sender<()>,
    },
    Refresh {
        force: bool,
        reply: oneshot::Sender<RefreshReport>,
    },
    /// What the store holds, which isn't what the task published.
    Stored(Option<Record>),
    SecretChanged,
    /// What WeChat handed over to fetch with.
    Granted(Record),
    /// The store holds a ticket or refresh token that it refuses.
    GrantRefused,
    /// Makes the app's calls from now on.
    Control(Control),
    Stop,
    #[cfg(test)]
    Panic,
}

/// What happens to a request whose token was rejected.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Replay it at once with this newer token.
    Replay(Arc<Token>),
    /// The token is valid, but some of WeChat's nodes may lag: replay it with this same token after
    /// the delay.
    ReplayAfter(Arc<Token>, Duration),
    /// The endpoint is at fault, or the cause is unknown: WeChat's own body goes to the caller.
    PassOn,
    /// There is no token that WeChat accepts.
    Unavailable(Unavailable),
}

/// What an admin's refresh came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshReport {
    /// How it ended.
    pub result: RefreshResult,
    /// Of the token now held, if any.
    pub generation: Option<u64>,
    /// Forced refreshes left today.
    pub forces_left: u32,
}

/// How an admin's refresh ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefreshResult {
    /// A new token is held.
    Replaced,
    /// WeChat gave the token that was held already.
    Same,
    /// WeChat gave none.
    Failed(Failure),
    /// The force budget is spent, or the last force was less than 30 s ago.
    Refused {
        /// When to ask again.
        next_at: Timestamp,
    },
}
