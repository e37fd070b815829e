//! What wxgate responded by itself, and why.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::traffic::Range;
use crate::pipeline;
use crate::quota::Outcome;

/// Response of `GET /api/v1/refusals`, for this replica since it started.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Refusals {
    /// How much of the past; `day` counts whole hours.
    pub range: Range,
    /// How many kinds there are, listed or not.
    pub kinds: usize,
    /// The most frequent first; at most 200 in detail, those beyond without their endpoint, and
    /// beyond 400 by their code alone.
    pub refusals: Vec<Refusal>,
}

/// Requests to which wxgate responded by itself for one reason.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Refusal {
    /// As in `X-Wxgate-Error`; null where the response has a code of WeChat's alone.
    pub code: Option<String>,
    /// As in the response's body.
    pub errcode: i64,
    /// `refused`, or `failed` if WeChat was to be asked and there is no response of its.
    pub outcome: String,
    /// The app; null if that was not settled.
    pub app: Option<String>,
    /// Its name in the configuration, or `anonymous`; null if that was not settled.
    pub caller: Option<String>,
    /// WeChat's path, or `other`.
    pub endpoint: String,
    /// It stands for several kinds that there was no room for: `path` and `why` are those of one of
    /// them.
    pub various: bool,
    /// How many there were.
    pub count: u64,
    /// When the last one was.
    pub last_at: String,
    /// The method of one of the latest.
    pub method: String,
    /// Its path, escaped and shortened.
    pub path: String,
    /// Why, in a sentence.
    pub why: String,
    /// Where the documentation says what to do.
    pub document: String,
}

impl Refusal {
    /// Whether it concerns this app, as far as one is asked for.
    pub fn concerns(&self, app: Option<&str>) -> bool {
        app.is_none_or(|app| self.app.as_deref() == Some(app))
    }
}

impl From<pipeline::Refusal> for Refusal {
    fn from(of: pipeline::Refusal) -> Self {
        let language = crate::texts::Language::current();
        let language = if language == crate::texts::Language::Chinese { "zh" } else { "en" };
        Self {
            code: of.code.map(str::to_owned),
            errcode: of.errcode,
            outcome: if of.outcome == Outcome::Failed { "failed" } else { "refused" }.to_owned(),
            app: of.app.as_deref().map(str::to_owned),
            caller: of.caller.as_deref().map(str::to_owned),
            endpoint: of.endpoint.to_owned(),
            various: of.various,
            count: of.count,
            last_at: of.last.rfc3339(),
            method: of.method,
            path: of.path,
            why: of.why.to_string(),
            document: format!("{}/blob/main/docs/{language}/refusals.md", env!("CARGO_PKG_REPOSITORY")),
        }
    }
}
