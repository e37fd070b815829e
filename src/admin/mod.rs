//! The admin address: probes, metrics, the status page and a small API.
//!
//! Whoever reads needs the admin token only where the address is open to other machines; whoever changes something needs
//! it everywhere. No answer holds a credential.

use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use tokio::sync::watch;

use crate::observe::clock::Timestamp;
use crate::observe::exposition::{Dialect, Exposition};
use crate::secret::Secret;
use crate::server::{Address, Handler, Peer, Refusal, Request, Response};

mod answer;
mod events;
mod guard;
mod page;
mod quota;
mod route;
mod snapshot;
pub mod view;

use self::events::Feed;
pub use self::guard::Scope;
use self::guard::{Denied, Need};
use self::route::{Lost, Route};

/// A future that the composition root hands in.
pub type Pending<T> = std::pin::Pin<Box<dyn Future<Output = T> + Send>>;
/// Adds a module's metrics to a scrape.
pub type Exposer = Arc<dyn Fn(&mut Exposition) + Send + Sync>;
/// What each app's token is doing.
pub type Apps = Arc<dyn Fn() -> Vec<view::App> + Send + Sync>;
/// Where tokens are kept, and whether that works.
pub type Store = Arc<dyn Fn() -> view::Store + Send + Sync>;
/// What is known of WeChat's endpoints.
pub type Endpoints = Arc<dyn Fn() -> Vec<view::Endpoint> + Send + Sync>;
/// WeChat's hosts, and which of them answer.
pub type Upstreams = Arc<dyn Fn() -> Vec<view::Upstream> + Send + Sync>;
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
/// Clears the quota counters of the app with this name at WeChat, or the one of an endpoint; `None` if there is no such
/// app.
pub type Clear = Arc<dyn Fn(&str, Option<&str>) -> Option<Pending<view::quota::Cleared>> + Send + Sync>;
/// Asks WeChat what it remembers of the request with this `rid`, for the app with this name; `None` if there is no such
/// app.
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
    /// See [`Apps`].
    pub apps: Apps,
    /// See [`Store`].
    pub store: Store,
    /// See [`Endpoints`].
    pub endpoints: Endpoints,
    /// See [`Upstreams`].
    pub upstreams: Upstreams,
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
    /// See [`LookUp`].
    pub look_up: LookUp,
    /// In the order in which their families appear.
    pub exposers: Vec<Exposer>,
    /// The process as a whole.
    pub state: Arc<State>,
}

/// The process as the admin address tells of it.
#[derive(Debug)]
pub struct State {
    /// wxgate's version.
    pub version: &'static str,
    /// When the process began.
    pub started_at: Timestamp,
    /// What the proxy listens on; empty until it does, and not ready so long.
    pub listeners: ArcSwap<Vec<Address>>,
    /// The configured callers.
    pub callers: ArcSwap<Vec<view::Caller>>,
    /// The proxy takes no new requests and ends.
    pub draining: watch::Sender<bool>,
}

impl State {
    /// The state of a process that listens on nothing yet.
    pub fn new(started_at: Timestamp) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            started_at,
            listeners: ArcSwap::default(),
            callers: ArcSwap::default(),
            draining: watch::Sender::new(false),
        }
    }

    fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    fn is_ready(&self) -> bool {
        !self.is_draining() && !self.listeners.load().is_empty()
    }
}

/// Serves an [`Admin`]; clones share those who listen.
#[derive(Clone)]
pub struct Endpoint {
    admin: Arc<Admin>,
    feed: Arc<Feed>,
}

impl Handler for Endpoint {
    async fn handle(&self, request: Request, _peer: Peer) -> Response {
        let route = match Route::find(request.method(), request.uri().path()) {
            Ok(route) => route,
            Err(Lost::NoSuchPath) => return answer::error(StatusCode::NOT_FOUND, "there is nothing here"),
            Err(Lost::OtherMethod { allow }) => return answer::method_not_allowed(allow),
        };
        match self.admin.permit(route.need(), &request) {
            Ok(()) => self.answer(route, &request).await,
            Err(denied) => answer::denied(denied),
        }
    }

    fn refuse(&self, refusal: Refusal, _peer: Peer) -> Option<http::Response<Bytes>> {
        let (status, problem) = match refusal {
            Refusal::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, "too many connections"),
            Refusal::AmbiguousFraming => (StatusCode::BAD_REQUEST, "the request's length is ambiguous"),
            Refusal::Malformed | Refusal::HeadTooLarge | Refusal::TargetTooLong | Refusal::NotTls => {
                return None;
            }
        };
        Some(answer::refusal(status, problem))
    }
}

