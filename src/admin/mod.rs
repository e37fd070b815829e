//! The admin address: probes, metrics, the status page and a small API.
//!
//! Whoever reads needs the admin token only where the address is open to other machines; whoever
//! changes something needs it everywhere. No answer holds a credential.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};

use crate::observe::exposition::{Dialect, Exposition};
use crate::server::{Address, Handler, Peer, Refusal, Request, Response};

mod answer;
mod events;
mod guard;
mod page;
mod quota;
mod ready;
mod route;
mod shown;
mod snapshot;
mod state;
pub mod view;

use self::events::Feed;
pub use self::guard::Scope;
use self::guard::{Denied, Need};
use self::route::{Lost, Route};
pub use self::shown::{
    Activity, Admin, Apps, Clear, Endpoints, Exposer, LookUp, Pending, Quota, Range, Refresh, Reload, Store,
    Traffic, Upstreams,
};
pub use self::state::State;

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
            Refusal::NotHttp => {
                tracing::warn!(
                    "TLS came to the admin address, which speaks plain HTTP: write http:// in place of https://"
                );
                return None;
            }
            Refusal::Malformed
            | Refusal::RawTarget
            | Refusal::HeadTooLarge
            | Refusal::TargetTooLong
            | Refusal::NotTls => return None,
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

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").field("admin", &self.admin).finish_non_exhaustive()
    }
}
