//! Apps and their tokens.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::export;
use crate::observe::clock::Timestamp;
use crate::token::{self, Failure, Further, State};

/// A configured app and its token.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct App {
    /// Its name in the configuration.
    pub name: String,
    /// WeChat's identifier of the account.
    pub appid: String,
    /// The kind, as in the configuration: `official_account`, `mini_program`, ...
    pub kind: String,
    /// `stable` or `classic`, for official accounts and mini programs; null for other kinds.
    pub token_mode: Option<String>,
    /// Whether requests can be served.
    pub state: AppState,
    /// The token that is held, if any.
    pub token: Option<Token>,
    /// Seconds until the next planned fetch.
    pub next_refresh_in_seconds: Option<u64>,
    /// The latest fetch.
    pub last_refresh: Option<LastRefresh>,
    /// The latest fetch that failed. It stays when a later one succeeds.
    pub last_failure: Option<LastFailure>,
    /// How many forced refreshes are left today.
    pub forces_left_today: u32,
    /// How often another program was found to fetch tokens with this app's secret.
    pub interference: u64,
    /// Where else the token is written to.
    pub exports: Vec<Export>,
    /// The app's other credentials that are in use: tickets, a suite's token.
    pub credentials: Vec<Credential>,
    /// The authorizers of a third-party platform, or the companies of a suite; null for other apps.
    pub authorizers: Option<Authorizers>,
    /// Companies that authorised the suite and have to do so again, the latest first.
    pub lost_authorizations: Vec<LostAuthorization>,
}

/// Whether an app's requests can be served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AppState {
    /// A usable token is held.
    Ready,
    /// No token yet; the first fetch is in progress.
    Starting,
    /// No usable token, and fetching one failed.
    Unavailable,
    /// One that this version doesn't know. It is read, never written.
    #[default]
    #[serde(other, skip_serializing)]
    Unknown,
}

/// A token, without its value.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Token {
    /// The number of the app's token; each new one counts up.
    pub generation: u64,
    /// Seconds since WeChat issued it.
    pub age_seconds: u64,
    /// Seconds until it expires.
    pub expires_in_seconds: u64,
}

/// A finished fetch.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct LastRefresh {
    /// When it finished.
    pub at: String,
    /// Why it was made, as in `wxgate_token_refresh_total`: `startup`, `ahead`, `rejected`,
    /// `forced` or `admin`.
    pub reason: String,
    /// The outcome, as in `wxgate_token_refresh_total`: `replaced`, `same` or `failed`.
    pub outcome: String,
}

/// A fetch that failed.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct LastFailure {
    /// When it failed.
    pub at: String,
    /// WeChat's code, if WeChat responded with one.
    pub errcode: Option<i64>,
    /// What happened.
    pub message: String,
    /// What the operator can do about it.
    pub remedy: Option<String>,
    /// It does not pass by itself.
    pub permanent: bool,
}

/// A credential of an app other than its token.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Credential {
    /// The kind, as in the metrics: `jsapi_ticket`, ...
    pub kind: String,
    /// Whether one is held.
    pub state: AppState,
    /// Its number; each new one counts up.
    pub generation: Option<u64>,
    /// Seconds until it expires.
    pub expires_in_seconds: Option<u64>,
    /// The latest fetch that failed.
    pub last_failure: Option<LastFailure>,
}

/// A company that authorised a suite, whose permanent code was lost.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct LostAuthorization {
    /// The suite.
    pub suite: String,
    /// The company; null if WeCom has not said which.
    pub corporation: Option<String>,
    /// When the company authorised the suite.
    pub authorized_at: String,
    /// When WeCom was asked for the permanent code; null if it was not.
    pub exchanged_at: Option<String>,
    /// When the loss was found.
    pub lost_at: String,
    /// What happened.
    pub message: String,
    /// What the operator can do about it.
    pub remedy: String,
}

/// How many accounts a third-party platform, or companies a suite, has acted for since the start.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Authorizers {
    /// Those whose token is held.
    pub in_use: usize,
    /// Those whose latest fetch failed.
    pub failing: usize,
}

