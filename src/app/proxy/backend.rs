//! What the admin address asks of the proxy: each question goes to the module that knows.

use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;
use http::Method;
use parking_lot::Mutex;

use super::core::{Core, Hosts};
use crate::admin::{Backend, Pending};
use crate::api;
use crate::app::explain::{Rules, explained};
use crate::app::links::asking::gone;
use crate::export::Exporter;
use crate::observe::clock::{Clock, Timestamp};
use crate::pipeline::Gate;
use crate::quota::limit::Limits;
use crate::quota::{Quota, Range};
use crate::server::Tls;
use crate::store::Store;
use crate::texts::text;
use crate::token::{self, Manager};
use crate::trouble::Detector;
use crate::upstream::Upstreams;

/// The parts that the admin address shows and acts on.
pub(super) struct AdminBackend {
    pub(super) manager: Manager,
    pub(super) exporter: Exporter,
    pub(super) store: Store,
    pub(super) gate: Arc<Gate>,
    pub(super) quota: Quota,
    pub(super) limits: Limits,
    pub(super) upstreams: Arc<Upstreams>,
    pub(super) detector: Arc<Mutex<Detector>>,
    /// Of the proxy's listeners, if they speak it.
    pub(super) tls: Option<Tls>,
    /// What requests are explained by, besides the gate's options.
    pub(super) hosts: Arc<ArcSwap<Hosts>>,
    pub(super) started_at: Timestamp,
    pub(super) clock: Clock,
    /// Reloads; it holds this.
    pub(super) core: Weak<Core>,
}

impl Backend for AdminBackend {
    fn apps(&self) -> Vec<api::App> {
        let now = self.clock.now();
        let mut exports = self.exporter.statuses();
        let app = |status: token::Status| {
            let exports = exports.remove(&status.name).unwrap_or_default();
            api::App::of(&status, exports, now)
        };
        self.manager.statuses().into_iter().map(app).collect()
    }

    fn store(&self) -> api::Store {
        api::Store::from(&self.store)
    }

    fn ending(&self) -> Vec<api::Ending> {
        let now = self.clock.now();
        let certificate = self.tls.as_ref().and_then(Tls::ends);
        let certificate =
            certificate.and_then(|end| api::Ending::soon("certificate", "server.tls", end, now));
        let keys = self.gate.key_ends().into_iter();
        let keys = keys.filter_map(|(caller, end)| api::Ending::soon("caller_key", &caller, end, now));
        certificate.into_iter().chain(keys).collect()
    }

    fn endpoints(&self) -> api::Endpoints {
        api::Endpoints::all()
    }

    fn upstreams(&self) -> Vec<api::Upstream> {
        self.upstreams.statuses().into_iter().map(api::Upstream::from).collect()
    }

    fn wechat(&self) -> api::Wechat {
        api::Wechat::from(&*self.detector.lock())
    }

    fn work(&self) -> api::Work {
        self.gate.work().into()
    }

    fn quota(&self) -> api::Quota {
        api::Quota::of(self.quota.report(), &self.quota.accounts(), &self.limits.slowed())
    }

    fn traffic(&self, app: Option<&str>, range: api::Range) -> Option<api::Traffic> {
        self.quota.curves(app, range.into()).map(api::Traffic::from)
    }

    fn figures(&self, app: Option<&str>) -> Option<api::Figures> {
        let totals = self.quota.totals(app)?;
        self.gate.look();
        let now = self.clock.now();
        let of = |(range, totals)| {
            let percentiles = self.gate.percentiles(app, range);
            api::RangeFigures::of(range.into(), totals, percentiles, self.started_at, now)
        };
        Some(api::Figures { ranges: totals.into_iter().map(of).collect() })
    }

    fn recent(&self) -> Vec<api::AppFigures> {
        self.gate.look();
        let of = |(app, totals): (Arc<str>, _)| {
            api::AppFigures::of(&app, totals, self.gate.percentiles(Some(&app), Range::Hour))
        };
        self.quota.totals_of_each(Range::Hour).into_iter().filter_map(of).collect()
    }

    fn refusals(&self, range: api::Range) -> api::Refusals {
        self.gate.look();
        let refusals: Vec<_> = self.gate.refusals(range.into()).into_iter().map(api::Refusal::from).collect();
        api::Refusals { range, kinds: refusals.len(), refusals }
    }

    fn explain(&self, method: &Method, target: &str, caller: Option<&str>) -> Result<api::Explained, String> {
        let (options, hosts) = (self.gate.options(), self.hosts.load());
        if let Some(unknown) = caller.filter(|caller| !options.knows_caller(caller)) {
            return Err(text!("no caller is named {unknown}", unknown).to_string());
        }
        let rules = Rules {
            pipeline: &options,
            token: &hosts.token,
            upstreams: &hosts.upstreams,
            lacks_secrets: false,
        };
        Ok(explained(method, target, rules, caller))
    }

    fn activity(&self) -> api::Activity {
        let event = |event: &token::Event| {
            let replayed = |generation| self.quota.replayed(&event.app, generation);
            api::Event::of(event, replayed)
        };
        api::Activity {
            events: self.manager.events().iter().map(event).collect(),
            callers: self.gate.callers().into_iter().map(api::CallerActivity::from).collect(),
        }
    }

    fn refresh<'a>(&'a self, app: &'a str, force: bool) -> Pending<'a, Option<api::Refreshed>> {
        Box::pin(async move { Some(self.manager.handle(app)?.refresh(force).await.into()) })
    }

    fn clear_quota<'a>(
        &'a self,
        app: &'a str,
        endpoint: Option<&'a str>,
    ) -> Pending<'a, Option<api::Cleared>> {
        Box::pin(async move {
            if !self.quota.knows(app) {
                return None;
            }
            let cleared = self.quota.clear(app, endpoint).await.map(api::Cleared::from);
            // A reload may have removed the app in the meantime.
            let gone = || api::Cleared { message: gone(), ..api::Cleared::default() };
            let cleared = cleared.unwrap_or_else(gone);
            if cleared.cleared {
                self.limits.forget(app, endpoint);
            }
            Some(cleared)
        })
    }

    fn reset_quota<'a>(&'a self, app: &'a str) -> Pending<'a, Option<api::QuotaReset>> {
        Box::pin(async move {
            if !self.quota.knows(app) {
                return None;
            }
            let failed = |message| api::QuotaReset { message, ..api::QuotaReset::default() };
            Some(match self.quota.reset(app, &self.limits, &self.gate.callers_of(app)).await {
                Some(Ok(done)) => api::QuotaReset::of(app, done),
                Some(Err(error)) => {
                    failed(text!("the store failed, try again: {error}", error = error.chain()).to_string())
                }
                None => failed(gone()),
            })
        })
    }

    fn look_up<'a>(&'a self, app: &'a str, rid: &'a str) -> Pending<'a, Option<api::Remembered>> {
        Box::pin(async move {
            if !self.quota.knows(app) {
                return None;
            }
            let gone = || api::Remembered { message: gone(), ..api::Remembered::default() };
            Some(self.quota.look_up(app, rid).await.map_or_else(gone, api::Remembered::from))
        })
    }

    fn reload(&self) -> Pending<'_, Result<(), String>> {
        let core = self.core.clone();
        Box::pin(async move {
            let Some(core) = core.upgrade() else {
                return Err(text!("the proxy is shutting down").to_string());
            };
            core.reload().await
        })
    }
}
