//! Whether a load balancer should send requests here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::apps::{App, AppState, LastFailure};

/// Response of `GET /readyz`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Readiness {
    /// The same as the HTTP status.
    pub ready: bool,
    /// The proxy is shutting down: load balancers should send no more requests here.
    pub draining: bool,
    /// In the order of the configuration.
    pub apps: Vec<AppReadiness>,
}

/// Whether an app's requests can be served.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AppReadiness {
    /// Its name in the configuration.
    pub name: String,
    /// Whether its requests can be served.
    pub state: AppState,
    /// Why not, if they cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<LastFailure>,
}

impl From<&App> for AppReadiness {
    fn from(app: &App) -> Self {
        let failure = if app.is_usable() { None } else { app.last_failure.clone() };
        Self { name: app.name.clone(), state: app.state, failure }
    }
}
