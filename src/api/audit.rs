//! What operators did, or were denied.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::observe::audit::Audited;

/// Response of `GET /api/v1/audit`, for this replica since it started. The log has all of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AuditTrail {
    /// The latest first: at most 100 that were done or failed, and 20 that were denied.
    pub entries: Vec<AuditEntry>,
}

/// An action, as the log has it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AuditEntry {
    /// When it ended.
    pub at: String,
    /// Who asked: an IP address, or a user of this machine; null where a signal did.
    pub remote: Option<String>,
    /// What was asked for: `refresh`, `force`, `clear_quota`, `reload`, `read`, ...
    pub action: String,
    /// The app that it concerns.
    pub app: Option<String>,
    /// The endpoint that it concerns alone.
    pub endpoint: Option<String>,
    /// `done`, `failed` or `denied`.
    pub outcome: String,
    /// Why it failed, or was denied.
    pub cause: Option<String>,
    /// How many denied reads this entry stands for.
    pub count: Option<u64>,
}

impl From<Audited> for AuditEntry {
    fn from(of: Audited) -> Self {
        Self {
            at: of.at.rfc3339(),
            remote: of.remote.map(|remote| remote.to_string()),
            action: of.action.to_owned(),
            app: of.app,
            endpoint: of.endpoint,
            outcome: of.outcome.to_owned(),
            cause: of.cause,
            count: of.count,
        }
    }
}
