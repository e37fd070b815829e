//! What the admin address shows and does, as the composition root hands it in.

use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};

use super::guard::Scope;
use super::state::State;
use super::view;
use crate::observe::exposition::Exposition;
use crate::secret::Secret;
use crate::server::{Tarpit, TrustedProxies};

/// A future that the composition root hands in.
pub type Pending<T> = std::pin::Pin<Box<dyn Future<Output = T> + Send>>;
/// Adds a module's metrics to a scrape.
pub type Exposer = Arc<dyn Fn(&mut Exposition) + Send + Sync>;
/// What each app's token is doing.
pub type Apps = Arc<dyn Fn() -> Vec<view::App> + Send + Sync>;
/// Where tokens are kept, and whether that works.
pub type Store = Arc<dyn Fn() -> view::Store + Send + Sync>;
/// What ends soon by itself: certificates and keys.
pub type Ending = Arc<dyn Fn() -> Vec<view::Ending> + Send + Sync>;
/// What is known of WeChat's endpoints.
pub type Endpoints = Arc<dyn Fn() -> Vec<view::Endpoint> + Send + Sync>;
/// WeChat's hosts, and which of them answer.
pub type Upstreams = Arc<dyn Fn() -> Vec<view::Upstream> + Send + Sync>;
/// Whether WeChat is well.
pub type Wechat = Arc<dyn Fn() -> view::wechat::Wechat + Send + Sync>;
/// How many requests are at work.
pub type Work = Arc<dyn Fn() -> view::Work + Send + Sync>;
/// Fetches the token of the app with this name, by force or not; `None` if there is no such app.
pub type Refresh = Arc<dyn Fn(&str, bool) -> Option<Pending<view::Refreshed>> + Send + Sync>;
/// Reads the configuration again. The error says what is wrong with it, in words for the operator.
pub type Reload = Arc<dyn Fn() -> Pending<Result<(), String>> + Send + Sync>;

/// Who spends which quota.
pub type Quota = Arc<dyn Fn() -> view::quota::Quota + Send + Sync>;
/// The curves of the app with this name, or of all together; `None` if there is no such app.
pub type Traffic = Arc<dyn Fn(Option<&str>, Range) -> Option<view::quota::Traffic> + Send + Sync>;
/// What happened lately.
pub type Activity = Arc<dyn Fn() -> view::quota::Activity + Send + Sync>;
/// Clears the quota counters of the app with this name at WeChat, or the one of an endpoint; `None`
/// if there is no such app.
pub type Clear = Arc<dyn Fn(&str, Option<&str>) -> Option<Pending<view::quota::Cleared>> + Send + Sync>;
/// Has wxgate's own counters and budgets of the app with this name begin anew; `None` if there is
/// no such app.
pub type Reset = Arc<dyn Fn(&str) -> Option<Pending<view::quota::Reset>> + Send + Sync>;
/// Asks WeChat what it remembers of the request with this `rid`, for the app with this name; `None`
/// if there is no such app.
pub type LookUp = Arc<dyn Fn(&str, &str) -> Option<Pending<view::quota::Remembered>> + Send + Sync>;

/// How much of the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// The last 24 hours by minute.
    Day,
    /// The last 30 days by hour.
    Month,
}

/// What the admin address shows and does; shared by its workers.
pub struct Admin {
    /// Who can reach the address.
    pub scope: Scope,
    /// The admin token, if one is configured.
    pub token: ArcSwapOption<Secret>,
    /// Whose word on where a request comes from is believed.
    pub trusted_proxies: ArcSwap<TrustedProxies>,
    /// Where those who try tokens are held.
    pub tarpit: Arc<Tarpit>,
    /// See [`Apps`].
    pub apps: Apps,
    /// See [`Store`].
    pub store: Store,
    /// See [`Ending`].
    pub ending: Ending,
    /// See [`Endpoints`].
    pub endpoints: Endpoints,
    /// See [`Upstreams`].
    pub upstreams: Upstreams,
    /// See [`Wechat`].
    pub wechat: Wechat,
    /// See [`Work`].
    pub work: Work,
    /// See [`Refresh`].
    pub refresh: Refresh,
    /// See [`Reload`].
    pub reload: Reload,
    /// See [`Quota`].
    pub quota: Quota,
    /// See [`Traffic`].
    pub traffic: Traffic,
    /// See [`Activity`].
    pub activity: Activity,
    /// See [`Clear`].
    pub clear: Clear,
    /// See [`Reset`].
    pub reset: Reset,
    /// See [`LookUp`].
    pub look_up: LookUp,
    /// In the order in which their families appear.
    pub exposers: Vec<Exposer>,
    /// The process as a whole.
    pub state: Arc<State>,
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin")
            .field("scope", &self.scope)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
