//! What there is to see of the busiest accounts that platforms act for.

use std::sync::Arc;

use super::accounts::KnownAccount;
use super::report::EndpointReport;
use super::{Quota, accounts};
use crate::observe::clock::Timestamp;
use crate::observe::exposition::Exposition;
use crate::texts::Words;

/// Series of what is left in a scrape.
const MOST_SERIES: usize = 1_000;

/// An account that a platform acts for.
#[derive(Clone, Debug)]
pub struct AccountReport {
    /// The platform.
    pub app: Arc<str>,
    /// The account.
    pub account: Arc<str>,
    /// Calls through this process today.
    pub calls: u64,
    /// The nearest to its end first, then the busiest.
    pub endpoints: Vec<EndpointReport>,
    /// Why WeChat's figures can't be had.
    pub problem: Option<Words>,
}

impl Quota {
    /// The busiest accounts of today, of all platforms together, the busiest first.
    pub fn accounts(&self) -> Vec<AccountReport> {
        self.0.take_accounts();
        let (names, now) = (self.0.names.all(), self.0.clock.now());
        let accounts = self.0.accounts.lock();
        let report = |((platform, appid), known): (&accounts::Account, &KnownAccount)| {
            Some(AccountReport {
                app: Arc::clone(names.get(usize::from(*platform))?),
                account: Arc::clone(appid),
                calls: known.total(),
                endpoints: endpoints(known, now),
                problem: known.notes.problem(),
            })
        };
        accounts.busiest().into_iter().filter_map(report).collect()
    }

    /// Adds the metrics of accounts to a scrape. So many have a label, and keep it; the others'
    /// calls are one.
    pub(super) fn expose_accounts(&self, out: &mut Exposition) {
        self.0.take_accounts();
        let (names, now) = (self.0.names.all(), self.0.clock.now());
        let mut accounts = self.0.accounts.lock();
        accounts.label();
        let name = |platform: u16| names.get(usize::from(platform)).map_or("other", |name| &**name);
        out.gauge(
            "wxgate_account_calls_today",
            "Calls of this replica today in Beijing for an account that a platform acts for.",
        );
        for ((platform, appid), known) in accounts.labelled() {
            out.sample(&[("app", name(*platform)), ("account", appid)], known.total() as f64);
        }
        for (platform, calls) in accounts.calls_of_others() {
            out.sample(&[("app", name(platform)), ("account", "other")], calls as f64);
        }
        out.gauge("wxgate_account_quota_remaining", "What is left of WeChat's limit for such an account.");
        let left = accounts.labelled().flat_map(|((platform, appid), known)| {
            let of = move |endpoint: EndpointReport| {
                Some((*platform, appid, endpoint.path, endpoint.remaining()?))
            };
            endpoints(known, now).into_iter().filter_map(of)
        });
        for (platform, appid, path, left) in left.take(MOST_SERIES) {
            out.sample(&[("app", name(platform)), ("account", appid), ("endpoint", path)], left as f64);
        }
    }
}

fn endpoints(known: &KnownAccount, now: Timestamp) -> Vec<EndpointReport> {
    let endpoint = |(path, called): (&&'static str, &super::usage::figures::Called)| {
        let figures = known.notes.figures(path);
        let pace = known.paces.get(path);
        let used = figures.map(|figures| figures.used_now(called.ours));
        let ends = figures.zip(pace).and_then(|(figures, pace)| {
            let remaining = figures.limit.saturating_sub(figures.used_now(called.ours));
            pace.ends(remaining, now).filter(|ends| figures.limit > 0 && *ends < now.beijing_midnight())
        });
        EndpointReport {
            path,
            calls: called.ours,
            limit: figures.map(|figures| figures.limit),
            used,
            asked_at: figures.map(|figures| figures.at),
            around: None,
            rate: figures.and_then(|figures| figures.rate),
            pace: pace.map_or(0.0, |pace| pace.per_second() * 60.0),
            ends,
            callers: Vec::new(),
            errors: Vec::new(),
        }
    };
    let mut endpoints: Vec<_> = known.calls.iter().map(endpoint).collect();
    endpoints.sort_by(|one, other| {
        let order = other.part_used().total_cmp(&one.part_used());
        order.then(other.calls.cmp(&one.calls)).then(one.path.cmp(other.path))
    });
    endpoints
}
