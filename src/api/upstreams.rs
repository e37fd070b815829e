//! WeChat's hosts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::upstream::HostStatus;

/// One of WeChat's hosts.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Upstream {
    /// Scheme and authority.
    pub origin: String,
    /// The egress proxy on the way there, without credentials.
    pub egress: Option<String>,
    /// Whether requests go there now.
    pub in_use: bool,
    /// Whether it responds.
    pub healthy: bool,
    /// What went wrong, if it is not healthy.
    pub problem: Option<String>,
}

impl From<HostStatus> for Upstream {
    fn from(host: HostStatus) -> Self {
        let HostStatus { origin, egress, in_use, problem } = host;
        let problem = problem.map(|words| words.to_string());
        Self { origin, egress, in_use, healthy: problem.is_none(), problem }
    }
}
