//! The quota metrics. Each replica tells the whole cluster's figures: take the largest, never the
//! sum.

use super::{AppReport, EndpointReport, Quota};
use crate::observe::exposition::Exposition;

/// Series of calls in a scrape; what comes beyond is counted without its endpoint.
const MOST_SERIES: usize = 10_000;

impl Quota {
    /// Adds the quota metrics to a scrape.
    pub fn expose(&self, out: &mut Exposition) {
        let report = self.report();
        let mut left = MOST_SERIES;
        out.gauge("wxgate_calls_today", "Calls let through today in Beijing, by all replicas together.");
        for app in &report.apps {
            calls(app, &mut left, out);
        }
        let family = |out: &mut Exposition, value: &dyn Fn(&EndpointReport) -> Option<f64>| {
            let mut left = MOST_SERIES;
            for app in &report.apps {
                for endpoint in &app.endpoints {
                    if let (Some(value), 1..) = (value(endpoint), left) {
                        left -= 1;
                        out.sample(&[("app", &*app.app), ("endpoint", endpoint.path)], value);
                    }
                }
            }
        };
        out.gauge("wxgate_quota_limit", "WeChat's limit of calls today.");
        family(out, &|endpoint| endpoint.limit.filter(|limit| *limit > 0).map(|limit| limit as f64));
        out.gauge("wxgate_quota_used", "What WeChat counted when it was asked, and calls since.");
        family(out, &|endpoint| endpoint.used.map(|used| used as f64));
        out.gauge("wxgate_quota_remaining", "What is left of WeChat's limit.");
        family(out, &|endpoint| endpoint.remaining().map(|left| left as f64));
        out.gauge(
            "wxgate_quota_around",
            "Calls of today that WeChat counted and that did not come through wxgate.",
        );
        family(out, &|endpoint| endpoint.around.map(|around| around as f64));
        out.gauge(
            "wxgate_quota_exhausted_in_seconds",
            "Until the quota is used up at the present pace; only if that is today.",
        );
        family(out, &|endpoint| endpoint.ends.map(|ends| ends.since(report.at).as_secs_f64()));
        self.expose_accounts(out);
        out.counter("wxgate_quota_warnings_total", "Warnings that this replica gave.");
        for ((app, kind), count) in self.0.warned.lock().iter() {
            out.sample(&[("app", &**app), ("kind", kind.as_str())], *count as f64);
        }
    }
}

fn calls(app: &AppReport, left: &mut usize, out: &mut Exposition) {
    let mut beyond = std::collections::BTreeMap::<&str, u64>::new();
    for endpoint in &app.endpoints {
        for (caller, count) in &endpoint.callers {
            if *left == 0 || endpoint.path == "other" {
                let sum = beyond.entry(caller).or_default();
                *sum = sum.saturating_add(*count);
                continue;
            }
            *left -= 1;
            let labels = [("app", &*app.app), ("caller", &**caller), ("endpoint", endpoint.path)];
            out.sample(&labels, *count as f64);
        }
    }
    for (caller, count) in beyond {
        out.sample(&[("app", &*app.app), ("caller", caller), ("endpoint", "other")], count as f64);
    }
}
