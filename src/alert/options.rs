//! Who is told of what.

use std::sync::Arc;

use super::notice::Topic;
use crate::secret::Secret;

/// A target of notices.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whose form it takes.
    pub kind: Kind,
    /// Where to. Holds the robot's key, so it is a secret.
    pub url: Arc<Secret>,
    /// Signs, where the target demands it.
    pub secret: Option<Arc<Secret>>,
    /// What it is told of.
    pub topics: Vec<Topic>,
    /// Of which apps; all if empty.
    pub apps: Vec<Arc<str>>,
    /// In Chinese.
    pub chinese: bool,
}

impl PartialEq for Options {
    fn eq(&self, other: &Self) -> bool {
        let secret = |options: &Self| options.secret.clone().unwrap_or_else(|| Arc::new(Secret::new("")));
        self.kind == other.kind
            && self.url.matches(&other.url)
            && secret(self).matches(&secret(other))
            && self.topics == other.topics
            && self.apps == other.apps
            && self.chinese == other.chinese
    }
}

/// Whose form a target takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A group robot of WeCom (企业微信).
    Wecom,
    /// A group robot of DingTalk (钉钉).
    DingTalk,
    /// A group robot of Feishu (飞书).
    Feishu,
    /// JSON to anybody.
    Webhook,
}

impl Kind {
    /// As in the configuration and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wecom => "wecom",
            Self::DingTalk => "dingtalk",
            Self::Feishu => "feishu",
            Self::Webhook => "webhook",
        }
    }
}
