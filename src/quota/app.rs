//! An app whose quota is watched, and what WeChat is asked about it.

use std::sync::Arc;

use crate::texts::Words;
use crate::wechat::AppKind;

/// An app whose quota is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// The appid, and the agent's number where a corporation has several apps.
    pub identity: Arc<str>,
    /// WeChat's identifier of the account.
    pub appid: Arc<str>,
    /// What it is.
    pub kind: AppKind,
}

/// What WeChat is asked on an app's behalf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// What was used of an endpoint's quota.
    Quota {
        /// The endpoint.
        path: &'static str,
    },
    /// The same of an account that the app, a platform, acts for: with that account's token.
    QuotaOfAccount {
        /// The account.
        appid: Arc<str>,
        /// The endpoint.
        path: &'static str,
    },
    /// To reset all counters of the app.
    ClearAll,
    /// To reset the counter of an endpoint.
    ClearOne {
        /// The endpoint.
        path: String,
    },
    /// What it remembers of a request.
    Rid {
        /// The request's id.
        rid: String,
    },
}

/// A future response: its body, or why there is none, in words for the operator.
pub type Answering = std::pin::Pin<Box<dyn Future<Output = Result<Vec<u8>, Words>> + Send>>;
/// Asks WeChat, with the credential of the app of this name. Handed in, since quota knows no
/// tokens.
pub type Ask = Arc<dyn Fn(&Arc<str>, Question) -> Answering + Send + Sync>;
