//! Which of the configured limits apply to a caller, worked out when a configuration is put in
//! force.

use std::sync::Arc;

use http::Method;

use crate::quota::limit::{Budget, Limit, LimitOptions};
use crate::wechat::catalogue;

/// The limits that apply to one caller, whatever it calls.
#[derive(Debug, Default)]
pub(crate) struct CallerLimits {
    rates: Box<[CallerLimit]>,
    budgets: Box<[CallerLimit]>,
}

/// A limit that applies to a caller.
#[derive(Clone, Debug)]
pub(crate) struct CallerLimit {
    pub(crate) limit: Arc<Limit>,
    /// Position of the only app that it is for.
    app: Option<usize>,
    /// The part of its budget that is this caller's alone.
    pub(crate) own: Option<Arc<Budget>>,
}

impl CallerLimits {
    /// Those of `limits` that apply to the caller of this name; none is one without a key. `app`
    /// gives the position of an app.
    pub(crate) fn new(
        limits: &[Arc<Limit>],
        caller: Option<&str>,
        app: impl Fn(&str) -> Option<usize>,
    ) -> Self {
        let applies = |limit: &Arc<Limit>| {
            let options = limit.options();
            let name = caller.unwrap_or(LimitOptions::ANONYMOUS);
            let app = match &options.app {
                None => None,
                // An app that isn't there has no requests.
                Some(only) => Some(app(only)?),
            };
            let own = limit.reserved_for(name);
            options.concerns_caller(caller).then(|| CallerLimit { limit: Arc::clone(limit), app, own })
        };
        let all: Vec<_> = limits.iter().filter_map(applies).collect();
        let those = |has: fn(&Limit) -> bool| all.iter().filter(|one| has(&one.limit)).cloned().collect();
        Self {
            rates: those(|limit| limit.options().rate.is_some()),
            budgets: those(|limit| limit.options().daily.is_some()),
        }
    }

    /// The rates for this app, method and path.
    pub(crate) fn rates(
        &self,
        app: usize,
        method: &Method,
        path: &str,
    ) -> impl Iterator<Item = &CallerLimit> {
        applying(&self.rates, app, method, path)
    }

    /// The day budgets for this app, method and path.
    pub(crate) fn budgets(
        &self,
        app: usize,
        method: &Method,
        path: &str,
    ) -> impl Iterator<Item = &CallerLimit> {
        applying(&self.budgets, app, method, path)
    }
}

fn applying<'l>(
    limits: &'l [CallerLimit],
    app: usize,
    method: &Method,
    path: &str,
) -> impl Iterator<Item = &'l CallerLimit> {
    let path = if limits.is_empty() { "".into() } else { catalogue::normalise(path) };
    limits.iter().filter(move |one| {
        one.app.is_none_or(|only| only == app) && one.limit.options().concerns_endpoint(method, &path)
    })
}
