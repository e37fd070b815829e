//! What the API says, in JSON. These names are public: scripts and the command line read them. No
//! credential is among them.

pub mod quota;
pub mod wechat;

use serde::{Deserialize, Serialize};

use crate::observe::clock::{ENDS_SOON, Timestamp};

/// Answer of `GET /api/v1/status`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// wxgate's version.
    pub version: String,
    /// When the process began; RFC 3339, as all times here.
    pub started_at: String,
    /// What the proxy listens on, `host:port` or `unix:/path`.
    pub listeners: Vec<String>,
    /// The proxy ends: load balancers are to send nobody here.
    pub draining: bool,
    /// Whether WeChat is well.
    pub wechat: wechat::Wechat,
    /// How many requests are at work.
    pub work: Work,
    /// Since when it is in force, and whether a later one was refused.
    pub configuration: Configuration,
    /// Certificates and keys that end within 14 days, or have ended.
    pub ending: Vec<Ending>,
    /// Where tokens are kept.
    pub store: Store,
    /// Each of WeChat's hosts that is used, by each way there; of those that stand for each other
    /// the preferred one first.
    pub upstreams: Vec<Upstream>,
    /// In the order of the configuration.
    pub apps: Vec<App>,
    /// In the order of the configuration.
    pub callers: Vec<Caller>,
    /// Of each app the endpoints whose quota is nearest to its end, at most five.
    pub quota: Vec<NearEnd>,
}

/// Requests, as far as there is room for them.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Work {
    /// Now, without those that wait for their turn.
    pub at_work: u64,
    /// At a time.
    pub most: u64,
    /// Now.
    pub waiting: u64,
    /// `overloaded`, since the process began.
    pub refused: u64,
}

/// The configuration in force, and the latest one if that was refused.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Configuration {
    /// When it was put in force.
    pub loaded_at: String,
    /// Why the latest reload was refused, if it was: a restart would fail.
    pub refused: Option<Refused>,
}

/// A configuration that was refused.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Refused {
    /// When.
    pub at: String,
    /// The first problem; the log has all.
    pub problem: String,
    /// How many there are beside it.
    pub more: usize,
}

/// What ends by itself and has to be replaced before.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ending {
    /// `certificate` or `caller_key`.
    pub kind: String,
    /// Which: the table of the configuration that names the certificate, or the caller.
    pub name: String,
    /// When it ends.
    pub ends_at: String,
    /// Until then; 0 if that is past.
    pub ends_in_seconds: u64,
}

/// An endpoint whose daily quota is known.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NearEnd {
    /// The app.
    pub app: String,
    /// WeChat's path.
    pub endpoint: String,
    /// WeChat's daily limit.
    pub limit: u64,
    /// What is spent of it.
    pub used: u64,
    /// What is left.
    pub remaining: u64,
    /// When it ends at the present pace; none if it lasts for the day.
    pub exhausted_at: Option<String>,
}

/// Where tokens are kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Store {
    /// Its URL, without secrets.
    pub url: String,
    /// Whether what is written to it is shared.
    pub up: bool,
    /// Why not; tokens are served from memory then.
    pub problem: Option<String>,
    /// Records in it that are not believed, as far as they were met.
    #[serde(default)]
    pub refused: Vec<RefusedRecord>,
}

/// A record in the store that is not believed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RefusedRecord {
    /// Its key.
    pub key: String,
    /// `unsealed`, `unknown_key`, `broken_seal`, `damaged` or `format`.
    pub reason: String,
    /// Since when that is known.
    pub since: String,
    /// It can't be had again and is left as it is; of any other the next good one takes the place.
    pub kept: bool,
}

/// One of WeChat's hosts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Upstream {
    /// Scheme and authority.
    pub origin: String,
    /// The egress proxy on the way there, without credentials.
    pub egress: Option<String>,
    /// Requests go there now.
    pub in_use: bool,
    /// Whether it answers.
    pub healthy: bool,
    /// What it did instead.
    pub problem: Option<String>,
}

