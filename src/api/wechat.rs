//! WeChat's health: is it WeChat or us?

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::observe::clock::Timestamp;
use crate::texts::Language;
use crate::trouble::{self, Detector};

/// Ongoing troubles that are shown at most.
const MOST_ONGOING: usize = 50;

/// Whether WeChat is well, as seen by this replica's calls.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Wechat {
    /// Who has to act: `nobody`, `wechat`, `path` (the network to WeChat, or WeChat) or `settings`
    /// (something is set wrong in WeChat's console).
    pub blame: String,
    /// The same in a sentence.
    pub verdict: String,
    /// The same in Chinese.
    pub verdict_zh: String,
    /// Requests to WeChat that finished in the last five minutes.
    pub calls: u64,
    /// Those that met trouble at WeChat.
    pub troubled: u64,
    /// Ongoing troubles, at most 50, the worst first; then past ones, at most 20, the latest first.
    pub troubles: Vec<Trouble>,
}

/// Trouble of one kind on an endpoint of an app.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Trouble {
    /// The app.
    pub app: String,
    /// WeChat's path, or `other`.
    pub endpoint: String,
    /// The kind, as in `wxgate_upstream_trouble`: `busy`, `http_5xx`, ...
    pub kind: String,
    /// When its first call failed, within five seconds.
    pub since: String,
    /// When its last call failed, once it is over.
    pub ended_at: Option<String>,
    /// All calls of the endpoint from the first failed one to the last.
    pub calls: u64,
    /// Those that failed in this way.
    pub troubled: u64,
    /// The IP addresses that WeChat refused, for `not_whitelisted`.
    pub addresses: Vec<String>,
    /// The trouble in a sentence.
    pub message: String,
    /// The same in Chinese.
    pub message_zh: String,
}

impl From<&Detector> for Wechat {
    fn from(detector: &Detector) -> Self {
        let ongoing = detector.going_on();
        let verdict = detector.verdict(&ongoing);
        let troubles = ongoing.iter().take(MOST_ONGOING).chain(detector.past());
        Self {
            blame: verdict.blame.as_str().to_owned(),
            verdict: verdict.words.to(Language::English).to_owned(),
            verdict_zh: verdict.words.to(Language::Chinese).to_owned(),
            calls: verdict.calls,
            troubled: verdict.troubled,
            troubles: troubles.map(Trouble::from).collect(),
        }
    }
}

impl From<&trouble::Trouble> for Trouble {
    fn from(trouble: &trouble::Trouble) -> Self {
        let words = trouble::shown(trouble);
        Self {
            app: trouble.app.to_string(),
            endpoint: trouble.endpoint.to_owned(),
            kind: trouble.kind.as_str().to_owned(),
            since: trouble.since.rfc3339(),
            ended_at: trouble.ended.map(Timestamp::rfc3339),
            calls: trouble.calls,
            troubled: trouble.troubled,
            addresses: trouble.addresses.iter().map(ToString::to_string).collect(),
            message: words.to(Language::English).to_owned(),
            message_zh: words.to(Language::Chinese).to_owned(),
        }
    }
}
