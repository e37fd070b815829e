//! How an app's credentials are doing, for the status page and the admin API.

use std::sync::Arc;

use crate::observe::clock::Timestamp;
use crate::token::life::{Failure, Refresh};
use crate::wechat::{AppKind, TokenMode};

/// How an app's credential is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// A usable token is held.
    Ready,
    /// No token yet, and none has been refused.
    Starting,
    /// No usable token; the last try failed and is repeated with a backoff.
    Failing,
    /// No usable token; WeChat's refusal needs somebody to act, see the last failure's remedy.
    CircuitOpen,
    /// WeChat rejects the token held, and no other is to be had yet.
    Rejected,
    /// The token held has expired.
    Expired,
}

/// An app's credential at a glance; never the token.
#[derive(Clone, Debug)]
pub struct Status {
    /// The app's name.
    pub name: Arc<str>,
    /// WeChat's identifier of the account.
    pub appid: Arc<str>,
    /// Kind of account.
    pub kind: AppKind,
    /// Which token endpoint is used.
    pub mode: TokenMode,
    /// How it is doing.
    pub state: State,
    /// Of the token held, usable or not.
    pub generation: Option<u64>,
    /// When WeChat handed it out.
    pub fetched_at: Option<Timestamp>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// When the next refresh or retry is due.
    pub next_refresh_at: Option<Timestamp>,
    /// The last fetch.
    pub last_refresh: Option<Refresh>,
    /// The last failure and when it happened; stays after a success.
    pub last_failure: Option<(Timestamp, Failure)>,
    /// Whether the last failure still stands in the way: no request causes a fetch.
    pub failing: bool,
    /// Forced refreshes left today.
    pub forces_left_today: u32,
    /// How often somebody else fetched with this secret.
    pub interference: u64,
    /// What else of the app's is in use.
    pub further: Vec<Further>,
    /// Of a third-party platform alone.
    pub authorizers: Option<Authorizers>,
}

/// A credential beside an app's token.
#[derive(Clone, Debug)]
pub struct Further {
    /// Its name, like `jsapi_ticket`.
    pub credential: &'static str,
    /// How it is doing.
    pub state: State,
    /// Of the one held.
    pub generation: Option<u64>,
    /// When that ends.
    pub expires_at: Option<Timestamp>,
    /// The last failure and when it happened.
    pub last_failure: Option<(Timestamp, Failure)>,
}

/// The accounts that a third-party platform acts for, as far as this process was asked for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authorizers {
    /// A token is held.
    pub in_use: usize,
    /// Their last fetch failed.
    pub failing: usize,
}

impl State {
    /// In snake case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Starting => "starting",
            Self::Failing => "failing",
            Self::CircuitOpen => "circuit_open",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
        }
    }
}
