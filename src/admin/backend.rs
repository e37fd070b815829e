//! What the admin address asks of the rest of the proxy.

use std::pin::Pin;
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use http::Method;

use super::guard::Scope;
use super::state::State;
use crate::api;
use crate::observe::exposition::Exposition;
use crate::secret::Secret;
use crate::server::{Tarpit, TrustedProxies};

/// The result of something that takes time.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Adds a module's metrics to a scrape.
pub type Exposer = Arc<dyn Fn(&mut Exposition) + Send + Sync>;

/// What the admin address shows and does. The composition root implements it, since it knows all
/// modules. What concerns an app returns `None` if no app has that name.
pub trait Backend: Send + Sync {
    /// All apps, in the order of the configuration.
    fn apps(&self) -> Vec<api::App>;
    /// Where tokens are kept.
    fn store(&self) -> api::Store;
    /// Certificates and keys that expire soon.
    fn ending(&self) -> Vec<api::Ending>;
    /// The catalogue.
    fn endpoints(&self) -> api::Endpoints;
    /// WeChat's hosts.
    fn upstreams(&self) -> Vec<api::Upstream>;
    /// Whether WeChat is well.
    fn wechat(&self) -> api::Wechat;
    /// How many requests are in flight.
    fn work(&self) -> api::Work;
    /// Who uses which quota.
    fn quota(&self) -> api::Quota;
    /// The curves of an app, or of all of them together.
    fn traffic(&self, app: Option<&str>, range: api::Range) -> Option<api::Traffic>;
    /// How many requests of an app, or of all of them together, went well, and how long they took.
    fn figures(&self, app: Option<&str>) -> Option<api::Figures>;
    /// The last hour of each app that had requests.
    fn recent(&self) -> Vec<api::AppFigures>;
    /// What wxgate responded by itself, and why.
    fn refusals(&self, range: api::Range) -> api::Refusals;
    /// What would become of a request of `caller`, or of each of them. The error says why that
    /// can't be told.
    fn explain(&self, method: &Method, target: &str, caller: Option<&str>) -> Result<api::Explained, String>;
    /// Recent events, and the results of each caller's requests.
    fn activity(&self) -> api::Activity;
    /// Fetches an app's token, by force or not.
    fn refresh<'a>(&'a self, app: &'a str, force: bool) -> Pending<'a, Option<api::Refreshed>>;
    /// Sets an app's quota counters at WeChat to zero, or the one of an endpoint.
    fn clear_quota<'a>(
        &'a self,
        app: &'a str,
        endpoint: Option<&'a str>,
    ) -> Pending<'a, Option<api::Cleared>>;
    /// Resets wxgate's own counters and budgets of an app.
    fn reset_quota<'a>(&'a self, app: &'a str) -> Pending<'a, Option<api::QuotaReset>>;
    /// Asks WeChat, for an app, what it remembers about the request with this `rid`.
    fn look_up<'a>(&'a self, app: &'a str, rid: &'a str) -> Pending<'a, Option<api::Remembered>>;
    /// Reads the configuration again. The error says what is wrong with it, for the operator.
    fn reload(&self) -> Pending<'_, Result<(), String>>;
}

/// What the admin address serves; shared by its workers.
pub struct Admin {
    /// Who can reach the address.
    pub scope: Scope,
    /// The admin token, if one is configured.
    pub token: ArcSwapOption<Secret>,
    /// The proxies that are believed about where a request comes from.
    pub trusted_proxies: ArcSwap<TrustedProxies>,
    /// Delays those who try tokens.
    pub tarpit: Arc<Tarpit>,
    /// The rest of the proxy.
    pub backend: Box<dyn Backend>,
    /// In the order in which their metrics appear.
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
