//! What there is to say.

use std::sync::Arc;

use serde::Serialize;

use crate::observe::clock::Timestamp;

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// A quota that is used up, or will be.
    Quota,
    /// A token that can't be had, or can again.
    Token,
    /// Somebody else uses an app's credentials.
    Interference,
    /// A configuration that was refused.
    Configuration,
    /// WeChat is ill, or well again.
    Upstream,
}

/// Something that a person should know. No credential is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// When it happened.
    pub at: Timestamp,
    /// The app's name; none if it concerns all.
    pub app: Option<Arc<str>>,
    /// What it is about.
    pub topic: Topic,
    /// In a word, for programs.
    pub kind: &'static str,
    /// Who is behind it, and its part in percent, where that is a caller.
    pub caller: Option<(String, u64)>,
    /// In English.
    pub english: String,
    /// In Chinese.
    pub chinese: String,
}

impl Notice {
    /// A line of a message.
    pub(super) fn line(&self, chinese: bool) -> String {
        let text = if chinese { &self.chinese } else { &self.english };
        // A robot that wants a keyword gets the product's name.
        let app = self.app.as_ref().map(|app| format!(" {app}")).unwrap_or_default();
        format!("[wxgate] {}{app}: {text}", self.at.beijing_time())
    }
}
