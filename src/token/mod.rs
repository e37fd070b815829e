//! The life of a credential: fetched ahead of time, replaced when WeChat rejects it, once for everybody.
//!
//! Each credential has one keeper, a task that alone decides about it and handles one thing at a time:
//! that is what makes a refresh single-flight. Requests read the token that it publishes with one atomic load,
//! and ask the keeper only when there is none or WeChat rejected it. A caller that hangs up leaves the
//! keeper's work undisturbed.
//!
//! | file | holds |
//! | --- | --- |
//! | `manager` | which apps are kept; supervision |
//! | `handle` | what requests and the admin ask of a keeper, each wait bounded |
//! | `keeper` | the loop: messages, and what is due without anybody asking |
//! | `kept` | the keepers of an app together |
//! | `ladder` | what follows from a rejection, in five steps |
//! | `platform` | what a third-party platform's keepers are told |
//! | `renewal` | one fetch: lease, look again, fetch, compare-and-set |
//! | `sharing` | what passes between a keeper and the store |
//! | `credential` | which of an app's credentials a keeper keeps |
//! | `fetch` | calls to WeChat, and what their answers mean |
//! | `exchange` | codes of accounts that authorise a platform |
//! | `grant` | tickets and refresh tokens that WeChat handed over |
//! | `obstacle` | what is remembered of failures: backoff, circuit, ceiling |
//! | `events` | what there is to tell people |
//! | `interference` | that somebody else has the secret |
//! | `verdicts`, `evidence` | what is known about the token that was rejected |
//! | `held`, `schedule` | ages, backoff, ceilings: pure functions of the time |
//! | `status` | what there is to see: status and metrics |

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::observe::clock::Timestamp;
use crate::secret::Secret;
use crate::wechat::{AppKind, Family, TokenMode, errcode};

mod credential;
mod events;
mod evidence;
mod exchange;
mod fetch;
mod grant;
mod handle;
mod held;
mod interference;
mod keeper;
mod kept;
mod ladder;
mod manager;
mod obstacle;
mod platform;
mod renewal;
mod schedule;
mod sharing;
#[cfg(test)]
mod simulation;
mod status;
mod verdicts;

pub use events::{Event, Happened};
pub use exchange::Authorized;
pub use fetch::trial;
pub use grant::import_refresh_token;
pub use handle::Handle;
pub use manager::Manager;
pub use sharing::{Stored, probe_stored};
pub use status::{Authorizers, Further, Outcome, Reason, Refresh, State, Status};

/// An access token. Ordered by generation: a larger one is newer.
#[derive(Clone, Debug)]
pub struct Token {
    /// The text that goes into the query.
    pub value: Arc<Secret>,
    /// Grows by one with each new token of the app, over restarts and replicas; never 0.
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
    /// Which token endpoint is used, where there are two.
    pub mode: TokenMode,
    /// The call that tells a live token from a dead one, a path with a leading `/`.
    pub probe: Arc<str>,
    /// Which app of its corporation it is, in WeCom.
    pub agent: Option<Arc<str>>,
    /// What a WeCom provider has beside.
    pub suite: Option<SuiteOptions>,
    /// The secret of a WeCom provider.
    pub provider_secret: Option<Arc<Secret>>,
}

impl AppOptions {
    /// What tells it from all other apps, by WeChat's names: the appid, and the agent's number where a corporation has
    /// several apps.
    pub fn identity(&self) -> Arc<str> {
        match &self.agent {
            Some(agent) => format!("{}.{agent}", self.appid).into(),
            None => Arc::clone(&self.appid),
        }
    }

    fn same_secrets(&self, other: &Self) -> bool {
        let both = |own: Option<&Arc<Secret>>, other: Option<&Arc<Secret>>| match (own, other) {
            (Some(own), Some(other)) => own.matches(other),
            (own, other) => own.is_none() && other.is_none(),
        };
        let suite = |app: &Self| app.suite.as_ref().map(|suite| Arc::clone(&suite.secret));
        self.secret.matches(&other.secret)
            && both(suite(self).as_ref(), suite(other).as_ref())
            && both(self.provider_secret.as_ref(), other.provider_secret.as_ref())
    }
}

/// A suite of a WeCom provider.
#[derive(Clone, Debug)]
pub struct SuiteOptions {
    /// WeCom's identifier of the suite.
    pub id: Arc<str>,
    /// Its secret.
    pub secret: Arc<Secret>,
}

/// WeChat rejected a request's token: 40001, 40014 or 42001 at the top level, on an endpoint that takes the app's.
#[derive(Clone, Debug)]
pub struct Rejection {
    /// Of the token that the request carried.
    pub generation: u64,
    /// What tells the endpoint from others.
    pub endpoint: u64,
    /// Its path, for log lines.
    pub endpoint_path: &'static str,
    /// WeChat's code.
    pub errcode: i64,
    /// When the attempt that was rejected began to be sent.
    pub sent_at: Instant,
    /// When its answer was read.
    pub received_at: Instant,
    /// The attempt was itself a replay with this same generation, after [`Verdict::ReplayAfter`].
    pub replayed_alive: bool,
}

/// What becomes of a request whose token was rejected.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Send it again at once with this newer token.
    Replay(Arc<Token>),
    /// The token lives, but some of WeChat's nodes may lag: send it again with this same token after the delay.
    ReplayAfter(Arc<Token>, Duration),
    /// The endpoint is at fault, or nobody can tell: WeChat's own body goes to the caller.
    PassOn,
    /// No token that WeChat takes is to be had.
    Unavailable(Unavailable),
}

/// No usable token, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct Unavailable {
    /// For people: WeChat's code and text, and the remedy; no secret.
    pub cause: String,
    /// WeChat's code, if it was WeChat that refused.
    pub errcode: Option<i64>,
}

/// Why a token could not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// WeChat's code, if it gave one.
    pub errcode: Option<i64>,
    /// WeChat's text, or ours.
    pub message: String,
    /// What ends it.
    pub remedy: Option<String>,
    /// Trying again helps only once somebody has done something.
    pub permanent: bool,
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

impl Failure {
    pub(self) fn transient(message: impl Into<String>) -> Self {
        Self { errcode: None, message: message.into(), remedy: None, permanent: false }
    }

    /// An account has to authorise the platform, or to do so again.
    pub(self) fn unauthorized(message: &str) -> Self {
        Self {
            errcode: Some(61023),
            message: message.into(),
            remedy: errcode::explain(Family::Api, 61023).map(|meaning| meaning.remedy.to_owned()),
            permanent: true,
        }
    }

    pub(self) fn ticketless() -> Self {
        Self {
            errcode: None,
            message: "WeChat has pushed no ticket in the last twelve hours".into(),
            remedy: Some(
                "See that WeChat reaches the callback ([callback] listen) under the URL that is set on \
                 open.weixin.qq.com; it pushes a ticket every ten minutes."
                    .into(),
            ),
            permanent: false,
        }
    }

    pub(self) fn looped() -> Self {
        Self {
            errcode: None,
            message: "loop: the answer for a token is a placeholder of wxgate's own".into(),
            remedy: Some(
                "WeChat's name leads to a wxgate: correct DNS, hosts file or upstream.base_urls of this one"
                    .into(),
            ),
            permanent: true,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.errcode {
            Some(code) => write!(f, "WeChat answered {code} ({})", self.message)?,
            None => f.write_str(&self.message)?,
        }
        match &self.remedy {
            Some(remedy) => write!(f, "; remedy: {remedy}"),
            None => Ok(()),
        }
    }
}
