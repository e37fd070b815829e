//! What the status page follows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::activity::Activity;
use super::figures::AppFigures;
use super::quota::{ErrorCount, Quota};
use super::status::Status;

/// The data of an event of `GET /api/v1/events`: what the status page shows, short enough to be
/// sent every two seconds.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Snapshot {
    /// The whole status.
    pub status: Status,
    /// Only the most important endpoints, without their errors; `/api/v1/quota` has all of them.
    pub quota: Quota,
    /// Recent events, and the busiest callers.
    pub activity: Activity,
    /// Today's calls of all apps and endpoints.
    #[serde(default)]
    pub calls_today: u64,
    /// Today's errors of all apps and endpoints, the most frequent first.
    #[serde(default)]
    pub errors: Vec<CodeErrors>,
    /// The last hour of each app that had requests, on this replica.
    #[serde(default)]
    pub recent: Vec<AppFigures>,
    /// An admin token is configured, so whoever has it can change something.
    #[serde(default)]
    pub changeable: bool,
}

/// Where WeChat responded with a code today.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CodeErrors {
    /// The code, with the sum of all places.
    #[serde(flatten)]
    pub error: ErrorCount,
    /// Some of the places, the busiest first.
    pub places: Vec<ErrorPlace>,
    /// How many places are left out.
    pub more: usize,
}

/// An endpoint on which WeChat responded with a code.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ErrorPlace {
    /// The app.
    pub app: String,
    /// WeChat's path.
    pub endpoint: String,
    /// How often.
    pub count: u64,
}