/// A configured app and its token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct App {
    /// Its name in the configuration.
    pub name: String,
    /// WeChat's identifier of the account.
    pub appid: String,
    /// As in the configuration: `official_account`, `mini_program`, ...
    pub kind: String,
    /// `stable` or `classic`, of official accounts and mini programs.
    pub token_mode: Option<String>,
    /// Whether requests can be served.
    pub state: AppState,
    /// The token held, if one is.
    pub token: Option<Token>,
    /// Seconds to the next fetch that is planned.
    pub next_refresh_in_seconds: Option<u64>,
    /// The latest fetch.
    pub last_refresh: Option<LastRefresh>,
    /// The latest fetch that failed; stays when a later one succeeds.
    pub last_failure: Option<LastFailure>,
    /// How often the token may still be replaced by force today.
    pub forces_left_today: u32,
    /// How often somebody else was found to fetch with this app's secret.
    pub interference: u64,
    /// Where else its token is written to.
    pub exports: Vec<Export>,
    /// What else of the app's was used: tickets, a suite's token.
    #[serde(default)]
    pub credentials: Vec<Credential>,
    /// Of a third-party platform: the accounts that it was asked to act for.
    pub authorizers: Option<Authorizers>,
}

/// A credential beside an app's token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Credential {
    /// As in the metrics: `jsapi_ticket`, ...
    pub kind: String,
    /// Whether there is one.
    pub state: AppState,
    /// Counts them.
    pub generation: Option<u64>,
    /// Seconds until it ends.
    pub expires_in_seconds: Option<u64>,
    /// The latest fetch that failed.
    pub last_failure: Option<LastFailure>,
}

/// The accounts that a third-party platform was asked to act for since the start.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Authorizers {
    /// Their token is held.
    pub in_use: usize,
    /// Their latest fetch failed.
    pub failing: usize,
}

/// A place that an app's token is written to for others.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Export {
    /// Which, without secrets.
    pub to: String,
    /// The token that is there.
    pub generation: Option<u64>,
    /// When it was last seen to be there.
    pub checked_at: Option<String>,
    /// Why the last try failed, if it did.
    pub problem: Option<String>,
    /// How often somebody else had written there.
    pub overwritten: u64,
}

/// Whether an app's requests can be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppState {
    /// A usable token is held.
    Ready,
    /// No token yet; the first fetch is under way.
    Starting,
    /// No usable token, and fetching one failed.
    Unavailable,
}

/// What is told of a token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Token {
    /// Counts the app's tokens.
    pub generation: u64,
    /// Seconds since WeChat handed it out.
    pub age_seconds: u64,
    /// Seconds until it ends.
    pub expires_in_seconds: u64,
}

/// A fetch that came to its end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LastRefresh {
    /// When.
    pub at: String,
    /// As in `wxgate_token_refresh_total`: startup, ahead, rejected, forced, admin.
    pub reason: String,
    /// As in `wxgate_token_refresh_total`.
    pub outcome: String,
}

/// A fetch that brought no token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LastFailure {
    /// When.
    pub at: String,
    /// WeChat's code, if WeChat answered.
    pub errcode: Option<i64>,
    /// What happened.
    pub message: String,
    /// What the operator can do about it.
    pub remedy: Option<String>,
    /// It won't pass by itself.
    pub permanent: bool,
}

/// A configured caller.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Caller {
    /// Its name in the configuration.
    pub name: String,
    /// The apps that it may use.
    pub apps: Vec<String>,
    /// The last day, in Beijing, on which its keys hold.
    pub expires: Option<String>,
}

/// Answer of `GET /api/v1/endpoints`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Endpoints {
    /// By host, then path.
    pub endpoints: Vec<Endpoint>,
}

