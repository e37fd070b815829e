//! The status: the process, its configuration, what expires soon.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::apps::App;
use super::quota::AppQuota;
use super::store::Store;
use super::upstreams::Upstream;
use super::wechat::Wechat;
use crate::observe::clock::{ENDS_SOON, Timestamp};
use crate::pipeline;

/// Of each app that many are near their end.
const MOST_NEAR_END: usize = 5;

/// Response of `GET /api/v1/status`. All times are RFC 3339 in UTC.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// wxgate's version.
    pub version: String,
    /// When the process started.
    #[serde(default)]
    pub started_at: String,
    /// What the proxy listens on, as `host:port` or `unix:/path`.
    #[serde(default)]
    pub listeners: Vec<String>,
    /// The proxy is shutting down: load balancers should send no more requests here.
    #[serde(default)]
    pub draining: bool,
    /// Whether WeChat is well.
    #[serde(default)]
    pub wechat: Wechat,
    /// How many requests are in flight.
    #[serde(default)]
    pub work: Work,
    /// When it was loaded, and whether a later one was refused.
    #[serde(default)]
    pub configuration: Configuration,
    /// Certificates and keys that expire within 14 days, or have expired.
    #[serde(default)]
    pub ending: Vec<Ending>,
    /// Where tokens are kept.
    #[serde(default)]
    pub store: Store,
    /// Each of WeChat's hosts in use, once for each way there. Of hosts that replace each other the
    /// preferred one comes first.
    #[serde(default)]
    pub upstreams: Vec<Upstream>,
    /// In the order of the configuration.
    pub apps: Vec<App>,
    /// In the order of the configuration.
    #[serde(default)]
    pub callers: Vec<Caller>,
    /// For each app the endpoints whose quota will run out first, at most five.
    #[serde(default)]
    pub quota: Vec<NearEnd>,
}

/// Requests in flight, and how many there may be.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Work {
    /// In flight now, without those that wait for their turn.
    pub at_work: u64,
    /// How many may be in flight at once.
    pub most: u64,
    /// Waiting for their turn now.
    pub waiting: u64,
    /// Refused as `overloaded` since the process started.
    pub refused: u64,
}

/// The current configuration, and the latest one if that was refused.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Configuration {
    /// When it was loaded.
    pub loaded_at: String,
    /// Why the latest reload was refused, if it was: a restart would fail.
    pub refused: Option<RefusedConfiguration>,
    /// The files that `include` names, by name.
    pub files: Vec<IncludedFile>,
}

/// A file with accounts, which the configuration includes.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct IncludedFile {
    /// As `include` names it.
    pub path: String,
    /// The names of its apps that are in force.
    pub apps: Vec<String>,
    /// Why what is in the file now is not in force, and since when: its apps are as they were, and
    /// a restart would fail.
    pub rejected: Option<RefusedConfiguration>,
}

/// A configuration, or a file of it, that was refused.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RefusedConfiguration {
    /// When it was refused.
    pub at: String,
    /// The first problem; the log has all of them.
    pub problem: String,
    /// How many other problems there are.
    pub more: usize,
}

/// Something that expires and must be replaced before.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Ending {
    /// `certificate` or `caller_key`.
    pub kind: String,
    /// The configuration's table that names the certificate, or the caller's name.
    pub name: String,
    /// When it expires.
    pub ends_at: String,
    /// Seconds until then; 0 if it has expired.
    pub ends_in_seconds: u64,
}

/// An endpoint whose daily quota is known.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct NearEnd {
    /// The app.
    pub app: String,
    /// WeChat's path.
    pub endpoint: String,
    /// WeChat's daily limit.
    pub limit: u64,
    /// What is used of it.
    pub used: u64,
    /// What is left.
    pub remaining: u64,
    /// When it runs out at the current pace; null if it lasts for the day.
    pub exhausted_at: Option<String>,
}

/// A configured caller.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Caller {
    /// Its name in the configuration.
    pub name: String,
    /// The apps that it may use.
    pub apps: Vec<String>,
    /// The last day, in Beijing, on which its keys are valid; null if they don't expire.
    pub expires: Option<String>,
}

impl From<pipeline::Work> for Work {
    fn from(work: pipeline::Work) -> Self {
        let pipeline::Work { at_work, most, waiting, refused } = work;
        Self { at_work, most, waiting, refused }
    }
}

impl Ending {
    /// Something that expires at `end`, if that is soon at `now`.
    pub fn soon(kind: &str, name: &str, end: Timestamp, now: Timestamp) -> Option<Self> {
        let left = end.since(now);
        (left <= ENDS_SOON).then(|| Self {
            kind: kind.to_owned(),
            name: name.to_owned(),
            ends_at: end.rfc3339(),
            ends_in_seconds: left.as_secs(),
        })
    }
}

impl NearEnd {
    /// At most five endpoints of an app, those that will run out first in front.
    pub fn of(app: &AppQuota) -> impl Iterator<Item = Self> {
        let known = app.endpoints.iter().filter_map(|endpoint| {
            let (limit, used) = (endpoint.limit?, endpoint.used.unwrap_or(endpoint.calls_today));
            Some(Self {
                app: app.app.clone(),
                endpoint: endpoint.endpoint.clone(),
                limit,
                used,
                remaining: endpoint.remaining.unwrap_or_else(|| limit.saturating_sub(used)),
                exhausted_at: endpoint.exhausted_at.clone(),
            })
        });
        known.take(MOST_NEAR_END)
    }
}

impl Caller {
    /// All callers of `options`, the anonymous one last.
    pub fn all(options: &pipeline::Options) -> Vec<Self> {
        options.callers.iter().chain(&options.anonymous_caller).map(Self::from).collect()
    }
}

impl From<&pipeline::CallerOptions> for Caller {
    fn from(caller: &pipeline::CallerOptions) -> Self {
        Self {
            name: caller.name.to_string(),
            apps: caller.apps.iter().map(ToString::to_string).collect(),
            expires: caller.expires.map(Timestamp::last_beijing_date),
        }
    }
}