/// A place that an app's token is written to for other services.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Export {
    /// Where, without secrets.
    pub to: String,
    /// The generation of the token that is there.
    pub generation: Option<u64>,
    /// When it was last seen there.
    pub checked_at: Option<String>,
    /// Why the latest attempt failed, if it did.
    pub problem: Option<String>,
    /// How often another program had written there.
    pub overwritten: u64,
}

impl App {
    /// How the app of `status` is doing at `now`, with its exports.
    pub fn of(status: &token::Status, exports: Vec<export::Status>, now: Timestamp) -> Self {
        let token = match (status.generation, status.fetched_at, status.expires_at) {
            (Some(generation), Some(fetched_at), Some(expires_at)) => Some(Token {
                generation,
                age_seconds: now.since(fetched_at).as_secs(),
                expires_in_seconds: expires_at.since(now).as_secs(),
            }),
            _ => None,
        };
        Self {
            name: status.name.to_string(),
            appid: status.appid.to_string(),
            kind: status.kind.as_str().to_owned(),
            token_mode: status.kind.has_token_modes().then(|| status.mode.as_str().to_owned()),
            state: status.state.into(),
            token,
            next_refresh_in_seconds: status.next_refresh_at.map(|at| at.since(now).as_secs()),
            last_refresh: status.last_refresh.as_ref().map(|refresh| LastRefresh {
                at: refresh.at.rfc3339(),
                reason: refresh.reason.as_str().to_owned(),
                outcome: refresh.outcome.as_str().to_owned(),
            }),
            last_failure: status.last_failure.as_ref().map(LastFailure::from),
            forces_left_today: status.forces_left_today,
            interference: status.interference,
            exports: exports.into_iter().map(Export::from).collect(),
            credentials: status.further.iter().map(|further| Credential::of(further, now)).collect(),
            authorizers: status.authorizers.map(Authorizers::from),
            lost_authorizations: status.lost_authorizations.iter().map(LostAuthorization::from).collect(),
        }
    }

    /// Whether its requests can be served.
    pub fn is_usable(&self) -> bool {
        self.state == AppState::Ready
    }
}

impl AppState {
    /// As in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Starting => "starting",
            Self::Unavailable => "unavailable",
            Self::Unknown => "unknown",
        }
    }
}

impl From<State> for AppState {
    fn from(state: State) -> Self {
        match state {
            State::Ready => Self::Ready,
            State::Starting => Self::Starting,
            State::Failing | State::CircuitOpen | State::Rejected | State::Expired => Self::Unavailable,
        }
    }
}

impl From<&(Timestamp, Failure)> for LastFailure {
    fn from((at, failure): &(Timestamp, Failure)) -> Self {
        Self {
            at: at.rfc3339(),
            errcode: failure.errcode,
            message: failure.message.to_string(),
            remedy: failure.remedy.as_ref().map(ToString::to_string),
            permanent: failure.permanent,
        }
    }
}

impl Credential {
    fn of(further: &Further, now: Timestamp) -> Self {
        Self {
            kind: further.credential.to_owned(),
            state: further.state.into(),
            generation: further.generation,
            expires_in_seconds: further.expires_at.map(|at| at.since(now).as_secs()),
            last_failure: further.last_failure.as_ref().map(LastFailure::from),
        }
    }
}

impl From<token::Authorizers> for Authorizers {
    fn from(authorizers: token::Authorizers) -> Self {
        let token::Authorizers { in_use, failing } = authorizers;
        Self { in_use, failing }
    }
}

impl From<&token::LostAuthorization> for LostAuthorization {
    fn from(lost: &token::LostAuthorization) -> Self {
        Self {
            suite: lost.suite.to_string(),
            corporation: lost.corporation.clone(),
            authorized_at: lost.authorized_at.rfc3339(),
            exchanged_at: lost.exchanged_at.map(Timestamp::rfc3339),
            lost_at: lost.lost_at.rfc3339(),
            message: lost.cause.to_string(),
            remedy: lost.remedy.to_string(),
        }
    }
}

impl From<export::Status> for Export {
    fn from(export: export::Status) -> Self {
        let export::Status { to, generation, checked_at, problem, overwritten } = export;
        let problem = problem.map(|problem| problem.to_string());
        Self { to, generation, checked_at: checked_at.map(Timestamp::rfc3339), problem, overwritten }
    }
}
