//! The catalogue of WeChat's endpoints.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::wechat::catalogue;

/// Response of `GET /api/v1/endpoints`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Endpoints {
    /// By host, then path.
    pub endpoints: Vec<Endpoint>,
}

/// What wxgate knows about one of WeChat's endpoints.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Endpoint {
    /// WeChat's path.
    pub path: String,
    /// Which of WeChat's hosts serves it.
    pub host: String,
    /// `GET` or `POST`, if known.
    pub method: Option<String>,
    /// The credential that it takes or issues: `app_token`, `component_token`, ...
    pub class: String,
    /// The query parameter that wxgate writes that credential into; null if wxgate cannot hold it.
    pub injects: Option<String>,
    /// It may respond with a file.
    pub binary: bool,
    /// Only callers whose `allow` names it exactly may call it.
    pub guarded: bool,
    /// It is guarded because it moves money.
    pub money: bool,
    /// It takes a code that is valid once.
    pub one_time_code: bool,
    /// WeChat may take long for it: `upstream.slow_response_timeout` applies.
    pub slow: bool,
    /// A success proves that the app's token is valid.
    pub evidence: bool,
    /// WeChat accepts signed and encrypted calls of it (API 安全).
    pub signed: bool,
    /// What 45009 counts there: `day`; `minute` where it may be a minute; null if unknown.
    pub window: Option<String>,
    /// wxgate replays a request after WeChat rejected its token.
    pub replay: bool,
}

impl Endpoints {
    /// The whole catalogue.
    pub fn all() -> Self {
        let listed = catalogue::all().iter().filter(|listed| listed.id != 0);
        Self { endpoints: listed.map(Endpoint::from).collect() }
    }
}

impl From<&catalogue::Endpoint> for Endpoint {
    fn from(endpoint: &catalogue::Endpoint) -> Self {
        Self {
            path: endpoint.path.to_owned(),
            host: endpoint.family.host().to_owned(),
            method: endpoint.method.map(str::to_owned),
            class: endpoint.class.as_str().to_owned(),
            injects: endpoint.parameter().map(str::to_owned),
            binary: endpoint.binary,
            guarded: endpoint.guarded,
            money: endpoint.money,
            one_time_code: endpoint.one_time_code,
            slow: endpoint.slow,
            evidence: endpoint.evidence,
            signed: endpoint.signed,
            window: endpoint.window.map(|window| window.as_str().to_owned()),
            replay: endpoint.class.token_parameter().is_some(),
        }
    }
}
