//! Which target gets which notices.

use std::sync::Arc;

use super::notice::Topic;
use crate::secret::Secret;
use crate::texts::Language;

/// A target of notices.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whose form it takes.
    pub kind: Kind,
    /// Its address, which holds the robot's key and so is a secret.
    pub url: Arc<Secret>,
    /// Signs the messages, where the target requires it.
    pub secret: Option<Arc<Secret>>,
    /// The topics that it gets.
    pub topics: Vec<Topic>,
    /// Of which apps; all if empty.
    pub apps: Vec<Arc<str>>,
    /// Of its messages.
    pub language: Language,
}

impl PartialEq for Options {
    fn eq(&self, other: &Self) -> bool {
        let secret = |options: &Self| options.secret.clone().unwrap_or_else(|| Arc::new(Secret::new("")));
        self.kind == other.kind
            && self.url.matches(&other.url)
            && secret(self).matches(&secret(other))
            && self.topics == other.topics
            && self.apps == other.apps
            && self.language == other.language
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
    /// JSON to any server.
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
