//! The admin address: probes, metrics, the status page and a small API.
//!
//! Whoever reads needs the admin token only where the address is open to other machines; whoever
//! changes something needs it everywhere. No answer holds a credential.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::observe::audit::Audit;
use crate::observe::exposition::{Dialect, Exposition};
use crate::observe::process;
use crate::server::{Abuse, Address, Handler, Peer, Refusal, Repeated, Request, Response};

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
    Activity, Admin, Apps, Clear, Ending, Endpoints, Exposer, LookUp, Pending, Quota, Range, Refresh, Reload,
    Reset, Store, Traffic, Upstreams, Wechat, Work,
};
pub use self::state::{Refused, Reloads, State};
use self::view::RefreshOutcome;

/// Serves an [`Admin`]; clones share those who listen.
#[derive(Clone)]
pub struct Endpoint {
    admin: Arc<Admin>,
    feed: Arc<Feed>,
    /// Of requests, by reason.
    denials: Arc<Mutex<BTreeMap<&'static str, Denials>>>,
    /// TLS that came to the plain port.
    tls: Arc<Mutex<Repeated>>,
}

/// The requests that were denied for a reason.
#[derive(Clone, Copy, Debug, Default)]
struct Denials {
    all: u64,
    /// Scanners and misconfigured scrapers make them without end.
    reads: Repeated,
}

impl Handler for Endpoint {
    async fn handle(&self, request: Request, peer: Peer) -> Response {
        let route = match Route::find(request.method(), request.uri().path()) {
            Ok(route) => route,
            Err(Lost::NoSuchPath) => return answer::error(StatusCode::NOT_FOUND, "there is nothing here"),
            Err(Lost::OtherMethod { allow }) => return answer::method_not_allowed(allow),
        };
        let remote = self.admin.trusted_proxies.load().remote(peer, request.headers());
        let action = route.action(request.uri().query().unwrap_or_default());
        let is_known = |name: &str| (self.admin.apps)().iter().any(|app| app.name == name);
        let audit = || Audit::begin(Some(remote), action).of(route.app(), is_known);
        match self.admin.permit(route.need(), &request) {
            Ok(()) => self.answer(&route, &request, audit).await,
            Err(denied) => {
                self.deny(&route, denied, audit);
                if denied == Denied::WrongToken {
                    let trusted = self.admin.trusted_proxies.load_full();
                    self.admin.tarpit.hold(Abuse::WrongKey, remote, &trusted).await;
                }
                answer::denied(denied)
            }
        }
    }

    fn refuse(&self, refusal: Refusal, peer: Peer) -> Option<http::Response<Bytes>> {
        let (status, problem) = match refusal {
            Refusal::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, "too many connections"),
            Refusal::AmbiguousFraming => (StatusCode::BAD_REQUEST, "the request's length is ambiguous"),
            Refusal::BodyTooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "the request is too long"),
            Refusal::NotHttp => {
                if let Some(connections) = self.tls.lock().add(Instant::now()) {
                    tracing::warn!(
                        remote = %peer.remote(),
                        connections,
                        "TLS came to the admin address, which speaks plain HTTP: write http:// in place of https://"
                    );
                }
                return None;
            }
            Refusal::Malformed
            | Refusal::RawTarget
            | Refusal::HeadTooLarge { .. }
            | Refusal::TooManyFields
            | Refusal::TargetTooLong
            | Refusal::NotTls => return None,
        };
        Some(answer::refusal(status, problem))
    }
}

impl Endpoint {
    /// Serves `admin`.
    pub fn new(admin: Arc<Admin>) -> Self {
        Self { admin, feed: Arc::new(Feed::new()), denials: Arc::default(), tls: Arc::default() }
    }

    /// Counts a request that is denied, and tells it: each action, but reads at a bounded rate.
    fn deny(&self, route: &Route<'_>, denied: Denied, audit: impl Fn() -> Audit) {
        let reads = {
            let mut all = self.denials.lock();
            let denials = all.entry(denied.reason()).or_default();
            denials.all += 1;
            (route.need() != Need::Change).then(|| denials.reads.add(Instant::now()))
        };
        match reads {
            None => audit().denied(denied.reason()),
            Some(Some(count)) => audit().denied_reads(denied.reason(), count),
            Some(None) => {}
        }
    }

