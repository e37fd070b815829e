//! The pipelines' common part.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;

use super::act::{Memory, Signers};
use super::code::Code;
use super::directory::Directory;
use super::inflight::{ExactPlaces, Turns, Waited};
use super::options::{CallerOptions, Options};
use super::report::{CallerRequests, Metrics, Percentiles, Recent, Refusal};
use super::snapshot::Snapshot;
use super::user_tokens::UserTokens;
use crate::observe::clock::{Clock, Timestamp};
use crate::observe::exposition::Exposition;
use crate::quota::limit::{LimitOptions, Limits};
use crate::quota::{Quota, Range};
use crate::server::{Address, Tarpit};
use crate::texts::Words;
use crate::token::Manager;
use crate::trouble::Counted;
use crate::upstream::Upstream;

/// Responses that may hold refresh tokens and are read whole at once, at most.
pub(super) const MOST_GRANTS: u64 = 128;

/// How much is in flight.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// Requests whose response hasn't ended, without those that wait for their turn.
    pub at_work: u64,
    /// So many may be, at a time.
    pub most: u64,
    /// Requests that wait for their turn.
    pub waiting: u64,
    /// Those that were `overloaded` since the process began.
    pub refused: u64,
}

/// A certificate that responses to an app's signed requests are verified by.
#[derive(Clone, Debug)]
pub struct PlatformCertificate {
    /// The app's name.
    pub app: Arc<str>,
    /// Its number.
    pub serial: String,
    /// When it ends; it is still believed after that.
    pub ends: Timestamp,
    /// The number of another one that WeChat signs by as well, and that isn't configured.
    pub announced: Option<String>,
}

/// What all workers share: the directory in force, and the counts.
pub struct Gate {
    pub(super) snapshot: ArcSwap<Snapshot>,
    /// How often the snapshot was exchanged: to see that it wasn't costs a request less than to
    /// take hold of it.
    pub(super) reloads: AtomicU64,
    pub(super) metrics: Arc<Metrics>,
    recent: Recent,
    pub(super) memory: Arc<Memory>,
    /// For requests in flight.
    pub(super) turns: Arc<Turns>,
    /// For those of them whose bodies must first say who calls.
    pub(super) strangers: Option<ExactPlaces>,
    /// For those of them whose responses are read whole, since they may hold refresh tokens.
    pub(super) grants: Option<ExactPlaces>,
    /// Where requests are signed.
    pub(super) signers: Arc<Signers>,
    pub(super) manager: Manager,
    pub(super) limits: Limits,
    pub(super) user_tokens: UserTokens,
    pub(super) tarpit: Arc<Tarpit>,
    pub(super) quota: Quota,
    pub(super) clock: Clock,
    /// Where the status page is, once that is known.
    pub(super) status_page: OnceLock<Address>,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}

impl Gate {
    /// The gate for `workers` pipelines. `manager` keeps the tokens of the apps in `options`, which
    /// name their upstreams by their places in `upstreams`; `quota` counts what its callers spend,
    /// and `limits` keeps them to those in `options`.
    pub fn new(
        options: Options,
        upstreams: Vec<Arc<Upstream>>,
        manager: Manager,
        quota: Quota,
        limits: Limits,
        clock: Clock,
        workers: usize,
    ) -> Arc<Self> {
        let metrics = Arc::new(Metrics::new(workers, Arc::clone(quota.names())));
        let memory = Arc::new(Memory::new(&options.replay));
        let most = options.places(workers);
        let signers = Signers::new(Arc::clone(&memory), clock.clone());
        let turns = Turns::new(most, workers);
        // A byte of a body is enough to hold one: the other half is for those who said who they
        // are.
        let strangers = ExactPlaces::new(most.div_ceil(2), None);
        let grants = ExactPlaces::new(MOST_GRANTS, None);
        let at_work = limits.configure(&options.limits);
        let credentials = |name: &str| manager.credentials(name);
        let directory = Directory::new(options, &at_work, credentials, quota.names(), None, clock.now());
        turns.share_among(directory.apps.len());
        let snapshot = ArcSwap::from_pointee(Snapshot { directory, upstreams });
        let user_tokens = UserTokens::default();
        let tarpit = Arc::new(Tarpit::new(clock.clone()));
        Arc::new(Self {
            snapshot,
            reloads: AtomicU64::new(0),
            metrics,
            recent: Recent::default(),
            memory,
            turns,
            strangers,
            grants,
            signers,
            manager,
            limits,
            user_tokens,
            tarpit,
            quota,
            clock,
            status_page: OnceLock::new(),
        })
    }

    /// Where those who try keys are held.
    pub fn tarpit(&self) -> &Arc<Tarpit> {
        &self.tarpit
    }

    /// Has callers on this machine who ask told where the status page is.
    pub fn tell_status_page(&self, address: &Address) {
        let _ = self.status_page.set(address.clone());
    }

    /// Puts other options in force, for requests that come from now on.
    pub fn reload(&self, options: Options, upstreams: Vec<Arc<Upstream>>) {
        let former = self.snapshot.load();
        let now = self.clock.now();
        let credentials = |name: &str| self.manager.credentials(name);
        let names = self.quota.names();
        let limits = self.limits.configure(&options.limits);
        let directory = Directory::new(options, &limits, credentials, names, Some(&former.directory), now);
        self.turns.share_among(directory.apps.len());
        self.snapshot.store(Arc::new(Snapshot { directory, upstreams }));
        // After it: who sees the count finds the snapshot too.
        self.reloads.fetch_add(1, Ordering::Release);
    }

