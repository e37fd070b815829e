//! Limits on what callers send to WeChat: rates, day budgets, and the pace that WeChat's own
//! refusals leave.
//!
//! A rate is each replica's own. A budget is the whole cluster's: its count is in the store, of
//! which each replica reserves slices ahead, so that requests normally don't wait for it.

mod budget;
mod options;
mod rate;
mod refusal;
mod slow;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime::Handle;

pub use self::budget::{Budget, Taken, Wait};
pub use self::options::{LimitOptions, Mode};
pub use self::rate::{Per, Rate};
pub use self::refusal::{Kind, Refusal};
pub use self::slow::{Slow, Subject};

use self::budget::{Lack, Office};
use self::rate::Meter;
use crate::observe::clock::{Clock, Timestamp};
use crate::store::{Store, StoreError};
use crate::texts::words;

/// Budgets that one operation of the store resets.
const RESET_AT_ONCE: usize = 1_000;

/// A configured limit in force.
#[derive(Debug)]
pub struct Limit {
    options: LimitOptions,
    clock: Clock,
    rate: Option<Arc<Meter>>,
    /// What all share whom it concerns, less what is reserved.
    shared: Option<Arc<Budget>>,
    reserved: HashMap<Arc<str>, Arc<Budget>>,
}

impl Limit {
    /// What was configured.
    pub fn options(&self) -> &LimitOptions {
        &self.options
    }

    /// The part of the budget that is this caller's alone.
    pub fn reserved_for(&self, caller: &str) -> Option<Arc<Budget>> {
        self.reserved.get(caller).map(Arc::clone)
    }

    /// Lets a request through if the rate does.
    ///
    /// # Errors
    /// It doesn't.
    pub fn check_rate(&self) -> Result<(), Refusal> {
        let Some(meter) = &self.rate else { return Ok(()) };
        meter.check().map_err(|retry_after| Refusal {
            kind: Kind::Rate,
            text: self.options.rate_text(),
            retry_after,
        })
    }

    /// Takes one request from the budget: from what is the caller's `own`, then from what all
    /// share.
    ///
    /// # Errors
    /// There is none, or the store didn't say so in time.
    pub async fn take<'b>(
        &'b self,
        own: Option<&'b Arc<Budget>>,
        wait: &mut Wait,
    ) -> Result<Option<Taken<'b>>, Refusal> {
        let Some(shared) = &self.shared else { return Ok(None) };
        if let Some(own) = own
            && let Ok(taken) = own.take(wait).await
        {
            return Ok(Some(taken));
        }
        shared.take(wait).await.map(Some).map_err(|lack| self.refusal(lack))
    }

    fn refusal(&self, lack: Lack) -> Refusal {
        let text = self.options.daily_text();
        match lack {
            Lack::Spent => {
                let now = self.clock.now();
                let retry_after = now.beijing_midnight().since(now);
                let text = words!("{limit}; resets at 00:00 Beijing", limit = text);
                Refusal { kind: Kind::Quota, text, retry_after }
            }
            Lack::Store => Refusal {
                kind: Kind::Quota,
                text: words!("{limit}; the store that counts them does not respond", limit = text),
                retry_after: budget::ASK_AGAIN,
            },
        }
    }
}

/// All limits in force, and what outlives a reload of them. Clones share it.
#[derive(Clone, Debug)]
pub struct Limits {
    office: Office,
    kept: Arc<Mutex<Kept>>,
    slow: Arc<Slow>,
}

/// By what is limited, so that a limit that stays goes on where it was.
#[derive(Debug, Default)]
struct Kept {
    meters: HashMap<String, (Rate, Arc<Meter>)>,
    budgets: HashMap<String, Arc<Budget>>,
    /// Whom each budget concerns.
    scopes: BTreeMap<String, Scope>,
}

/// Whom a budget concerns.
#[derive(Debug)]
struct Scope {
    /// None: all.
    app: Option<Arc<str>>,
    /// None: all.
    caller: Option<Arc<str>>,
}

impl Scope {
    /// Whether requests for `app`, whose callers are these, draw on the budget.
    fn concerns(&self, app: &str, callers: &[Arc<str>]) -> bool {
        match (&self.app, &self.caller) {
            (Some(only), _) => **only == *app,
            (None, Some(caller)) => callers.contains(caller),
            (None, None) => true,
        }
    }
}