impl Endpoint {
    /// Serves `admin`.
    pub fn new(admin: Arc<Admin>) -> Self {
        Self { admin, feed: Arc::new(Feed::new()) }
    }

    async fn answer(&self, route: Route<'_>, request: &Request) -> Response {
        let admin = &self.admin;
        let query = request.uri().query().unwrap_or_default();
        match route {
            Route::Health => answer::text("text/plain; charset=utf-8", "ok\n".into()),
            Route::Ready => admin.ready(query),
            Route::Metrics => admin.metrics(request.headers()),
            Route::Status => answer::json(StatusCode::OK, &admin.status_with(&(admin.quota)())),
            Route::Endpoints => admin.endpoints(query),
            Route::Quota => admin.quota(query),
            Route::Traffic => admin.traffic(query),
            Route::Activity => answer::json(StatusCode::OK, &(admin.activity)()),
            Route::Events => events::answer(&self.feed, admin),
            Route::Asset(asset) => page::answer(asset),
            Route::Refresh(app) => admin.refresh(&app, query).await,
            Route::ClearQuota(app) => admin.clear_quota(&app, query).await,
            Route::LookUp(app) => admin.look_up(&app, query).await,
            Route::Reload => admin.reload().await,
        }
    }
}

impl Admin {
    fn permit(&self, need: Need, request: &Request) -> Result<(), Denied> {
        let token = self.token.load();
        guard::permit(need, self.scope, token.as_deref(), request.uri(), request.headers())
    }

    /// Plain readiness doesn't depend on WeChat: one app whose secret expired must not take every replica, and with them
    /// all other apps, out of service.
    fn ready(&self, query: &str) -> Response {
        let apps = (self.apps)();
        let mut ready = self.state.is_ready();
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "all" => ready &= apps.iter().all(view::App::is_usable),
                "app" => match apps.iter().find(|app| app.name == *value) {
                    Some(app) => ready &= app.is_usable(),
                    None => return answer::no_such_app(&value),
                },
                _ => {}
            }
        }
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let apps = apps.iter().map(view::AppReadiness::of).collect();
        answer::json(status, &view::Readiness { ready, draining: self.state.is_draining(), apps })
    }

    fn metrics(&self, headers: &HeaderMap) -> Response {
        let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
        let dialect = Dialect::of_accept(accept);
        let mut out = Exposition::new(dialect);
        out.gauge("wxgate_build_info", "The running version; always 1.");
        out.sample(&[("version", self.state.version)], 1.0);
        for expose in &self.exposers {
            expose(&mut out);
        }
        answer::text(dialect.content_type(), out.finish())
    }

    fn status_with(&self, quota: &view::quota::Quota) -> view::Status {
        view::Status {
            version: self.state.version.to_owned(),
            started_at: view::time(self.state.started_at),
            listeners: self.state.listeners.load().iter().map(Address::to_string).collect(),
            draining: self.state.is_draining(),
            store: (self.store)(),
            upstreams: (self.upstreams)(),
            apps: (self.apps)(),
            callers: self.state.callers.load().to_vec(),
            quota: quota.apps.iter().flat_map(view::NearEnd::of).collect(),
        }
    }

    fn endpoints(&self, query: &str) -> Response {
        let mut endpoints = (self.endpoints)();
        for (_, wanted) in form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == "q") {
            let wanted = wanted.to_ascii_lowercase();
            endpoints.retain(|endpoint| endpoint.path.to_ascii_lowercase().contains(&wanted));
        }
        answer::json(StatusCode::OK, &view::Endpoints { endpoints })
    }

    async fn refresh(&self, app: &str, query: &str) -> Response {
        let force =
            form_urlencoded::parse(query.as_bytes()).any(|(key, value)| key == "force" && value == "true");
        let Some(refresh) = (self.refresh)(app, force) else {
            return answer::no_such_app(app);
        };
        tracing::info!(app, force, "a refresh was asked for at the admin address");
        answer::json(StatusCode::OK, &refresh.await)
    }

    async fn reload(&self) -> Response {
        tracing::info!("a reload was asked for at the admin address");
        match (self.reload)().await {
            Ok(()) => answer::json(StatusCode::OK, &view::Reloaded { reloaded: true }),
            Err(problem) => answer::error(StatusCode::UNPROCESSABLE_ENTITY, &problem),
        }
    }
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin")
            .field("scope", &self.scope)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").field("admin", &self.admin).finish_non_exhaustive()
    }
}
