//! What there is to see of today's quotas.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::counts::history::Range;
use super::counts::tally::Point;
use super::watched::Watched;
use super::{Blame, Quota, WarningKind};
use crate::observe::clock::Timestamp;
use crate::texts::Words;

/// Everything that is known of today.
#[derive(Clone, Debug)]
pub struct Report {
    /// When it was made.
    pub at: Timestamp,
    /// In the order of the configuration.
    pub apps: Vec<AppReport>,
    /// The latest first.
    pub warnings: Vec<WarningReport>,
}

/// An app's calls.
#[derive(Clone, Debug)]
pub struct AppReport {
    /// Its name.
    pub app: Arc<str>,
    /// The nearest to its end first, then the busiest.
    pub endpoints: Vec<EndpointReport>,
    /// Why WeChat's figures can't be had.
    pub problem: Option<Words>,
    /// Clearings this month: of all counters, of single ones.
    pub clears: (u32, u32),
}

/// An endpoint's calls.
#[derive(Clone, Debug)]
pub struct EndpointReport {
    /// Its path.
    pub path: &'static str,
    /// Calls that went through wxgate today, all replicas together.
    pub calls: u64,
    /// WeChat's limit a day; none if it isn't known. 0 stands for none at WeChat.
    pub limit: Option<u64>,
    /// Used by now.
    pub used: Option<u64>,
    /// When WeChat was asked.
    pub asked_at: Option<Timestamp>,
    /// Of what WeChat counted, what did not come through wxgate.
    pub around: Option<u64>,
    /// WeChat's limit: so many calls in so many seconds.
    pub rate: Option<(u64, u64)>,
    /// Calls a minute.
    pub pace: f64,
    /// When the quota ends at this pace, if today.
    pub ends: Option<Timestamp>,
    /// By caller, the busiest first.
    pub callers: Vec<(Arc<str>, u64)>,
    /// WeChat's error codes and how often, of this process; the most frequent first.
    pub errors: Vec<(i32, u64)>,
}

/// A warning of today.
#[derive(Clone, Debug)]
pub struct WarningReport {
    /// When.
    pub at: Timestamp,
    /// The app.
    pub app: Arc<str>,
    /// The endpoint.
    pub path: String,
    /// What it is about.
    pub kind: WarningKind,
    /// As a sentence.
    pub message: Words,
    /// Whose calls brought it about.
    pub blame: Blame,
}

/// Curves over a stretch of time, a value a step.
#[derive(Clone, Debug)]
pub struct Curves {
    /// Seconds.
    pub step: i64,
    /// Seconds since the epoch.
    pub start: i64,
    /// Responses sent.
    pub calls: Vec<u64>,
    /// With an error of WeChat's.
    pub wechat_errors: Vec<u64>,
    /// Refused by wxgate.
    pub refused: Vec<u64>,
    /// Without a response of WeChat's.
    pub failed: Vec<u64>,
    /// Sent again.
    pub replayed: Vec<u64>,
    /// Milliseconds that a call which went to WeChat spent in wxgate itself.
    pub own_ms: Vec<Option<f64>>,
    /// And waiting for WeChat.
    pub upstream_ms: Vec<Option<f64>>,
}

/// What became of the requests of a stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Responses sent.
    pub calls: u64,
    /// With an error of WeChat's.
    pub wechat_errors: u64,
    /// Refused by wxgate.
    pub refused: u64,
    /// Without a response of WeChat's.
    pub failed: u64,
}

impl From<Point> for Totals {
    fn from(point: Point) -> Self {
        Self {
            calls: point.calls.into(),
            wechat_errors: point.wechat_errors.into(),
            refused: point.refused.into(),
            failed: point.failed.into(),
        }
    }
}

#[derive(Default)]
struct Sums {
    callers: BTreeMap<u16, u64>,
    errors: Vec<(i32, u64)>,
}

impl EndpointReport {
    /// What is left; none if the limit isn't known, or WeChat has none.
    pub fn remaining(&self) -> Option<u64> {
        Some(self.limit.filter(|limit| *limit > 0)?.saturating_sub(self.used?))
    }

    pub(super) fn part_used(&self) -> f64 {
        match (self.limit, self.used) {
            (Some(limit), Some(used)) if limit > 0 => used as f64 / limit as f64,
            _ => 0.0,
        }
    }
}