impl Limits {
    /// None yet. Budgets are counted in `store`, by tasks on `runtime`.
    pub fn new(store: Store, clock: Clock, runtime: Handle) -> Self {
        let slow = Arc::new(Slow::new(clock.clone()));
        Self { office: Office { store, clock, runtime }, kept: Arc::default(), slow }
    }

    /// Puts these in force. What a budget has spent stays spent, whatever its number is now.
    pub fn configure(&self, options: &[LimitOptions]) -> Vec<Arc<Limit>> {
        let mut kept = self.kept.lock();
        let mut former = std::mem::take(&mut *kept);
        let mut limits = Vec::with_capacity(options.len());
        for options in options {
            let scope = options.scope();
            let rate = options.rate.map(|rate| {
                let former = former.meters.remove(&scope).filter(|(before, _)| *before == rate);
                let (_, meter) = former.unwrap_or_else(|| (rate, Arc::new(Meter::new(rate))));
                kept.meters.insert(scope.clone(), (rate, Arc::clone(&meter)));
                meter
            });
            let mut budget = |name: String, limit, caller: Option<&Arc<str>>| {
                let scope = Scope { app: options.app.clone(), caller: caller.cloned() };
                kept.scopes.insert(name.clone(), scope);
                let budget = match former.budgets.remove(&name) {
                    Some(budget) => {
                        budget.resize(limit);
                        budget
                    }
                    None => Arc::new(Budget::new(name.clone(), limit, self.office.clone())),
                };
                kept.budgets.insert(name, Arc::clone(&budget));
                budget
            };
            let reserved = options.reserve.iter();
            let reserved = reserved
                .map(|(caller, part)| {
                    let name = format!("{scope} reserve={caller}");
                    (Arc::clone(caller), budget(name, *part, Some(caller)))
                })
                .collect();
            let caller = options.caller.as_ref();
            let shared = options.shared().map(|shared| budget(scope.clone(), shared, caller));
            let clock = self.office.clock.clone();
            limits.push(Arc::new(Limit { options: options.clone(), clock, rate, shared, reserved }));
        }
        for budget in former.budgets.into_values() {
            budget.release();
        }
        limits
    }

    /// Resets today's budgets that requests for `app` draw on, for all replicas: those of
    /// the app, and those of all apps that concern one of `callers`, or all. The names of these.
    ///
    /// # Errors
    /// The store failed.
    pub async fn reset_budgets(&self, app: &str, callers: &[Arc<str>]) -> Result<Vec<String>, StoreError> {
        let concerned: Vec<_> = {
            let kept = self.kept.lock();
            let of = |name: &String| kept.budgets.get(name).map(Arc::clone);
            let concerns = |scope: &Scope| scope.concerns(app, callers);
            kept.scopes.iter().filter(|(_, scope)| concerns(scope)).filter_map(|(name, _)| of(name)).collect()
        };
        let (store, day) = (&self.office.store, self.office.clock.now().beijing_day());
        let mut names = Vec::with_capacity(concerned.len());
        for budget in &concerned {
            names.push((budget.name(), budget.resets(day).await));
        }
        let mut done = Vec::with_capacity(concerned.len());
        for (budgets, names) in concerned.chunks(RESET_AT_ONCE).zip(names.chunks(RESET_AT_ONCE)) {
            let resets = store.reset_budgets(day, names).await?;
            for (budget, resets) in budgets.iter().zip(resets) {
                budget.reset(day, resets).await;
                done.push(budget.name().to_owned());
            }
        }
        Ok(done)
    }

    /// What WeChat's own refusals are known of.
    pub fn slow(&self) -> &Arc<Slow> {
        &self.slow
    }

    /// The endpoints that WeChat refused for its limits: app, path, and when the next call is let
    /// through.
    pub fn slowed(&self) -> Vec<(Arc<str>, Arc<str>, Timestamp)> {
        self.slow.slowed()
    }

    /// WeChat's counters of this app were set to zero, or the one of `path`: they are called at
    /// full pace again.
    pub fn forget(&self, app: &str, path: Option<&str>) {
        self.slow.forget(app, path);
    }

    /// Gives back what was reserved and not spent. To be called when no request is left.
    pub async fn drain(&self) {
        let budgets: Vec<_> = {
            let kept = self.kept.lock();
            kept.budgets.values().map(Arc::clone).collect()
        };
        for budget in budgets {
            budget.give_back().await;
        }
    }
}