/// What is known of one of WeChat's endpoints.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Endpoint {
    /// WeChat's path.
    pub path: String,
    /// On which of WeChat's hosts.
    pub host: String,
    /// `GET` or `POST`, if known.
    pub method: Option<String>,
    /// Which credential it wants or hands out: `app_token`, `component_token`, ...
    pub class: String,
    /// The query parameter that wxgate writes that credential into, if it is one that wxgate can
    /// hold.
    pub injects: Option<String>,
    /// It may answer with a file.
    pub binary: bool,
    /// Open only to callers whose `allow` names it exactly.
    pub guarded: bool,
    /// It is guarded since it moves money.
    pub money: bool,
    /// It takes a code that is good once.
    pub one_time_code: bool,
    /// WeChat may work on it for long: `upstream.slow_response_timeout` holds.
    pub slow: bool,
    /// A success proves that the app's token lives.
    pub evidence: bool,
    /// WeChat takes signed and encrypted calls of it (API 安全).
    pub signed: bool,
    /// What 45009 counts over there: `day`; `minute` where it may be a minute; none if unknown.
    pub window: Option<String>,
    /// A request is sent again after WeChat rejected its token.
    pub replay: bool,
}

/// Answer of `GET /readyz`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Readiness {
    /// What the HTTP status says.
    pub ready: bool,
    /// The proxy ends: load balancers are to send nobody here.
    pub draining: bool,
    /// In the order of the configuration.
    pub apps: Vec<AppReadiness>,
}

/// An app in [`Readiness`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AppReadiness {
    /// Its name in the configuration.
    pub name: String,
    /// Whether its requests can be served.
    pub state: AppState,
    /// Why not, if they can't.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<LastFailure>,
}

/// Answer of `POST /api/v1/apps/{name}/refresh`; with status 200 also if the fetch failed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Refreshed {
    /// What the fetch brought.
    pub outcome: RefreshOutcome,
    /// Of the token held now; none if none is.
    pub generation: Option<u64>,
    /// How often the token may still be replaced by force today.
    pub forces_left_today: u32,
    /// In words.
    pub message: String,
}

/// What a fetch brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefreshOutcome {
    /// Another token.
    Replaced,
    /// The token that was held before.
    Same,
    /// None.
    Failed,
}

/// Answer of `POST /api/v1/reload`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Reloaded {
    /// True: a refused configuration is answered with an error.
    pub reloaded: bool,
}

impl Ending {
    /// What is to be told at `now` of something that ends at `end`, if anything.
    pub fn soon(kind: &str, name: &str, end: Timestamp, now: Timestamp) -> Option<Self> {
        let left = end.since(now);
        (left <= ENDS_SOON).then(|| Self {
            kind: kind.to_owned(),
            name: name.to_owned(),
            ends_at: time(end),
            ends_in_seconds: left.as_secs(),
        })
    }
}

impl NearEnd {
    /// At most five of an app's, the nearest to their end first.
    pub(super) fn of(app: &quota::AppQuota) -> impl Iterator<Item = Self> {
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
        known.take(5)
    }
}

impl App {
    /// Whether its requests can be served.
    pub fn is_usable(&self) -> bool {
        self.state == AppState::Ready
    }
}

impl AppReadiness {
    pub(super) fn of(app: &App) -> Self {
        let failure = if app.is_usable() { None } else { app.last_failure.clone() };
        Self { name: app.name.clone(), state: app.state, failure }
    }
}

/// RFC 3339 in UTC with milliseconds.
pub fn time(at: Timestamp) -> String {
    at.rfc3339()
}

#[cfg(test)]
mod tests {
    use super::time;
    use crate::observe::clock::Timestamp;

    #[test]
    fn absurd_times_are_still_times() {
        assert_eq!(time(Timestamp(1_700_000_000_042)), "2023-11-14T22:13:20.042Z");
        assert_eq!(time(Timestamp(i64::MIN)), "1970-01-01T00:00:00.000Z");
        assert_eq!(time(Timestamp(i64::MAX)), "9999-12-31T23:59:59.999Z");
    }
}
