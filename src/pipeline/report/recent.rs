//! How long requests took lately, and what was refused: looked up in the metrics now and then, so
//! that it costs a request nothing.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use super::metrics::Metrics;
use super::refusals::{Refusal, Table};
use crate::observe::clock::Timestamp;
use crate::observe::names::Names;
use crate::observe::quantile::{BUCKETS, Buckets};
use crate::observe::ring::{HOUR, MINUTE, Ring};
use crate::quota::Range;

/// Milliseconds for which a look is good enough: each stops all workers for a moment.
const FRESH: i64 = 2_000;
/// Of an app; of all together it is 30 days.
const HOURS_OF_AN_APP: i64 = 24;

/// What the metrics had at the last look, and what came when.
#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    looked: Option<Timestamp>,
    whole: Times<{ 30 * 24 }>,
    apps: BTreeMap<u16, Times<HOURS_OF_AN_APP>>,
    refusals: Table,
}

#[derive(Debug)]
struct Times<const HOURS: i64> {
    before: [u64; BUCKETS],
    minutes: Ring<Buckets, MINUTE, 60>,
    hours: Ring<Buckets, HOUR, HOURS>,
}

impl<const HOURS: i64> Default for Times<HOURS> {
    fn default() -> Self {
        Self { before: [0; BUCKETS], minutes: Ring::default(), hours: Ring::default() }
    }
}

/// What parts of the requests that went to WeChat took at most, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Percentiles {
    /// Half of them.
    pub p50: f64,
    /// 95 of 100.
    pub p95: f64,
    /// 99 of 100.
    pub p99: f64,
}

impl<const HOURS: i64> Times<HOURS> {
    fn take(&mut self, counts: [u64; BUCKETS], now: Timestamp) {
        let new = Buckets::between(&self.before, &counts);
        self.before = counts;
        if !new.is_empty() {
            self.minutes.add(now, &new);
            self.hours.add(now, &new);
        }
    }

    /// None if there was no request, or not all of the range is kept.
    fn percentiles(&self, range: Range, now: Timestamp) -> Option<Percentiles> {
        let steps = range.seconds() * 1000 / HOUR;
        let buckets = match range {
            Range::Quarter | Range::Hour => self.minutes.sum(now, range.steps().0),
            Range::Day | Range::Month if steps <= HOURS => self.hours.sum(now, steps),
            Range::Day | Range::Month => return None,
        };
        Some(Percentiles {
            p50: buckets.quantile(0.5)?,
            p95: buckets.quantile(0.95)?,
            p99: buckets.quantile(0.99)?,
        })
    }
}

impl Recent {
    /// Takes what came since the last look, unless that was a moment ago.
    pub(crate) fn look(&self, metrics: &Metrics, now: Timestamp) {
        let mut state = self.0.lock();
        if state.looked.is_some_and(|looked| (0..FRESH).contains(&(now.0 - looked.0))) {
            return;
        }
        state.looked = Some(now);
        let mut whole = [0; BUCKETS];
        for (app, counts) in metrics.durations() {
            for (sum, count) in whole.iter_mut().zip(counts) {
                *sum += count;
            }
            state.apps.entry(app).or_default().take(counts, now);
        }
        state.whole.take(whole, now);
        for worker in 0..metrics.counts.workers() {
            let seen = metrics.counts.with(worker, |counts| std::mem::take(&mut counts.refusals));
            state.refusals.take(seen, now);
        }
    }

    /// Of an app by its number, or of all together.
    pub(crate) fn percentiles(&self, app: Option<u16>, range: Range, now: Timestamp) -> Option<Percentiles> {
        let state = self.0.lock();
        match app {
            None => state.whole.percentiles(range, now),
            Some(app) => state.apps.get(&app)?.percentiles(range, now),
        }
    }

    /// What was refused, the most frequent first.
    pub(crate) fn refusals(&self, range: Range, now: Timestamp, names: &Names) -> Vec<Refusal> {
        self.0.lock().refusals.of(range, now, &names.all())
    }
}
