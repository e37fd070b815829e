//! What the pipeline counts. Each worker has counts of its own; a scrape adds them up.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::refusals::Refusals;
use crate::observe::exemplar::Exemplars;
use crate::observe::exposition::Exposition;
use crate::observe::metrics::{Histogram, Map, Sharded};
use crate::observe::names::Names;
use crate::observe::quantile::BUCKETS;
use crate::pipeline::act::SignedOutcome;
use crate::pipeline::code::Code;
use crate::quota::Outcome;
use crate::trouble::{Counted, Kind};
use crate::wechat::{catalogue, errcode};

/// What a worker counts apart; what comes beyond is counted as `other`.
pub(crate) const MOST_SERIES: usize = 10_000;
/// The addresses of this machine that are kept of those that WeChat refused.
const MOST_ADDRESSES: usize = 4;
/// Stands for an error code that WeChat doesn't publish.
pub(crate) const OTHER_CODE: i32 = i32::MIN;

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "ok",
        Outcome::WechatError => "wechat_error",
        Outcome::Refused => "refused",
        Outcome::Failed => "failed",
    }
}

/// A code as the metrics have it.
pub(crate) fn label(errcode: Option<i64>) -> i32 {
    match errcode {
        None => 0,
        Some(code) if is_ours(code) || code == 0 || errcode::known(code) => {
            i32::try_from(code).unwrap_or(OTHER_CODE)
        }
        Some(_) => OTHER_CODE,
    }
}

fn is_ours(code: i64) -> bool {
    (-70_599..=-70_400).contains(&code)
}

/// What became of a caller's requests to an app since the process started.
#[derive(Clone, Debug)]
pub struct CallerRequests {
    /// The app's name, or `other`.
    pub app: Arc<str>,
    /// The caller's name, or `anonymous`.
    pub caller: Arc<str>,
    /// Answered by WeChat without an error.
    pub ok: u64,
    /// Answered by WeChat with one.
    pub wechat_error: u64,
    /// Refused by wxgate.
    pub refused: u64,
    /// Without a response of WeChat's.
    pub failed: u64,
}

/// How a replay ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Replayed {
    Ok,
    Rejected,
    Failed,
}

/// Who made a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    Wechat,
    Wxgate,
}

impl Source {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Wechat => "wechat",
            Self::Wxgate => "wxgate",
        }
    }
}

/// What tells series of requests apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequestKey {
    pub(crate) app: u16,
    pub(crate) endpoint: u16,
    pub(crate) status: u16,
    /// Of the response as sent, 0 if it carried none.
    pub(crate) errcode: i32,
    pub(crate) source: Source,
}

impl Hash for RequestKey {
    /// In two words, where one field after the other would be five.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { app, endpoint, status, errcode, source } = *self;
        let place = u64::from(app) << 32 | u64::from(endpoint) << 16 | u64::from(status);
        state.write_u64(place << 1 | u64::from(source == Source::Wxgate));
        state.write_u32(errcode.cast_unsigned());
    }
}

/// One worker's counts.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) requests: Map<RequestKey, u64>,
    pub(crate) callers: Map<(u16, u16, Outcome), u64>,
    pub(crate) durations: Map<(u16, u16), Durations>,
    pub(crate) replays: Map<(u16, Replayed), u64>,
    pub(crate) signed: Map<(u16, SignedOutcome), u64>,
    pub(crate) refused: Map<(u16, u16, Code), u64>,
    pub(crate) observed: Map<(u16, u16, Code), u64>,
    /// In detail, since they were last taken.
    pub(crate) refusals: Refusals,
    /// What was wrong with WeChat, by app and endpoint as in `durations`.
    troubles: Map<(u16, u16), Troubles>,
}

/// What was wrong with WeChat at an endpoint.
#[derive(Clone, Debug, Default)]
struct Troubles {
    by_kind: [u64; Kind::ALL.len()],
    /// The addresses that WeChat refused, since they were last taken.
    addresses: Vec<IpAddr>,
}

