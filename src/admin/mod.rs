//! The admin address: probes, metrics, the status page and a small API.
//!
//! Whoever reads needs the admin token only where the address is open to other machines; whoever
//! changes something needs it everywhere. No response holds a credential.
//!
//! | file | holds |
//! | --- | --- |
//! | `route` | the table of what is served |
//! | `matching` | which request asks for what |
//! | `guard` | who may |
//! | `backend` | what is asked of the rest of the proxy |
//! | `figures`, `quota`, `ready`, `events`, `snapshot`, `page` | single routes |
//! | `openapi` | the API's schema |
//! | `state` | the process as a whole |
//! | `answer` | the responses |

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::api::{self, RefreshOutcome};
use crate::observe::audit::Audit;
use crate::observe::exposition::{Dialect, Exposition};
use crate::observe::process;
use crate::server::{Abuse, Address, Handler, Peer, Refusal, Repeated, Request, Response};
use crate::texts::{Language, text};

mod answer;
mod backend;
mod events;
mod figures;
mod guard;
mod matching;
mod openapi;
mod page;
mod quota;
mod ready;
mod route;
mod snapshot;
mod state;

pub use self::backend::{Admin, Backend, Exposer, Pending};
use self::events::Feed;
pub use self::guard::Scope;
use self::guard::{Denied, Need};
use self::matching::{Lost, Matched};
pub use self::openapi::openapi;
use self::route::Target;
pub use self::state::{IncludedFile, Refused, Reloads, State};

/// Serves an [`Admin`]; clones share the clients that follow its events.
#[derive(Clone)]
pub struct Endpoint {
    admin: Arc<Admin>,
    feed: Arc<Feed>,
    /// Denied requests by reason.
    denials: Arc<Mutex<BTreeMap<&'static str, Denials>>>,
    /// TLS handshakes on the plain port.
    tls: Arc<Mutex<Repeated>>,
}

/// The requests denied for one reason.
#[derive(Clone, Copy, Debug, Default)]
struct Denials {
    all: u64,
    /// Scanners and misconfigured scrapers never stop sending them.
    reads: Repeated,
}

impl Handler for Endpoint {
    async fn handle(&self, request: Request, peer: Peer) -> Response {
        let accepted = request.headers().get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let language = Language::of_accept_language(accepted.unwrap_or_default());
        language.around(self.serve(request, peer)).await
    }

