//! The configuration of tokens and apps.

use std::sync::Arc;
use std::time::Duration;

use crate::secret::Secret;
use crate::wechat::{AppKind, TokenMode};

/// What holds for the tokens of all apps.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bounds one request to a token endpoint and one probe.
    pub fetch_timeout: Duration,
    /// The longest that a request waits for a new token.
    pub refresh_wait: Duration,
}

/// An app that has a token.
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
    /// The endpoint that tells whether a token is alive, a path with a leading `/`.
    pub probe: Arc<str>,
    /// Which app of its corporation it is, in WeCom.
    pub agent: Option<Arc<str>>,
    /// The suite of a WeCom provider.
    pub suite: Option<SuiteOptions>,
    /// The secret of a WeCom provider.
    pub provider_secret: Option<Arc<Secret>>,
}

impl AppOptions {
    /// Identifies it among all apps by WeChat's names: the appid, and the agent's number where a
    /// corporation has several apps.
    pub fn identity(&self) -> Arc<str> {
        match &self.agent {
            Some(agent) => format!("{}.{agent}", self.appid).into(),
            None => Arc::clone(&self.appid),
        }
    }

    /// The id of its suite; empty if it has none.
    pub(super) fn suite_id(&self) -> &str {
        self.suite.as_ref().map_or("", |suite| &suite.id)
    }

    pub(super) fn same_secrets(&self, other: &Self) -> bool {
        let both = |own: Option<&Arc<Secret>>, other: Option<&Arc<Secret>>| match (own, other) {
            (Some(own), Some(other)) => own.matches(other),
            (own, other) => own.is_none() && other.is_none(),
        };
        let suite = |app: &Self| app.suite.as_ref().map(|suite| Arc::clone(&suite.secret));
        let kind = |app: &Self| app.suite.as_ref().map(|suite| suite.kind);
        self.secret.matches(&other.secret)
            && both(suite(self).as_ref(), suite(other).as_ref())
            && kind(self) == kind(other)
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
    /// How tokens of the companies that authorised it are fetched.
    pub kind: SuiteKind,
}

impl SuiteOptions {
    /// Whether it is a template of customized apps (代开发).
    pub fn is_customized(&self) -> bool {
        self.kind == SuiteKind::Customized
    }
}

/// How the token of a company that authorised a suite is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuiteKind {
    /// 第三方应用: by `get_corp_token`, with the suite's token.
    ThirdParty,
    /// 代开发应用: by `gettoken`, with the permanent code as the secret.
    Customized,
}