impl Counts {
    /// Counts a request of an app to an endpoint that met trouble of WeChat's.
    pub(crate) fn trouble(&mut self, of: (u16, u16), kind: Kind, refused: Option<IpAddr>) {
        let troubles = self.troubles.entry(of).or_default();
        troubles.by_kind[kind as usize] += 1;
        if let Some(address) = refused
            && troubles.addresses.len() < MOST_ADDRESSES
            && !troubles.addresses.contains(&address)
        {
            troubles.addresses.push(address);
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Durations {
    pub(crate) request: Histogram,
    /// Of the requests; bounded as the series are.
    pub(crate) exemplars: Exemplars,
    pub(crate) upstream: Histogram,
}

#[derive(Debug, Default)]
#[repr(align(128))]
struct InFlight(AtomicU64);

/// The pipeline's metrics.
#[derive(Debug)]
pub(crate) struct Metrics {
    names: Arc<Names>,
    pub(crate) counts: Sharded<Counts>,
    in_flight: Vec<InFlight>,
}

impl Metrics {
    /// For `workers`, with apps and callers by their numbers in `names`.
    pub(crate) fn new(workers: usize, names: Arc<Names>) -> Self {
        Self {
            names,
            counts: Sharded::new(workers),
            in_flight: (0..workers.max(1)).map(|_| InFlight::default()).collect(),
        }
    }

    /// Changes a worker's own gauge; only that worker writes it.
    pub(crate) fn in_flight(&self, worker: usize, change: impl FnOnce(u64) -> u64) {
        if let Some(InFlight(gauge)) = self.in_flight.get(worker) {
            gauge.store(change(gauge.load(Ordering::Relaxed)), Ordering::Relaxed);
        }
    }

    /// Of all workers.
    pub(crate) fn all_in_flight(&self) -> u64 {
        self.in_flight.iter().map(|gauge| gauge.0.load(Ordering::Relaxed)).sum()
    }

    /// How many requests were refused for this.
    pub(crate) fn refused(&self, why: Code) -> u64 {
        self.counts.fold(0, |sum, counts| {
            let of = counts.refused.iter().filter(|((_, _, code), _)| *code == why);
            sum + of.map(|(_, count)| count).sum::<u64>()
        })
    }

    /// What became of each caller's requests.
    pub(crate) fn callers(&self) -> Vec<CallerRequests> {
        let names = self.names.all();
        let name = |label: u16| names.get(usize::from(label)).cloned().unwrap_or_else(|| "other".into());
        let totals = self.counts.fold(BTreeMap::<(u16, u16), CallerRequests>::new(), |mut totals, counts| {
            for ((app, caller, outcome), count) in &counts.callers {
                let of = totals.entry((*app, *caller)).or_insert_with(|| CallerRequests {
                    app: name(*app),
                    caller: name(*caller),
                    ok: 0,
                    wechat_error: 0,
                    refused: 0,
                    failed: 0,
                });
                *match outcome {
                    Outcome::Ok => &mut of.ok,
                    Outcome::WechatError => &mut of.wechat_error,
                    Outcome::Refused => &mut of.refused,
                    Outcome::Failed => &mut of.failed,
                } += count;
            }
            totals
        });
        totals.into_values().collect()
    }

    /// How long each app's requests took that went to WeChat, by bucket.
    pub(crate) fn durations(&self) -> Map<u16, [u64; BUCKETS]> {
        self.counts.fold(Map::default(), |mut sums, counts| {
            for ((app, _), durations) in &counts.durations {
                let sum = sums.entry(*app).or_insert([0; BUCKETS]);
                for (sum, count) in sum.iter_mut().zip(durations.request.counts()) {
                    *sum += count;
                }
            }
            sums
        })
    }

    /// What was counted of each endpoint of the apps that have these labels and names.
    pub(crate) fn endpoints(&self, apps: &Map<u16, Arc<str>>) -> BTreeMap<(Arc<str>, &'static str), Counted> {
        let mut all = BTreeMap::<_, Counted>::new();
        for worker in 0..self.counts.workers() {
            // A worker is stopped for no longer than it takes to copy them.
            let (calls, troubles) = self.counts.with(worker, |counts| {
                let calls = counts.durations.iter().map(|(of, durations)| (*of, durations.upstream.count()));
                let taken = |(of, troubles): (&(u16, u16), &mut Troubles)| {
                    let addresses = std::mem::take(&mut troubles.addresses);
                    (*of, Troubles { by_kind: troubles.by_kind, addresses })
                };
                (calls.collect::<Vec<_>>(), counts.troubles.iter_mut().map(taken).collect::<Vec<_>>())
            });
            let key = |(app, endpoint): (u16, u16)| Some((Arc::clone(apps.get(&app)?), path(endpoint)));
            for (of, calls) in calls {
                if let Some(key) = key(of) {
                    all.entry(key).or_default().calls += calls;
                }
            }
            for (of, troubles) in troubles {
                let Some(key) = key(of) else { continue };
                let counted = all.entry(key).or_default();
                for (sum, by) in counted.troubled.iter_mut().zip(troubles.by_kind) {
                    *sum += by;
                }
                counted.addresses.extend(troubles.addresses);
            }
        }
        all
    }

    /// Adds all families of the pipeline to a scrape.
    pub(crate) fn expose(&self, out: &mut Exposition) {
        let names = self.names.all();
        let name = |label: u16| names.get(usize::from(label)).map_or("other", |name| &**name);
        let totals = self.counts.fold(Totals::default(), Totals::add);

        out.counter("wxgate_requests_total", "Requests answered, by what was sent and who made it.");
        for ((app, endpoint, status, errcode, source), count) in &totals.requests {
            let code = if *errcode == OTHER_CODE { "other".to_owned() } else { errcode.to_string() };
            let status = status.to_string();
            let labels = [
                ("app", name(*app)),
                ("endpoint", *endpoint),
                ("status", status.as_str()),
                ("errcode", code.as_str()),
                ("source", source.as_str()),
            ];
            out.sample(&labels, *count as f64);
        }
        out.counter("wxgate_caller_requests_total", "Requests answered, by caller and outcome.");
        for ((app, caller, outcome), count) in &totals.callers {
            let labels = [("app", name(*app)), ("caller", name(*caller)), ("outcome", word(*outcome))];
            out.sample(&labels, *count as f64);
        }
        out.histogram(
            "wxgate_request_duration_seconds",
            "From a request's head to the end of its answer, of requests that went to WeChat.",
        );
        for ((app, endpoint), durations) in &totals.durations {
            let labels = [("app", name(*app)), ("endpoint", *endpoint)];
            durations.request.expose(&labels, Some(&durations.exemplars), out);
        }
        out.histogram(
            "wxgate_upstream_duration_seconds",
            "Of it, waiting for WeChat, all attempts together.",
        );
        for ((app, endpoint), durations) in &totals.durations {
            durations.upstream.expose(&[("app", name(*app)), ("endpoint", endpoint)], None, out);
        }
        out.counter("wxgate_replays_total", "Requests sent again after WeChat rejected their token.");
        for ((app, outcome), count) in &totals.replays {
            let outcome = match outcome {
                Replayed::Ok => "ok",
                Replayed::Rejected => "rejected",
                Replayed::Failed => "failed",
            };
            out.sample(&[("app", name(*app)), ("outcome", outcome)], *count as f64);
        }
        out.counter("wxgate_signed_total", "Signed requests, by what their responses were taken for.");
        for ((app, outcome), count) in &totals.signed {
            out.sample(&[("app", name(*app)), ("outcome", outcome.as_str())], *count as f64);
        }
        out.counter("wxgate_refused_total", "Requests that the proxy refused.");
        for ((app, caller, code), count) in &totals.refused {
            out.sample(
                &[("app", name(*app)), ("caller", name(*caller)), ("code", code.as_str())],
                *count as f64,
            );
        }
        out.counter(
            "wxgate_limit_observed_total",
            "Requests that limits with mode = \"observe\" would have refused.",
        );
        for ((app, caller, code), count) in &totals.observed {
            out.sample(
                &[("app", name(*app)), ("caller", name(*caller)), ("code", code.as_str())],
                *count as f64,
            );
        }
        out.gauge("wxgate_inflight_requests", "Requests whose answer has not ended.");
        out.sample(&[], self.all_in_flight() as f64);
    }
}

/// An endpoint as in the labels.
fn path(id: u16) -> &'static str {
    catalogue::all().get(usize::from(id)).map_or("other", |endpoint| endpoint.path)
}

/// All workers' counts together, in the order of the exposition; endpoints by path, since two hosts
/// may have the same one and requests without an app ask for both.
#[derive(Default)]
struct Totals {
    requests: BTreeMap<(u16, &'static str, u16, i32, Source), u64>,
    callers: BTreeMap<(u16, u16, Outcome), u64>,
    durations: BTreeMap<(u16, &'static str), Durations>,
    replays: BTreeMap<(u16, Replayed), u64>,
    signed: BTreeMap<(u16, SignedOutcome), u64>,
    refused: BTreeMap<(u16, u16, Code), u64>,
    observed: BTreeMap<(u16, u16, Code), u64>,
}

impl Totals {
    fn add(mut self, counts: &Counts) -> Self {
        for (key, count) in &counts.requests {
            let key = (key.app, path(key.endpoint), key.status, key.errcode, key.source);
            *self.requests.entry(key).or_default() += count;
        }
        for ((app, caller, outcome), count) in &counts.callers {
            *self.callers.entry((*app, *caller, *outcome)).or_default() += count;
        }
        for ((app, endpoint), durations) in &counts.durations {
            let sum = self.durations.entry((*app, path(*endpoint))).or_default();
            sum.request.merge(&durations.request);
            sum.exemplars.merge(&durations.exemplars);
            sum.upstream.merge(&durations.upstream);
        }
        for ((app, outcome), count) in &counts.replays {
            *self.replays.entry((*app, *outcome)).or_default() += count;
        }
        for ((app, outcome), count) in &counts.signed {
            *self.signed.entry((*app, *outcome)).or_default() += count;
        }
        for ((app, caller, code), count) in &counts.refused {
            *self.refused.entry((*app, *caller, *code)).or_default() += count;
        }
        for ((app, caller, code), count) in &counts.observed {
            *self.observed.entry((*app, *caller, *code)).or_default() += count;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Metrics, RequestKey, Source};
    use crate::observe::exposition::{Dialect, Exposition};
    use crate::observe::names::OTHER;
    use crate::wechat::catalogue;

    #[test]
    fn two_hosts_endpoints_of_one_path_are_one_series() {
        let metrics = Metrics::new(1, Arc::default());
        let path = "/cgi-bin/menu/create";
        for endpoint in [catalogue::find(path).id, catalogue::find_work(path).id] {
            metrics.counts.with(0, |counts| {
                let key =
                    RequestKey { app: OTHER, endpoint, status: 401, errcode: -70401, source: Source::Wxgate };
                *counts.requests.entry(key).or_default() += 1;
            });
        }
        let mut out = Exposition::new(Dialect::of_accept(None));
        metrics.expose(&mut out);
        let text = out.finish();
        let series: Vec<&str> = text.lines().filter(|line| line.contains(path)).collect();
        assert_eq!(
            series,
            [
                r#"wxgate_requests_total{app="other",endpoint="/cgi-bin/menu/create",status="401",errcode="-70401",source="wxgate"} 2"#
            ]
        );
    }
}
