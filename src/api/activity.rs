//! Recent events, and the results of each caller's requests.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::pipeline::CallerRequests;
use crate::token::{self, Happened};

/// Response of `GET /api/v1/activity`, for this replica since it started.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Activity {
    /// What happened to tokens, the latest first; at most 100.
    pub events: Vec<Event>,
    /// The results of each caller's requests.
    pub callers: Vec<CallerActivity>,
}

/// What happened to a token.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Event {
    /// When it happened.
    pub at: String,
    /// The app.
    pub app: String,
    /// The reason of a fetch, as in `wxgate_token_refresh_total`: `startup`, `ahead`, `rejected`,
    /// `forced` or `admin`; or `interference`, or `authorization_lost`.
    pub reason: String,
    /// The outcome of a fetch, as in `wxgate_token_refresh_total`: `replaced`, `same` or `failed`;
    /// else empty.
    pub outcome: String,
    /// The endpoint on which WeChat rejected the former token, if it did.
    pub endpoint: Option<String>,
    /// Milliseconds from the rejection, or from the start of the fetch, to the new token.
    pub took_ms: Option<u64>,
    /// How many requests were replayed with the new token.
    pub replayed: u64,
    /// The generation of the token that is now held.
    pub generation: Option<u64>,
    /// What went wrong, if something did.
    pub message: Option<String>,
}

/// The results of a caller's requests.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CallerActivity {
    /// Its name in the configuration, or `anonymous`.
    pub caller: String,
    /// The app.
    pub app: String,
    /// WeChat responded without an error.
    pub ok: u64,
    /// WeChat responded with an error.
    pub wechat_error: u64,
    /// Refused by wxgate.
    pub refused: u64,
    /// No response from WeChat.
    pub failed: u64,
}

impl Event {
    /// Out of `event`; `replayed` says how many requests were replayed with a generation.
    pub fn of(event: &token::Event, replayed: impl FnOnce(u64) -> u64) -> Self {
        let told = Self { at: event.at.rfc3339(), app: event.app.to_string(), ..Self::default() };
        match &event.what {
            Happened::Refreshed { reason, outcome, endpoint, took, generation, failure } => Self {
                reason: reason.as_str().to_owned(),
                outcome: outcome.as_str().to_owned(),
                endpoint: endpoint.map(str::to_owned),
                took_ms: u64::try_from(took.as_millis()).ok(),
                replayed: generation.map_or(0, replayed),
                generation: *generation,
                message: failure.as_ref().map(ToString::to_string),
                ..told
            },
            Happened::Interference { generation } => Self {
                reason: "interference".to_owned(),
                generation: Some(*generation),
                message: Some("another program fetches tokens with this app's secret".to_owned()),
                ..told
            },
            Happened::AuthorizationLost(lost) => Self {
                reason: "authorization_lost".to_owned(),
                message: Some(lost.cause.to_string()),
                ..told
            },
        }
    }
}

impl CallerActivity {
    /// All of them together.
    pub fn requests(&self) -> u64 {
        self.ok + self.wechat_error + self.refused + self.failed
    }
}

impl From<CallerRequests> for CallerActivity {
    fn from(of: CallerRequests) -> Self {
        Self {
            caller: of.caller.to_string(),
            app: of.app.to_string(),
            ok: of.ok,
            wechat_error: of.wechat_error,
            refused: of.refused,
            failed: of.failed,
        }
    }
}