    fn refuse(&self, refusal: Refusal, peer: Peer) -> Option<http::Response<Bytes>> {
        let (status, problem) = match refusal {
            Refusal::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, text!("too many connections")),
            Refusal::AmbiguousFraming => {
                (StatusCode::BAD_REQUEST, text!("the request's length is ambiguous"))
            }
            Refusal::BodyTooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, text!("the request is too long")),
            Refusal::NotHttp => {
                if let Some(connections) = self.tls.lock().add(Instant::now()) {
                    tracing::warn!(
                        remote = %peer.remote(),
                        connections,
                        "{}",
                        text!("TLS handshake on the admin address, which speaks plain HTTP: use http:// instead of https://")
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
    /// Answers in the language of the moment.
    async fn serve(&self, request: Request, peer: Peer) -> Response {
        let matched = match Matched::find(request.method(), request.uri().path()) {
            Ok(matched) => matched,
            Err(Lost::NoSuchPath) => {
                return answer::error(StatusCode::NOT_FOUND, text!("this path does not exist"));
            }
            Err(Lost::OtherMethod { allow }) => return answer::method_not_allowed(allow),
        };
        let remote = self.admin.trusted_proxies.load().remote(peer, request.headers());
        let action = matched.action(request.uri().query().unwrap_or_default());
        let is_known = |name: &str| self.admin.backend.apps().iter().any(|app| app.name == name);
        let audit = || {
            Audit::begin(Some(remote), action).kept_in(&self.admin.state.trail).of(matched.app(), is_known)
        };
        match self.admin.permit(matched.need(), &request) {
            Ok(()) => self.answer(&matched, &request, audit).await,
            Err(denied) => {
                self.deny(&matched, denied, audit);
                if denied == Denied::WrongToken {
                    let trusted = self.admin.trusted_proxies.load_full();
                    self.admin.tarpit.hold(Abuse::WrongKey, remote, &trusted).await;
                }
                answer::denied(denied)
            }
        }
    }

    /// Serves `admin`.
    pub fn new(admin: Arc<Admin>) -> Self {
        Self { admin, feed: Arc::new(Feed::new()), denials: Arc::default(), tls: Arc::default() }
    }

    /// Counts a denied request and logs it: each action, but reads at a bounded rate.
    fn deny(&self, matched: &Matched<'_>, denied: Denied, audit: impl Fn() -> Audit) {
        let reads = {
            let mut all = self.denials.lock();
            let denials = all.entry(denied.reason()).or_default();
            denials.all += 1;
            (matched.need() != Need::Change).then(|| denials.reads.add(Instant::now()))
        };
        match reads {
            None => audit().denied(denied.reason()),
            Some(Some(count)) => audit().denied_reads(denied.reason(), count),
            Some(None) => {}
        }
    }

    /// Shows or does what is asked for; `audit` starts the log line of what is done.
    async fn answer(&self, matched: &Matched<'_>, request: &Request, audit: impl Fn() -> Audit) -> Response {
        let (route, app) = match matched {
            Matched::Asset(asset) => return page::answer(asset),
            Matched::Route { route, app } => (*route, app.as_deref().unwrap_or_default()),
        };
        let admin = &self.admin;
        let query = request.uri().query().unwrap_or_default();
        match route.target {
            Target::Health => answer::text("text/plain; charset=utf-8", "ok\n".into()),
            Target::Ready => admin.ready(query),
            Target::Metrics => self.metrics(request.headers()),
            Target::Status => answer::json(StatusCode::OK, &admin.status_with(&admin.backend.quota())),
            Target::Endpoints => admin.endpoints(query),
            Target::Quota => admin.quota(query),
            Target::Traffic => admin.traffic(query),
            Target::Figures => admin.figures(query),
            Target::Refusals => admin.refusals(query),
            Target::Explain => admin.explain(route, query),
            Target::Audit => admin.audited(),
            Target::Activity => answer::json(StatusCode::OK, &admin.backend.activity()),
            Target::Events => events::answer(&self.feed, admin),
            Target::OpenApi => answer::json(StatusCode::OK, &openapi()),
            Target::Refresh => admin.refresh(app, query, audit()).await,
            Target::ClearQuota => admin.clear_quota(route, app, query, audit()).await,
            Target::ResetQuota => admin.reset_quota(route, app, query, audit()).await,
            Target::LookUp => admin.look_up(route, app, query, audit()).await,
            Target::Reload => admin.reload(audit()).await,
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

    fn status_with(&self, quota: &api::Quota) -> api::Status {
        let backend = &self.backend;
        api::Status {
            version: self.state.version.to_owned(),
            started_at: self.state.started_at.rfc3339(),
            listeners: self.state.listeners.load().iter().map(Address::to_string).collect(),
            draining: self.state.is_draining(),
            wechat: backend.wechat(),
            work: backend.work(),
            configuration: self.state.reloads.borrow().shown(),
            ending: backend.ending(),
            store: backend.store(),
            upstreams: backend.upstreams(),
            apps: backend.apps(),
            callers: self.state.callers.load().to_vec(),
            quota: quota.apps.iter().flat_map(api::NearEnd::of).collect(),
        }
    }

    fn endpoints(&self, query: &str) -> Response {
        let mut found = self.backend.endpoints();
        for (_, wanted) in form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == "q") {
            let wanted = wanted.to_ascii_lowercase();
            found.endpoints.retain(|endpoint| endpoint.path.to_ascii_lowercase().contains(&wanted));
        }
        answer::json(StatusCode::OK, &found)
    }

    async fn refresh(&self, app: &str, query: &str, audit: Audit) -> Response {
        let Some(refreshed) = self.backend.refresh(app, matching::is_forced(query)).await else {
            audit.failed(answer::NO_SUCH_APP);
            return answer::no_such_app(app);
        };
        match refreshed.outcome {
            RefreshOutcome::Replaced | RefreshOutcome::Same => audit.done(),
            RefreshOutcome::Failed | RefreshOutcome::Unknown => audit.failed(refreshed.message.clone()),
        }
        answer::json(StatusCode::OK, &refreshed)
    }

    async fn reload(&self, audit: Audit) -> Response {
        match self.backend.reload().await {
            Ok(()) => {
                audit.done();
                answer::json(StatusCode::OK, &api::Reloaded { reloaded: true })
            }
            Err(problem) => {
                audit.failed("the configuration was refused");
                answer::error(StatusCode::UNPROCESSABLE_ENTITY, problem)
            }
        }
    }
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").field("admin", &self.admin).finish_non_exhaustive()
    }
}