    /// Shows or does what is asked for; `audit` is begun for what is done.
    async fn answer(&self, route: &Route<'_>, request: &Request, audit: impl Fn() -> Audit) -> Response {
        let admin = &self.admin;
        let query = request.uri().query().unwrap_or_default();
        match route {
            Route::Health => answer::text("text/plain; charset=utf-8", "ok\n".into()),
            Route::Ready => admin.ready(query),
            Route::Metrics => self.metrics(request.headers()),
            Route::Status => answer::json(StatusCode::OK, &admin.status_with(&(admin.quota)())),
            Route::Endpoints => admin.endpoints(query),
            Route::Quota => admin.quota(query),
            Route::Traffic => admin.traffic(query),
            Route::Activity => answer::json(StatusCode::OK, &(admin.activity)()),
            Route::Events => events::answer(&self.feed, admin),
            &Route::Asset(asset) => page::answer(asset),
            Route::Refresh(app) => admin.refresh(app, query, audit()).await,
            Route::ClearQuota(app) => admin.clear_quota(app, query, audit()).await,
            Route::ResetQuota(app) => admin.reset_quota(app, query, audit()).await,
            Route::LookUp(app) => admin.look_up(app, query, audit()).await,
            Route::Reload => admin.reload(audit()).await,
        }
    }

    fn metrics(&self, headers: &HeaderMap) -> Response {
        let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
        let dialect = Dialect::of_accept(accept);
        let mut out = Exposition::new(dialect);
        out.gauge("wxgate_build_info", "The running version; always 1.");
        out.sample(&[("version", self.admin.state.version)], 1.0);
        process::expose(self.admin.state.started_at, &mut out);
        self.admin.state.reloads.borrow().expose(&mut out);
        out.counter("wxgate_admin_denied_total", "Requests denied at the admin address.");
        for (reason, denials) in &*self.denials.lock() {
            out.sample(&[("reason", reason)], denials.all as f64);
        }
        for expose in &self.admin.exposers {
            expose(&mut out);
        }
        answer::text(dialect.content_type(), out.finish())
    }
}

impl Admin {
    fn permit(&self, need: Need, request: &Request) -> Result<(), Denied> {
        let token = self.token.load();
        guard::permit(need, self.scope, token.as_deref(), request.uri(), request.headers())
    }

    fn status_with(&self, quota: &view::quota::Quota) -> view::Status {
        view::Status {
            version: self.state.version.to_owned(),
            started_at: view::time(self.state.started_at),
            listeners: self.state.listeners.load().iter().map(Address::to_string).collect(),
            draining: self.state.is_draining(),
            wechat: (self.wechat)(),
            work: (self.work)(),
            configuration: self.state.reloads.borrow().shown(),
            ending: (self.ending)(),
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

    async fn refresh(&self, app: &str, query: &str, audit: Audit) -> Response {
        let Some(refresh) = (self.refresh)(app, route::is_forced(query)) else {
            audit.failed(answer::NO_SUCH_APP);
            return answer::no_such_app(app);
        };
        let refreshed = refresh.await;
        match refreshed.outcome {
            RefreshOutcome::Replaced | RefreshOutcome::Same => audit.done(),
            RefreshOutcome::Failed => audit.failed(refreshed.message.clone()),
        }
        answer::json(StatusCode::OK, &refreshed)
    }

    async fn reload(&self, audit: Audit) -> Response {
        match (self.reload)().await {
            Ok(()) => {
                audit.done();
                answer::json(StatusCode::OK, &view::Reloaded { reloaded: true })
            }
            Err(problem) => {
                audit.failed("the configuration was refused");
                answer::error(StatusCode::UNPROCESSABLE_ENTITY, &problem)
            }
        }
    }
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").field("admin", &self.admin).finish_non_exhaustive()
    }
}
