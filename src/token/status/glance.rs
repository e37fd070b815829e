//! An app's credentials at a glance, for the status page and the admin API.

use std::sync::Arc;

use super::state::State;
use super::stats::Stats;
use crate::observe::clock::Timestamp;
use crate::token::auth_code::LostAuthorization;
use crate::token::life::{Failure, Moment, Refresh, View};
use crate::token::options::AppOptions;
use crate::wechat::{AppKind, TokenMode};

/// An app's credential at a glance; never the token.
#[derive(Clone, Debug)]
pub struct Status {
    /// The app's name.
    pub name: Arc<str>,
    /// WeChat's identifier of the account.
    pub appid: Arc<str>,
    /// Kind of account.
    pub kind: AppKind,
    /// Which token endpoint is used.
    pub mode: TokenMode,
    /// How it is doing.
    pub state: State,
    /// Of the token held, usable or not.
    pub generation: Option<u64>,
    /// When WeChat handed it out.
    pub fetched_at: Option<Timestamp>,
    /// When it expires.
    pub expires_at: Option<Timestamp>,
    /// When the next refresh or retry is due.
    pub next_refresh_at: Option<Timestamp>,
    /// The last fetch.
    pub last_refresh: Option<Refresh>,
    /// The last failure and when it happened; stays after a success.
    pub last_failure: Option<(Timestamp, Failure)>,
    /// Whether the last failure still blocks fetches.
    pub failing: bool,
    /// Forced refreshes left today.
    pub forces_left_today: u32,
    /// How often another party fetched with this secret.
    pub interference: u64,
    /// What else of the app's is in use.
    pub further: Vec<Further>,
    /// Of a third-party platform and of an app with a suite alone.
    pub authorizers: Option<Authorizers>,
    /// Companies that authorised its suite for nothing, the latest first.
    pub lost_authorizations: Vec<LostAuthorization>,
}

/// A credential of an app other than its token.
#[derive(Clone, Debug)]
pub struct Further {
    /// Its name, like `jsapi_ticket`.
    pub credential: &'static str,
    /// How it is doing.
    pub state: State,
    /// Of the one held.
    pub generation: Option<u64>,
    /// When that expires.
    pub expires_at: Option<Timestamp>,
    /// The last failure and when it happened.
    pub last_failure: Option<(Timestamp, Failure)>,
}

/// The accounts that a third-party platform acts for, or the companies that a suite does, as far as
/// this process was asked for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authorizers {
    /// A token is held.
    pub in_use: usize,
    /// Their last fetch failed.
    pub failing: usize,
}

impl Status {
    /// How the credential of `app` is doing at `now`, by its task's view and figures.
    pub(crate) fn of(app: &AppOptions, view: &View, stats: &Stats, now: Moment) -> Self {
        let token = view.token.as_ref();
        Self {
            name: Arc::clone(&app.name),
            appid: Arc::clone(&app.appid),
            kind: app.kind,
            mode: app.mode,
            state: stats.state(view.usable(now.steady).is_some(), token.is_some()),
            generation: token.map(|token| token.generation),
            fetched_at: token.map(|token| token.fetched_at),
            expires_at: token.map(|token| token.expires_at),
            next_refresh_at: stats.next_refresh_at,
            last_refresh: stats.last_refresh,
            last_failure: stats.last_failure.clone(),
            failing: stats.failing.is_some(),
            forces_left_today: stats.forces.left(now.wall),
            interference: stats.interference,
            further: Vec::new(),
            authorizers: None,
            lost_authorizations: Vec::new(),
        }
    }
}
