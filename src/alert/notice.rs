//! What there is to say.

use std::sync::Arc;

use serde::Serialize;

use crate::observe::clock::Timestamp;
use crate::texts::{Language, Words};

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// A quota that is used up, or will be.
    Quota,
    /// A token that can't be fetched, or can again.
    Token,
    /// Another party uses an app's credentials.
    Interference,
    /// A configuration that was refused.
    Configuration,
    /// Trouble at WeChat, and its end.
    Upstream,
}

/// Something that people should know. It holds no credential.
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
    /// The caller that causes it, and its share in percent, if it is one.
    pub caller: Option<(String, u64)>,
    /// What happened.
    pub words: Words,
}

impl Notice {
    /// A line of a message.
    pub(super) fn line(&self, language: Language) -> String {
        // A robot that wants a keyword gets the product's name.
        let app = self.app.as_ref().map(|app| format!(" {app}")).unwrap_or_default();
        format!("[wxgate] {}{app}: {}", self.at.beijing_time(), self.words.to(language))
    }
}
