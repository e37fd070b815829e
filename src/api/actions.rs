//! The results of what is done by `POST`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::quota;
use crate::token::{RefreshReport, RefreshResult};

/// Response of `POST /api/v1/apps/{name}/refresh`. The status is 200 even if the fetch failed.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Refreshed {
    /// The outcome of the fetch.
    pub outcome: RefreshOutcome,
    /// The generation of the token that is now held; null if there is none.
    pub generation: Option<u64>,
    /// How many forced refreshes are left today.
    #[serde(default)]
    pub forces_left_today: u32,
    /// The outcome in a sentence.
    #[serde(default)]
    pub message: String,
}

/// The outcome of a fetch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefreshOutcome {
    /// A new token is held.
    Replaced,
    /// WeChat returned the token that was already held.
    Same,
    /// No token came.
    Failed,
    /// One that this version doesn't know. It is read, never written.
    #[default]
    #[serde(other, skip_serializing)]
    Unknown,
}

/// Response of `POST /api/v1/apps/{name}/clear-quota`. The status is 200 even if WeChat refused.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Cleared {
    /// Whether the counters were set to zero.
    pub cleared: bool,
    /// WeChat's code, if it refused.
    pub errcode: Option<i64>,
    /// How often wxgate did this in this month.
    #[serde(default)]
    pub spent_this_month: u32,
    /// How often WeChat allows it in a month, including those made in its console.
    #[serde(default)]
    pub allowed_a_month: u32,
    /// The result in a sentence.
    #[serde(default)]
    pub message: String,
}

/// Response of `POST /api/v1/apps/{name}/quota/reset`. The status is 200 even if the store failed.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct QuotaReset {
    /// Whether all counters and budgets were reset.
    pub reset: bool,
    /// Calls of the app that wxgate had counted today.
    #[serde(default)]
    pub calls_counted: u64,
    /// The budgets that were reset.
    #[serde(default)]
    pub budgets: Vec<String>,
    /// The result in a sentence.
    #[serde(default)]
    pub message: String,
}

/// Response of `POST /api/v1/apps/{name}/rid`: what WeChat remembers about a request. WeChat
/// remembers it for seven days.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Remembered {
    /// The `request` of WeChat's response to `openapi/rid/get`, without credentials.
    pub request: Option<serde_json::Value>,
    /// WeChat's code, if it does not remember the request.
    pub errcode: Option<i64>,
    /// The result in a sentence.
    pub message: String,
}

/// Response of `POST /api/v1/reload`.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Reloaded {
    /// Always true: if the configuration is refused, the response is an error.
    pub reloaded: bool,
}

/// Why a request was not served.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ErrorResponse {
    /// The reason, for people.
    pub error: String,
}

impl RefreshOutcome {
    /// As in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Replaced => "replaced",
            Self::Same => "same",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

impl From<RefreshReport> for Refreshed {
    fn from(report: RefreshReport) -> Self {
        let (outcome, message) = match report.result {
            RefreshResult::Replaced => (RefreshOutcome::Replaced, "a new token is held".to_owned()),
            RefreshResult::Same => (
                RefreshOutcome::Same,
                "WeChat returned the token that was already held: it is the current one".to_owned(),
            ),
            RefreshResult::Failed(failure) => (RefreshOutcome::Failed, failure.to_string()),
            RefreshResult::Refused { next_at } => {
                let next_at = next_at.rfc3339();
                let limit = "WeChat allows 20 forced refreshes a day, 30 s apart";
                (RefreshOutcome::Failed, format!("{limit}: not before {next_at}"))
            }
        };
        let RefreshReport { generation, forces_left, .. } = report;
        Self { outcome, generation, forces_left_today: forces_left, message }
    }
}

impl From<quota::Cleared> for Cleared {
    fn from(cleared: quota::Cleared) -> Self {
        let quota::Cleared { errcode, spent, allowed, message } = cleared;
        Self {
            cleared: errcode == Some(0),
            errcode: errcode.filter(|errcode| *errcode != 0),
            spent_this_month: spent,
            allowed_a_month: allowed,
            message: message.to_string(),
        }
    }
}

impl QuotaReset {
    /// What was reset of the app named `app`.
    pub fn of(app: &str, done: quota::Reset) -> Self {
        let quota::Reset { counted, budgets } = done;
        let mut message = format!("the counters of {app} were reset, {counted} calls were counted today");
        if !budgets.is_empty() {
            message += &format!("; so were the budgets {}", budgets.join(", "));
        }
        Self { reset: true, calls_counted: counted, budgets, message }
    }
}

impl From<quota::Remembered> for Remembered {
    fn from(remembered: quota::Remembered) -> Self {
        let quota::Remembered { request, errcode, message } = remembered;
        Self { request, errcode: errcode.filter(|errcode| *errcode != 0), message: message.to_string() }
    }
}
