//! Which of the configured limits apply to a caller, worked out when a configuration is put in
//! force.

use std::collections::HashMap;
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

/// The configured limits by whom they concern, so that not each of thousands of callers looks at
/// the limits of all others.
pub(crate) struct LimitsByCaller<'l> {
    /// Each with its place in the configuration.
    of_all: Vec<(usize, &'l Arc<Limit>)>,
    of_one: HashMap<&'l str, Vec<(usize, &'l Arc<Limit>)>>,
}

impl<'l> LimitsByCaller<'l> {
    pub(crate) fn new(limits: &'l [Arc<Limit>]) -> Self {
        let mut by_caller = Self { of_all: Vec::new(), of_one: HashMap::new() };
        for (place, limit) in limits.iter().enumerate() {
            match limit.options().caller.as_deref() {
                None => by_caller.of_all.push((place, limit)),
                Some(only) => by_caller.of_one.entry(only).or_default().push((place, limit)),
            }
        }
        by_caller
    }

    /// Those that concern the caller of this name, in the order of the configuration.
    fn concerning(&self, caller: &str) -> impl Iterator<Item = &'l Arc<Limit>> {
        let of_one = self.of_one.get(caller).map(Vec::as_slice).unwrap_or_default();
        let mut all = [&self.of_all, of_one].concat();
        all.sort_unstable_by_key(|(place, _)| *place);
        all.into_iter().map(|(_, limit)| limit)
    }
}

impl CallerLimits {
    /// Those of `limits` that apply to the caller of this name; none is one without a key. `app`
    /// gives the position of an app.
    pub(crate) fn new(
        limits: &LimitsByCaller<'_>,
        caller: Option<&str>,
        app: impl Fn(&str) -> Option<usize>,
    ) -> Self {
        let caller = caller.unwrap_or(LimitOptions::ANONYMOUS);
        let applies = |limit: &Arc<Limit>| {
            let app = match &limit.options().app {
                None => None,
                // An app that isn't there has no requests.
                Some(only) => Some(app(only)?),
            };
            Some(CallerLimit { limit: Arc::clone(limit), app, own: limit.reserved_for(caller) })
        };
        let all: Vec<_> = limits.concerning(caller).filter_map(applies).collect();
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

#[cfg(test)]
mod tests {
    use http::Method;

    use super::{CallerLimits, LimitsByCaller};
    use crate::config::Config;
    use crate::observe::clock::Clock;
    use crate::quota::limit::Limits;
    use crate::store::Store;

    const LIMITS: &str = "
        [[app]]
        name = 'shop'
        appid = 'wx0000000000000001'
        secret = { env = 'S' }
        [[caller]]
        name = 'orders'
        key_sha256 = '0000000000000000000000000000000000000000000000000000000000000001'
        apps = ['shop']
        [[caller]]
        name = 'reports'
        key_sha256 = '0000000000000000000000000000000000000000000000000000000000000002'
        apps = ['shop']
        [[limit]]
        rate = '1/s'
        [[limit]]
        caller = 'orders'
        rate = '2/s'
        [[limit]]
        caller = 'reports'
        rate = '3/s'
        [[limit]]
        endpoint = '/cgi-bin/user/**'
        rate = '4/s'
        [[limit]]
        caller = 'orders'
        endpoint = '/cgi-bin/user/info'
        rate = '5/s'
        [[limit]]
        caller = 'anonymous'
        rate = '6/s'
        ";

    #[tokio::test]
    async fn a_caller_has_its_own_limits_and_those_of_all_in_their_order() {
        let env = |_: &str| Some("s3cret-of-every-account-000001".to_owned());
        let config = Config::parse(LIMITS, "test.toml", &env).expect("a configuration");
        let (store, runtime) = (Store::memory(), tokio::runtime::Handle::current());
        let limits = Limits::new(store, Clock::default(), runtime).configure(&config.pipeline.limits);
        let by_caller = LimitsByCaller::new(&limits);
        let rates = |caller, path| -> Vec<u32> {
            let own = CallerLimits::new(&by_caller, caller, |name| (name == "shop").then_some(0));
            let rates = own.rates(0, &Method::GET, path);
            rates.filter_map(|one| Some(one.limit.options().rate?.requests.get())).collect()
        };
        let user = "/cgi-bin/user/info/";
        assert_eq!(rates(Some("orders"), user), [1, 2, 4, 5]);
        assert_eq!(rates(Some("reports"), user), [1, 3, 4]);
        assert_eq!(rates(None, user), [1, 4, 6]);
        assert_eq!(rates(Some("orders"), "/cgi-bin/menu/get"), [1, 2]);
    }
}