    /// The options in force.
    pub fn options(&self) -> Options {
        self.snapshot.load().directory.options.clone()
    }

    /// Name and identity of the app of requests that name none.
    pub fn default_app(&self) -> Option<(Arc<str>, Arc<str>)> {
        let snapshot = self.snapshot.load();
        let app = snapshot.directory.default_app()?;
        Some((Arc::clone(&app.name), Arc::clone(&app.identity)))
    }

    /// The callers whose keys end soon or have ended, and what is to be said of each.
    pub fn ending_keys(&self, now: Timestamp) -> Vec<(Arc<str>, Words)> {
        let ending = |(caller, end)| Some((caller, CallerOptions::expiry_warning(end, now)?));
        self.key_ends().into_iter().filter_map(ending).collect()
    }

    /// When the keys of callers end, of those whose keys do.
    pub fn key_ends(&self) -> Vec<(Arc<str>, Timestamp)> {
        let end = |caller: &CallerOptions| Some((Arc::clone(&caller.name), caller.expires?));
        self.snapshot.load().directory.options.callers.iter().filter_map(end).collect()
    }

    /// The certificates that responses to signed requests are verified by.
    pub fn platform_certificates(&self) -> Vec<PlatformCertificate> {
        let snapshot = self.snapshot.load();
        let mut certificates = Vec::new();
        for app in &snapshot.directory.apps {
            let keys = app.signing.as_ref().and_then(|signing| signing.keys.as_ref());
            let Some(keys) = keys else { continue };
            let announced = self.signers.announced(&app.appid);
            let known = |next: &String| keys.certificates().iter().any(|own| own.serial() == next);
            let announced = announced.filter(|next| !known(next));
            certificates.extend(keys.certificates().iter().map(|certificate| PlatformCertificate {
                app: Arc::clone(&app.name),
                serial: certificate.serial().to_owned(),
                ends: certificate.ends(),
                announced: announced.clone(),
            }));
        }
        certificates
    }

    /// The callers who may use the app with this name, and those without a key.
    pub fn callers_of(&self, app: &str) -> Vec<Arc<str>> {
        let snapshot = self.snapshot.load();
        let may = |caller: &&CallerOptions| caller.apps.iter().any(|name| **name == *app);
        let named = snapshot.directory.options.callers.iter().filter(may);
        let anonymous = std::iter::once(Arc::from(LimitOptions::ANONYMOUS));
        named.map(|caller| Arc::clone(&caller.name)).chain(anonymous).collect()
    }

    /// What became of each caller's requests.
    pub fn callers(&self) -> Vec<CallerRequests> {
        self.metrics.callers()
    }

    /// Takes what came since the last look for [`Gate::percentiles`] and [`Gate::refusals`], which
    /// are as exact as looks are frequent.
    pub fn look(&self) {
        self.recent.look(&self.metrics, self.clock.now());
    }

    /// How long requests of the app with this name, or of all together, took in the range. None if
    /// none went to WeChat, and for a month of one app, which is not kept.
    pub fn percentiles(&self, app: Option<&str>, range: Range) -> Option<Percentiles> {
        let label = match app {
            None => None,
            Some(name) => {
                let snapshot = self.snapshot.load();
                let mut apps = snapshot.directory.apps.iter();
                Some(apps.find(|app| *app.name == *name)?.label)
            }
        };
        self.recent.percentiles(label, range, self.clock.now())
    }

    /// What wxgate responded by itself in the range, and why; the most frequent first.
    pub fn refusals(&self, range: Range) -> Vec<Refusal> {
        self.recent.refusals(range, self.clock.now(), self.quota.names())
    }

    /// How much is in flight, and what there was no room for.
    pub fn work(&self) -> Work {
        let waiting = self.turns.waiting();
        Work {
            at_work: self.metrics.all_in_flight().saturating_sub(waiting),
            most: self.turns.most(),
            waiting,
            refused: self.metrics.refused(Code::Overloaded),
        }
    }

    /// What was counted of each endpoint of the configured apps since the process began.
    pub fn endpoints(&self) -> BTreeMap<(Arc<str>, &'static str), Counted> {
        let snapshot = self.snapshot.load();
        let apps = snapshot.directory.apps.iter().map(|app| (app.label, Arc::clone(&app.name)));
        self.metrics.endpoints(&apps.collect())
    }

    /// Adds the pipeline's metrics to a scrape.
    pub fn expose(&self, out: &mut Exposition) {
        self.metrics.expose(out);
        out.gauge("wxgate_queued_requests", "Requests that wait for their turn to be at work.");
        out.sample(&[], self.turns.waiting() as f64);
        out.counter("wxgate_queued_total", "Requests that waited for their turn, by what became of them.");
        for (outcome, how) in [("served", Waited::Served), ("left", Waited::Left)] {
            out.sample(&[("outcome", outcome)], self.turns.ended(how) as f64);
        }
        out.gauge("wxgate_caller_key_expiry_timestamp_seconds", "When the keys of a caller end.");
        for (caller, end) in self.key_ends() {
            out.sample(&[("caller", &*caller)], end.seconds());
        }
    }
}