impl Quota {
    /// What is known of today.
    pub fn report(&self) -> Report {
        let now = self.0.clock.now();
        self.0.take();
        let mut sums: HashMap<u16, BTreeMap<&'static str, Sums>> = HashMap::new();
        {
            let ledger = self.0.ledger.lock();
            for (key, count) in ledger.calls() {
                let endpoint = sums.entry(key.app).or_default().entry(key.path).or_default();
                let sum = endpoint.callers.entry(key.caller).or_default();
                *sum = sum.saturating_add(count);
            }
            for (app, path, errcode, count) in ledger.errors() {
                sums.entry(app).or_default().entry(path).or_default().errors.push((errcode, count));
            }
        }
        let names = self.0.names.all();
        let watched = self.0.watched.lock();
        let mut warnings = Vec::new();
        let mut apps = Vec::new();
        for watched in watched.iter() {
            let is_today = watched.notes.day == now.beijing_day();
            warnings.extend(watched.notes.warnings.iter().filter(|_| is_today).map(|noted| WarningReport {
                at: noted.at,
                app: Arc::clone(&watched.app.name),
                path: noted.path.clone(),
                kind: noted.kind,
                message: noted.words(),
                blame: noted.blame.clone(),
            }));
            let sums = sums.remove(&watched.label).unwrap_or_default();
            let endpoint = |(path, sums)| endpoint(watched, path, sums, &names, now);
            let mut endpoints: Vec<_> = sums.into_iter().map(endpoint).collect();
            endpoints.sort_by(|one, other| {
                let order = other.part_used().total_cmp(&one.part_used());
                order.then(other.calls.cmp(&one.calls))
            });
            apps.push(AppReport {
                app: Arc::clone(&watched.app.name),
                endpoints,
                problem: watched.notes.problem().filter(|_| is_today),
                clears: watched.clears.spent(now),
            });
        }
        warnings.sort_by_key(|warning| std::cmp::Reverse(warning.at));
        Report { at: now, apps, warnings }
    }

    /// The curves of the app with this name, or of all together. None if there is no such app.
    pub fn curves(&self, app: Option<&str>, range: Range) -> Option<Curves> {
        let label = match app {
            None => None,
            Some(name) => Some(self.0.watched.lock().named(name)?.label),
        };
        self.0.take();
        let curve = self.0.ledger.lock().curve(label, range, self.0.clock.now());
        let counts = |of: fn(&Point) -> u32| curve.points.iter().map(|point| u64::from(of(point))).collect();
        let average = |of: fn(&Point) -> u64| {
            let milliseconds =
                |point: &Point| (point.sent > 0).then(|| of(point) as f64 / 1000.0 / f64::from(point.sent));
            curve.points.iter().map(milliseconds).collect()
        };
        Some(Curves {
            step: curve.step,
            start: curve.start,
            calls: counts(|point| point.calls),
            wechat_errors: counts(|point| point.wechat_errors),
            refused: counts(|point| point.refused),
            failed: counts(|point| point.failed),
            replayed: counts(|point| point.replayed),
            own_ms: average(|point| point.own),
            upstream_ms: average(|point| point.upstream),
        })
    }

    /// What became of the requests of the app with this name, or of all together, in each of the
    /// ranges. None if there is no such app.
    pub fn totals(&self, app: Option<&str>) -> Option<[(Range, Totals); Range::ALL.len()]> {
        let label = match app {
            None => None,
            Some(name) => Some(self.0.watched.lock().named(name)?.label),
        };
        self.0.take();
        let (ledger, now) = (self.0.ledger.lock(), self.0.clock.now());
        Some(Range::ALL.map(|range| (range, ledger.sum(label, range, now).into())))
    }

    /// What became of each app's requests in the range, in the order of the configuration.
    pub fn totals_of_each(&self, range: Range) -> Vec<(Arc<str>, Totals)> {
        let apps: Vec<_> = {
            let watched = self.0.watched.lock();
            watched.iter().map(|watched| (Arc::clone(&watched.app.name), watched.label)).collect()
        };
        self.0.take();
        let (ledger, now) = (self.0.ledger.lock(), self.0.clock.now());
        apps.into_iter().map(|(app, label)| (app, ledger.sum(Some(label), range, now).into())).collect()
    }

    /// How many requests of the app this process sent again today with the token of this
    /// generation.
    pub fn replayed(&self, app: &str, generation: u64) -> u64 {
        let label = self.0.watched.lock().named(app).map(|watched| watched.label);
        label.map_or(0, |label| self.0.ledger.lock().replayed(label, generation))
    }
}

fn endpoint(
    watched: &Watched,
    path: &'static str,
    sums: Sums,
    names: &[Arc<str>],
    now: Timestamp,
) -> EndpointReport {
    let calls = sums.callers.values().copied().fold(0, u64::saturating_add);
    let figures = watched.notes.figures(path).filter(|_| watched.notes.day == now.beijing_day());
    let pace = watched.paces.get(path);
    let used = figures.map(|figures| figures.used_now(calls));
    let ends = figures.zip(pace).and_then(|(figures, pace)| {
        let remaining = figures.limit.saturating_sub(figures.used_now(calls));
        pace.ends(remaining, now).filter(|ends| figures.limit > 0 && *ends < now.beijing_midnight())
    });
    let name = |label: u16| names.get(usize::from(label)).cloned().unwrap_or_else(|| "other".into());
    let mut callers: Vec<_> = sums.callers.into_iter().map(|(label, count)| (name(label), count)).collect();
    callers.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut errors = sums.errors;
    errors.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    EndpointReport {
        path,
        calls,
        limit: figures.map(|figures| figures.limit),
        used,
        asked_at: figures.map(|figures| figures.at),
        around: figures.map(super::usage::figures::Figures::around),
        rate: figures.and_then(|figures| figures.rate),
        pace: pace.map_or(0.0, |pace| pace.per_second() * 60.0),
        ends,
        callers,
        errors,
    }
}
