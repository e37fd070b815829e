//! The life of a credential: fetched ahead of time, replaced when WeChat rejects it, once for everybody.

use std::sync::Arc;
use std::time::Duration;

use crate::observe::clock::Timestamp;
use crate::secret::Secret;
use crate::wechat::{AppKind, TokenMode};

/// An access token. Ordered by generation: a larger one is newer.
#[derive(Debug)]
pub struct Token {
    /// The text that goes into the query.
    pub value: Secret,
    /// Grows by one with each new token of the app, over restarts and replicas.
    pub generation: u64,
    /// When WeChat handed it out.
    pub fetched_at: Timestamp,
    /// When WeChat said that it ends.
    pub expires_at: Timestamp,
}

/// How tokens are kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bounds one call to a token endpoint and one probe.
    pub fetch_timeout: Duration,
    /// The longest that a request waits for a new token.
    pub refresh_wait: Duration,
}

/// An app whose token is kept.
#[derive(Clone, Debug)]
pub struct AppOptions {
    /// The label in metrics, logs and URLs.
    pub name: Arc<str>,
    /// WeChat's identifier of the account.
    pub appid: Arc<str>,
    /// The app secret.
    pub secret: Arc<Secret>,
    /// Kind of account.
    pub kind: AppKind,
    /// Which token endpoint is used.
    pub mode: TokenMode,
    /// The call that tells a live token from a dead one, a path with a leading `/`.
    pub probe: Arc<str>,
}
