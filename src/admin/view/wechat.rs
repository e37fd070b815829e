//! What `GET /api/v1/status` says of WeChat: is it WeChat or us?

use serde::{Deserialize, Serialize};

/// Whether WeChat is well, as this replica's calls met it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Wechat {
    /// Whose trouble it is: `nobody`, `wechat`, `path` (the way to WeChat, or WeChat), `settings`
    /// (what is set in WeChat's console).
    pub blame: String,
    /// The same in a sentence.
    pub verdict: String,
    /// In Chinese.
    pub verdict_zh: String,
    /// Requests that went to WeChat in the last five minutes and have ended.
    pub calls: u64,
    /// Those of them that met trouble of WeChat's.
    pub troubled: u64,
    /// What goes on, at most 50, the worst first; then what is over, at most 20, the latest first.
    pub troubles: Vec<Trouble>,
}

/// Trouble of one kind at an endpoint of an app's.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Trouble {
    /// The app.
    pub app: String,
    /// WeChat's path, or `other`.
    pub endpoint: String,
    /// As in `wxgate_upstream_trouble`: `busy`, `http_5xx`, ...
    pub kind: String,
    /// Its first call, within five seconds.
    pub since: String,
    /// Its last call, once it is over.
    pub ended_at: Option<String>,
    /// All calls of the endpoint from the first to the last.
    pub calls: u64,
    /// Those with this trouble.
    pub troubled: u64,
    /// The addresses that WeChat refused, of `not_whitelisted`.
    pub addresses: Vec<String>,
    /// In a sentence.
    pub message: String,
    /// In Chinese.
    pub message_zh: String,
}
